// Compilation, in Metal's two stages: MSL text to a library, a function of it to a pipeline.

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "metal.h"

namespace softmetal {
namespace {

constexpr const char* kLibraryDomain = "MTLLibraryErrorDomain";
constexpr const char* kArchiveDomain = "MTLBinaryArchiveDomain";
constexpr const char* kArchiveHead = "softmetal archive 1";

template <class Code>
void report(NS::Error** error, const char* domain, Code code, const std::string& text) {
  if (error) *error = new_error(domain, static_cast<NS::Integer>(code), text);
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

struct Declaration {
  std::string name;
  uint32_t buffers = 0;
};

// The kernels of a text, with the buffers that their parameters name.
std::vector<Declaration> kernels_of(const std::string& source) {
  std::vector<Declaration> found;
  const std::string head = "kernel void ";
  for (size_t at = source.find(head); at != source.npos; at = source.find(head, at)) {
    at += head.size();
    Declaration d;
    while (at < source.size() && is_name(source[at])) d.name += source[at++];
    const size_t body = std::min(source.find('{', at), source.size());
    const std::string mark = "[[buffer(";
    for (size_t b = source.find(mark, at); b < body; b = source.find(mark, b)) {
      b += mark.size();
      unsigned long index = std::strtoul(source.c_str() + b, nullptr, 10);
      if (index < kMaxBuffers) d.buffers |= 1u << index;
    }
    found.push_back(std::move(d));
  }
  return found;
}

softmetal_options options_of(const CompileOptions& options) {
  const auto version = static_cast<uint32_t>(options.version);
  return {(version >> 16) * 100 + (version & 0xffff) * 10, options.fast, nullptr, 0};
}

uint32_t newest_msl() {
  const int major = os().major;
  return major >= 27 ? 410 : major >= 26 || major == 16 ? 400 : major >= 15 ? 320 : 310;
}

// Where a text names a function of AIR that the compiler takes no name for: an offset, or npos.
size_t refused_label(const std::string& source) {
  const size_t bare = source.find("__asm(\"air.");
  const size_t label = std::min(bare, source.find("__asm(\"\\01air."));
  if (label == source.npos) return label;
  if (os().major >= 27 || strikes("async copy refused")) return label;
  return bare != source.npos && (os().major >= 26 || strikes("async copy escaped only"))
             ? bare
             : source.npos;
}

void define_options() {
  Class c = define<CompileOptions>();
  method<decltype(&MTL::CompileOptions::alloc)>(c->isa, "alloc", [](objc_class*) {
    return as<MTL::CompileOptions*>(make<CompileOptions>());
  });
  method<decltype(&MTL::CompileOptions::setLanguageVersion)>(
      c, "setLanguageVersion:", [](CompileOptions* o, MTL::LanguageVersion version) {
        o->version = version;
      });
  method<decltype(&MTL::CompileOptions::setFastMathEnabled)>(
      c, "setFastMathEnabled:", [](CompileOptions* o, bool fast) {
        o->fast = o->fast_functions = fast;
      });
  auto needs = [](int major, const char* selector) {
    if (os().major < major) {
      fail("unknown selector", "-[MTLCompileOptions %s] came with macOS %d, this is %d", selector,
           major, os().major);
    }
  };
  static auto check = needs;
  method<decltype(&MTL::CompileOptions::setMathMode)>(
      c, "setMathMode:", [](CompileOptions* o, MTL::MathMode mode) {
        check(15, "setMathMode:");
        o->fast = mode != MTL::MathModeSafe;
      });
  method<decltype(&MTL::CompileOptions::setMathFloatingPointFunctions)>(
      c, "setMathFloatingPointFunctions:",
      [](CompileOptions* o, MTL::MathFloatingPointFunctions functions) {
        check(15, "setMathFloatingPointFunctions:");
        o->fast_functions = functions != MTL::MathFloatingPointFunctionsPrecise;
      });
}

// Compiles one function of a text; errors and warnings are added to `messages`.
bool compile(const std::string& source, const softmetal_options& options, Code& code,
             std::string& messages) {
  std::string text = source + std::to_string(options.msl_version * 2 + options.fast_math);
  for (uint32_t k = 0; k < options.constant_count; ++k) {
    const softmetal_constant& c = options.constants[k];
    text += " " + std::to_string(c.index) + "=" + std::to_string(c.bits);
  }
  code.key = std::to_string(std::hash<std::string>{}(text)) + " " + code.name;
  char* said = nullptr;
  bool failed =
      kernel_compiler()(source.c_str(), code.name.c_str(), &options, &code.kernel, &said) != 0;
  if (said) messages += said;
  std::free(said);
  return !failed;
}

const Code* find(const Library& library, const NS::String* name) {
  for (const auto& code : library.functions) {
    if (code->name == text_of(name)) return code.get();
  }
  return nullptr;
}

MTL::Function* specialize(Library* library, const NS::String* name, const ConstantValues* given,
                          NS::Error** error) {
  if (!given) fail("null object", "newFunctionWithName:constantValues:error: without values");
  const Code* plain = find(*library, name);
  if (!plain) {
    report(error, kLibraryDomain, MTL::LibraryErrorFunctionNotFound,
           std::string("Function ") + text_of(name) + " was not found in the library");
    return nullptr;
  }
  std::string messages;
  auto values = values_for(library->constants, *given, messages);
  if (messages.empty() && strikes("function error")) messages = "injected error";
  auto code = std::make_shared<Code>();
  if (messages.empty()) {
    softmetal_options options = library->options;
    options.constants = values.data();
    options.constant_count = static_cast<uint32_t>(values.size());
    code->name = plain->name;
    code->buffers = plain->buffers;
    if (compile(library->source, options, *code, messages)) {
      return as<MTL::Function*>(make<Function>(code));
    }
  }
  report(error, kLibraryDomain, MTL::LibraryErrorCompileFailure, messages);
  return nullptr;
}

// What needs machine code cannot take a function whose constants have no values.
const std::shared_ptr<Code>& machine_code(const PipelineDescriptor& d) {
  if (!d.function) fail("no function", "a pipeline descriptor without a function");
  if (!d.function->code->kernel.run) {
    fail("function not specialized", "%s has function constants without values",
         d.function->code->name.c_str());
  }
  return d.function->code;
}

void define_functions() {
  Class library = define<Library>();
  method<MTL::Function* (*)(const NS::String*)>(
      library, "newFunctionWithName:", [](Library* l, const NS::String* name) -> MTL::Function* {
        for (const auto& code : l->functions) {
          if (code->name == text_of(name)) return as<MTL::Function*>(make<Function>(code));
        }
        return nullptr;
      });
  method<MTL::Function* (*)(const NS::String*, const MTL::FunctionConstantValues*, NS::Error**)>(
      library, "newFunctionWithName:constantValues:error:",
      [](Library* l, const NS::String* name, const MTL::FunctionConstantValues* values,
         NS::Error** error) -> MTL::Function* {
        return specialize(l, name, as<const ConstantValues*>(values), error);
      });
  Class function = define<Function>();
  method<decltype(&MTL::Function::name)>(
      function, "name", [](Function* f) -> NS::String* { return new_string(f->code->name); });

  Class descriptor = define<PipelineDescriptor>();
  method<decltype(&MTL::ComputePipelineDescriptor::alloc)>(
      descriptor->isa, "alloc",
      [](objc_class*) { return as<MTL::ComputePipelineDescriptor*>(make<PipelineDescriptor>()); });
  method<decltype(&MTL::ComputePipelineDescriptor::setComputeFunction)>(
      descriptor, "setComputeFunction:", [](PipelineDescriptor* d, const MTL::Function* f) {
        d->function = Ref(as<Function*>(f));
      });
  method<decltype(&MTL::ComputePipelineDescriptor::setBinaryArchives)>(
      descriptor, "setBinaryArchives:", [](PipelineDescriptor* d, const NS::Array* a) {
        d->archives = Ref(as<Array*>(a));
      });
  method<decltype(&MTL::ComputePipelineDescriptor::setLabel)>(
      descriptor,
      "setLabel:", [](PipelineDescriptor*, const NS::String* label) { text_of(label); });

  Class pipeline = define<Pipeline>();
  method<decltype(&MTL::ComputePipelineState::maxTotalThreadsPerThreadgroup)>(
      pipeline, "maxTotalThreadsPerThreadgroup",
      [](Pipeline* p) -> NS::UInteger { return p->max_threads; });
  method<decltype(&MTL::ComputePipelineState::threadExecutionWidth)>(
      pipeline, "threadExecutionWidth", [](Pipeline*) -> NS::UInteger { return 32; });
  method<decltype(&MTL::ComputePipelineState::staticThreadgroupMemoryLength)>(
      pipeline, "staticThreadgroupMemoryLength",
      [](Pipeline* p) -> NS::UInteger { return p->code->kernel.threadgroup_bytes; });
}

void define_archives() {
  Class descriptor = define<ArchiveDescriptor>();
  method<decltype(&MTL::BinaryArchiveDescriptor::alloc)>(descriptor->isa, "alloc", [](objc_class*) {
    return as<MTL::BinaryArchiveDescriptor*>(make<ArchiveDescriptor>());
  });
  method<decltype(&MTL::BinaryArchiveDescriptor::setUrl)>(
      descriptor,
      "setUrl:", [](ArchiveDescriptor* d, const NS::URL* url) { d->url = Ref(as<Url*>(url)); });

  Class archive = define<Archive>();
  method<decltype(&MTL::BinaryArchive::addComputePipelineFunctions)>(
      archive, "addComputePipelineFunctionsWithDescriptor:error:",
      [](Archive* a, const MTL::ComputePipelineDescriptor* descriptor, NS::Error** error) -> bool {
        const auto& code = machine_code(*as<const PipelineDescriptor*>(descriptor));
        if (strikes("archive error")) {
          report(error, kArchiveDomain, MTL::BinaryArchiveErrorInternalError, "injected");
          return false;
        }
        ++statistics().pipelines;
        std::lock_guard lock(a->mutex);
        a->keys.push_back(code->key);
        return true;
      });
  method<decltype(&MTL::BinaryArchive::serializeToURL)>(
      archive,
      "serializeToURL:error:", [](Archive* a, const NS::URL* url, NS::Error** error) -> bool {
        std::lock_guard lock(a->mutex);
        std::ofstream file(as<const Url*>(url)->path);
        file << kArchiveHead << '\n';
        for (const std::string& key : a->keys) file << key << '\n';
        if (file.flush()) return true;
        report(error, kArchiveDomain, MTL::BinaryArchiveErrorInternalError, "cannot write");
        return false;
      });
}

}  // namespace

MTL::Library* compile_library(const char* text, CompileOptions* options, NS::Error** error) {
  if (!options || options->version == MTL::LanguageVersion(0)) {
    fail("language version", "a library is compiled without an explicit language version");
  }
  if (options->fast != options->fast_functions) {
    fail("math mode", "math is %s, but its functions are %s", options->fast ? "fast" : "safe",
         options->fast_functions ? "fast" : "precise");
  }
  ++statistics().libraries;
  const softmetal_options asked = options_of(*options);
  statistics().msl_version = asked.msl_version;
  statistics().fast_math = static_cast<uint32_t>(asked.fast_math);
  if (asked.msl_version > newest_msl()) {
    report(error, kLibraryDomain, MTL::LibraryErrorUnsupported,
           "language version " + std::to_string(asked.msl_version) + " is not supported");
    return nullptr;
  }
  const std::string source = text;
  std::string messages;
  bool failed = strikes("library error");
  if (failed) {
    messages =
        "program_source:1:1: warning: injected warning\nprogram_source:6:5: error: "
        "injected error\n    int x = y;\n    ^\n";
  } else if (strikes("library warning")) {
    messages = "program_source:5:1: warning: unused variable 'injected'\n";
  }
  if (size_t label = failed ? source.npos : refused_label(source); label != source.npos) {
    failed = true;
    const auto head = source.substr(0, label);
    messages = "program_source:" + std::to_string(1 + std::count(head.begin(), head.end(), '\n')) +
               ":11: error: illegal string literal in 'asm'\n";
  }
  if (!failed && !kernel_compiler()) {
    failed = true;
    messages = "softmetal: no kernel compiler: see softmetal_set_kernel_compiler";
  }
  Ref<Library> library;
  if (!failed) {
    auto* made = make<Library>();
    library = Ref(made);
    release(made);
    made->source = source;
    made->options = asked;
    made->constants = constants_of(source);
    for (const Declaration& d : kernels_of(source)) {
      auto code = std::make_shared<Code>();
      code->name = d.name;
      code->buffers = d.buffers;
      if (made->constants.empty()) failed |= !compile(source, asked, *code, messages);
      library->functions.push_back(std::move(code));
    }
  }
  if (!messages.empty()) {
    report(error, kLibraryDomain,
           failed ? MTL::LibraryErrorCompileFailure : MTL::LibraryErrorCompileWarning, messages);
  }
  if (failed) return nullptr;
  retain(library.get());
  return as<MTL::Library*>(library.get());
}

MTL::ComputePipelineState* make_pipeline(PipelineDescriptor* d, MTL::PipelineOption options,
                                         NS::Error** error) {
  const std::shared_ptr<Code>& code = machine_code(*d);
  bool archived = false;
  for (size_t i = 0; d->archives && i < d->archives->objects.size(); ++i) {
    auto* archive = as<Archive*>(d->archives->objects[i].get());
    std::lock_guard lock(archive->mutex);
    for (const std::string& key : archive->keys) archived |= key == code->key;
  }
  if (strikes("pipeline error")) {
    report(error, "AGXMetalSoft", 3, "Compiler encountered an internal error");
    return nullptr;
  }
  if (options & MTL::PipelineOptionFailOnBinaryArchiveMiss) {
    if (!archived) {
      report(error, kArchiveDomain, MTL::BinaryArchiveErrorUnexpectedElement, "not in the archive");
      return nullptr;
    }
    ++statistics().archive_hits;
  }
  if (!archived) ++statistics().pipelines;
  if (code->kernel.threadgroup_bytes > kMaxThreadgroupMemory) {
    report(error, "AGXMetalSoft", 3,
           "Threadgroup memory size (" + std::to_string(code->kernel.threadgroup_bytes) +
               ") exceeds the maximum threadgroup memory allowed (32768)");
    return nullptr;
  }
  uint32_t most = code->kernel.max_threads ? code->kernel.max_threads : kMaxThreads;
  return as<MTL::ComputePipelineState*>(make<Pipeline>(code, most));
}

MTL::BinaryArchive* make_archive(ArchiveDescriptor* descriptor, NS::Error** error) {
  if (!descriptor) fail("null object", "a binary archive without a descriptor");
  std::vector<std::string> keys;
  if (descriptor->url) {
    std::ifstream file(descriptor->url->path);
    std::string line;
    if (!std::getline(file, line) || line != kArchiveHead) {
      report(error, kArchiveDomain, MTL::BinaryArchiveErrorInvalidFile,
             "no archive of this system");
      return nullptr;
    }
    while (std::getline(file, line)) keys.push_back(line);
  }
  auto* archive = make<Archive>();
  archive->keys = std::move(keys);
  return as<MTL::BinaryArchive*>(archive);
}

void define_library() {
  define_options();
  define_constants();
  define_functions();
  define_archives();
}

}  // namespace softmetal
