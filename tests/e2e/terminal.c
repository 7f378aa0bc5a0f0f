/* terminal: runs a command in a terminal of its own, as an interactive shell would, and says what became of
 * the terminal.
 *
 * usage: terminal COLUMNS ROWS ACTION COMMAND…    ACTION, once the command has drawn twice: q (a key), int
 * (Ctrl-C), term (SIGTERM), stop (Ctrl-Z, then fg, then q), resize (to 40 columns, then q)
 *
 * Standard output: all that the command wrote. Standard error: "stopped: MODES", "ended: STATUS MODES"; MODES
 * is "restored" where the terminal's settings are those from before, else "changed". */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *modes(const struct termios *before)
{
    struct termios now;
    return tcgetattr(STDIN_FILENO, &now) == 0 && now.c_lflag == before->c_lflag &&
                   now.c_iflag == before->c_iflag && now.c_oflag == before->c_oflag
               ? "restored"
               : "changed";
}

/* The shell: the command is a job in the foreground. `report` is where the words of standard error go. */
static int shell(char **command, FILE *report)
{
    struct termios before;
    tcgetattr(STDIN_FILENO, &before);
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        execvp(command[0], command);
        _exit(127);
    }
    setpgid(job, job);
    tcsetpgrp(STDIN_FILENO, job);
    fprintf(report, "job: %d\n", (int)job);
    fflush(report);
    int status = 0;
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        fprintf(report, "stopped: %s\n", modes(&before));
        fflush(report);
        tcsetpgrp(STDIN_FILENO, job);
        kill(-job, SIGCONT);
    }
    tcsetpgrp(STDIN_FILENO, getpgrp());
    if (WIFEXITED(status))
        fprintf(report, "ended: %d %s\n", WEXITSTATUS(status), modes(&before));
    else
        fprintf(report, "ended: signal %d %s\n", WTERMSIG(status), modes(&before));
    fclose(report);
    return 0;
}

static int draws(const char *text, size_t size)
{
    int count = 0;
    for (size_t i = 0; i + 2 < size; i++)
        count += memcmp(text + i, "\033[H", 3) == 0;
    return count;
}

static void act(const char *action, int terminal, int round, pid_t job)
{
    if (strcmp(action, "term") == 0) {
        kill(job, SIGTERM);
        return;
    }
    if (strcmp(action, "resize") == 0 && round == 0) {
        ioctl(terminal, TIOCSWINSZ, &(struct winsize){.ws_col = 40, .ws_row = 20});
        return;
    }
    const char *keys = strcmp(action, "int") == 0                  ? "\003"
                       : strcmp(action, "stop") == 0 && round == 0 ? "\032"
                                                                   : "q";
    if (write(terminal, keys, 1) != 1)
        perror("terminal: write");
}

int main(int argc, char **argv)
{
    enum { MOST = 1 << 22, DEADLINE_S = 60 };
    if (argc < 5)
        return 2;
    const struct winsize size = {.ws_col = (unsigned short)atoi(argv[1]),
                                 .ws_row = (unsigned short)atoi(argv[2])};
    const char *action = argv[3];
    int words[2], terminal = -1;
    alarm(DEADLINE_S);
    if (pipe(words) != 0)
        return 1;
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    if (child < 0)
        return 1;
    if (child == 0) {
        close(words[0]);
        fcntl(words[1], F_SETFD, FD_CLOEXEC);
        FILE *report = fdopen(words[1], "w");
        return report ? shell(argv + 4, report) : 1;
    }
    close(words[1]);
    FILE *report = fdopen(words[0], "r");
    char line[128];
    int job = 0;
    if (!report || !fgets(line, sizeof line, report) || sscanf(line, "job: %d", &job) != 1)
        return 1;
    char *text = malloc(MOST);
    size_t length = 0;
    int round = 0, drawn = 0;
    const int rounds = strcmp(action, "stop") == 0 || strcmp(action, "resize") == 0 ? 2 : 1;
    for (ssize_t got; text && length < MOST && (got = read(terminal, text + length, MOST - length)) > 0;) {
        length += (size_t)got;
        if (round < rounds && draws(text, length) >= drawn + 2) {
            drawn = draws(text, length);
            act(action, terminal, round++, job);
        }
    }
    fwrite(text, 1, length, stdout);
    while (fgets(line, sizeof line, report))
        fputs(line, stderr);
    waitpid(child, NULL, 0);
    free(text);
    return 0;
}
