// What shader validation logs of a command buffer: where a kernel did what it must not.

#include "metal.h"

namespace softmetal {

void define_logs() {
  Class container = define<LogContainer>();
  method<decltype(&NS::FastEnumeration::countByEnumerating)>(
      container, "countByEnumeratingWithState:objects:count:",
      [](LogContainer* c, NS::FastEnumerationState* state, NS::Object** buffer,
         NS::UInteger length) -> NS::UInteger {
        // An enumeration begins with zeros, and brings memory for at least one.
        if (length == 0 || state->state > c->logs.size()) fail("bad enumeration", "of logs");
        static unsigned long mutations = 0;
        NS::UInteger count = 0;
        for (; count < length && state->state < c->logs.size(); ++count) {
          buffer[count] = as<NS::Object*>(c->logs[state->state++].get());
        }
        state->itemsPtr = buffer;
        state->mutationsPtr = &mutations;
        return count;
      });

  Class log = define<FunctionLog>();
  method<decltype(&NS::Object::description)>(
      log, "description", [](FunctionLog* l) -> NS::String* { return new_string(l->text); });
  method<decltype(&MTL::FunctionLog::function)>(log, "function", [](FunctionLog* l) {
    return as<MTL::Function*>(autoreleased(make<Function>(l->code)));
  });
  method<decltype(&MTL::FunctionLog::debugLocation)>(
      log, "debugLocation", [](FunctionLog* l) -> MTL::FunctionLogDebugLocation* {
        if (!l->line) return nullptr;
        return as<MTL::FunctionLogDebugLocation*>(autoreleased(make<DebugLocation>(l->line)));
      });

  Class location = define<DebugLocation>();
  method<decltype(&MTL::FunctionLogDebugLocation::line)>(
      location, "line", [](DebugLocation* d) -> NS::UInteger { return d->line; });
}

}  // namespace softmetal
