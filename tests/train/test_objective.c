/* What the objective promises beside its numbers: BatchTopK's guess changes nothing, the plan of the memory
   holds, a clipped step is a step with a smaller gradient, and the cases worked out by hand. */
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "base/rng.h"
#include "objective_probe.h"
#include "peer_cases.h"
#include "planted_run.h"
#include "train/schedule.h"
#include "train/trainer.h"

enum { LATENTS = 90, K = 3, BATCH = 300 };

static saei_objective_settings settings_of(const saei_architecture *architecture)
{
    return (saei_objective_settings){.architecture = architecture,
                                     .d = D,
                                     .n_latents = LATENTS,
                                     .k = K,
                                     .batch_rows = BATCH,
                                     .n_groups = 1,
                                     .group_end = {LATENTS},
                                     .group_weight = 1.0,
                                     .target_l0 = K};
}

static void fill(float *x, size_t n, uint64_t stream)
{
    saei_rng rng = saei_rng_new(2, SAEI_STREAM_INIT, stream);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)saei_rng_normal(&rng);
}

/* Codes and the least that was kept, with a guess of the threshold from an earlier batch. */
typedef struct selection {
    uint32_t latent[BATCH * 8 * K], count[BATCH];
    float value[BATCH * 8 * K], least;
} selection;

static void select_with(selection *out, objective_probe *probe, const float *x, float guess)
{
    const saei_objective *o = &probe->objective;
    probe->objective.batch_floor = guess;
    probe_run(probe, x, 1.0f);
    ck_assert_uint_eq(o->slots, 8 * K);
    ck_assert_uint_eq(probe->result.active, K * BATCH);
    memset(out, 0, sizeof *out);
    memcpy(out->count, o->codes.count, sizeof out->count);
    out->least = o->batch_floor;
    for (size_t r = 0; r < BATCH; r++) {
        memcpy(out->latent + r * o->slots, o->codes.latent + r * o->slots,
               out->count[r] * sizeof *out->latent);
        memcpy(out->value + r * o->slots, o->codes.value + r * o->slots, out->count[r] * sizeof *out->value);
    }
}

/* Guesses far below, so close below that not one code more is above them, and above. */
START_TEST(guess_of_the_threshold_changes_nothing)
{
    const float guesses[] = {0.1f, 0.9999f / 0.9f, 1.5f};
    saei_objective_settings settings = settings_of(&saei_batchtopk_architecture);
    objective_probe probe;
    float x[BATCH * D];
    selection *plain = calloc(2, sizeof *plain), *guessed = plain + 1;
    ck_assert_ptr_nonnull(plain);
    probe_new(&probe, context, &settings);
    fill(probe.parameters.all, probe.parameters.count, 0);
    fill(x, BATCH * D, 1);
    select_with(plain, &probe, x, 0.0f);
    ck_assert(plain->least > 0.0f);
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        select_with(guessed, &probe, x, guesses[i] * plain->least);
        ck_assert_msg(memcmp(plain, guessed, sizeof *plain) == 0, "guess %zu, least %g of %g", i,
                      (double)guessed->least, (double)plain->least);
    }
    ck_assert_uint_ge(probe.objective.reselections, 1);
    probe_free(&probe);
    free(plain);
}
END_TEST

/* Beside the bytes of the arrays there are the heads of the blocks. */
static void assert_planned(saei_objective_settings settings, unsigned threads)
{
    sae_context_options options;
    sae_context *own;
    saei_objective objective;
    sae_context_options_init(&options);
    options.threads = threads;
    ck_assert_int_eq(sae_context_new(&own, &options, NULL), SAE_OK);
    size_t before = sae_context_memory_used(own);
    ck_assert_int_eq(saei_objective_new(&objective, own, &settings, NULL), SAE_OK);
    size_t used = sae_context_memory_used(own) - before, planned = saei_objective_bytes(&settings) + 4096;
    ck_assert_msg(used <= planned, "%s, %u threads: %zu bytes, planned %zu", settings.architecture->name,
                  threads, used, planned);
    saei_objective_free(&objective);
    ck_assert_uint_eq(sae_context_memory_used(own), before);
    sae_context_free(own);
}

START_TEST(plan_of_the_memory_holds)
{
    for (unsigned threads = 1; threads <= 16; threads += 5) {
        saei_objective_settings settings = settings_of(saei_architecture_find((sae_architecture)_i));
        assert_planned(settings, threads);
        settings.aux = (saei_auxk_settings){12, SAE_AUX_LIBSAE, 1.0, 0};
        settings.n_latents = settings.group_end[0] = 3000;
        assert_planned(settings, threads);
    }
}
END_TEST

/* One step without clipping, of a gradient that is scaled by hand. */
static void step_by_hand(sae_trainer *t, double factor)
{
    saei_penalty penalty = saei_schedule_penalty(&t->options, 0, 1.0);
    ck_assert_int_eq(saei_batches_next(t->objective.xc, t->batches, t->options.batch_rows, NULL), SAE_OK);
    saei_objective_forward(&t->objective, &t->parameters, &penalty, (float)t->scale, t->options.batch_rows);
    saei_objective_backward(&t->objective, &t->parameters, &penalty);
    saei_adam_step step =
        saei_adam_begin(&t->parameters, &t->adam, 1, saei_learning_rate(&t->options, 0), factor);
    saei_gradient_receiver adam = saei_adam_receiver(&step);
    saei_objective_sweep(&t->objective, &t->parameters, &penalty, &adam);
    saei_adam_update_b_dec(&step, t->objective.g_b_dec);
}

