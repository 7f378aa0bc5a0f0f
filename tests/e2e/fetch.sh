#!/usr/bin/env bash
# Data sets come along: a worker whose host has nothing gets its data set from the coordinator, whole and once a host, through kills of
# either side; what is wrong ends with a reason.
. "$(dirname "$0")/lib.sh"
require_data fashion-mnist
images=$(ls -d /usr/share/dataset{s,}/fashion-mnist /usr/share/dataset-fashion-mnist 2>/dev/null | head -n 1)
small_experiment long.ini '[queue]' 'lease = 3s' 'heartbeat = 300ms'
sed -i 's/^candidates = .*/candidates = 100000/; s/^algorithm = .*/algorithm = random/; s/^units = .*/units = 2/' long.ini
sed 's/^data = .*/data = garments/' long.ini >garments.ini
sed 's/^data = .*/data = large/; s/^steps = .*/steps = 1/; s/^batch = .*/batch = 2/; s/^validation = .*/validation = 10/' long.ini >large.ini
unset ACTSEARCH_CACHE XDG_CACHE_HOME
export HOME=$WORK # whoever is told of no cache finds an empty one

# Fashion-MNIST under a name that no worker finds on its own host, and one that takes a moment: 1,000 images of 400 x 400.
actsearch data add garments "$images" --cache head >add.log 2>&1 || { skipped fetch "$(head -n 1 add.log)"; exit 0; }
mkdir big
idx() { printf '\0\0\x08\x03\0\0\x03\xe8\0\0\x01\x90\0\0\x01\x90'; head -c 160000000 /dev/zero; }
labels() { printf '\0\0\x08\x01\0\0\x03\xe8'; for ((i = 0; i < 500; i++)); do printf '\0\1'; done; }
idx >big/train-images-idx3-ubyte; labels >big/train-labels-idx1-ubyte
printf '\0\0\x08\x03\0\0\0\x01\0\0\x01\x90\0\0\x01\x90' >big/t10k-images-idx3-ubyte; head -c 160000 /dev/urandom >>big/t10k-images-idx3-ubyte
printf '\0\0\x08\x01\0\0\0\x01\0' >big/t10k-labels-idx1-ubyte
actsearch data add large big --cache head >>add.log 2>&1 || { fail a_large_data_set_is_made 'it is not' add.log; exit 1; }
rm -r big

actsearch keygen keys >keygen.out 2>&1
coordinator() { # EXPERIMENT BIND
    start "$1.head" actsearchd "$1.ini" --keys keys --cache head --bind "$2"
    coordinator=$!
}
port() { ss -ltnpH | grep "pid=$1," | grep -oE '127\.0\.0\.1:[0-9]+' | head -n 1 | grep .; }
worker() { # LOG CACHE…
    local log=$1 cache=$2; shift 2
    start "$log" actsearch-worker "$endpoint" --key keys/worker.key --cache "$cache" --slots 1 "$@"
    worker=$!
}
row() { echo "FROM worker WHERE pid = $1"; }
works() { at_least "$1" "SELECT results $(row "$2")" 1; }
same() { cmp -s "head/$1.data" "$2/$1.data"; }

coordinator garments tcp://127.0.0.1:0
await 30 port "$coordinator" || { fail the_coordinator_listens 'it does not' garments.head; exit 1; }
endpoint=tcp://$(port "$coordinator")

name=a_worker_with_an_empty_cache_gets_the_data_and_trains
from=$(date +%s%N)
worker one.log host/one; one=$worker
if await 60 works garments.db $one && same garments host/one && [ "$(ls host/one/fetching | wc -l)" = 0 ]; then
    leased=$(scalar garments.db "SELECT min(a.leased_ms) FROM attempt a JOIN worker w ON w.id = a.worker WHERE w.pid = $one")
    pass $name
    echo "    from the start of the worker to its first lease: $((leased - from / 1000000)) ms (55 MB, encrypted)"
else
    fail $name 'no results' one.log
fi
name=what_was_fetched_is_whole
actsearch data verify garments --cache host/one >verify.log 2>&1 && pass $name || fail $name 'it is not' verify.log
kill -TERM $one; ended $one

name=the_line_that_the_coordinator_prints_starts_a_worker
line=$(sed -n 's/.*start workers with:  //p' garments.head)
start pasted.log sh -c "exec $line --cache host/one --slots 1"; pasted=$!
await 60 works garments.db $pasted && pass $name || fail $name "'$line' does not" pasted.log
kill -TERM $pasted; ended $pasted

