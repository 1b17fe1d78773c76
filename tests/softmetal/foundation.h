// Foundation, as far as metal-cpp's users need it: strings, arrays, errors, URLs.
#pragma once

#include <Foundation/Foundation.hpp>
#include <string>
#include <vector>

#include "runtime.h"

namespace softmetal {

/// A pointer of metal-cpp's as one of ours, or back: both mean the same object.
template <class To, class From>
To as(From* object) {
  return (To)(void*)(object);
}

struct String : Object {
  static constexpr const char* kName = "NSString";
  std::string text;
};
struct Array : Object {
  static constexpr const char* kName = "NSArray";
  std::vector<Ref<objc_object>> objects;
};
struct Error : Object {
  static constexpr const char* kName = "NSError";
  std::string domain;
  NS::Integer code;
  std::string text;
};
struct Url : Object {
  static constexpr const char* kName = "NSURL";
  std::string path;
};

/// The text of a string of any class.
const char* text_of(const NS::String* string);
NS::String* new_string(std::string text);                                      // autoreleased
NS::Error* new_error(const char* domain, NS::Integer code, std::string text);  // autoreleased

}  // namespace softmetal
