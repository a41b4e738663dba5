#include "num/convert.h"
#include "io/dtype.h"
#include "../tools/run_suite.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* (-1)^s 2^(e - bias) (1 + m / 2^fraction_bits), with the subnormals; NaN and Inf by the caller. */
static float closed_form(unsigned sign, int exponent, unsigned fraction, int bias, int fraction_bits)
{
    double unit = ldexp((double)fraction, -fraction_bits);
    double magnitude = exponent == 0 ? ldexp(unit, 1 - bias) : ldexp(1.0 + unit, exponent - bias);
    return (float)(sign != 0 ? -magnitude : magnitude);
}

static bool same(float got, float want)
{
    return isnan(want) ? isnan(got) != 0 : bits_of(got) == bits_of(want);
}

static float half_by_definition(unsigned half)
{
    unsigned sign = half >> 15, exponent = (half >> 10) & 31, fraction = half & 1023;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign != 0 ? -INFINITY : INFINITY;
    return closed_form(sign, (int)exponent, fraction, 15, 10);
}

static float bfloat16_by_definition(unsigned b)
{
    unsigned sign = b >> 15, exponent = (b >> 7) & 255, fraction = b & 127;
    if (exponent == 255)
        return fraction != 0 ? NAN : sign != 0 ? -INFINITY : INFINITY;
    return closed_form(sign, (int)exponent, fraction, 127, 7);
}

START_TEST(all_halves)
{
    static uint16_t in[65536];
    static float fast[65536], portable[65536];
    unsigned wrong = 0;
    for (unsigned i = 0; i < 65536; i++)
        in[i] = (uint16_t)i;
    saei_f16_to_f32(fast, in, 65536);
    saei_f16_to_f32_portable(portable, in, 65536);
    ck_assert(memcmp(fast, portable, sizeof fast) == 0);
    for (unsigned i = 0; i < 65536; i++)
        wrong += !same(fast[i], half_by_definition(i));
    saei_bf16_to_f32(fast, in, 65536);
    for (unsigned i = 0; i < 65536; i++)
        wrong += !same(fast[i], bfloat16_by_definition(i));
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(all_bytes_as_float8)
{
    unsigned char in[256];
    float e4m3[256], e5m2[256];
    for (unsigned i = 0; i < 256; i++)
        in[i] = (unsigned char)i;
    saei_f8_e4m3_to_f32(e4m3, in, 256);
    saei_f8_e5m2_to_f32(e5m2, in, 256);
    for (unsigned i = 0; i < 256; i++) {
        ck_assert(same(e4m3[i], (i & 127) == 127 ? NAN : closed_form(i >> 7, (i >> 3) & 15, i & 7, 7, 3)));
        ck_assert(same(e5m2[i], half_by_definition(i << 8)));
    }
}
END_TEST

/* The nearest of all halves by a search, ties to the even one; what is nearer to 65536 than to 65504 is
 * infinite. */
static unsigned nearest_half(double magnitude)
{
    if (magnitude >= 65520)
        return 0x7c00;
    unsigned below = 0, above = 0x7bff;
    while (above - below > 1) {
        unsigned middle = (below + above) / 2;
        *((double)half_by_definition(middle) <= magnitude ? &below : &above) = middle;
    }
    double down = magnitude - (double)half_by_definition(below),
           up = (double)half_by_definition(above) - magnitude;
    return down < up || (down == up && below % 2 == 0) ? below : above;
}

START_TEST(floats_round_to_the_nearest_half)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < 0x7c00; i++) {
        float low = half_by_definition(i), high = i < 0x7bff ? half_by_definition(i + 1) : 65536;
        float middle = (float)(((double)low + (double)high) / 2);
        const float tried[] = {low, nextafterf(middle, 0), middle, nextafterf(middle, INFINITY),
                               nextafterf(low, high)};
        for (size_t k = 0; k < sizeof tried / sizeof tried[0]; k++) {
            const float both[2] = {tried[k], -tried[k]};
            uint16_t got[2];
            unsigned wanted = nearest_half((double)tried[k]);
            saei_f32_to_f16(got, both, 2);
            wrong += got[0] != wanted || got[1] != (wanted | 0x8000);
        }
    }
    ck_assert_uint_eq(wrong, 0);
    const float special[] = {INFINITY, -INFINITY, 1e30f, NAN};
    uint16_t got[4];
    saei_f32_to_f16(got, special, 4);
    ck_assert(got[0] == 0x7c00 && got[1] == 0xfc00 && got[2] == 0x7c00 && (got[3] & 0x7fff) > 0x7c00);
}
END_TEST

