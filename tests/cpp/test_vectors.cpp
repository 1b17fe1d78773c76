// Vectors in the IR and in MSL: their text form, what the verifier and the parser refuse, folding,
// and how Metal spells what it has no operator or function for.
#include <doctest/doctest.h>

#include "caught.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include "test_msl.h"

using namespace enigma;

namespace {

const std::string kHead =
    "enigma.kernel @k(%a: f32, %b: f32, %i: i32, %X: memref<f32, device>) {\n";

std::string parse_error(const std::string& body) {
  return caught([&] { parse(kHead + body + "}"); }).what();
}

// The one rule that the text breaks.
std::string broken(const std::string& body) {
  std::vector<std::string> rules = broken_rules(parse(kHead + body + "}"));
  return rules.empty() ? "sound" : rules[0].substr(0, rules[0].find(" ["));
}

}  // namespace

TEST_CASE("the text of vectors") {
  Builder b("k");
  ValueId a = b.scalar("a", DType::F32), x = b.buffer("X", DType::F32);
  ValueId v = b.make_vec({a, 2.0, a});
  b.set_name(v, "v");
  ValueId n = b.apply("normalize", {v});
  ValueId d = b.apply("dot", {n, v});
  b.store(x, 0, b.extract(b.apply("*", {n, d}), 2));
  Module m = b.finish();
  CHECK(print(m) == R"(enigma.kernel @k(%a: f32, %X: memref<f32, device>) {
  %0 = arith.constant 2.0 : f32
  %v = vector.make %a, %0, %a : vector<3xf32>
  %1 = vector.normalize %v : vector<3xf32>
  %2 = vector.dot %1, %v : vector<3xf32>, vector<3xf32>
  %3 = arith.cast %2 : f32 to vector<3xf32>
  %4 = arith.mulf %1, %3 : vector<3xf32>
  %5 = vector.extract %4[2] : vector<3xf32>
  %6 = arith.constant 0 : u32
  memref.store %5, %X[%6] : memref<f32, device>
}
)");
  CHECK(print(parse(print(m))) == print(m));
  CHECK(broken_rules(parse(print(m))) == std::vector<std::string>{});
}

TEST_CASE("vectors that are not sound") {
  const std::string v = "%v = vector.make %a, %b : vector<2xf32>\n";
  CHECK(broken(v) == "sound");
  CHECK(broken("%v = vector.make %a, %b : vector<3xf32>\n") == "the parts do not make the result");
  CHECK(broken("%v = vector.make %a, %b : vector<2xf16>\n") == "the parts do not make the result");
  CHECK(broken("%v = vector.make %a, %i : vector<2xf32>\n") == "the parts do not make the result");
  CHECK(broken("%v = vector.make %a : f32\n") == "the parts do not make the result");
  CHECK(broken("%v = vector.make %a, %a, %a, %a, %a : vector<4xf32>\n") ==
        "the parts do not make the result");
  CHECK(broken("%v = vector.make %X, %X : vector<2xf32>\n") == "the parts do not make the result");
  CHECK(broken(v + "%c = vector.extract %v[2] : vector<2xf32>\n") == "a part that does not exist");
  CHECK(broken("%c = vector.extract %a[0] : f32\n") == "a part that does not exist");
  CHECK(broken(v + "%c = vector.cross %v, %v : vector<2xf32>, vector<2xf32>\n") ==
        "operand 0 is vector<2xf32>, which its letter W refuses");
  CHECK(broken("%c = vector.length %a : f32\n") == "operand 0 is f32, which its letter V refuses");
  CHECK(broken("%w = vector.make %i, %i : vector<2xi32>\n"
               "%c = vector.length %w : vector<2xi32>\n") ==
        "operand 0 is vector<2xi32>, which its letter V refuses");
  CHECK(broken(v + "%c = vector.refract %v, %v, %v : "
                   "vector<2xf32>, vector<2xf32>, vector<2xf32>\n") ==
        "operand 2 is vector<2xf32>, which its letter s refuses");
  CHECK(broken(v + "%c = arith.cast %v : vector<2xf32> to vector<3xf32>\n") ==
        "a cast changes the shape");
  CHECK(broken(v + "%c = arith.as_type %a : f32 to vector<2xf32>\n") == "a cast changes the shape");
}

TEST_CASE("vectors that are no text") {
  CHECK(parse_error("%v = vector.make %a, %b : vector<5xf32>\n") ==
        "line 2, column 34: expected 1 to 4");
  CHECK(parse_error("%v = vector.make %a, %b : vector<2xf32>\n"
                    "%d = vector.dot %v, %v : vector<2xf32>\n}")
            .find("expected \",\"") != std::string::npos);
  CHECK(parse_error("%c = vector.extract %a : f32\n").find("expected \"[\"") != std::string::npos);
}

TEST_CASE("parts of what was made are what it was made of") {
  Builder b("k");
  ValueId a = b.scalar("a", DType::F32), c = b.scalar("c", DType::F32);
  ValueId x = b.buffer("X", DType::F32);
  ValueId v = b.make_vec({a, c});
  ValueId again = b.make_vec({b.extract(v, 0), b.extract(v, 1)});
  ValueId same = b.make_vec(Type::vector(DType::F32, 2), {1.5});
  ValueId splat = b.convert(a, Type::vector(DType::F32, 2));
  b.store(x, 0, b.extract(again, 1));
  b.store(x, 1, b.extract(same, 0));
  b.store(x, 2, b.extract(splat, 1));
  Module m = b.finish();
  run_passes(m, {});
  const std::string text = print(m);
  CHECK(text.find("vector") == std::string::npos);
  CHECK(text.find("memref.store %c, ") != std::string::npos);
  CHECK(text.find("memref.store %a, ") != std::string::npos);
  CHECK(text.find("arith.constant 1.5 : f32") != std::string::npos);
}

