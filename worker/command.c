#include "worker/command.h"

#include "common/child.h"
#include "common/text.h"
#include "worker/lines.h"
#include "worker/nn/checkpoint.h"
#include "worker/nn/train.h"
#include "worker/pipe.h"
#include "worker/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PROGRESS_MS = 200,     /* at most so often */
    READS_AT_ONCE = 256,   /* a command that floods must not keep us from the signals */
    DAEMON_GONE = SIGUSR1, /* what the kernel sends then */
};

struct hash command_data_hash(const char *data)
{
    char *text = xasprintf("data of a trainer: %s", data);
    struct hash hash = hash_of(text, strlen(text));
    free(text);
    return hash;
}

struct command {
    struct msg_lease lease;
    struct child child;
    char data_hash[HASH_HEX], id[HASH_HEX];
    double cost_ns;
    pid_t pid; /* 0: it has ended */
    int status;
    int out, signals;
    char text[LINE_MAX_BYTES + 1]; /* of a line that has not ended yet */
    size_t size;
    int64_t lines; /* so far */
    int64_t started_ms, said_ms, step;
    double loss;       /* of the last line that told one */
    struct msg result; /* the learning curve, from the first line on */
    bool asked;        /* to stop */
    bool reported;     /* the outcome is written */
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- start ---- */

static int take_signals(pid_t parent, int *ret_fd, struct problem *problem)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, DAEMON_GONE);
    sigprocmask(SIG_BLOCK, &set, NULL);
    prctl(PR_SET_PDEATHSIG, DAEMON_GONE);
    if (getppid() != parent) /* it died before the line above */
        return problem_set(problem, ERR_STOPPED, "the daemon is gone");
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? problem_set(problem, ERR_IO, "signalfd: %s", strerror(errno)) : 0;
}

