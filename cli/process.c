#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

int program_find(const char *name, char **ret_path, struct problem *problem)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        char *path = xasprintf("%.*s/%s", slash ? (int)(slash - self) : 0, self, name);
        if (is_program(path)) {
            *ret_path = path;
            return 0;
        }
        free(path);
    }
    const char *folders = getenv("PATH");
    for (const char *at = folders ? folders : ""; *at;) {
        size_t size = strcspn(at, ":");
        char *path = xasprintf("%.*s/%s", (int)size, at, name);
        if (size > 0 && is_program(path)) {
            *ret_path = path;
            return 0;
        }
        free(path);
        at += size + (at[size] == ':');
    }
    return problem_set(problem, ERR_NOT_FOUND,
                       "the program %s was found neither beside this one nor in PATH; build it with make",
                       name);
}

/* In the child: never returns. `report_fd` tells the parent the errno of a failed exec. */
static void become(char *const argv[], int output_fd, int report_fd, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL); /* an ignored signal would stay ignored */
    signal(SIGTERM, SIG_DFL);
    int empty = open("/dev/null", O_RDONLY);
    if (empty >= 0 && dup2(empty, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0 &&
        dup2(output_fd, STDERR_FILENO) >= 0)
        execv(argv[0], argv);
    int reason = errno;
    ssize_t written = write(report_fd, &reason, sizeof reason);
    _exit(written == sizeof reason ? 126 : 127);
}

void process_option(const char **argv, int *count, const char *option, const char *value)
{
    if (!value)
        return;
    argv[(*count)++] = option;
    argv[(*count)++] = value;
}

int process_start(struct process *process, char *const argv[], int output_fd, struct problem *problem)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return problem_set(problem, ERR_IO, "pipe: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(argv, output_fd, report[1], parent);
    int failure = pid < 0 ? errno : 0;
    close(report[1]);
    int reason = 0;
    if (pid > 0 && read(report[0], &reason, sizeof reason) == (ssize_t)sizeof reason) {
        failure = reason;
        waitpid(pid, NULL, 0);
    }
    close(report[0]);
    if (failure)
        return problem_set(problem, ERR_IO, "cannot start %s: %s", argv[0], strerror(failure));
    *process = (struct process){.pid = pid};
    return 0;
}

bool process_runs(const struct process *process)
{
    return process->pid > 0;
}

bool process_poll(struct process *process)
{
    if (process->pid > 0 && waitpid(process->pid, &process->wait_status, WNOHANG) == process->pid)
        process->pid = 0;
    return process_runs(process);
}

void process_signal(const struct process *process, int signal_number)
{
    if (process->pid > 0)
        kill(process->pid, signal_number);
}

void process_wait(struct process *process)
{
    if (process->pid <= 0)
        return;
    while (waitpid(process->pid, &process->wait_status, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

void process_kill(struct process *process)
{
    if (process->pid <= 0)
        return;
    kill(process->pid, SIGKILL);
    process_wait(process);
}

void process_end_text(const struct process *process, char ret_text[64])
{
    if (WIFSIGNALED(process->wait_status))
        snprintf(ret_text, 64, "killed by signal %d (%s)", WTERMSIG(process->wait_status),
                 strsignal(WTERMSIG(process->wait_status)));
    else
        snprintf(ret_text, 64, "exit status %d", WEXITSTATUS(process->wait_status));
}
