#!/usr/bin/env bash
# browser.sh: the web page in headless Chromium. SHORT= (empty) for all of it: `make browser`, which also keeps pictures of each view.
. "$(dirname "$0")/lib.sh"

for program in chromium python3; do
    command -v $program >/dev/null || { skipped browser "needs $program"; exit 0; }
done
require_data fashion-mnist
small_experiment small.ini
start run.out actsearchd small.ini --db page.db --bind "ipc://$WORK/socket" --http 127.0.0.1:0 --set space.unary=paper --set space.binary=paper \
    --set search.algorithm=evolution --set search.candidates=3000 --set child.seeds=2 --set child.steps=30
start worker.out actsearch-worker "ipc://$WORK/socket" --slots 1
has_address() { page=$(grep -oE 'http://[^ ]+' run.out | head -n 1); [ -n "$page" ]; }
await 30 has_address && has_address || { fail the_page_is_there 'no address' run.out; exit 1; }
await 60 at_least page.db 'SELECT count(*) FROM ranking' 12 || { fail the_search_goes_on 'it does not' run.out; exit 1; }
actsearch backup page.db hostile.db >backup.out 2>&1 || { fail a_copy_can_be_made 'it cannot' backup.out; exit 1; }
sqlite3 hostile.db "UPDATE worker SET host = '<img src=x onerror=\"document.title=''taken''\">', cpu = '\"><b>';
    INSERT INTO event (at_ms, kind, text) VALUES (1, 'worker', '<script>document.title = ''taken''</script>')"
start hostile.out actsearch web hostile.db --http 127.0.0.1:0
hostile_has_address() { grep -q '^http://' hostile.out; }
await 20 hostile_has_address || { fail the_other_page_is_there 'no address' hostile.out; exit 1; }
HOSTILE=$(head -n 1 hostile.out) SHORT=${SHORT-1} timeout 300 python3 "$ROOT/tests/browser/page.py" "$page" "$WORK/page.db" ${PICTURES:+"$PICTURES"} 2>browser.err || fail the_browser_test_ends "exit status $?" browser.err
