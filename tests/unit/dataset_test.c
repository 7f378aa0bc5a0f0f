/* The data set of a worker (worker/dataset.h): in the cache, or fetched into it from a made-up coordinator. */
#include "coordinator/blobs.h"
#include "coordinator/offer.h"
#include "tests/unit/data_fixture.h"
#include "worker/dataset.h"

#include <sys/file.h>
#include <utime.h>

enum { CIFAR_BYTES = DATA_HEADER + 6 * RECORDS * (CIFAR_PIXELS + 1) }; /* more than two pieces */

/* A coordinator that offers a data set of some name in a cache of its own, and a host beside it. */
struct stage {
    struct fixture *f;
    char host[64]; /* the cache of the host */
    struct offer *offer;
    struct blobs *blobs;
    int64_t now_ms;
    int sent;    /* pieces */
    bool spoils; /* the coordinator sends something else */
};

static int setup(void **state)
{
    struct stage *stage = xcalloc(1, sizeof *stage);
    if (fixture_start((void **)&stage->f))
        return -1;
    snprintf(stage->host, sizeof stage->host, "%s/host", stage->f->root);
    cifar10_put(stage->f);
    imported(stage->f, "own", NULL);
    if (offer_open(stage->f->cache, "own", &stage->offer, &stage->f->problem))
        return -1;
    stage->blobs = blobs_new(offer_hash(stage->offer), offer_bytes(stage->offer), rng_seed(1, "test", 0));
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;
    offer_close(&stage->offer);
    blobs_destroy(&stage->blobs);
    int err = fixture_end((void **)&stage->f);
    free(stage);
    return err;
}

static struct dataset *worker(struct stage *stage)
{
    struct dataset *dataset = dataset_new(stage->host, rng_seed(2, "test", 0));
    dataset_want(dataset, "own", offer_hash(stage->offer), offer_bytes(stage->offer));
    return dataset;
}

/* Lets so many pieces pass, or all (−1), and says what it has come to. */
static enum dataset_state play(struct stage *stage, struct dataset *dataset, int pieces)
{
    static struct msg msg;
    struct blobs_piece piece;
    for (int turn = 0; turn < 1000; turn++) {
        enum dataset_state state = dataset_turn(dataset, stage->now_ms);
        if (state != DATASET_COMING || pieces == 0)
            return state;
        while (dataset_next(dataset, stage->now_ms, &msg.fetch_))
            blobs_fetch(stage->blobs, 7, &msg.fetch_, stage->now_ms);
        while (pieces != 0 && blobs_next(stage->blobs, stage->now_ms, &piece)) {
            msg.chunk_ = (struct msg_chunk){
                .offset = piece.offset, .receipt = piece.receipt, .bytes_count = piece.size};
            memcpy(msg.chunk_.data_hash, offer_hash(stage->offer), HASH_HEX);
            assert_int_equal(
                offer_read(stage->offer, piece.offset, msg.chunk_.bytes, piece.size, &stage->f->problem), 0);
            msg.chunk_.bytes[piece.size - 1] ^= stage->spoils;
            dataset_receive(dataset, &msg.chunk_, stage->now_ms);
            stage->sent++;
            pieces--;
        }
        stage->now_ms += 10;
    }
    return DATASET_COMING;
}

static char *growing(const struct stage *stage)
{
    return xasprintf("%s/fetching/%s", stage->host, offer_hash(stage->offer));
}

static off_t size_of(const char *path)
{
    struct stat stat_of;
    return stat(path, &stat_of) == 0 ? stat_of.st_size : -1;
}

static void assert_whole(const struct stage *stage, struct dataset *dataset)
{
    struct data *data = NULL;
    struct problem problem = {0};
    char hex[HASH_HEX], *file = growing(stage);
    assert_string_equal(dataset_hash(dataset), offer_hash(stage->offer));
    assert_int_equal(data_verify(stage->host, "own", &problem), 0);
    assert_int_equal(data_open(stage->host, "own", &data, &problem), 0);
    hash_hex(&data->hash, hex);
    assert_string_equal(hex, offer_hash(stage->offer));
    assert_non_null(data->sums);
    data_close(&data);
    assert_int_equal(size_of(file), -1);
    free(file);
}

/* ---- fetching ---- */

