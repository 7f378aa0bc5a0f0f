#!/usr/bin/env bash
# Chaos: a search with one coordinator and four worker daemons, of which random ones are killed, stopped and continued, told to leave,
# lose their trainers or their cable, KILLS times at random moments (make chaos KILLS=100); what died is started again. The ranked list
# is that of the undisturbed search, byte for byte. Where network namespaces are to be had, each worker is on a machine of its own.
. "$(dirname "$0")/lib.sh"
KILLS=${KILLS:-8} SEED=${SEED:-$$}
export ACTSEARCH_CACHE=$WORK/cache # so that our trainers are known by it
require_data fashion-mnist
RANDOM=$SEED # the choices are the seed's, the moments are not
WORKERS=4
small_experiment small.ini '[queue]' 'lease = 3s' 'heartbeat = 500ms' 'attempts = 1000'
sed -i "s/^steps = .*/steps = 800/; s/^candidates = .*/candidates = $((20 + 4 * KILLS))/" small.ini

list() { actsearch rank "$1.db" --stable >"$1.list"; }
now() { date +%s%3N; }

name=an_undisturbed_search_ends
start calm.log actsearchd small.ini --db calm.db --bind "ipc://$WORK/calm"
coordinator=$!
start calm.worker actsearch-worker "ipc://$WORK/calm" --slots 2
await $((60 + 5 * KILLS)) gone $coordinator && ended $coordinator && await 20 gone $! && ended $! && list calm && pass $name || { fail $name 'it does not' calm.log; exit 1; }

# ---- who takes part: index 0 is the coordinator, 1 … WORKERS the daemons
head=actsearch-$$-head
machine() { echo "actsearch-$$-$1"; }
pids=() halted=() cut=() over=
declare -A count
if machines $head $(for i in $(seq $WORKERS); do machine "$i"; done); then
    echo "each worker has a machine of its own"
    bind=tcp://*:5571
else
    echo "without cables: $(head -n 1 netns.err)"
    head= bind=ipc://$WORK/socket
fi
launch() { # INDEX
    local where=() endpoint=$bind
    if [ "$1" = 0 ]; then
        [ -z "$head" ] || where=(ip netns exec $head)
        start coordinator.log "${where[@]}" actsearchd small.ini --db chaos.db --bind "$bind" --insecure
    else
        [ -z "$head" ] || { where=(ip netns exec "$(machine "$1")"); endpoint=tcp://10.213.$1.1:5571; }
        start "worker$1.log" "${where[@]}" actsearch-worker "$endpoint" --slots 1 --insecure
    fi
    pids[$1]=$!
}
revive() { # starts again what has ended, but for a coordinator that is through
    local i
    for i in $(seq 0 $WORKERS); do
        gone "${pids[$i]}" || continue
        if ended "${pids[$i]}" && [ "$i" = 0 ]; then over=1; return; fi
        launch "$i"
    done
}
ours() { # one of these processes, or a trainer of one
    local parent
    parent=$(ps -o ppid= -p "$1") || return 1
    [[ " ${pids[*]} " == *" $1 "* || " ${pids[*]} " == *" $((parent)) "* ]]
}
halt() { kill -STOP "$1" 2>/dev/null && halted+=("$1"); }
carry_on() { # each that is halted goes on with that chance in a hundred, and so does each cable
    local pid i kept=()
    for pid in "${halted[@]}"; do
        if [ $((RANDOM % 100)) -lt "$1" ]; then ours "$pid" && kill -CONT "$pid"; else kept+=("$pid"); fi
    done
    halted=("${kept[@]}") kept=()
    for i in "${cut[@]}"; do
        if [ $((RANDOM % 100)) -lt "$1" ]; then ip -n "$(machine "$i")" link set uplink up; else kept+=("$i"); fi
    done
    cut=("${kept[@]}")
}
strike() {
    local who=$((1 + RANDOM % WORKERS)) trainer what
    trainer=$(pgrep -P "${pids[$who]}" | head -n 1)
    case $((RANDOM % 12)) in
    0 | 1) what='kill a worker'; kill -KILL "${pids[$who]}" ;;
    2 | 3) what='tell a worker to leave'; kill -TERM "${pids[$who]}" ;;
    4) what='halt a worker'; halt "${pids[$who]}" ;;
    5) what='kill a trainer'; [ -n "$trainer" ] && kill -KILL "$trainer" ;;
    6) what='halt a trainer'; [ -n "$trainer" ] && halt "$trainer" ;;
    7) what='tell a trainer to leave'; [ -n "$trainer" ] && kill -TERM "$trainer" ;;
    8) what='kill the coordinator'; kill -KILL "${pids[0]}" ;;
    9) what='halt the coordinator'; halt "${pids[0]}" ;;
    10) what='tell the coordinator to leave'; kill -TERM "${pids[0]}" ;;
    11) what='cut a cable'; [ -n "$head" ] && ip -n "$(machine $who)" link set uplink down && cut+=("$who") ;;
    esac 2>/dev/null && count[$what]=$((${count[$what]:-0} + 1))
}

name=a_search_in_chaos_ends
begun=$(now) struck=0
for i in $(seq 0 $WORKERS); do launch "$i"; done
await 60 at_least chaos.db 'SELECT done + diverged FROM progress' 1 || fail the_search_gets_going 'it does not' coordinator.log
while [ -z "$over" ] && [ $struck -lt "$KILLS" ]; do
    sleep "0.$((1 + RANDOM % 9))" # the moment is what is tried
    revive
    [ -z "$over" ] && strike && struck=$((struck + 1))
    carry_on 40
done
carry_on 100
deadline=$(($(now) + 1000 * (120 + 5 * KILLS)))
while [ -z "$over" ] && [ "$(now)" -lt $deadline ]; do
    revive
    sleep 0.1
done
[ -n "$over" ] && pass $name || fail $name 'it does not' coordinator.log
for what in "${!count[@]}"; do echo "${count[$what]} x $what"; done | sort -rn
echo "seed $SEED: struck $struck times in $((($(now) - begun) / 1000)) s"

name=it_was_struck_as_often_as_was_asked
[ $struck = "$KILLS" ] && pass $name || fail $name "the search was over after $struck of $KILLS"

name=its_list_is_that_of_the_undisturbed_search
list chaos && cmp -s calm.list chaos.list && pass $name || { diff calm.list chaos.list >difference; fail $name 'another list' difference; }

name=each_trial_is_accounted_for
unaccounted=$(scalar chaos.db "SELECT (SELECT count(*) FROM trial WHERE state NOT IN ('done', 'diverged')) +
    (SELECT count(*) FROM attempt WHERE state IN ('leased', 'differed')) +
    abs((SELECT count(*) FROM attempt WHERE state = 'taken') - (SELECT count(*) FROM trial))")
[ "$unaccounted" = 0 ] && pass $name || fail $name "$(sqlite3 chaos.db 'SELECT state, count(*) FROM attempt GROUP BY 1')"

name=the_workers_leave
status=0
for i in $(seq $WORKERS); do
    # A coordinator that was killed between its last word on disk and its BYE has told nobody.
    await 5 gone "${pids[$i]}" || kill -TERM "${pids[$i]}"
    await 10 gone "${pids[$i]}" && ended "${pids[$i]}" || status=1
done
[ $status = 0 ] && pass $name || fail $name 'one does not' worker1.log

name=no_process_is_left
pgrep -af "$WORK" >left
[ ! -s left ] && pass $name || fail $name 'left behind' left
