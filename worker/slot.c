#include "worker/slot.h"

#include "worker/command.h"
#include "worker/nn/checkpoint.h"
#include "worker/trial.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READS_AT_ONCE = 16, /* a trainer that floods must not keep the daemon from the others */
    DRAINS = 64,        /* rounds of those for what one that is gone has left: more than any pipe holds */
    PARTING_MS = 10000, /* how long it may take to end after its last word */
};

/* ---- start ---- */

/* What is of the right size goes in; what it is, the trainer will see. */
static bool copy_checkpoint(int from, int to)
{
    struct stat file;
    off_t at = 0;
    if (fstat(from, &file) != 0 || file.st_size > CHECKPOINT_MAX_BYTES ||
        lseek(to, TRIAL_CHECKPOINT_AT, SEEK_SET) < 0)
        return false;
    while (at < file.st_size)
        if (sendfile(to, from, &at, (size_t)(file.st_size - at)) <= 0)
            return false;
    return true;
}

/* The job as a file in memory: it can be read at once and whole, however small the pipes are; and a trainer
 * that may write to no file can leave its state there. Only the pages that are used take memory. */
static int job_file(const struct msg_lease *lease, int checkpoint)
{
    struct msg *msg = xcalloc(1, sizeof *msg);
    msg->type = MSG_LEASE;
    msg->lease_ = *lease;
    struct buf bytes = {0};
    pipe_put(msg, &bytes);
    free(msg);
    int fd = memfd_create("job", MFD_CLOEXEC);
    assert(bytes.size <= TRIAL_CHECKPOINT_AT);
    if (fd >= 0 && (write(fd, bytes.data, bytes.size) != (ssize_t)bytes.size ||
                    (checkpoint >= 0 && !copy_checkpoint(checkpoint, fd)) ||
                    ftruncate(fd, (off_t)TRIAL_CHECKPOINT_AT + CHECKPOINT_MAX_BYTES) != 0 ||
                    lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    buf_release(&bytes);
    return fd;
}

/* "NAME=value", or NULL where it is not set. malloc'd. */
static char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? xasprintf("%s=%s", name, value) : NULL;
}

static int spawn(const struct slot_setup *setup, uint32_t index, int job, int out, int words, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, job, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, words, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);

    posix_spawnattr_t how;
    sigset_t blocked, usual;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM); /* from its first moment: it looks for it when it has a state to save */
    sigfillset(&usual);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &blocked);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setpgroup(&how, 0); /* Ctrl-C at the terminal is the daemon's business */
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

    char *parent = xasprintf("%d", (int)getpid()), *memory = xasprintf("%" PRId64, setup->memory_bytes);
    char *number = xasprintf("%" PRIu32, index);
    char *built_in[TRIAL_ARGUMENTS + 1] = {"actsearch-trainer",      TRIAL_MODE, parent, memory,
                                           (char *)setup->cache_dir, NULL};
    char *own[COMMAND_ARGUMENTS + 1] = {"actsearch-trainer",    COMMAND_MODE, parent, number,
                                        (char *)setup->command, NULL};
    /* The libraries that the daemon itself was loaded with, and the kernels that were asked for. */
    char *variables[] = {variable("ACTSEARCH_KERNELS"), variable("LD_LIBRARY_PATH")};
    char *environment[3] = {NULL};
    for (int i = 0, count = 0; i < 2; i++)
        if (variables[i])
            environment[count++] = variables[i];
    int failed = posix_spawn(ret_pid, setup->program, &files, &how, setup->command ? own : built_in,
                             setup->command ? environ : environment);
    for (int i = 0; i < 2; i++)
        free(variables[i]);
    free(parent);
    free(memory);
    free(number);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return failed;
}

