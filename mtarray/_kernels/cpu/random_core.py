"""The formulas of every random distribution, once: NumPy runs them on arrays, Numba compiles them for single elements.

Bits come from Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11): four 32-bit
words that are a pure function of a 64-bit key and a 128-bit counter `(block: 64 bits, retry: 32, stream: 32)`. A result is a pure
function of key, stream, block and retry, so neither the number of threads nor the order of evaluation can matter.

Everything below uses only +, -, *, /, sqrt, floor and bit operations, which IEEE 754 defines exactly, and never a fused
multiply-add. So NumPy (small arrays, nothing to compile), the compiled kernels and any other device give the same bits.
Coefficients are minimax fits made for these intervals; log and exp are within 2 units in the last place.

`random_kernels` pastes this file behind compiled versions of the imported primitives: no function may use other names.
Unsigned 64-bit constants are typed because Numba would turn `uint64 + int` into a float.
"""

import inspect
import sys

import numpy as np

from .random_primitives import as_bits, as_float, floor, lookup, select, sqrt, to_float, to_unsigned

# Float64 (or float32) results per block of the dense distributions, and blocks per attempt of those with parameters per element.
DENSE = {
    "uniform_f64": 2, "uniform_f32": 4, "normal_f64": 2, "normal_f32": 4, "exponential_f64": 2, "exponential_f32": 4,
    "laplace_f64": 2, "logistic_f64": 2, "gumbel_f64": 2,
}  # fmt: skip
ATTEMPTS = {"gamma": 2, "beta": 3, "poisson": 1, "binomial": 1, "geometric": 1}
# Those whose small means (`*_is_small`) are found by a sequential search (`*_start`, `*_end`): one block, no retry.
SEARCHED = ("poisson", "binomial")
MOST_STEPS = 200  # of a search; a mean below 10 reaches it with a probability below 1e-100
MOST_ATTEMPTS = 1000  # valid parameters are accepted four times out of five or more often; only invalid ones (NaN) get here


def source(part):
    """The text that is pasted into kernels: the formulas (1), and what single elements of `integers` are drawn by (2)."""
    return inspect.getsource(sys.modules[__name__]).split("\n# --- begin: pasted")[part].split("\n", 1)[1]


# --- begin: pasted into kernels ---
U0 = np.uint64(0)
U1 = np.uint64(1)
U2 = np.uint64(2)
U11 = np.uint64(11)
U12 = np.uint64(12)
U32 = np.uint64(32)
U52 = np.uint64(52)
U62 = np.uint64(62)
LOW32 = np.uint64(0xFFFFFFFF)
MULTIPLIER0 = np.uint64(0xD2511F53)
MULTIPLIER1 = np.uint64(0xCD9E8D57)
WEYL0 = np.uint64(0x9E3779B9)
WEYL1 = np.uint64(0xBB67AE85)
QUARTER_TURN_HALF = np.uint64(1 << 61)
MANTISSA = np.uint64((1 << 52) - 1)
SQRT_HALF = np.uint64(0x3FE6A09E667F3BCD)
ONE_MINUS_SQRT_HALF = np.uint64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
LN2_HIGH = 0.6931471804855391  # 33 bits: its products with an exponent are exact
LN2_LOW = 7.440617110012397e-11
HALF_LOG_2PI = 0.9189385332046728
STIRLING = np.array(
    [0.0, 0.08106146679532726, 0.0413406959554093, 0.02767792568499834, 0.020790672103765093, 0.016644691189821193,
     0.013876128823070748, 0.01189670994589177, 0.010411265261972096, 0.009255462182712733, 0.00833056343336287,
     0.007573675487951841, 0.00694284010720953, 0.006408994188004207, 0.0059513701127588475, 0.005554733551962801]
)  # fmt: skip


def philox_round(c0, c1, c2, c3, k0, k1):
    """One round: two 32 x 32 -> 64 bit products and a permutation of the words; all words are uint64 below 2**32."""
    p0 = MULTIPLIER0 * c0
    p1 = MULTIPLIER1 * c2
    return (p1 >> U32) ^ c1 ^ k0, p1 & LOW32, (p0 >> U32) ^ c3 ^ k1, p0 & LOW32


