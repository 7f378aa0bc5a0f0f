#!/usr/bin/env bash
# The soak, short: some thousand trials that take no time, through the real coordinator. `make soak` runs a million.
. "$(dirname "$0")/lib.sh"
name=a_short_soak_keeps_memory_log_and_descriptors_in_bounds
CANDIDATES=600 SEEDS=5 INTERVAL=0.1 WORKERS=100 SLOTS=16 timeout 300 "$ROOT/tests/soak/soak.sh" "$WORK" >soak.out 2>&1 && pass $name || fail $name 'see' soak.out
sed 's/^/    /' soak.out
name=it_has_a_thousand_in_flight
in_flight=$(sed -nE 's/.* ([0-9]+) in flight at most/\1/p' soak.out)
[ "${in_flight:-0}" -ge 1000 ] && pass $name || fail $name "${in_flight:-0} in flight" soak.out
