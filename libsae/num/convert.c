#include "num/convert.h"
#include "num/simd.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <immintrin.h>
#define HAVE_F16C_PATH 1
#endif

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t load_u16(const unsigned char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
    if (exponent == 31) {
        /* F16C makes signalling NaNs quiet; so do we, to give the same bits. */
        uint32_t quiet = fraction != 0 ? 0x400000u : 0;
        return float_of_bits(sign | 0x7f800000u | quiet | fraction << 13);
    }
    if (exponent != 0)
        return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
}

/* Infinity and the NaNs are the halves whose magnitude, as an integer, is at least this. */
enum { HALF_INFINITY = 0x7c00 };

bool saei_f16_to_f32_portable(float *out, const void *in, size_t n)
{
    const unsigned char *bytes = in;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        uint16_t half = load_u16(bytes + 2 * i);
        finite &= (half & 0x7fff) < HALF_INFINITY;
        out[i] = float_of_half(half);
    }
    return finite;
}

#ifdef HAVE_F16C_PATH
__attribute__((target("avx,f16c"))) static bool f16_to_f32_f16c(float *out, const void *in, size_t n)
{
    const unsigned char *bytes = in;
    const __m128i magnitude = _mm_set1_epi16(0x7fff);
    __m128i largest = _mm_setzero_si128();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i halves = _mm_loadu_si128((const __m128i_u *)(bytes + 2 * i));
        largest = _mm_max_epu16(largest, _mm_and_si128(halves, magnitude));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
    }
    /* The smallest of the complements. */
    __m128i least = _mm_minpos_epu16(_mm_xor_si128(largest, _mm_set1_epi16(-1)));
    bool finite = 0xffff - _mm_extract_epi16(least, 0) < HALF_INFINITY;
    return saei_f16_to_f32_portable(out + i, bytes + 2 * i, n - i) && finite;
}

/* Clang 14 and GCC 10 do not know "f16c" here, and to ask the CPU itself takes microseconds on a virtual
   machine. "avx" also says that the system saves the wide registers. */
static bool cpu_has_f16c(void)
{
#if defined(__clang__) || __GNUC__ < 11
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
#else
    return __builtin_cpu_supports("avx") && __builtin_cpu_supports("f16c");
#endif
}
#endif

bool saei_f16_to_f32(float *out, const void *in, size_t n)
{
#ifdef HAVE_F16C_PATH
    if (cpu_has_f16c())
        return f16_to_f32_f16c(out, in, n);
#endif
    return saei_f16_to_f32_portable(out, in, n);
}

SAEI_CLONES
bool saei_bf16_to_f32(float *out, const void *in, size_t n)
{
    const unsigned char *bytes = in;
    uint32_t any = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = load_u16(bytes + 2 * i);
        any |= (bits & 0x7f80u) == 0x7f80u;
        out[i] = float_of_bits(bits << 16);
    }
    return any == 0;
}

static uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Half the last place that is kept, less one bit where that is even, so that ties go to even. */
static uint32_t round_off(uint32_t bits, unsigned places)
{
    return (bits + ((1u << (places - 1)) - 1) + (bits >> places & 1)) >> places;
}

static uint16_t half_of_float(float value)
{
    const uint32_t infinite = 0x7f800000u, overflow = 0x477ff000u, normal = 0x38800000u; /* 65520, 2^-14 */
    uint32_t bits = bits_of_float(value), magnitude = bits & 0x7fffffffu, half;
    if (magnitude > infinite)
        half = 0x7e00u;
    else if (magnitude >= overflow)
        half = 0x7c00u;
    else if (magnitude >= normal)
        half = round_off(magnitude - (112u << 23), 13);
    else /* the last place of 0.5 is 2^-24, that of the small halves: the sum is rounded to it */
        half = bits_of_float(float_of_bits(magnitude) + 0.5f) - bits_of_float(0.5f);
    return (uint16_t)((bits >> 16 & 0x8000u) | half);
}

void saei_f32_to_f16(void *out, const float *in, size_t n)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < n; i++) {
        uint16_t half = half_of_float(in[i]);
        memcpy(bytes + 2 * i, &half, sizeof half);
    }
}

void saei_f32_to_bf16(void *out, const float *in, size_t n)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of_float(in[i]);
        bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
        uint16_t upper = (uint16_t)(is_nan ? bits >> 16 | 0x40u : round_off(bits, 16));
        memcpy(bytes + 2 * i, &upper, sizeof upper);
    }
}

static float float_of_e4m3(unsigned char byte)
{
    uint32_t sign = (uint32_t)(byte & 0x80u) << 24, exponent = (byte >> 3) & 15u, fraction = byte & 7u;
    if ((byte & 0x7fu) == 0x7fu)
        return float_of_bits(sign | 0x7fc00000u);
    if (exponent != 0)
        return float_of_bits(sign | (exponent + 120) << 23 | fraction << 20);
    float magnitude = (float)fraction * 0x1p-9f;
    return sign != 0 ? -magnitude : magnitude;
}

void saei_f8_e4m3_to_f32(float *out, const void *in, size_t n)
{
    const unsigned char *bytes = in;
    for (size_t i = 0; i < n; i++)
        out[i] = float_of_e4m3(bytes[i]);
}

void saei_f8_e5m2_to_f32(float *out, const void *in, size_t n)
{
    const unsigned char *bytes = in;
    for (size_t i = 0; i < n; i++)
        out[i] = float_of_half((uint16_t)(bytes[i] << 8));
}

void saei_swap_bytes(void *items, size_t item_size, size_t n)
{
    assert(item_size == 1 || item_size == 2 || item_size == 4 || item_size == 8);
    unsigned char *item = items;
    for (size_t i = 0; i < n; i++, item += item_size)
        for (size_t low = 0, high = item_size - 1; low < high; low++, high--) {
            unsigned char byte = item[low];
            item[low] = item[high];
            item[high] = byte;
        }
}
