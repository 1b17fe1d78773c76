// Control flow: loops, conditions, and the variables that carry values through them.
#include <doctest/doctest.h>

#include "test_msl.h"

using namespace enigma;

TEST_CASE("a sum in a loop is one variable") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32), out = k.b.buffer("Out", DType::F32);
  ValueId n = k.b.scalar("n", DType::I32);
  Operand init[] = {k.b.constant(DType::F32, Literal{0.0})};
  Builder::Loop loop = k.at(4).b.begin_for(number(0), n, number(1), DType::I32, init);
  k.named("i", loop.index), k.named("acc", loop.args[0]);
  ValueId acc = k.at(5).named("acc", k.op("+", {loop.args[0], k.b.load(a, loop.index)}));
  k.at(6).b.begin_if(k.op("cmp_gt", {acc, real(1)}));
  ValueId less = k.at(7).named("acc", k.op("*", {acc, real(0.5)}));
  Operand then[] = {less}, otherwise[] = {acc};
  std::vector<ValueId> merged = k.b.end_if(then, otherwise);
  k.named("acc", merged[0]);
  Operand next[] = {merged[0]};
  ValueId result = k.b.end_for(next)[0];
  k.at(8).b.store(out, number(0), result);
  CHECK(k.body() ==
        "    float acc = 0.0f;  // k.py:4\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        acc = acc + A[i];  // k.py:5\n"
        "        if (acc > 1.0f) {  // k.py:6\n"
        "            acc = acc * 0.5f;  // k.py:7\n"
        "        }\n"
        "    }\n"
        "    Out[0] = acc;  // k.py:8\n");
}

TEST_CASE("all carried values are read before any is written") {
  Kernel k;
  ValueId out = k.b.buffer("Out", DType::U32), n = k.b.scalar("n", DType::I32);
  Operand init[] = {k.b.constant(DType::U32, Literal{int64_t{0}}),
                    k.b.constant(DType::U32, Literal{int64_t{1}})};
  Builder::Loop loop = k.b.begin_for(number(0), n, number(1), DType::I32, init);
  k.named("a", loop.args[0]), k.named("b", loop.args[1]);
  Operand swapped[] = {loop.args[1], loop.args[0]};
  std::vector<ValueId> r = k.b.end_for(swapped);
  Operand again[] = {r[0], r[1]};
  Builder::Loop fib = k.b.begin_for(number(0), n, number(1), DType::I32, again);
  k.named("a", fib.args[0]), k.named("b", fib.args[1]);
  ValueId sum = k.op("+", {fib.args[0], fib.args[1]});
  Operand moved[] = {fib.args[1], sum};
  r = k.b.end_for(moved);
  k.b.store(out, number(0), r[0]);
  k.b.store(out, number(1), r[1]);
  CHECK(k.body() ==
        "    uint a = 0u;\n"
        "    uint b = 1u;\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        const uint a_next = b;\n"
        "        b = a;\n"
        "        a = a_next;\n"
        "    }\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        const uint a_next = b;\n"
        "        b = a + b;\n"
        "        a = a_next;\n"
        "    }\n"
        "    Out[0] = a;\n"
        "    Out[1] = b;\n");
}

TEST_CASE("the value before a loop stays when it is read after it") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32);
  ValueId x = k.named("x", k.b.load(a, number(0)));
  Operand init[] = {x};
  Builder::Loop loop = k.b.begin_for(number(0), number(3), number(1), DType::I32, init);
  k.named("x", loop.args[0]);
  Operand next[] = {k.named("x", k.op("*", {loop.args[0], x}))};
  ValueId r = k.b.end_for(next)[0];
  k.b.store(a, number(0), k.op("-", {r, x}));
  CHECK(k.body() ==
        "    const float x = A[0];\n"
        "    float x_1 = x;\n"
        "    for (int i = 0; i < 3; i++) {\n"
        "        x_1 = x_1 * x;\n"
        "    }\n"
        "    A[0] = x_1 - x;\n");
}

