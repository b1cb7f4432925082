/*
 * Shapes of what pages ask for beside the nouns: the snapshot of everything, the slash commands.
 */
#include "lib/api/schemas.h"

static const struct field snapshot_status_fields[] = {
	R_(STRING, "version"),
	R_(INT, "agent_count"),
	R_(INT, "active_agent_count"),
	R_(INT, "session_count"),
	STATUS_PLACE,
	F_END
};
static const struct schema snapshot_status = { .name = "SnapshotStatus", .fields = snapshot_status_fields };

static const struct field snapshot_fields[] = {
	R_(OBJECT, "health", .of = &health),
	R_(OBJECT, "status", .of = &snapshot_status),
	R_(ARRAY, "agents", .of = &agent_item, .doc = "the 500 that were active last"),
	R_(ARRAY, "providers", .of = &provider_item),
	R_(ARRAY, "channels", .item = FT_ANY, .doc = "empty: there are no channels yet"),
	R_(INT, "skillCount"),
	R_(INT, "workflowCount"),
	R_(BOOL, "webSearchAvailable", .doc = "can agents search the web"),
	F_END
};
const struct schema dashboard = { .name = "DashboardSnapshot", .fields = snapshot_fields };

static const char *const words_exec[] = { "client", "backend", NULL };
static const struct field command_fields[] = {
	R_(STRING, "cmd", .doc = "with its slash"),
	R_(STRING, "desc"),
	R_(STRING, "desc_key", .doc = "under which a page finds its own words for it"),
	R_(BOOL, "no_args"),
	R_OPT(STRING, "args_hint"),
	R_OPT(STRING, "exec", .values = words_exec, .doc = "who runs it: the page, or the chat socket; absent: a page cannot"),
	F_END
};
const struct schema chat_command = { .name = "ChatCommand", .fields = command_fields };

static const struct field command_list_fields[] = {
	R_(ARRAY, "commands", .of = &chat_command),
	F_END
};
const struct schema command_list = { .name = "ChatCommandList", .fields = command_list_fields };
