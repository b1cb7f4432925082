/*
 * Fuzz: a raw request target to a row. Whatever the bytes, a match is well
 * formed, and what was matched once is matched again the same below /api/v1.
 * sources: lib/base/*.c lib/api/match.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

const struct route routes[] = {
	{ .verb = GET, .path = "/api/agents" },
	{ .verb = POST, .path = "/api/agents" },
	{ .verb = GET, .path = "/api/agents/{id}" },
	{ .verb = DELETE, .path = "/api/agents/{id}" },
	{ .verb = GET, .path = "/api/agents/bulk" },
	{ .verb = PUT, .path = "/api/memory/agents/{id}/kv/{key}" },
	{ .verb = GET, .path = "/api/models/{id*}" },
	{ .verb = GET, .path = "/api/models/aliases" },
	{ .verb = GET, .path = "/api/models/custom/{id}" },
	{ .verb = GET, .path = "/v1/models", .flags = RT_NO_ALIAS },
	{ .verb = GET, .path = "/" },
};
const size_t n_routes = ARRAY_LEN(routes);

/* Does the path hold a dot segment, however it is written? */
static bool
has_dots(const char *t)
{
	size_t n = strcspn(t, "?#");

	for (size_t i = 0; i < n; i++) {
		size_t k = i + 1, dots = 0;

		if (t[i] != '/')
			continue;
		for (; k < n && t[k] != '/'; dots++)
			if (t[k] == '.')
				k++;
			else if (n - k >= 3 && strncasecmp(t + k, "%2e", 3) == 0)
				k += 3;
			else
				break;
		if ((k == n || t[k] == '/') && (dots == 1 || dots == 2))
			return true;
	}
	return false;
}

static void
well_formed(const struct match *m, const char *target)
{
	MUST(m->query_raw != NULL && strlen(m->allow) < sizeof(m->allow) && m->n_args <= PATH_ARGS_MAX);
	if (m->bad_path || m->route == NULL)
		return;
	MUST(target[0] == '/' && !has_dots(target));
	for (unsigned i = 0; i < m->n_args; i++) {
		MUST(m->args[i].name != NULL && m->args[i].n > 0 && m->args[i].value[m->args[i].n] == '\0');
		MUST(utf8_ok(m->args[i].value, m->args[i].n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "" };
	struct ctx c = { .arena = arena_new(4096) };
	struct match m, v1;
	char *target;

	routes_init();
	if (n > 0) {
		const char *method = methods[data[0] & 7];

		target = arena_strndup(c.arena, (const char *)data + 1, n - 1);
		route_match(&c, method, target, &m);
		well_formed(&m, target);
		if (strncmp(target, "/api/", 5) == 0 && strncmp(target + 5, "v1", 2) != 0) {
			route_match(&c, method, ctx_printf(&c, "/api/v1/%s", target + 5), &v1);
			MUST(v1.bad_path == m.bad_path && (m.route == NULL || v1.route == m.route));
		}
	}
	arena_free(c.arena);
	return 0;
}
