#!/usr/bin/env bash
# The paper's space with one unit, counted a second time: awk computes every one of the 6,250 strings on points of its own, from the
# formulas of the paper's table, and must agree with each verdict of `actsearch space`.
. "$(dirname "$0")/lib.sh"
printf '[search]\nalgorithm = exhaustive\n' >paper.ini

name=a_space_of_6250_strings_is_counted_in_seconds
timeout 20 actsearch space paper.ini --json >count.json && [ "$(sqlite3 :memory: "SELECT readfile('count.json') ->> 'strings'")" = 6250 ] && pass $name ||
    fail $name 'not 6,250, or too slow' count.json

actsearch space paper.ini --list >list
cat >again.awk <<'AWK'
# erf by its series, or by the continued fraction of erfc where that is slow.
function erf(x,   t, sum, n) {
    if (x < 0) return -erf(-x)
    if (x < 2.5) { t = x; sum = x; for (n = 1; n < 80; n++) { t *= -x * x / n; sum += t / (2 * n + 1) } return 2 / sqrt(PI) * sum }
    t = 0; for (n = 80; n >= 1; n--) t = n / 2 / (x + t)
    return 1 - exp(-x * x) / sqrt(PI) / (x + t)
}
function abs(x) { return x < 0 ? -x : x }
function unary(u, x, b,   a) {
    if (u == 0) return x;             if (u == 1) return -x;         if (u == 2) return abs(x)
    if (u == 3) return x * x;         if (u == 4) return x * x * x;  if (u == 5) return x < 0 ? "nan" : sqrt(x)
    if (u == 6) return b * x;         if (u == 7) return x + b;      if (u == 8) return log(abs(x) + 1e-6)
    if (u == 9) return exp(x);        if (u == 10) return sin(x);    if (u == 11) return cos(x)
    if (u == 12) return (exp(x) - exp(-x)) / 2;                      if (u == 13) return (exp(x) + exp(-x)) / 2
    if (u == 14) return 1 - 2 / (exp(2 * x) + 1)
    if (u == 15) { a = log(abs(x) + sqrt(x * x + 1)); return x < 0 ? -a : a }
    if (u == 16) return atan2(x, 1);  if (u == 17) return sin(x) / x
    if (u == 18) return x > 0 ? x : 0;                               if (u == 19) return x < 0 ? x : 0
    if (u == 20) return 1 / (1 + exp(-x));                           if (u == 21) return log(1 + exp(x))
    if (u == 22) return exp(-x * x);  if (u == 23) return erf(x);    return b
}
function binary(f, p, q, b) {
    if (p == "nan" || q == "nan") return "nan"
    if (f == 0) return p + q;         if (f == 1) return p * q;      if (f == 2) return p - q
    if (f == 3) return p / (q + 1e-6)
    if (f == 4) return p > q ? p : q; if (f == 5) return p < q ? p : q
    if (f == 6) return q / (1 + exp(-p))
    if (f == 7) return exp(-b * (p - q) * (p - q));                  if (f == 8) return exp(-b * abs(p - q))
    return b * p + (1 - b) * q
}
function has_beta(u) { return u == 6 || u == 7 || u == 24 }
# The values of the string, its parameters set to B[p1], B[p2], B[p3] (first unary, second, binary), as text of 9 digits.
function values(u1, u2, f, p1, p2, p3,   i, v, low, high, text) {
    text = ""
    for (i = 0; i < POINTS; i++) {
        v = binary(f, U[u1, p1, i], U[u2, p2, i], B[p3])
        if (v == "nan") return "nan"
        if (abs(v) < 1e-13) v = 0
        text = text sprintf(" %.9g", v)
        if (i == 0 || v < low) low = v
        if (i == 0 || v > high) high = v
    }
    return high - low <= 1e-12 * abs(high) ? "constant" : text
}
BEGIN {
    PI = atan2(0, -1); POINTS = 101
    # Parameter p is B[p], B[p + 3] and B[p + 6] in turn: some functions are the same only where a parameter is positive, or small.
    split("0.731 1.377 1.913 -0.62 -1.41 2.37 1.6 0.4 -0.9", B, " "); B[0] = 1
    for (u = 0; u < 25; u++) for (p = 0; p < 10; p++) for (i = 0; i < POINTS; i++)
        U[u, p, i] = unary(u, -4.9283 + 9.8517 * i / (POINTS - 1), B[p])
}
{
    split($1, t, " "); u1 = t[3]; u2 = t[4]; f = t[5]
    status = $2; sub(/ of .*/, "", status)
    start = values(u1, u2, f, 0, 0, 0)
    if (start == "nan") expected = "rejected: not finite"
    else if (start == "constant") expected = "rejected: constant"
    else {
        # The same function whatever its parameters are called: of all ways to hand out the values, the one whose text comes first.
        n = has_beta(u1) + has_beta(u2) + (f >= 7)
        key = ""
        for (p1 = has_beta(u1); p1 <= has_beta(u1) * n; p1++) for (p2 = has_beta(u2); p2 <= has_beta(u2) * n; p2++)
            for (p3 = (f >= 7); p3 <= (f >= 7) * n; p3++) {
                if ((p1 && (p1 == p2 || p1 == p3)) || (p2 && p2 == p3)) continue
                text = values(u1, u2, f, p1, p2, p3)
                if (n) for (s = 3; s <= 6; s += 3) text = text values(u1, u2, f, p1 ? p1 + s : 0, p2 ? p2 + s : 0, p3 ? p3 + s : 0)
                if (key == "" || text < key) key = text
            }
        key = n key
        expected = key in seen ? "duplicate" : "usable"
        seen[key] = 1
    }
    count[expected]++
    if (status != expected) printf "%s: %s, and awk says %s\n", $3, $2, expected >"differing"
}
END {
    printf "%d|%d|%d|%d\n", count["usable"], count["duplicate"], count["rejected: constant"], count["rejected: not finite"]
}
AWK
name=each_verdict_is_what_awk_finds_too
touch differing
counted=$(LC_ALL=C awk -F '\t' -f again.awk list)
[ "$(wc -l <list)" = 6250 ] && [ ! -s differing ] && pass $name || fail $name "$(wc -l <list) strings, $(wc -l <differing) differ" differing

