#include "worker/host.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||       \
    HAS_FEATURE(thread_sanitizer)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static const int64_t MEMORY_MIN = INT64_C(1) << 30;

int host_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than the set has room for */
    return online > 0 ? (int)online : 1;
}

void host_name(char *ret_text, size_t size)
{
    if (gethostname(ret_text, size) != 0 || memchr(ret_text, '\0', size) == NULL)
        snprintf(ret_text, size, "unknown");
}

void host_cpu_model(char *ret_text, size_t size)
{
    snprintf(ret_text, size, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file)
        return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        const char *value = strstr(line, ": ");
        if (strncmp(line, "model name", strlen("model name")) != 0 || !value)
            continue;
        snprintf(ret_text, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        break;
    }
    fclose(file);
}

int64_t host_memory_for(int trainers)
{
    if (SANITIZED)
        return 0;
    int64_t all = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t each = all / 10 * 9 / trainers;
    return each < MEMORY_MIN ? MEMORY_MIN : each;
}

int host_allow_descriptors(int count, struct problem *problem)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= (rlim_t)count)
        return 0;
    if (limit.rlim_max < (rlim_t)count)
        return problem_set(
            problem, ERR_LIMIT,
            "%d descriptors are needed for so many slots, and this process may have %ju (ulimit -n)", count,
            (uintmax_t)limit.rlim_max);
    limit.rlim_cur = (rlim_t)count;
    setrlimit(RLIMIT_NOFILE, &limit);
    return 0;
}
