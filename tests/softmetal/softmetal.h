// Software Metal, seen from a test: how its kernels are run, how it is made to fail, what it
// counts.
//
// It shows that our use of the API agrees with this model of it, and nothing about a real Mac.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- Kernels ---------------------------------------------------------------------------------
// Software Metal knows no MSL. A compiler is set, or found in the shared object that the variable
// SOFTMETAL_COMPILER names, under the name `softmetal_compile_kernel`.

enum { SOFTMETAL_MAX_BUFFERS = 31 };

typedef struct softmetal_binding {
  void* data;    // null where nothing is bound
  size_t bytes;  // from data to the end of the buffer
} softmetal_binding;

typedef struct softmetal_launch {
  uint32_t grid[3];     // threads, of which the last threadgroups may have fewer
  uint32_t threads[3];  // per threadgroup
  softmetal_binding bindings[SOFTMETAL_MAX_BUFFERS];
} softmetal_launch;

/// The value of a function constant that the text declares.
typedef struct softmetal_constant {
  uint32_t index;
  uint32_t bytes;  // of its type: 1, 2, 4 or 8
  uint64_t bits;   // the value, in the low bytes
} softmetal_constant;

typedef struct softmetal_options {
  uint32_t msl_version;  // 310 is MSL 3.1
  int fast_math;
  /// By index. A text with function constants is compiled when a function of it is made, with all
  /// of them; others when the library is.
  const softmetal_constant* constants;
  uint32_t constant_count;
} softmetal_options;

/// How a kernel has failed: the codes of MTLCommandBufferError. With 0 the command buffer completes
/// and the fault is only logged, as under shader validation.
enum { SOFTMETAL_INTERNAL = 1, SOFTMETAL_TIMEOUT = 2, SOFTMETAL_PAGE_FAULT = 3 };

typedef struct softmetal_fault {
  char* text;  // from malloc; null: there is none
  int code;
  uint32_t line;  // of the MSL; 0: not known
} softmetal_fault;

/// A compiled kernel. `run` and `destroy` are called from any thread, `run` from one at a time.
typedef struct softmetal_kernel {
  void* context;
  /// A fault of the kernel's becomes the command buffer's error, and an entry of its logs.
  softmetal_fault (*run)(void* context, const softmetal_launch* launch);
  void (*destroy)(void* context);  // may be null
  uint32_t max_threads;            // of the pipeline; 0: as the device
  size_t threadgroup_bytes;
} softmetal_kernel;

/// Compiles the kernel `function` of an MSL text; called from any thread. Returns 0 and fills
/// `kernel`, or not 0. `*messages`, from malloc, are errors or warnings, written as Metal's
/// compiler does: "program_source:3:5: error: what".
typedef int (*softmetal_kernel_compiler)(const char* source, const char* function,
                                         const softmetal_options* options, softmetal_kernel* kernel,
                                         char** messages);
void softmetal_set_kernel_compiler(softmetal_kernel_compiler compiler);

// ---- Faults ----------------------------------------------------------------------------------
// By name, here or in the variable SOFTMETAL_FAULTS: "pipeline error", "buffer allocation:2".
// Names: no device, no queue, no command buffer, library error, library warning, function error,
// pipeline error, buffer allocation, no-copy refused, archive error, command buffer error, timeout,
// page fault, out of memory, access revoked, async copy refused, async copy escaped only. The last
// two are those of a compiler: they count texts that name functions of AIR. Without them macOS 26
// plays the second, and 27 the first.

/// The next `count` times fail, after `skip` that do not. Returns 0 for an unknown name.
/// Misuse of the API is no fault: it ends the process, with its name on stderr.
int softmetal_inject(const char* fault, uint32_t count, uint32_t skip);
void softmetal_clear_faults(void);

// ---- The machine that is played -----------------------------------------------------------------
/// 7 to 10; 9 unless set, or in the variable SOFTMETAL_FAMILY.
void softmetal_set_family(int apple);
/// macOS; 15.0 unless set, or in the variable SOFTMETAL_OS ("14.6").
void softmetal_set_os(int major, int minor);
/// While held, committed command buffers wait.
void softmetal_hold(int held);

// ---- What has happened ----------------------------------------------------------------------
typedef struct softmetal_statistics {
  uint64_t libraries, pipelines, archive_hits, command_buffers, dispatches, shared_buffers;
  struct {
    uint32_t msl_version;
    int fast_math;
  } last_options;
} softmetal_statistics;
softmetal_statistics softmetal_get_statistics(void);

/// Objects that live now. At the end of the process more than 0 is a failure, "leak", unless the
/// variable SOFTMETAL_LEAKS is "ignore".
uint64_t softmetal_live_objects(void);
/// Their classes and counts, as one line of text; to be freed.
char* softmetal_describe_live_objects(void);

#ifdef __cplusplus
}
#endif
