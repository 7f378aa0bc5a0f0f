/* The promise that a training gives the same bits on every CPU and in every build of one NUMERICS: 20 steps
 * of each kind of model, compared on each instruction set and with tests/golden/numerics.txt. After a change
 * of the arithmetic raise NUMERICS in common/numerics.h and run  build/release/tests/numerics_test write. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/hash.h"
#include "common/numerics.h"
#include "tests/unit/nn_fixture.h"

#include <stdio.h>

static const char golden_file[] = "tests/golden/numerics.txt";

static const struct {
    const char *model, *activation;
} trainings[] = {
    {"mlp", "max(x,tanh(x))+0.1*sin(x)"},
    {"cnn", "x*sigmoid(b0*x)"},
    {"resnet-8", "b0*erf(x)+x/(1+exp(-b1*x))"},
    {"preresnet-11", "atan(x)^2-x"},
    {"wrn-10-1", "x*sigmoid(b0*x)"},
    {"densenet-10-4", "x*sigmoid(b0*x)"},
    {"densenet-bc-10-5", "max(x,tanh(x))"},
    {"wrn-10-1-drop-30", "x*sigmoid(b0*x)"},
};
enum { TRAININGS = sizeof trainings / sizeof *trainings };

/* The weights and β after 20 steps on the current path. malloc'd. */
static float *train(int which, size_t *ret_floats)
{
    struct data data = fixture_data(3, 9, 7, 10, 50, 0);
    struct child child = child_defaults();
    snprintf(child.model, sizeof child.model, "%s", trainings[which].model);
    child.batch = 4;
    child.steps = 20;
    child.augment = true;
    child.lr = 0.05;
    struct expr *activation = fixture_expr(trainings[which].activation);
    struct net *net;
    fixture_train(&data, &child, activation, 1, &net);
    const size_t floats = net->weights.floats + net->betas.floats;
    float *values = malloc(floats * sizeof *values);
    memcpy(values, net->weights.value, net->weights.floats * sizeof *values);
    memcpy(values + net->weights.floats, net->betas.value, net->betas.floats * sizeof *values);
    net_destroy(&net);
    expr_destroy(&activation);
    fixture_data_release(&data);
    *ret_floats = floats;
    return values;
}

/* On the portable path, which every machine has, against each wider one. */
static void compare_with_portable(enum simd_path path)
{
    const enum simd_path before = simd_path();
    if (!simd_has(path)) {
        print_message("SKIPPED: this CPU lacks %s\n", simd_path_name(path));
        skip();
    }
    for (int which = 0; which < TRAININGS; which++) {
        size_t floats, other;
        assert_int_equal(simd_force(SIMD_portable), 0);
        float *expected = train(which, &floats);
        assert_int_equal(simd_force(path), 0);
        float *found = train(which, &other);
        assert_int_equal(floats, other);
        for (size_t i = 0; i < floats; i++)
            if (memcmp(&expected[i], &found[i], sizeof *found) != 0)
                fail_msg("%s: number %zu of %zu is %a on %s and %a on portable", trainings[which].model, i,
                         floats, (double)found[i], simd_path_name(path), (double)expected[i]);
        free(expected);
        free(found);
    }
    simd_force(before);
}

static void avx2_gives_the_bits_of_plain_c(void **state)
{
    (void)state;
    compare_with_portable(SIMD_avx2);
}

static void avx512_gives_the_bits_of_plain_c(void **state)
{
    (void)state;
    compare_with_portable(SIMD_avx512);
}

static void train_hash(int which, char ret_hex[HASH_HEX])
{
    size_t floats;
    float *values = train(which, &floats);
    struct hash hash = hash_of(values, floats * sizeof *values);
    hash_hex(&hash, ret_hex);
    free(values);
}

static void twenty_steps_give_the_bits_that_numerics_promises(void **state)
{
    (void)state;
    FILE *file = fopen(golden_file, "r");
    assert_non_null(file);
    int numerics = 0;
    assert_int_equal(fscanf(file, "numerics %d", &numerics), 1);
    if (numerics != NUMERICS)
        fail_msg("%s is of numerics %d, the code of %d: write it anew", golden_file, numerics, NUMERICS);
    for (int which = 0; which < TRAININGS; which++) {
        char model[32], expected[HASH_HEX + 1], found[HASH_HEX];
        assert_int_equal(fscanf(file, " %31s %65s", model, expected), 2);
        assert_string_equal(model, trainings[which].model);
        train_hash(which, found);
        if (strcmp(found, expected) != 0)
            fail_msg("%s: the bits changed (%s, not %s), but NUMERICS did not", model, found, expected);
    }
    fclose(file);
}

static void the_same_seed_gives_the_same_bits_and_another_one_others(void **state)
{
    (void)state;
    char first[HASH_HEX], second[HASH_HEX];
    train_hash(1, first);
    train_hash(1, second);
    assert_string_equal(first, second);
}

static int golden_write(void)
{
    FILE *file = fopen(golden_file, "w");
    if (!file)
        return 1;
    fprintf(file, "numerics %d\n", NUMERICS);
    for (int which = 0; which < TRAININGS; which++) {
        char hex[HASH_HEX];
        train_hash(which, hex);
        fprintf(file, "%s %s\n", trainings[which].model, hex);
    }
    return fclose(file);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "write") == 0)
        return golden_write();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(avx2_gives_the_bits_of_plain_c),
        cmocka_unit_test(avx512_gives_the_bits_of_plain_c),
        cmocka_unit_test(twenty_steps_give_the_bits_that_numerics_promises),
        cmocka_unit_test(the_same_seed_gives_the_same_bits_and_another_one_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
