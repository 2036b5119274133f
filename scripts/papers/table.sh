#!/usr/bin/env bash
# Prints a Markdown table of our metrics for the models of a paper next to the published ones:
#
#   scripts/papers/table.sh PAPER METRICS.tsv METRIC=HEADING...
#
# METRICS.tsv has one line `model<TAB>metric<TAB>value` per metric, as the scripts in this directory write it. Rows are
# in the order in which the models first appear there. A cell is `ours / published`; an unknown value is a dash.
# Published metrics are the rows of PAPER in published.csv, or in the file that the variable PUBLISHED names.
set -euo pipefail

if [[ $# -lt 3 || $1 == -* ]]; then
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
paper=$1 metrics=$2
shift 2
published=${PUBLISHED:-$(dirname "${BASH_SOURCE[0]}")/published.csv}
columns=$(printf '%s\t' "$@")

awk -v paper="$paper" -v columns="${columns%$'\t'}" '
    function fail(message) {
        print "error: " FILENAME ":" FNR ": " message > "/dev/stderr"
        failed = 1
        exit 1
    }
    # Our value: fractions with three decimals, integers unchanged.
    function ours(which, metric) {
        if (!((which, metric) in value)) {
            return "–"
        }
        return value[which, metric] ~ /\./ ? sprintf("%.3f", value[which, metric]) : value[which, metric]
    }
    BEGIN {
        count = split(columns, column, "\t")
        for (at = 1; at <= count; at++) {
            metric[at] = heading[at] = column[at]
            sub(/=.*/, "", metric[at])
            sub(/^[^=]*=/, "", heading[at])
        }
    }
    # The published metrics.
    FNR == NR {
        sub(/\r$/, "")
        if (/^#/ || /^[ \t]*$/) {
            next
        }
        if (!header) {
            if ($0 != "paper,model,metric,value,source") {
                fail("the header must be paper,model,metric,value,source")
            }
            header = 1
            next
        }
        if (split($0, cell, ",") < 5) {
            fail("a row must have five columns: paper,model,metric,value,source")
        }
        if (cell[1] != paper) {
            next
        }
        if (cell[4] !~ /^[0-9]+(\.[0-9]+)?$/) {
            fail("`" cell[4] "` is not a number")
        }
        known = 0
        for (at = 1; at <= count; at++) {
            known = known || metric[at] == cell[3]
        }
        if (!known) {
            fail("`" cell[3] "` is not a metric in the table of " paper)
        }
        if ((cell[2], cell[3]) in theirs) {
            fail("duplicate " cell[3] " of " cell[2])
        }
        theirs[cell[2], cell[3]] = cell[4]
        # The source may contain commas.
        source = $0
        for (at = 1; at <= 4; at++) {
            sub(/^[^,]*,/, "", source)
        }
        gsub(/^"|"$/, "", source)
        source_of[cell[2], cell[3]] = source
        published[cell[2]] = 1
        next
    }
    # Ours.
    {
        split($0, cell, "\t")
        if (!(cell[1] in seen)) {
            seen[cell[1]] = 1
            name_of[++models] = cell[1]
        }
        value[cell[1], cell[2]] = cell[3]
    }
    END {
        if (failed) {
            exit 1
        }
        line = "| model |"
        rule = "|---|"
        for (at = 1; at <= count; at++) {
            line = line " " heading[at] " |"
            rule = rule "---:|"
        }
        print line " parameters | epochs | s/epoch |"
        print rule "---:|---:|---:|"
        for (row = 1; row <= models; row++) {
            name = name_of[row]
            line = "| " name " |"
            for (at = 1; at <= count; at++) {
                key = name SUBSEP metric[at]
                line = line " " ours(name, metric[at]) " / " (key in theirs ? theirs[key] : "–") " |"
                if (key in theirs && !(source_of[key] in named)) {
                    named[source_of[key]] = 1
                    sources = sources (sources == "" ? "" : "; ") source_of[key]
                }
            }
            seconds = (name, "seconds_per_epoch") in value \
                ? sprintf("%.1f", value[name, "seconds_per_epoch"]) : "–"
            print line " " ours(name, "parameters") " | " ours(name, "epochs") " | " seconds " |"
        }
        for (name in published) {
            if (!(name in seen)) {
                print "note: published metrics of `" name "` are not in this table" > "/dev/stderr"
            }
        }
        print ""
        print "Cells are ours / published." (sources == "" ? " published.csv has no metrics of these models." : " Published: " sources ".")
    }
' "$published" "$metrics"
