# What fish completes of librefang(1).

set -l commands init start stop restart status doctor login hash-password chat message agent sessions config models provider vault usage budget nginx-conf apache-conf lighttpd-conf backup restore logs openapi version
complete -c librefang -f
complete -c librefang -l home -r -a '(__fish_complete_directories)' -d 'the home'
complete -c librefang -l json -d 'the answer as JSON'
complete -c librefang -l help -d 'help'
complete -c librefang -l version -d 'version'
complete -c librefang -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c librefang -n '__fish_seen_subcommand_from start restart' -l listen -r -d 'address'
complete -c librefang -n '__fish_seen_subcommand_from start restart' -l workers -r -d 'how many'
complete -c librefang -n '__fish_seen_subcommand_from start restart' -l foreground -d 'stay'
complete -c librefang -n '__fish_seen_subcommand_from message' -l agent -r -d 'who'
complete -c librefang -n '__fish_seen_subcommand_from agent' -a 'list show new spawn clone set stop suspend resume reload traces kill' -F
complete -c librefang -n '__fish_seen_subcommand_from agent' -l search -r
complete -c librefang -n '__fish_seen_subcommand_from agent' -l state -r
complete -c librefang -n '__fish_seen_subcommand_from agent' -l name -r
complete -c librefang -n '__fish_seen_subcommand_from sessions' -a 'list show new switch label stop export import delete' -F
complete -c librefang -n '__fish_seen_subcommand_from sessions' -l agent -r
complete -c librefang -n '__fish_seen_subcommand_from sessions' -l search -r
complete -c librefang -n '__fish_seen_subcommand_from sessions' -l label -r
complete -c librefang -n '__fish_seen_subcommand_from sessions' -s n -r -d 'how many'
complete -c librefang -n '__fish_seen_subcommand_from config' -a 'show get set'
complete -c librefang -n '__fish_seen_subcommand_from models' -a 'list show aliases alias unalias update'
complete -c librefang -n '__fish_seen_subcommand_from models' -l provider -r
complete -c librefang -n '__fish_seen_subcommand_from models' -l tier -r
complete -c librefang -n '__fish_seen_subcommand_from models' -l usable
complete -c librefang -n '__fish_seen_subcommand_from provider' -a 'list show set-key remove-key url test default enable'
complete -c librefang -n '__fish_seen_subcommand_from vault' -a 'init list set remove rotate-key'
complete -c librefang -n '__fish_seen_subcommand_from usage' -a 'summary agents models days export' -F
complete -c librefang -n '__fish_seen_subcommand_from budget' -a 'show agents providers users set clear'
for option in agent provider user hourly daily monthly tokens alert
	complete -c librefang -n '__fish_seen_subcommand_from budget' -l $option -r
end
for site in nginx-conf apache-conf lighttpd-conf
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l server-name -r
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l cert -rF
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l key -rF
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l plain
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l listen -r
	complete -c librefang -n "__fish_seen_subcommand_from $site" -l access-log -rF
end
complete -c librefang -n '__fish_seen_subcommand_from lighttpd-conf' -l cgi
complete -c librefang -n '__fish_seen_subcommand_from lighttpd-conf' -l script
complete -c librefang -n '__fish_seen_subcommand_from lighttpd-conf' -l script-file -rF
complete -c librefang -n '__fish_seen_subcommand_from backup restore' -F
complete -c librefang -n '__fish_seen_subcommand_from logs' -s f -d 'and what comes'
complete -c librefang -n '__fish_seen_subcommand_from logs' -s n -r -d 'lines'
complete -c librefang -n '__fish_seen_subcommand_from logs' -l access -d 'requests'
complete -c librefang -n '__fish_seen_subcommand_from logs' -l errors -d 'of nginx'
