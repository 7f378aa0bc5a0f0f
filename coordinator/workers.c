#include "coordinator/workers.h"

#include "common/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint64_t name_key(const char *name)
{
    return hash64(name, strlen(name));
}

static struct worker_row *row_of(const struct workers *workers, int64_t worker)
{
    assert(worker > 0 && (size_t)worker <= workers->kept->workers.count);
    return &workers->kept->workers.items[worker - 1];
}

static void make_room(struct workers *workers)
{
    if (workers->kept->workers.count < workers->capacity)
        return;
    size_t wanted = 2 * workers->kept->workers.count + 16;
    workers->items = xrealloc(workers->items, wanted, sizeof *workers->items);
    memset(workers->items + workers->capacity, 0, (wanted - workers->capacity) * sizeof *workers->items);
    workers->capacity = wanted;
}

static void touch_row(struct workers *workers, int64_t worker)
{
    if (workers->items[worker].changed)
        return;
    if (workers->changed_count == workers->changed_capacity) {
        workers->changed_capacity = workers->changed_capacity == 0 ? 16 : workers->changed_capacity * 2;
        workers->changed = xrealloc(workers->changed, workers->changed_capacity, sizeof *workers->changed);
    }
    workers->changed[workers->changed_count++] = (uint32_t)worker;
    workers->items[worker].changed = true;
}

static void set_connected(struct workers *workers, int64_t worker, bool connected)
{
    struct worker_row *row = row_of(workers, worker);
    if (row->connected == connected)
        return;
    row->connected = connected;
    workers->connected += connected ? 1 : -1;
    touch_row(workers, worker);
}

static uint64_t machine_key(const struct worker_row *row)
{
    const uint64_t parts[] = {name_key(row->host), name_key(row->key)};
    return hash64(parts, sizeof parts);
}

static void list_shut_out(struct workers *workers, int64_t worker)
{
    workers->shut_out = xrealloc(workers->shut_out, workers->shut_out_count + 1, sizeof *workers->shut_out);
    workers->shut_out[workers->shut_out_count++] = (uint32_t)worker;
}

void workers_start(struct workers *workers, struct rows *kept, bool over)
{
    *workers = (struct workers){.kept = kept, .groups = xcalloc(1, sizeof *workers->groups)};
    make_room(workers);
    for (size_t i = 0; i < kept->workers.count; i++) {
        struct worker_row *row = &kept->workers.items[i];
        assert(row->id == (int64_t)i + 1);
        map_set(&workers->by_name, name_key(row->name), (uint32_t)row->id);
        if (row->results > 0)
            map_set(&workers->proven, machine_key(row), 1);
        if (row->shut_out_ms != 0)
            list_shut_out(workers, row->id);
        if (!row->connected) /* to the coordinator before this one */
            continue;
        workers->items[row->id].awaited = true;
        workers->connected++;
        if (!over)
            set_connected(workers, row->id, false);
    }
}

void workers_release(struct workers *workers)
{
    free(workers->items);
    free(workers->line);
    free(workers->changed);
    free(workers->shut_out);
    free(workers->groups);
    map_release(&workers->by_key);
    map_release(&workers->proven);
    map_release(&workers->by_peer);
    map_release(&workers->by_name);
    *workers = (struct workers){0};
}

static void hearing_append(struct workers *workers, uint32_t at)
{
    struct worker *worker = &workers->items[at];
    worker->before = workers->tail;
    worker->after = 0;
    if (workers->tail != 0)
        workers->items[workers->tail].after = at;
    else
        workers->head = at;
    workers->tail = at;
}

static void hearing_remove(struct workers *workers, uint32_t at)
{
    struct worker *worker = &workers->items[at];
    if (worker->before != 0)
        workers->items[worker->before].after = worker->after;
    else
        workers->head = worker->after;
    if (worker->after != 0)
        workers->items[worker->after].before = worker->before;
    else
        workers->tail = worker->before;
}

int64_t workers_at(const struct workers *workers, uint64_t peer)
{
    return map_get(&workers->by_peer, peer);
}

uint64_t workers_peer(const struct workers *workers, int64_t worker)
{
    row_of(workers, worker);
    return workers->items[worker].peer;
}

const struct worker_row *workers_row(const struct workers *workers, int64_t worker)
{
    return row_of(workers, worker);
}

