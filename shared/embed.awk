# embed - makes C of a document that a program serves as it is.
#   awk -v name=openapi_central -v out=header|source -f shared/embed.awk FILE
{
	gsub(/\\/, "&&")
	gsub(/"/, "\\\"")
	text = text "\n\t\"" $0 "\\n\""
}
END {
	up = toupper(name)
	if (NR == 0) {
		print "embed: " name ": an empty document" > "/dev/stderr"
		exit 1
	}
	printf "/* made by shared/embed.awk */\n"
	if (out == "header")
		printf "#ifndef GEN_%s_H\n#define GEN_%s_H\n\nextern const char %s[];\n\n#endif\n", up, up, name
	else
		printf "#include \"gen/%s.h\"\n\nconst char %s[] =%s;\n", name, name, text
}
