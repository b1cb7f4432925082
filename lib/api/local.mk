noinst_LIBRARIES += libapi.a
libapi_a_SOURCES = \
	lib/api/agent_arg.c \
	lib/api/attempts.c \
	lib/api/auth.c \
	lib/api/dashboard.c \
	lib/api/count.c \
	lib/api/dispatch.c \
	lib/api/idem.c \
	lib/api/match.c \
	lib/api/peer.c \
	lib/api/reply.c \
	lib/api/routes_bare.c \
	lib/api/schema.c \
	lib/api/schemas_agents.c \
	lib/api/schemas_catalog.c \
	lib/api/schemas_dashboard.c \
	lib/api/schemas_providers.c \
	lib/api/schemas_logs.c \
	lib/api/schemas_memory.c \
	lib/api/schemas_sessions.c \
	lib/api/schemas_settings.c \
	lib/api/schemas_system.c \
	lib/api/schemas_templates.c \
	lib/api/schemas_usage.c \
	lib/api/schemas_users.c \
	lib/api/schemas_security.c \
	lib/api/schemas_vault.c \
	lib/api/user_arg.c \
	lib/api/wipe.c

# The generator reads the route table and prints what follows from it.
noinst_PROGRAMS += lf-gen
lf_gen_SOURCES = \
	lib/api/gen/examples.c \
	lib/api/gen/main.c \
	lib/api/gen/openapi.c \
	lib/api/gen/reference.c \
	lib/api/gen/routes_told.c
lf_gen_LDADD = $(API_LIBS)

# openapi.json, and the reference of all endpoints as a page and as a table
# for clients that look without a server
pkgdata_DATA = openapi.json.gz
openapi.json.gz: openapi.json
	$(AM_V_GEN)gzip -9nc openapi.json > $@.new && mv $@.new $@
CLEANFILES += openapi.json.gz
nodist_doc_DATA = doc/endpoints.md
noinst_DATA = endpoints.tsv
CLEANFILES += openapi.json doc/endpoints.md endpoints.tsv

generate = $(AM_V_GEN)$(MKDIR_P) $(@D) && ./lf-gen$(EXEEXT)
openapi.json: lf-gen$(EXEEXT)
	$(generate) openapi > $@.new && mv -f $@.new $@
doc/endpoints.md: lf-gen$(EXEEXT)
	$(generate) reference > $@.new && mv -f $@.new $@
endpoints.tsv: lf-gen$(EXEEXT)
	$(generate) endpoints > $@.new && mv -f $@.new $@
