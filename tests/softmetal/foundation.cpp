// Strings, literal ones too, arrays, errors, URLs and the process's macOS.

#include "foundation.h"

#include <cstring>

// What clang makes of MTLSTR("text"): its class lies at a symbol of its own.
objc_class g_literal_class asm("__CFConstantStringClassReference");

namespace softmetal {
namespace {

struct Literal : objc_object {
  int flags;
  const char* text;
  long length;
};

struct ProcessInfo : Object {
  static constexpr const char* kName = "NSProcessInfo";
};

bool is_literal(const void* string) {
  return static_cast<const objc_object*>(string)->isa == &g_literal_class;
}

bool is_utf8(const char* text) {
  auto* at = reinterpret_cast<const unsigned char*>(text);
  while (*at) {
    const int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >> 4 == 14 ? 2 : 3;
    if (*at >= 0x80 && (*at < 0xc2 || *at > 0xf4)) return false;
    ++at;
    for (int i = 0; i < more; ++i, ++at) {
      if (*at >> 6 != 2) return false;
    }
  }
  return true;
}

void define_strings() {
  Class c = define<String>();
  method<NS::String* (*)(const char*, NS::StringEncoding)>(
      c->isa, "stringWithCString:encoding:",
      [](objc_class*, const char* text, NS::StringEncoding encoding) -> NS::String* {
        if (!text) fail("null string", "+[NSString stringWithCString:encoding:] of null");
        if (encoding == NS::ASCIIStringEncoding) {
          for (const char* t = text; *t; ++t) {
            if (*t & 0x80) return nullptr;
          }
        } else if (encoding != NS::UTF8StringEncoding) {
          fail("encoding", "strings of encoding %lu", static_cast<unsigned long>(encoding));
        } else if (!is_utf8(text)) {
          return nullptr;
        }
        return new_string(text);
      });
  method<decltype(&NS::String::utf8String)>(
      c, "UTF8String", [](String* s) -> const char* { return s->text.c_str(); });
  method<decltype(&NS::String::length)>(c, "length",
                                        [](String* s) -> NS::UInteger { return s->text.size(); });
  method<decltype(&NS::String::isEqualToString)>(
      c, "isEqualToString:", [](String* s, const NS::String* other) -> bool {
        return other && s->text == text_of(other);
      });

  Class literal = define_class("__NSCFConstantString", nullptr);
  untyped_method(literal, "retain", [](Literal* s) { return s; });
  untyped_method(literal, "release", [](Literal*) {});
  untyped_method(literal, "autorelease", [](Literal* s) { return s; });
  method<decltype(&NS::String::utf8String)>(literal, "UTF8String",
                                            [](Literal* s) -> const char* { return s->text; });
  method<decltype(&NS::String::length)>(literal, "length",
                                        [](Literal* s) -> NS::UInteger { return s->length; });
  method<decltype(&NS::String::isEqualToString)>(
      literal, "isEqualToString:", [](Literal* s, const NS::String* other) -> bool {
        return other && std::strcmp(s->text, text_of(other)) == 0;
      });
  g_literal_class.isa = literal->isa;
  g_literal_class.name = literal->name;
  g_literal_class.imps = literal->imps;
  g_literal_class.methods = literal->methods;
}

void define_arrays() {
  Class c = define<Array>();
  method<NS::Array* (*)(const NS::Object* const*, NS::UInteger)>(
      c->isa, "arrayWithObjects:count:",
      [](objc_class*, const NS::Object* const* objects, NS::UInteger count) -> NS::Array* {
        auto* array = make<Array>();
        for (NS::UInteger i = 0; i < count; ++i) {
          if (!objects[i]) fail("null object", "an NSArray holds no null");
          array->objects.emplace_back(as<objc_object*>(objects[i]));
        }
        return as<NS::Array*>(autoreleased(array));
      });
  method<decltype(&NS::Array::count)>(c, "count",
                                      [](Array* a) -> NS::UInteger { return a->objects.size(); });
  method<decltype(&NS::Array::object<NS::Object>)>(
      c, "objectAtIndex:", [](Array* a, NS::UInteger i) -> NS::Object* {
        if (i >= a->objects.size()) fail("bad index", "-[NSArray objectAtIndex:]");
        return as<NS::Object*>(a->objects[i].get());
      });
}

void define_errors() {
  Class c = define<Error>();
  method<decltype(&NS::Error::code)>(c, "code", [](Error* e) -> NS::Integer { return e->code; });
  method<decltype(&NS::Error::domain)>(
      c, "domain", [](Error* e) -> NS::ErrorDomain { return new_string(e->domain); });
  method<decltype(&NS::Error::localizedDescription)>(
      c, "localizedDescription", [](Error* e) -> NS::String* { return new_string(e->text); });

  Class url = define<Url>();
  method<NS::URL* (*)(const NS::String*)>(
      url->isa, "fileURLWithPath:", [](objc_class*, const NS::String* path) -> NS::URL* {
        if (!path) fail("null string", "+[NSURL fileURLWithPath:] of null");
        return as<NS::URL*>(autoreleased(make<Url>(text_of(path))));
      });
  method<decltype(&NS::URL::fileSystemRepresentation)>(
      url, "fileSystemRepresentation", [](Url* u) -> const char* { return u->path.c_str(); });
}

void define_process() {
  Class c = define<ProcessInfo>();
  method<NS::ProcessInfo* (*)()>(c->isa, "processInfo", [](objc_class*) -> NS::ProcessInfo* {
    return as<NS::ProcessInfo*>(autoreleased(make<ProcessInfo>()));
  });
  method<decltype(&NS::ProcessInfo::operatingSystemVersion)>(
      c, "operatingSystemVersion",
      [](ProcessInfo*) -> NS::OperatingSystemVersion { return {os().major, os().minor, 0}; });
  method<decltype(&NS::ProcessInfo::operatingSystemVersionString)>(
      c, "operatingSystemVersionString", [](ProcessInfo*) -> NS::String* {
        return new_string("Version " + std::to_string(os().major) + "." +
                          std::to_string(os().minor) + " (Build SOFT1)");
      });
  method<decltype(&NS::ProcessInfo::isOperatingSystemAtLeastVersion)>(
      c,
      "isOperatingSystemAtLeastVersion:", [](ProcessInfo*, NS::OperatingSystemVersion v) -> bool {
        Os now = os();
        return std::pair<long, long>(now.major, now.minor) >=
               std::pair<long, long>(v.majorVersion, v.minorVersion);
      });
}

}  // namespace

const char* text_of(const NS::String* string) {
  if (!string) fail("null string", "a text was asked of null");
  if (is_literal(string)) return as<const Literal*>(string)->text;
  auto* s = as<const String*>(string);
  if (s->isa != class_of<String>()) fail("type", "%s is given for a string", s->isa->name);
  return s->text.c_str();
}

NS::String* new_string(std::string text) {
  return as<NS::String*>(autoreleased(make<String>(std::move(text))));
}

NS::Error* new_error(const char* domain, NS::Integer code, std::string text) {
  return as<NS::Error*>(autoreleased(make<Error>(domain, code, std::move(text))));
}

void define_foundation() {
  define_strings();
  define_arrays();
  define_errors();
  define_process();
}

}  // namespace softmetal
