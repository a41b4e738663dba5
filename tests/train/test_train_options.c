/* Options out of range are refused by name; presets are complete and independent of what was set before. */
#include "../tools/run_suite.h"
#include "planted_run.h"

#include <stddef.h>
#include <string.h>

static void assert_refused(const run *r, const char *words)
{
    sae_trainer *trainer;
    sae_error err = {0};
    ck_assert_msg(sae_trainer_new(&trainer, r->dump, NULL, &r->options, &err) == SAE_E_ARGUMENT, "%s passes",
                  words);
    ck_assert_ptr_null(trainer);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s instead of %s", err.text, words);
}

/* A real-valued option, a value outside its range, and what is said of it. */
typedef struct wrong_real {
    size_t offset;
    double value;
    const char *words;
} wrong_real;

#define WRONG(field, value)                               \
    {                                                     \
        offsetof(sae_train_options, field), value, #field \
    }

static const wrong_real wrong_reals[] = {
    WRONG(learning_rate, (double)NAN),
    WRONG(learning_rate, 1.0),
    WRONG(warmup, 1.5),
    WRONG(warmup, (double)NAN),
    WRONG(decay_start, -0.1),
    WRONG(decay_to, 2.0),
    WRONG(beta1, 1.0),
    WRONG(beta2, -0.5),
    WRONG(epsilon, 0.0),
    WRONG(clip, -1.0),
    WRONG(clip, (double)NAN),
    WRONG(aux_coefficient, -1.0),
    WRONG(heldout, 1.0),
    WRONG(checkpoint_seconds, -1.0),
    WRONG(start_norm, 0.0),
    WRONG(spike, -1.0),
    WRONG(sparsity_warmup, 2.0),
    WRONG(k_anneal, -0.5),
    WRONG(k_start, 0.5),
    WRONG(k_start, 30.0),
    WRONG(bandwidth, -1.0),
    WRONG(pre_act_coefficient, -1.0),
    WRONG(p_start, 2.0),
    WRONG(p_end, 0.0),
    WRONG(sparsity_coefficient, (double)INFINITY),
};

START_TEST(reals_out_of_range_are_refused)
{
    const wrong_real *wrong = &wrong_reals[_i];
    run r = run_new(1);
    r.options.architecture = SAE_ARCH_RELU;
    memcpy((char *)&r.options + wrong->offset, &wrong->value, sizeof wrong->value);
    assert_refused(&r, wrong->words);
    run_free(&r);
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
    run r = run_new(1);
    r.options.k = 65;
    assert_refused(&r, "k must not exceed n_latents");
    r.options.k = 3;
    r.options.p_updates = 0;
    assert_refused(&r, "p_updates");
    r.options.p_updates = 1;
    r.options.row_share = 0;
    assert_refused(&r, "row_share");
    r.options.row_share = SIZE_MAX;
    r.options.batch_rows = ((size_t)1 << 24) + 1;
    sae_trainer *trainer;
    ck_assert_int_eq(sae_trainer_new(&trainer, r.dump, NULL, &r.options, NULL),
                     SAE_OK); /* as many as there are */
    ck_assert_uint_eq(sae_trainer_options(trainer).batch_rows, ROWS);
    sae_trainer_free(trainer);
    run_free(&r);
}
END_TEST

START_TEST(unknown_choices_are_refused)
{
    run r = run_new(1);
    sae_train_options sound = r.options;
    r.options.architecture = (sae_architecture)99;
    assert_refused(&r, "architecture");
    r.options = sound;
    r.options.architecture = SAE_ARCH_RELU;
    r.options.sparsity = (sae_sparsity)99;
    assert_refused(&r, "sparsity");
    r.options = sound;
    r.options.aux_style = (sae_aux_style)99;
    assert_refused(&r, "aux_style");
    r.options = sound;
    r.options.input_scale = (sae_input_scale)99;
    assert_refused(&r, "input_scale");
    r.options = sound;
    r.options.b_dec_init = (sae_b_dec_init)99;
    assert_refused(&r, "b_dec_init");
    r.options = sound;
    r.options.b_enc_init = (sae_b_enc_init)99;
    assert_refused(&r, "b_enc_init");
    r.options.b_enc_init = SAE_B_ENC_ZERO;
    r.options.directions_init = (sae_directions_init)99;
    assert_refused(&r, "directions_init");
    r.options = sound;
    r.options.threshold_rule = (sae_threshold_rule)99;
    assert_refused(&r, "threshold_rule");
    run_free(&r);
}
END_TEST

