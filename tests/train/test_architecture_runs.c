/* Short runs of every architecture: they learn, the model is what was measured, and neither threads nor an
   interruption change a bit. */
#include "../tools/run_suite.h"
#include "num/rows.h"
#include "planted_run.h"
#include "train/trainer.h"

#include <string.h>
#include <unistd.h>

/* Every architecture, then those with a k once more, choosing by decoder norm. */
static const sae_architecture with_k[] = {SAE_ARCH_TOPK, SAE_ARCH_BATCHTOPK, SAE_ARCH_MATRYOSHKA};
enum {
    ARCHITECTURES = SAE_ARCH_P_ANNEAL + 1,
    VARIANTS = ARCHITECTURES + (int)(sizeof with_k / sizeof *with_k)
};

static saei_selection selection_of(const run *r)
{
    return saei_architecture_find(r->options.architecture)->selection;
}

static run run_of(int variant, unsigned threads)
{
    run r = run_new(threads);
    bool ranks_by_norm = variant >= ARCHITECTURES;
    r.options.architecture = ranks_by_norm ? with_k[variant - ARCHITECTURES] : (sae_architecture)variant;
    r.options.rank_by_decoder_norm = r.options.free_decoder = ranks_by_norm;
    r.options.start_norm = ranks_by_norm ? 0.5 : 1.0;
    r.options.batch_rows = 300;
    r.options.steps = 250;
    if (selection_of(&r) == SAEI_SELECT_ABOVE_FLOOR && r.options.architecture != SAE_ARCH_JUMPRELU)
        r.options.sparsity_coefficient = 0.2;
    return r;
}

static int note_first(void *user, const sae_train_metrics *metrics)
{
    if (metrics->step == 1)
        *(sae_train_metrics *)user = *metrics;
    return 0;
}

/* A number of codes that is given is kept: exactly over the held-out rows by the quantile, at most in each
   row by TopK, about by a penalty with a target. Other penalties make it less. */
static void assert_l0(const run *r, const sae_train_metrics *first, double l0, const char *name)
{
    double k = (double)r->options.k;
    if (selection_of(r) == SAEI_SELECT_BATCH_TOPK)
        ck_assert_msg(l0 == k, "%s: l0 %.17g", name, l0);
    else if (selection_of(r) == SAEI_SELECT_ROW_TOPK)
        ck_assert_msg(l0 > 0.7 * k && l0 <= k, "%s: l0 %g", name, l0);
    else if (r->options.architecture == SAE_ARCH_JUMPRELU)
        ck_assert_msg(fabs(l0 - k) <= 0.3 * k, "%s: l0 %g", name, l0);
    else
        ck_assert_msg(l0 > 0.0 && l0 < 0.7 * first->l0, "%s: l0 %g, at first %g", name, l0, first->l0);
}

