# The paper's four metrics and top-1 of a table of predictions, each with a 95 % bootstrap interval over artists:
#
#   awk -F , -v resamples=1000 -f intervals.awk DATASET/tracks.csv RUN/predictions.csv
#
# Prints `metric<TAB>value<TAB>low<TAB>high`. Definitions are those of docs/reference/metrics.md. Like `train report`, it
# draws artists, because tracks of one artist are alike; a track of an unknown artist is drawn alone. The tables of FMA
# have no quoted cells in the columns that are read here.

BEGIN {
    metrics = split("accuracy precision recall f1 top1", name, " ")
    srand(1)
}

{ sub(/\r$/, "") }

FNR == 1 {
    file++
    for (at = 1; at <= NF; at++) {
        column[file, $at] = at
    }
    needed = split(file == 1 ? "track_id artist" : "track_id labels predicted", need, " ")
    for (at = 1; at <= needed; at++) {
        if (!((file, need[at]) in column)) {
            print "error: " FILENAME " has no column " need[at] > "/dev/stderr"
            failed = 1
            exit 1
        }
    }
    next
}

file == 1 {
    artist[$(column[1, "track_id"])] = $(column[1, "artist"])
    next
}

{
    track = $(column[2, "track_id"])
    group = artist[track] == "" ? "track " track : artist[track]
    if (!(group in number)) {
        number[group] = ++groups
    }
    at = number[group]
    members[at]++
    truth[at, members[at]] = class($(column[2, "labels"]))
    predicted[at, members[at]] = class($(column[2, "predicted"]))
}

function class(label) {
    if (!(label in index_of)) {
        index_of[label] = ++classes
    }
    return index_of[label]
}

# Computes result[1..metrics] of the groups, each as often as times[group].
function evaluate(    group, at, all, right, c, hit, wrong, missed, sum_accuracy, sum_precision, sum_recall) {
    for (c = 1; c <= classes; c++) {
        hits[c] = of_truth[c] = of_predicted[c] = 0
    }
    all = right = 0
    for (group = 1; group <= groups; group++) {
        if (times[group]) {
            for (at = 1; at <= members[group]; at++) {
                all += times[group]
                of_truth[truth[group, at]] += times[group]
                of_predicted[predicted[group, at]] += times[group]
                if (truth[group, at] == predicted[group, at]) {
                    hits[truth[group, at]] += times[group]
                    right += times[group]
                }
            }
        }
    }
    sum_accuracy = sum_precision = sum_recall = 0
    for (c = 1; c <= classes; c++) {
        wrong = of_predicted[c] - hits[c]
        missed = of_truth[c] - hits[c]
        sum_accuracy += (all - wrong - missed) / all
        sum_precision += of_predicted[c] ? hits[c] / of_predicted[c] : 0
        sum_recall += of_truth[c] ? hits[c] / of_truth[c] : 0
    }
    # A class that is neither a label nor a prediction has only true negatives.
    result[1] = (sum_accuracy + count - classes) / count
    result[2] = sum_precision / count
    result[3] = sum_recall / count
    result[4] = result[2] + result[3] > 0 ? 2 * result[2] * result[3] / (result[2] + result[3]) : 0
    result[5] = right / all
}

# A quantile of the resampled values of a metric, which are counted in buckets of 0.0001.
function quantile(metric, q,    at, wanted, seen) {
    wanted = q * (resamples - 1)
    for (at = 0; at <= 10000; at++) {
        seen += bucket[metric, at]
        if (seen > wanted) {
            return at / 10000
        }
    }
    return 1
}

END {
    if (failed) {
        exit 1
    }
    if (!groups) {
        print "error: there are no predictions" > "/dev/stderr"
        exit 1
    }
    # The columns after `labels` and `predicted` are one per class, also for classes that the set lacks.
    for (key in column) {
        split(key, part, SUBSEP)
        if (part[1] == 2 && part[2] !~ /^(track_id|labels|predicted)$/) {
            count++
        }
    }
    for (at = 1; at <= groups; at++) {
        times[at] = 1
    }
    evaluate()
    for (metric = 1; metric <= metrics; metric++) {
        value[metric] = result[metric]
    }
    for (round = 1; round <= resamples; round++) {
        for (at = 1; at <= groups; at++) {
            times[at] = 0
        }
        for (at = 1; at <= groups; at++) {
            times[1 + int(rand() * groups)]++
        }
        evaluate()
        for (metric = 1; metric <= metrics; metric++) {
            bucket[metric, int(10000 * result[metric] + 0.5)]++
        }
    }
    for (metric = 1; metric <= metrics; metric++) {
        printf "%s\t%.4f\t%.4f\t%.4f\n", name[metric], value[metric], quantile(metric, 0.025), quantile(metric, 0.975)
    }
}
