# Completion of tidemark for bash.  What completes a line is what the program itself says.
_tidemark()
{
	local program=${1/#\~\//"$HOME/"} word help
	COMPREPLY=()
	while IFS=$'\t' read -r word help; do
		case $word in
		:files) compopt -o default 2>/dev/null ;; # readline's own, where there are no words
		*/) compopt -o nospace 2>/dev/null; COMPREPLY+=("$word") ;;
		*) COMPREPLY+=("$word") ;;
		esac
	done < <("$program" __complete "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _tidemark tidemark
