#!/usr/bin/env bash
# export.sh: exported code gives the values and slopes that the trainer has: known functions, special points, and a few hundred
# random functions (export_cases.c).
. "$(dirname "$0")/lib.sh"

"$BUILD/e2e/export_cases" >cases.tsv
cut -f 1,2 cases.tsv | uniq >functions.tsv

# export_all TARGET EXTENSION: function number N becomes TARGET/fN.EXTENSION, under the name fN.
export_all() {
    mkdir -p "$1"
    while IFS=$'\t' read -r number text; do
        actsearch export "$text" --to "$1" --name "f$number" >"$1/f$number.$2" || echo "refused: $text"
    done <functions.tsv
}

# A C program that has every function and its points.
c_program() {
    local number
    printf '#include <stdio.h>\n#include "tests.h"\n'
    cut -f 1 functions.tsv | sed 's/.*/#include "c\/f&.h"/'
    printf 'int main(void)\n{\n'
    awk -F '\t' '{ b = $3 == "-" ? "0" : $3
        printf "    CHECK(f%d, \"%s\", (%s), (%s), (%s), %s)\n", $1, $2, $4, $5, $6, b }' cases.tsv
    printf '    printf("%%d points\\n", points);\n    return 0;\n}\n'
}
cat >tests.h <<'C'
static int points;
static int wrong(double got, double expected, double tolerance)
{
    return !(fabs(got - expected) <= tolerance * (1 + fabs(expected)));
}
#define CHECK(f, text, x, y, slope, ...) { \
    const double b[] = {__VA_ARGS__}; \
    const double got = f##_value(x, b), got_slope = f##_slope(x, b); \
    if (wrong(got, y, 1e-9) || wrong(got_slope, slope, 1e-9)) \
        printf("%s at %.17g: %.17g %.17g, expected %.17g %.17g\n", text, (double)(x), got, got_slope, (double)(y), (double)(slope)); \
    points++; }
C

# judged NAME OUTPUT: the last line must say how many points were compared, and nothing else be said.
judged() {
    if [ "$(cat "$2")" = "$(wc -l <cases.tsv) points" ] && [ "$(wc -l <functions.tsv)" -ge 350 ]; then pass "$1"
    else fail "$1" "$(wc -l <functions.tsv) functions, $(wc -l <cases.tsv) points" "$2"; fi
}

name=c_has_the_values_and_slopes_of_the_trainer
if ! command -v "${CC:=gcc}" >/dev/null; then skipped $name "no C compiler"
else
    export_all c h >c.out 2>&1
    sed -i '1i #include <math.h>' tests.h
    c_program >program.c
    "$CC" -std=c11 -pedantic -O1 -Wall -Wextra -Wshadow -Wno-unused-function -Werror -o program program.c -lm >>c.out 2>&1 &&
        ./program >>c.out
    judged $name c.out
fi

for target in pytorch jax tensorflow; do
    name=${target}_has_the_values_and_slopes_of_the_trainer
    python=/usr/bin/python3
    if ! "$python" -c 'import torch' 2>/dev/null; then
        skipped $name "no python3 with torch (package python3-torch)"
        continue
    fi
    export_all $target py >$target.out 2>&1
    "$python" "$ROOT/tests/e2e/export_check.py" $target cases.tsv $target >>$target.out 2>&1
    judged $name $target.out
done

name=c_in_float_is_as_near_as_float_can_be
actsearch export 'x*sigmoid(b*x)+max(x,sinc(x))*softplus(x)-x^3/7' --to c --name f >float.h
cat >float.c <<'C'
#include "float.h"
#include <stdio.h>
int main(void)
{
    for (int i = -50; i <= 50; i++) {
        const double x = i / 10.0, b[] = {0.8};
        const float bf[] = {0.8f};
        const double f = f_value(x, b), df = f_slope(x, b);
        if (!(fabs(f - f_valuef((float)x, bf)) <= 1e-5 * (1 + fabs(f)) && fabs(df - f_slopef((float)x, bf)) <= 1e-5 * (1 + fabs(df))))
            printf("%g: %g %g\n", x, f - f_valuef((float)x, bf), df - f_slopef((float)x, bf));
    }
    return 0;
}
C
"${CC:-gcc}" -std=c11 -Wall -Wextra -Wno-unused-function -Wfloat-conversion -Werror -o float float.c -lm >float.out 2>&1 && ./float >>float.out 2>&1 &&
    [ ! -s float.out ] && pass $name || fail $name 'it is not' float.out

