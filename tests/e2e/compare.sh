#!/usr/bin/env bash
# compare.sh: two functions of a real search, paired by seed.
. "$(dirname "$0")/lib.sh"

refused compare_without_two_expressions_is_wrong_usage 2 actsearch compare none.db 'relu(x)' -- 'two expressions'
refused compare_puts_a_caret_under_a_wrong_name 2 actsearch compare none.db relu 'x*sgmoid(x)' -- '^ *\^'
require_data fashion-mnist
small_experiment small.ini 'seeds = 3'
sed -i 's/^candidates = .*/candidates = 2/; s/^batch = 8/batch = 2/; s/^references = .*/references = relu(x), -x, x*sigmoid(b*x)/' small.ini
actsearch run small.ini --db small.db >run.out 2>run.err || { fail the_search_that_is_compared 'it failed' run.err; exit 1; }

name=the_difference_is_that_of_the_database
actsearch compare small.db swish relu --json >compare.json 2>compare.err
expected=$(scalar small.db "SELECT avg(1.0 * a.correct / a.validation_count - 1.0 * b.correct / b.validation_count) FROM trial a JOIN trial b USING (seed)
    WHERE a.candidate = (SELECT id FROM candidate WHERE activation = 'x*sigmoid(b0*x)') AND b.candidate = (SELECT id FROM candidate WHERE activation = 'relu(x)')")
sqlite3 :memory: "SELECT json(readfile('compare.json')) ->> '\$.pairs' = 3 AND abs(json(readfile('compare.json')) ->> '\$.difference' - ($expected)) < 1e-12
    AND json(readfile('compare.json')) ->> '\$.low' < $expected AND json(readfile('compare.json')) ->> '\$.high' > $expected" >judged 2>&1
[ "$(cat judged)" = 1 ] && pass $name || fail $name "expected $expected" compare.json

name=expressions_that_begin_with_a_minus_sign_keep_their_order
actsearch compare small.db -x relu >minus.out 2>&1 && grep -qE '^A .* -x$' minus.out && grep -qE '^B .* relu\(x\)$' minus.out && pass $name ||
    fail $name 'not so' minus.out
refused a_function_is_not_compared_with_itself 1 actsearch compare small.db relu 'max(x,0)' -- 'same function'
refused compare_says_what_is_not_there 1 actsearch compare small.db relu 'x^3-7*x^2' -- 'never proposed'
