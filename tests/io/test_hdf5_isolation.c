/* Whatever happens to the worker is an error in one line here, and leaves neither process nor descriptor. */
#include "base/crew.h"
#include "base/memory.h"
#include "base/sanitizer.h"
#include "io/hdf5_file.h"
#include "io/hdf5_listing.h"
#include "io/hdf5_sandbox.h"
#include "io/reader_format.h"
#include "../tools/run_suite.h"
#include "../tools/test_context.h"
#include "temp_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define FIXTURES SOURCE_ROOT "/tests/io/fixtures/"
enum { ROWS = 45, COLS = 7 };

static int descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(folder);
    int n = 0;
    while (readdir(folder) != NULL)
        n++;
    closedir(folder);
    return n;
}

static void assert_no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

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

/* The one child that this process has. */
static pid_t only_child(void)
{
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)syscall(SYS_gettid));
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, file));
    fclose(file);
    return (pid_t)strtol(text, NULL, 10);
}

static sae_context *context_with(const char *worker, unsigned seconds)
{
    sae_context *made;
    sae_context_options options;
    sae_context_options_init(&options);
    options.hdf5_worker = worker;
    options.worker_seconds = seconds;
    ck_assert_int_eq(sae_context_new(&made, &options, &err), SAE_OK);
    return made;
}

static sae_status open_with(const char *worker, const char *path, unsigned seconds)
{
    sae_context *own = context_with(worker, seconds);
    saei_reader *reader;
    sae_status status = saei_reader_open(&reader, own, path, &err);
    ck_assert((status == SAE_OK) == (reader != NULL));
    saei_reader_free(reader);
    ck_assert_uint_eq(sae_context_memory_used(own), 0);
    sae_context_free(own);
    return status;
}

static const struct {
    const char *act;
    sae_status status;
    const char *text;
    unsigned seconds; /* 0: long enough on any machine */
} acts[] = {
    {"crash", SAE_E_FORMAT, "crashed on it (signal 11)", 0},
    {"exit", SAE_E_FORMAT, "gave up", 0},
    {"vanish", SAE_E_IO, "ended from outside", 0},
    {"killed", SAE_E_IO, "ended from outside", 0},
    {"noise", SAE_E_IO, "another version", 0},
    {"half", SAE_E_IO, "no answer", 1},
    {"silence", SAE_E_IO, "no answer", 1},
    {"spin", SAE_E_FORMAT, "without an end", 0},
    {"endless listing", SAE_E_IO, "replaced", 0},
    {"long text", SAE_E_FORMAT, "impossible answers", 0},
    {"unknown status", SAE_E_FORMAT, "impossible answers", 0},
    {"another file", SAE_E_IO, "replaced", 0},
};
enum { N_ACTS = sizeof acts / sizeof *acts };

START_TEST(a_worker_gone_astray_is_an_error)
{
    char fixture[512];
    size_t n;
    snprintf(fixture, sizeof fixture, FIXTURES "matrix.h5");
    char *bytes = temp_read(fixture, &n);
    temp_write(temp_path(acts[_i].act), bytes, n);
    free(bytes);
    int before = descriptors();
    sae_status status = open_with(ROGUE_WORKER, temp_path(acts[_i].act), acts[_i].seconds);
    ck_assert_msg(status == acts[_i].status, "%s: %d: %s", acts[_i].act, status, err.text);
    ck_assert_msg(strstr(err.text, acts[_i].text) != NULL && strstr(err.text, acts[_i].act) != NULL, "%s",
                  err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
    ck_assert_int_eq(descriptors(), before);
    assert_no_children();
}
END_TEST

START_TEST(a_missing_worker_is_named)
{
    ck_assert_int_eq(open_with("/nowhere/worker", FIXTURES "matrix.h5", 0), SAE_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "/nowhere/worker"));
    ck_assert_ptr_nonnull(strstr(err.text, "--trusted"));
    temp_write(temp_path("text"), "no program", 10);
    ck_assert_int_eq(chmod(temp_path("text"), 0700), 0);
    ck_assert_int_eq(open_with(temp_path("text"), FIXTURES "matrix.h5", 0), SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot start"));
    /* Other formats need none. */
    ck_assert_int_eq(open_with("/nowhere/worker", FIXTURES "f4.npy", 0), SAE_OK);
}
END_TEST

static void assert_reads(saei_reader *reader, const char *name, sae_status wanted)
{
    float rows[ROWS * COLS];
    sae_status status = saei_reader_read_f32(rows, reader, saei_reader_find(reader, name), 0, ROWS, &err);
    ck_assert_msg(status == wanted, "%s: %d: %s", name, status, status != SAE_OK ? err.text : "read");
}

START_TEST(a_worker_killed_in_the_middle_is_an_error)
{
    int before = descriptors();
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    assert_reads(reader, "packed/f2", SAE_OK);
    ck_assert_int_eq(kill(only_child(), SIGKILL), 0);
    assert_reads(reader, "packed/f2", SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "ended from outside"));
    assert_reads(reader, "packed/f2", SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "ended from outside"));
    saei_reader_free(reader);
    ck_assert_int_eq(descriptors(), before);
    assert_no_children();
}
END_TEST

