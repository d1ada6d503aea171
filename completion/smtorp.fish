# SPDX-License-Identifier: ISC
# fish completion: smtorp itself knows its commands (smtorp complete).
complete -c smtorp -f -a '(smtorp complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
