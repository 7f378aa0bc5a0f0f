#!/usr/bin/env bash
# soak: a long search with trainings that take no time, through the real coordinator and 1,000 connections of simulated workers.
#
#     CANDIDATES=200000 SEEDS=5 WORKERS=1000 SLOTS=4 tests/soak/soak.sh [FOLDER]
#
# Prints figures, and fails where something that must stay small has grown, or the database is not whole at the end. `make soak` runs
# the long one; tests/e2e/soak.sh a short one.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "$ROOT" && cd "${BUILD:-build/release}" && pwd)
PATH=$BUILD:$PATH
candidates=${CANDIDATES:-200000} seeds=${SEEDS:-5} workers=${WORKERS:-1000} slots=${SLOTS:-4}
folder=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/actsearch-soak-XXXXXX") && cd "$folder" || exit 1
coordinator= bad=0
finish() {
    [ -z "$coordinator" ] || kill -KILL "$coordinator" 2>/dev/null
    cd / && rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM
wrong() { echo "WRONG: $*"; bad=1; }
now_ms() { date +%s%3N; }
field() { awk -v key="$2:" '$1 == key {print $2}' "/proc/$1/status" 2>/dev/null; }
descriptors() { ls "/proc/$1/fd" 2>/dev/null | wc -l; }
processor_ms() { awk -v tick="$(getconf CLK_TCK)" '{sub(/.*\) /, ""); print int(($12 + $13) * 1000 / tick)}' "/proc/$1/stat" 2>/dev/null; }

cat >soak.ini <<INI
[experiment]
name = soak
seed = 1
[space]
units = 2
[search]
algorithm = random
candidates = $candidates
[child]
seeds = $seeds
INI

actsearchd soak.ini --db soak.db --bind "ipc://$folder/socket" >coordinator.log 2>&1 &
coordinator=$!
for _ in $(seq 600); do [ -S socket ] && break; sleep 0.1; done
"$BUILD/soak/workers" "ipc://$folder/socket" "$workers" "$slots" >workers.log 2>&1 &
driver=$!

# ---- while it runs: memory against what is finished, descriptors, the log
highest_log=0 samples=0 most_descriptors=0 processor=0
while kill -0 "$driver" 2>/dev/null; do
    sleep "${INTERVAL:-1}"
    done_now=$(sqlite3 -readonly soak.db 'SELECT done + diverged FROM progress' 2>/dev/null || echo 0)
    resident=$(field $coordinator VmRSS) open=$(descriptors $coordinator)
    log=$(stat -c %s soak.db-wal 2>/dev/null || echo 0)
    used=$(processor_ms $coordinator); processor=${used:-$processor}
    [ "$log" -gt "$highest_log" ] && highest_log=$log
    [ "$open" -gt "$most_descriptors" ] && most_descriptors=$open
    if [ $((samples++ % ${EVERY:-10})) = 0 ] && [ -n "$resident" ]; then
        printf '%9s trials done, %7s kB resident, %5s descriptors, log %4s MB, %8s ms of processor time\n' "$done_now" "$resident" "$open" $((log >> 20)) "$processor"
    fi
done
wait "$driver" || wrong "the workers: $(cat workers.log)"
cat workers.log
wait "$coordinator"; status=$?; coordinator=
[ $status = 0 ] || { wrong "the coordinator ended with status $status"; tail -n 5 coordinator.log; exit 1; }
trials=$(sqlite3 -readonly soak.db 'SELECT trials FROM progress')
printf 'processor time of the coordinator: %s ms, %s trials: %s cycles for each second of it\n' "$processor" "$trials" $((trials * 1000 / (processor + 1)))
printf 'log: %s MB at most; descriptors: %s at most; database: %s MB\n' $((highest_log >> 20)) "$most_descriptors" $(($(stat -c %s soak.db) >> 20))
[ $((highest_log >> 20)) -le 256 ] || wrong "the log has grown to $((highest_log >> 20)) MB"
[ "$most_descriptors" -le $((workers + 64)) ] || wrong "$most_descriptors descriptors for $workers workers"

# ---- what is left can be read and gone on with in time
start=$(now_ms); actsearch rank soak.db -n 20 >rank.log || wrong 'rank'; printf 'rank -n 20: %s ms\n' $(($(now_ms) - start))
start=$(now_ms)
actsearchd soak.ini --db soak.db --set search.candidates=$((candidates + 1)) --bind "ipc://$folder/again" >again.log 2>&1 &
coordinator=$!
for _ in $(seq 1200); do [ -S again ] && grep -q listening again.log && break; kill -0 $coordinator 2>/dev/null || break; sleep 0.05; done
printf 'start: %s ms, %s kB resident\n' $(($(now_ms) - start)) "$(field $coordinator VmRSS)"
kill -TERM $coordinator; wait $coordinator; coordinator=
start=$(now_ms); actsearch check soak.db >check.log || { wrong "check"; cat check.log; }; printf 'check: %s ms\n' $(($(now_ms) - start))
exit $bad
