#include "common/expr/expr.h"

#include <string.h>

/* Formulas keep their value and slope where the textbook form would cancel or overflow: ELU's exp sees no
 * positive x. */
const struct expr_known expr_known[] = {
    {"identity", "x", ""},
    {"relu", "relu(x)", "Nair and Hinton 2010"},
    {"leaky_relu", "max(x,0)+0.01*min(x,0)", "Maas et al. 2013"},
    {"prelu", "max(x,0)+b*min(x,0); b=0.25", "He et al. 2015"},
    {"relu6", "min(relu(x),6)", "Krizhevsky 2010"},
    {"squared_relu", "relu(x)^2", "So et al. 2021"},
    {"sigmoid", "sigmoid(x)", ""},
    {"tanh", "tanh(x)", ""},
    {"softplus", "softplus(x)", "Dugas et al. 2001"},
    {"softsign", "x/(1+abs(x))", "Bergstra et al. 2009"},
    {"elu", "max(x,0)+(exp(min(x,0))-1)", "Clevert et al. 2015"},
    {"selu", "1.0507009873554805*(max(x,0)+1.6732632423543772*(exp(min(x,0))-1))", "Klambauer et al. 2017"},
    {"gelu", "0.5*x*(1+erf(0.7071067811865476*x))", "Hendrycks and Gimpel 2016"},
    {"gelu_tanh", "0.5*x*(1+tanh(0.7978845608028654*(x+0.044715*x^3)))", "Hendrycks and Gimpel 2016"},
    {"swish-1", "x*sigmoid(x)", "Ramachandran et al. 2017; Elfwing et al. 2017 (SiLU)"},
    {"swish", "x*sigmoid(b*x)", "Ramachandran et al. 2017"},
    {"mish", "x*tanh(softplus(x))", "Misra 2019"},
    {"hard_sigmoid", "min(max(x/6+0.5,0),1)", "Howard et al. 2019"},
    {"hard_swish", "x*min(max(x/6+0.5,0),1)", "Howard et al. 2019"},
    {"hard_tanh", "min(max(x,-1),1)", "Collobert 2004"},
    {"tanhshrink", "x-tanh(x)", ""},
    {"gaussian", "exp(-x^2)", ""},
    {"serf", "x*erf(softplus(x))", "Nag et al. 2021"},
    {"max_sigmoid", "max(x,sigmoid(x))", "Ramachandran et al. 2017"},
    {"cos_minus", "cos(x)-x", "Ramachandran et al. 2017"},
    {"min_sin", "min(x,sin(x))", "Ramachandran et al. 2017"},
    {"atan_squared_minus", "atan(x)^2-x", "Ramachandran et al. 2017"},
    {"max_tanh", "max(x,tanh(x))", "Ramachandran et al. 2017"},
    {"sinc_plus", "sinc(x)+x", "Ramachandran et al. 2017"},
    {"x_asinh_squared", "x*asinh(x)^2", "Ramachandran et al. 2017"},
};

const int expr_known_count = sizeof expr_known / sizeof *expr_known;

const struct expr_known *expr_known_find(const char *name)
{
    for (int i = 0; i < expr_known_count; i++)
        if (strcmp(expr_known[i].name, name) == 0)
            return &expr_known[i];
    return NULL;
}

const char *expr_known_text(const char *name_or_text)
{
    const struct expr_known *known = expr_known_find(name_or_text);
    return known ? known->text : name_or_text;
}