/* The mean of the rows is a predictor with FVU 1. */
START_TEST(learns_planted_directions)
{
    run r = run_of(_i, 2);
    sae_train_metrics first = {0};
    r.options.on_step = note_first;
    r.options.on_step_user = &first;
    sae_trainer *trainer = run_trainer(&r);
    run_to_end(trainer);
    sae_train_metrics m = sae_trainer_metrics(trainer);
    const char *name = sae_architecture_name(r.options.architecture);
    ck_assert_uint_eq(m.step, r.options.steps);
    ck_assert_msg(m.loss < 0.6 * first.loss, "%s: loss %g, at first %g", name, m.loss, first.loss);
    ck_assert_msg(m.heldout.rows > 0 && m.heldout.fvu < 0.5, "%s: fvu %g", name, m.heldout.fvu);
    ck_assert(fabs(m.heldout.fvu + m.heldout.explained_variance - 1.0) < 1e-12);
    assert_l0(&r, &first, m.heldout.l0, name);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

static void assert_relative(double got, double expected, double tolerance, const char *what)
{
    ck_assert_msg(fabs(got - expected) <= tolerance * fabs(expected), "%s: %.12g, expected %.12g", what, got,
                  expected);
}

/* The BLAS encoder sums in another order: a loss is the same to rounding until a code at the edge of the
   selection falls the other way. */
START_TEST(screened_and_blas_losses_agree)
{
    run r = run_of(_i, 2);
    sae_trainer *screened = run_trainer(&r);
    r.options.blas_encoder = true;
    sae_trainer *blas = run_trainer(&r);
    for (int step = 0; step < 20; step++) {
        ck_assert_int_eq(sae_trainer_step(screened, NULL), SAE_OK);
        ck_assert_int_eq(sae_trainer_step(blas, NULL), SAE_OK);
        assert_relative(sae_trainer_metrics(screened).loss, sae_trainer_metrics(blas).loss, 1e-5, "loss");
    }
    sae_trainer_free(screened);
    sae_trainer_free(blas);
    run_free(&r);
}
END_TEST

static void assert_unit_rows(const sae_model *model)
{
    sae_params p = sae_model_params(model);
    for (size_t j = 0; j < p.n_latents; j++)
        ck_assert(fabs(sqrt(saei_row_norm2(p.W_dec + j * p.d, p.d)) - 1.0) <= 1e-6);
}

/* The fit of the model is the measured one, to the rounding of weights in raw units. That may move one code
   over its threshold, which tells in the fit when codes begin at more than 0. */
static void assert_same_fit(const sae_fidelity *got, const sae_fidelity *measured)
{
    double moved = fabs(got->l0 - measured->l0) * (double)measured->rows;
    ck_assert_uint_eq(got->rows, measured->rows);
    ck_assert_msg(moved <= 1.0 + 1e-6, "%g codes moved", moved);
    double tolerance = moved < 0.5 ? 1e-5 : 1e-3;
    assert_relative(got->fvu, measured->fvu, tolerance, "fvu");
    assert_relative(got->cosine, measured->cosine, tolerance, "cosine");
    if (moved < 0.5)
        assert_relative(got->dead, measured->dead, 1e-5, "dead");
}

/* Held-out rows through the model, whose weights are in raw units. BatchTopK's threshold lies
   between two of their pre-activations: rounding lets no code in. */
START_TEST(model_is_what_was_measured)
{
    run r = run_of(_i, 2);
    sae_trainer *trainer;
    sae_fidelity fidelity;
    r.options.steps = r.options.heldout_every = 40;
    r.options.heldout = 0.0;
    r.options.raw_input = _i % 2 == 1;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, r.dump, &r.options, NULL), SAE_OK);
    run_to_end(trainer);
    sae_fidelity measured = sae_trainer_metrics(trainer).heldout;
    ck_assert(selection_of(&r) != SAEI_SELECT_BATCH_TOPK || measured.l0 == (double)r.options.k);
    sae_model *model = run_model(trainer);
    ck_assert_int_eq(sae_model_evaluate(&fidelity, model, r.dump, NULL), SAE_OK);
    assert_same_fit(&fidelity, &measured);
    if (r.options.rank_by_decoder_norm)
        assert_unit_rows(model);
    ck_assert_str_eq(sae_model_metadata(model, "architecture"),
                     sae_architecture_name(r.options.architecture));
    sae_model_free(model);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

/* Every schedule and every way of giving dead latents a start that fits the architecture; more latents than
   slots, so that batches are dense before they are sparse. */
static run run_with_everything(int variant, unsigned threads)
{
    run r = run_of(variant, threads);
    sae_train_options *o = &r.options;
    sae_architecture architecture = o->architecture;
    o->n_latents = 160;
    o->steps = 24;
    o->heldout_every = 8;
    o->dead_after = 1200;
    o->sparsity_warmup = 0.5;
    o->raw_input = variant % 2 == 1;
    if (selection_of(&r) != SAEI_SELECT_ABOVE_FLOOR) {
        o->k_start = 2.0;
        o->k_anneal = 0.5;
    }
    if (architecture != SAE_ARCH_TOPK)
        o->resample_every = 4;
    o->free_decoder |= architecture == SAE_ARCH_RELU || architecture == SAE_ARCH_MATRYOSHKA;
    o->start_norm = o->free_decoder ? 0.5 : 1.0;
    o->threshold_rule = architecture == SAE_ARCH_BATCHTOPK ? SAE_THRESHOLD_EMA : SAE_THRESHOLD_QUANTILE;
    o->p_start = 0.1;
    o->p_updates = 6;
    o->pre_act_coefficient = architecture == SAE_ARCH_JUMPRELU ? 1e-3 : 0.0;
    return r;
}

static void assert_same_state(const sae_trainer *a, const sae_trainer *b)
{
    size_t bytes = a->parameters.count * sizeof(float);
    ck_assert_uint_eq(a->step, b->step);
    ck_assert_uint_eq(a->parameters.count, b->parameters.count);
    ck_assert_int_eq(memcmp(a->parameters.all, b->parameters.all, bytes), 0);
    ck_assert_int_eq(memcmp(a->adam.m.all, b->adam.m.all, bytes), 0);
    ck_assert_int_eq(memcmp(a->adam.v.all, b->adam.v.all, bytes), 0);
    ck_assert_int_eq(memcmp(a->silent, b->silent, a->options.n_latents * sizeof *a->silent), 0);
    ck_assert(a->threshold == b->threshold && a->anneal == b->anneal && a->l0 == b->l0);
    ck_assert(a->metrics.heldout.fvu == b->metrics.heldout.fvu &&
              a->metrics.heldout.l0 == b->metrics.heldout.l0);
}

START_TEST(threads_do_not_change_a_bit)
{
    run runs[3];
    sae_trainer *trainers[3];
    for (unsigned i = 0; i < 3; i++) {
        runs[i] = run_with_everything(_i, i + 1);
        trainers[i] = run_trainer(&runs[i]);
        run_to_end(trainers[i]);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_same_state(trainers[0], trainers[i]);
        if (i > 0)
            sae_trainer_free(trainers[i]);
    }
    sae_trainer_free(trainers[0]);
    for (size_t i = 0; i < 3; i++)
        run_free(&runs[i]);
}
END_TEST

