# Flattens JSON: prints the path of every number, string, boolean and null, a tab, and its value.
#
#   awk -f json.awk metrics.json    prints    test.paper.f1	0.53    and    test.per_class.0.name	Folk
#
# Strings keep their escapes. Only text from the last line that starts with `{` on is read, so the output of a command
# called with --json can be passed as it is.

/^\{/ { reading = 1; text = "" }
reading { text = text $0 "\n" }

END {
    depth = 0
    while (match(text, /^[ \t\r\n]*("([^"\\]|\\.)*"|[-+.0-9eE]+|true|false|null|[][{}:,])/)) {
        token = substr(text, 1, RLENGTH)
        text = substr(text, RLENGTH + 1)
        sub(/^[ \t\r\n]+/, "", token)
        if (token == "{" || token == "[") {
            depth++
            is_list[depth] = token == "["
            name[depth] = is_list[depth] ? 0 : ""
            awaits_name = !is_list[depth]
        } else if (token == "}" || token == "]") {
            depth--
            awaits_name = 0
        } else if (token == ",") {
            if (is_list[depth]) {
                name[depth]++
            }
            awaits_name = !is_list[depth]
        } else if (token == ":") {
            awaits_name = 0
        } else if (awaits_name) {
            name[depth] = substr(token, 2, length(token) - 2)
        } else {
            path = name[1]
            for (level = 2; level <= depth; level++) {
                path = path "." name[level]
            }
            if (token ~ /^"/) {
                token = substr(token, 2, length(token) - 2)
            }
            print path "\t" token
        }
    }
}
