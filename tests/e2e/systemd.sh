#!/usr/bin/env bash
# The systemd units are well formed, closed as far as their page says, and leave the programs every system call that they make. They
# are not started here: that takes a machine that systemd runs.
. "$(dirname "$0")/lib.sh"
units=$ROOT/scripts/launch/systemd
command -v systemd-analyze >/dev/null || { skipped systemd 'needs systemd-analyze (package systemd)'; exit 0; }
require_data fashion-mnist

# The programs of this build in place of those that are installed.
mkdir units
for unit in actsearch-worker.service actsearchd@.service; do
    sed "s|/usr/bin/|$BUILD/|" "$units/$unit" >"units/$unit"
done
name=the_units_are_well_formed
systemd-analyze verify units/*.service >verify.out 2>&1 && [ ! -s verify.out ] && pass $name || fail $name 'they are not' verify.out
for unit in actsearch-worker.service actsearchd@.service; do
    name=the_exposure_of_${unit%%[.@]*}_is_at_most_1_5
    systemd-analyze security --no-pager --offline=true --threshold=15 "units/$unit" >security.out 2>&1 && pass $name ||
        fail $name 'it is more' security.out
    tail -n 1 security.out | tr -cd '[:print:]\n' | sed 's/^/   /'
done

# calls SET…: the system calls of sets and names, sets in sets opened.
calls() {
    local item
    for item; do
        case $item in
            @*) calls $(systemd-analyze syscall-filter --no-pager "$item" | sed -n 's/^    //p' | grep -v '^#') ;;
            *) echo "$item" ;;
        esac
    done
}
allowed() { # UNIT: what is left by its SystemCallFilter lines, in their order
    local line
    : >left
    grep '^SystemCallFilter=' "$1" | cut -d= -f2 | while read -r line; do
        calls ${line#\~} | sort -u >these
        case $line in
            \~*) comm -23 left these >next ;;
            *) sort -u left these >next ;;
        esac
        mv next left
    done
    cat left
}
if ! command -v strace >/dev/null || ! strace -o /dev/null true 2>strace.err; then
    skipped the_units_allow_every_system_call 'needs strace'
    exit 0
fi
small_experiment small.ini '[queue]' 'audit = 0.5'
sed -i 's/^candidates = .*/candidates = 3/; s/^references = .*/references = relu(x)/' small.ini
actsearch keygen keys >/dev/null 2>&1
traced() { # OUTPUT COMMAND…: its system calls and those of its children, by name
    local output=$1; shift
    strace -f -qq -c -U name -o "$output.raw" "$@"
    sed '1,2d;/^-/d;/^total$/d' "$output.raw" | tr -d ' ' | sort -u >"$output"
}
socket=ipc://$WORK/socket
traced coordinator.calls actsearchd small.ini --keys keys --bind "$socket" >coordinator.log 2>&1 & coordinator=$!
traced worker.calls actsearch-worker "$socket" --key keys/worker.key --slots 2 >worker.log 2>&1 & worker=$!
started+=($coordinator $worker)
ended $coordinator; ended $worker
for pair in coordinator:actsearchd@.service worker:actsearch-worker.service; do
    name=the_unit_allows_every_system_call_of_the_${pair%:*}
    allowed "units/${pair#*:}" >allowed
    forbidden=$(comm -23 "${pair%:*}.calls" allowed | tr '\n' ' ')
    if [ "$(wc -l <"${pair%:*}.calls")" -lt 30 ]; then
        fail $name 'it hardly ran' "${pair%:*}.log"
    elif [ -n "$forbidden" ]; then
        fail $name "not $forbidden"
    else
        pass $name
    fi
done
