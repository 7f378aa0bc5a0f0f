/* The cache of data sets: opening, hashes, damage, imports at the same time. */
#include "tests/unit/data_fixture.h"
#include "worker/nn/data_sums.h"

#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 40 };

/* A cache with the data set "tiny", which has that hash. */
static struct hash start(struct fixture *f)
{
    struct hash hash;
    idx_put(f, "");
    imported(f, "tiny", &hash);
    return hash;
}

static void cache_byte_set(struct fixture *f, off_t at, uint8_t value)
{
    char *path = cache_path(f, "tiny.data");
    byte_set(path, at, value);
    free(path);
}

static void open_refused(struct fixture *f, const char *name, int err, const char *part, const char *more)
{
    struct data *data = NULL;
    assert_int_equal(data_open(f->cache, name, &data, &f->problem), err);
    assert_true(says(f, part) && says(f, more));
    assert_null(data);
}

static void a_data_set_that_is_not_there_says_how_to_add_it(void **state)
{
    struct fixture *f = *state;
    open_refused(f, "letters", ERR_NOT_FOUND, "no data set 'letters'", "actsearch data add letters DIR");
    open_refused(f, "cifar10", ERR_NOT_FOUND, "did you mean cifar-10", "actsearch data add");
    open_refused(f, "../tiny", ERR_INPUT, "cannot name a data set", "letters, digits");
    assert_int_equal(data_verify(f->cache, "letters", &f->problem), ERR_NOT_FOUND);
}

static void an_undamaged_data_set_passes(void **state)
{
    struct fixture *f = *state;
    start(f);
    assert_int_equal(data_verify(f->cache, "tiny", &f->problem), 0);
}

static void verify_finds_a_flipped_byte_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    static const off_t places[] = {DATA_HEADER - 1, DATA_HEADER, DATA_HEADER + TRAIN * HEIGHT * WIDTH - 1,
                                   DATA_HEADER + (TRAIN + TEST) * (HEIGHT * WIDTH + 1) - TEST - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        start(f);
        cache_byte_set(f, places[i], 77);
        assert_int_equal(data_verify(f->cache, "tiny", &f->problem), ERR_CORRUPT);
        assert_true(says(f, "tiny.data: damaged") && says(f, "actsearch data add tiny DIR"));
    }
}

/* The same byte, with the file's time put back: an opening trusts the time, verify does not. */
static void an_opening_takes_the_hash_afresh_only_when_the_file_was_touched(void **state)
{
    struct fixture *f = *state;
    const struct hash hash = start(f);
    char *path = cache_path(f, "tiny.data");
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    cache_byte_set(f, DATA_HEADER, 77);
    const struct timespec past[] = {before.st_atim, {before.st_mtim.tv_sec - 5, before.st_mtim.tv_nsec}};
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    open_refused(f, "tiny", ERR_CORRUPT, "damaged", "actsearch data add tiny DIR");
    const struct timespec back[] = {before.st_atim, before.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, back, 0), 0);
    struct data *data = opened(f, "tiny");
    assert_memory_equal(&data->hash, &hash, sizeof hash);
    data_close(&data);
    assert_int_equal(data_verify(f->cache, "tiny", &f->problem), ERR_CORRUPT);
    cache_byte_set(f, DATA_HEADER, idx_pixel(0, 0));
    data = opened(f, "tiny"); /* touched, but whole */
    data_close(&data);
    free(path);
}

static void a_lost_hash_is_taken_again_but_verifies_nothing(void **state)
{
    struct fixture *f = *state;
    const struct hash hash = start(f);
    char *path = cache_path(f, "tiny.hash");
    assert_int_equal(unlink(path), 0);
    free(path);
    struct data *data = opened(f, "tiny");
    assert_memory_equal(&data->hash, &hash, sizeof hash);
    data_close(&data);
    assert_int_equal(data_verify(f->cache, "tiny", &f->problem), ERR_CORRUPT);
    assert_true(says(f, "tiny.hash"));
}