void workers_disconnect(struct workers *workers, int64_t worker)
{
    struct worker *item = &workers->items[worker];
    if (item->peer == 0)
        return;
    map_remove(&workers->by_peer, item->peer);
    hearing_remove(workers, (uint32_t)worker);
    item->peer = 0;
    workers->wanting -= item->wanting;
    item->wanting = 0; /* its place in the line falls away when its turn comes */
    set_connected(workers, worker, false);
    if (item->group != 0)
        workers->groups[item->group].connected--;
}

void workers_miss(struct workers *workers, int64_t worker)
{
    workers_disconnect(workers, worker);
    set_connected(workers, worker, true);
}

void workers_miss_awaited(struct workers *workers)
{
    for (size_t i = 1; i <= workers->kept->workers.count; i++)
        if (workers->items[i].awaited)
            set_connected(workers, (int64_t)i, true);
}

void workers_forget_missed(struct workers *workers)
{
    for (size_t i = 1; i <= workers->kept->workers.count; i++)
        if (workers->items[i].peer == 0)
            set_connected(workers, (int64_t)i, false);
}

uint32_t workers_group(struct workers *workers, const char *key)
{
    uint32_t group = map_get(&workers->by_key, name_key(key));
    if (group == 0) {
        group = ++workers->group_count;
        workers->groups = xrealloc(workers->groups, (size_t)group + 1, sizeof *workers->groups);
        workers->groups[group] = (struct worker_group){0};
        map_set(&workers->by_key, name_key(key), group);
    }
    return group;
}

uint32_t workers_group_of(const struct workers *workers, int64_t worker)
{
    row_of(workers, worker);
    return workers->items[worker].group;
}

int64_t workers_group_connected(const struct workers *workers, uint32_t group)
{
    return group != 0 ? workers->groups[group].connected : 0;
}

bool workers_may_join(struct workers *workers, uint32_t group, int64_t now_ms)
{
    struct worker_group *joins = &workers->groups[group];
    const int64_t seconds = (now_ms - joins->joined_ms) / 1000;
    joins->joined = joins->joined > seconds ? joins->joined - seconds : 0;
    joins->joined_ms = joins->joined == 0 ? now_ms : joins->joined_ms + 1000 * seconds;
    if (joins->joined >= KEY_NEW_WORKERS)
        return false;
    joins->joined++;
    return true;
}

int64_t workers_find(const struct workers *workers, const char *name)
{
    return map_get(&workers->by_name, name_key(name));
}

bool workers_same_machine(const struct workers *workers, int64_t a, int64_t b)
{
    const struct worker_row *one = row_of(workers, a), *other = row_of(workers, b);
    return strcmp(one->host, other->host) == 0 && strcmp(one->key, other->key) == 0;
}

bool workers_proven(const struct workers *workers, int64_t worker)
{
    return map_get(&workers->proven, machine_key(row_of(workers, worker))) != 0;
}

void workers_shut_out(struct workers *workers, int64_t worker, int64_t now_ms)
{
    row_of(workers, worker)->shut_out_ms = now_ms;
    touch_row(workers, worker);
    list_shut_out(workers, worker);
}

bool workers_unwelcome(const struct workers *workers, const char *host, const char *key)
{
    for (size_t i = 0; i < workers->shut_out_count; i++) {
        const struct worker_row *row = row_of(workers, workers->shut_out[i]);
        if (strcmp(row->host, host) == 0 && strcmp(row->key, key) == 0)
            return true;
    }
    return false;
}

int64_t workers_hello(struct workers *workers, uint64_t peer, const char *key, const struct msg_hello *hello,
                      int64_t now_ms)
{
    assert(peer != 0);
    const uint32_t group = key[0] != '\0' ? workers_group(workers, key) : 0;
    int64_t worker = workers_find(workers, hello->worker);
    if (worker == 0) {
        struct rows *kept = workers->kept;
        make_room(workers);
        struct worker_row *row = rows_worker(kept);
        worker = (int64_t)kept->workers.count;
        *row = (struct worker_row){.id = worker,
                                   .name = rows_keep(kept, hello->worker),
                                   .host = rows_keep(kept, hello->host),
                                   .pid = hello->pid,
                                   .trainer = rows_keep(kept, hello->trainer),
                                   .kernels = rows_keep(kept, hello->kernels),
                                   .cpu = rows_keep(kept, hello->cpu),
                                   .key = rows_keep(kept, key),
                                   .numerics = hello->numerics,
                                   .first_ms = now_ms};
        make_room(workers);
        map_set(&workers->by_name, name_key(hello->worker), (uint32_t)worker);
    }
    struct worker_row *row = row_of(workers, worker);
    struct worker *item = &workers->items[worker];
    if (item->peer != peer) {
        int64_t other = workers_at(workers, peer);
        if (other != 0)
            workers_disconnect(workers, other);
        workers_disconnect(workers, worker);
        item->peer = peer;
        item->group = group;
        if (group != 0)
            workers->groups[group].connected++;
        item->heard_ms = now_ms;
        map_set(&workers->by_peer, peer, (uint32_t)worker);
        hearing_append(workers, (uint32_t)worker);
        item->awaited = false;
        set_connected(workers, worker, true);
    }
    if (row->slots != hello->slots) {
        row->slots = hello->slots;
        touch_row(workers, worker);
    }
    workers_heard(workers, worker, now_ms);
    return worker;
}