static bool watch(const struct slot_setup *setup, int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    return fd >= 0 && epoll_ctl(setup->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* No process, no memory, no descriptors but `job`. */
static void release_process(struct slot *slot)
{
    slot->pid = 0;
    free(slot->outcome);
    slot->outcome = NULL;
    pipe_in_release(&slot->in);
    close_fd(&slot->out);
    close_fd(&slot->words);
    close_fd(&slot->pidfd);
}

void slot_release(struct slot *slot)
{
    assert(slot->pid == 0);
    if (slot->job > 0)
        close(slot->job);
    slot->job = 0;
}

void slot_halt(struct slot *slot)
{
    if (slot->pid > 0)
        kill(slot->pid, SIGTERM);
}

void slot_stop(struct slot *slot)
{
    if (slot->pid > 0)
        kill(-slot->pid, SIGKILL); /* with all that it has started */
}

void slot_end(struct slot *slot)
{
    if (slot->pid != 0) {
        slot_stop(slot);
        while (waitpid(slot->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        release_process(slot);
    }
    slot_release(slot);
}

int slot_start(struct slot *slot, uint32_t index, const struct slot_setup *setup,
               const struct msg_lease *lease, int checkpoint, int64_t now_ms, struct problem *problem)
{
    slot_release(slot);
    int out[2] = {-1, -1}, words[2] = {-1, -1}, job = job_file(lease, checkpoint);
    pid_t pid = 0;
    int failed =
        job < 0 || pipe2(out, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(words, O_CLOEXEC | O_NONBLOCK) != 0
            ? errno
            : 0;
    if (!failed) {
        fcntl(out[1], F_SETFL, 0); /* the trainer's ends block */
        fcntl(words[1], F_SETFL, 0);
        failed = spawn(setup, index, job, out[1], words[1], &pid);
    }
    close_fd(&out[1]);
    close_fd(&words[1]);
    if (failed) {
        close_fd(&job);
        close_fd(&out[0]);
        close_fd(&words[0]);
        return problem_set(problem, ERR_IO, "cannot start a trainer: %s", strerror(failed));
    }
    *slot = (struct slot){.pid = pid,
                          .pidfd = (int)syscall(SYS_pidfd_open, pid, 0),
                          .out = out[0],
                          .words = words[0],
                          .job = job,
                          .attempt = lease->attempt,
                          .trial = lease->trial,
                          .started_ms = now_ms,
                          .moved_ms = now_ms,
                          .first_step_ms = -1};
    if (watch(setup, slot->out, index) && watch(setup, slot->words, index) &&
        watch(setup, slot->pidfd, index))
        return 0;
    failed = errno;
    slot_end(slot);
    return problem_set(problem, ERR_IO, "cannot watch a trainer: %s", strerror(failed));
}

/* ---- what it says ---- */

/* The first reason counts: what follows is its consequence. */
static void give_up(struct slot *slot, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void give_up(struct slot *slot, const char *format, ...)
{
    slot_stop(slot);
    if (slot->outcome)
        return;
    char text[480];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    slot->outcome = xcalloc(1, sizeof *slot->outcome);
    slot->outcome->type = MSG_FAILURE;
    msg_put_text(slot->outcome->failure_.reason, sizeof slot->outcome->failure_.reason, text);
}

static void hear(struct slot *slot, const struct msg *msg, int64_t now_ms)
{
    if (slot->outcome)
        return; /* it has had its say */
    if (msg->type == MSG_PROGRESS && msg->progress_.attempt == slot->attempt) {
        slot->step = msg->progress_.step;
        slot->train_loss = msg->progress_.train_loss;
        slot->moved_ms = now_ms;
        if (slot->first_step_ms < 0)
            slot->first_step_ms = now_ms - slot->started_ms;
    } else if ((msg->type == MSG_RESULT && msg->result_.attempt == slot->attempt &&
                msg->result_.trial == slot->trial) ||
               (msg->type == MSG_FAILURE && msg->failure_.attempt == slot->attempt)) {
        slot->outcome = xcalloc(1, sizeof *slot->outcome);
        *slot->outcome = *msg;
        slot->moved_ms = now_ms;
    } else {
        give_up(slot, "the trainer wrote a message that does not fit: %s", msg_type_name(msg->type));
    }
}

/* Reads what is there, at most so much at once. False where more may be there. */
static bool read_out(struct slot *slot, int64_t now_ms)
{
    struct msg *msg = xcalloc(1, sizeof *msg);
    struct problem problem = {0};
    bool all = slot->out < 0;
    for (int i = 0; i < READS_AT_ONCE && !all; i++) {
        uint8_t bytes[PIPE_READ_BYTES];
        ssize_t count = read(slot->out, bytes, sizeof bytes);
        if (count > 0) {
            int got = 0;
            pipe_in_put(&slot->in, bytes, (size_t)count);
            while (!slot->in.lost && (got = pipe_in_take(&slot->in, msg, &problem)) > 0)
                hear(slot, msg, now_ms);
            if (got < 0)
                give_up(slot, "the trainer wrote what is no message: %s", problem.text);
        } else if (count == 0) {
            close_fd(&slot->out);
            all = true;
        } else {
            all = errno != EINTR;
        }
    }
    free(msg);
    return all;
}

static bool read_words(struct slot *slot)
{
    for (int i = 0; i < READS_AT_ONCE && slot->words >= 0; i++) {
        char bytes[SLOT_WORDS];
        ssize_t count = read(slot->words, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return true;
        if (count == 0) {
            close_fd(&slot->words);
            return true;
        }
        size_t kept = slot->tail_size;
        if (kept + (size_t)count > SLOT_WORDS) { /* the oldest go */
            kept = SLOT_WORDS - (size_t)count;
            memmove(slot->tail, slot->tail + (slot->tail_size - kept), kept);
        }
        memcpy(slot->tail + kept, bytes, (size_t)count);
        slot->tail_size = kept + (size_t)count;
    }
    return slot->words < 0;
}

/* ---- its end ---- */

void slot_words(const struct slot *slot, char *ret_text, size_t size)
{
    size_t end = slot->tail_size, at = 0;
    while (end > 0 && (slot->tail[end - 1] == '\n' || slot->tail[end - 1] == '\0'))
        end--;
    size_t start = end > size - 1 ? end - (size - 1) : 0;
    for (size_t i = start; i < end; i++)
        ret_text[at++] = slot->tail[i] == '\n' || slot->tail[i] == '\0' ? ' ' : slot->tail[i];
    ret_text[at] = '\0';
}

static void describe_end(struct slot *slot, int status)
{
    if (WIFSIGNALED(status))
        give_up(slot, "the trainer was ended by signal %d (%s) after step %" PRId64, WTERMSIG(status),
                strsignal(WTERMSIG(status)), slot->step);
    else
        give_up(slot, "the trainer ended with exit status %d after step %" PRId64, WEXITSTATUS(status),
                slot->step);
}

/* Whatever the reason, the last words often say more. */
static void add_words(const struct slot *slot, struct msg_failure *failure)
{
    char words[320];
    slot_words(slot, words, sizeof words);
    if (!words[0])
        return;
    char *text = xasprintf("%s: %s", failure->reason, words);
    msg_put_text(failure->reason, sizeof failure->reason, text);
    free(text);
}

size_t slot_saved(const struct slot *slot)
{
    uint8_t head[CHECKPOINT_HEAD_BYTES];
    if (slot->job <= 0 || pread(slot->job, head, sizeof head, TRIAL_CHECKPOINT_AT) != (ssize_t)sizeof head)
        return 0;
    return checkpoint_size(head, sizeof head);
}

static void finish(struct slot *slot, int status, struct msg *ret_outcome)
{
    if (!slot->outcome && WIFEXITED(status) && WEXITSTATUS(status) == TRIAL_SAVED) {
        release_process(slot);
        *ret_outcome =
            (struct msg){.type = MSG_RETURN, .return_ = {.attempt = slot->attempt, .trial = slot->trial}};
        return;
    }
    if (!slot->outcome)
        describe_end(slot, status);
    if (slot->outcome->type == MSG_FAILURE) {
        add_words(slot, &slot->outcome->failure_);
        slot->outcome->failure_.attempt = slot->attempt;
        slot->outcome->failure_.trial = slot->trial;
    }
    *ret_outcome = *slot->outcome;
    release_process(slot);
    slot_release(slot);
}

/* True where it has ended: then no process of its group is left. Its id is that of the group, and nobody
 * else's until it is waited for. */
static bool reap(pid_t pid, int *ret_status)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid)
        return false;
    kill(-pid, SIGKILL);
    return waitpid(pid, ret_status, 0) == pid;
}

enum slot_news slot_read(struct slot *slot, const struct slot_setup *setup, int64_t now_ms,
                         struct msg *ret_outcome)
{
    if (slot->pid == 0)
        return SLOT_NOTHING;
    const int64_t step = slot->step;
    int status = 0;
    bool gone = reap(slot->pid, &status); /* before the reads: then they see all it wrote */
    bool all = read_out(slot, now_ms);
    all = read_words(slot) && all;
    if (gone) {
        slot->pid = -1; /* reaped: not to be signalled any more */
        for (int i = 0; i < DRAINS && !all; i++) {
            all = read_out(slot, now_ms);
            all = read_words(slot) && all;
        }
        finish(slot, status, ret_outcome);
        return SLOT_ENDED;
    }
    if (now_ms >= slot_next_ms(slot, setup)) {
        give_up(slot, "no step for %" PRId64 " s after step %" PRId64 ": the trainer was ended",
                (now_ms - slot->moved_ms) / 1000, slot->step);
        slot->moved_ms = now_ms;
    }
    return slot->step != step ? SLOT_MOVED : SLOT_NOTHING;
}

int64_t slot_next_ms(const struct slot *slot, const struct slot_setup *setup)
{
    if (slot->pid == 0)
        return INT64_MAX;
    return slot->moved_ms + (slot->outcome ? PARTING_MS : setup->stall_ms);
}