static void a_damaged_header_is_refused_with_the_remedy(void **state)
{
    struct fixture *f = *state;
    static const struct {
        off_t at;
        uint8_t value;
        int err;
        const char *part;
    } damages[] = {
        {0, 'X', ERR_CORRUPT, "no header"},
        {8, DATA_VERSION + 1, ERR_VERSION, "version 2"},
        {12, 0, ERR_CORRUPT, "channels in the header is out of range"},
        {17, 8, ERR_CORRUPT, "height in the header is out of range"},
        {20, 0, ERR_CORRUPT, "width in the header is out of range"},
        {25, 2, ERR_CORRUPT, "classes in the header is out of range"},
        {31, 255, ERR_CORRUPT, "train_count in the header is out of range"},
        {32, TEST + 1, ERR_CORRUPT, "its header says"},
        {24, IDX_CLASSES - 1, ERR_CORRUPT, "label 2 at offset 306 is out of range"},
    };
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        start(f);
        cache_byte_set(f, damages[i].at, damages[i].value);
        open_refused(f, "tiny", damages[i].err, damages[i].part, "add the data set again");
    }
}

static void a_cache_file_of_a_wrong_size_is_refused(void **state)
{
    struct fixture *f = *state;
    char *path = cache_path(f, "tiny.data");
    static const off_t sizes[] = {0, 1, DATA_HEADER - 1, DATA_HEADER, 441, 443};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        start(f);
        assert_int_equal(truncate(path, sizes[i]), 0);
        open_refused(f, "tiny", ERR_CORRUPT, "tiny.data: damaged", "actsearch data add");
    }
    free(path);
}

static void the_list_says_what_is_there(void **state)
{
    struct fixture *f = *state;
    struct data_entry *entries;
    int count;
    assert_int_equal(data_list(f->cache, &entries, &count, &f->problem), 0); /* no folder yet */
    assert_int_equal(count, 0);
    data_list_release(&entries, count);
    const struct hash hash = start(f);
    imported(f, "other", NULL);
    assert_int_equal(data_list(f->cache, &entries, &count, &f->problem), 0);
    assert_int_equal(count, 2);
    assert_string_equal(entries[0].name, "other");
    assert_string_equal(entries[1].name, "tiny");
    char hex[HASH_HEX];
    hash_hex(&hash, hex);
    assert_string_equal(entries[1].hash_hex, hex);
    assert_int_equal(entries[1].train_count, TRAIN);
    assert_int_equal(entries[1].test_count, TEST);
    assert_int_equal(entries[1].channels, 1);
    assert_int_equal(entries[1].height, HEIGHT);
    assert_int_equal(entries[1].width, WIDTH);
    assert_int_equal(entries[1].classes, IDX_CLASSES);
    assert_int_equal(entries[1].bytes, DATA_HEADER + (TRAIN + TEST) * (HEIGHT * WIDTH + 1));
    data_list_release(&entries, count);
}

static void the_cache_folder_is_found_in_this_order(void **state)
{
    (void)state;
    static const struct {
        const char *given, *own, *xdg, *expected;
    } rows[] = {
        {"/given", "/own", "/xdg", "/given"},
        {NULL, "/own", "/xdg", "/own"},
        {NULL, "", "/xdg", "/xdg/actsearch"},
        {NULL, "", "", "/home/me/.cache/actsearch"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("ACTSEARCH_CACHE", rows[i].own, 1);
        setenv("XDG_CACHE_HOME", rows[i].xdg, 1);
        setenv("HOME", "/home/me", 1);
        char *dir = data_cache_dir(rows[i].given);
        assert_string_equal(dir, rows[i].expected);
        free(dir);
    }
}

static void a_file_from_elsewhere_is_taken_by_its_hash_alone(void **state)
{
    struct fixture *f = *state;
    const struct hash hash = start(f);
    char *source = cache_path(f, "tiny.data"), *arrived = cache_path(f, ".arrived");
    assert_int_equal(link(source, arrived), 0);
    struct hash wrong = hash, got;
    wrong.bytes[31] ^= 1;
    assert_int_equal(data_adopt(f->cache, "copy", arrived, &wrong, &got, &f->problem), ERR_CORRUPT);
    assert_true(says(f, "not the content that was expected"));
    assert_int_equal(access(arrived, F_OK), 0);
    open_refused(f, "copy", ERR_NOT_FOUND, "no data set 'copy'", "data add");
    assert_int_equal(data_adopt(f->cache, "copy", arrived, &hash, &got, &f->problem), 0);
    assert_memory_equal(&got, &hash, sizeof hash);
    assert_int_not_equal(access(arrived, F_OK), 0);
    assert_int_equal(data_verify(f->cache, "copy", &f->problem), 0);
    free(source);
    free(arrived);
}

/* The sums over the first records, without any file. */
static void assert_sums(const struct data *data)
{
    struct data alone = *data;
    alone.sums = NULL;
    for (uint32_t count = 0; count <= data->train.count; count += 47)
        for (int channel = 0; channel < data->channels; channel++) {
            uint64_t sum, squares, expected_sum, expected_squares;
            data_sums(data, count, channel, &sum, &squares);
            data_sums(&alone, count, channel, &expected_sum, &expected_squares);
            assert_true(sum == expected_sum && squares == expected_squares);
        }
}

static void the_sums_beside_a_data_set_are_those_of_its_images(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 3 * DATA_SUMS_RECORDS + 5 };
    idx_put(f, "");
    struct buf images = idx_images_bytes(MANY, HEIGHT, WIDTH), labels = idx_labels_bytes(MANY);
    file_put(f, "train-images-idx3-ubyte", &images);
    file_put(f, "train-labels-idx1-ubyte", &labels);
    buf_release(&images);
    buf_release(&labels);
    imported(f, "tiny", NULL);
    struct data *data = opened(f, "tiny");
    assert_non_null(data->sums);
    assert_sums(data);
    data_close(&data);
}

