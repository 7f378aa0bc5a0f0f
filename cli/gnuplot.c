#include "cli/gnuplot.h"

#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void gnuplot_put_text(struct buf *script, const char *text)
{
    buf_printf(script, "'");
    for (; *text; text++)
        buf_printf(script, *text == '\'' ? "''" : "%c", (unsigned char)*text < ' ' ? ' ' : *text);
    buf_printf(script, "'");
}

/* What a picture is called until it is whole. */
#define PART ".part"

/* The script as a file in memory, which is passed on to children, with the picture going to picture_fd. −1:
 * there is none. */
static int script_file(const struct buf *script, int picture_fd)
{
    struct buf whole = {0};
    buf_printf(&whole, "set output '/proc/self/fd/%d'\n", picture_fd);
    buf_put(&whole, script->data, script->size);
    const int fd = memfd_create("script", 0);
    FILE *file = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
    const bool written = file && fwrite(whole.data, whole.size, 1, file) == 1;
    const bool closed = file && fclose(file) == 0;
    buf_release(&whole);
    if (fd >= 0 && !(written && closed)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* gnuplot with the script as its file. What it says, warnings too, goes to log_fd. */
static int run(char *program, int script_fd, int log_fd, struct problem *problem)
{
    char *script = xasprintf("/proc/self/fd/%d", script_fd);
    char default_session[] = "-d"; /* not what the user's own settings file says */
    struct process process;
    int err = process_start(&process, (char *[]){program, default_session, script, NULL}, log_fd, problem);
    free(script);
    if (err)
        return err;
    process_wait(&process);
    if (WIFEXITED(process.wait_status) && WEXITSTATUS(process.wait_status) == 0)
        return 0;
    char end[64], said[200] = "";
    process_end_text(&process, end);
    const ssize_t size = pread(log_fd, said, sizeof said - 1, 0);
    said[size > 0 ? size : 0] = '\0';
    return problem_set(problem, ERR_IO, "gnuplot: %s: %s", end, said);
}

/* The picture as the file `unfinished`, which may be there after a failure too. */
static int draw(char *program, const struct buf *script, const char *unfinished, struct problem *problem)
{
    const int picture_fd = open(unfinished, O_RDWR | O_CREAT | O_TRUNC, 0666); /* passed on */
    if (picture_fd < 0)
        return problem_set(problem, ERR_IO, "cannot write %.*s: %s",
                           (int)strlen(unfinished) - (int)strlen(PART), unfinished, strerror(errno));
    const int script_fd = script_file(script, picture_fd), log_fd = memfd_create("log", MFD_CLOEXEC);
    int err = 0;
    if (script_fd < 0 || log_fd < 0)
        err = problem_set(problem, ERR_IO, "no file in memory for gnuplot: %s", strerror(errno));
    if (!err)
        err = run(program, script_fd, log_fd, problem);
    struct stat status;
    if (!err && (fstat(picture_fd, &status) != 0 || fsync(picture_fd) != 0))
        err = problem_set(problem, ERR_IO, "cannot write %s: %s", unfinished, strerror(errno));
    else if (!err && status.st_size == 0)
        err = problem_set(problem, ERR_IO, "gnuplot wrote nothing");
    close(picture_fd);
    if (script_fd >= 0)
        close(script_fd);
    if (log_fd >= 0)
        close(log_fd);
    return err;
}

int gnuplot_make(const struct buf *script, const char *path, struct problem *problem)
{
    char *program = NULL;
    if (program_find("gnuplot", &program, problem) != 0)
        return problem_set(
            problem, ERR_NOT_FOUND,
            "the pictures are drawn by gnuplot, which is not installed: apt-get install gnuplot-nox");
    char *unfinished = xasprintf("%s" PART, path);
    int err = draw(program, script, unfinished, problem);
    if (!err && rename(unfinished, path) != 0)
        err = problem_set(problem, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (err)
        unlink(unfinished);
    free(unfinished);
    free(program);
    return err;
}
