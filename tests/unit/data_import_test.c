/* Importing data sets: both published formats, and what is refused of each. */
#include "tests/unit/data_fixture.h"

#include <sys/file.h>

static void idx_files_become_a_data_set(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    imported(f, "tiny", NULL);
    struct data *data = opened(f, "tiny");
    assert_int_equal(data->channels, 1);
    assert_int_equal(data->height, HEIGHT);
    assert_int_equal(data->width, WIDTH);
    assert_int_equal(data->classes, IDX_CLASSES);
    assert_int_equal(data->train.count, TRAIN);
    assert_int_equal(data->test.count, TEST);
    for (uint32_t i = 0; i < TRAIN; i++) {
        assert_int_equal(data->train.labels[i], idx_label(i));
        for (uint32_t k = 0; k < HEIGHT * WIDTH; k++)
            assert_int_equal(data->train.images[i * HEIGHT * WIDTH + k], idx_pixel(i, k));
    }
    assert_int_equal(data->test.labels[TEST - 1], idx_label(TEST - 1));
    assert_int_equal(data->test.images[TEST * HEIGHT * WIDTH - 1], idx_pixel(TEST - 1, HEIGHT * WIDTH - 1));
    data_close(&data);
    assert_null(data);
}

static void gzip_and_plain_files_have_one_hash(void **state)
{
    struct fixture *f = *state;
    struct hash plain, zipped;
    idx_put(f, "");
    imported(f, "plain", &plain);
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
    for (int i = 0; i < 4; i++)
        dir_remove(f, names[i]);
    idx_put(f, ".gz");
    imported(f, "zipped", &zipped);
    assert_memory_equal(&plain, &zipped, sizeof plain);
    struct data *data = opened(f, "zipped");
    assert_memory_equal(&data->hash, &plain, sizeof plain);
    data_close(&data);
}

static void cifar_10_files_become_a_data_set_in_their_order(void **state)
{
    struct fixture *f = *state;
    cifar10_put(f);
    imported(f, "tiny", NULL);
    struct data *data = opened(f, "tiny");
    assert_int_equal(data->channels, 3);
    assert_int_equal(data->height, 32);
    assert_int_equal(data->width, 32);
    assert_int_equal(data->classes, 10);
    assert_int_equal(data->train.count, 5 * RECORDS);
    assert_int_equal(data->test.count, RECORDS);
    for (int file = 1; file <= 5; file++)
        for (int i = 0; i < RECORDS; i++) {
            const int record = (file - 1) * RECORDS + i;
            assert_int_equal(data->train.labels[record], i + file);
            for (int plane = 0; plane < 3; plane++)
                assert_int_equal(data->train.images[record * CIFAR_PIXELS + plane * 1024 + 1023],
                                 (uint8_t)(file * 50 + i * 10 + plane));
        }
    data_close(&data);
}

static void cifar_100_gives_the_fine_labels(void **state)
{
    struct fixture *f = *state;
    cifar100_put(f);
    imported(f, "tiny", NULL);
    struct data *data = opened(f, "tiny");
    assert_int_equal(data->classes, 100);
    assert_int_equal(data->train.count, RECORDS);
    assert_int_equal(data->test.count, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        assert_int_equal(data->train.labels[i], 99 - i);
        assert_int_equal(data->train.images[i * CIFAR_PIXELS], 50 + i * 10);
        assert_int_equal(data->test.images[i * CIFAR_PIXELS + 2048], i * 10 + 2);
    }
    data_close(&data);
}

static void the_folder_of_the_published_archive_will_do(void **state)
{
    struct fixture *f = *state;
    struct fixture inner = *f;
    snprintf(inner.dir, sizeof inner.dir, "%s/files/cifar-10-batches-bin", f->root);
    assert_int_equal(mkdir(inner.dir, 0700), 0);
    cifar10_put(&inner);
    imported(f, "tiny", NULL);
}

/* ---- refusals: IDX ----------------------------------------------------------------------------------------
 */

