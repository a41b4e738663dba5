#include "base/rng.h"

#include <math.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

saei_rng saei_rng_new(uint64_t seed, saei_stream stream, uint64_t index)
{
    uint64_t state = seed;
    state = splitmix(&state) ^ ((uint64_t)stream << 56);
    state = splitmix(&state) ^ index;
    saei_rng rng;
    for (int i = 0; i < 4; i++)
        rng.s[i] = splitmix(&state);
    return rng;
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t saei_rng_next(saei_rng *rng)
{
    uint64_t *s = rng->s, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t saei_rng_below(saei_rng *rng, uint64_t n)
{
    /* Numbers below 2^64 mod n would make the first residues likelier: draw again. */
    uint64_t reject_below = (0 - n) % n, draw;
    do
        draw = saei_rng_next(rng);
    while (draw < reject_below);
    return draw % n;
}

double saei_rng_uniform(saei_rng *rng)
{
    return (double)(saei_rng_next(rng) >> 11) * 0x1p-53;
}

double saei_rng_normal(saei_rng *rng)
{
    const double two_pi = 6.283185307179586;
    double u = 1.0 - saei_rng_uniform(rng), v = saei_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(two_pi * v);
}

void saei_rng_shuffle(saei_rng *rng, uint64_t *items, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)saei_rng_below(rng, i);
        uint64_t swap = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swap;
    }
}
