# embed_page - makes C of the files of the page: their bytes come in by the assembler's .incbin, as they are, and as gzip
# made them of each: PACKED/NAME.gz.
#   awk -v out=header -f central/embed_page.awk
#   awk -v out=source -v packed=PACKED -f central/embed_page.awk central/page/*
function fail(text) {
	print "embed_page: " text > "/dev/stderr"
	failed = 1
	exit 1
}
function embed(symbol, file) {
	printf "__asm__(\".pushsection .rodata\\n\"\n\t\".L%s: .incbin \\\"%s\\\"\\n\"\n", symbol, file
	printf "\t\"%s = .L%s\\n%s_end = .\\n.popsection\");\n", symbol, symbol, symbol
	printf "extern const char %s[], %s_end[] __attribute__((visibility(\"hidden\")));\n", symbol, symbol
}
BEGIN {
	print "/* made by central/embed_page.awk */"
	if (out == "header") {
		print "#ifndef GEN_DASHBOARD_H\n#define GEN_DASHBOARD_H\n"
		print "struct dashboard_file {\n\tconst char *name;\n\tconst char *at, *end;\n\tconst char *packed, *packed_end; /* by gzip */\n};"
		print "extern const struct dashboard_file dashboard_files[]; /* ends with a NULL */\n\n#endif"
		exit 0
	}
	print "#include \"gen/dashboard.h\"\n\n#include <stddef.h>\n"
	for (i = 1; i < ARGC; i++) {
		name = ARGV[i]
		sub(/.*\//, "", name)
		if (name !~ /^[a-z0-9][a-z0-9._-]*$/)
			fail(ARGV[i] ": a name of small letters, digits, '.', '_' and '-'")
		embed("page_" i, ARGV[i])
		embed("packed_" i, packed "/" name ".gz")
		table = table sprintf("\t{\"%s\", page_%d, page_%d_end, packed_%d, packed_%d_end},\n", name, i, i, i, i)
	}
	if (ARGC < 2)
		fail("no files")
	printf "\nconst struct dashboard_file dashboard_files[] = {\n%s\t{NULL, NULL, NULL, NULL, NULL},\n};\n", table
	exit 0
}
END {
	if (failed)
		exit 1
}