static void idx_files_that_are_cut_short_are_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_resize(f, "train-images-idx3-ubyte", -1);
    import_refused(f, "tiny", ERR_INPUT, "train-images-idx3-ubyte", "cut short at offset 255");
    idx_put(f, "");
    dir_resize(f, "t10k-labels-idx1-ubyte", -1);
    import_refused(f, "tiny", ERR_INPUT, "t10k-labels-idx1-ubyte", "cut short at offset 13");
    idx_put(f, "");
    dir_resize(f, "train-labels-idx1-ubyte", -TRAIN - 3);
    import_refused(f, "tiny", ERR_INPUT, "train-labels-idx1-ubyte", "cut short at offset 5");
}

static void idx_files_that_are_too_long_are_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_resize(f, "t10k-images-idx3-ubyte", 1);
    import_refused(f, "tiny", ERR_INPUT, "t10k-images-idx3-ubyte",
                   "too long: the header's records end at offset 136");
    idx_put(f, "");
    dir_resize(f, "train-labels-idx1-ubyte", 7);
    import_refused(f, "tiny", ERR_INPUT, "train-labels-idx1-ubyte", "too long");
}

static void a_wrong_magic_number_is_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 3, 1);
    import_refused(f, "tiny", ERR_INPUT, "train-images-idx3-ubyte", "wrong magic 0x00000801 at offset 0");
    idx_put(f, "");
    dir_byte_set(f, "t10k-labels-idx1-ubyte", 2, 9);
    import_refused(f, "tiny", ERR_INPUT, "t10k-labels-idx1-ubyte", "begin with 0x00000801");
}

static void idx_sizes_out_of_bounds_are_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 8, 1); /* 2^24 + 5 rows */
    import_refused(f, "tiny", ERR_LIMIT, "train-images-idx3-ubyte",
                   "at offset 8; expected sides of 1 to 1024");
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 15, 0);
    import_refused(f, "tiny", ERR_LIMIT, "train-images-idx3-ubyte", "5 x 0");
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 4, 255);
    import_refused(f, "tiny", ERR_LIMIT, "train-images-idx3-ubyte", "records at offset 4");
    idx_put(f, "");
    dir_byte_set(f, "train-labels-idx1-ubyte", 7, 0);
    import_refused(f, "tiny", ERR_LIMIT, "train-labels-idx1-ubyte", "0 records");
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 5, 64); /* 2^22 images … */
    dir_byte_set(f, "train-images-idx3-ubyte", 11, 255);
    dir_byte_set(f, "train-images-idx3-ubyte", 15, 255); /* … of 255 × 255 */
    import_refused(f, "tiny", ERR_LIMIT, "train-images-idx3-ubyte", "at most 1073741824 are taken");
}

static void a_header_that_claims_much_costs_little(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_byte_set(f, "train-images-idx3-ubyte", 5, 64); /* 2^22 + 12 images of 20 bytes */
    import_refused(f, "tiny", ERR_INPUT, "train-images-idx3-ubyte",
                   "cut short at offset 256: expected 83886320");
}

static void images_and_labels_must_be_as_many(void **state)
{
    struct fixture *f = *state;
    struct buf bytes = idx_labels_bytes(TRAIN - 1);
    idx_put(f, "");
    file_put(f, "train-labels-idx1-ubyte", &bytes);
    import_refused(f, "tiny", ERR_INPUT, "train-labels-idx1-ubyte", "11 labels (offset 4), but 12 images");
    buf_release(&bytes);
}

static void test_images_must_have_the_shape_of_the_training_images(void **state)
{
    struct fixture *f = *state;
    struct buf bytes = idx_images_bytes(TEST, WIDTH, HEIGHT);
    idx_put(f, "");
    file_put(f, "t10k-images-idx3-ubyte", &bytes);
    import_refused(f, "tiny", ERR_INPUT, "t10k-images-idx3-ubyte",
                   "4 x 5 at offset 8, but those for training are 5 x 4");
    buf_release(&bytes);
}

static void a_label_that_training_does_not_know_is_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_byte_set(f, "t10k-labels-idx1-ubyte", 8 + 4, IDX_CLASSES);
    import_refused(f, "tiny", ERR_INPUT, "t10k-labels-idx1-ubyte", "label 3 at offset 12 is out of range");
}

/* 200 labels; `odd` of them are 200. */
static struct buf many_labels(int odd)
{
    struct buf bytes = idx_labels_bytes(200);
    memset(bytes.data + bytes.size - odd, 200, (size_t)odd);
    return bytes;
}

