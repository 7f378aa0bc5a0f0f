#include "cli/gnuplot.h"

#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void gnuplot_put_text(struct buf *script, const char *text)
{
    buf_printf(script, "'");
    for (; *text; text++)
        buf_printf(script, *text == '\'' ? "''" : "%c", (unsigned char)*text < ' ' ? ' ' : *text);
    buf_printf(script, "'");
}

/* A file in memory that is passed on to children. −1: there is none. */
static int memory_file(const struct buf *content)
{
    const int fd = memfd_create("gnuplot", 0);
    size_t done = 0;
    while (fd >= 0 && done < content->size) {
        const ssize_t size = write(fd, content->data + done, content->size - done);
        if (size < 0 && errno != EINTR) {
            close(fd);
            return -1;
        }
        done += size > 0 ? (size_t)size : 0;
    }
    return fd;
}

/* gnuplot with the script as its file, and standard output and error in output_fd. */
static int run(char *program, int script_fd, int output_fd, struct problem *problem)
{
    char *script = xasprintf("/proc/self/fd/%d", script_fd);
    char default_session[] = "-d"; /* not what the user's own settings file says */
    struct process process;
    int err = process_start(&process, (char *[]){program, default_session, script, NULL}, output_fd, problem);
    free(script);
    if (err)
        return err;
    process_wait(&process);
    if (WIFEXITED(process.wait_status) && WEXITSTATUS(process.wait_status) == 0)
        return 0;
    char end[64], said[200] = "";
    process_end_text(&process, end);
    const ssize_t size = pread(output_fd, said, sizeof said - 1, 0);
    said[size > 0 ? size : 0] = '\0';
    return problem_set(problem, ERR_IO, "gnuplot: %s: %s", end, said);
}

int gnuplot_make(const struct buf *script, const char *path, struct problem *problem)
{
    char *program = NULL;
    if (program_find("gnuplot", &program, problem) != 0)
        return problem_set(
            problem, ERR_NOT_FOUND,
            "the pictures are drawn by gnuplot, which is not installed: apt-get install gnuplot-nox");
    char *unfinished = xasprintf("%s.part", path);
    const int script_fd = memory_file(script);
    const int output_fd = open(unfinished, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int err = 0;
    if (script_fd < 0 || output_fd < 0)
        err = problem_set(problem, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (!err)
        err = run(program, script_fd, output_fd, problem);
    if (!err && (fsync(output_fd) != 0 || rename(unfinished, path) != 0))
        err = problem_set(problem, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (err && output_fd >= 0)
        unlink(unfinished);
    if (script_fd >= 0)
        close(script_fd);
    if (output_fd >= 0)
        close(output_fd);
    free(unfinished);
    free(program);
    return err;
}
