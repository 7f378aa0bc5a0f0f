/* Which kernels are used, and the operations on 16 lanes, of which all paths must make the same bits. The
 * portable ones are compiled into this test; expr_program_test and numerics_test hold the other paths to it.
 */
#define SIMD_PATH          portable
#define SIMD_PATH_portable 1
#include "common/err.h"
#include "common/simd.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void the_portable_path_runs_everywhere_and_can_be_forced(void **state)
{
    (void)state;
    enum simd_path before = simd_path();
    assert_true(simd_has(before));
    assert_true(simd_has(SIMD_portable));
    assert_int_equal(simd_force(SIMD_portable), 0);
    assert_int_equal(simd_path(), SIMD_portable);
    assert_string_equal(simd_path_name(simd_path()), "portable");
    for (int path = 0; path < SIMD_PATHS; path++) /* one that the CPU lacks is refused and changes nothing */
        if (!simd_has((enum simd_path)path)) {
            assert_int_equal(simd_force((enum simd_path)path), ERR_NOT_FOUND);
            assert_int_equal(simd_path(), SIMD_portable);
        }
    assert_int_equal(simd_force(before), 0);
}

static void lengths_are_rounded_up_to_whole_vectors(void **state)
{
    (void)state;
    assert_int_equal(lanes_up(0), 0);
    assert_int_equal(lanes_up(1), 16);
    assert_int_equal(lanes_up(16), 16);
    assert_int_equal(lanes_up(17), 32);
}

static void a_multiply_add_is_rounded_once(void **state)
{
    (void)state;
    const float a =
        1 + 0x1p-12f; /* a² = 1 + 2^-11 + 2^-24: the last bit is lost when the product is rounded */
    float result[LANES];
    v16_store(result, v16_fma(v16_set(a), v16_set(a), v16_set(-1 - 0x1p-11f)));
    for (int i = 0; i < LANES; i++)
        assert_true(result[i] == 0x1p-24f);
}

static void a_sum_goes_through_its_tree(void **state)
{
    (void)state;
    float lanes[LANES] = {0};
    lanes[0] = 0x1p24f;
    lanes[8] = -0x1p24f; /* meets lane 0 in the first step: nothing is lost */
    lanes[1] = lanes[2] = 1;
    assert_true(v16_sum(v16_load(lanes)) == 2);
    lanes[8] = 1; /* 2^24 + 1 is rounded to even */
    lanes[1] = -0x1p24f;
    lanes[2] = 0;
    assert_true(v16_sum(v16_load(lanes)) == 0);
}

static void a_selection_takes_bits_and_computes_nothing(void **state)
{
    (void)state;
    v16i mask = {-1, 0, -1, 0};
    float result[LANES];
    v16_store(result, v16_select(mask, v16_set(-0.0f), v16_set(NAN)));
    assert_true(result[0] == 0 && signbit(result[0]));
    assert_true(isnan(result[1]) && isnan(result[15]));
    assert_true(signbit(result[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_portable_path_runs_everywhere_and_can_be_forced),
        cmocka_unit_test(lengths_are_rounded_up_to_whole_vectors),
        cmocka_unit_test(a_multiply_add_is_rounded_once),
        cmocka_unit_test(a_sum_goes_through_its_tree),
        cmocka_unit_test(a_selection_takes_bits_and_computes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
