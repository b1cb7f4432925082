# The WebChat. `make webchat` builds it with npm; a release brings it built, and then it
# is only copied. Without it the front server says in its place how to get it.

WEBCHAT_DIST = webchat/dist
NPM = npm
NODE = node

webchat:
	@command -v $(NPM) >/dev/null || { echo "make webchat needs Node.js and npm: apt-get install nodejs npm"; exit 1; }
	test $(srcdir)/webchat/node_modules/.package-lock.json -nt $(srcdir)/webchat/package-lock.json || \
		$(NPM) --prefix $(srcdir)/webchat --no-audit --no-fund --omit=dev ci
	$(MKDIR_P) webchat
	$(NODE) $(srcdir)/webchat/build.mjs --out $(WEBCHAT_DIST)

# from a release, where it lies built beside the source
all-local: webchat-copy
webchat-copy:
	@test ! -f $(srcdir)/$(WEBCHAT_DIST)/index.html || test -f $(WEBCHAT_DIST)/index.html || \
		{ $(MKDIR_P) webchat && cp -R $(srcdir)/$(WEBCHAT_DIST) webchat/dist && chmod -R u+w webchat/dist; }

install-data-local: webchat-copy
	@test ! -f $(WEBCHAT_DIST)/index.html || { \
		echo "installing the WebChat"; \
		$(MKDIR_P) "$(DESTDIR)$(pkgdatadir)/webchat/assets" && \
		rm -f "$(DESTDIR)$(pkgdatadir)/webchat/assets"/* && \
		$(INSTALL_DATA) $(WEBCHAT_DIST)/index.html "$(DESTDIR)$(pkgdatadir)/webchat" && \
		$(INSTALL_DATA) $(WEBCHAT_DIST)/assets/* "$(DESTDIR)$(pkgdatadir)/webchat/assets"; }

uninstall-local:
	rm -rf "$(DESTDIR)$(pkgdatadir)/webchat"

distclean-local:
	test "$(srcdir)" = . || rm -rf $(WEBCHAT_DIST)

webchat-dist:
	@test ! -f $(WEBCHAT_DIST)/index.html || { \
		$(MKDIR_P) $(distdir)/webchat && rm -rf $(distdir)/$(WEBCHAT_DIST) && \
		cp -R $(WEBCHAT_DIST) $(distdir)/webchat/; }

.PHONY: webchat webchat-copy webchat-dist
