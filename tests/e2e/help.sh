#!/usr/bin/env bash
# Every program and every command explains itself, and a wrong call gets exit status 2 and a hint.
. "$(dirname "$0")/lib.sh"

for command in $(actsearch help | awk '/^  [a-z]+ /{print $1}'); do
    name=help_of_$command
    actsearch "$command" --help >help.out 2>&1 && [ -s help.out ] && pass "$name" || fail "$name" 'no help' help.out
done
name=what_the_commands_do_stands_in_one_column
actsearch help | grep -E '^  [a-z]+ ' | LC_ALL=C.UTF-8 grep -vE '^.{50} [^ ]' >ragged && fail $name 'ragged lines' ragged || pass $name
name=help_command_says_what_the_option_help_says
actsearch rank --help >one && actsearch help rank >two && cmp -s one two && pass $name || fail $name 'they differ' two

for program in actsearch actsearchd actsearch-worker; do
    name=help_of_program_$program
    "$program" --help >help.out 2>&1 && grep -qi usage help.out && pass "$name" || fail "$name" 'no help' help.out
    name=version_of_$program
    "$program" --version >help.out 2>&1 && grep -qE '[0-9]+\.[0-9]+' help.out && pass "$name" || fail "$name" 'no version' help.out
    refused unknown_option_of_$program 2 "$program" --no-such-option -- .
done

refused no_command_is_wrong_usage 2 actsearch -- Usage
refused an_unknown_command_gets_the_nearest 2 actsearch rnak -- "no command 'rnak'" "did you mean 'rank'"
refused run_without_a_file_is_wrong_usage 2 actsearch run -- 'FILE'
refused rank_without_a_database_is_wrong_usage 2 actsearch rank -- 'DB'
refused rank_of_no_file_fails 1 actsearch rank none.db -- 'none\.db'
refused show_without_a_database_is_wrong_usage 2 actsearch show -- 'DB'
refused show_of_no_database_fails 1 actsearch show none.db -- 'none\.db'
refused a_bad_number_of_rows_is_wrong_usage 2 actsearch rank none.db -n many -- 'many'
refused json_and_csv_exclude_each_other 2 actsearch rank none.db --json --csv -- 'exclude'