START_TEST(a_stopped_worker_times_out)
{
    sae_context *own = context_with(NULL, 1);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, own, FIXTURES "matrix.h5", &err), SAE_OK);
    ck_assert_int_eq(kill(only_child(), SIGSTOP), 0);
    assert_reads(reader, "packed/f2", SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer"));
    saei_reader_free(reader);
    sae_context_free(own);
    assert_no_children();
}
END_TEST

START_TEST(the_worker_ends_with_its_reader)
{
    int before = descriptors();
    for (int i = 0; i < 20; i++) {
        saei_reader *readers[3];
        for (int j = 0; j < 3; j++)
            ck_assert_int_eq(saei_reader_open(&readers[j], context, FIXTURES "matrix.h5", &err), SAE_OK);
        for (int j = 0; j < 3; j++) {
            assert_reads(readers[j], "packed/f2", SAE_OK);
            saei_reader_free(readers[j]);
        }
        assert_no_children();
    }
    ck_assert_int_eq(descriptors(), before);
}
END_TEST

START_TEST(a_reader_at_rest_holds_no_worker)
{
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    uint64_t open = sae_context_memory_used(context);
    for (int i = 0; i < 3; i++) {
        assert_reads(reader, "packed/f2", SAE_OK);
        ck_assert_uint_gt(sae_context_memory_used(context), open);
        saei_reader_release(reader);
        ck_assert_uint_le(sae_context_memory_used(context), open);
        assert_no_children();
    }
    saei_reader_free(reader);
}
END_TEST

/* The keyboard's and a batch system's signals are for the program, which may have work to finish. */
START_TEST(signals_leave_the_worker_alone)
{
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    ck_assert_int_ne(getpgid(only_child()), getpgid(0));
    ck_assert_int_eq(kill(only_child(), SIGTERM), 0);
    ck_assert_int_eq(kill(only_child(), SIGINT), 0);
    assert_reads(reader, "packed/f2", SAE_OK);
    saei_reader_free(reader);
}
END_TEST

/* A child of a fork shares the line with its parent, and must not speak on it: it gets a worker of its own.
 */
START_TEST(a_forked_process_reads_too)
{
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    assert_reads(reader, "packed/f2", SAE_OK);
    pid_t child = fork();
    if (child == 0) {
        float row[COLS];
        bool read =
            saei_reader_read_f32(row, reader, saei_reader_find(reader, "packed/f2"), 0, 1, &err) == SAE_OK;
        saei_reader_free(reader);
        _exit(read ? 0 : 1);
    }
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert_int_eq(how, 0);
    assert_reads(reader, "packed/f2", SAE_OK);
    saei_reader_free(reader);
}
END_TEST

static int children(void)
{
    char path[64];
    int n = 0;
    long pid;
    snprintf(path, sizeof path, "/proc/self/task/%ld/children", (long)syscall(SYS_gettid));
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fscanf(file, "%ld", &pid) == 1)
        n++;
    fclose(file);
    return n;
}

/* Processes and descriptors are scarce: of many shards those read last have a worker. */
START_TEST(few_of_many_files_have_a_worker)
{
    enum { MANY = 2 * SAEI_CREW_MAX + 3 };
    saei_reader *readers[MANY];
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(saei_reader_open(&readers[i], context, FIXTURES "matrix.h5", &err), SAE_OK);
    ck_assert_int_eq(children(), SAEI_CREW_MAX);
    for (int i = 0; i < MANY; i++)
        assert_reads(readers[i * 7 % MANY], "packed/f2", SAE_OK);
    ck_assert_int_eq(children(), SAEI_CREW_MAX);
    for (int i = 0; i < MANY; i++)
        saei_reader_free(readers[i]);
    assert_no_children();
}
END_TEST

