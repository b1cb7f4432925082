# Manual pages.

# librefang-config(5) is made of the guide's tables and of the list that the reader of the file goes by.
doc/librefang-config.5: doc/config-man.pl doc/configuration.md lib/svc/config_keys.def
	$(AM_V_GEN)$(MKDIR_P) doc && $(PERL) $(srcdir)/doc/config-man.pl $(srcdir)/doc/configuration.md \
		$(srcdir)/lib/svc/config_keys.def > $@.new && mv $@.new $@
CLEANFILES += doc/librefang-config.5

man_MANS = doc/librefang-config.5
dist_man_MANS = doc/librefang.ini.5 doc/librefang-agent.5 doc/librefang.1 doc/librefangd.8 doc/librefang-backup.8 doc/librefang-fcgi.8