TEST_CASE("steps") {
  auto loop = [](Operand lo, Operand hi, Operand step, DType t, bool traced = false) {
    Kernel k;
    ValueId out = k.b.buffer("Out", DType::I32);
    ValueId n = k.b.scalar("n", t);
    Builder::Loop l =
        k.b.begin_for(lo, traced ? Operand{n} : hi, traced ? Operand{n} : step, t, {});
    k.b.store(out, number(0), l.index);
    k.b.end_for({});
    std::string body = k.body();
    return body.substr(4, body.find(" {") - 4);
  };
  CHECK(loop(number(8), number(0), number(-1), DType::I32) == "for (int i = 8; i > 0; i--)");
  CHECK(loop(number(0), number(8), number(3), DType::I32) == "for (int i = 0; i < 8; i += 3)");
  CHECK(loop(number(8), number(-8), number(-2), DType::I32) == "for (int i = 8; i > (-8); i -= 2)");
  // The counter saturates where the last step is known to leave the type.
  CHECK(loop(number(0), number(2147483647), number(2), DType::I32) ==
        "for (int i = 0; i < 2147483647; i = addsat(i, 2))");
  CHECK(loop(number(0), {}, {}, DType::I32, true) ==
        "for (int i = 0; n > 0 ? i < n : n < 0 && i > n; i += n)");
  CHECK(loop(number(0), {}, {}, DType::U32, true) == "for (uint i = 0u; n > 0u && i < n; i += n)");
}

TEST_CASE("bounds are computed once when that could show") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::I32);
  ValueId last = k.b.load(a, number(0));
  Builder::Loop l = k.b.begin_for(number(0), last, number(1), DType::I32, {});
  k.b.store(a, number(0), l.index);
  k.b.end_for({});
  CHECK(k.body() ==
        "    const int A_value = A[0];\n"
        "    for (int i = 0; i < A_value; i++) {\n"
        "        A[0] = i;\n"
        "    }\n");
}

TEST_CASE("while") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::U32);
  Operand init[] = {k.b.constant(DType::U32, Literal{int64_t{7}})};
  Builder::Loop head = k.at(2).b.begin_while(init);
  k.named("n", head.args[0]);
  Builder::Loop body = k.b.while_body(k.op("cmp_gt", {head.args[0], k.b.load(a, number(0))}));
  Operand next[] = {k.at(3).named("n", k.op("//", {body.args[0], number(2)}))};
  ValueId r = k.b.end_while(next)[0];
  // A condition that takes statements is tested inside.
  Operand again[] = {r};
  head = k.at(5).b.begin_while(again);
  k.named("n", head.args[0]);
  ValueId sum = k.op("simd_sum", {head.args[0]});
  body = k.b.while_body(k.op("cmp_lt", {sum, number(100)}));
  Operand more[] = {k.at(6).named("n", k.op("+", {body.args[0], number(1)}))};
  r = k.b.end_while(more)[0];
  k.at(7).b.store(a, number(0), r);
  CHECK(k.body() ==
        "    uint n = 7u;  // k.py:2\n"
        "    while (n > A[0]) {\n"
        "        n = n / 2u;  // k.py:3\n"
        "    }\n"
        "    while (true) {  // k.py:5\n"
        "        const uint lane_sum = simd_sum(n);\n"
        "        if (!(lane_sum < 100u)) break;\n"
        "        n = n + 1u;  // k.py:6\n"
        "    }\n"
        "    A[0] = n;  // k.py:7\n");
}

TEST_CASE("arms that merge into a new value") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32);
  ValueId c = k.b.scalar("c", DType::B1);
  k.b.begin_if(c);
  ValueId x = k.op("sin", {k.b.load(a, number(0))});
  k.b.begin_else();
  ValueId y = k.op("cos", {k.b.load(a, number(1))});
  Operand then[] = {x}, otherwise[] = {y};
  ValueId r = k.named("wave", k.b.end_if(then, otherwise)[0]);
  k.b.store(a, number(0), r);
  CHECK(k.body() ==
        "    float wave;\n"
        "    if (c != 0) {\n"
        "        wave = sin(A[0]);\n"
        "    } else {\n"
        "        wave = cos(A[1]);\n"
        "    }\n"
        "    A[0] = wave;\n");
}

TEST_CASE("an arm that does nothing is not written") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32);
  ValueId n = k.b.scalar("n", DType::I32);
  k.b.begin_if(k.op("cmp_lt", {n, number(3)}));
  k.b.begin_else();
  k.b.store(a, number(0), real(1));
  k.b.end_if({}, {});
  CHECK(k.body() ==
        "    if (!(n < 3)) {\n"
        "        A[0] = 1.0f;\n"
        "    }\n");
}

TEST_CASE("values from outside a loop are computed outside") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::F32), n = k.b.scalar("n", DType::I32);
  ValueId scale = k.op("exp", {k.b.load(a, number(0))});
  Builder::Loop l = k.b.begin_for(number(0), n, number(1), DType::I32, {});
  k.b.store(a, l.index, scale);
  k.b.end_for({});
  CHECK(k.body() ==
        "    const float exp_value = exp(A[0]);\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        A[i] = exp_value;\n"
        "    }\n");
}