static void a_damaged_label_makes_no_classes(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    struct buf images = idx_images_bytes(200, HEIGHT, WIDTH), labels = many_labels(1);
    file_put(f, "train-images-idx3-ubyte", &images);
    file_put(f, "train-labels-idx1-ubyte", &labels);
    import_refused(f, "tiny", ERR_INPUT, "train-labels-idx1-ubyte", "label 200 at offset 207");
    buf_release(&labels);
    labels = many_labels(20); /* so many are no accident */
    file_put(f, "train-labels-idx1-ubyte", &labels);
    imported(f, "tiny", NULL);
    buf_release(&labels);
    buf_release(&images);
}

static void what_a_killed_import_left_goes_with_the_next_one(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    imported(f, "tiny", NULL);
    static const char *const names[] = {".other.aBc123", ".other.zyx987", ".fresh.aBc123", "other.aBc123",
                                        ".x"};
    char *path[5];
    for (int i = 0; i < 5; i++) {
        path[i] = xasprintf("%s/%s", f->cache, names[i]);
        close(open(path[i], O_CREAT | O_WRONLY, 0600));
        const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
        if (i != 2)
            assert_int_equal(utimensat(AT_FDCWD, path[i], old, 0), 0);
    }
    const int held = open(path[1], O_RDONLY);
    assert_int_equal(flock(held, LOCK_EX), 0); /* by an import that takes long */
    imported(f, "tiny", NULL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(access(path[i], F_OK) == 0, i != 0);
        free(path[i]);
    }
    close(held);
}

static void a_missing_file_is_named_with_those_that_were_expected(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_remove(f, "t10k-labels-idx1-ubyte");
    import_refused(f, "tiny", ERR_NOT_FOUND, "no t10k-labels-idx1-ubyte",
                   "expected the four files train-images-idx3-ubyte");
}

static void a_damaged_gzip_is_refused(void **state)
{
    struct fixture *f = *state;
    idx_put(f, ".gz");
    dir_resize(f, "train-images-idx3-ubyte.gz", -20);
    import_refused(f, "tiny", ERR_CORRUPT, "train-images-idx3-ubyte.gz",
                   "cut short: the gzip ends in the middle");
    idx_put(f, ".gz");
    char *path = in_dir(f, "train-labels-idx1-ubyte.gz");
    struct stat at;
    assert_int_equal(stat(path, &at), 0);
    byte_set(path, at.st_size - 8, 0x55); /* the checksum */
    free(path);
    import_refused(f, "tiny", ERR_CORRUPT, "train-labels-idx1-ubyte.gz",
                   "damaged gzip: incorrect data check");
}

/* ---- refusals: CIFAR --------------------------------------------------------------------------------------
 */

static void cifar_files_that_are_cut_short_or_too_long_are_refused(void **state)
{
    struct fixture *f = *state;
    cifar10_put(f);
    dir_resize(f, "data_batch_4.bin", -1);
    import_refused(f, "tiny", ERR_INPUT, "data_batch_4.bin",
                   "cut short at offset 12291: a record has 3073 bytes");
    cifar10_put(f);
    dir_resize(f, "test_batch.bin", 1);
    import_refused(f, "tiny", ERR_INPUT, "test_batch.bin", "from offset 12292, has 1");
    cifar10_put(f);
    dir_resize(f, "data_batch_1.bin", -RECORDS * 3073);
    import_refused(f, "tiny", ERR_INPUT, "data_batch_1.bin", "cut short at offset 0");
}

static void cifar_labels_out_of_range_are_refused(void **state)
{
    struct fixture *f = *state;
    cifar10_put(f);
    dir_byte_set(f, "data_batch_2.bin", 3073, 10);
    import_refused(f, "tiny", ERR_INPUT, "data_batch_2.bin",
                   "label 10 at offset 3073 is out of range: expected 0 to 9");
}

static void both_labels_of_cifar_100_have_their_range(void **state)
{
    struct fixture *f = *state;
    cifar100_put(f);
    dir_byte_set(f, "train.bin", 2 * 3074, 20);
    import_refused(f, "tiny", ERR_INPUT, "train.bin",
                   "coarse label 20 at offset 6148 is out of range: expected 0 to 19");
    cifar100_put(f);
    dir_byte_set(f, "test.bin", 3074 + 1, 100);
    import_refused(f, "tiny", ERR_INPUT, "test.bin",
                   "fine label 100 at offset 3075 is out of range: expected 0 to 99");
}

