// Classes and selectors by name.
#pragma once

#include <objc/objc.h>

#ifdef __cplusplus
extern "C" {
#endif
Class objc_lookUpClass(const char* name);
Protocol* objc_getProtocol(const char* name);
SEL sel_registerName(const char* name);
const char* sel_getName(SEL selector);
#ifdef __cplusplus
}
#endif