/* A large ε, or the first step of Adam would not know the length of its gradient. */
START_TEST(clipping_scales_the_gradient)
{
    const double clip = 0.01;
    run r = run_new(1);
    r.options.architecture = (sae_architecture)_i;
    r.options.epsilon = 1.0;
    r.options.clip = clip;
    sae_trainer *clipped = run_trainer(&r), *by_hand = run_trainer(&r);
    ck_assert_int_eq(sae_trainer_step(clipped, NULL), SAE_OK);
    double norm = sae_trainer_metrics(clipped).gradient_norm;
    ck_assert_msg(norm > 2.0 * clip, "%g", norm);
    step_by_hand(by_hand, clip / norm);
    ck_assert_int_eq(
        memcmp(clipped->parameters.all, by_hand->parameters.all, clipped->parameters.count * sizeof(float)),
        0);
    sae_trainer_free(clipped);
    sae_trainer_free(by_hand);
    run_free(&r);
}
END_TEST

static void assert_numbers(const float *got, const double *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg((double)got[i] == expected[i], "[%zu]: %.9g, expected %.9g", i, (double)got[i],
                      expected[i]);
}

START_TEST(matryoshka_peer_case_has_its_numbers)
{
    saei_objective_settings settings = {.architecture = &saei_matryoshka_architecture,
                                        .d = 1,
                                        .n_latents = MATRYOSHKA_LATENTS,
                                        .k = 2,
                                        .batch_rows = 1,
                                        .n_groups = MATRYOSHKA_GROUPS,
                                        .group_end = {matryoshka_prefix[0], matryoshka_prefix[1]},
                                        .group_weight = 1.0};
    objective_probe probe;
    for (int mean = 0; mean < 2; mean++) {
        settings.group_weight = mean == 0 ? 1.0 : 1.0 / MATRYOSHKA_GROUPS;
        probe_new(&probe, context, &settings);
        memcpy(probe.parameters.W_enc, matryoshka_W_enc, sizeof matryoshka_W_enc);
        memcpy(probe.parameters.W_dec, matryoshka_W_dec, sizeof matryoshka_W_dec);
        memcpy(probe.parameters.b_enc, matryoshka_b_enc, sizeof matryoshka_b_enc);
        probe.parameters.b_dec[0] = matryoshka_b_dec;
        probe_run(&probe, &matryoshka_x, 1.0f);
        ck_assert(probe.result.loss == (mean == 0 ? matryoshka_loss_sum : matryoshka_loss_weighted));
        ck_assert_int_eq(memcmp(probe.objective.codes.value, matryoshka_codes, sizeof matryoshka_codes), 0);
        if (mean == 0) {
            assert_numbers(probe.gradient.W_enc, matryoshka_grad_W_enc, MATRYOSHKA_LATENTS);
            assert_numbers(probe.gradient.W_dec, matryoshka_grad_W_dec, MATRYOSHKA_LATENTS);
            assert_numbers(probe.gradient.b_enc, matryoshka_grad_b_enc, MATRYOSHKA_LATENTS);
            assert_numbers(probe.gradient.b_dec, &matryoshka_grad_b_dec, 1);
        }
        probe_free(&probe);
    }
}
END_TEST

/* The step's gradient from above is λ / B for each entry: 3/2 for the two of the window are their 1 + 2. */
START_TEST(straight_through_peer_case_has_its_numbers)
{
    const saei_latent latent = {.extra = {(float)ste_threshold}};
    saei_penalty penalty = {.kind = SAE_SPARSITY_STEP, .bandwidth = (float)ste_bandwidth};
    float value[STE_ROWS], g[STE_ROWS], none[STE_ROWS] = {0};
    saei_latent_sums jump = {0}, step = {0};
    memcpy(value, ste_pre, sizeof value);
    memcpy(g, ste_g, sizeof g);
    saei_jumprelu_architecture.backward(&(saei_latent_entries){.n = STE_ROWS, .value = value, .g = g}, &jump,
                                        &latent, &penalty);
    ck_assert(jump.extra[0] == ste_jump_grad_threshold);
    for (size_t i = 0; i < STE_ROWS; i++)
        ck_assert(value[i] == ste_jump[i] && g[i] == ste_jump_grad_pre[i]);
    memcpy(value, ste_pre, sizeof value);
    penalty.weight = 1.5f;
    saei_jumprelu_architecture.backward(&(saei_latent_entries){.n = STE_ROWS, .value = value, .g = none},
                                        &step, &latent, &penalty);
    ck_assert(step.extra[0] == ste_step_grad_threshold);
    double active = 0.0;
    for (size_t i = 0; i < STE_ROWS; i++) {
        active += (double)ste_step[i];
        ck_assert(none[i] == 0.0f);
    }
    ck_assert(step.sparsity == active);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("objective");
    TCase *tests = tcase_create("objective");
    tcase_add_checked_fixture(tests, context_make, context_end);
    tcase_add_test(tests, guess_of_the_threshold_changes_nothing);
    tcase_add_loop_test(tests, plan_of_the_memory_holds, 0, SAE_ARCH_P_ANNEAL + 1);
    tcase_add_loop_test(tests, clipping_scales_the_gradient, 0, SAE_ARCH_P_ANNEAL + 1);
    tcase_add_test(tests, matryoshka_peer_case_has_its_numbers);
    tcase_add_test(tests, straight_through_peer_case_has_its_numbers);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
