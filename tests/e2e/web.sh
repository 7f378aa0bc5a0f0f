#!/usr/bin/env bash
# web.sh: the web page over a real socket: a search that runs, hostile and slow browsers, 100,000 trials.
. "$(dirname "$0")/lib.sh"

command -v curl >/dev/null || { skipped web 'needs curl'; exit 0; }
refused a_page_for_other_machines_must_be_asked_for 2 actsearchd a.ini --http 0.0.0.0:8080 -- '--http-insecure' 'unencrypted'
refused a_page_at_no_address_is_refused 2 actsearchd a.ini --http 8080 -- 'ADDRESS:PORT'
refused run_refuses_it_too 2 actsearch run a.ini --http 0.0.0.0:8080 -- '--http-insecure'
refused run_shows_it_where_that_is_said 1 actsearch run none.ini --http 0.0.0.0:8080 --http-insecure -- 'none\.ini'
refused a_page_of_no_database 1 actsearch web none.db -- 'none\.db'
require_data fashion-mnist

# page_of OUTPUT: the address of the page that the program has said there, in $page.
has_address() { page=$(grep -oE 'http://[^ ]+' "$1" | head -n 1); [ -n "$page" ]; }
page_of() { await 30 has_address "$1" && has_address "$1"; }
get() { curl -s --max-time 20 "$@"; }
code() { get -o /dev/null -w '%{http_code}' "$@"; }
field() { sqlite3 :memory: "SELECT json_extract(CAST(readfile('$1') AS TEXT), '$2')"; } # FILE PATH

# ---- while a search runs
small_experiment small.ini
start live.log actsearchd small.ini --db live.db --bind "ipc://$WORK/socket" --http 127.0.0.1:0 \
    --set search.algorithm=exhaustive --set search.candidates=300 --set child.seeds=3 --set child.steps=1000
coordinator=$!
page_of live.log || { fail the_coordinator_says_where_its_page_is 'no address' live.log; exit 1; }
name=it_is_healthy
healthy() { [ "$(get "${page}healthz")" = ok ]; }
await 20 healthy && pass $name || fail $name "$(get "${page}healthz")"
start events.out curl -sN --max-time 120 "${page}api/live"; listener=$!
start worker.log actsearch-worker "ipc://$WORK/socket" --slots 1

name=who_listens_hears_of_each_change
progress_events() { [ "$(grep -c '^event: progress' events.out)" -ge "$1" ]; }
await 60 progress_events 4 && pass $name || fail $name "$(grep -c '^event' events.out) events" events.out
name=the_page_says_what_the_database_says
get "${page}api/progress" >progress.json
[ "$(field progress.json '$.name')" = small ] && [ "$(field progress.json '$.workers')" = 1 ] && pass $name || fail $name 'other things' progress.json
name=metrics_are_as_prometheus_wants_them
if command -v promtool >/dev/null; then
    get "${page}metrics" | promtool check metrics >promtool.out 2>&1 && [ ! -s promtool.out ] && pass $name || fail $name 'promtool complains' promtool.out
else
    skipped $name 'needs promtool (package prometheus)'
fi

# ---- what is refused
refused a_port_that_is_taken_is_refused 1 actsearchd small.ini --db other.db --bind "ipc://$WORK/other" --http "$(expr "$page" : 'http://\(.*\)/')" -- '--http.*[Aa]ddress already in use'
name=nothing_was_written_then
[ -z "$(ls other.db* 2>/dev/null)" ] && pass $name || fail $name "$(ls other.db*)"
name=other_names_are_refused
[ "$(code -H 'Host: evil.example' "$page")" = 421 ] && [ "$(code -H 'Host: localhost:1' "$page")" = 200 ] && pass $name || fail $name 'they are not'
name=nothing_can_be_sent
[ "$(code -d 'x=1' "${page}api/progress")" = 405 ] && [ "$(code -X DELETE "$page")" = 405 ] && [ "$(code -T small.ini "$page")" = 405 ] &&
    pass $name || fail $name 'something was taken'
