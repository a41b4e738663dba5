/* New starts for dead latents: the draw of a row, and what becomes of a latent and its moments. */
#include "../tools/run_suite.h"
#include "num/rows.h"
#include "peer_cases.h"
#include "planted_run.h"
#include "train/resample_draw.h"
#include "train/trainer.h"

#include <string.h>

enum { LATENTS = 64, BATCH = 600, DEAD = 9 };

/* Midpoints of many equal parts of [0, 1) count how much of it goes to each row. */
START_TEST(rows_are_drawn_by_their_squared_loss)
{
    enum { PARTS = 14000 };
    size_t drawn[3] = {0};
    for (size_t i = 0; i < PARTS; i++)
        drawn[saei_resample_draw(resample_loss, 3, ((double)i + 0.5) / PARTS)]++;
    for (size_t r = 0; r < 3; r++)
        ck_assert_msg(fabs((double)drawn[r] / PARTS - resample_probability[r]) <= 1.0 / PARTS, "row %zu: %zu",
                      r, drawn[r]);
}
END_TEST

START_TEST(rows_without_loss_are_not_drawn)
{
    const double loss[4] = {0.0, 2.0, 0.0, 1.0};
    for (int i = 0; i < 1000; i++) {
        size_t row = saei_resample_draw(loss, 4, i / 1000.0);
        ck_assert(row == 1 || row == 3);
    }
}
END_TEST

/* A trainer after some steps whose first latents are declared dead. */
static sae_trainer *with_dead(run *r)
{
    sae_error err;
    r->options.architecture = SAE_ARCH_GATED;
    r->options.resample_every = 1000;
    sae_trainer *t = run_trainer(r);
    for (int step = 0; step < 5; step++)
        ck_assert_msg(sae_trainer_step(t, &err) == SAE_OK, "%s", err.text);
    for (size_t j = 0; j < LATENTS; j++)
        t->silent[j] = j % 7 == 0 && j / 7 < DEAD ? t->options.dead_after : 0;
    return t;
}

static bool was_dead(size_t j)
{
    return j % 7 == 0 && j / 7 < DEAD;
}

/* All loss in one row. */
static void leave_loss_in(sae_trainer *t, size_t row)
{
    for (size_t i = 0; i < BATCH * D; i++)
        t->objective.e[i] = i / D == row ? 1.0f : 0.0f;
}

static void assert_pointed_at(const sae_trainer *t, size_t j, const float *x, double encoder_norm)
{
    double norm = sqrt(saei_row_norm2(x, D));
    for (size_t i = 0; i < D; i++) {
        double direction = (double)x[i] / norm;
        ck_assert(fabs((double)t->parameters.W_dec[j * D + i] - direction) <= 1e-6);
        ck_assert(fabs((double)t->parameters.W_enc[j * D + i] - encoder_norm * direction) <= 1e-6);
    }
    ck_assert(t->parameters.b_enc[j] == 0.0f);
    ck_assert_uint_eq(t->silent[j], 0);
}

static void assert_cleared(const saei_parameters *m, size_t j)
{
    for (size_t i = 0; i < D; i++)
        ck_assert(m->W_enc[j * D + i] == 0.0f && m->W_dec[j * D + i] == 0.0f);
    ck_assert(m->b_enc[j] == 0.0f && m->extra[0][j] == 0.0f && m->extra[1][j] == 0.0f);
}

static void assert_kept(const saei_parameters *now, const saei_parameters *before, size_t j)
{
    ck_assert_int_eq(memcmp(now->W_enc + j * D, before->W_enc + j * D, D * sizeof(float)), 0);
    ck_assert_int_eq(memcmp(now->W_dec + j * D, before->W_dec + j * D, D * sizeof(float)), 0);
    ck_assert(now->b_enc[j] == before->b_enc[j] && now->extra[1][j] == before->extra[1][j]);
}

START_TEST(dead_latents_point_at_bad_rows)
{
    run r = run_new(1);
    sae_trainer *t = with_dead(&r), *before = with_dead(&r);
    double norms = 0.0;
    for (size_t j = 0; j < LATENTS; j++)
        norms += was_dead(j) ? 0.0 : sqrt(saei_row_norm2(t->parameters.W_enc + j * D, D));
    leave_loss_in(t, 123);
    saei_trainer_resample(t);
    for (size_t j = 0; j < LATENTS; j++)
        if (was_dead(j)) {
            assert_pointed_at(t, j, t->objective.xc + 123 * D, 0.2 * norms / (LATENTS - DEAD));
            assert_cleared(&t->adam.m, j);
            assert_cleared(&t->adam.v, j);
        } else {
            assert_kept(&t->parameters, &before->parameters, j);
            assert_kept(&t->adam.m, &before->adam.m, j);
            assert_kept(&t->adam.v, &before->adam.v, j);
        }
    sae_trainer_free(t);
    sae_trainer_free(before);
    run_free(&r);
}
END_TEST

START_TEST(draws_repeat_and_differ)
{
    run r = run_new(1);
    sae_trainer *a = with_dead(&r), *b = with_dead(&r);
    size_t different = 0;
    saei_trainer_resample(a);
    saei_trainer_resample(b);
    ck_assert_int_eq(memcmp(a->parameters.all, b->parameters.all, a->parameters.count * sizeof(float)), 0);
    for (size_t j = 7; j < 7 * DEAD; j += 7)
        different += memcmp(a->parameters.W_dec, a->parameters.W_dec + j * D, D * sizeof(float)) != 0;
    ck_assert_uint_ge(different, DEAD - 3);
    sae_trainer_free(a);
    sae_trainer_free(b);
    run_free(&r);
}
END_TEST

/* Latents that never fire get their new bias in the step whose turn it is, and not before. */
START_TEST(steps_resample_in_turn)
{
    run r = run_new(1);
    r.options.architecture = SAE_ARCH_RELU;
    r.options.resample_every = 4;
    r.options.dead_after = BATCH;
    sae_trainer *t = run_trainer(&r);
    t->parameters.b_enc[5] = -1000.0f;
    for (int step = 1; step <= 4; step++) {
        ck_assert_int_eq(sae_trainer_step(t, NULL), SAE_OK);
        ck_assert_msg((t->parameters.b_enc[5] == 0.0f) == (step == 4), "step %d", step);
    }
    sae_trainer_free(t);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resample");
    TCase *tests = tcase_create("resample");
    tcase_add_test(tests, rows_are_drawn_by_their_squared_loss);
    tcase_add_test(tests, rows_without_loss_are_not_drawn);
    tcase_add_test(tests, dead_latents_point_at_bad_rows);
    tcase_add_test(tests, draws_repeat_and_differ);
    tcase_add_test(tests, steps_resample_in_turn);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
