#include "num/topk.h"
#include "num/simd.h"

#include <stdbool.h>

/* Whether pair a leaves the selection before pair b. */
static inline bool leaves_first(const saei_topk *top, size_t a, size_t b)
{
    return top->score[a] < top->score[b] ||
           (top->score[a] == top->score[b] && top->latent[a] > top->latent[b]);
}

static inline void swap_pairs(saei_topk *top, size_t a, size_t b)
{
    float score = top->score[a];
    uint32_t latent = top->latent[a];
    top->score[a] = top->score[b];
    top->latent[a] = top->latent[b];
    top->score[b] = score;
    top->latent[b] = latent;
}

static void sift_up(saei_topk *top, size_t i)
{
    while (i > 0 && leaves_first(top, i, (i - 1) / 2)) {
        swap_pairs(top, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sift_down(saei_topk *top)
{
    for (size_t i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= top->n)
            return;
        if (child + 1 < top->n && leaves_first(top, child + 1, child))
            child++;
        if (!leaves_first(top, child, i))
            return;
        swap_pairs(top, i, child);
        i = child;
    }
}

static inline float threshold(const saei_topk *top)
{
    return top->n < top->k ? top->floor : top->score[0];
}

static void take(saei_topk *top, float score, uint32_t latent)
{
    if (top->n < top->k) {
        top->score[top->n] = score;
        top->latent[top->n] = latent;
        sift_up(top, top->n++);
    } else {
        top->score[0] = score;
        top->latent[0] = latent;
        sift_down(top);
    }
}

SAEI_CLONES void saei_topk_offer(saei_topk *top, const float *scores, size_t count, uint32_t first)
{
    enum { GROUP = 32 };
    float least = threshold(top);
    size_t i = 0;
    for (; i + GROUP <= count; i += GROUP) {
        /* Most groups hold nothing above the threshold: one vector test skips them. */
        int any = 0;
        for (size_t l = 0; l < GROUP; l++)
            any |= scores[i + l] > least;
        if (!any)
            continue;
        for (size_t l = 0; l < GROUP; l++)
            if (scores[i + l] > least) {
                take(top, scores[i + l], first + (uint32_t)(i + l));
                least = threshold(top);
            }
    }
    for (; i < count; i++)
        if (scores[i] > least) {
            take(top, scores[i], first + (uint32_t)i);
            least = threshold(top);
        }
}

void saei_topk_sort(saei_topk *top)
{
    /* Shell sort with Ciura's gaps: k is small, and nothing is allocated. */
    static const size_t gaps[] = {701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++)
        for (size_t i = gaps[g]; i < top->n; i++)
            for (size_t j = i; j >= gaps[g] && top->latent[j - gaps[g]] > top->latent[j]; j -= gaps[g])
                swap_pairs(top, j, j - gaps[g]);
}
