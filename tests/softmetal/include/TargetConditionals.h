// No target of Apple's, though the programs are those for macOS 14.
#pragma once

#define __MAC_OS_X_VERSION_MIN_REQUIRED 140000

#define TARGET_OS_OSX 0
#define TARGET_OS_IPHONE 0
#define TARGET_OS_SIMULATOR 0
#define TARGET_OS_MACCATALYST 0