TEST_CASE("converted values that cross over in a loop are read before they are written") {
  Kernel k;
  ValueId out = k.b.buffer("Out", DType::I32), n = k.b.scalar("n", DType::I32);
  Operand init[] = {k.b.load(out, number(0)), k.b.constant(DType::U32, Literal{int64_t{1}})};
  Builder::Loop loop = k.b.begin_for(number(0), n, number(1), DType::I32, init);
  k.named("a", loop.args[0]), k.named("b", loop.args[1]);
  Operand next[] = {k.b.cast(loop.args[1], DType::I32), k.b.cast(loop.args[0], DType::U32)};
  std::vector<ValueId> r = k.b.end_for(next);
  k.b.store(out, number(0), r[0]);
  k.b.store(out, number(1), k.b.cast(r[1], DType::I32));
  CHECK(k.body() ==
        "    int a = Out[0];\n"
        "    uint b = 1u;\n"
        "    for (int i = 0; i < n; i++) {\n"
        "        const int as_int = int(b);\n"
        "        b = uint(a);\n"
        "        a = as_int;\n"
        "    }\n"
        "    Out[0] = a;\n"
        "    Out[1] = int(b);\n");
}

TEST_CASE("counters of narrow types") {
  Kernel k;
  ValueId out = k.b.buffer("Out", DType::I8);
  Builder::Loop l = k.b.begin_for(number(-2), number(126), number(60), DType::I8, {});
  k.b.store(out, number(0), l.index);
  k.b.end_for({});
  l = k.b.begin_for(number(-2), number(4), number(2), DType::I8, {});
  k.b.store(out, number(1), l.index);
  k.b.end_for({});
  CHECK(k.body() ==
        "    for (char i = -2; i < 126; i = addsat(i, char(60))) {\n"
        "        Out[0] = i;\n"
        "    }\n"
        "    for (char i = -2; i < 4; i += 2) {\n"
        "        Out[1] = i;\n"
        "    }\n");
}

TEST_CASE("the value before a loop stays when the body reads it") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::U32);
  ValueId x = k.b.load(a, number(0));
  Operand init[] = {x};
  Builder::Loop loop = k.b.begin_for(number(0), number(3), number(1), DType::I32, init);
  Operand next[] = {k.op("*", {loop.args[0], x})};
  ValueId r = k.b.end_for(next)[0];
  k.b.store(a, number(0), r);
  CHECK(k.body() ==
        "    const uint A_value = A[0];\n"
        "    uint carried = A_value;\n"
        "    for (int i = 0; i < 3; i++) {\n"
        "        carried = carried * A_value;\n"
        "    }\n"
        "    A[0] = carried;\n");
}

TEST_CASE("an arm's loop works on a copy of what the other arm may overwrite and it reads again") {
  Kernel k;
  ValueId a = k.b.buffer("A", DType::U32);
  ValueId c = k.b.scalar("c", DType::B1);
  ValueId y = k.named("y", k.b.load(a, number(0)));
  Operand init[] = {y};
  auto loop = [&](std::string_view by) {
    Builder::Loop l = k.b.begin_for(number(0), number(3), number(1), DType::I32, init);
    k.named("y", l.args[0]);
    Operand next[] = {k.named("y", k.op(by, {l.args[0], number(3)}))};
    return k.b.end_for(next)[0];
  };
  k.b.begin_if(c);
  Operand then[] = {loop("+")};
  k.b.begin_else();
  k.b.begin_for(number(0), number(2), number(1), DType::I32, {});
  k.b.store(a, number(1), loop("*"));
  k.b.end_for({});
  Operand otherwise[] = {y};
  k.b.store(a, number(2), k.named("y", k.b.end_if(then, otherwise)[0]));
  CHECK(k.body() ==
        "    uint y = A[0];\n"
        "    if (c != 0) {\n"
        "        for (int i = 0; i < 3; i++) {\n"
        "            y = y + 3u;\n"
        "        }\n"
        "    } else {\n"
        "        for (int i = 0; i < 2; i++) {\n"
        "            uint y_1 = y;\n"
        "            for (int i_1 = 0; i_1 < 3; i_1++) {\n"
        "                y_1 = y_1 * 3u;\n"
        "            }\n"
        "            A[1] = y_1;\n"
        "        }\n"
        "    }\n"
        "    A[2] = y;\n");
}