void workers_heard(struct workers *workers, int64_t worker, int64_t now_ms)
{
    struct worker *item = &workers->items[worker];
    assert(item->peer != 0 && item->heard_ms <= now_ms);
    item->heard_ms = now_ms;
    row_of(workers, worker)->last_ms = now_ms;
    if (workers->tail != (uint32_t)worker) {
        hearing_remove(workers, (uint32_t)worker);
        hearing_append(workers, (uint32_t)worker);
    }
}

void workers_excuse(struct workers *workers, int64_t for_ms)
{
    for (uint32_t at = workers->head; at != 0; at = workers->items[at].after)
        workers->items[at].heard_ms += for_ms;
}

int64_t workers_most_silent(const struct workers *workers, int64_t *ret_heard_ms)
{
    if (workers->head != 0)
        *ret_heard_ms = workers->items[workers->head].heard_ms;
    return workers->head;
}

static void line_append(struct workers *workers, uint32_t worker)
{
    if (workers->line_count == workers->line_capacity) {
        size_t capacity = workers->line_capacity == 0 ? 16 : workers->line_capacity * 2;
        uint32_t *line = xcalloc(capacity, sizeof *line);
        for (size_t i = 0; i < workers->line_count; i++)
            line[i] = workers->line[(workers->line_start + i) % workers->line_capacity];
        free(workers->line);
        workers->line = line;
        workers->line_start = 0;
        workers->line_capacity = capacity;
    }
    workers->line[(workers->line_start + workers->line_count++) % workers->line_capacity] = worker;
    workers->items[worker].in_line = true;
}

void workers_want(struct workers *workers, int64_t worker, int64_t wanting, int64_t now_ms)
{
    struct worker *item = &workers->items[worker];
    assert(item->peer != 0 && wanting >= 0);
    if (now_ms < item->rests_until_ms)
        wanting = 0;
    workers->wanting += wanting - item->wanting;
    item->wanting = wanting;
    if (wanting > 0 && !item->in_line)
        line_append(workers, (uint32_t)worker);
}

int64_t workers_next(struct workers *workers)
{
    while (workers->line_count > 0) {
        uint32_t worker = workers->line[workers->line_start];
        struct worker *item = &workers->items[worker];
        workers->line_start = (workers->line_start + 1) % workers->line_capacity;
        workers->line_count--;
        item->in_line = false;
        if (item->peer == 0 || item->wanting == 0)
            continue;
        workers->wanting--;
        if (--item->wanting > 0)
            line_append(workers, worker);
        return worker;
    }
    return 0;
}

void workers_count_result(struct workers *workers, int64_t worker)
{
    if (row_of(workers, worker)->results++ == 0)
        map_set(&workers->proven, machine_key(row_of(workers, worker)), 1);
    workers->items[worker].failures = 0;
    touch_row(workers, worker);
}

void workers_count_lost(struct workers *workers, int64_t worker, int change)
{
    row_of(workers, worker)->lost += change;
    touch_row(workers, worker);
}

void workers_count_failure(struct workers *workers, int64_t worker, int64_t rest_ms, int64_t now_ms)
{
    struct worker *item = &workers->items[worker];
    if (++item->failures < 2)
        return;
    int64_t doubled = item->failures - 2 < 6 ? item->failures - 2 : 6;
    item->rests_until_ms = now_ms + (rest_ms << doubled);
    if (item->peer != 0)
        workers_want(workers, worker, 0, now_ms);
}

void workers_write(struct workers *workers, struct rows *changes)
{
    for (size_t i = 0; i < workers->changed_count; i++) {
        uint32_t worker = workers->changed[i];
        *rows_worker(changes) = *row_of(workers, worker);
        workers->items[worker].changed = false;
    }
    workers->changed_count = 0;
}
