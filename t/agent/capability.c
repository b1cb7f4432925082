/* A child may do no more than its parent. */
#include "lib/agent/capability.h"
#include "t/svc/store.h"

static struct ctx ctx;

static void
covers(bool yes, const char *parent, const char *mode, const char *child)
{
	const char *more = caps_beyond(&ctx, json_stored(&ctx, parent), mode, json_stored(&ctx, child));

	if (!ok((more == NULL) == yes, "%s (%s) %s %s", parent, mode, yes ? "covers" : "does not cover", child))
		printf("# beyond: %s\n", more != NULL ? more : "nothing");
}

int
main(void)
{
	static const char all[] = "{}", full[] = "{\"profile\":\"full\"}", some[] = "{\"capabilities\":{\"tools\":[\"file_*\",\"web_fetch\"],"
	    "\"network\":[\"*.example.org\"],\"shell\":[\"git *\"]}}";

	ctx.arena = arena_new(65536);
	covers(true, all, "full", "{\"capabilities\":{\"tools\":[\"file_read\",\"web_fetch\"],\"network\":[\"*\"]}}");
	covers(false, all, "full", "{\"capabilities\":{\"tools\":[]}}");
	covers(true, all, "full", "{\"tools_disabled\":true,\"capabilities\":{\"tools\":[]}}");
	covers(false, all, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"agent_spawn\":true}}");
	covers(true, full, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"agent_spawn\":true}}");
	covers(false, all, "observe", "{\"capabilities\":{\"tools\":[\"file_read\"]}}");
	covers(true, all, "assist", "{\"capabilities\":{\"tools\":[\"file_read\"]}}");
	covers(false, all, "assist", "{\"capabilities\":{\"tools\":[\"file_write\"]}}");
	covers(false, all, "assist", "{\"capabilities\":{\"tools\":[\"file_*\"]}}");
	covers(true, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\",\"web_fetch\"]}}");
	covers(true, some, "full", "{\"capabilities\":{\"tools\":[\"file_*\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"*\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"memory_store\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"web_*\"]}}");
	covers(true, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"network\":[\"api.example.org\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"network\":[\"*\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"network\":[\"example.com\"]}}");
	covers(true, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"shell\":[\"git log\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"shell\":[\"rm *\"]}}");
	covers(false, "{\"tool_blocklist\":[\"file_write\"]}", "full", "{\"capabilities\":{\"tools\":[\"file_*\"]}}");
	covers(false, "{\"tool_allowlist\":[\"file_read\"]}", "full", "{\"capabilities\":{\"tools\":[\"file_write\"]}}");
	covers(false, "{\"tools_disabled\":true}", "full", "{\"capabilities\":{\"tools\":[\"file_read\"]}}");
	covers(false, "{\"profile\":\"minimal\"}", "full", "{\"capabilities\":{\"tools\":[\"web_fetch\"],\"network\":[\"*\"]}}");
	covers(false, "{\"profile\":\"minimal\"}", "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"network\":[\"*\"]}}");
	covers(true, "{\"profile\":\"research\"}", "full", "{\"capabilities\":{\"tools\":[\"web_fetch\"],\"network\":[\"*\"]}}");
	covers(false, some, "full", "{\"capabilities\":{\"tools\":[\"file_read\"],\"ofp_discover\":true}}");
	ok(caps_may_message(json_stored(&ctx, all), "bea", BEA) && caps_may_message(json_stored(&ctx, "{\"capabilities\":{\"agent_message\":[\"b*\"]}}"), "bea", BEA) &&
	    caps_may_message(json_stored(&ctx, "{\"capabilities\":{\"agent_message\":[\"" BEA "\"]}}"), "bea", BEA), "who may be written to");
	ok(!caps_may_message(json_stored(&ctx, "{\"capabilities\":{\"agent_message\":[\"ada\"]}}"), "bea", BEA), "and who not");
	ok(!caps_may_spawn(json_stored(&ctx, all)) && caps_may_spawn(json_stored(&ctx, full)) && !caps_may_spawn(json_stored(&ctx, some)) &&
	    caps_may_spawn(json_stored(&ctx, "{\"capabilities\":{\"agent_spawn\":true,\"tools\":[\"agent_*\"]}}")), "making agents must be allowed");
	arena_free(ctx.arena);
	return done();
}
