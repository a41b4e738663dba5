#include "io/hdf5_sandbox.h"
#include "base/sanitizer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif

/* Of the program, its libraries and its stack, and of the window. */
static const uint64_t program_bytes = (uint64_t)320 << 20;
enum { DESCRIPTORS_MAX = 32 };

static bool limit(int resource, uint64_t value)
{
    struct rlimit old;
    if (getrlimit((__rlimit_resource_t)resource, &old) != 0)
        return false;
    struct rlimit wanted = {value < old.rlim_max ? value : old.rlim_max,
                            value < old.rlim_max ? value : old.rlim_max};
    return setrlimit((__rlimit_resource_t)resource, &wanted) == 0;
}

/* Answers EPERM, so that a library that only tries goes on. */
static bool deny_calls(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
#ifdef __x86_64__
    const unsigned machine = AUDIT_ARCH_X86_64;
#else
    const unsigned machine = AUDIT_ARCH_AARCH64;
#endif
    static const int denied[] = {
        SYS_socket, SYS_socketpair, SYS_connect,  SYS_bind,   SYS_listen,
        SYS_accept, SYS_accept4,    SYS_sendto,   SYS_ptrace, SYS_process_vm_writev,
        SYS_kill,   SYS_execve,     SYS_execveat, SYS_clone,  SYS_clone3,
#ifdef __x86_64__
        SYS_fork,   SYS_vfork,
#endif
    };
    enum { N = sizeof denied / sizeof *denied, HEAD = 5 };
    struct sock_filter program[HEAD + N + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, machine, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        /* Numbers of the x32 calls are others: none of them is let through. */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, (unsigned char)(N + 1), 0),
    };
    for (unsigned i = 0; i < N; i++)
        program[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)denied[i],
                                                         (unsigned char)(N - i), 0);
    program[HEAD + N] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[HEAD + N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog filter = {HEAD + N + 2, program};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
#else
    return false;
#endif
}

/* Landlock: of all files only the one at path, for reading. */
static bool deny_files(const char *path)
{
#if defined(SYS_landlock_create_ruleset) && defined(LANDLOCK_ACCESS_FS_READ_FILE)
    const uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1; /* the rights of its first version */
    struct landlock_ruleset_attr attributes = {.handled_access_fs = all};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0u);
    if (rules < 0)
        return false;
    struct landlock_path_beneath_attr file = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
                                              .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    bool set = file.parent_fd >= 0 &&
               syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &file, 0u) == 0 &&
               syscall(SYS_landlock_restrict_self, rules, 0u) == 0;
    if (file.parent_fd >= 0)
        close(file.parent_fd);
    close(rules);
    return set;
#else
    (void)path;
    return false;
#endif
}

bool saei_hdf5_sandbox_enter(const char *path, uint64_t memory_bytes)
{
    uint64_t address_space = 0;
    if (__builtin_add_overflow(program_bytes, memory_bytes, &address_space))
        address_space = RLIM_INFINITY;
    bool limited = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
    if (!SAEI_ADDRESS_SANITIZER)
        limited = limited && limit(RLIMIT_AS, address_space);
    /* Both are absent from older kernels and some containers. What is left then is a process that can read
       what the user can, but is limited in all it takes. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
        deny_files(path);
        deny_calls();
    }
    return limited;
}

bool saei_hdf5_sandbox_grant(unsigned seconds)
{
    struct rusage used;
    struct rlimit granted;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &granted) != 0)
        return false;
    granted.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + seconds + 1;
    if (granted.rlim_cur > granted.rlim_max)
        granted.rlim_cur = granted.rlim_max;
    return setrlimit(RLIMIT_CPU, &granted) == 0;
}
