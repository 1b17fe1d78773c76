// A process of ours that reads requests and writes answers, at the other end of a socket.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace msl_lab {

/// It ends when this process does, whatever way that goes: its input ends then. Trivial, so that a
/// static one outlives every thread that uses it.
class Child {
 public:
  constexpr Child() = default;
  bool running() const { return socket_ >= 0; }
  bool start(const std::vector<std::string>& command);
  /// All of it, or false: the process has ended.
  bool send(const void* data, size_t bytes) const;
  bool receive(void* data, size_t bytes) const;
  /// Ends the process, if it has not ended, and waits for it. Returns what it says of its end.
  std::string end();
  /// In a process that was forked: it is the parent's.
  void forget();

 private:
  int socket_ = -1;
  pid_t process_ = 0;
};

}  // namespace msl_lab