static void sums_that_are_damaged_or_of_other_data_are_passed_over(void **state)
{
    struct fixture *f = *state;
    start(f);
    char *path = cache_path(f, "tiny.sums"), *other = cache_path(f, "other.sums");
    struct stat stat_of;
    assert_int_equal(stat(path, &stat_of), 0);
    for (off_t at = 0; at < stat_of.st_size; at++) {
        imported(f, "tiny", NULL);
        byte_set(path, at, 0xa5);
        struct data *data = opened(f, "tiny");
        assert_null(data->sums);
        assert_sums(data);
        data_close(&data);
    }
    cifar10_put(f);
    for (int i = 0; i < 4; i++)
        dir_remove(f, (const char *const[]){"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                            "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}[i]);
    imported(f, "other", NULL);
    assert_int_equal(rename(other, path), 0);
    struct data *data = opened(f, "tiny");
    assert_null(data->sums);
    data_close(&data);
    free(path);
    free(other);
}

/* Imports `f->dir` as "shared" again and again. */
static pid_t start_importer(struct fixture *f, int go)
{
    const pid_t pid = fork();
    if (pid == 0) {
        char byte;
        int failed = read(go, &byte, 1) != 1;
        for (int i = 0; !failed && i < ROUNDS; i++)
            failed = data_import(f->cache, "shared", f->dir, NULL, &f->problem);
        _exit(failed ? 1 : 0);
    }
    assert_true(pid > 0);
    return pid;
}

/* The two have different content, so that a file of the one beside a hash of the other would show. */
static void two_processes_that_import_at_once_do_no_harm(void **state)
{
    struct fixture *f = *state;
    struct fixture other = *f;
    snprintf(other.dir, sizeof other.dir, "%s/files2", f->root);
    assert_int_equal(mkdir(other.dir, 0700), 0);
    idx_put(f, "");
    cifar10_put(&other);
    imported(f, "shared", NULL);
    int go[2];
    assert_int_equal(pipe(go), 0);
    const pid_t importers[] = {start_importer(f, go[0]), start_importer(&other, go[0])};
    assert_int_equal(write(go[1], "go", 2), 2);
    int left = 2, looked = 0;
    while (left > 0) {
        if (data_verify(f->cache, "shared", &f->problem))
            fail_msg("look %d: %s", looked, f->problem.text);
        looked++;
        for (int status; left > 0 && waitpid(-1, &status, WNOHANG) > 0; left--)
            assert_int_equal(status, 0);
    }
    assert_true(importers[0] != importers[1] && looked > 2);
    assert_int_equal(data_verify(f->cache, "shared", &f->problem), 0);
    close(go[0]);
    close(go[1]);
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(a_data_set_that_is_not_there_says_how_to_add_it),
        PROMISE(an_undamaged_data_set_passes),
        PROMISE(verify_finds_a_flipped_byte_wherever_it_is),
        PROMISE(an_opening_takes_the_hash_afresh_only_when_the_file_was_touched),
        PROMISE(a_lost_hash_is_taken_again_but_verifies_nothing),
        PROMISE(a_damaged_header_is_refused_with_the_remedy),
        PROMISE(a_cache_file_of_a_wrong_size_is_refused),
        PROMISE(the_sums_beside_a_data_set_are_those_of_its_images),
        PROMISE(sums_that_are_damaged_or_of_other_data_are_passed_over),
        PROMISE(the_list_says_what_is_there),
        PROMISE(the_cache_folder_is_found_in_this_order),
        PROMISE(a_file_from_elsewhere_is_taken_by_its_hash_alone),
        PROMISE(two_processes_that_import_at_once_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
