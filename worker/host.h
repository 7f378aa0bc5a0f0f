/* host: what the machine is and gives: CPUs, memory, descriptors, names. */
#ifndef WORKER_HOST_H
#define WORKER_HOST_H

#include "common/err.h"

#include <stdint.h>

/* CPUs that this process may use, at least 1. */
int host_cpus(void);
/* "unknown" where it cannot be had. */
void host_name(char *ret_text, size_t size);
/* As /proc/cpuinfo calls it; "unknown" where it does not. */
void host_cpu_model(char *ret_text, size_t size);
/* Bytes that each of so many trainers may take, so that together they leave some to the rest; 0 (no bound) in
 * builds whose sanitizers reserve address space at will. */
int64_t host_memory_for(int trainers);
/* Sees to it that this process may have so many descriptors. ERR_LIMIT where it may not. */
int host_allow_descriptors(int count, struct problem *problem);

#endif
