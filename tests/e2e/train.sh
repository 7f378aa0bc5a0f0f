#!/usr/bin/env bash
# One training: what it prints, that it is the same for one seed on every set of kernels, and that diverging is a result.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist

# json FILE PATH: a value of the object in the last line of FILE; empty for null. kind FILE PATH: its type.
json() { sqlite3 :memory: "SELECT json_extract('$(tail -n 1 "$1")', '$.$2')"; }
kind() { sqlite3 :memory: "SELECT json_type('$(tail -n 1 "$1")', '$.$2')"; }
# true_in FILE SQL: whether the condition holds; j(KEY) stands for a key of the object.
true_in() {
    local sql; sql=$(sed -E "s/j\(([a-z_]+)\)/json_extract(t, '$.\1')/g" <<<"$2")
    [ "$(sqlite3 :memory: "SELECT $sql FROM (SELECT '$(tail -n 1 "$1")' AS t)")" = 1 ]
}
train() { actsearch train --data fashion-mnist "$@" --json 2>train.err; }
# same FILE FILE: whether two trainings ended with the same numbers, to the last digit that is printed.
same() {
    local key
    for key in validation_accuracy validation_loss train_loss; do
        [ "$(grep -o "\"$key\":[^,]*" "$1")" = "$(grep -o "\"$key\":[^,]*" "$2")" ] || return 1
    done
}

# ---- what is printed
name=a_training_ends_in_one_json_object
train --model cnn --activation 'relu(x)' --steps 60 --seed 3 --test >relu.json && [ "$(wc -l <relu.json)" = 1 ] &&
    [ "$(sqlite3 :memory: "SELECT json_valid('$(cat relu.json)')")" = 1 ] && pass $name || fail $name 'it does not' relu.json
while read -r key type; do
    [ "$(kind relu.json "$key")" = "$type" ] && pass "json_has_$key" || fail "json_has_$key" "'$(kind relu.json "$key")', not $type" relu.json
done <<'KEYS'
activation text
model text
data text
steps integer
seed integer
validation_accuracy real
validation_loss real
train_loss real
diverged false
test_accuracy real
parameters integer
images_per_second real
seconds real
peak_memory_bytes integer
KEYS
name=the_values_are_those_of_the_call
true_in relu.json "j(activation) = 'relu(x)' AND j(model) = 'cnn' AND j(data) = 'fashion-mnist' AND j(steps) = 60 AND j(seed) = 3" &&
    pass $name || fail $name 'they are not' relu.json
name=relu_learns_something_in_60_steps
true_in relu.json 'j(validation_accuracy) BETWEEN 0.55 AND 0.95 AND j(test_accuracy) BETWEEN 0.55 AND 0.95 AND j(validation_loss) BETWEEN 0.2 AND 1.5' &&
    pass $name || fail $name 'it did not' relu.json
name=it_counts_parameters_time_and_memory
true_in relu.json 'j(parameters) = 16794 AND j(images_per_second) > 100 AND j(seconds) > 0 AND j(peak_memory_bytes) BETWEEN 1e7 AND 1e9' &&
    pass $name || fail $name 'it does not' relu.json
train --model mlp --activation 'x*sigmoid(b*x)' --steps 5 >swish.json
train --model mlp --activation swish --steps 5 >known.json
name=a_known_name_stands_for_its_function
[ "$(json known.json activation)" = "$(json swish.json activation)" ] && same known.json swish.json && pass $name || fail $name 'it does not' known.json
name=without_test_there_is_no_test_accuracy
[ -z "$(kind swish.json test_accuracy)" ] && pass $name || fail $name 'there is' swish.json
name=people_get_text
actsearch train --data fashion-mnist --model mlp --activation 'tanh(x)' --steps 3 -v >text 2>verbose &&
    grep -qE 'validation accuracy +[0-9.]+ %' text && grep -qE 'kernels +(avx512|avx2|portable)' verbose && pass $name || fail $name 'they do not' text
name=describe_shows_the_layers
actsearch train --describe --data fashion-mnist --model cnn --activation 'x*sigmoid(b*x)' >text && grep -qE 'total +16794 +[0-9]+ +96' text &&
    pass $name || fail $name 'it does not' text