static void a_missing_cifar_file_is_named(void **state)
{
    struct fixture *f = *state;
    cifar10_put(f);
    dir_remove(f, "data_batch_3.bin");
    import_refused(f, "tiny", ERR_NOT_FOUND, "no data_batch_3.bin",
                   "data_batch_1.bin to data_batch_5.bin and test_batch.bin");
}

/* ---- refusals: folders and names --------------------------------------------------------------------------
 */

static void a_folder_without_data_is_told_what_would_do(void **state)
{
    struct fixture *f = *state;
    import_refused(f, "tiny", ERR_NOT_FOUND, f->dir, "CIFAR-100 (train.bin, test.bin)");
    strcat(f->dir, "-not");
    import_refused(f, "tiny", ERR_NOT_FOUND, f->dir, "No such file");
}

static void files_of_two_data_sets_in_one_folder_are_refused(void **state)
{
    struct fixture *f = *state;
    cifar10_put(f);
    cifar100_put(f);
    import_refused(f, "tiny", ERR_INPUT, f->dir, "CIFAR-10 and of CIFAR-100");
    idx_put(f, "");
    import_refused(f, "tiny", ERR_INPUT, f->dir, "IDX and of CIFAR");
}

static void a_pipe_in_place_of_a_file_does_not_hang(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    dir_remove(f, "train-images-idx3-ubyte");
    char *path = in_dir(f, "train-images-idx3-ubyte");
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
    import_refused(f, "tiny", ERR_INPUT, "train-images-idx3-ubyte", "not a regular file");
}

static void a_published_name_takes_only_what_was_published(void **state)
{
    struct fixture *f = *state;
    idx_put(f, "");
    import_refused(f, "mnist", ERR_INPUT, f->dir, "mnist has 60000 and 10000 of 1 x 28 x 28 in 10");
}

static void a_name_is_a_plain_word(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "",    "..",  ".hidden",  "-v",
        "a/b", "a b", "\xc3\xa4", "a-name-of-more-than-sixty-three-letters-is-longer-than-a-lease-takes"};
    idx_put(f, "");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        import_refused(f, wrong[i], ERR_INPUT, wrong[i], "cannot name a data set");
    imported(f, "My_data-2.1", NULL);
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(idx_files_become_a_data_set),
        PROMISE(gzip_and_plain_files_have_one_hash),
        PROMISE(cifar_10_files_become_a_data_set_in_their_order),
        PROMISE(cifar_100_gives_the_fine_labels),
        PROMISE(the_folder_of_the_published_archive_will_do),
        PROMISE(idx_files_that_are_cut_short_are_refused),
        PROMISE(idx_files_that_are_too_long_are_refused),
        PROMISE(a_wrong_magic_number_is_refused),
        PROMISE(idx_sizes_out_of_bounds_are_refused),
        PROMISE(a_header_that_claims_much_costs_little),
        PROMISE(a_damaged_label_makes_no_classes),
        PROMISE(what_a_killed_import_left_goes_with_the_next_one),
        PROMISE(images_and_labels_must_be_as_many),
        PROMISE(test_images_must_have_the_shape_of_the_training_images),
        PROMISE(a_label_that_training_does_not_know_is_refused),
        PROMISE(a_missing_file_is_named_with_those_that_were_expected),
        PROMISE(a_damaged_gzip_is_refused),
        PROMISE(cifar_files_that_are_cut_short_or_too_long_are_refused),
        PROMISE(cifar_labels_out_of_range_are_refused),
        PROMISE(both_labels_of_cifar_100_have_their_range),
        PROMISE(a_missing_cifar_file_is_named),
        PROMISE(a_folder_without_data_is_told_what_would_do),
        PROMISE(files_of_two_data_sets_in_one_folder_are_refused),
        PROMISE(a_pipe_in_place_of_a_file_does_not_hang),
        PROMISE(a_published_name_takes_only_what_was_published),
        PROMISE(a_name_is_a_plain_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
