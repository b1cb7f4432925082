/*
 * "00-" 32 hex of the trace "-" 16 hex of the span that asks "-" 2 hex of flags. All zeros are no id; a later version may
 * say more behind them.
 */
#include "lib/base/trace.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/util.h"

enum { AT_TRACE = 3, AT_SPAN = 36, AT_FLAGS = 53 };

static bool
hex(const char *s, size_t n, bool zero_too)
{
	return strspn(s, "0123456789abcdef") >= n && (zero_too || strspn(s, "0") < n);
}

bool
trace_ok(const char *s)
{
	size_t n = s != NULL ? strlen(s) : 0;

	if (n < TRACEPARENT || s[AT_TRACE - 1] != '-' || s[AT_SPAN - 1] != '-' || s[AT_FLAGS - 1] != '-')
		return false;
	if (!hex(s, 2, true) || strncmp(s, "ff", 2) == 0 || !hex(s + AT_TRACE, 32, false) || !hex(s + AT_SPAN, 16, false) || !hex(s + AT_FLAGS, 2, true))
		return false;
	return n == TRACEPARENT || (strncmp(s, "00", 2) != 0 && s[TRACEPARENT] == '-');
}

static const char *
write_trace(const char *id, const char *flags, char out[static TRACEPARENT + 1])
{
	uint64_t span;

	do
		random_bytes(&span, sizeof(span));
	while (span == 0);
	snprintf(out, TRACEPARENT + 1, "00-%.32s-%016llx-%.2s", id, (unsigned long long)span, flags);
	return out;
}

const char *
trace_child(const char *s, char out[static TRACEPARENT + 1])
{
	return trace_ok(s) ? write_trace(s + AT_TRACE, s + AT_FLAGS, out) : NULL;
}

const char *
trace_of_uuid(const char *uuid, char out[static TRACEPARENT + 1])
{
	char id[33] = "";
	size_t n = 0;

	for (; *uuid != '\0' && n < 32; uuid++)
		if (*uuid != '-')
			id[n++] = *uuid;
	if (n != 32 || *uuid != '\0' || !hex(id, 32, false))
		return NULL;
	return write_trace(id, "01", out);
}
