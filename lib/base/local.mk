# lib/base: one line per file.
noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	lib/base/addr.c \
	lib/base/arena.c \
	lib/base/buf.c \
	lib/base/clock.c \
	lib/base/cron.c \
	lib/base/crypto.c \
	lib/base/ctx.c \
	lib/base/ed25519.c \
	lib/base/file.c \
	lib/base/gcra.c \
	lib/base/tally.c \
	lib/base/json_check.c \
	lib/base/json_build.c \
	lib/base/json_read.c \
	lib/base/json_shared.c \
	lib/base/json_span.c \
	lib/base/jw.c \
	lib/base/late.c \
	lib/base/log.c \
	lib/base/multipart.c \
	lib/base/path.c \
	lib/base/secret.c \
	lib/base/shm.c \
	lib/base/trace.c \
	lib/base/uhttp.c \
	lib/base/zone.c
