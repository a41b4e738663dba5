/* The CSV of crosscoder latents, to the byte. */
#include "sae/report.h"
#include "../io/temp_folder.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"

#include <locale.h>
#include <math.h>

static void setup(void)
{
    temp_folder_make();
    context_make();
}

static void teardown(void)
{
    context_end();
    temp_folder_remove();
}

START_TEST(every_latent_is_a_line)
{
    const double none = (double)NAN;
    const sae_cross_latent latents[2] = {
        {0, SAE_CROSS_AFTER_ONLY, 12, 0.125, 1, 1.0 / 3, 0.0625, 0.5, 1, -0.25, 2, 0.5, -0.125},
        {1, SAE_CROSS_UNDECIDED, 0, 1, 1, 0.5, 0.5, none, none, none, none, none, none}};
    setlocale(LC_ALL, ""); /* whatever it is, numbers have a point */
    const char *path = temp_path("latents.csv");
    ck_assert_int_eq(sae_cross_save(latents, 2, context, path, false, &err), SAE_OK);
    assert_file_holds(path,
                      "latent,kind,fires,norm_before,norm_after,relative_norm,delta_norm,beta_error_before,"
                      "beta_error_after,beta_reconstruction_before,beta_reconstruction_after,nu_error,"
                      "nu_reconstruction\n"
                      "0,after-only,12,0.125,1,0.333333333,0.0625,0.5,1,-0.25,2,0.5,-0.125\n"
                      "1,undecided,0,1,1,0.5,0.5,,,,,,\n");
    ck_assert_int_eq(sae_cross_save(latents, 2, context, path, false, &err), SAE_E_EXISTS);
    ck_assert_int_eq(sae_cross_save(latents, 1, context, path, true, &err), SAE_OK);
    ck_assert_int_eq(temp_folder_entries(), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("crosscoder file");
    TCase *tests = tcase_create("crosscoder file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_latent_is_a_line);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
