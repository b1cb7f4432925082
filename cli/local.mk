bin_PROGRAMS += librefang
librefang_SOURCES = \
	cli/call.c \
	cli/child.c \
	cli/cmd_agent.c \
	cli/cmd_backup.c \
	cli/cmd_budget.c \
	cli/cmd_chat.c \
	cli/cmd_config.c \
	cli/cmd_front.c \
	cli/cmd_hash.c \
	cli/cmd_login.c \
	cli/cmd_logs.c \
	cli/cmd_message.c \
	cli/cmd_provider.c \
	cli/cmd_run.c \
	cli/cmd_sessions.c \
	cli/conf_site.c \
	cli/conf_watch.c \
	cli/doctor.c \
	cli/health.c \
	cli/line.c \
	cli/listen.c \
	cli/main.c \
	cli/nginx_conf.c \
	cli/notify.c \
	cli/ollama.c \
	cli/proc.c \
	cli/publish.c \
	cli/reload.c \
	cli/settings.c \
	cli/subcommand.c \
	cli/sup.c \
	cli/sup_boot.c \
	cli/table.c \
	cli/cmd_usage.c \
	cli/cmd_vault.c \
	cli/watcher.c \
	cli/webchat.c
librefang_LDADD = $(CONFIG_LIBS) $(API_LIBS) $(STDCXX_LIBS)

# embedded
cli/nginx_conf.$(OBJEXT): nginx/librefang.conf.in
cli/cmd_front.$(OBJEXT): nginx/site.conf.in nginx/site-tls.conf.in nginx/site-redirect.conf.in \
	nginx/apache.conf.in nginx/apache-tls.conf.in nginx/apache-redirect.conf.in \
	nginx/lighttpd.conf.in nginx/lighttpd-cgi.conf.in nginx/lighttpd-tls.conf.in nginx/lighttpd.lua.in
