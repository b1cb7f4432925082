# Manual pages.

# librefang-config(5) is made of the guide's tables and of the list that the reader of the file goes by.
doc/librefang-config.5: doc/config-man.pl doc/configuration.md lib/svc/config_keys.def
	$(AM_V_GEN)$(MKDIR_P) doc && $(PERL) $(srcdir)/doc/config-man.pl $(srcdir)/doc/configuration.md \
		$(srcdir)/lib/svc/config_keys.def > $@.new && mv $@.new $@
CLEANFILES += doc/librefang-config.5

# A page for each command, out of librefang(1).
command_pages = $(addprefix doc/librefang-,$(addsuffix .1,init start stop restart status doctor login chat \
	message agent sessions config models provider vault usage budget nginx-conf apache-conf lighttpd-conf backup restore logs openapi version))
$(command_pages): doc/librefang-%.1: doc/command-man.pl doc/librefang.1
	$(AM_V_GEN)$(MKDIR_P) doc && $(PERL) $(srcdir)/doc/command-man.pl $(srcdir)/doc/librefang.1 $* > $@.new && mv $@.new $@
CLEANFILES += $(command_pages)

man_MANS = doc/librefang-config.5 $(command_pages)
dist_man_MANS = doc/librefang.ini.5 doc/librefang-agent.5 doc/librefang.1 doc/librefangd.8 doc/librefang-backup.8 doc/librefang-fcgi.8
