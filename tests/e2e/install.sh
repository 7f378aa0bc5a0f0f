#!/usr/bin/env bash
# install.sh: what `make install` puts where, that it is gone after `make uninstall`, that the manual has every command and option and reads
# without a warning, and that shells complete.
. "$(dirname "$0")/lib.sh"
mode=$(basename "$BUILD")
to="DESTDIR=$WORK/root prefix=/opt/acts"
make_there() { make -C "$ROOT" --no-print-directory MODE="$mode" $to "$@" >make.out 2>&1; }

name=it_installs_below_the_prefix_alone
make_there install && [ -z "$(find root ! -type d -not -path 'root/opt/acts/*')" ] && [ -x root/opt/acts/bin/actsearch ] && [ -s root/opt/acts/share/man/man1/actsearch-rank.1 ] &&
    [ -s root/opt/acts/share/actsearch/experiments/demo.ini ] && [ -s root/opt/acts/share/doc/actsearch/user-guide.md ] && pass $name || { fail $name 'not all is there' make.out; exit 1; }
cp -r root installed
name=it_uninstalls_what_it_installed_and_nothing_else
touch root/opt/acts/share/doc/mine && mkdir -p root/opt/acts/share/man/man8
make_there uninstall && [ "$(find root ! -type d)" = root/opt/acts/share/doc/mine ] && [ -d root/opt/acts/share/man/man8 ] && [ -z "$(find root -name '*actsearch*')" ] && pass $name ||
    fail $name "$(find root ! -type d | head -n 3)" make.out
share=installed/opt/acts/share man=installed/opt/acts/share/man

name=each_program_and_command_has_a_page
missing=
for page in actsearch actsearchd actsearch-worker $(actsearch help | awk '/^  [a-z]+ /{print "actsearch-" $1}'); do
    grep -q "^$(echo "$page" | sed 's/-/\\\\-/g') \\\\- [^ ]" $man/man1/$page.1 || missing="$missing $page"
done
[ -z "$missing" ] && pass $name || fail $name "missing, or without a name line:$missing"
name=each_option_stands_on_its_page
missing=
options_of() { "$@" --help | sed -nE 's/^ +((-.), )?(--?[a-z-]+).*/\3/p'; }
for command in $(actsearch help | awk '/^  [a-z]+ / && $1 != "help" {print $1}'); do
    for option in $(options_of actsearch "$command"); do grep -qF "fB$(printf %s "$option" | sed 's/-/\\-/g')\\fR" $man/man1/actsearch-$command.1 || missing="$missing $command:$option"; done
done
for program in actsearchd actsearch-worker; do
    for option in $(options_of "$program"); do grep -qF "fB$(printf %s "$option" | sed 's/-/\\-/g')\\fR" $man/man1/$program.1 || missing="$missing $program:$option"; done
done
[ -z "$missing" ] && pass $name || fail $name "missing:$missing"
name=each_key_of_an_experiment_stands_on_its_page
missing=
for key in $(actsearch help experiment | sed -nE 's/^    ([a-z_]+) = .*/\1/p'); do grep -qF "fB$key\\fR" $man/man5/actsearch-experiment.5 || missing="$missing $key"; done
[ -z "$missing" ] && grep -qF 'fBsigmoid(u)' $man/man7/actsearch-expression.7 && pass $name || fail $name "missing:$missing"

# warnings COMMAND…: what it says of any page
warnings() { for page in $man/man?/*; do "$@" "$page" 2>&1; done; }
name=the_pages_read_without_a_warning
if command -v groff >/dev/null; then
    warnings env LC_ALL=C.UTF-8 groff -k -ww -z -man >groff.out
    [ ! -s groff.out ] && pass $name || fail $name 'groff warns' groff.out
else skipped $name 'needs groff'; fi
name=the_pages_are_sound_mandoc
if command -v mandoc >/dev/null; then
    warnings mandoc -Tlint -W warning | grep -v 'missing date' >mandoc.out
    [ ! -s mandoc.out ] && pass $name || fail $name 'mandoc warns' mandoc.out
else skipped $name 'needs mandoc'; fi

# proposed WORD…: what bash proposes for the last of these words.
proposed() {
    bash -c 'cd here; . "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }; _actsearch; echo "${COMPREPLY[*]}"' "$WORK/$share/bash-completion/completions/actsearch" "$@"
}
completes() { # EXPECTED WORD…
    local got; got=$(proposed "${@:2}")
    [ "$got" = "$1" ] || echo "for '${*:2}': '$got' instead of '$1'" >>wrong
}
name=bash_completes_commands_options_values_and_files
: >wrong
mkdir -p here/folder; touch here/a.db here/b.ini here/c.txt
completes pause actsearch pau
completes --pareto actsearch rank --par
completes 'folder a.db' actsearch rank ''
completes b.ini actsearchd b
completes '' actsearchd c
completes pytorch actsearch export relu --to py
completes pytorch actsearch export relu --to = py
completes warning actsearchd --log-level w
completes 'child.lr=' actsearch run --set child.lr
completes folder actsearch-worker --cache fo
completes 'add list verify folder' actsearch data ''
completes derivatives actsearch plot de
completes '' actsearch rank -n ''
[ ! -s wrong ] && pass $name || fail $name 'wrong proposals' wrong
name=zsh_reads_its_completion
if command -v zsh >/dev/null; then
    zsh -f -c "fpath=($share/zsh/site-functions \$fpath); autoload -Uz compinit; compinit -u -d $WORK/zcompdump; [[ \$_comps[actsearchd] == _actsearch ]] && autoload +X _actsearch" >zsh.out 2>&1 && pass $name || fail $name 'it does not' zsh.out
else skipped $name 'needs zsh'; fi
