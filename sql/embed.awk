# embed - turns annotated SQL into C: "-- name: record_get" starts a statement that ends at the next name.
#   awk -v prefix=sql_local -v out=header|source -f sql/embed.awk FILE…
# Files whose path holds /migrations/ are one statement each, in the order given, named by their file.
# Fails on a duplicate name, text before the first name, and on $n that first appear out of order
# (SQLite numbers them by first appearance).
function end_statement(   i, n, rest, last) {
	if (name == "")
		return
	rest = text[count]
	last = 0
	while (match(rest, /\$[0-9]+/)) {
		n = substr(rest, RSTART + 1, RLENGTH - 1) + 0
		if (n > last + 1) {
			print FILENAME ": " name ": $" n " appears before $" (last + 1) > "/dev/stderr"
			bad = 1
		}
		if (n > last)
			last = n
		rest = substr(rest, RSTART + RLENGTH)
	}
}
function start_statement(n) {
	end_statement()
	if (n in seen) {
		print FILENAME ": " n ": named twice" > "/dev/stderr"
		bad = 1
	}
	seen[n] = 1
	name = n
	names[++count] = n
	text[count] = ""
}
FNR == 1 {
	end_statement()
	name = ""
	if (FILENAME ~ /\/migrations\//) {
		n = FILENAME
		sub(/.*\//, "", n)
		sub(/\..*$/, "", n)
		start_statement("m" n)
	}
}
/^-- name: / && FILENAME !~ /\/migrations\// {
	start_statement($3)
	next
}
/^[ \t]*--/ || /^[ \t]*$/ { next }
{
	if (name == "") {
		print FILENAME ":" FNR ": SQL before the first name" > "/dev/stderr"
		bad = 1
		next
	}
	sub(/[ \t]+--.*$/, "")
	gsub(/\\/, "\\\\&")
	gsub(/"/, "\\\"")
	text[count] = text[count] "\n\t\t\"" $0 "\\n\""
}
END {
	end_statement()
	if (bad)
		exit 1
	up = toupper(prefix)
	if (out == "header") {
		printf "/* made from sql/ by sql/embed.awk */\n#ifndef GEN_%s_H\n#define GEN_%s_H\n\n#include \"shared/statements.h\"\n\nenum {\n", up, up
		for (i = 1; i <= count; i++)
			printf "\t%s_%s,\n", up, toupper(names[i])
		printf "\t%s_COUNT,\n};\n\nextern const struct statements %s;\n\n#endif\n", up, prefix
	} else {
		printf "/* made from sql/ by sql/embed.awk */\n#include \"gen/%s.h\"\n\nstatic const char *const text[] = {\n", prefix
		for (i = 1; i <= count; i++)
			printf "\t/* %s */%s,\n", names[i], text[i]
		printf "\tNULL,\n};\nstatic const char *const name[] = {\n"
		for (i = 1; i <= count; i++)
			printf "\t\"%s\",\n", names[i]
		printf "\tNULL,\n};\nconst struct statements %s = {text, name, %d};\n", prefix, count
	}
}