name=every_answer_forbids_what_is_not_from_here
for path in '' style.css api/progress none; do
    get -D - -o /dev/null "$page$path" | grep -qi "^content-security-policy: default-src 'none'; script-src 'self'" || fail $name "not for /$path"
done
! get "$page" | grep -qiE '<script[^>]*>[^<]|<style|style=| on[a-z]+=|https?://' && pass $name || fail $name 'the page has scripts, styles or addresses in it'
name=a_long_head_is_refused
[ "$(code "${page}?$(head -c 30000 /dev/zero | tr '\0' a)")" -ge 400 ] && [ "$(code -H "X: $(head -c 40000 /dev/zero | tr '\0' a)" "$page")" -ge 400 ] &&
    pass $name || fail $name 'it was read'

# ---- slow, silent and many browsers
port=${page##*:}; port=${port%/}
name=silent_connections_are_closed_and_keep_nobody_out
many=() ; for i in $(seq 90); do exec {fd}<>"/dev/tcp/127.0.0.1/$port" && many+=("$fd"); done
printf 'GET / HTTP/1.1\r\nHo' >&"${many[0]}"
[ "$(code "${page}healthz")" = 200 ] || fail $name 'nobody else is answered'
closed() { timeout 1 cat <&"${many[0]}" >/dev/null; [ $? = 0 ]; }
await 40 closed && pass $name || fail $name 'it is open after 40 s'
for fd in "${many[@]}"; do exec {fd}>&-; done
name=so_many_may_listen_and_no_more
for i in $(seq 55); do start /dev/null curl -sN --max-time 60 "${page}api/live"; listeners[i]=$!; done
listening_is_full() { [ "$(get --max-time 1 -o /dev/null -w '%{http_code}' "${page}api/live")" = 503 ]; }
await 20 listening_is_full && [ "$(code "${page}healthz")" = 200 ] && pass $name || fail $name 'more than 50 listen'
kill "${listeners[@]}" 2>/dev/null
name=those_who_have_gone_make_room
there_is_room() { [ "$(get --max-time 1 -o /dev/null -w '%{http_code}' "${page}api/live")" = 200 ]; }
await 40 there_is_room && pass $name || fail $name 'they are still counted'
name=the_search_does_not_mind
before=$(scalar live.db 'SELECT done + diverged FROM progress')
await 60 at_least live.db 'SELECT done + diverged FROM progress' $((before + 3)) && pass $name || fail $name 'it stands still' live.log

# ---- the end
name=at_the_end_listeners_are_told_and_let_go
kill -INT $coordinator
await 20 gone $listener && await 20 gone $coordinator && pass $name || fail $name 'they go on' live.log
name=the_database_is_one_file_then
[ "$(ls live.db*)" = live.db ] && pass $name || fail $name "$(ls live.db*)"

# ---- 100,000 trials
name=with_100000_trials_the_first_paint_is_small_and_quick
sqlite3 live.db <"$ROOT/tests/e2e/web_large.sql" >large.err 2>&1 || fail $name 'no such database' large.err
start large.out actsearch web live.db --http '[::1]:0'
page_of large.out || { fail $name 'no address' large.out; exit 1; }
for path in '' style.css parts.js charts.js views.js page.js dygraph.js dygraph.css api/progress api/ranking api/course; do
    get --compressed -o /dev/null -w "%{size_download} %{time_total} /$path\n" "$page$path"
done >paint.out
best=$(for i in 1 2 3 4 5; do get -o /dev/null -w '%{time_total}\n' "${page}api/ranking"; done | sort -g | head -n 1)
awk -v best="$best" '{bytes += $1} END {printf "    first paint: %d bytes; the list with 100,000 trials in %.0f ms\n", bytes, 1000 * best; exit !(bytes < 200 * 1024)}' paint.out &&
    [ "$(get "${page}api/ranking" | wc -c)" -gt 10000 ] && pass $name || fail $name 'it is more than 200 KB' paint.out
name=any_page_of_the_list_is_there
get "${page}api/ranking?offset=90000" >far.json
[ "$(field far.json '$.rows[0].rank')" = 90001 ] && [ "$(field far.json '$.total')" -gt 100000 ] && pass $name || fail $name 'it is not' far.json
