/*
 * Fuzz: agent.toml, as people write it. What is taken is written as TOML that is taken again and means
 * the same; what is refused says why.
 * sources: lib/base/*.c lib/toml/*.c lib/toml/*.cc lib/agent/manifest*.c lib/agent/shared.c lib/agent/workspace.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/agent/manifest.h"
#include "lib/base/arena.h"
#include "lib/svc/config.h"
#include "lib/svc/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* Schedules are looked at in t/svc/schedule. */
const char *
plan_fault(struct json_object *manifest)
{
	(void)manifest;
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct config cfg = { .home = "/nowhere", .workspaces_dir = "/nowhere/workspaces" };
	struct ctx c = { .arena = arena_new(4096), .cfg = &cfg };
	struct json_object *m = NULL, *again = NULL;
	char *toml;

	if (manifest_parse(&c, (const char *)data, n, &m) != ERR_OK) {
		MUST(c.fault.msg != NULL && c.fault.msg[0] != '\0');
	} else {
		toml = manifest_to_toml(&c, m);
		MUST(toml != NULL);
		MUST(manifest_parse(&c, toml, strlen(toml), &again) == ERR_OK);
		MUST(json_object_equal(m, again));
	}
	arena_free(c.arena);
	return 0;
}