START_TEST(floats_round_to_the_nearest_bfloat16)
{
    unsigned wrong = 0;
    for (unsigned i = 0; i < 0x7f80; i++) {
        uint32_t bits = i << 16 | 0x8000; /* half way to the next */
        const uint32_t tried[] = {bits - 0x8000, bits - 1, bits, bits + 1};
        const unsigned wanted[] = {i, i, i + i % 2, i + 1};
        for (size_t k = 0; k < 4; k++) {
            float value;
            uint16_t got;
            memcpy(&value, &tried[k], sizeof value);
            saei_f32_to_bf16(&got, &value, 1);
            wrong += got != wanted[k];
        }
    }
    ck_assert_uint_eq(wrong, 0);
    const float special[] = {-INFINITY, NAN};
    uint16_t got[2];
    saei_f32_to_bf16(got, special, 2);
    ck_assert(got[0] == 0xff80 && (got[1] & 0x7fff) > 0x7f80);
}
END_TEST

/* Each value among finite ones, at each place of a vector and behind the last. */
START_TEST(values_that_are_no_numbers_are_told)
{
    enum { AMONG = 11 };
    float out[AMONG];
    for (unsigned value = 0; value < 65536; value++) {
        uint16_t halves[AMONG] = {0};
        halves[value % AMONG] = (uint16_t)value;
        bool half = isfinite(half_by_definition(value)), bfloat16 = isfinite(bfloat16_by_definition(value));
        ck_assert(saei_f16_to_f32(out, halves, AMONG) == half);
        ck_assert(saei_f16_to_f32_portable(out, halves, AMONG) == half);
        ck_assert(saei_bf16_to_f32(out, halves, AMONG) == bfloat16);
    }
    /* A finite double may be no finite float. */
    const double beyond[] = {1e300, 1.0};
    ck_assert(!saei_dtype_to_f32(out, SAEI_F64, beyond, 2));
    ck_assert(saei_dtype_to_f32(out, SAEI_F64, beyond + 1, 1));
}
END_TEST

/* The data may lie at the end of the buffer it is converted into, at an odd address, in any length. */
START_TEST(in_place_and_unaligned)
{
    enum { N = 37 };
    for (size_t n = 0; n <= N; n++) {
        uint16_t halves[N] = {0};
        float buffer[N], want[N];
        for (size_t i = 0; i < n; i++)
            halves[i] = (uint16_t)(i * 1777 + 3);
        saei_f16_to_f32_portable(want, halves, n);
        memcpy((char *)buffer + 2 * n, halves, 2 * n);
        saei_f16_to_f32(buffer, (char *)buffer + 2 * n, n);
        ck_assert(memcmp(buffer, want, n * sizeof *want) == 0);
        char odd[2 * N + 1];
        memcpy(odd + 1, halves, 2 * n);
        saei_f16_to_f32(buffer, odd + 1, n);
        ck_assert(memcmp(buffer, want, n * sizeof *want) == 0);
        double doubles[N];
        memcpy((char *)doubles + 6 * n, halves, 2 * n);
        ck_assert(saei_dtype_to_f64(doubles, SAEI_U16, (char *)doubles + 6 * n, n));
        for (size_t i = 0; i < n; i++)
            ck_assert(doubles[i] == (double)halves[i]);
    }
}
END_TEST

START_TEST(wide_integers)
{
    const int64_t exact[] = {INT64_C(1) << 53, -(INT64_C(1) << 53), 0, -1};
    double out[4];
    ck_assert(saei_dtype_to_f64(out, SAEI_I64, exact, 4));
    for (int i = 0; i < 4; i++)
        ck_assert(out[i] == (double)exact[i]);
    const int64_t inexact[] = {(INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1, INT64_MIN};
    for (int i = 0; i < 3; i++)
        ck_assert(!saei_dtype_to_f64(out, SAEI_I64, &inexact[i], 1));
    const uint64_t all_ones = UINT64_MAX;
    ck_assert(!saei_dtype_to_f64(out, SAEI_U64, &all_ones, 1));
    float rounded;
    saei_dtype_to_f32(&rounded, SAEI_U64, &all_ones, 1);
    ck_assert(rounded == 0x1p64f);
}
END_TEST

START_TEST(swapping)
{
    unsigned char bytes[16];
    for (unsigned char i = 0; i < 16; i++)
        bytes[i] = i;
    saei_swap_bytes(bytes, 4, 2);
    saei_swap_bytes(bytes + 8, 8, 1);
    const unsigned char want[16] = {3, 2, 1, 0, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
    ck_assert_mem_eq(bytes, want, 16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("convert");
    TCase *tests = tcase_create("convert");
    tcase_add_test(tests, all_halves);
    tcase_add_test(tests, all_bytes_as_float8);
    tcase_add_test(tests, floats_round_to_the_nearest_half);
    tcase_add_test(tests, floats_round_to_the_nearest_bfloat16);
    tcase_add_test(tests, values_that_are_no_numbers_are_told);
    tcase_add_test(tests, in_place_and_unaligned);
    tcase_add_test(tests, wide_integers);
    tcase_add_test(tests, swapping);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
