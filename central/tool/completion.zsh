#compdef tidemark
# Completion of tidemark for zsh.  What completes a line is what the program itself says.
_tidemark()
{
	local line word files=0
	local -a plain open
	for line in "${(@f)$("${(Q)${words[1]/#\~\//$HOME/}}" __complete "${(j: :)words[1,CURRENT-1]} $PREFIX" 2>/dev/null)}"; do
		word=${line%%$'\t'*}
		case $word in
		('') ;;
		(:files) files=1 ;;
		(*/) open+=("$word") ;;
		(*) plain+=("${word//:/\\:}:${line#*$'\t'}") ;;
		esac
	done
	[[ $PREFIX == --*=* ]] && compset -P '*='
	(( $#open )) && compadd -S '' -- $open
	(( $#plain )) && _describe tidemark plain
	(( files )) && _files
}
# Read from the directory of completions, or by: source <(tidemark completion zsh)
if [[ $funcstack[1] == _tidemark ]]; then
	_tidemark "$@"
else
	compdef _tidemark tidemark
fi