static void a_host_with_an_empty_cache_fetches_it(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = worker(stage);
    assert_int_equal(dataset_next_ms(dataset, false), 0);
    assert_int_equal(play(stage, dataset, -1), DATASET_OPEN);
    assert_int_equal(stage->sent, (CIFAR_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES);
    assert_whole(stage, dataset);
    assert_int_equal(dataset_next_ms(dataset, true), INT64_MAX);
    dataset_destroy(&dataset);
}

static void what_is_in_the_cache_is_not_fetched(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = worker(stage);
    play(stage, dataset, -1);
    dataset_destroy(&dataset);
    stage->sent = 0;
    dataset = worker(stage);
    assert_int_equal(dataset_turn(dataset, stage->now_ms), DATASET_OPEN);
    dataset_destroy(&dataset);
}

static void a_daemon_that_was_killed_goes_on_where_it_was(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = worker(stage);
    assert_int_equal(play(stage, dataset, 2), DATASET_COMING);
    dataset_destroy(&dataset); /* what was written is there, whatever ended it */
    char *file = growing(stage);
    assert_int_equal(size_of(file), 2 * CHUNK_BYTES);
    blobs_destroy(&stage->blobs);
    stage->blobs = blobs_new(offer_hash(stage->offer), offer_bytes(stage->offer), rng_seed(1, "test", 1));
    stage->sent = 0;
    dataset = worker(stage);
    assert_int_equal(play(stage, dataset, -1), DATASET_OPEN);
    assert_int_equal(stage->sent, (CIFAR_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES - 2);
    assert_whole(stage, dataset);
    dataset_destroy(&dataset);
    free(file);
}

static void a_beginning_that_was_damaged_meanwhile_costs_a_second_try(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = worker(stage);
    play(stage, dataset, 2);
    dataset_destroy(&dataset);
    char *file = growing(stage);
    byte_set(file, DATA_HEADER + 5, 201);
    dataset = worker(stage);
    assert_int_equal(play(stage, dataset, -1), DATASET_OPEN);
    assert_whole(stage, dataset);
    dataset_destroy(&dataset);
    free(file);
}

static void a_file_that_is_longer_than_the_data_set_is_begun_anew(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = worker(stage);
    play(stage, dataset, 1);
    dataset_destroy(&dataset);
    char *file = growing(stage);
    assert_int_equal(truncate(file, CIFAR_BYTES + 1), 0);
    dataset = worker(stage);
    assert_int_equal(play(stage, dataset, -1), DATASET_OPEN);
    assert_whole(stage, dataset);
    dataset_destroy(&dataset);
    free(file);
}

/* ---- several daemons ---- */

static void one_daemon_of_a_host_fetches_and_the_other_finds_it(void **state)
{
    struct stage *stage = *state;
    struct dataset *first = worker(stage), *second = worker(stage);
    struct msg_fetch ask;
    play(stage, first, 1);
    assert_int_equal(dataset_turn(second, stage->now_ms), DATASET_COMING);
    assert_false(dataset_next(second, stage->now_ms, &ask));
    assert_int_equal(dataset_next_ms(second, true), stage->now_ms + DATASET_LOOK_MS);
    assert_int_equal(play(stage, first, -1), DATASET_OPEN);
    stage->now_ms += DATASET_LOOK_MS;
    assert_int_equal(dataset_turn(second, stage->now_ms), DATASET_OPEN);
    assert_whole(stage, second);
    dataset_destroy(&first);
    dataset_destroy(&second);
}

static void the_other_goes_on_where_the_first_was_killed(void **state)
{
    struct stage *stage = *state;
    struct dataset *first = worker(stage), *second = worker(stage);
    play(stage, first, 2);
    assert_int_equal(dataset_turn(second, stage->now_ms), DATASET_COMING);
    dataset_destroy(&first);
    stage->now_ms += BLOBS_LOST_MS;
    stage->sent = 0;
    assert_int_equal(play(stage, second, -1), DATASET_OPEN);
    assert_int_equal(stage->sent, (CIFAR_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES - 2);
    dataset_destroy(&second);
}

static void what_nobody_goes_on_with_is_removed_after_a_week(void **state)
{
    struct stage *stage = *state;
    char *dir = xasprintf("%s/fetching", stage->host), *old = xasprintf("%s/old", dir),
         *young = xasprintf("%s/young", dir), *used = xasprintf("%s/used", dir);
    const struct utimbuf long_ago = {1000000000, 1000000000};
    assert_int_equal(data_cache_make(dir, &stage->f->problem), 0);
    close(open(old, O_CREAT | O_WRONLY, 0600));
    close(open(young, O_CREAT | O_WRONLY, 0600));
    const int fd = open(used, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    utime(old, &long_ago);
    utime(used, &long_ago);
    struct dataset *dataset = worker(stage);
    dataset_turn(dataset, 0);
    assert_int_equal(size_of(old), -1);
    assert_int_equal(size_of(young), 0);
    assert_int_equal(size_of(used), 0);
    dataset_destroy(&dataset);
    close(fd);
    free(dir), free(old), free(young), free(used);
}

/* ---- failures ---- */

static void assert_fails(struct stage *stage, struct dataset *dataset, const char *part)
{
    assert_int_equal(play(stage, dataset, -1), DATASET_FAILED);
    snprintf(stage->f->problem.text, sizeof stage->f->problem.text, "%s", dataset_reason(dataset));
    assert_true(says(stage->f, part));
    dataset_destroy(&dataset);
}

static void what_never_has_the_promised_hash_fails_after_three_tries(void **state)
{
    struct stage *stage = *state;
    char *file = growing(stage);
    stage->spoils = true;
    assert_fails(stage, worker(stage), "fetched 3 times, and never had the hash");
    assert_int_equal(stage->sent, 3 * ((CIFAR_BYTES + CHUNK_BYTES - 1) / CHUNK_BYTES));
    assert_int_equal(size_of(file), -1);
    free(file);
}

static void one_of_that_name_with_another_content_is_never_replaced(void **state)
{
    struct stage *stage = *state;
    struct hash before, after;
    idx_put(stage->f, "");
    for (int i = 1; i <= 5; i++) {
        char *name = xasprintf("data_batch_%d.bin", i);
        dir_remove(stage->f, name);
        free(name);
    }
    dir_remove(stage->f, "test_batch.bin");
    assert_int_equal(data_import(stage->host, "own", stage->f->dir, &before, &stage->f->problem), 0);
    assert_fails(stage, worker(stage), "they are not the same images");
    struct data *data = NULL;
    assert_int_equal(data_open(stage->host, "own", &data, &stage->f->problem), 0);
    after = data->hash;
    data_close(&data);
    assert_memory_equal(&before, &after, sizeof before);
}

static void without_an_offer_it_says_where_to_add_it(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = dataset_new(stage->host, rng_seed(1, "test", 0));
    assert_int_equal(dataset_turn(dataset, 0), DATASET_NONE);
    dataset_want(dataset, "own", "", 0);
    assert_fails(stage, dataset, "the coordinator has no data set 'own' to hand over");
}

static void names_and_hashes_that_could_be_paths_are_refused(void **state)
{
    struct stage *stage = *state;
    struct dataset *dataset = dataset_new(stage->host, rng_seed(1, "test", 0));
    dataset_want(dataset, "../own", offer_hash(stage->offer), CIFAR_BYTES);
    assert_fails(stage, dataset, "cannot name a data set");
    static const char *const hashes[] = {
        "../../../../../../../../../../../../../../../../../../../../etc/passw", "5f", "ABCDEF"};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        dataset = dataset_new(stage->host, rng_seed(1, "test", 0));
        dataset_want(dataset, "own", hashes[i], CIFAR_BYTES);
        assert_fails(stage, dataset, "a hash that is none");
    }
    assert_int_equal(size_of(stage->host), -1);
}

static void a_coordinator_that_cannot_read_its_file_any_more_says_so(void **state)
{
    struct stage *stage = *state;
    static struct msg_chunk chunk;
    struct dataset *dataset = worker(stage);
    play(stage, dataset, 1);
    memcpy(chunk.data_hash, offer_hash(stage->offer), HASH_HEX);
    dataset_receive(dataset, &chunk, stage->now_ms);
    assert_fails(stage, dataset, "cannot read data set 'own' any more");
}

int main(void)
{
#define TEST_ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST_ROW(a_host_with_an_empty_cache_fetches_it),
        TEST_ROW(what_is_in_the_cache_is_not_fetched),
        TEST_ROW(a_daemon_that_was_killed_goes_on_where_it_was),
        TEST_ROW(a_beginning_that_was_damaged_meanwhile_costs_a_second_try),
        TEST_ROW(a_file_that_is_longer_than_the_data_set_is_begun_anew),
        TEST_ROW(one_daemon_of_a_host_fetches_and_the_other_finds_it),
        TEST_ROW(the_other_goes_on_where_the_first_was_killed),
        TEST_ROW(what_nobody_goes_on_with_is_removed_after_a_week),
        TEST_ROW(what_never_has_the_promised_hash_fails_after_three_tries),
        TEST_ROW(one_of_that_name_with_another_content_is_never_replaced),
        TEST_ROW(without_an_offer_it_says_where_to_add_it),
        TEST_ROW(names_and_hashes_that_could_be_paths_are_refused),
        TEST_ROW(a_coordinator_that_cannot_read_its_file_any_more_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
