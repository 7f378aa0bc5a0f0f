#!/usr/bin/env bash
# policy.sh: what a search has learnt is shown, over time, and where it learns nothing that is said.
. "$(dirname "$0")/lib.sh"

require_data fashion-mnist
small_experiment small.ini
actsearch run small.ini --db small.db --set search.candidates=24 >run.out 2>run.err || { fail the_search_that_is_shown 'it failed' run.err; exit 1; }
versions=$(scalar small.db 'SELECT max(policy_version) FROM search_history')

name=show_without_an_expression_shows_what_is_learnt_of_each_token
actsearch show small.db >show.out 2>&1
choice=$(scalar small.db "SELECT policy ->> '$[2].choice' FROM search_history ORDER BY policy_version DESC LIMIT 1")
grep -q "^learnt  *$versions time" show.out && grep -q '^entropy .* nats a token' show.out && [ "$(grep -c '^1 ' show.out)" = 3 ] &&
    grep -qF "1     unary 1  $choice" show.out && pass $name || fail $name "it does not, or not $choice" show.out

name=each_version_is_a_character_until_there_are_many
line=$(sed -n 's/^entropy  *[0-9.]* \([^ ]*\) .*/\1/p' show.out)
[ "$(LC_ALL=C.UTF-8 bash -c 'echo ${#1}' - "$line")" = "$versions" ] && pass $name || fail $name "$line for $versions" show.out

name=show_as_json_has_all_versions_and_tokens
actsearch show small.db --json >show.json
sqlite3 :memory: "SELECT json_array_length(j, '$.policy'), json_array_length(j, '$.policy[0].tokens'), j ->> '$.policy[0].tokens[4].token',
    j ->> '$.policy[0].tokens[2].choices' FROM (SELECT CAST(readfile('show.json') AS TEXT) AS j)" >shape.out
[ "$(cat shape.out)" = "$versions|5|binary|8" ] && pass $name || fail $name "not $versions|5|binary|8" shape.out

name=many_versions_are_thinned_and_the_last_is_kept
sqlite3 small.db "WITH RECURSIVE v(n) AS (SELECT max(policy_version) + 1 FROM search_history UNION ALL SELECT n + 1 FROM v WHERE n < 1000)
    INSERT INTO search_history SELECT n, 8 * n, 8 * n, 0.5, 0.25, n, (SELECT policy FROM search_history WHERE policy_version = 1) FROM v"
actsearch show small.db >many.out
line=$(sed -n 's/^entropy  *[0-9.]* \([^ ]*\) 0\.250 .*/\1/p' many.out)
length=$(LC_ALL=C.UTF-8 bash -c 'echo ${#1}' - "$line")
grep -q '^learnt  *1000 times, from 8000 proposals' many.out && [ "$length" -ge 12 ] && [ "$length" -le 24 ] && pass $name ||
    fail $name "$length characters" many.out

for policy in '{"5":{}}' '[{},{},{}]' '[{}]'; do
    cp small.db odd.db
    sqlite3 odd.db "UPDATE search_history SET policy = '$policy' WHERE policy_version < 1000"
    refused "what_no_search_writes_is_refused:$policy" 1 actsearch show odd.db -- 'equal length'
    refused "nor_is_it_drawn:$policy" 1 actsearch plot policy odd.db -- 'equal length'
done

actsearch run small.ini --db random.db --set search.algorithm=random --set search.candidates=4 >run.out 2>&1
refused a_search_that_learns_nothing_says_so 1 actsearch show random.db -- 'learnt nothing' 'random'
refused nor_is_there_a_picture_of_it 1 actsearch plot policy random.db -- 'learnt nothing'
