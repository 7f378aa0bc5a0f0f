#include "coordinator/audit.h"

#include "common/buf.h"
#include "common/err.h"
#include "common/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void audit_release(struct audit *audit)
{
    for (size_t i = 0; i < audit->host_count; i++) {
        queue_release(&audit->hosts[i].queue);
        free(audit->hosts[i].names);
    }
    free(audit->hosts);
    map_release(&audit->losses);
    *audit = (struct audit){0};
}

bool audit_chooses(double share, int64_t trial)
{
    struct buf text = {0};
    buf_printf(&text, "audit");
    buf_put_u64(&text, (uint64_t)trial);
    const double place = (double)(hash64(text.data, text.size) >> 11) * 0x1p-53; /* in [0, 1) */
    buf_release(&text);
    return place < share;
}

void audit_put(struct audit *audit, int64_t trial, const char *hosts)
{
    size_t at = 0;
    while (at < audit->host_count && strcmp(audit->hosts[at].names, hosts) != 0)
        at++;
    if (at == audit->host_count) {
        audit->hosts = xrealloc(audit->hosts, ++audit->host_count, sizeof *audit->hosts);
        audit->hosts[at] = (struct audit_host){.names = xstrdup(hosts)};
    }
    queue_put(&audit->hosts[at].queue, trial);
    audit->waiting++;
}

void audit_add(struct audit *audit, int64_t trial, const char *host)
{
    if (audit_chooses(audit->share, trial))
        audit_put(audit, trial, host);
}

static bool is_among(const char *names, const char *host)
{
    const size_t length = strlen(host);
    for (const char *name = names; name; name = strchr(name, '\n')) {
        name += *name == '\n';
        if (strncmp(name, host, length) == 0 && (name[length] == '\0' || name[length] == '\n'))
            return true;
    }
    return false;
}

/* Whose first waiting trial is the lowest, without `host`; NULL: none waits. */
static struct audit_host *next_for(const struct audit *audit, const char *host)
{
    struct audit_host *best = NULL;
    for (size_t i = 0; i < audit->host_count; i++) {
        struct audit_host *other = &audit->hosts[i];
        if (other->queue.count > 0 && (!best || other->queue.heap[0] < best->queue.heap[0]) &&
            !is_among(other->names, host))
            best = other;
    }
    return best;
}

int64_t audit_take(struct audit *audit, const char *host)
{
    struct audit_host *other = next_for(audit, host);
    if (!other)
        return 0;
    audit->waiting--;
    audit->under_way++;
    return queue_take(&other->queue);
}

bool audit_has_for(const struct audit *audit, const char *host)
{
    return next_for(audit, host) != NULL;
}

void audit_settle(struct audit *audit, int64_t trial, const char *hosts)
{
    for (size_t i = 0; i < audit->host_count; i++)
        if (strcmp(audit->hosts[i].names, hosts) == 0 && queue_remove(&audit->hosts[i].queue, trial))
            audit->waiting--;
}

void audit_done(struct audit *audit)
{
    assert(audit->under_way > 0);
    audit->under_way--;
}

bool audit_lost(struct audit *audit, int64_t trial, const char *hosts, bool counts)
{
    audit_done(audit);
    const uint32_t losses = map_get(&audit->losses, (uint64_t)trial) + (counts ? 1 : 0);
    if (losses >= audit->losses_max)
        return false;
    if (counts)
        map_set(&audit->losses, (uint64_t)trial, losses);
    audit_put(audit, trial, hosts);
    return true;
}
