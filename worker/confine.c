#include "worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CPU_S = 7 * 24 * 3600, DESCRIPTORS = 32 };

static int die_with(pid_t parent, struct problem *problem)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        return problem_set(problem, ERR_STOPPED, "the daemon is gone");
    return 0;
}

static int limit(int resource, const char *name, rlim_t value, struct problem *problem)
{
    struct rlimit old;
    if (getrlimit(resource, &old) == 0 && old.rlim_max < value)
        value = old.rlim_max;
    struct rlimit new = {value, value};
    if (setrlimit(resource, &new) == 0)
        return 0;
    return problem_set(problem, ERR_IO, "cannot limit %s: %s", name, strerror(errno));
}

static void prefer_for_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* no /proc: nothing is lost but the preference */
    ssize_t written = write(fd, "500", 3);
    (void)written;
    close(fd);
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

/* Makes these calls fail with EPERM. A kernel without seccomp leaves the trainer without this fence. */
static void forbid_network_and_programs(void)
{
#ifdef THIS_ARCH
    static const int forbidden[] = {SYS_socket, SYS_socketpair, SYS_io_uring_setup, SYS_execve, SYS_execveat};
    enum { CALLS = sizeof forbidden / sizeof *forbidden, OTHER_ABI = 0x40000000 };
    struct sock_filter filter[5 + CALLS + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, THIS_ARCH, 0, 2 + CALLS + 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, OTHER_ABI, CALLS + 1, 0), /* x32 has numbers of its own */
    };
    int count = 4;
    for (int i = 0; i < CALLS; i++)
        filter[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)forbidden[i],
                                                       (unsigned char)(CALLS - i), 0);
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog program = {(unsigned short)count, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

int confine(pid_t parent, int64_t memory_bytes, struct problem *problem)
{
    int err = die_with(parent, problem);
    if (err)
        return err;
    prefer_for_oom();
    signal(SIGXFSZ, SIG_IGN); /* a write to a file fails, and says so */
    err = limit(RLIMIT_CORE, "core files", 0, problem);
    if (!err)
        err = limit(RLIMIT_FSIZE, "the size of files", 0, problem);
    if (!err)
        err = limit(RLIMIT_NOFILE, "descriptors", DESCRIPTORS, problem);
    if (!err)
        err = limit(RLIMIT_CPU, "CPU time", CPU_S, problem);
    if (!err && memory_bytes > 0)
        err = limit(RLIMIT_DATA, "memory", (rlim_t)memory_bytes, problem);
    if (!err)
        forbid_network_and_programs();
    return err;
}
