// Grand Central Dispatch: metal-cpp names its types, and we call none of it.
#pragma once

typedef struct dispatch_queue_s* dispatch_queue_t;
typedef struct dispatch_data_s* dispatch_data_t;
