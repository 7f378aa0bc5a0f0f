#include "common/vecmath.h"

#include <math.h>

/* sleef.h declares these only where the compiler targets FMA itself; the library has them in any case. */
#define WRAP(name, function)                                                                                 \
    double function(double x);                                                                               \
    double vm_##name(double x)                                                                               \
    {                                                                                                        \
        return function(x);                                                                                  \
    }
WRAP(exp, Sleef_finz_expd1_u10purecfma)
WRAP(log, Sleef_finz_logd1_u10purecfma)
WRAP(sin, Sleef_finz_sind1_u10purecfma)
WRAP(cos, Sleef_finz_cosd1_u10purecfma)
WRAP(sinh, Sleef_finz_sinhd1_u10purecfma)
WRAP(cosh, Sleef_finz_coshd1_u10purecfma)
WRAP(tanh, Sleef_finz_tanhd1_u10purecfma)
WRAP(asinh, Sleef_finz_asinhd1_u10purecfma)
WRAP(atan, Sleef_finz_atand1_u10purecfma)
WRAP(erf, Sleef_finz_erfd1_u10purecfma)
WRAP(log1p, Sleef_finz_log1pd1_u10purecfma)

double vm_sigmoid(double x)
{
    return 1.0 / (1.0 + vm_exp(-x));
}

double vm_softplus(double x)
{
    return (x > 0 ? x : 0.0) + vm_log1p(vm_exp(-fabs(x)));
}