TEST_CASE("vectors as Metal spells them") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F32), n = b.buffer("N", DType::I8);
  ValueId y = b.buffer("Y", DType::BF16), i = b.query(Op::ThreadPositionInGrid);
  b.set_name(i, "i");
  auto load = [&](ValueId memory, const char* name) {
    ValueId one = b.load(memory, i);
    ValueId v = b.make_vec({one, one, one});
    b.set_name(v, name);
    return v;
  };
  ValueId v = load(x, "v"), c = load(n, "c"), h = load(y, "h");
  auto keep = [&](ValueId value, const char* name, ValueId memory) {
    b.set_name(value, name);
    b.store(memory, i, b.extract(value, 0));
    b.store(memory, i, b.extract(value, 2));
  };
  ValueId less = b.apply("cmp_lt", {v, 0.5});
  b.set_name(less, "less");
  ValueId odd = b.apply("cmp_ne", {c, 0});
  b.set_name(odd, "odd");
  keep(b.apply("where", {v, 1, b.apply("&", {less, b.apply("~", {odd})})}), "chosen", x);
  keep(b.apply("+", {c, c}), "wrapped", n);
  keep(b.apply("/", {c, 3}), "third", n);
  keep(b.apply("*", {h, h}), "square", y);
  keep(b.apply("where", {h, 0, less}), "bits", y);
  keep(b.apply("erf", {h}), "error", y);
  keep(b.cast(b.apply("where", {odd, less, less}), DType::F32), "both", x);
  b.store(y, i, b.apply("length", {h}));
  const std::string text = emit_msl(verify(b.finish()), false).text;
  for (const char* line : {
           "const float3 v = float3(X_value, X_value, X_value);",
           "const bool3 less = v < float3(0.5f);",
           "const bool3 odd = c != char3(char(0));",
           "= odd == bool3(false);",
           "const float3 chosen = select(v, float3(1.0f), ",
           "const char3 wrapped = char3(uchar3(c) + uchar3(c));",
           "const char3 third = c / char3(char(3));",
           "const bfloat3 square = bfloat3(float3(h) * float3(h));",
           "as_type<bfloat3>(select(as_type<ushort3>(h), ",
           "const bfloat3 error = bfloat3(enigma_erf(float3(h)));",
           "select(uchar3(odd), uchar3(less), less) != uchar3(uchar(0));",
           "bfloat(length(float3(h)))",
           "inline float3 enigma_erf(float3 x) {\n"
           "    return float3(enigma_erf(x.x), enigma_erf(x.y), enigma_erf(x.z));\n}",
       }) {
    CAPTURE(text);
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
}

TEST_CASE("matrices in text, and what is not sound of them") {
  const std::string v = "%v = vector.make %a, %b : vector<2xf32>\n";
  const std::string m = v + "%m = matrix.make %v, %v, %v : matrix<2x3xf32>\n";
  const std::string all = m +
                          "%t = matrix.transpose %m : matrix<2x3xf32>\n"
                          "%p = matrix.mul %m, %t : matrix<2x3xf32>, matrix<3x2xf32>\n"
                          "%d = matrix.determinant %p : matrix<2x2xf32>\n"
                          "%s = matrix.scale %p, %d : matrix<2x2xf32>, f32\n"
                          "%c = vector.extract %s[1] : matrix<2x2xf32>\n";
  Module parsed = parse(kHead + all + "}");
  CHECK(broken_rules(parsed) == std::vector<std::string>{});
  CHECK(print(parse(print(parsed))) == print(parsed));
  CHECK(broken(v + "%m = matrix.make %v, %v : matrix<2x3xf32>\n") ==
        "the parts do not make the result");
  CHECK(broken(m + "%d = matrix.determinant %m : matrix<2x3xf32>\n") ==
        "operand 0 is matrix<2x3xf32>, which its letter Q refuses");
  CHECK(broken(m + "%d = arith.addf %m, %m : matrix<2x3xf32>\n") ==
        "operand 0 is matrix<2x3xf32>, which its letter F refuses");
  CHECK(broken(m + "%d = arith.cast %a : f32 to matrix<2x3xf32>\n") == "a cast changes the shape");
  CHECK(parse_error(m + "%p = matrix.mul %m, %m : matrix<2x3xf32>, matrix<2x3xf32>\n")
            .find("expected factors that have a product") != std::string::npos);
  CHECK(parse_error("%m = matrix.make %a, %a : matrix<2x2xi32>\n")
            .find("expected a matrix of f32 or f16") != std::string::npos);
}

TEST_CASE("matrices as Metal spells them") {
  Builder b("k");
  ValueId x = b.buffer("X", DType::F16);
  ValueId one = b.load(x, 0), v = b.make_vec({one, 2.0, one});
  b.set_name(v, "v");
  ValueId m = b.make_matrix({v, v});
  b.set_name(m, "m");
  ValueId p = b.apply("matmul", {b.apply("transpose", {m}), m});
  b.set_name(p, "p");
  b.store(x, 0, b.extract(b.extract(p, 1), 0));
  b.store(x, 1, b.apply("determinant", {b.cast(p, DType::F32)}));
  const std::string text = emit_msl(verify(b.finish()), false).text;
  for (const char* line :
       {"const half2x3 m = half2x3(v, v);", "const half3x2 transpose_value = transpose(m);",
        "float3x2(float2(transpose_value[0]), float2(transpose_value[1]), ",
        "const float2x2 matmul_value = ", "p[1].x", "determinant("}) {
    CAPTURE(text);
    CHECK_MESSAGE(text.find(line) != std::string::npos, line);
  }
}
