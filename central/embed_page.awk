# embed_page - makes C of the files of the page: their bytes come in by the assembler's .incbin, as they are.
#   awk -v out=header|source -f central/embed_page.awk central/page/*
function fail(text) {
	print "embed_page: " text > "/dev/stderr"
	failed = 1
	exit 1
}
BEGIN {
	print "/* made by central/embed_page.awk */"
	if (out == "header") {
		print "#ifndef GEN_DASHBOARD_H\n#define GEN_DASHBOARD_H\n"
		print "struct dashboard_file {\n\tconst char *name;\n\tconst char *at, *end;\n};"
		print "extern const struct dashboard_file dashboard_files[]; /* ends with a NULL */\n\n#endif"
		exit 0
	}
	print "#include \"gen/dashboard.h\"\n\n#include <stddef.h>\n"
	for (i = 1; i < ARGC; i++) {
		name = ARGV[i]
		sub(/.*\//, "", name)
		if (name !~ /^[a-z0-9][a-z0-9._-]*$/)
			fail(ARGV[i] ": a name of small letters, digits, '.', '_' and '-'")
		printf "__asm__(\".pushsection .rodata\\n\"\n\t\".Lpage_%d: .incbin \\\"%s\\\"\\n\"\n", i, ARGV[i]
		printf "\t\"page_%d = .Lpage_%d\\npage_%d_end = .\\n.popsection\");\n", i, i, i
		printf "extern const char page_%d[], page_%d_end[] __attribute__((visibility(\"hidden\")));\n", i, i
		table = table sprintf("\t{\"%s\", page_%d, page_%d_end},\n", name, i, i)
	}
	if (ARGC < 2)
		fail("no files")
	printf "\nconst struct dashboard_file dashboard_files[] = {\n%s\t{NULL, NULL, NULL},\n};\n", table
	exit 0
}
END {
	if (failed)
		exit 1
}
