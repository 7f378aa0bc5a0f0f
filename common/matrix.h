/* matrix: double-precision products by OpenBLAS (the only includer of cblas.h), on one thread.
 *
 * Only for what needs the same bits on one machine class: the coordinator's controller. Programs call matrix_fix_core before the
 * library loads (it re-executes the program once with OPENBLAS_CORETYPE and OPENBLAS_NUM_THREADS=1 set, since OpenBLAS reads
 * them when it is loaded), so that a controller's bits do not depend on what OpenBLAS thinks of the CPU.
 */
#ifndef COMMON_MATRIX_H
#define COMMON_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

/* Returns only when the environment is right. Call first in main. */
void matrix_fix_core(char **argv);

/* C[m×n] = alpha · op(A) · op(B) + beta · C, row-major; a_transposed: A is stored k×m; b_transposed: B is stored n×k. */
void matrix_multiply(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, double alpha,
                     const double *a, const double *b, double beta, double *c);

#endif
