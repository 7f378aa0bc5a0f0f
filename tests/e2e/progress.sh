#!/usr/bin/env bash
# progress.sh: what `actsearch run` shows while it works, on terminals of several widths and in a log.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
small_experiment small.ini
sed -i 's/^steps = .*/steps = 700/; s/^candidates = .*/candidates = 20/' small.ini

# drawn FILE: each state of the line that is drawn again and again, without codes
drawn() { tr '\r' '\n' <"$1" | sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g' | grep -aE '^(\[[#-]+\] )? *[0-9]+ %'; } # not the list
no_wider() { ! drawn "$1" | LC_ALL=C.UTF-8 grep -aE "^.{$(($2 + 1)),}" >wide.out; }
for columns in 120 80 30 6; do
    name=on_${columns}_columns_each_line_fits
    TERM=xterm timeout 120 "$BUILD/e2e/terminal" $columns 24 q actsearch run small.ini --db at$columns.db >at$columns.out 2>at$columns.err
    [ "$(tail -n 1 at$columns.err)" = 'ended: 0 restored' ] && no_wider at$columns.out $((columns - 1)) && [ "$(drawn at$columns.out | wc -l)" -ge $((columns > 6 ? 3 : 0)) ] && pass $name ||
        fail $name "$(tail -n 1 at$columns.err), $(drawn at$columns.out | wc -l) lines" wide.out
done
for columns in 120 80; do
    name=on_${columns}_columns_it_says_how_far_how_fast_how_good_and_who
    drawn at$columns.out | grep -qaE '[0-9] %, .*[0-9] s left +[0-9]+/20 candidates, best [0-9.]+ %, [0-9]+ trials/h, [0-9]+ workers?' && pass $name ||
        fail $name 'something is missing' <(drawn at$columns.out)
done
name=the_list_fits_80_columns
sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g' at80.out | grep -aA 25 '^rank' | sed '/^$/q' >list80.out
grep -qa 'f + f' list80.out && ! LC_ALL=C.UTF-8 grep -aE '^.{81,}' list80.out && pass $name || fail $name 'it does not' list80.out
name=a_bar_is_whole_or_not_there
! drawn at120.out | grep -avE '^\[[#-]{24}\]' | grep -a '#' && ! drawn at80.out | grep -a '#' && pass $name || fail $name 'it is not'

name=a_log_has_plain_lines
actsearch run small.ini --db log.db --workers 1 >log.out 2>&1
! grep -qaP '\r|\x1b|\[#' log.out && grep -qE '^ *[0-9]+ % +|^rank' log.out && pass $name || fail $name 'it has not' log.out
name=a_dumb_terminal_gets_plain_lines_too
TERM=dumb timeout 120 "$BUILD/e2e/terminal" 80 24 q actsearch run small.ini --db dumb.db >dumb.out 2>/dev/null
! grep -qaP '\x1b|\[#|[^\n]\r[^\n]' dumb.out && pass $name || fail $name 'it does not' dumb.out
name=with_q_there_is_only_the_list
actsearch run small.ini --db quiet.db -q >quiet.out 2>quiet.err && [ ! -s quiet.err ] && grep -q '^rank' quiet.out && pass $name || fail $name 'there is more' quiet.err
