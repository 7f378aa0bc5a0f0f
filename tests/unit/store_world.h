/* store_world: the simulated search with a real store behind it. */
#ifndef TESTS_UNIT_STORE_WORLD_H
#define TESTS_UNIT_STORE_WORLD_H

#include "tests/unit/core_world.h"
#include "tests/unit/store_fixture.h"

struct store_disk {
    struct second_disk disk; /* first, so that one is the other */
    struct store *store;
    void (*after)(struct store_disk *disk); /* each commit; or NULL */
    int commits, checked;                   /* `checked` is for `after` to count */
};

static void commit_to_store(struct second_disk *disk, const struct rows *changes)
{
    struct store_disk *self = (struct store_disk *)disk;
    write_store(self->store, changes);
    self->commits++;
    if (self->after)
        self->after(self);
}

/* A search to its end on `path`, among workers that crash. Returns `checked`. */
static int search_on(const char *path, const char *const *settings, void (*after)(struct store_disk *disk))
{
    struct experiment *experiment = experiment_with(settings);
    int restarts = 0, crashes = 0;
    remove_database(path);
    struct store_disk disk = {
        .disk = {.commit = commit_to_store}, .store = open_store(path, experiment), .after = after};
    struct rows end =
        run_world_on(&disk.disk, settings, 3, (struct weather){.worker_crash = 8, .delay_ms = 100}, 4,
                     &restarts, &crashes);
    rows_release(&end);
    store_close(&disk.store);
    experiment_destroy(&experiment);
    return disk.checked;
}

#endif
