// The JIT of the example: the IR goes to clang's standard input, the object comes from its output.
#include "jit.h"

#include <enigma/error.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <vector>

extern char** environ;

namespace {

// Optimisation is for the code generator alone: what libenigma emits is clean already.
constexpr const char* kCommand[] = {
    JIT_CLANG,
    "-x",
    "ir",
    "-c",
    "-O2",
    "-Xclang",
    "-disable-llvm-passes",
    "-fPIC",
#if defined(__APPLE__)
    "--target=aarch64-unknown-linux-gnu",  // the runtime loads ELF objects, on a Mac too,
    "-mcpu=apple-m1",
    "-ffixed-x18",  // where the system keeps this register
#elif defined(__x86_64__)
    "-march=native",
#else
    "-mcpu=native",
#endif
#if defined(__aarch64__)
    "-mno-outline-atomics",  // which would be calls into a library that kernels do not have
#endif
    "-Wno-override-module",
    "-o",
    "-",
    "-",
    nullptr,
};

// Files without a name, instead of pipes: a child that ends early, or fills one pipe while we fill
// another, is then no case of its own.
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

File temporary() {
  File file(std::tmpfile(), std::fclose);
  if (!file) throw enigma::Error("no temporary file for clang could be made");
  return file;
}

std::string contents(const File& file) {
  std::string bytes;
  char block[4096];
  std::rewind(file.get());
  while (size_t n = std::fread(block, 1, sizeof block, file.get())) bytes.append(block, n);
  return bytes;
}

}  // namespace

std::string compile_with_clang(const std::string& llvm_ir) {
  File in = temporary(), out = temporary(), messages = temporary();
  const bool written = std::fwrite(llvm_ir.data(), 1, llvm_ir.size(), in.get()) == llvm_ir.size();
  if (!written || std::fflush(in.get()) != 0) throw enigma::Error("LLVM IR could not be written");
  std::rewind(in.get());

  posix_spawn_file_actions_t streams;
  posix_spawn_file_actions_init(&streams);
  posix_spawn_file_actions_adddup2(&streams, fileno(in.get()), 0);
  posix_spawn_file_actions_adddup2(&streams, fileno(out.get()), 1);
  posix_spawn_file_actions_adddup2(&streams, fileno(messages.get()), 2);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, JIT_CLANG, &streams, nullptr,
                                  const_cast<char* const*>(kCommand), environ);
  posix_spawn_file_actions_destroy(&streams);
  if (failed) throw enigma::Error("the CPU device needs clang, and " JIT_CLANG " does not start");

  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string object = contents(out);
  if (status != 0 || object.empty()) {
    throw enigma::Error(JIT_CLANG " did not compile the kernel: " + contents(messages));
  }
  return object;
}
