#!/usr/bin/env bash
# expr.sh: `actsearch expr EXPR --at X,X,… --json` against values that were computed by other means
# (tests/golden/expr.txt, made by tests/reference/expr_reference.py), and β by --beta.
. "$(dirname "$0")/lib.sh"

# One line for each function: expression, its points, its β.
awk -F '\t' '{ at[$1] = at[$1] (at[$1] == "" ? "" : ",") $2; beta[$1] = $3; if (!seen[$1]++) order[++count] = $1 }
    END { for (i = 1; i <= count; i++) print order[i] "\t" at[order[i]] "\t" beta[order[i]] }' \
    "$ROOT/tests/golden/expr.txt" >functions
while IFS=$'\t' read -r text at beta; do
    options=(--at "$at")
    [ "$beta" = - ] || options+=(--beta "$beta")
    actsearch expr "${options[@]}" --json -- "$text" || echo "refused: $text" >&2
done <functions >answers 2>refusals

sqlite3 values.db <<SQL
create table expected (text text, x real, beta text, f real, df real, dbeta text) strict;
.mode tabs
.import '$ROOT/tests/golden/expr.txt' expected
create table answer as select value as line
    from json_each('[' || replace(trim(cast(readfile('answers') as text), char(10)), char(10), ',') || ']');
create table given as
    select line ->> '\$.expression' as text, point.value ->> '\$.x' as x, point.value ->> '\$.f' as f,
           point.value ->> '\$.df' as df, point.value -> '\$.dbeta' as dbeta
    from answer, json_each(line, '\$.at') point;
create view wrong as
    select e.text, e.x, e.f, g.f as got_f, e.df, g.df as got_df from expected e left join given g on g.text = e.text and g.x = e.x
    where g.f is null or abs(g.f - e.f) > 1e-10 * (1 + abs(e.f)) or abs(g.df - e.df) > 1e-10 * (1 + abs(e.df))
       or exists (select 1 from json_each('[' || replace(e.dbeta, '-', case e.dbeta when '-' then '' else '-' end) || ']') w
                  left join json_each(g.dbeta) h on h.key = w.key
                  where h.value is null or abs(h.value - w.value) > 1e-10 * (1 + abs(w.value)));
SQL

name=every_function_has_the_reference_values
expected=$(wc -l <"$ROOT/tests/golden/expr.txt")
given=$(scalar values.db 'select count(*) from given')
wrong=$(scalar values.db 'select count(*) from wrong')
sqlite3 values.db 'select * from wrong limit 10' >wrong.txt
if [ -s refusals ]; then fail $name "refused some" refusals
elif [ "$wrong" != 0 ]; then fail $name "$wrong of $expected points are wrong" wrong.txt
elif [ "$given" -lt "$expected" ] || [ "$expected" -lt 2000 ]; then fail $name "$given points given, $expected expected"
else pass $name; fi
