#include "cli/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 20, BYTES = 16384 };

int log_open(const char *path, int64_t *ret_start, struct problem *problem)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return problem_set(problem, ERR_IO, "%.200s cannot be made: %s", path, strerror(errno));
    *ret_start = lseek(fd, 0, SEEK_END);
    return fd;
}

void log_print_end(const char *path, int64_t start)
{
    char text[BYTES + 1];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    const off_t from = end - BYTES > start ? end - BYTES : start;
    const ssize_t size = fd < 0 ? 0 : pread(fd, text, BYTES, from);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    const char *first = text + strlen(text);
    for (int lines = 0; first > text; first--)
        if (first[-1] == '\n' && first[0] && ++lines == LINES)
            break;
    for (const char *line = first; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n'))
        fprintf(stderr, "  %.*s\n", (int)strcspn(line, "\n"), line);
}
