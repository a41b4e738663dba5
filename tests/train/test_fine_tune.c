/* Training that goes on from a model: it starts where the model is, gets better, and refuses what does not
 * fit. */
#include "../tools/run_suite.h"
#include "planted_run.h"
#include "train/trainer.h"

#include <string.h>

/* Without a penalty nothing speaks against a better fit. */
static run run_of(sae_architecture architecture)
{
    run r = run_new(2);
    r.options.architecture = architecture;
    r.options.batch_rows = 300;
    r.options.steps = r.options.heldout_every = 60;
    r.options.heldout = 0.0;
    r.options.sparsity_coefficient = 0.0;
    r.options.raw_input = architecture % 2 == 1;
    return r;
}

static sae_trainer *trainer_on_all(const run *r)
{
    sae_trainer *trainer;
    sae_error err;
    ck_assert_msg(sae_trainer_new(&trainer, r->dump, r->dump, &r->options, &err) == SAE_OK, "%s", err.text);
    return trainer;
}

static sae_model *trained(const run *r, double *fvu)
{
    sae_trainer *trainer = trainer_on_all(r);
    run_to_end(trainer);
    sae_model *model = run_model(trainer);
    *fvu = sae_trainer_metrics(trainer).heldout.fvu;
    sae_trainer_free(trainer);
    return model;
}

START_TEST(goes_on_from_the_model)
{
    run r = run_of((sae_architecture)_i);
    double before;
    sae_model *model = trained(&r, &before);
    r.options.start = model;
    r.options.n_latents = 0;
    sae_trainer *trainer = trainer_on_all(&r);
    ck_assert_uint_eq(sae_trainer_options(trainer).n_latents, 64);
    sae_model_free(model);
    ck_assert_int_eq(saei_trainer_measure(trainer, NULL), SAE_OK);
    double start = sae_trainer_metrics(trainer).heldout.fvu;
    ck_assert_msg(fabs(start - before) <= 1e-5 * before, "starts at %g, was %g", start, before);
    run_to_end(trainer);
    double after = sae_trainer_metrics(trainer).heldout.fvu;
    ck_assert_msg(after < 0.95 * before, "%g, was %g", after, before);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

START_TEST(k_of_a_topk_model_is_taken_over)
{
    run r = run_of(SAE_ARCH_TOPK);
    double fvu;
    r.options.steps = r.options.heldout_every = 2;
    sae_model *model = trained(&r, &fvu);
    r.options.start = model;
    r.options.k = 0;
    sae_trainer *trainer = trainer_on_all(&r);
    ck_assert_uint_eq(sae_trainer_options(trainer).k, 3);
    sae_trainer_free(trainer);
    sae_model_free(model);
    run_free(&r);
}
END_TEST

static void assert_refused(const run *r, sae_status status, const char *what)
{
    sae_trainer *trainer;
    sae_error err = {0};
    ck_assert_int_eq(sae_trainer_new(&trainer, r->dump, NULL, &r->options, &err), status);
    ck_assert_ptr_null(trainer);
    ck_assert_msg(strstr(err.text, what) != NULL, "%s", err.text);
}

START_TEST(what_does_not_fit_is_refused)
{
    run r = run_of(SAE_ARCH_TOPK);
    double fvu;
    r.options.steps = r.options.heldout_every = 2;
    sae_model *model = trained(&r, &fvu);
    r.options.start = model;
    r.options.n_latents = 65;
    assert_refused(&r, SAE_E_MISMATCH, "64 latents");
    r.options.n_latents = 64;
    r.options.architecture = SAE_ARCH_GATED;
    assert_refused(&r, SAE_E_ARGUMENT, "gated");
    r.options.architecture = SAE_ARCH_RELU;
    assert_refused(&r, SAE_E_ARGUMENT, "relu");
    r.options.architecture = SAE_ARCH_TOPK;
    sae_params params = sae_model_params(model);
    sae_model *normalising;
    params.row_norm = SAE_LAYER_NORM;
    ck_assert_int_eq(sae_model_new(&normalising, r.context, &params, NULL), SAE_OK);
    r.options.start = normalising;
    assert_refused(&r, SAE_E_UNSUPPORTED, "layer_norm");
    r.options.start = model;
    sae_model_free(normalising);
    sae_dump *whole = r.dump;
    ck_assert_int_eq(sae_dump_from_rows(&r.dump, r.context, (sae_view){r.rows, ROWS, D - 1, D}, NULL),
                     SAE_OK);
    assert_refused(&r, SAE_E_MISMATCH, "width 24");
    sae_dump_free(r.dump);
    r.dump = whole;
    sae_model_free(model);
    run_free(&r);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fine tune");
    TCase *tests = tcase_create("fine tune");
    tcase_add_loop_test(tests, goes_on_from_the_model, 0, SAE_ARCH_P_ANNEAL + 1);
    tcase_add_test(tests, k_of_a_topk_model_is_taken_over);
    tcase_add_test(tests, what_does_not_fit_is_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