name=the_counts_are_those_of_awk
said=$(sqlite3 :memory: "SELECT c ->> 'usable', c ->> 'duplicates', c ->> '\$.rejected.constant', c ->> '\$.rejected.not finite' FROM (SELECT readfile('count.json') AS c)")
[ "$said" = "$counted" ] && pass $name || fail $name "actsearch $said, awk $counted"

name=usable_duplicate_and_rejected_strings_are_all_strings
sum=$(sqlite3 :memory: "SELECT (c ->> 'usable') + (c ->> 'duplicates') + (SELECT sum(value) FROM json_each(c, '\$.rejected')) FROM (SELECT readfile('count.json') AS c)")
[ "$sum" = 6250 ] && pass $name || fail $name "$sum"

name=json_lists_say_the_same_with_five_tokens_a_unit
actsearch space paper.ini --list --json >list.json
awk '{print "SELECT json_array_length(j, '\''$.tokens'\'') || char(9) || (j ->> '\''status'\'') || char(9) || (j ->> '\''activation'\'') FROM (SELECT '\''" $0 "'\'' AS j);"}' list.json |
    sqlite3 :memory: >from.json
awk -F '\t' '{print 5 "\t" $2 "\t" $3}' list | cmp -s - from.json && pass $name || fail $name 'they differ' from.json

name=a_space_too_large_to_go_through_is_estimated_and_says_so
actsearch space paper.ini --set space.units=3 --json >large.json
[ "$(sqlite3 :memory: "SELECT (c ->> 'strings') = 8789062500000 AND c ->> 'distinct' IS NULL AND (c ->> '\$.estimate.draws') = 10000 FROM (SELECT readfile('large.json') AS c)")" = 1 ] &&
    pass $name || fail $name 'another answer' large.json
refused its_list_is_refused_with_advice 1 actsearch space paper.ini --set space.units=3 --list -- '8\.789e\+12' '--sample'

name=the_same_seed_draws_the_same_sample
actsearch space paper.ini --set space.units=3 --sample 50 --seed 3 >one && actsearch space paper.ini --set space.units=3 --sample 50 --seed 3 >two &&
    actsearch space paper.ini --set space.units=3 --sample 50 --seed 4 >other && cmp -s one two && ! cmp -s one other && [ "$(wc -l <one)" = 50 ] && pass $name || fail $name 'it does not' one

refused list_and_sample_exclude_each_other 2 actsearch space paper.ini --list --sample 5 -- 'exclude'
