// What a call that must fail says, and where.
#pragma once

#include <string>

#include "enigma/error.h"

namespace enigma {

/// The Error that a call throws; "no error" where it throws none.
template <class F>
Error caught(const F& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  return Error("no error");
}

}  // namespace enigma