name=daemons_of_one_host_share_what_one_fetched
worker two.log host/two; two=$worker
worker three.log host/two; three=$worker
worker four.log host/two; four=$worker
await 60 works garments.db $two && await 60 works garments.db $three && await 60 works garments.db $four && same garments host/two &&
    [ "$(ls host/two/*.data host/two/fetching/* 2>/dev/null)" = host/two/garments.data ] && pass $name || fail $name 'not so' three.log
for worker in $two $three $four; do kill -TERM $worker; ended $worker; done

name=a_host_with_other_images_of_that_name_is_not_touched
mkdir -p host/other && actsearch data add fashion-mnist "$images" --cache host/other >>add.log 2>&1 && cp head/large.data host/other/garments.data
cp host/other/garments.data before.data
refused other_images_of_that_name_are_refused 1 actsearch-worker "$endpoint" --key keys/worker.key --cache host/other --slots 1 -- \
    'not the same images' 'remove garments.data'
cmp -s before.data host/other/garments.data && pass $name || fail $name 'it was replaced'
rm -r before.data host/other

name=a_full_disk_ends_it_with_a_reason
mkdir -p host/full
if unshare -m true 2>unshare.err; then
    refused $name 1 unshare -m sh -c 'mount -t tmpfs -o size=20m none host/full && exec "$@"' sh \
        actsearch-worker "$endpoint" --key keys/worker.key --cache host/full --slots 1 -- "no room for data set 'garments'" '55 MB' '--cache'
else
    skipped $name "needs the right to mount: $(cat unshare.err)"
fi
kill -TERM $coordinator; ended $coordinator

# The bytes change under the hash that the coordinator trusts, as on a bad disk.
name=what_is_damaged_at_the_coordinator_is_found_out
cp -p head/garments.data kept.data
printf '\x77' | dd of=head/garments.data bs=1 seek=100000 conv=notrunc 2>/dev/null
touch -r kept.data head/garments.data
coordinator garments "$endpoint"
refused $name 1 actsearch-worker "$endpoint" --key keys/worker.key --cache host/five --slots 1 -- 'fetched 3 times' 'data verify garments'
kill -TERM $coordinator; ended $coordinator
cp -p kept.data head/garments.data

name=a_coordinator_without_the_data_set_says_so_and_works_all_the_same
start none.head actsearchd garments.ini --db garments.db --keys keys --cache head/none --bind "$endpoint"; coordinator=$!
refused a_worker_that_can_get_it_nowhere_says_where_to_add_it 1 actsearch-worker "$endpoint" --key keys/worker.key --cache host/six --slots 1 -- \
    "the coordinator has no data set 'garments'" 'actsearch data add'
worker six.log host/one; six=$worker
await 60 works garments.db $six && pass $name || fail $name 'no results' six.log
kill -TERM $six; ended $six; kill -TERM $coordinator; ended $coordinator

# ---- in the middle
coordinator large "$endpoint"
whole=$(stat -c %s head/large.data)
so_far() { stat -c %s host/seven/fetching/* 2>/dev/null | grep .; }
begun() { [ "$(so_far || echo 0)" -gt 0 ]; }
stop_in_the_middle() { # the coordinator stands still with a part of the file at the worker
    local deadline=$(($(date +%s) + 30))
    until begun; do [ "$(date +%s)" -lt $deadline ] || return 1; done
    kill -STOP $coordinator
    part=$(so_far) && [ "$part" -lt "$whole" ]
}
name=the_file_grows_piece_by_piece
worker seven.log host/seven; seven=$worker
stop_in_the_middle && pass $name || fail $name "$part of $whole" seven.log
name=a_worker_that_was_killed_in_the_middle_leaves_what_it_has
kill -KILL $seven; ended $seven
begun && pass $name || fail $name "nothing is left of $part"
name=the_next_one_goes_on_through_a_kill_of_the_coordinator
worker eight.log host/seven; eight=$worker
kill -KILL $coordinator; ended $coordinator
coordinator large "$endpoint"
if stop_in_the_middle; then
    kill -KILL $coordinator; ended $coordinator
    coordinator large "$endpoint"
else
    kill -CONT $coordinator
fi
await 60 works large.db $eight && same large host/seven && pass $name || fail $name 'no results' eight.log
kill -TERM $eight $coordinator 2>/dev/null
ended $eight; ended $coordinator; exit 0
