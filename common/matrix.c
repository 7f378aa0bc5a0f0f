#include "common/matrix.h"

#include <cblas.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const variables[][2] = {{"OPENBLAS_CORETYPE", "Haswell"}, {"OPENBLAS_NUM_THREADS", "1"}};

void matrix_fix_core(char **argv)
{
    bool right = true;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *value = getenv(variables[i][0]);
        right = right && value && strcmp(value, variables[i][1]) == 0;
        setenv(variables[i][0], variables[i][1], 1);
    }
    if (right)
        return;
    char path
        [PATH_MAX]; /* the file itself: started by the name of the link, the program would be called "exe" in ps and top */
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0) {
        path[length] = '\0';
        execv(path, argv);
    }
    perror(
        "cannot start again with OPENBLAS_CORETYPE set"); /* no /proc: go on with the library's own choice */
}

void matrix_multiply(bool a_transposed, bool b_transposed, size_t m, size_t n, size_t k, double alpha,
                     const double *a, const double *b, double beta, double *c)
{
    cblas_dgemm(CblasRowMajor, a_transposed ? CblasTrans : CblasNoTrans,
                b_transposed ? CblasTrans : CblasNoTrans, (int)m, (int)n, (int)k, alpha, a,
                (int)(a_transposed ? m : k), b, (int)(b_transposed ? k : n), beta, c, (int)n);
}