static void *read_each(void *user)
{
    saei_reader **readers = user;
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < SAEI_CREW_MAX + 4; i++) {
            float row[COLS];
            if (saei_reader_read_f32(row, readers[i], saei_reader_find(readers[i], "packed/f2"), 5, 1,
                                     NULL) != SAE_OK)
                return NULL;
        }
    return user;
}

START_TEST(threads_that_take_workers_from_each_other)
{
    saei_reader *readers[SAEI_CREW_MAX + 4];
    pthread_t threads[3];
    for (int i = 0; i < SAEI_CREW_MAX + 4; i++)
        ck_assert_int_eq(saei_reader_open(&readers[i], context, FIXTURES "matrix.h5", &err), SAE_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, read_each, readers), 0);
    for (int i = 0; i < 3; i++) {
        void *result;
        ck_assert_int_eq(pthread_join(threads[i], &result), 0);
        ck_assert_ptr_nonnull(result);
    }
    for (int i = 0; i < SAEI_CREW_MAX + 4; i++)
        saei_reader_free(readers[i]);
    assert_no_children();
}
END_TEST

/* A dismissed worker's successor must find the file as it was. */
START_TEST(a_file_that_changes_is_refused)
{
    char path[512];
    size_t n;
    snprintf(path, sizeof path, FIXTURES "matrix.h5");
    char *bytes = temp_read(path, &n);
    temp_write(temp_path("a.h5"), bytes, n);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, temp_path("a.h5"), &err), SAE_OK);
    saei_reader_release(reader);
    assert_no_children();
    assert_reads(reader, "packed/f2", SAE_OK);
    saei_reader_release(reader);
    ck_assert_int_eq(rename(temp_path("a.h5"), temp_path("b.h5")), 0);
    temp_write(temp_path("a.h5"), bytes, n);
    assert_reads(reader, "packed/f2", SAE_E_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "replaced"));
    saei_reader_free(reader);
    free(bytes);
}
END_TEST

/* A program that lets the system reap its children loses the reason, not the error. */
START_TEST(children_that_are_reaped_by_others)
{
    signal(SIGCHLD, SIG_IGN);
    temp_write(temp_path("crash"), "\x89HDF\r\n\x1a\n", 8);
    ck_assert_int_ne(open_with(ROGUE_WORKER, temp_path("crash"), 0), SAE_OK);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    assert_reads(reader, "packed/f2", SAE_OK);
    saei_reader_free(reader);
}
END_TEST

/* Datasets that lie in one piece are read without the worker: a file of nothing else keeps none. */
START_TEST(plain_files_keep_no_worker)
{
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, SOURCE_ROOT "/tests/corpus/hdf5/contig.h5", &err),
                     SAE_OK);
    assert_no_children();
    const saei_array_info *array = saei_reader_at(reader, 0);
    float *row = malloc(array->shape[1] * sizeof *row);
    ck_assert_int_eq(saei_reader_read_f32(row, reader, array, 0, 1, &err), SAE_OK);
    free(row);
    saei_reader_free(reader);
}
END_TEST

/* Closed standard descriptors become those of the line, and must be moved before the worker's are set. */
START_TEST(without_standard_files)
{
    close(0);
    close(1);
    saei_reader *reader;
    ck_assert_int_eq(saei_reader_open(&reader, context, FIXTURES "matrix.h5", &err), SAE_OK);
    assert_reads(reader, "packed/f2", SAE_OK);
    saei_reader_free(reader);
}
END_TEST

/* Tries, in a process of its own, what a file must not be able to do. Returns bits of what succeeded. */
enum { OPENED_OTHER = 1, CONNECTED = 2, FORKED = 4, RAN = 8, TOOK_MEMORY = 16, WROTE = 32, NO_FILE = 64 };