def philox(block, retry, stream, key):
    """The four words at counter (block, retry, stream) under the key; all uint64, retry and stream below 2**32."""
    c0, c1, c2, c3 = block & LOW32, block >> U32, retry, stream
    k0, k1 = key & LOW32, key >> U32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    c0, c1, c2, c3 = philox_round(c0, c1, c2, c3, k0, k1)
    k0, k1 = (k0 + WEYL0) & LOW32, (k1 + WEYL1) & LOW32
    return philox_round(c0, c1, c2, c3, k0, k1)


def join(low, high):
    """One 64-bit word of two 32-bit words."""
    return low | (high << U32)


# --- elementary functions on float64 ---


def log(x):
    """Natural logarithm of a positive normal number."""
    t = as_bits(x) + ONE_MINUS_SQRT_HALF
    e = to_float(t >> U52) - 1023.0
    f = as_float((t & MANTISSA) + SQRT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    p = 0.13086626147840102 * z + 0.13268773138656886
    p = p * z + 0.15386239702814658
    p = p * z + 0.18181795640132906
    p = p * z + 0.22222222391713917
    p = p * z + 0.28571428570803614
    p = p * z + 0.4000000000000088
    p = p * z + 0.6666666666666666
    return e * LN2_HIGH + (e * LN2_LOW + (s * z * p + 2.0 * s))


def log1p(x):
    """log(1 + x) for x > -1, accurate for small x (Kahan's correction of the rounding of 1 + x)."""
    u = 1.0 + x
    d = u - 1.0
    exact = d == 0.0
    return select(exact, x, log(u) * (x / select(exact, 1.0, d)))


def exp(x):
    """Exponential; 0 below -745, and the argument is limited to 709."""
    x = select(x > 709.0, 709.0, select(x < -746.0, -746.0, x))
    k = floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    q = 2.0914679595617734e-09 * r + 2.510520668068106e-08
    q = q * r + 2.7557273660822466e-07
    q = q * r + 2.7557255425009614e-06
    q = q * r + 2.480158732553378e-05
    q = q * r + 0.00019841269874801073
    q = q * r + 0.0013888888888883752
    q = q * r + 0.008333333333326141
    q = q * r + 0.04166666666666667
    q = q * r + 0.1666666666666667
    q = q * r + 0.5
    half = floor(k * 0.5)
    scale0 = as_float(to_unsigned(half + 1023.0) << U52)
    scale1 = as_float(to_unsigned(k - half + 1023.0) << U52)
    return (1.0 + (r + r * r * q)) * scale0 * scale1


def cos_sin_turn(w):
    """cos and sin of the angle w / 2**64 of a full turn; w is uint64, so the reduction to an eighth of a turn is exact."""
    quadrant = (w + QUARTER_TURN_HALF) >> U62
    shifted = (w + QUARTER_TURN_HALF) & np.uint64((1 << 62) - 1)
    x = to_float(shifted) * 4.336808689942018e-19 - 1.0
    y = x * x
    s = 6.877360573166326e-12 * y + -1.7571500746983935e-09
    s = s * y + 3.133616225433416e-07
    s = s * y + -3.657620415891387e-05
    s = s * y + 0.002490394570188844
    s = s * y + -0.08074551218828054
    s = (s * y + 0.7853981633974483) * x
    c = -3.8581890073416675e-13 * y + 1.1500512028217341e-10
    c = c * y + -2.4611364033652597e-08
    c = c * y + 3.590860446027952e-06
    c = c * y + -0.00032599188692673765
    c = c * y + 0.01585434424381542
    c = c * y + -0.30842513753404244
    c = c * y + 1.0
    odd = (quadrant & U1) != U0
    cosine = as_bits(select(odd, s, c)) ^ (((quadrant + U1) & U2) << U62)
    sine = as_bits(select(odd, c, s)) ^ ((quadrant & U2) << U62)
    return as_float(cosine), as_float(sine)


def open_unit(w):
    """A multiple of 2**-52, plus 2**-53, strictly between 0 and 1, of a 64-bit word."""
    return (to_float(w >> U12) + 0.5) * 2.220446049250313e-16


def tail_unit(w):
    """A number in (0, 1] of a 64-bit word, as fine as 2**-64 near 0: what a logarithm wants for accurate tails."""
    return to_float(w >> U1) * 1.0842021724855044e-19 + 5.421010862427522e-20


# --- dense distributions: four words give two float64 or four float32 (still as float64, to be rounded) ---


def uniform_f64(w0, w1, w2, w3):
    """Multiples of 2**-53 in [0, 1)."""
    return (
        to_float(join(w0, w1) >> U11) * 1.1102230246251565e-16,
        to_float(join(w2, w3) >> U11) * 1.1102230246251565e-16,
    )


def uniform_f32(w0, w1, w2, w3):
    """Multiples of 2**-24 in [0, 1)."""
    return (
        to_float(w0 >> np.uint64(8)) * 5.960464477539063e-08,
        to_float(w1 >> np.uint64(8)) * 5.960464477539063e-08,
        to_float(w2 >> np.uint64(8)) * 5.960464477539063e-08,
        to_float(w3 >> np.uint64(8)) * 5.960464477539063e-08,
    )


def normal_f64(w0, w1, w2, w3):
    """A pair by Box and Muller (1958); 64 bits in the radius reach 9.4 standard deviations."""
    radius = sqrt(-2.0 * log(tail_unit(join(w0, w1))))
    c, s = cos_sin_turn(join(w2, w3))
    return radius * c, radius * s


def normal_f32(w0, w1, w2, w3):
    """Two pairs by Box and Muller; 32 bits in the radius reach 6.7 standard deviations."""
    radius0 = sqrt(-2.0 * log((to_float(w0) + 0.5) * 2.3283064365386963e-10))
    radius1 = sqrt(-2.0 * log((to_float(w2) + 0.5) * 2.3283064365386963e-10))
    cos0, sin0 = cos_sin_turn(w1 << U32)
    cos1, sin1 = cos_sin_turn(w3 << U32)
    return radius0 * cos0, radius0 * sin0, radius1 * cos1, radius1 * sin1


def exponential_f64(w0, w1, w2, w3):
    """-log(u), up to 44.4."""
    return 0.0 - log(tail_unit(join(w0, w1))), 0.0 - log(tail_unit(join(w2, w3)))


def exponential_f32(w0, w1, w2, w3):
    """-log(u), up to 22.9."""
    return (
        0.0 - log((to_float(w0) + 0.5) * 2.3283064365386963e-10),
        0.0 - log((to_float(w1) + 0.5) * 2.3283064365386963e-10),
        0.0 - log((to_float(w2) + 0.5) * 2.3283064365386963e-10),
        0.0 - log((to_float(w3) + 0.5) * 2.3283064365386963e-10),
    )


def laplace_one(w):
    e = log(tail_unit(w))
    return select((w & U1) != U0, e, -e)


def laplace_f64(w0, w1, w2, w3):
    """An exponential with a random sign: the lowest bit, which `tail_unit` does not read."""
    return laplace_one(join(w0, w1)), laplace_one(join(w2, w3))


def logistic_one(w):
    u = open_unit(w)
    return log(u) - log(1.0 - u)


def logistic_f64(w0, w1, w2, w3):
    """log(u / (1 - u))."""
    return logistic_one(join(w0, w1)), logistic_one(join(w2, w3))


def gumbel_f64(w0, w1, w2, w3):
    """-log(-log(u))."""
    return 0.0 - log(0.0 - log(open_unit(join(w0, w1)))), 0.0 - log(0.0 - log(open_unit(join(w2, w3))))


# --- distributions with parameters per element: (value, accepted) of the words of one attempt ---


def stirling(k):
    """log(k!) minus Stirling's approximation, k >= 1."""
    r = 1.0 / k
    rr = r * r
    series = r * (0.08333333333333333 - rr * (0.002777777777777778 - rr * (0.0007936507936507937 - rr * 0.0005952380952380953)))
    return select(k < 16.0, lookup(STIRLING, to_unsigned(select(k < 15.0, k, 15.0))), series)


def deviance(mean, k):
    """mean * ((1 + x) * log(1 + x) - x) with x = (k - mean) / mean: Loader's form keeps the digits of large counts."""
    x = (k - mean) / mean
    return mean * ((1.0 + x) * log1p(x) - x)


def gamma_attempt(x, w, shape):
    """Marsaglia and Tsang (2000) for shape + [shape < 1] >= 1, of a normal x and a word w: d, v, log(v), accepted; d * v is the variate."""
    d = select(shape < 1.0, shape + 1.0, shape) - 0.3333333333333333
    t = 1.0 + x / (3.0 * sqrt(d))
    v = t * t * t
    positive = v > 1e-300
    v = select(positive, v, 1.0)
    logv = log(v)
    return d, v, logv, positive & (log(open_unit(w)) < 0.5 * x * x + d * (1.0 - v + logv))


def gamma_boost(v2, v3, shape):
    """log of the factor u**(1 / shape) that leads from shape + 1 to a shape below 1; 0 from 1 on."""
    small = shape < 1.0
    return select(small, log(tail_unit(join(v2, v3))) / select(small & (shape > 0.0), shape, 1.0), 0.0)


def gamma(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, shape, unused):
    """Standard gamma of the shape; 0 for the shape 0."""
    x, _ = normal_f64(w0, w1, w2, w3)
    d, v, _, accepted = gamma_attempt(x, join(v0, v1), shape)
    value = d * v * select(shape < 1.0, exp(gamma_boost(v2, v3, shape)), 1.0)
    return select(shape == 0.0, 0.0, value), accepted | (shape == 0.0)


def beta(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, a, b):
    """X / (X + Y) of two gamma variates that are accepted together, by their logarithms because both may underflow.

    The two normals are one pair of Box and Muller's, hence independent.
    """
    x, y = normal_f64(w0, w1, w2, w3)
    da, _, log_va, ok_a = gamma_attempt(x, join(v0, v1), a)
    db, _, log_vb, ok_b = gamma_attempt(y, join(v2, v3), b)
    log_x = log(da) + log_va + gamma_boost(x0, x1, a)
    log_y = log(db) + log_vb + gamma_boost(x2, x3, b)
    return 1.0 / (1.0 + exp(log_y - log_x)), ok_a & ok_b


def poisson(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, lam, unused):
    """Transformed rejection, PTRS (Hoermann 1993), for lam >= 10."""
    mean = select(lam < 10.0, 10.0, lam)
    b = 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    u = open_unit(join(w0, w1))
    v = open_unit(join(w2, w3))
    c = u - 0.5
    us = 0.5 - select(c < 0.0, -c, c)
    k = floor((2.0 * a / us + b) * c + mean + 0.43)
    quick = (us >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2.0))
    hopeless = (k < 0.0) | ((us < 0.013) & (v > us))
    k = select(k < 0.0, 0.0, k)
    k1 = select(k < 1.0, 1.0, k)
    left = log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (us * us) + b))
    right = select(k < 1.0, -mean, 0.0 - deviance(mean, k1) - HALF_LOG_2PI - 0.5 * log(k1) - stirling(k1))
    return k, quick | ((left <= right) & (hopeless == False))  # noqa: E712 (arrays)