# ---- the same bits
# The first 600 training images of Fashion-MNIST as a data set: the kernels without vector instructions are slow.
unpacked=$(sed -nE 's/^data +(.*), hash .*/\1/p' verbose)
cut() { tail -c +$(($1 + 1)) "$unpacked" | head -c "$2"; }
mkdir few
{ printf '\0\0\x08\x03\0\0\x02\x58\0\0\0\x1c\0\0\0\x1c'; cut 64 $((600 * 784)); } | tee few/train-images-idx3-ubyte >few/t10k-images-idx3-ubyte
{ printf '\0\0\x08\x01\0\0\x02\x58'; cut $((64 + 60000 * 784)) 600; } | tee few/train-labels-idx1-ubyte >few/t10k-labels-idx1-ubyte
actsearch data add --cache cache few few >add.out 2>&1 || fail a_part_of_the_data_is_added 'it is not' add.out
few='--cache cache --data few --model cnn --steps 3 --set child.batch=64 --set child.validation=100'
for path in portable avx2 avx512; do
    name=the_bits_are_the_same_with_$path
    if [ $path != portable ] && ! grep -qw "$([ $path = avx2 ] && echo avx2 || echo avx512vl)" /proc/cpuinfo; then
        skipped $name 'this CPU lacks it'
        continue
    fi
    ACTSEARCH_KERNELS=$path train $few --activation 'x*sigmoid(b*x)' >$path.json && same portable.json $path.json &&
        [ "$(json $path.json kernels)" = $path ] && pass $name || fail $name 'they are not' $path.json
done
name=the_bits_are_the_same_again
train $few --activation 'x*sigmoid(b*x)' >again.json && same portable.json again.json && pass $name || fail $name 'they are not' again.json
name=another_seed_gives_other_bits
train $few --activation 'x*sigmoid(b*x)' --seed 2 >other.json && ! same portable.json other.json && pass $name || fail $name 'it does not' other.json
name=set_changes_the_training
train $few --activation 'x*sigmoid(b*x)' --set child.lr=0.01 >other.json && ! same portable.json other.json && pass $name || fail $name 'it does not' other.json

# ---- diverging is a result
name=diverging_is_a_result
train --model cnn --activation 'exp(exp(x))' --steps 20 --test >diverged.json && true_in diverged.json \
    'j(diverged) = 1 AND j(validation_accuracy) = 0 AND j(validation_loss) IS NULL AND j(train_loss) IS NULL AND j(test_accuracy) = 0' &&
    [ "$(kind diverged.json validation_loss)" = null ] && pass $name || fail $name 'it is not' diverged.json

# ---- refusals
refused a_wrong_function_gets_a_caret 2 actsearch train --model mlp --data fashion-mnist --activation 'x*sgmoid(x)' -- '^  \^' "did you mean 'sigmoid'"
refused a_misspelt_name_gets_the_nearest 2 actsearch train --activation swsh -- "'swish'"
refused no_function_is_wrong_usage 2 actsearch train -- '--activation'
refused an_unknown_model_is_wrong_usage 2 actsearch train --model cn --activation swish -- "cn'" 'cnn'
refused an_unknown_key_is_wrong_usage 2 actsearch train --activation swish --set child.step=3 -- 'child\.steps'
refused a_key_without_its_section_is_wrong_usage 2 actsearch train --activation swish --set steps=3 -- 'child\.KEY=VALUE'
refused a_value_out_of_bounds_is_wrong_usage 2 actsearch train --activation swish --steps 0 -- 'steps' '1'
refused an_unknown_data_set_fails 1 actsearch train --activation swish --data none -- "'none'" 'data add'
refused more_validation_than_records_fails 1 actsearch train --activation swish --set child.validation=60000 -- 'child\.validation'
refused data_without_an_action_is_wrong_usage 2 actsearch data -- 'add, list or verify'
refused data_add_without_a_folder_is_wrong_usage 2 actsearch data add name -- 'NAME and DIR'
