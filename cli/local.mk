bin_PROGRAMS += librefang
librefang_SOURCES = \
	cli/call.c \
	cli/child.c \
	cli/cmd_agent.c \
	cli/cmd_config.c \
	cli/cmd_run.c \
	cli/doctor.c \
	cli/health.c \
	cli/listen.c \
	cli/main.c \
	cli/nginx_conf.c \
	cli/notify.c \
	cli/proc.c \
	cli/publish.c \
	cli/reload.c \
	cli/settings.c \
	cli/sup.c \
	cli/sup_boot.c \
	cli/table.c \
	cli/watcher.c
librefang_LDADD = $(CONFIG_LIBS) $(API_LIBS) -lstdc++

# embedded
cli/nginx_conf.$(OBJEXT): nginx/librefang.conf.in