static int try_everything(const char *path)
{
    int did = 0;
    if (!saei_hdf5_sandbox_enter(path, 64u << 20))
        return 255;
    if (open("/etc/passwd", O_RDONLY) >= 0)
        did |= OPENED_OTHER;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
        did |= CONNECTED;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        did |= FORKED;
    char *const arguments[] = {"true", NULL};
    if (execve("/bin/true", arguments, NULL) == 0)
        did |= RAN;
    if (mmap(NULL, (size_t)1 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        did |= TOOK_MEMORY;
    if (open(path, O_WRONLY) >= 0 || unlink(path) == 0)
        did |= WROTE;
    if (open(path, O_RDONLY) < 0)
        did |= NO_FILE;
    return did;
}

START_TEST(the_sandbox_holds)
{
    int expected = 0;
    temp_write(temp_path("a.h5"), "text", 4);
#ifdef SYS_landlock_create_ruleset
    bool landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0; /* the version */
#else
    bool landlock = false;
#endif
    if (!landlock)
        expected |= OPENED_OTHER | WROTE | NO_FILE;
    if (SAEI_ADDRESS_SANITIZER)
        expected |= TOOK_MEMORY;
    pid_t child = fork();
    if (child == 0)
        _exit(try_everything(temp_path("a.h5")));
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFEXITED(how));
    ck_assert_int_eq(WEXITSTATUS(how), expected);
}
END_TEST

START_TEST(time_is_granted_anew)
{
    pid_t child = fork();
    if (child == 0) {
        /* More than a second of work, in parts that are each granted one. */
        clock_t begin = clock();
        while (clock() - begin < 2 * CLOCKS_PER_SEC)
            if (!saei_hdf5_sandbox_grant(1))
                _exit(1);
        if (!saei_hdf5_sandbox_grant(0))
            _exit(2);
        for (;;)
            ;
    }
    int how;
    ck_assert_int_eq(waitpid(child, &how, 0), child);
    ck_assert(WIFSIGNALED(how));
    ck_assert_int_eq(WTERMSIG(how), SIGXCPU);
}
END_TEST

/* What a worker lists is not believed: any bytes give arrays that lie in the file, or an error. */
START_TEST(any_listing_is_read_or_refused)
{
    enum { ROUNDS = 20000 };
    saei_reader *source, *target;
    unsigned char *listing;
    size_t bytes, refused = 0;
    ck_assert_int_eq(saei_reader_open_trusted(&source, context, FIXTURES "matrix.h5", &err), SAE_OK);
    ck_assert_int_eq(saei_hdf5_listing_write(&listing, &bytes, saei_reader_state(source), &err), SAE_OK);
    unsigned char *bad = malloc(bytes);
    uint64_t state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = bytes;
        memcpy(bad, listing, bytes);
        state = state * 6364136223846793005u + 1442695040888963407u;
        if (round == 0)
            n = 0;
        else if (round % 4 == 0)
            n = (size_t)(state >> 33) % bytes;
        else
            bad[(state >> 33) % bytes] = (unsigned char)(state >> 25);
        saei_hdf5_dataset *datasets;
        ck_assert_int_eq(saei_reader_open(&target, context, FIXTURES "f4.npy", &err), SAE_OK);
        sae_status status = saei_hdf5_listing_read(&datasets, target, bad, n, &err);
        ck_assert((status == SAE_OK) == (datasets != NULL));
        refused += status != SAE_OK;
        saei_free(context, datasets);
        saei_reader_free(target);
    }
    ck_assert_uint_gt(refused, ROUNDS / 4);
    free(bad);
    saei_free(context, listing);
    saei_reader_free(source);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hdf5_isolation");
    TCase *tests = tcase_create("hdf5_isolation");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, a_worker_gone_astray_is_an_error, 0, N_ACTS);
    tcase_add_test(tests, a_missing_worker_is_named);
    tcase_add_test(tests, a_worker_killed_in_the_middle_is_an_error);
    tcase_add_test(tests, a_stopped_worker_times_out);
    tcase_add_test(tests, the_worker_ends_with_its_reader);
    tcase_add_test(tests, a_reader_at_rest_holds_no_worker);
    tcase_add_test(tests, signals_leave_the_worker_alone);
    tcase_add_test(tests, a_forked_process_reads_too);
    tcase_add_test(tests, few_of_many_files_have_a_worker);
    tcase_add_test(tests, threads_that_take_workers_from_each_other);
    tcase_add_test(tests, a_file_that_changes_is_refused);
    tcase_add_test(tests, children_that_are_reaped_by_others);
    tcase_add_test(tests, plain_files_keep_no_worker);
    tcase_add_test(tests, without_standard_files);
    tcase_add_test(tests, the_sandbox_holds);
    tcase_add_test(tests, time_is_granted_anew);
    tcase_add_test(tests, any_listing_is_read_or_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
