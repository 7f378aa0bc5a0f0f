#!/bin/sh
# shell.sh: a trainer in a few lines of shell. Instead of a network it scores how near a function is to Swish on -5...5: put your own
# program in the place of awk.   actsearch run FILE.ini --trainer scripts/trainers/shell.sh --trainer-name shell
IFS= read -r job # one line of JSON: what to train
get() { printf '%s\n' "$job" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; } # good for numbers and words
function=$(printf '%s\n' "$job" | sed 's/.*"activation":"\([^"]*\)".*/\1/') steps=$(get steps)
printf '{"step":1,"loss":null}\n' # progress: as often as you like
awk -v steps="$steps" '
    function abs(x) { return x < 0 ? -x : x }       function relu(x) { return x > 0 ? x : 0 }
    function max(a, b) { return a > b ? a : b }     function min(a, b) { return a < b ? a : b }
    function sigmoid(x) { return 1 / (1 + exp(-x)) } function softplus(x) { return log(1 + exp(x)) }
    function sinh(x) { return (exp(x) - exp(-x)) / 2 } function cosh(x) { return (exp(x) + exp(-x)) / 2 }
    function tanh(x) { return 1 - 2 / (1 + exp(2 * x)) } function atan(x) { return atan2(x, 1) }
    function asinh(x) { return log(x + sqrt(x * x + 1)) } function sinc(x) { return x == 0 ? 1 : sin(x) / x }
    function erf(x) { return x < 0 ? -erf(-x) : 1 - exp(-x * x) / (1 + 0.47047 * x) ^ 3 } # roughly
    function f(x,  b0, b1, b2, b3, b4, b5) { b0 = b1 = b2 = b3 = b4 = b5 = 1; '"${function#*;}"'; return '"${function%%;*}"' }
    BEGIN {
        for (x = -5; x <= 5; x += 0.25) { d = f(x) - x * sigmoid(x); sum += d * d }
        error = sqrt(sum / 41)
        if (error != error || error - error != 0) print "{\"diverged\":true}"
        else printf "{\"step\":%d,\"correct\":%d,\"count\":1000000,\"validation_loss\":%.9f}\n", steps, 1e6 / (1 + error), error
    }'
