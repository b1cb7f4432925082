# Units, filled in when they are made: where the command will be, and the lines both share.
systemdsystemunitdir = $(prefix)/lib/systemd/system
systemduserunitdir = $(prefix)/lib/systemd/user
sysusersdir = $(prefix)/lib/sysusers.d
logrotatedir = $(sysconfdir)/logrotate.d

service_files = systemd/librefang.service systemd/librefang-user.service
noinst_DATA += $(service_files)
CLEANFILES += $(service_files)

$(service_files): systemd/hardening systemd/local.mk
systemd/librefang.service: systemd/librefang.service.in
systemd/librefang-user.service: systemd/librefang-user.service.in
$(service_files):
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SED) -e 's|[@]bindir[@]|$(bindir)|' \
		-e '/^[@]hardening[@]/{s///;r $(srcdir)/systemd/hardening' -e '}' \
		$(srcdir)/$@.in > $@.new && mv -f $@.new $@

install-data-hook: $(service_files)
	$(MKDIR_P) $(DESTDIR)$(systemdsystemunitdir) $(DESTDIR)$(systemduserunitdir) \
		$(DESTDIR)$(sysusersdir) $(DESTDIR)$(logrotatedir)
	$(INSTALL_DATA) systemd/librefang.service $(DESTDIR)$(systemdsystemunitdir)/librefang.service
	$(INSTALL_DATA) systemd/librefang-user.service $(DESTDIR)$(systemduserunitdir)/librefang.service
	$(INSTALL_DATA) $(srcdir)/systemd/sysusers.in $(DESTDIR)$(sysusersdir)/librefang.conf
	$(INSTALL_DATA) $(srcdir)/systemd/logrotate.in $(DESTDIR)$(logrotatedir)/librefang

uninstall-hook:
	rm -f $(DESTDIR)$(systemdsystemunitdir)/librefang.service \
		$(DESTDIR)$(systemduserunitdir)/librefang.service \
		$(DESTDIR)$(sysusersdir)/librefang.conf $(DESTDIR)$(logrotatedir)/librefang