/* The job as a file in memory, so that a command that reads it late, or not at all, keeps nobody waiting. */
static int job_file(const struct buf *line)
{
    int fd = memfd_create("job", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, line->data, line->size) != (ssize_t)line->size || lseek(fd, 0, SEEK_SET) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Becomes the command. This process has one thread, so fork is fine, and posix_spawn could not see to it that
 * the command dies with it. */
static _Noreturn void become(const char *text, int job, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(job, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    fprintf(stderr, "cannot start /bin/sh: %s\n", strerror(errno));
    _exit(127);
}

static int start(struct command *command, const char *text, struct problem *problem)
{
    struct buf line = {0};
    int out[2] = {-1, -1};
    int err = line_of_job(&command->lease, command->id, &line, problem);
    int job = err ? -1 : job_file(&line);
    buf_release(&line);
    if (err)
        return err;
    const pid_t self = getpid();
    if (job < 0 || pipe2(out, O_CLOEXEC) != 0 || (command->pid = fork()) < 0)
        return problem_set(problem, ERR_IO, "cannot start the command: %s", strerror(errno));
    if (command->pid == 0)
        become(text, job, out[1], self);
    close(job);
    close(out[1]);
    command->out = out[0];
    fcntl(command->out, F_SETFL, O_NONBLOCK);
    command->started_ms = now_ms();
    return 0;
}

/* ---- what it says ---- */

/* The curve has room for so many points: once it is full, every second one goes. */
static void add_to_curve(struct msg_result *result, int64_t step, double loss)
{
    int count = result->curve_step_count;
    if (!isfinite(loss) || (count > 0 && step <= result->curve_step[count - 1]))
        return;
    if (count == CURVE_POINTS) {
        for (int i = 0; i < CURVE_POINTS / 2; i++) {
            result->curve_step[i] = result->curve_step[2 * i + 1];
            result->curve_loss[i] = result->curve_loss[2 * i + 1];
        }
        count = CURVE_POINTS / 2;
    }
    result->curve_step[count] = step;
    result->curve_loss[count] = loss;
    result->curve_step_count = result->curve_loss_count = count + 1;
}

static int say_progress(struct command *command, const struct line *line, struct problem *problem)
{
    const int64_t now = now_ms();
    if (command->said_ms != 0 && now - command->said_ms < PROGRESS_MS)
        return 0;
    command->said_ms = now;
    struct msg *msg = xcalloc(1, sizeof *msg);
    msg->type = MSG_PROGRESS;
    msg->progress_ = (struct msg_progress){
        .attempt = command->lease.attempt, .step = line->step, .train_loss = line->loss};
    int err = pipe_write(STDOUT_FILENO, msg, problem);
    free(msg);
    return err;
}

static int say_result(struct command *command, const struct line *line, struct problem *problem)
{
    struct msg_result *result = &command->result.result_;
    const double seconds = (double)(now_ms() - command->started_ms) / 1000;
    result->attempt = command->lease.attempt;
    result->trial = command->lease.trial;
    memcpy(result->data_hash, command->data_hash, sizeof command->data_hash);
    result->diverged = line->diverged;
    result->step = command->step;
    result->correct = line->correct;
    result->validation_count = line->count > 0 ? line->count : command->child.validation;
    result->validation_loss = line->validation_loss;
    result->train_loss = command->loss;
    result->parameters = line->parameters;
    result->betas = line->betas;
    result->seconds = seconds;
    result->images_per_second =
        seconds > 0 ? (double)command->step * (double)command->child.batch / seconds : NAN;
    result->cost_ns = command->cost_ns;
    command->result.type = MSG_RESULT;
    command->reported = true;
    return pipe_write(STDOUT_FILENO, &command->result, problem);
}

static int hear(struct command *command, const char *text, size_t size, struct problem *problem)
{
    struct line line;
    command->lines++;
    int err = line_read(text, size, &line, problem);
    if (err) {
        problem_prefix(problem, "line %" PRId64 " of the trainer", command->lines);
        return err;
    }
    if (line.step >= 0)
        command->step = line.step;
    else if (!line.diverged)
        command->step = command->child.steps;
    if (isfinite(line.loss))
        command->loss = line.loss;
    add_to_curve(&command->result.result_, command->step, line.loss);
    return line.last ? say_result(command, &line, problem) : say_progress(command, &line, problem);
}

static bool is_blank(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r'))
        at++;
    return at == size;
}

/* All lines that have ended, and at the end of the output the last one too. */
static int hear_lines(struct command *command, bool at_end, struct problem *problem)
{
    size_t at = 0;
    int err = 0;
    while (!err && !command->reported && at < command->size) {
        const char *start = command->text + at;
        const char *end = memchr(start, '\n', command->size - at);
        if (!end && !at_end)
            break;
        const size_t size = end ? (size_t)(end - start) : command->size - at;
        if (!is_blank(start, size))
            err = hear(command, start, size, problem);
        at += size + (end ? 1 : 0);
    }
    command->size =
        command->reported ? 0 : command->size - at; /* what comes after the outcome is of no interest */
    memmove(command->text, command->text + at, command->size);
    if (!err && command->size == sizeof command->text) /* longer than a line may be: this says so */
        err = hear(command, command->text, command->size, problem);
    return err;
}

/* Takes in what is there. *ret_end: there will be no more. */
static int read_out(struct command *command, bool *ret_end, struct problem *problem)
{
    int err = 0;
    for (int i = 0; i < READS_AT_ONCE && !err && !*ret_end; i++) {
        ssize_t count =
            read(command->out, command->text + command->size, sizeof command->text - command->size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        command->size += (size_t)count;
        *ret_end = count == 0;
        err = hear_lines(command, *ret_end, problem);
    }
    return err;
}

/* ---- signals ---- */

static void read_signals(struct command *command)
{
    struct signalfd_siginfo info;
    while (read(command->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == (uint32_t)DAEMON_GONE)
            kill(0, SIGKILL); /* the whole group, and so this process */
        if (info.ssi_signo == (uint32_t)SIGTERM && !command->asked) {
            command->asked = true; /* set first: this process is of the group as well */
            kill(0, SIGTERM);
        }
        if (info.ssi_signo == (uint32_t)SIGCHLD && command->pid > 0 &&
            waitpid(command->pid, &command->status, WNOHANG) == command->pid)
            command->pid = 0;
    }
}

/* ---- the run ---- */

static int describe_end(const struct command *command, struct problem *problem)
{
    if (WIFSIGNALED(command->status))
        return problem_set(problem, ERR_INPUT, "the trainer was ended by signal %d (%s) after step %" PRId64,
                           WTERMSIG(command->status), strsignal(WTERMSIG(command->status)), command->step);
    return problem_set(problem, ERR_INPUT,
                       "the trainer ended with exit status %d after step %" PRId64 " and no outcome",
                       WEXITSTATUS(command->status), command->step);
}

/* Until the command has ended, or said what is no line. ERR_STOPPED: it was asked to stop, and did so before
 * it had an outcome. */
static int attend(struct command *command, struct problem *problem)
{
    bool end = false;
    int err = 0;
    while (!err && command->pid > 0) {
        struct pollfd fds[] = {{.fd = end ? -1 : command->out, .events = POLLIN},
                               {.fd = command->signals, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return problem_set(problem, ERR_IO, "poll: %s", strerror(errno));
        if (fds[0].revents)
            err = read_out(command, &end, problem);
        read_signals(command);
    }
    if (!err && !end) /* what it wrote just before; others that it left behind may go on writing */
        err = read_out(command, &end, problem);
    if (!err && !command->reported)
        err = hear_lines(command, true, problem);
    if (err || command->reported)
        return err;
    return command->asked ? ERR_STOPPED : describe_end(command, problem);
}

static int prepare(struct command *command, struct problem *problem)
{
    struct msg *msg = xcalloc(1, sizeof *msg);
    struct expr *activation = NULL;
    int err = pipe_read(STDIN_FILENO, msg, problem);
    if (!err && msg->type != MSG_LEASE)
        err = problem_set(problem, ERR_INPUT, "expected a LEASE");
    if (!err)
        command->lease = msg->lease_;
    free(msg);
    if (!err)
        err = child_parse(command->lease.child, &command->child, problem);
    if (!err)
        err = expr_parse(command->lease.activation, &activation, problem);
    if (err)
        return err;
    command->cost_ns = train_cost_ns(activation);
    expr_destroy(&activation);
    struct hash data = command_data_hash(command->child.data);
    hash_hex(&data, command->data_hash);
    struct hash id = checkpoint_identity(command->lease.activation, command->lease.child,
                                         (uint64_t)command->lease.seed, command->data_hash);
    hash_hex(&id, command->id);
    return 0;
}

static int say_failure(const struct command *command, struct problem *problem)
{
    struct msg *msg = xcalloc(1, sizeof *msg);
    struct problem broken;
    msg->type = MSG_FAILURE;
    msg->failure_ = (struct msg_failure){.attempt = command->lease.attempt, .trial = command->lease.trial};
    msg_put_text(msg->failure_.reason, sizeof msg->failure_.reason, problem->text);
    int err = pipe_write(STDOUT_FILENO, msg, &broken);
    free(msg);
    if (!err)
        return TRIAL_REFUSED;
    fprintf(stderr, "%s\n", broken.text);
    return TRIAL_BROKEN;
}

int command_main(int argc, char **argv)
{
    struct problem problem = {0};
    struct command *command = xcalloc(1, sizeof *command);
    int64_t parent = 0;
    int err = 0;
    if (argc != COMMAND_ARGUMENTS)
        err = problem_set(&problem, ERR_INPUT, "this mode is for the daemon only");
    if (!err)
        err = text_int(argv[2], 1, INT32_MAX, &parent, &problem);
    if (!err)
        err = take_signals((pid_t)parent, &command->signals, &problem);
    if (!err)
        err = prepare(command, &problem);
    if (err) {
        fprintf(stderr, "%s\n", problem.text);
        free(command);
        return TRIAL_BROKEN;
    }
    command->loss = NAN;
    setenv("ACTSEARCH_SLOT", argv[3], 1);
    err = start(command, argv[4], &problem);
    if (!err)
        err = attend(command, &problem);
    int status = !err ? TRIAL_DONE : err == ERR_STOPPED ? TRIAL_SAVED : say_failure(command, &problem);
    free(command);
    return status;
}
