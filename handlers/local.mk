noinst_LIBRARIES += libhandlers.a
libhandlers_a_SOURCES = \
	handlers/agent_logs.c \
	handlers/agent_stats.c \
	handlers/agents.c \
	handlers/cached.c \
	handlers/auth.c \
	handlers/commands.c \
	handlers/dashboard.c \
	handlers/dashboard_login.c \
	handlers/memories.c \
	handlers/memory.c \
	handlers/models.c \
	handlers/openai.c \
	handlers/openapi_text.c \
	handlers/providers.c \
	handlers/sessions.c \
	handlers/system.c \
	handlers/tools.c \
	handlers/uploads.c \
	handlers/usage.c \
	handlers/users.c

# embedded
handlers/openapi_text.$(OBJEXT): openapi.json.gz