def poisson_is_small(lam, unused):
    """Whether a sequential search of some 10 steps serves."""
    return lam < 10.0


def poisson_start(w0, w1, w2, w3, lam, unused):
    """(u, p, a, b) of the search: find u in the cumulative sum of P(0) = p, P(k) = P(k - 1) * (a / k + b)."""
    return open_unit(join(w0, w1)), exp(-lam), lam, 0.0


def poisson_end(k, lam, unused):
    return k


def binomial_log_pmf(k, n, np_, nq):
    """log of the binomial probability of 0 <= k <= n (Loader 2000)."""
    inner = (k > 0.0) & (k < n)
    ki = select(inner, k, 1.0)
    ri = select(inner, n - k, n - 1.0)
    body = stirling(n) - stirling(ki) - stirling(ri) - deviance(np_, ki) - deviance(nq, ri)
    body = body + 0.5 * (log(n / ri) - log(ki)) - HALF_LOG_2PI
    edge = n * select(k < 1.0, log1p(0.0 - np_ / n), log(np_ / n))
    return select(inner, body, edge)


def binomial(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, n, p):
    """Transformed rejection, BTRS (Hoermann 1993), where n * min(p, 1 - p) >= 10."""
    flip = p > 0.5
    q = select(flip, 1.0 - p, p)
    small = n * q < 10.0
    u = open_unit(join(w0, w1))
    v = open_unit(join(w2, w3))
    # lanes that the search serves compute something harmless
    nn = select(small, 40.0, n)
    qq = select(small, 0.5, q)
    mean = nn * qq
    rest = nn - mean
    spread = sqrt(mean * (1.0 - qq))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * qq
    c = u - 0.5
    us = 0.5 - select(c < 0.0, -c, c)
    k = floor((2.0 * a / us + b) * c + mean + 0.5)
    outside = (k < 0.0) | (k > nn)
    quick = (us >= 0.07) & (v <= 0.92 - 4.2 / b)
    k = select(outside, 0.0, k)
    mode = floor((nn + 1.0) * qq)
    left = log(v * (2.83 + 5.1 / b) * spread / (a / (us * us) + b))
    right = binomial_log_pmf(k, nn, mean, rest) - binomial_log_pmf(mode, nn, mean, rest)
    return select(flip, n - k, k), (outside == False) & (quick | (left <= right))  # noqa: E712 (arrays)


