// A program that uses an installed libenigma: it builds a kernel and prints its MSL.
#include <enigma/builder.h>
#include <enigma/compile.h>

#include <cstdio>

int main() {
  enigma::Builder b("twice");
  b.set_location("main.cpp", 8);
  auto in = b.buffer("A", enigma::DType::F32);
  auto out = b.buffer("B", enigma::DType::F32);
  auto i = b.query(enigma::Op::ThreadPositionInGrid);
  b.store(out, i, b.apply(enigma::Op::MulF, {b.load(in, i), 2.0}));
  auto kernel = enigma::compile(b.finish());
  std::fputs(kernel->msl.c_str(), stdout);
}
