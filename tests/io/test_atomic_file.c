#include "io/atomic_file.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

static sae_status write_text(const char *path, saei_replace replace, const char *text)
{
    saei_atomic_file *file;
    sae_status status = saei_atomic_file_open(&file, context, path, replace, &err);
    if (status != SAE_OK)
        return status;
    ck_assert_int_eq(saei_atomic_file_printf(file, &err, "%s", text), SAE_OK);
    status = saei_atomic_file_commit(&file, &err);
    ck_assert_ptr_null(file);
    return status;
}

START_TEST(existing_target)
{
    const char *path = temp_path("a");
    ck_assert_int_eq(write_text(path, SAEI_KEEP_EXISTING, "one"), SAE_OK);
    ck_assert_int_eq(write_text(path, SAEI_KEEP_EXISTING, "two"), SAE_E_EXISTS);
    assert_file_holds(path, "one");
    ck_assert_int_eq(write_text(path, SAEI_OVERWRITE, "three"), SAE_OK);
    assert_file_holds(path, "three");
    ck_assert_int_eq(temp_folder_entries(), 1);
}
END_TEST

START_TEST(target_that_appears_meanwhile)
{
    saei_atomic_file *file;
    ck_assert_int_eq(saei_atomic_file_open(&file, context, temp_path("a"), SAEI_KEEP_EXISTING, &err), SAE_OK);
    ck_assert_int_eq(saei_atomic_file_printf(file, &err, "mine"), SAE_OK);
    temp_write(temp_path("a"), "theirs", 6);
    ck_assert_int_eq(saei_atomic_file_commit(&file, &err), SAE_E_EXISTS);
    assert_file_holds(temp_path("a"), "theirs");
    ck_assert_int_eq(temp_folder_entries(), 1);
}
END_TEST

START_TEST(previous_is_kept)
{
    const char *texts[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(write_text(temp_path("a"), SAEI_KEEP_PREVIOUS, texts[i]), SAE_OK);
        assert_file_holds(temp_path("a"), texts[i]);
        if (i > 0)
            assert_file_holds(temp_path("a.prev"), texts[i - 1]);
        ck_assert_int_eq(temp_folder_entries(), i > 0 ? 2 : 1);
    }
    /* As after a kill between the link and the rename: both names are one file. */
    ck_assert_int_eq(unlink(temp_path("a.prev")), 0);
    ck_assert_int_eq(link(temp_path("a"), temp_path("a.prev")), 0);
    ck_assert_int_eq(write_text(temp_path("a"), SAEI_KEEP_PREVIOUS, "four"), SAE_OK);
    assert_file_holds(temp_path("a"), "four");
    assert_file_holds(temp_path("a.prev"), "three");
    ck_assert_int_eq(temp_folder_entries(), 2);
}
END_TEST

START_TEST(links_and_permissions)
{
    temp_write(temp_path("real"), "old", 3);
    ck_assert_int_eq(chmod(temp_path("real"), 0640), 0);
    ck_assert_int_eq(symlink("real", temp_path("link")), 0);
    ck_assert_int_eq(write_text(temp_path("link"), SAEI_OVERWRITE, "new"), SAE_OK);
    assert_file_holds(temp_path("real"), "new");
    struct stat info;
    ck_assert_int_eq(lstat(temp_path("link"), &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(stat(temp_path("real"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
}
END_TEST

START_TEST(targets_that_cannot_be)
{
    ck_assert_int_eq(symlink("nowhere", temp_path("dangling")), 0);
    ck_assert_int_eq(symlink("loop", temp_path("loop")), 0);
    ck_assert_int_eq(mkfifo(temp_path("pipe"), 0600), 0);
    int before = temp_folder_entries();
    ck_assert_int_eq(write_text(temp_path("dangling"), SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(write_text(temp_path("loop"), SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(write_text(temp_path("pipe"), SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(write_text(temp_path("absent/a"), SAEI_OVERWRITE, ""), SAE_E_NOT_FOUND);
    ck_assert_int_eq(write_text(temp_path("absent/"), SAEI_OVERWRITE, ""), SAE_E_ARGUMENT);
    ck_assert_int_eq(write_text(temp_folder, SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(write_text("/dev/full", SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(write_text("", SAEI_OVERWRITE, ""), SAE_E_ARGUMENT);
    ck_assert_int_eq(temp_folder_entries(), before);
}
END_TEST

/* Check runs each test in its own process: dropping rights stays here. */
START_TEST(no_permission)
{
    ck_assert_int_eq(chmod(temp_folder, 0555), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(write_text(temp_path("a"), SAEI_OVERWRITE, ""), SAE_E_IO);
    ck_assert_int_eq(err.os_errno, EACCES);
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(temp_folder, 0755), 0);
    ck_assert_int_eq(temp_folder_entries(), 0);
}
END_TEST

/* A limit on the size of files fails a write as a full disk does. */
START_TEST(disk_full)
{
    signal(SIGXFSZ, SIG_IGN);
    temp_write(temp_path("a"), "old", 3);
    struct rlimit limit = {100000, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    static char block[30000];
    for (int blocks = 0; blocks < 8; blocks++) {
        saei_atomic_file *file;
        ck_assert_int_eq(saei_atomic_file_open(&file, context, temp_path("a"), SAEI_OVERWRITE, &err), SAE_OK);
        sae_status status = SAE_OK;
        for (int i = 0; i < blocks; i++)
            if (saei_atomic_file_write(file, block, sizeof block, &err) != SAE_OK)
                status = SAE_E_IO;
        if (blocks < 4) {
            ck_assert_int_eq(status, SAE_OK);
            saei_atomic_file_discard(file);
        } else {
            /* Also when the caller missed that a write failed. */
            ck_assert_int_eq(saei_atomic_file_commit(&file, &err), SAE_E_IO);
        }
        assert_file_holds(temp_path("a"), "old");
        ck_assert_int_eq(temp_folder_entries(), 1);
    }
}
END_TEST

START_TEST(long_and_short_writes)
{
    saei_atomic_file *file;
    size_t lengths[] = {0, 1, 65535, 65536, 65537, 3, 200000, 0, 1500}, total = 0;
    static char bytes[200000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    ck_assert_int_eq(saei_atomic_file_open(&file, context, temp_path("a"), SAEI_OVERWRITE, &err), SAE_OK);
    for (size_t i = 0; i < 9; i++)
        ck_assert_int_eq(saei_atomic_file_write(file, bytes, lengths[i], &err), SAE_OK);
    ck_assert_int_eq(saei_atomic_file_printf(file, &err, "%.*s", 5000, bytes), SAE_OK);
    ck_assert_int_eq(saei_atomic_file_commit(&file, &err), SAE_OK);
    size_t n;
    char *got = temp_read(temp_path("a"), &n), *at = got;
    for (size_t i = 0; i < 9; at += lengths[i], total += lengths[i], i++)
        ck_assert(memcmp(at, bytes, lengths[i]) == 0);
    ck_assert(memcmp(at, bytes, 5000) == 0);
    ck_assert_uint_eq(n, total + 5000);
    free(got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("atomic_file");
    TCase *tests = tcase_create("atomic_file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, existing_target);
    tcase_add_test(tests, target_that_appears_meanwhile);
    tcase_add_test(tests, previous_is_kept);
    tcase_add_test(tests, links_and_permissions);
    tcase_add_test(tests, targets_that_cannot_be);
    tcase_add_test(tests, no_permission);
    tcase_add_test(tests, disk_full);
    tcase_add_test(tests, long_and_short_writes);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
