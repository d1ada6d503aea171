# SPDX-License-Identifier: ISC
# bash completion: smtorp itself knows its commands (smtorp complete).
_smtorp()
{
	local line
	COMPREPLY=()
	while IFS=$'\t' read -r line _; do
		[[ -n $line ]] && COMPREPLY+=("$line")
	done < <(smtorp complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _smtorp smtorp