static int stop_at(void *user, const sae_train_metrics *metrics)
{
    return metrics->step == *(const uint64_t *)user;
}

/* A trainer that was stopped after some steps and is read from its checkpoint, with nothing but defaults
 * besides. */
static sae_trainer *resumed(run *r, uint64_t stop, const char *path)
{
    sae_train_options bare;
    sae_trainer *trainer;
    sae_error err;
    r->options.checkpoint = path;
    r->options.on_step = stop_at;
    r->options.on_step_user = &stop;
    trainer = run_trainer(r);
    ck_assert_int_eq(sae_trainer_run(trainer, &err), SAE_STOPPED);
    sae_trainer_free(trainer);
    sae_train_options_init(&bare);
    ck_assert_msg(sae_trainer_load(&trainer, path, r->dump, NULL, &bare, &err) == SAE_OK, "%s", err.text);
    ck_assert_uint_eq(sae_trainer_metrics(trainer).step, stop);
    return trainer;
}

START_TEST(interruption_does_not_change_a_bit)
{
    const uint64_t stops[] = {1, 11, 23};
    char path[] = "/tmp/libsae-resumed-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    run r = run_with_everything(_i, 2);
    sae_trainer *undisturbed = run_trainer(&r);
    run_to_end(undisturbed);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        sae_trainer *trainer = resumed(&r, stops[i], path);
        run_to_end(trainer);
        assert_same_state(undisturbed, trainer);
        sae_trainer_free(trainer);
    }
    sae_trainer_free(undisturbed);
    run_free(&r);
    char previous[sizeof path + 5];
    snprintf(previous, sizeof previous, "%s.prev", path);
    unlink(previous);
    unlink(path);
}
END_TEST

/* In the first steps some rows want more than they may have: the larger the share, the more they get. */
START_TEST(rows_keep_at_most_their_share)
{
    const size_t shares[] = {2, 16};
    size_t most[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        run r = run_of(SAE_ARCH_BATCHTOPK, 1);
        r.options.row_share = shares[i];
        sae_trainer *trainer = run_trainer(&r);
        ck_assert_int_eq(sae_trainer_step(trainer, NULL), SAE_OK);
        for (size_t row = 0; row < r.options.batch_rows; row++)
            if (trainer->objective.codes.count[row] > most[i])
                most[i] = trainer->objective.codes.count[row];
        ck_assert_uint_le(most[i], shares[i] * r.options.k);
        sae_trainer_free(trainer);
        run_free(&r);
    }
    ck_assert_uint_gt(most[1], most[0]);
}
END_TEST

/* Running means of the least activation kept: dictionary_learning's starts with its first value after half of
   a short run and moves by 0.001, SAELens' starts at 0 and moves by 0.01. */
START_TEST(running_mean_follows_the_least_kept)
{
    bool saelens = _i == 1;
    run r = run_of(SAE_ARCH_BATCHTOPK, 1);
    double expected = 0.0, weight = saelens ? 0.01 : 0.001;
    r.options.threshold_rule = saelens ? SAE_THRESHOLD_EMA_SAELENS : SAE_THRESHOLD_EMA;
    r.options.steps = 20;
    sae_trainer *trainer = run_trainer(&r);
    for (int step = 0; step < 20; step++) {
        ck_assert_int_eq(sae_trainer_step(trainer, NULL), SAE_OK);
        double least = INFINITY;
        for (size_t row = 0; row < r.options.batch_rows; row++)
            for (size_t i = 0; i < trainer->objective.codes.count[row]; i++)
                least =
                    fmin(least, (double)trainer->objective.codes.value[row * trainer->objective.slots + i]);
        if (!saelens && step == 11)
            expected = least;
        else if (saelens || step > 11)
            expected += weight * (least - expected);
        ck_assert_msg(fabs(trainer->threshold - expected) <= 1e-9 * expected,
                      "step %d: %.12g, expected %.12g", step, trainer->threshold, expected);
    }
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("architecture runs");
    TCase *tests = tcase_create("architecture runs");
    tcase_add_loop_test(tests, learns_planted_directions, 0, VARIANTS);
    tcase_add_loop_test(tests, screened_and_blas_losses_agree, 0, VARIANTS);
    tcase_add_loop_test(tests, model_is_what_was_measured, 0, VARIANTS);
    tcase_add_test(tests, rows_keep_at_most_their_share);
    tcase_add_loop_test(tests, running_mean_follows_the_least_kept, 0, 2);
    tcase_add_loop_test(tests, threads_do_not_change_a_bit, 0, VARIANTS);
    tcase_add_loop_test(tests, interruption_does_not_change_a_bit, 0, VARIANTS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
