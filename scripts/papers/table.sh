#!/usr/bin/env bash
# Prints a Markdown table of our metrics for the models of a paper next to the published ones:
#
#   scripts/papers/table.sh PAPER SPLIT METRICS.tsv METRIC=HEADING...
#
# METRICS.tsv has one line `model<TAB>metric<TAB>value` per metric, as the scripts in this directory write it. Rows are
# in the order in which the models first appear there. SPLIT is the split of our metrics, named as in published.csv.
# A cell is `ours / published`; an unknown value is a dash. Published metrics are the rows of PAPER in published.csv, or
# in the file that the variable PUBLISHED names. Those that cannot be compared with ours, because they are of another
# split or have a note, are in a second table; their cells refer to it with `below`.
set -euo pipefail

if [[ $# -lt 4 || $1 == -* ]]; then
    sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
paper=$1 split=$2 metrics=$3
shift 3
published=${PUBLISHED:-$(dirname "${BASH_SOURCE[0]}")/published.csv}
columns=$(printf '%s\t' "$@")

awk -v paper="$paper" -v split_name="$split" -v columns="${columns%$'\t'}" '
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
    # The published value for a row of ours. A paper that has no separate values with augmentation has one for both.
    function theirs_of(which, metric,    plain) {
        plain = which
        sub(/\+augment$/, "", plain)
        if (!((which) in published)) {
            which = plain
        }
        if ((which, metric) in theirs) {
            if (!(source_of[which, metric] in named)) {
                named[source_of[which, metric]] = 1
                sources = sources (sources == "" ? "" : "; ") source_of[which, metric]
            }
            return theirs[which, metric]
        }
        return (which, metric) in elsewhere ? "below" : "–"
    }
    BEGIN {
        header = "paper,model,metric,value,data,split,note,source"
        count = split(columns, column, "\t")
        for (at = 1; at <= count; at++) {
            metric[at] = heading[at] = column[at]
            sub(/=.*/, "", metric[at])
            sub(/^[^=]*=/, "", heading[at])
            heading_of[metric[at]] = heading[at]
        }
    }
    # The published metrics.
    FNR == NR {
        sub(/\r$/, "")
        if (/^#/ || /^[ \t]*$/) {
            next
        }
        if (!has_header) {
            if ($0 != header) {
                fail("the header must be " header)
            }
            has_header = 1
            next
        }
        if (split($0, cell, ",") < 8) {
            fail("a row must have eight columns: " header)
        }
        if (cell[1] != paper) {
            next
        }
        if (cell[4] !~ /^[0-9]+(\.[0-9]+)?$/) {
            fail("`" cell[4] "` is not a number")
        }
        if (!(cell[3] in heading_of)) {
            fail("`" cell[3] "` is not a metric in the table of " paper)
        }
        if ((cell[2], cell[3], cell[6]) in before) {
            fail("duplicate " cell[3] " of " cell[2])
        }
        before[cell[2], cell[3], cell[6]] = 1
        # The source may contain commas.
        source = $0
        for (at = 1; at <= 7; at++) {
            sub(/^[^,]*,/, "", source)
        }
        gsub(/^"|"$/, "", source)
        if (cell[6] == split_name && cell[7] == "") {
            theirs[cell[2], cell[3]] = cell[4]
            source_of[cell[2], cell[3]] = source
        } else {
            elsewhere[cell[2], cell[3]] = 1
            others[++other_rows] = "| " cell[2] " | " heading_of[cell[3]] " | " cell[4] " | " cell[6] " | " cell[7] " | " source " |"
        }
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
                line = line " " ours(name, metric[at]) " / " theirs_of(name, metric[at]) " |"
            }
            seconds = (name, "seconds_per_epoch") in value \
                ? sprintf("%.1f", value[name, "seconds_per_epoch"]) : "–"
            print line " " ours(name, "parameters") " | " ours(name, "epochs") " | " seconds " |"
        }
        for (key in theirs) {
            split(key, parts, SUBSEP)
            if (!(parts[1] in seen) && !(parts[1] in noted)) {
                noted[parts[1]] = 1
                print "note: published metrics of `" parts[1] "` are not in this table" > "/dev/stderr"
            }
        }
        print ""
        print "Cells are ours / published, both on the " split_name " split." \
            (sources == "" ? " published.csv has no metrics of these models on it." : " Published: " sources ".")
        if (other_rows) {
            print "\nPublished metrics that cannot be compared with ours:\n"
            print "| model | metric | published | split | note | source |"
            print "|---|---|---:|---|---|---|"
            for (row = 1; row <= other_rows; row++) {
                print others[row]
            }
        }
    }
' "$published" "$metrics"
