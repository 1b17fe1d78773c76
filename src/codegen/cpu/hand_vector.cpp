// Lowerings of geometry: Metal's formulas, term by term in the order of the components.
#include "codegen/cpu/math.h"

namespace enigma::cpu {
namespace {

using Parts = std::vector<V>;

V dot(const Parts& a, const Parts& b) {
  V sum = a[0] * b[0];
  for (size_t c = 1; c < a.size(); ++c) sum = sum + a[c] * b[c];
  return sum;
}

V length(const Parts& a) { return square_root(dot(a, a)); }

template <class Each>
Parts each(const Parts& a, Each each_one) {
  Parts out;
  for (size_t c = 0; c < a.size(); ++c) out.push_back(each_one(c));
  return out;
}

}  // namespace

template <>
Parts whole<Op::Dot>(Expr&, const WholeArgs& a) {
  return {dot(a.x[0].v, a.x[1].v)};
}

template <>
Parts whole<Op::Length>(Expr&, const WholeArgs& a) {
  return {length(a.x[0].v)};
}

template <>
Parts whole<Op::Distance>(Expr&, const WholeArgs& a) {
  const Parts &x = a.x[0].v, &y = a.x[1].v;
  return {length(each(x, [&](size_t c) { return x[c] - y[c]; }))};
}

template <>
Parts whole<Op::Normalize>(Expr&, const WholeArgs& a) {
  const Parts& x = a.x[0].v;
  V size = length(x);
  return each(x, [&](size_t c) { return x[c] / size; });
}

template <>
Parts whole<Op::Cross>(Expr&, const WholeArgs& a) {
  const Parts &x = a.x[0].v, &y = a.x[1].v;
  return each(x, [&](size_t c) {
    size_t i = (c + 1) % 3, j = (c + 2) % 3;
    return x[i] * y[j] - x[j] * y[i];
  });
}

template <>
Parts whole<Op::Reflect>(Expr&, const WholeArgs& a) {
  const Parts &i = a.x[0].v, &n = a.x[1].v;
  V twice = dot(n, i) * 2;
  return each(i, [&](size_t c) { return i[c] - n[c] * twice; });
}

template <>
Parts whole<Op::Refract>(Expr& e, const WholeArgs& a) {
  const Parts &i = a.x[0].v, &n = a.x[1].v;
  const V& eta = a.x[2].v[0];
  V d = dot(n, i), k = 1 - eta * eta * (1 - d * d);
  V reflects = e.cmp("olt", k, 0), along = eta * d + square_root(k);
  return each(i, [&](size_t c) {
    V x = eta * i[c] - n[c] * along;
    return e.select(reflects, e.like(x, 0), x);
  });
}

template <>
Parts whole<Op::Faceforward>(Expr& e, const WholeArgs& a) {
  const Parts& n = a.x[0].v;
  V against = e.cmp("olt", dot(a.x[2].v, a.x[1].v), 0);
  return each(n, [&](size_t c) { return e.select(against, n[c], -n[c]); });
}

}  // namespace enigma::cpu
