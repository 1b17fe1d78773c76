// Functions that Metal's library lacks. A kernel's text gets those that it calls, for the types
// that it calls them with. A function opens with its name, the class of types it is for, and what
// it does, and ends at an empty line. T is the type, U its unsigned twin, W the unsigned type in
// which C++ computes (ulong for 64 bits, uint for the rest). A name with G or S in it stands for
// two functions: G is simd or quad, N the bits of that many lanes; S is an address space. Floats
// narrower than float are widened to it. The polynomials are those of the CPU device
// (src/codegen/cpu/math_exp.cpp, math_log.cpp).

// enigma_div (signed): Quotient rounded toward zero; 0 for a divisor of 0, wraps at the minimum.
inline T enigma_div(T a, T b) {
    return b == 0 ? T(0) : b == -1 ? T(W(0) - W(a)) : T(a / b);
}

// enigma_div (unsigned): Quotient; 0 for a divisor of 0.
inline T enigma_div(T a, T b) {
    return b == 0 ? T(0) : T(a / b);
}

// enigma_mod (unsigned): Remainder; 0 for a divisor of 0.
inline T enigma_mod(T a, T b) {
    return b == 0 ? T(0) : T(a % b);
}

// enigma_floordiv (signed): Quotient rounded toward negative infinity; 0 for a divisor of 0.
inline T enigma_floordiv(T a, T b) {
    if (b == 0) return T(0);
    if (b == -1) return T(W(0) - W(a));
    T q = T(a / b);
    T r = T(a - q * b);
    return r != 0 && (r < 0) != (b < 0) ? T(q - 1) : q;
}

// enigma_floormod (signed): Remainder with the sign of the divisor; 0 for a divisor of 0 or -1.
inline T enigma_floormod(T a, T b) {
    if (b == 0 || b == -1) return T(0);
    T r = T(a - (a / b) * b);
    return r != 0 && (r < 0) != (b < 0) ? T(r + b) : r;
}

// enigma_floordiv (float): Quotient rounded toward negative infinity, as Python's //.
inline T enigma_floordiv(T a, T b) {
    if (b == 0.0f) return a / b;
    T r = precise::fmod(a, b);
    T q = (a - r) / b;
    if (r != 0.0f && (r < 0.0f) != (b < 0.0f)) q -= 1.0f;
    if (q == 0.0f) return copysign(0.0f, a / b);
    T whole = floor(q);
    return q - whole > 0.5f ? whole + 1.0f : whole;
}

// enigma_floormod (float): Remainder with the sign of the divisor, as Python's %.
inline T enigma_floormod(T a, T b) {
    T r = precise::fmod(a, b);
    if (r == 0.0f) return copysign(0.0f, b);
    return (r < 0.0f) != (b < 0.0f) ? r + b : r;
}

// enigma_powi (signed): Integer power, wrapping; a negative exponent gives 0, 1 or -1.
inline T enigma_powi(T base, T exponent) {
    if (exponent < 0) return base == 1 ? T(1) : base == -1 ? T((exponent & 1) != 0 ? -1 : 1) : T(0);
    W result = 1;
    W square = W(base);
    for (W e = W(exponent); e != 0; e >>= 1) {
        if ((e & 1) != 0) result *= square;
        square *= square;
    }
    return T(result);
}

// enigma_powi (unsigned): Integer power, wrapping.
inline T enigma_powi(T base, T exponent) {
    W result = 1;
    W square = W(base);
    for (W e = W(exponent); e != 0; e >>= 1) {
        if ((e & 1) != 0) result *= square;
        square *= square;
    }
    return T(result);
}

// enigma_to_T (integer): Truncated; saturates at the type's ends, and NaN gives 0.
inline T enigma_to_T(float x) {
    if (isnan(x)) return T(0);
    if (x >= float(numeric_limits<T>::max())) return numeric_limits<T>::max();
    return T(fmax(x, float(numeric_limits<T>::min())));
}

// enigma_odd_float (signed): A float whose last bit is set if it is not exact: rounding it further
// gives what rounding the integer would.
inline float enigma_odd_float(T x) {
    U size = x < 0 ? U(0) - U(x) : U(x);
    float scale = x < 0 ? -1.0f : 1.0f;
    for (; size >= 0x1000000; size = (size >> 8) | U((size & 255) != 0)) scale *= 256.0f;
    return scale * float(size);
}

// enigma_odd_float (unsigned): A float whose last bit is set if it is not exact: rounding it
// further gives what rounding the integer would.
inline float enigma_odd_float(T x) {
    float scale = 1.0f;
    for (; x >= 0x1000000; x = (x >> 8) | T((x & 255) != 0)) scale *= 256.0f;
    return scale * float(x);
}

// enigma_extract_bits (integer): Bits from an offset on, without those beyond the width.
inline T enigma_extract_bits(T x, uint offset, uint bits) {
    const uint width = sizeof(T) * 8;
    uint start = min(offset, width);
    return extract_bits(x, start, min(bits, width - start));
}

