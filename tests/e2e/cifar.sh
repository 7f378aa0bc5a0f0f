#!/usr/bin/env bash
# CIFAR-10 from its binary files: a small data set of that layout always; the real one where ACTSEARCH_TEST_CIFAR10 names its folder.
. "$(dirname "$0")/lib.sh"
export ACTSEARCH_CACHE=$WORK/cache
json() { sqlite3 :memory: "SELECT json_extract('$(tail -n 1 "$1")', '$.$2')"; }

# records FILE FIRST: ten records, image i all of one brightness, which grows with its label.
records() {
    local i label brightness
    for i in 0 1 2 3 4 5 6 7 8 9; do
        label=$(((i + $2) % 10)) brightness=$((label * 25 + 5))
        printf "\\x$(printf %02x $label)"
        head -c 3072 /dev/zero | tr '\0' "\\$(printf %03o $brightness)"
    done >"$1"
}
mkdir small
for batch in 1 2 3 4 5; do records small/data_batch_$batch.bin $batch; done
records small/test_batch.bin 0

name=a_data_set_of_the_layout_is_added
actsearch data add small small >add.out 2>&1 && actsearch data list --json >list.json &&
    [ "$(sqlite3 :memory: "SELECT json_extract('$(cat list.json)', '\$[0].train') || json_extract('$(cat list.json)', '\$[0].classes')")" = 5010 ] &&
    pass $name || fail $name 'it is not' add.out
name=it_is_whole
actsearch data verify small >verify.out 2>&1 && pass $name || fail $name 'it is not' verify.out
for model in cnn resnet-8; do
    name=a_${model}_trains_on_it
    actsearch train --model $model --data small --activation 'relu(x)' --steps 3 --set child.batch=20 --set child.validation=10 --test --json >small.json 2>train.err &&
        [ "$(json small.json diverged)" = 0 ] && pass $name || fail $name 'it does not' train.err
done
refused a_published_name_is_not_for_it 1 actsearch data add cifar-10 small -- '50 and 10 records' '50000 and 10000' 'another name'
truncate -s 30000 small/data_batch_2.bin
refused a_file_cut_short_is_named 1 actsearch data add cut small -- 'data_batch_2\.bin: cut short at offset 30000'
printf '\x0a' | dd of=small/test_batch.bin bs=1 seek=6146 conv=notrunc 2>/dev/null
records small/data_batch_2.bin 2
refused a_label_out_of_range_is_named 1 actsearch data add label small -- 'test_batch\.bin: label 10 at offset 6146'
name=a_flipped_byte_is_found
printf '\x7f' | dd of=cache/small.data bs=1 seek=5000 conv=notrunc 2>/dev/null
actsearch data verify >verify.out 2>&1; [ $? = 1 ] && grep -q 'small\.data: damaged' verify.out && pass $name || fail $name 'it is not' verify.out

if [ -z "${ACTSEARCH_TEST_CIFAR10:-}" ]; then
    skipped cifar 'ACTSEARCH_TEST_CIFAR10 names no folder with data_batch_1.bin to data_batch_5.bin and test_batch.bin'
    exit 0
fi
name=the_real_data_set_is_added
actsearch data add cifar-10 "$ACTSEARCH_TEST_CIFAR10" >add.out 2>&1 && pass $name || fail $name 'it is not' add.out
name=its_content_is_the_published_one
grep -q '^d516c6a92324cf8ba6f4ee13046f21909c35532038346fbba33d94fa6e7b6d3b ' add.out && pass $name || fail $name 'another hash' add.out
name=a_resnet_learns_it
actsearch train --model resnet-8 --data cifar-10 --activation 'relu(x)' --steps 40 --test --json >real.json 2>train.err &&
    [ "$(sqlite3 :memory: "SELECT $(json real.json validation_accuracy) > 0.25 AND $(json real.json test_accuracy) > 0.25")" = 1 ] &&
    pass $name || fail $name 'it does not' real.json
