// A compiler for libenigma's CPU device: clang as a child process.
#pragma once

#include <string>

/// LLVM IR text to a relocatable ELF object for this machine; an enigma::CpuCompiler. Throws
/// enigma::Error with clang's own words when that does not work. May be called by several threads.
///
/// A program that links LLVM anyway does the same in its own process with LLVM's C API:
/// LLVMParseIRInContext, LLVMCreateTargetMachine (LLVMRelocPIC) and
/// LLVMTargetMachineEmitToMemoryBuffer with LLVMObjectFile.
std::string compile_with_clang(const std::string& llvm_ir);
