#include "cli/signals.h"

#include <signal.h>
#include <time.h>

/* A handler has nowhere else to put it, and the signal may arrive in a thread of a library, where a signal that is
 * only blocked in ours would kill the program. */
static volatile sig_atomic_t requests;

static void count_request(int signal_number)
{
    (void)signal_number;
    requests = requests + 1;
}

void stops_take(void)
{
    struct sigaction action = {.sa_handler = count_request, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

int stops_asked(void)
{
    return requests;
}

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void pause_ms(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}
