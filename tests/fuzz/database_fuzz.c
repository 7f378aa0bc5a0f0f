/* database_fuzz: a results database with some bytes changed. Reading it, restoring from it and starting a
 * coordinator on it end in an error or go well, and never crash.
 *
 * The input is a list of changes, 4 bytes each: where in the file (24 bits, modulo its size), and what is
 * written there. The database is the same each time: a search in the middle. */
#define CORE_FIXTURE_REAL_SEARCH
#include "tests/unit/core_fixture.h"

#include "coordinator/resume.h"
#include "coordinator/store.h"
#include "coordinator/store_read.h"

#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct experiment *experiment;
    struct space *space;
    char path[64];
    uint8_t *bytes;
    size_t size;
} sound;

/* Some outcomes by one worker, some leases open. */
static void search_for_a_while(struct store *store)
{
    struct rows restored = {0};
    struct problem problem = {0};
    struct core *core = NULL;
    struct msg msg = hello_of("0123456789abcdef0123456789abcdef", 3);
    int err = store_restore(store, &restored, &problem);
    if (!err)
        err = core_new(sound.experiment, sound.space, &restored, 1000, &core, &problem);
    assert(err == 0);
    core_receive(core, 1, &msg, 1000);
    for (int turn = 0; turn < 8; turn++) {
        size_t count;
        msg = request_of(3);
        core_receive(core, 1, &msg, 1000);
        core_advance(core, 1000);
        err = store_write(store, core_rows(core), &problem);
        assert(err == 0);
        struct core_send *sends = core_sends(core, &count);
        struct msg results[8] = {0};
        int leased = 0;
        for (size_t i = 0; i < count && leased < 8; i++)
            if (sends[i].type == MSG_LEASE) {
                core_message(core, &sends[i], &msg);
                results[leased].type = MSG_RESULT;
                results[leased++].result_ = result_of(&msg.lease_);
            }
        core_clear(core, 1000);
        for (int i = 0; i < leased - (turn == 7); i++)
            core_receive(core, 1, &results[i], 1000);
    }
    core_destroy(&core);
}

static void start(void)
{
    static const char *const settings[] = {"search.algorithm=random", "search.candidates=9", "search.batch=6",
                                           "child.seeds=2", NULL};
    struct problem problem = {0};
    struct store *store = NULL;
    sound.experiment = experiment_with(settings);
    sound.space = space_with(sound.experiment);
    snprintf(sound.path, sizeof sound.path, "%s/actsearch-fuzz-%d.db",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    unlink(sound.path);
    int err = store_open(sound.path, sound.experiment, &store, &problem);
    assert(err == 0);
    search_for_a_while(store);
    store_close(&store);
    FILE *file = fopen(sound.path, "rbe");
    assert(file);
    sound.bytes = xcalloc(1 << 20, 1);
    sound.size = fread(sound.bytes, 1, 1 << 20, file);
    fclose(file);
    assert(sound.size > 10000 && sound.size < 1 << 20);
}

static bool pass_row(void *context, const struct ranking_row *row)
{
    *(size_t *)context += strlen(row->activation);
    return true;
}

static void read_it(void)
{
    struct store_reader *reader = NULL;
    struct problem problem = {0};
    struct progress_row progress;
    size_t length = 0;
    if (store_reader_open(sound.path, &reader, &problem) == 0) {
        int64_t count;
        store_ranking(reader, 0, pass_row, &length, &problem);
        store_ranking_top(reader, 3, pass_row, &length, &count, &problem);
        store_progress(reader, &progress, &problem);
    }
    store_reader_close(&reader);
}

/* Returns 0 where a coordinator goes on with it. */
static int go_on(void)
{
    struct store *store = NULL;
    struct rows rows = {0};
    struct problem problem = {0};
    struct core *core = NULL;
    bool grown;
    int err = store_open(sound.path, sound.experiment, &store, &problem);
    if (!err)
        err = store_restore(store, &rows, &problem);
    if (!err)
        err = resume_check(&rows.experiment, sound.experiment, &grown, &problem);
    if (!err)
        err = core_new(sound.experiment, sound.space, &rows, 1000, &core, &problem);
    if (!err) {
        struct msg msg = hello_of("another", 8);
        core_receive(core, 2, &msg, 2000);
        msg = request_of(8);
        core_receive(core, 2, &msg, 2000);
        core_advance(core, 2000);
        err = store_write(store, core_rows(core), &problem);
        core_clear(core, 2000);
    }
    assert(err == 0 || problem.text[0] != '\0');
    core_destroy(&core);
    rows_release(&rows);
    store_close(&store);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!sound.bytes)
        start();
    uint8_t *bytes = xcalloc(sound.size, 1);
    memcpy(bytes, sound.bytes, sound.size);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        size_t at = ((size_t)data[i] << 16 | (size_t)data[i + 1] << 8 | data[i + 2]) % sound.size;
        bytes[at] = data[i + 3];
    }
    FILE *file = fopen(sound.path, "wbe");
    assert(file);
    size_t written = fwrite(bytes, 1, sound.size, file);
    fclose(file);
    assert(written == sound.size);
    free(bytes);
    read_it();
    int err = go_on();
    assert(size >= 4 || err == 0); /* nothing was changed */
    static const char *const left[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        char path[80];
        snprintf(path, sizeof path, "%s%s", sound.path, left[i]);
        unlink(path);
    }
    return 0;
}
