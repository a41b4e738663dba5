/* Whichever allocation fails, the parts of a rise say so and leave nothing behind. */
#include "diff/decomposition.h"
#include "diff/matching.h"
#include "diff/residual_shift.h"
#include "diff/strata.h"
#include "../tools/run_suite.h"
#include "../tools/toy.h"

#include <limits.h>
#include <string.h>

enum { D = 4, PROMPTS = 6, ROWS = 36 };

/* Fails once `left` allocations were made. */
typedef struct failing {
    long left;
} failing;

static void *failing_alloc(void *user, size_t bytes)
{
    failing *f = user;
    return f->left-- > 0 ? malloc(bytes) : NULL;
}

static void failing_free(void *user, void *block)
{
    (void)user;
    free(block);
}

static sae_context *context;
static sae_model *model;
static sae_dump *dump;
static failing allocator;

static void setup(void)
{
    static float rows[ROWS * D];
    double prompt[ROWS], position[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        prompt[i] = (double)(i % PROMPTS);
        position[i] = (double)(i / PROMPTS);
        for (size_t j = 0; j < D; j++)
            rows[i * D + j] = (float)((i * 7 + j * 5) % 11) - 4;
    }
    allocator.left = LONG_MAX;
    sae_context_options options;
    sae_context_options_init(&options);
    options.threads = 1;
    options.allocator = (sae_allocator){&allocator, failing_alloc, failing_free};
    ck_assert_int_eq(sae_context_new(&context, &options, NULL), SAE_OK);
    model = toy_identity(context, D, D);
    dump = toy_dump(context, rows, ROWS, D, prompt);
    ck_assert_int_eq(sae_dump_add_column(dump, "position", position, NULL), SAE_OK);
}

static void teardown(void)
{
    sae_dump_free(dump);
    sae_model_free(model);
    ck_assert_uint_eq(sae_context_memory_used(context), 0);
    sae_context_free(context);
}

/* Calls attempt with ever more allocations allowed, up to success; at least `least` were needed. */
static void try_all(sae_status (*attempt)(void), long least)
{
    uint64_t used = sae_context_memory_used(context);
    sae_status status = SAE_E_MEMORY;
    long allowed = 0;
    for (; status != SAE_OK && allowed < 10000; allowed++) {
        allocator.left = allowed;
        status = attempt();
        allocator.left = LONG_MAX;
        ck_assert(status == SAE_OK || status == SAE_E_MEMORY);
        ck_assert_uint_eq(sae_context_memory_used(context), used);
    }
    ck_assert_int_eq(status, SAE_OK);
    ck_assert_int_ge(allowed, least);
}

static sae_status observe(saei_block_fn fn, void *user)
{
    saei_pass pass = {.model = model, .dump = dump, .consume = fn, .consume_user = user};
    return saei_pass_run(&pass, NULL);
}

static sae_status read_strata(void)
{
    const char *columns[1] = {"prompt_id"};
    saei_groups *groups;
    saei_strata *strata = NULL;
    sae_status status = saei_groups_read(&groups, context, dump, "prompt_id", NULL);
    if (status == SAE_OK)
        status = saei_strata_new(&strata, context, dump, groups, columns, 1, D, NULL);
    if (status == SAE_OK)
        status = observe(saei_strata_observe, strata);
    saei_strata_free(strata);
    saei_groups_free(groups);
    return status;
}

static sae_status explain_shift(void)
{
    const double delta[D] = {1, 2, 0, -1}, zero[D] = {0};
    saei_groups *groups;
    saei_residual_mean *mean = NULL;
    sae_shift_summary summary;
    sae_status status = saei_groups_read(&groups, context, dump, "prompt_id", NULL);
    if (status == SAE_OK)
        status = saei_residual_mean_new(&mean, context, groups, NULL, D, SAE_NO_ROW_NORM, NULL);
    if (status == SAE_OK)
        status = observe(saei_residual_mean_observe, mean);
    if (status == SAE_OK) {
        saei_residual_shift shift = {model, zero, saei_residual_mean_get(mean), delta};
        status = saei_residual_shift_explain(&summary, NULL, NULL, &shift, NULL, 0, NULL);
    }
    saei_residual_mean_free(mean);
    saei_groups_free(groups);
    return status;
}

static sae_status match_and_decompose(void)
{
    const sae_dump *dumps[2] = {dump, dump};
    saei_matching *matching;
    saei_profile *profile = NULL;
    sae_fidelity fidelity;
    sae_decomposition parts[D];
    sae_status status = saei_matching_read(&matching, context, dumps, 2, "prompt_id", NULL);
    ck_assert(status == SAE_OK || matching == NULL);
    if (status == SAE_OK)
        status = saei_profile_read(&profile, &fidelity, model, dump, "prompt_id", matching->weight[1], NULL,
                                   NULL, NULL);
    if (status == SAE_OK)
        status = saei_decompose(parts, profile, profile, true, NULL);
    saei_profile_free(profile);
    saei_matching_free(matching);
    return status;
}

static sae_status describe(void)
{
    const sae_label labels[2] = {{.condition = "prompt_id<3", .where = "position>0", .group = "prompt_id"},
                                 {.condition = "position>2", .group = "prompt_id", .split = true}};
    sae_auroc_result out[2 * D];
    return sae_model_describe(out, model, dump, labels, 2, NULL, D, NULL, NULL, NULL);
}

START_TEST(every_failed_allocation_is_survived)
{
    try_all(read_strata, 15);
    try_all(explain_shift, 10);
    try_all(match_and_decompose, 25);
    try_all(describe, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part_memory");
    TCase *tests = tcase_create("part_memory");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_failed_allocation_is_survived);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
