#!/usr/bin/env bash
# plot.sh: each picture is made, as SVG and as PNG, with the functions of the database in its legend; and what is said where one
# cannot be made.
. "$(dirname "$0")/lib.sh"

refused an_unknown_plot_gets_the_nearest 2 actsearch plot functoins none.db -- "did you mean 'functions'"
refused a_plot_of_no_database_fails 1 actsearch plot functions none.db -- 'none\.db'
refused a_picture_of_another_kind_is_wrong_usage 2 actsearch plot functions none.db -o a.pdf -- '\.svg or \.png'
refused too_many_functions_are_wrong_usage 2 actsearch plot functions none.db -n 25 -- '24'
require_data fashion-mnist
small_experiment small.ini
actsearch run small.ini --db small.db >run.out 2>run.err || { fail the_search_that_is_drawn 'it failed' run.err; exit 1; }
refused without_gnuplot_it_says_what_to_install 1 env PATH=/nonexistent "$(command -v actsearch)" plot functions small.db -- 'gnuplot-nox'

if ! command -v gnuplot >/dev/null; then
    skipped pictures 'no gnuplot (package gnuplot-nox)'
    exit 0
fi
best=$(scalar small.db 'SELECT activation FROM ranking WHERE NOT reference LIMIT 1')
for what in functions derivatives curves progress space; do
    name=${what}_as_svg
    actsearch plot $what small.db -n 5 >$what.out 2>&1 && head -n 3 $what.svg | grep -q '<svg' && tail -n 2 $what.svg | grep -q '</svg>' &&
        grep -qF 'small' $what.svg && grep -qF 'relu(x)  (reference' $what.svg && pass $name || fail $name 'no such picture' $what.out
    name=${what}_as_png
    actsearch plot $what small.db -o $what.png >$what.out 2>&1 && [ "$(head -c 4 $what.png | tail -c 3)" = PNG ] && pass $name ||
        fail $name 'no such picture' $what.out
done
for kind in svg png; do
    name=policy_as_$kind
    actsearch plot policy small.db -o policy.$kind >policy.out 2>&1 && [ -s policy.$kind ] && pass $name || fail $name 'no such picture' policy.out
done
name=the_policy_has_a_line_for_each_token_with_a_choice
likeliest=$(scalar small.db "SELECT policy ->> '$[4].choice' FROM search_history ORDER BY policy_version DESC LIMIT 1")
grep -q 'unit 1, unary 2' policy.svg && ! grep -q 'input 1' policy.svg && grep -qF "${likeliest:0:12}" policy.svg && pass $name ||
    fail $name "no $likeliest, or too much" policy.out

name=the_best_function_is_in_the_legends
grep -qF "${best:0:30}" functions.svg && grep -qF "${best:0:30}" curves.svg && pass $name || fail $name "no $best" functions.out

name=n_functions_are_drawn_and_the_references
actsearch plot curves small.db -n 3 -o three.svg >/dev/null && [ "$(grep -c '(#' three.svg)" = 3 ] && [ "$(grep -c '(reference' three.svg)" = 2 ] &&
    pass $name || fail $name "$(grep -c '(#' three.svg) functions"

# ---- a network within
for what in preactivations betas; do
    for kind in svg png; do
        name=${what}_of_a_function_as_$kind
        actsearch plot $what small.db swish -o $what.$kind >$what.out 2>$what.err && [ -s $what.$kind ] && pass $name || fail $name 'no such picture' $what.err
    done
    name=${what}_are_of_the_network_in_the_database
    accuracy=$(scalar small.db "SELECT printf('%.2f %%', 100 * accuracy_mean) FROM ranking WHERE activation = 'x*sigmoid(b0*x)'")
    grep -qF "$accuracy on validation" $what.svg && grep -q 'before training' $what.svg && grep -qF 'x*sigmoid(b0*x): ' $what.svg && pass $name ||
        fail $name "no $accuracy" $what.err
done
name=each_channel_of_the_two_hidden_layers_has_its_b
grep -q '256 trained b' betas.svg && pass $name || fail $name 'they are not' betas.err
name=without_a_function_the_best_is_drawn
first=$(scalar small.db 'SELECT activation FROM ranking LIMIT 1')
actsearch plot preactivations small.db -o first.svg >first.out 2>first.err && grep -qF "${first:0:20}" first.svg && pass $name || fail $name "no $first" first.err
refused a_function_without_b_has_no_betas 1 actsearch plot betas small.db 'relu(x)' -- 'no trainable b'
refused a_seed_that_was_not_trained_is_refused 1 actsearch plot preactivations small.db relu --seed 5 -- 'seed 5'
refused a_function_that_was_not_trained_is_refused 1 actsearch plot preactivations small.db -x^2-7*x -o a.svg -- 'never proposed'
refused a_plot_of_the_search_takes_no_function 2 actsearch plot curves small.db relu -- "'relu'"
refused a_plot_of_the_search_takes_no_seed 2 actsearch plot curves small.db --seed 5 -- 'without one'
cp small.db other.db
sqlite3 other.db 'UPDATE trial SET correct = correct - 1'
refused a_network_that_is_not_that_of_the_database_is_not_drawn 1 actsearch plot preactivations other.db swish -- 'not the same network'
sqlite3 other.db "UPDATE experiment SET data_hash = replace(data_hash, substr(data_hash, 1, 1), 'x')"
refused a_network_of_other_data_is_not_drawn 1 actsearch plot preactivations other.db swish -- 'other data'
sqlite3 other.db 'UPDATE experiment SET numerics = numerics + 1'
refused a_network_of_other_arithmetic_is_not_drawn 1 actsearch plot preactivations other.db swish -- 'arithmetic'
sqlite3 other.db "UPDATE experiment SET trainer = 'mine'"
refused a_network_of_another_trainer_is_not_drawn 1 actsearch plot preactivations other.db swish -- 'another trainer'

# Some of what a picture has room for is not there; gnuplot warns of it, and that must not get into the picture.
name=a_picture_has_no_warnings_in_it
cp small.db few.db
sqlite3 few.db 'UPDATE candidate SET steps = 5 WHERE NOT reference'
actsearch plot progress few.db -o few.svg >few.out 2>&1 && [ "$(head -c 5 few.svg)" = '<?xml' ] && ! grep -qi warning few.svg few.out && pass $name ||
    fail $name 'it has' few.out

name=nothing_is_left_where_a_picture_cannot_be_written
mkdir -p full.svg
actsearch plot functions small.db -o full.svg >full.out 2>&1
[ $? = 1 ] && [ ! -e full.svg.part ] && grep -q 'full\.svg' full.out && pass $name || fail $name 'something is' full.out