def binomial_is_small(n, p):
    """Whether a sequential search serves."""
    return n * select(p > 0.5, 1.0 - p, p) < 10.0


def binomial_start(w0, w1, w2, w3, n, p):
    """As `poisson_start`, from the rarer end."""
    q = select(p > 0.5, 1.0 - p, p)
    odds = q / (1.0 - q)
    return open_unit(join(w0, w1)), exp(n * log1p(-q)), (n + 1.0) * odds, -odds


def binomial_end(k, n, p):
    k = select(k > n, n, k)
    return select(p > 0.5, n - k, k)


def geometric(w0, w1, w2, w3, v0, v1, v2, v3, x0, x1, x2, x3, p, unused):
    """Trials up to the first success, by inversion; limited to 2**63 - 1024, the last float64 in int64."""
    certain = p >= 1.0
    k = floor(log(tail_unit(join(w0, w1))) / log1p(select(certain, -0.5, -p))) + 1.0
    k = select(k > 9.223372036854775e18, 9.223372036854775e18, k)
    return select(certain, 1.0, k), p >= 0.0


# --- begin: pasted into kernels of integers ---


def lemire32(w, span, threshold):
    p = w * span
    return p >> U32, np.uint64((p & LOW32) < threshold)


def lemire64(w, span, threshold):
    a, b, c, d = w & LOW32, w >> U32, span & LOW32, span >> U32
    low = a * c
    mid = b * c + (low >> U32)
    cross = a * d + (mid & LOW32)
    high = b * d + (mid >> U32) + (cross >> U32)
    return (high if span != U0 else w), np.uint64(w * span < threshold)


def retry32(block, lane, retry, stream, key, span, threshold):
    while True:
        w0, w1, w2, w3 = philox(block, retry, stream, key)
        w = w0 if lane == 0 else (w1 if lane == 1 else (w2 if lane == 2 else w3))
        value, bad = lemire32(w, span, threshold)
        if bad == U0:
            return value
        retry = (retry + U1) & LOW32


def retry64(block, lane, retry, stream, key, span, threshold):
    while True:
        w0, w1, w2, w3 = philox(block, retry, stream, key)
        value, bad = lemire64(join(w0, w1) if lane == 0 else join(w2, w3), span, threshold)
        if bad == U0:
            return value
        retry = (retry + U1) & LOW32