START_TEST(penalties_belong_to_their_architectures)
{
    run r = run_new(1);
    r.options.architecture = SAE_ARCH_JUMPRELU;
    r.options.sparsity = SAE_SPARSITY_L1;
    assert_refused(&r, "penalties of JumpReLU");
    r.options.architecture = SAE_ARCH_GATED;
    r.options.sparsity = SAE_SPARSITY_TANH;
    assert_refused(&r, "penalties of JumpReLU");
    r.options.sparsity = SAE_SPARSITY_AUTO;
    r.options.rank_by_decoder_norm = true;
    assert_refused(&r, "rank_by_decoder_norm");
    r.options.rank_by_decoder_norm = false;
    r.options.pre_act_coefficient = 0.1;
    assert_refused(&r, "pre_act_coefficient is for");
    run_free(&r);
}
END_TEST

START_TEST(groups_must_add_up)
{
    run r = run_new(1);
    r.options.architecture = SAE_ARCH_MATRYOSHKA;
    r.options.n_groups = 2;
    r.options.groups[0] = 0.5;
    r.options.groups[1] = 0.25;
    assert_refused(&r, "add up to 1");
    r.options.groups[0] = 1.0;
    r.options.groups[1] = 0.0;
    assert_refused(&r, "above 0");
    r.options.n_groups = SAE_GROUPS_MAX + 1;
    assert_refused(&r, "16 groups");
    run_free(&r);
}
END_TEST

START_TEST(every_preset_trains)
{
    size_t n = 0;
    for (const char *name; (name = sae_train_preset_name(n)) != NULL; n++) {
        run r = run_new(1);
        r.options.learning_rate = 0.0;
        r.options.steps = 2;
        ck_assert_int_eq(sae_train_options_preset(&r.options, name, NULL), SAE_OK);
        ck_assert_uint_eq(r.options.n_latents, 64);
        ck_assert(r.options.steps == 2 && r.options.k == 3 && r.options.batch_rows == 600);
        const char *architecture = sae_architecture_name(r.options.architecture);
        ck_assert_msg(strstr(name, architecture) != NULL, "%s trains %s", name, architecture);
        sae_trainer *trainer = run_trainer(&r);
        run_to_end(trainer);
        ck_assert(isfinite(sae_trainer_metrics(trainer).heldout.fvu));
        sae_trainer_free(trainer);
        run_free(&r);
    }
    ck_assert_uint_ge(n, 10);
    ck_assert_ptr_null(sae_train_preset_name(n + 1));
}
END_TEST

START_TEST(presets_forget_each_other)
{
    for (size_t i = 0; sae_train_preset_name(i) != NULL; i++)
        for (size_t j = 0; sae_train_preset_name(j) != NULL; j++) {
            sae_train_options once, twice;
            sae_train_options_init(&once);
            memcpy(&twice, &once, sizeof twice); /* its padding too */
            ck_assert_int_eq(sae_train_options_preset(&twice, sae_train_preset_name(i), NULL), SAE_OK);
            ck_assert_int_eq(sae_train_options_preset(&once, sae_train_preset_name(j), NULL), SAE_OK);
            ck_assert_int_eq(sae_train_options_preset(&twice, sae_train_preset_name(j), NULL), SAE_OK);
            ck_assert_msg(memcmp(&once, &twice, sizeof once) == 0, "%s remembers %s",
                          sae_train_preset_name(j), sae_train_preset_name(i));
        }
}
END_TEST

START_TEST(unknown_preset_lists_them)
{
    sae_train_options options, before;
    sae_error err;
    sae_train_options_init(&options);
    memcpy(&before, &options, sizeof before);
    ck_assert_int_eq(sae_train_options_preset(&options, "none-such", &err), SAE_E_NOT_FOUND);
    ck_assert_int_eq(memcmp(&options, &before, sizeof options), 0);
    ck_assert_ptr_nonnull(strstr(err.text, "none-such"));
    for (size_t i = 0; sae_train_preset_name(i) != NULL; i++)
        ck_assert_msg(strstr(err.text, sae_train_preset_name(i)) != NULL, "%s is not in: %s",
                      sae_train_preset_name(i), err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train options");
    TCase *tests = tcase_create("train options");
    tcase_add_loop_test(tests, reals_out_of_range_are_refused, 0, sizeof wrong_reals / sizeof *wrong_reals);
    tcase_add_test(tests, numbers_out_of_range_are_refused);
    tcase_add_test(tests, unknown_choices_are_refused);
    tcase_add_test(tests, penalties_belong_to_their_architectures);
    tcase_add_test(tests, groups_must_add_up);
    tcase_add_test(tests, every_preset_trains);
    tcase_add_test(tests, presets_forget_each_other);
    tcase_add_test(tests, unknown_preset_lists_them);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