// enigma_insert_bits (integer): x with the lowest bits of y from an offset on, within the width.
inline T enigma_insert_bits(T x, T y, uint offset, uint bits) {
    const uint width = sizeof(T) * 8;
    uint start = min(offset, width);
    return insert_bits(x, y, start, min(bits, width - start));
}

// enigma_dequantize_int8 (integer): The number that a quantised one stands for.
inline float enigma_dequantize_int8(T x, float scale, float zero_point) {
    return (float(x) - zero_point) * scale;
}

// enigma_expm1 (float): exp(x) - 1, exact near 0: 2^n (exp(r) - 1) + (2^n - 1), at half size.
inline T enigma_expm1(T x) {
    if (isnan(x) || fabs(x) < 5.0e-8f) return x;
    if (x > 88.7228317f) return INFINITY;
    if (x < -18.0f) return -1.0f;
    T n = rint(x * 1.44269502f);
    T r = fma(n, 1.90465421e-9f, fma(n, -0.693147182f, x));
    T q = fma(r, 1.97633824e-4f, 1.39323424e-3f);
    q = fma(r, q, 8.33354425e-3f);
    q = fma(r, q, 4.16664928e-2f);
    q = fma(r, q, 0.166666657f);
    q = fma(r, q, 0.5f);
    T scale = as_type<T>((int(n) + 126) << 23);
    T result = fma(scale, fma(r * r, q, r), scale - 0.5f);
    return result + result;
}

// enigma_log1p (float): log(1 + x), exact near 0; 1 + x is 2^k (1 + f), less what that sum lost.
inline T enigma_log1p(T x) {
    if (isnan(x) || fabs(x) < 5.0e-8f) return x;
    if (x <= -1.0f) return x == -1.0f ? T(-INFINITY) : as_type<T>(0x7fc00000u);
    if (isinf(x)) return x;
    T u = x + 1.0f;
    T rounded = u - 1.0f;
    T lost = (x - rounded) + (1.0f - (u - rounded));
    int above = as_type<int>(u) - 0x3f3504f3;  // the bits of sqrt(1/2)
    int k = above >> 23;
    T f = as_type<T>((above & 0x7fffff) + 0x3f3504f3) - 1.0f;
    f = fma(lost, as_type<T>((127 - min(k, 126)) << 23), f);
    T p = fma(f, 6.74927160e-2f, -0.116700992f);
    p = fma(f, p, 0.118835486f);
    p = fma(f, p, -0.124062337f);
    p = fma(f, p, 0.142203584f);
    p = fma(f, p, -0.166679889f);
    p = fma(f, p, 0.200020716f);
    p = fma(f, p, -0.250000089f);
    p = fma(f, p, 0.333333135f);
    T tail = f * f * fma(f, p, -0.5f);
    T high = T(k);
    return fma(high, 0.693147182f, f + fma(high, -1.90465421e-9f, tail));
}

// enigma_erf (float): Error function: an odd polynomial near 0, 1 - 2^q(x) beyond.
inline T enigma_erf(T x) {
    if (isnan(x)) return x;
    T size = fmin(fabs(x), 4.0f);
    T square = size * size;
    if (size < 0.93f) {
        T p = fma(square, 8.00277485e-5f, -8.05080403e-4f);
        p = fma(square, p, 5.19246049e-3f);
        p = fma(square, p, -2.68557407e-2f);
        p = fma(square, p, 0.112836257f);
        p = fma(square, p, -0.376126289f);
        p = fma(square, p, 0.128379166f);
        return copysign(fma(size, p, size), x);
    }
    T q = fma(size, 2.84470181e-4f, -4.40828595e-3f);
    q = fma(size, q, 3.21389623e-2f);
    q = fma(size, q, -0.150094047f);
    q = fma(size, q, -0.919083059f);
    q = fma(size, q, -1.62699866f);
    q = fma(size, q, -2.56072526e-4f);
    return copysign(1.0f - exp2(q), x);
}

// enigma_fract (float): x - floor(x), at most the bfloat below 1.
inline T enigma_fract(T x) {
    T fraction = x - floor(x);
    return fraction > 0.99609375f ? 0.99609375f : fraction;
}

// enigma_hypot (float): sqrt(x * x + y * y), without overflow on the way.
inline T enigma_hypot(T x, T y) {
    if (isinf(x) || isinf(y)) return INFINITY;
    if (isnan(x) || isnan(y)) return x + y;
    T big = fmax(fabs(x), fabs(y));
    if (big == 0.0f) return big;
    T ratio = fmin(fabs(x), fabs(y)) / big;
    return big * sqrt(fma(ratio, ratio, 1.0f));
}

// enigma_mix (float): a + (b - a) * t, product and sum fused; Metal leaves its own formula open.
inline T enigma_mix(T a, T b, T t) {
    return fma(b - a, t, a);
}

