/*
 * The log: whole lines to stderr in one write each, so that lines of
 * several processes never mix.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/util.h"

static const char *prog_name = "librefang";
static _Atomic int wanted = LOG_INFO;
static const char *const level_names[] = { "trace", "debug", "info", "warn", "error", "off" };

void
log_open(const char *prog, enum log_level level)
{
	prog_name = prog;
	atomic_store(&wanted, (int)level);
}

void
log_set_level(enum log_level level)
{
	atomic_store(&wanted, (int)level);
}

enum log_level
log_level_of(const char *name)
{
	for (size_t i = 0; name != NULL && i < ARRAY_LEN(level_names); i++)
		if (strcmp(name, level_names[i]) == 0)
			return (enum log_level)i;
	return LOG_INFO;
}

bool
log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&wanted, memory_order_relaxed);
}

void
log_line(enum log_level level, const char *fmt, ...)
{
	char line[2048], ts[25];
	va_list ap;
	int n, m;

	if (!log_wants(level) || level >= LOG_OFF)
		return;
	time_rfc3339(clock_ms(), ts);
	n = snprintf(line, sizeof(line), "ts=%s level=%s prog=%s pid=%d ", ts, level_names[level],
	    prog_name, (int)getpid());
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;                 /* there is nowhere left to say so */
}

const char *
log_quote(const char *s, char *out, size_t cap)
{
	size_t n = 0;

	if (cap < 8)
		return "\"\"";
	out[n++] = '"';
	for (; s != NULL && *s != '\0' && n < cap - 6; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\') {
			out[n++] = '\\';
			out[n++] = (char)ch;
		} else if (ch < 0x20 || ch == 0x7f) {
			n += (size_t)snprintf(out + n, cap - n, "\\x%02x", ch);
		} else {
			out[n++] = (char)ch;
		}
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}
