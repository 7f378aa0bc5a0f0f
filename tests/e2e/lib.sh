# lib.sh: what the end-to-end tests share; sourced by them. $BUILD is the build folder, $ROOT the checkout, $WORK a fresh folder,
# removed at the end together with every process that `start` started.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "$ROOT" && cd "${BUILD:-build/release}" && pwd)
PATH=$BUILD:$PATH
WORK=$(mktemp -d "${TMPDIR:-/tmp}/actsearch-test-XXXXXX")
cd "$WORK"
started=() spaces=()
finish() {
    local pid space
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for space in "${spaces[@]}"; do ip netns del "$space" 2>/dev/null; done # the cables go with them
    cd / && rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 1' INT TERM

pass() { echo "PASS $1"; }
fail() { # NAME WHY [FILE to show]
    echo "FAIL $1: $2"
    [ -z "${3:-}" ] || tail -n 30 "$3" | sed 's/^/    /'
}
skipped() { echo "SKIPPED $1: $2"; }

# start OUTPUT COMMAND…: in the background, with SIGINT as in a terminal (a shell lets its background jobs ignore it); $! is its
# id.
start() {
    local output=$1; shift
    env --default-signal=INT "$@" >"$output" 2>&1 </dev/null &
    started+=($!)
}

# await SECONDS COMMAND…: until the command succeeds; fails after so many seconds. The one place where a test may wait.
await() {
    local deadline=$(($(date +%s) + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
gone() { ! kill -0 "$1" 2>/dev/null; }

# ended PID: its exit status, once it has ended; it is not among the started any more, since its id may be another's from now on.
ended() {
    local pid kept=() status
    wait "$1" 2>/dev/null; status=$?
    for pid in "${started[@]}"; do [ "$pid" = "$1" ] || kept+=("$pid"); done
    started=("${kept[@]}")
    return $status
}

# machines HEAD SPACE…: network namespaces, each joined with HEAD by a cable of its own, `uplink` at its end: in the n-th, 10.213.n.1
# is HEAD and 10.213.n.2 itself. Removed at the end. Fails with the reason in netns.err where that is not to be had.
machines() {
    local head=$1 space number=0; shift
    if [ "$(id -u)" != 0 ]; then echo 'needs root, for ip netns' >netns.err; return 1; fi
    if ! command -v ip >/dev/null; then echo 'needs ip (package iproute2)' >netns.err; return 1; fi
    ip netns add "$head" 2>netns.err || return 1
    spaces+=("$head")
    for space in "$@"; do
        number=$((number + 1))
        { ip netns add "$space" && spaces+=("$space") &&
            ip -n "$head" link add "to$number" type veth peer name uplink netns "$space" &&
            ip -n "$head" address add "10.213.$number.1/24" dev "to$number" && ip -n "$head" link set "to$number" up &&
            ip -n "$space" address add "10.213.$number.2/24" dev uplink && ip -n "$space" link set uplink up &&
            ip -n "$space" link set lo up; } 2>netns.err || return 1
    done
}

# scalar DB SQL: one value; fails where there is none. at_least DB SQL N: that value is N or more.
scalar() { sqlite3 -readonly "$1" "$2" 2>/dev/null | grep .; }
at_least() { [ "$(scalar "$1" "$2" || echo -1)" -ge "$3" ]; }

# refused NAME STATUS COMMAND… -- PATTERN…: the command must end by itself with that exit status, and what it says must hold
# every pattern (grep -E).
refused() {
    local name=$1 status=$2 pattern got; shift 2
    local command=()
    while [ "$1" != -- ]; do command+=("$1"); shift; done
    shift
    timeout 60 "${command[@]}" >refused.out 2>&1 </dev/null; got=$?
    if [ $got != "$status" ]; then fail "$name" "exit status $got instead of $status" refused.out; return; fi
    for pattern in "$@"; do
        grep -qE -e "$pattern" refused.out || { fail "$name" "says nothing like '$pattern'" refused.out; return; }
    done
    pass "$name"
}

require_data() { # NAME: skips the whole test where the data set is not on this machine
    actsearch train --describe --model mlp --data "$1" --activation 'relu(x)' >/dev/null 2>data.err && return
    skipped "$(basename "$0" .sh)" "$(head -n 1 data.err)"
    exit 0
}

# small_experiment FILE [LINE…]: on Fashion-MNIST, with trainings that take a moment each; further lines go to the end.
small_experiment() {
    local file=$1; shift
    cat >"$file" <<'INI'
[experiment]
name = small
seed = 7
[space]
units = 1
unary = x, -x, x^2, sin(x), tanh(x), max(x, 0), sigmoid(x), b*x
binary = x1 + x2, x1 * x2, max(x1, x2)
[search]
algorithm = rl
candidates = 16
batch = 8
references = relu(x), x*sigmoid(b*x)
[child]
data = fashion-mnist
model = mlp
steps = 10
batch = 64
validation = 5000
INI
    [ $# = 0 ] || printf '%s\n' "$@" >>"$file"
}
