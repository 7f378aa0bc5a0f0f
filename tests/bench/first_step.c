/* first_step: how long it takes from a lease to the first step of its training: a process is started, loads
 * its libraries, maps the data set, builds the network, measures the cost of f and f′ and makes one step.
 * Ends it there, and does it again.
 *
 *   first_step [DATA]
 *
 * DATA: a data set of the cache, fashion-mnist where none is named. */
#include "common/child.h"
#include "worker/nn/data.h"
#include "worker/slot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 21 };

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/* Of the processes that have ended; other programs disturb it less than the time that went by. */
static double processor_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
}

/* actsearch-worker of the same build: this program is in its folder bench/. */
static char *worker_program(void)
{
    char self[PATH_MAX] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        return NULL;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
    }
    return xasprintf("%s/actsearch-worker", self);
}

/* Milliseconds, or negative where there was no first step. */
static double once(const struct slot_setup *setup, const struct msg_lease *lease)
{
    static struct msg outcome;
    struct slot slot = {0};
    struct problem problem = {0};
    const double start = now_ms();
    if (slot_start(&slot, 0, setup, lease, -1, (int64_t)start, &problem) != 0) {
        fprintf(stderr, "%s\n", problem.text);
        return -1;
    }
    for (;;) {
        struct epoll_event event;
        epoll_wait(setup->epoll, &event, 1, 1000);
        enum slot_news news = slot_read(&slot, setup, (int64_t)now_ms(), &outcome);
        if (news == SLOT_NOTHING)
            continue;
        const double took = now_ms() - start;
        slot_end(&slot);
        if (news == SLOT_MOVED || slot.first_step_ms >= 0)
            return took;
        fprintf(stderr, "%s\n",
                outcome.type == MSG_FAILURE ? outcome.failure_.reason : "no progress was told");
        return -1;
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int measure(const struct slot_setup *setup, const char *data, const char *model)
{
    static struct msg_lease lease = {.attempt = 1, .trial = 1, .seed = 1, .activation = "x*sigmoid(b0*x)"};
    struct child child = child_defaults();
    struct buf text = {0};
    snprintf(child.model, sizeof child.model, "%s", model);
    snprintf(child.data, sizeof child.data, "%s", data);
    child_print(&child, &text);
    msg_put_text(lease.child, sizeof lease.child, buf_text(&text));
    buf_release(&text);
    double took[TIMES];
    const double before = processor_ms();
    for (int i = 0; i < TIMES; i++)
        if ((took[i] = once(setup, &lease)) < 0)
            return 1;
    qsort(took, TIMES, sizeof *took, ascending);
    printf("%-13s %-10s lease to first step: median %5.1f ms, fastest %5.1f, slowest %5.1f, of %d; processor "
           "time %5.1f ms\n",
           data, model, took[TIMES / 2], took[0], took[TIMES - 1], TIMES, (processor_ms() - before) / TIMES);
    return 0;
}

int main(int argc, char **argv)
{
    const struct child defaults = child_defaults();
    const char *name = argc > 1 ? argv[1] : defaults.data;
    struct problem problem = {0};
    struct data *data = NULL;
    char *cache = data_cache_dir(NULL), *program = worker_program();
    struct slot_setup setup = {
        .program = program, .cache_dir = cache, .stall_ms = 60000, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int failed = 0;
    if (data_open(cache, name, &data, &problem) != 0)
        printf("skipped: %s\n", problem.text);
    else
        failed = measure(&setup, name, "mlp") || measure(&setup, name, "cnn");
    data_close(&data);
    close(setup.epoll);
    free(program);
    free(cache);
    return failed;
}
