#!/usr/bin/env bash
# docs/tutorial.md: what it says of its experiment, its functions and its export is so. (Its search takes too long for a test.)
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
page=$ROOT/docs/tutorial.md

# block AFTER: the indented lines that follow the first line that holds AFTER, without the indentation.
block() { awk -v after="$1" 'found && /^    / {inside = 1; print substr($0, 5); next} found && inside && /^$/ {print; next} inside {exit}
    index($0, after) {found = 1}' "$page"; }

name=its_experiment_has_so_many_functions
block '`first.ini`:' >first.ini
block 'How many functions are that' | sed 1,2d | sed '/^$/d' >expected # below the command itself
actsearch space first.ini >got 2>&1
[ "$(wc -l <expected)" -ge 5 ] && diff -Z expected got >difference && pass $name || fail $name 'other numbers' difference

accuracy() { # ACTIVATION SEED
    actsearch train --model cnn --data fashion-mnist --activation "$1" --steps 100 --seed "$2" 2>/dev/null | sed -n 's/^validation accuracy  *\([0-9.]* %\).*/\1/p'
}
name=its_functions_have_these_accuracies
relu=$(accuracy relu 1) other=$(accuracy relu 2) bad=$(accuracy 'sin(x)*tanh(x)' 1)
grep -q "validation accuracy  $relu of 5000" "$page" && tr '\n' ' ' <"$page" >line && grep -qF "it is $other." line && grep -qF "it is $bad: bad ones show" line && pass $name ||
    fail $name "$relu, $other, $bad"

name=what_it_exports_is_printed_there
actsearch export 'sin(x)+max(x,0)' --to pytorch --name found >found.py
block '--name found >found.py' | sed '/^$/d' >expected
sed '/^$/d' found.py >got
[ -s got ] && head -n "$(wc -l <got)" expected | diff got - >difference && pass $name || fail $name 'other code' difference

name=its_program_runs
block 'and in `use.py`' >use.py
if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then skipped $name 'no python3 with torch (package python3-torch)'
else /usr/bin/python3 use.py >got 2>&1 && [ "$(cat got)" = 'torch.Size([2, 10])' ] && pass $name || fail $name 'it does not' got
fi