name=latex_has_balanced_braces
while IFS=$'\t' read -r number text; do
    actsearch export "$text" --to latex --name "f$number" >f.tex
    awk -v text="$text" '/^f/ { left = gsub(/\\left/, "&"); right = gsub(/\\right/, "&"); open = gsub(/\{/, "&"); close_ = gsub(/\}/, "&")
        if (left != right || open != close_) print text ": " $0; lines++ } END { if (lines != 2) print text ": " lines " lines" }' f.tex
done <functions.tsv >latex.out 2>&1
[ ! -s latex.out ] && pass $name || fail $name 'unbalanced' latex.out

# golden NAME EXPRESSION F DERIVATIVE
golden() {
    printf '\\begin{align}\nf(x) &= %s \\\\\nf'\''(x) &= %s\n\\end{align}\n' "$3" "$4" >expected.tex
    actsearch export "$2" --to latex | grep -v '^%' >got.tex
    cmp -s got.tex expected.tex && pass "$1" || fail "$1" "not as expected" got.tex
}
golden latex_of_swish swish 'x \, \sigma\left(\beta_0 \, x\right)' \
    '\sigma\left(\beta_0 \, x\right) + x \, \sigma\left(\beta_0 \, x\right) \, \sigma\left(-\beta_0 \, x\right) \, \beta_0'
golden latex_of_a_fraction 'x/(1+abs(x))' '\frac{x}{1 + \left|x\right|}' \
    '\frac{1}{1 + \left|x\right|} - \frac{\frac{x}{1 + \left|x\right|}}{1 + \left|x\right|} \, \operatorname{sign}\left(x\right)'
golden latex_of_powers '(x^2)^3-2*-x^2+1e-6' '\left(x^{2}\right)^{3} - 2 \, \left(-x^{2}\right) + 10^{-6}' \
    '3 \, \left(x^{2}\right)^{2} \cdot 2 \, x - 2 \, \left(-2 \, x\right)'
golden latex_of_minus_signs 'x+(-x+1)-(-x)/(2-x)+(-x+3)/x*0' \
    'x + \left(-x + 1\right) + \frac{x}{2 - x} + \frac{-x + 3}{x} \cdot 0' \
    '0 - \left(-\frac{1}{2 - x} + \frac{\left(-\frac{x}{2 - x}\right)}{2 - x}\right) + 0 \, \left(-\frac{1}{x} - \frac{\frac{-x + 3}{x}}{x}\right)'
golden latex_of_a_function_squared 'atan(x)^2-x' '\arctan\left(x\right)^{2} - x' \
    '2 \, \arctan\left(x\right) \, \frac{1}{1 + x^{2}} - 1'

name=a_name_of_ones_own
actsearch export relu --to pytorch --name my_relu | grep -q '^class MyRelu(' && pass $name || fail $name 'no class MyRelu'
refused a_name_that_is_none_is_wrong_usage 2 actsearch export relu --to c --name 'a b' -- 'letter'
refused an_unknown_target_gets_the_nearest 2 actsearch export relu --to pytorhc -- "did you mean 'pytorch'" 'latex'
refused export_without_a_target_is_wrong_usage 2 actsearch export relu -- '\-\-to'
refused a_wrong_expression_gets_a_caret 2 actsearch export 'x*sgmoid(x)' --to c -- '^ *\^' 'sigmoid'
refused a_function_of_no_database_fails 1 actsearch export --db none.db --rank 2 --to c -- 'none\.db'
