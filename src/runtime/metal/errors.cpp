// Maps compiler messages back to Python, and command-buffer errors to what the user can do.

#include "runtime/metal/errors.h"

#include <charconv>
#include <string_view>
#include <vector>

#include "support/text.h"

namespace enigma::metal {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The `// file:line` at the end of a line of MSL; line 0 when there is none.
Location comment_place(std::string_view line) {
  size_t comment = line.rfind("// ");
  if (comment == std::string_view::npos) return {};
  std::string_view place = line.substr(comment + 3);
  size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return {};
  Location where{std::string(place.substr(0, colon)), 0};
  std::string_view digits = place.substr(colon + 1);
  auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), where.line);
  if (fault != std::errc{} || end != digits.data() + digits.size()) return {};
  return where;
}

bool only_comment(std::string_view line) {
  size_t first = line.find_first_not_of(' ');
  return first != std::string_view::npos && line.substr(first, 2) == "//";
}

std::string_view file_name(std::string_view path) {
  size_t slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view trimmed(std::string_view s) {
  size_t first = s.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : s.substr(first);
}

// A compiler's "program_source:12:5: error: what".
struct Diagnostic {
  uint32_t line = 0;
  std::string_view message;
};

Diagnostic first_error(std::string_view text) {
  for (std::string_view line : lines_of(text)) {
    size_t mark = line.find(": error: ");
    if (mark == std::string_view::npos) mark = line.find(": fatal error: ");
    if (mark == std::string_view::npos) continue;
    constexpr std::string_view kFile = "program_source:";
    size_t file = line.find(kFile);
    Diagnostic found{0, line.substr(line.find("error: ", mark) + 7)};
    if (file != std::string_view::npos && file < mark) {
      const char* begin = line.data() + file + kFile.size();
      std::from_chars(begin, line.data() + mark, found.line);
    }
    return found;
  }
  return {};
}

// The comment has the file's name alone, which files in several folders may share: one that has a
// known line there is the first choice.
Location whole(const Artifact& kernel, const Location& where) {
  const Location* found = nullptr;
  for (const Location& known : kernel.locations) {
    if (!where.line || file_name(known.file) != where.file) continue;
    if (!found || (found->line != where.line && known.line == where.line)) found = &known;
  }
  return {found ? found->file : where.file, where.line};
}

// Where the kernel begins.
Location first_place(const Artifact& kernel) {
  for (std::string_view line : lines_of(kernel.msl)) {
    if (Location where = comment_place(line); where.line) return whole(kernel, where);
  }
  return {};
}

}  // namespace

std::string describe(NS::Error* error) {
  if (!error) return "no reason was given";
  return concat(text(error->localizedDescription()), " (", text(error->domain()), ", code ",
                error->code(), ')');
}

Location python_place(const Artifact& kernel, uint32_t line) {
  std::vector<std::string_view> lines = lines_of(kernel.msl);
  if (line == 0 || line > lines.size()) return {};
  size_t at = line - 1;
  Location where = comment_place(lines[at]);
  // The line of a loop or branch carries its place in a comment of its own below it.
  if (!where.line && at + 1 < lines.size() && only_comment(lines[at + 1])) {
    where = comment_place(lines[at + 1]);
  }
  while (!where.line && at > 0) where = comment_place(lines[--at]);
  return whole(kernel, where);
}

void fail_library(const Artifact& kernel, NS::Error* error) {
  std::string all = text(error ? error->localizedDescription() : nullptr);
  Diagnostic found = first_error(all);
  if (!found.line) {
    throw Error(concat(kernel.kernel_name, ": Metal did not compile the kernel: ", describe(error)),
                python_place(kernel, found.line));
  }
  std::vector<std::string_view> lines = lines_of(kernel.msl);
  std::string_view code = found.line <= lines.size() ? trimmed(lines[found.line - 1]) : "";
  throw Error(concat(kernel.kernel_name, ": Metal did not compile the kernel: ", found.message,
                     ", in line ", found.line, " of its MSL: ", code),
              python_place(kernel, found.line));
}

void fail_function(const Artifact& kernel, NS::Error* error) {
  throw Error(concat(kernel.kernel_name,
                     ": Metal did not compile the kernel for these values of its function ",
                     "constants: ", describe(error)),
              first_place(kernel));
}

void fail_pipeline(const Artifact& kernel, NS::Error* error) {
  throw Error(concat(kernel.kernel_name,
                     ": Metal made no pipeline of the compiled kernel: ", describe(error)),
              first_place(kernel));
}

Logged first_log(MTL::CommandBuffer* commands) {
  MTL::LogContainer* logs = commands->logs();
  NS::FastEnumerationState state{};
  NS::Object* first = nullptr;
  if (!logs || logs->countByEnumerating(&state, &first, 1) == 0) return {};
  // The container may bring items of its own instead of filling our memory.
  auto* log = static_cast<MTL::FunctionLog*>(state.itemsPtr[0]);
  MTL::FunctionLogDebugLocation* where = log->debugLocation();
  MTL::Function* function = log->function();
  return {text(log->description()), text(function ? function->name() : nullptr),
          where ? static_cast<uint32_t>(where->line()) : 0};
}

std::string explain(NS::Error* error, const Logged& log, const std::string& names) {
  if (!error && !log.text.empty()) {
    return concat(names, ": Metal's shader validation has found a fault: ", log.text);
  }
  std::string said = describe(error);
  // Codes of other domains mean other things.
  bool ours = error && text(error->domain()) == "MTLCommandBufferErrorDomain";
  const char* what = "failed on the GPU";
  switch (ours ? static_cast<MTL::CommandBufferError>(error->code())
               : MTL::CommandBufferErrorNone) {
    case MTL::CommandBufferErrorTimeout:
      what =
          "ran for so long that the system stopped it; look for a loop without end, or launch "
          "smaller grids";
      break;
    case MTL::CommandBufferErrorPageFault:
      what = "touched memory outside of its buffers; look for an index out of bounds";
      break;
    case MTL::CommandBufferErrorOutOfMemory:
      what = "needs more memory than the GPU has free; use smaller buffers, or fewer of them";
      break;
    case MTL::CommandBufferErrorNotPermitted:
      what = "was not allowed to use the GPU";
      break;
    case MTL::CommandBufferErrorAccessRevoked:
      what =
          "was refused, because kernels of this process have failed or hung too often; start the "
          "program again";
      break;
    case MTL::CommandBufferErrorDeviceRemoved:
      what = "lost its GPU";
      break;
    case MTL::CommandBufferErrorStackOverflow:
      what = "needs more stack than a GPU thread has";
      break;
    default:
      break;
  }
  return concat(names, ' ', what, ": ", said);
}

}  // namespace enigma::metal