// enigma_G_sum (integer): Sum over the active lanes; Metal's functions stop at 32 bits.
inline T enigma_G_sum(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    U total = 0;
    for (; lanes != 0; lanes &= lanes - 1) {
        total += as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
    }
    return T(total);
}

// enigma_G_product (integer): Product over the active lanes.
inline T enigma_G_product(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    U total = 1;
    for (; lanes != 0; lanes &= lanes - 1) {
        total *= as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
    }
    return T(total);
}

// enigma_G_min (integer): Least over the active lanes.
inline T enigma_G_min(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    T least = x;
    for (; lanes != 0; lanes &= lanes - 1) {
        least = min(least, as_type<T>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes)))));
    }
    return least;
}

// enigma_G_max (integer): Greatest over the active lanes.
inline T enigma_G_max(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    T greatest = x;
    for (; lanes != 0; lanes &= lanes - 1) {
        greatest = max(greatest, as_type<T>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes)))));
    }
    return greatest;
}

// enigma_G_prefix_inclusive_sum (integer): Sum over the active lanes up to this one.
inline T enigma_G_prefix_inclusive_sum(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    uint below = G_prefix_exclusive_sum(1u);
    U total = 0;
    for (uint k = 0; lanes != 0; lanes &= lanes - 1, ++k) {
        U other = as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
        total += k <= below ? other : U(0);
    }
    return T(total);
}

// enigma_G_prefix_inclusive_product (integer): Product over the active lanes up to this one.
inline T enigma_G_prefix_inclusive_product(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    uint below = G_prefix_exclusive_sum(1u);
    U total = 1;
    for (uint k = 0; lanes != 0; lanes &= lanes - 1, ++k) {
        U other = as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
        total *= k <= below ? other : U(1);
    }
    return T(total);
}

// enigma_G_prefix_exclusive_sum (integer): Sum over the active lanes below this one.
inline T enigma_G_prefix_exclusive_sum(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    uint below = G_prefix_exclusive_sum(1u);
    U total = 0;
    for (uint k = 0; lanes != 0; lanes &= lanes - 1, ++k) {
        U other = as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
        total += k < below ? other : U(0);
    }
    return T(total);
}

// enigma_G_prefix_exclusive_product (integer): Product over the active lanes below this one.
inline T enigma_G_prefix_exclusive_product(T x) {
    uint lanes = uint(ulong(G_vote::vote_t(G_active_threads_mask()))) & N;
    uint below = G_prefix_exclusive_sum(1u);
    U total = 1;
    for (uint k = 0; lanes != 0; lanes &= lanes - 1, ++k) {
        U other = as_type<U>(G_shuffle(as_type<uint2>(x), ushort(ctz(lanes))));
        total *= k < below ? other : U(1);
    }
    return T(total);
}

// enigma_G_min (float): Least over the active lanes that are no NaN; Metal leaves NaN open.
inline T enigma_G_min(T x) {
    T least = G_min(isnan(x) ? T(INFINITY) : x);
    return G_all(isnan(x)) ? x : least;
}

// enigma_G_max (float): Greatest over the active lanes that are no NaN; Metal leaves NaN open.
inline T enigma_G_max(T x) {
    T greatest = G_max(isnan(x) ? T(-INFINITY) : x);
    return G_all(isnan(x)) ? x : greatest;
}

// enigma_atomic_fetch_add_S (float): Adds, gives the old value; Metal only adds device floats.
inline T enigma_atomic_fetch_add_S(S atomic_uint* object, T x) {
    uint old = atomic_load_explicit(object, memory_order_relaxed);
    uint next;
    do {
        next = as_type<uint>(as_type<T>(old) + x);
    } while (!atomic_compare_exchange_weak_explicit(object, &old, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return as_type<T>(old);
}

// enigma_atomic_fetch_sub_S (float): Subtracts, gives the old value.
inline T enigma_atomic_fetch_sub_S(S atomic_uint* object, T x) {
    uint old = atomic_load_explicit(object, memory_order_relaxed);
    uint next;
    do {
        next = as_type<uint>(as_type<T>(old) - x);
    } while (!atomic_compare_exchange_weak_explicit(object, &old, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return as_type<T>(old);
}

// enigma_atomic_fetch_min_S (float): Stores the lesser, gives the old value; ignores NaN.
inline T enigma_atomic_fetch_min_S(S atomic_uint* object, T x) {
    uint old = atomic_load_explicit(object, memory_order_relaxed);
    uint next;
    do {
        next = as_type<uint>(fmin(as_type<T>(old), x));
    } while (!atomic_compare_exchange_weak_explicit(object, &old, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return as_type<T>(old);
}

// enigma_atomic_fetch_max_S (float): Stores the greater, gives the old value; ignores NaN.
inline T enigma_atomic_fetch_max_S(S atomic_uint* object, T x) {
    uint old = atomic_load_explicit(object, memory_order_relaxed);
    uint next;
    do {
        next = as_type<uint>(fmax(as_type<T>(old), x));
    } while (!atomic_compare_exchange_weak_explicit(object, &old, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return as_type<T>(old);
}
