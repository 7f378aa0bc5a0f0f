#!/usr/bin/env bash
# top.sh: the live view: what it shows, and that it leaves the terminal as it was.
. "$(dirname "$0")/lib.sh"

refused top_without_a_database_is_wrong_usage 2 actsearch top -- 'DB'
refused top_of_no_database_fails 1 actsearch top none.db -- 'none\.db'
require_data fashion-mnist
small_experiment small.ini
actsearch run small.ini --db small.db >run.out 2>run.err || { fail the_search_that_is_watched 'it failed' run.err; exit 1; }

name=once_shows_progress_the_list_and_the_workers
actsearch top small.db --once >once.out 2>&1
best=$(scalar small.db 'SELECT activation FROM ranking LIMIT 1')
done_=$(scalar small.db 'SELECT done FROM progress')
grep -q '^small  finished' once.out && grep -q '100 %' once.out && grep -qF "$best" once.out && grep -q " $done_ done" once.out &&
    grep -q '<- reference' once.out && pass $name || fail $name 'something is missing' once.out

name=once_shows_what_the_search_has_learnt
grep -qE '^entropy [0-9]\.[0-9]{3} nats, likeliest .* [01]\.[0-9]{2}' once.out && pass $name || fail $name 'it does not' once.out

name=without_a_terminal_it_is_once_and_plain
timeout 20 actsearch top small.db >pipe.out 2>&1 && ! grep -q "$(printf '\033')" pipe.out && pass $name || fail $name 'it went on, or has codes' pipe.out

# no_wider FILE COLUMNS: no line of it is, once the codes are taken out.
no_wider() {
    ! sed -E 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/\r//g' "$1" | LC_ALL=C.UTF-8 grep -aE "^.{$(($2 + 1)),}" >wide.out
}
name=lines_are_cut_to_the_columns_there_are
COLUMNS=30 actsearch top small.db --once >narrow.out && no_wider narrow.out 30 && grep -q '…' narrow.out && no_wider once.out 80 && pass $name ||
    fail $name 'wider' wide.out

# A database may hold anything that workers told it.
cp small.db hostile.db
sqlite3 hostile.db "UPDATE worker SET connected = 1, host = 'a' || char(27) || '[2Jb' || char(10) || 'c' || char(155) || '31m'"
sqlite3 hostile.db "UPDATE attempt SET state = 'failed', reason = 'the trainer ended' || char(7) WHERE id = (SELECT min(id) FROM attempt)"
name=control_characters_from_a_database_do_not_reach_the_terminal
actsearch top hostile.db --once >hostile.out && ! LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' hostile.out && grep -q 'a?\[2Jb' hostile.out &&
    pass $name || fail $name 'they do' hostile.out

name=lost_attempts_are_shown_with_their_reasons
actsearch top hostile.db --once >lost.out && grep -q '^lost attempts' lost.out && grep -q 'the trainer ended?' lost.out && pass $name ||
    fail $name 'they are not' lost.out

for action in q int term stop resize; do
    name=the_terminal_is_as_it_was_after_$action
    TERM=xterm "$BUILD/e2e/terminal" 80 24 $action actsearch top small.db >screen.out 2>screen.err
    last=$(grep -oaE $'\x1b\\[\\?(1049|25)[hl]' screen.out | tail -n 2 | tr -d '\033\n')
    if [ "$(tail -n 1 screen.err)" != 'ended: 0 restored' ]; then fail $name 'not ended in order' screen.err
    elif [ "$last" != '[?25h[?1049l' ]; then fail $name "the last codes are $last" screen.err
    elif [ $action = stop ] && ! grep -q 'stopped: restored' screen.err; then fail $name 'not restored while stopped' screen.err
    elif ! no_wider screen.out 80; then fail $name 'a line is wider' wide.out
    elif ! grep -qaF "$best" screen.out; then fail $name 'no list' screen.out
    else pass $name; fi
done

name=a_narrower_window_gets_narrower_lines
sed 's/\x1b\[H/\n@home\n/g' screen.out | tac | sed '/^@home/q' | tac >last.out
no_wider last.out 40 && [ "$(wc -l <last.out)" -gt 10 ] && pass $name || fail $name 'wider' last.out

name=no_colours_where_NO_COLOR_is_set
codes() { grep -coaE $'\x1b\\[[0-9]+m' "$1"; }
TERM=xterm "$BUILD/e2e/terminal" 80 24 q actsearch top small.db >colour.out 2>/dev/null
TERM=xterm NO_COLOR=1 "$BUILD/e2e/terminal" 80 24 q actsearch top small.db >plain.out 2>/dev/null
[ "$(codes colour.out)" -gt 0 ] && [ "$(codes plain.out)" = 0 ] && grep -qaF "$best" plain.out && pass $name ||
    fail $name "$(codes colour.out) lines with codes, $(codes plain.out) with NO_COLOR"

# While a search runs: the view goes along, and does not disturb it.
name=it_shows_a_search_that_runs
start run2.out actsearch run small.ini --db other.db --set child.steps=300 --workers 1
run=$!
in_training() { actsearch top other.db --once 2>/dev/null | grep -qE '1 in training|^[^ ]+ +[0-9]+ +1 .* [0-9]+ s$'; }
await 60 in_training && pass $name || fail $name 'no training in sight' run2.out
kill -INT $run; await 30 gone $run || fail the_search_ends 'it does not'
