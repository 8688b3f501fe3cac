// Errors: a user error names node, attribute, value and what is supported; an internal error is our bug.
#pragma once

#include <stdexcept>
#include <string>

namespace octet {

enum class ErrorKind { user = 1, internal = 2 };  // the values are the command line's exit codes

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

[[noreturn]] inline void user_error(const std::string& message) {
  throw Error(ErrorKind::user, message);
}
[[noreturn]] inline void internal_error(const std::string& message) {
  throw Error(ErrorKind::internal, message);
}

}  // namespace octet
