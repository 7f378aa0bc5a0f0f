/* audit: which closed trials are trained once more, on another host, and which of them still are to be. Pure.
 *
 * Two hosts that compute the same training must come to the same bits. A share of the trials is chosen by a
 * hash of the trial's number: the same trials in each run and after each start, whatever happens when. And
 * where two hosts differ, a third is asked (judge.h).
 *
 * `hosts` are the names of those that have reported the trial already, one a line.
 *
 * Invariants
 * 1. A trial waits, or is under way, or neither (its audit is done, or was lost too often); never two of
 * these.
 * 2. It is given to a host that has not reported it.
 * 3. `waiting` is the number of those that wait, over all hosts.
 */
#ifndef COORDINATOR_AUDIT_H
#define COORDINATOR_AUDIT_H

#include "coordinator/map.h"
#include "coordinator/queue.h"

/* Trials that wait, by the hosts that have reported them. */
struct audit_host {
    char *names;
    struct queue queue;
};

struct audit {
    double share;       /* 0 … 1 */
    int64_t losses_max; /* an audit that is lost so often is given up */
    struct audit_host *hosts;
    size_t host_count;
    int64_t waiting, under_way;
    struct map losses; /* by trial */
};

void audit_release(struct audit *audit);
bool audit_chooses(double share, int64_t trial);

/* A trial was closed by a result from that host. It waits, if it is chosen. */
void audit_add(struct audit *audit, int64_t trial, const char *host);
/* It waits, chosen or not. */
void audit_put(struct audit *audit, int64_t trial, const char *hosts);
/* The lowest waiting trial that this host has not reported, which is under way then; 0: there is none. */
int64_t audit_take(struct audit *audit, const char *host);
/* Whether audit_take would find one. */
bool audit_has_for(const struct audit *audit, const char *host);
/* A trial that these have reported was reported by one more without an audit: if it waits, it does no more. */
void audit_settle(struct audit *audit, int64_t trial, const char *hosts);
/* One that is under way has its second result. */
void audit_done(struct audit *audit);
/* One that is under way, of a trial that these have reported, has none, and waits again. False where it is
 * given up, which only a loss that counts brings about. */
bool audit_lost(struct audit *audit, int64_t trial, const char *hosts, bool counts);

#endif
