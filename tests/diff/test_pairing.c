#include "base/rng.h"
#include "sae/diff.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <string.h>

enum { PROMPTS = 30, LENGTH = 10, ANSWER = 6, MOST = PROMPTS * (LENGTH + ANSWER + 1) };

/* Which corpus of prompts, which responses, and what else differs. */
typedef struct recipe {
    unsigned prompts, answers;
    bool trigger;           /* a token more at the start of each prompt */
    bool tell_continuation; /* write is_continuation */
    bool tokens;            /* write token_ids */
    size_t answer_length;
    double first_id;
} recipe;

typedef struct rows {
    size_t n;
    float x[MOST * 2];
    double prompt[MOST], token[MOST], continuation[MOST];
} rows;

/* Half of each prompt is the template all prompts share. */
static double prompt_token(unsigned corpus, size_t prompt, size_t i)
{
    saei_rng rng = saei_rng_new(corpus, SAEI_STREAM_ROWS, prompt * 1000 + i);
    return i % 2 == 0 ? (double)i : (double)(100 + saei_rng_below(&rng, 50));
}

static void add_row(rows *r, double prompt, double token, double continuation)
{
    r->x[2 * r->n] = 1 + (float)(r->n % 3);
    r->x[2 * r->n + 1] = (float)(r->n % 5);
    r->prompt[r->n] = prompt;
    r->token[r->n] = token;
    r->continuation[r->n++] = continuation;
}

static sae_dump *make(rows *r, sae_context *context, const recipe *how)
{
    r->n = 0;
    for (size_t p = 0; p < PROMPTS; p++) {
        double id = how->first_id + (double)p;
        if (how->trigger)
            add_row(r, id, 999, 0);
        for (size_t i = 0; i < LENGTH; i++)
            add_row(r, id, prompt_token(how->prompts, p, i), 0);
        for (size_t i = 0; i < how->answer_length; i++)
            add_row(r, id, prompt_token(1000 + how->answers, p, 2 * i + 1), 1);
    }
    sae_dump *dump = toy_dump(context, r->x, r->n, 2, r->prompt);
    if (how->tokens)
        ck_assert_int_eq(sae_dump_add_column(dump, "token_ids", r->token, NULL), SAE_OK);
    if (how->tell_continuation)
        ck_assert_int_eq(sae_dump_add_column(dump, "is_continuation", r->continuation, NULL), SAE_OK);
    return dump;
}

static const recipe plain = {.tokens = true, .tell_continuation = true, .answer_length = ANSWER};

/* AUTO's verdict; PAIRED must succeed exactly when AUTO pairs, UNPAIRED never pairs. */
static bool verdict(const recipe *a, const recipe *b)
{
    static rows before, after;
    sae_context *context = toy_context(1);
    sae_model *model = toy_identity(context, 2, 2);
    sae_dump *dump_a = make(&before, context, a), *dump_b = make(&after, context, b);
    bool paired[3] = {false, false, false};
    sae_rank_options options;
    sae_rank_options_init(&options);
    options.permutations = 100;
    options.bootstrap = 0;
    for (int mode = SAE_PAIR_AUTO; mode <= SAE_UNPAIRED; mode++) {
        options.pairing = (sae_pairing)mode;
        sae_ranking *ranking;
        sae_status status = sae_ranking_new(&ranking, model, dump_a, dump_b, NULL, 0, &options, NULL);
        ck_assert_int_eq(status, mode == SAE_PAIRED && !paired[0] ? SAE_E_MISMATCH : SAE_OK);
        paired[mode] = ranking != NULL && sae_ranking_paired(ranking);
        sae_ranking_free(ranking);
    }
    ck_assert(paired[SAE_PAIRED] == paired[SAE_PAIR_AUTO] && !paired[SAE_UNPAIRED]);
    sae_dump_free(dump_a);
    sae_dump_free(dump_b);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
    return paired[SAE_PAIR_AUTO];
}

START_TEST(same_prompts_pair)
{
    recipe other = plain;
    ck_assert(verdict(&plain, &other));
    other.answers = 1;
    ck_assert(verdict(&plain, &other));
    other.trigger = true;
    ck_assert(verdict(&plain, &other));
    ck_assert(verdict(&other, &plain));
    other.answer_length = 0;
    ck_assert(verdict(&plain, &other));
}
END_TEST

START_TEST(long_answers_of_other_models_pair)
{
    recipe a = plain, b = plain;
    a.tell_continuation = b.tell_continuation = false;
    b.answers = 1;
    ck_assert(verdict(&a, &b));
    b.answer_length = 2;
    ck_assert(verdict(&a, &b));
    b.trigger = true;
    ck_assert(verdict(&a, &b));
}
END_TEST

START_TEST(unrelated_prompts_do_not_pair)
{
    recipe other = plain;
    other.prompts = 1;
    ck_assert(!verdict(&plain, &other));
    recipe a = plain;
    a.tell_continuation = other.tell_continuation = false;
    other.answers = 1;
    ck_assert(!verdict(&a, &other));
}
END_TEST

START_TEST(ids_decide_without_tokens)
{
    recipe a = plain, b = plain;
    a.tokens = false;
    b.prompts = 1;
    ck_assert(verdict(&a, &b));
    b.first_id = 1;
    ck_assert(!verdict(&a, &b));
    recipe c = plain;
    c.first_id = 1;
    ck_assert(!verdict(&plain, &c));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pairing");
    TCase *tests = tcase_create("pairing");
    tcase_add_test(tests, same_prompts_pair);
    tcase_add_test(tests, long_answers_of_other_models_pair);
    tcase_add_test(tests, unrelated_prompts_do_not_pair);
    tcase_add_test(tests, ids_decide_without_tokens);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
