/*
 * What the reference's curl lines say: the end of the address and the body, as a shell reads them
 * between double and between single quotes. Rows that need neither have no line here. t/reference.t runs
 * each of them.
 */
#include <string.h>

#include "lib/api/gen/gen.h"

static const struct example examples[] = {
	{ .verb = POST, .path = "/api/auth/link", .quoted = "{\\\"token\\\":\\\"$LINK\\\"}" },
	{ .verb = POST, .path = "/api/auth/dashboard-login", .body = "{\"username\":\"admin\",\"password\":\"a long password\"}" },
	{ .verb = POST, .path = "/api/auth/change-password", .body = "{\"current_password\":\"a long password\",\"new_password\":\"a longer password\"}" },
	{ .verb = POST, .path = "/api/auth/logout", .key = "$LOGIN" },
	{ .verb = POST, .path = "/api/config/set", .body = "{\"path\":\"log_level\",\"value\":\"info\"}" },
	{ .verb = GET, .path = "/api/audit/recent", .query = "?n=20" },
	{ .verb = GET, .path = "/api/agents", .query = "?limit=10&sort=name" },
	{ .verb = POST, .path = "/api/agents", .body = "{\"manifest_toml\":\"name = \\\"scribe\\\"\"}" },
	{ .verb = PATCH, .path = "/api/agents/{id}", .body = "{\"description\":\"Keeps notes\"}" },
	{ .verb = DELETE, .path = "/api/agents/{id}", .query = "?confirm=true" },
	{ .verb = POST, .path = "/api/agents/{id}/message", .body = "{\"message\":\"hello\"}" },
	{ .verb = POST, .path = "/api/agents/{id}/message/stream", .body = "{\"message\":\"hello\"}" },
	{ .verb = POST, .path = "/api/agents/bulk", .body = "{\"agents\":[{\"template\":\"coder\",\"name\":\"ada\"}]}" },
	{ .verb = DELETE, .path = "/api/agents/bulk", .quoted = "{\\\"agent_ids\\\":[\\\"$AGENT\\\"]}" },
	{ .verb = POST, .path = "/api/agents/bulk/start", .quoted = "{\\\"agent_ids\\\":[\\\"$AGENT\\\"]}" },
	{ .verb = POST, .path = "/api/agents/bulk/stop", .quoted = "{\\\"agent_ids\\\":[\\\"$AGENT\\\"]}" },
	{ .verb = POST, .path = "/api/agents/identities/{name}/reset", .query = "?confirm=true" },
	{ .verb = PUT, .path = "/api/agents/{id}/update", .body = "{\"tags\":[\"notes\"]}" },
	{ .verb = PATCH, .path = "/api/agents/{id}/identity", .body = "{\"color\":\"#336699\"}" },
	{ .verb = PATCH, .path = "/api/agents/{id}/config", .body = "{\"temperature\":0.2}" },
	{ .verb = POST, .path = "/api/agents/{id}/clone", .body = "{\"new_name\":\"second\"}" },
	{ .verb = PUT, .path = "/api/agents/{id}/tools", .body = "{\"tool_blocklist\":[\"web_fetch\"]}" },
	{ .verb = PUT, .path = "/api/agents/{id}/skills", .body = "{\"skills\":[]}" },
	{ .verb = PUT, .path = "/api/agents/{id}/mcp_servers", .body = "{\"mcp_servers\":[\"*\"]}" },
	{ .verb = PUT, .path = "/api/agents/{id}/channels", .body = "{\"channels\":[]}" },
	{ .verb = PUT, .path = "/api/agents/{id}/files/{filename}", .body = "{\"content\":\"Kind and brief.\"}" },
	{ .verb = POST, .path = "/api/agents/{id}/inject", .body = "{\"message\":\"And be brief.\"}" },
	{ .verb = GET, .path = "/api/agents/{id}/events", .query = "?limit=10" },
	{ .verb = POST, .path = "/api/agents/{id}/memory/import", .body = "{\"kv\":{\"colour\":\"blue\"}}" },
	{ .verb = POST, .path = "/api/agents/{id}/sessions/import",
	    .body = "{\"version\":1,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}" },
	{ .verb = POST, .path = "/api/templates", .body = "{\"name\":\"greeter\",\"system_prompt\":\"Greet everybody.\"}" },
	{ .verb = PUT, .path = "/api/templates/{name}", .body = "{\"description\":\"For every day\"}" },
	{ .verb = GET, .path = "/api/agents/{id}/logs", .query = "?n=20" },
	{ .verb = POST, .path = "/api/agents/{id}/push", .body = "{\"channel\":\"telegram\",\"recipient\":\"12345\",\"message\":\"hello\"}" },
	{ .verb = PATCH, .path = "/api/agents/{id}/hand-runtime-config", .body = "{\"temperature\":0.2}" },
	{ .verb = POST, .path = "/api/agents/{id}/upload",
	    .words = "-H 'Content-Type: text/plain' -H 'X-Filename: notes.txt' --data-binary 'remember the milk'" },
	{ .verb = GET, .path = "/api/sessions", .query = "?limit=10" },
	{ .verb = GET, .path = "/api/sessions/search", .query = "?q=hello" },
	{ .verb = PUT, .path = "/api/sessions/{id}/label", .body = "{\"label\":\"notes\"}" },
	{ .verb = PATCH, .path = "/api/sessions/{id}/model", .body = "{\"model_override\":\"offline/offline\"}" },
	{ .verb = POST, .path = "/api/agents/{id}/sessions", .body = "{\"label\":\"second thoughts\"}" },
	{ .verb = PUT, .path = "/api/agents/{id}/model", .body = "{\"provider\":\"offline\",\"model\":\"offline\"}" },
	{ .verb = PUT, .path = "/api/agents/{id}/mode", .body = "{\"mode\":\"assist\"}" },
	{ .verb = GET, .path = "/api/memory/search", .query = "?q=tabs" },
	{ .verb = GET, .path = "/api/memory/agents/{id}/search", .query = "?q=tabs" },
	{ .verb = POST, .path = "/api/memory/bulk-delete", .quoted = "{\\\"ids\\\":[\\\"$MEMORY\\\"]}" },
	{ .verb = PUT, .path = "/api/memory/items/{memory_id}", .body = "{\"content\":\"Prefers tabs\"}" },
	{ .verb = POST, .path = "/api/memory/agents/{id}/import", .body = "[{\"content\":\"Prefers tabs\",\"level\":\"User\",\"category\":\"preference\",\"confidence\":0.9,"
	    "\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":null,\"metadata\":{}}]" },
	{ .verb = PUT, .path = "/api/memory/agents/{id}/kv/{key}", .body = "{\"value\":\"blue\"}" },
	{ .verb = GET, .path = "/api/usage/export", .query = "?format=csv" },
	{ .verb = PUT, .path = "/api/budget", .body = "{\"max_daily_usd\":20}" },
	{ .verb = PUT, .path = "/api/budget/agents/{id}", .body = "{\"max_cost_per_day_usd\":2.5}" },
	{ .verb = PUT, .path = "/api/budget/providers/{provider_id}", .body = "{\"max_cost_per_month_usd\":100}" },
	{ .verb = PUT, .path = "/api/budget/users/{user_id}",
	    .body = "{\"max_hourly_usd\":1,\"max_daily_usd\":5,\"max_monthly_usd\":50,\"alert_threshold\":0.8}" },
	{ .verb = POST, .path = "/api/users", .body = "{\"name\":\"bea\",\"role\":\"user\"}" },
	{ .verb = POST, .path = "/api/users/import", .body = "{\"rows\":[{\"name\":\"cyd\",\"role\":\"viewer\"}],\"dry_run\":true}" },
	{ .verb = PUT, .path = "/api/users/{name}", .body = "{\"name\":\"ada\",\"role\":\"admin\"}" },
	{ .verb = PUT, .path = "/api/users/{name}/policy", .body = "{\"tool_policy\":{\"denied_tools\":[\"web_*\"]}}" },
	{ .verb = PUT, .path = "/api/users/{name}/provider-keys/{provider}", .quoted = "{\\\"api_key\\\":\\\"$SECRET\\\"}" },
	{ .verb = PUT, .path = "/api/vault/{name}", .quoted = "{\\\"value\\\":\\\"$SECRET\\\"}" },
	{ .verb = POST, .path = "/api/providers/{name}/key", .quoted = "{\\\"key\\\":\\\"$SECRET\\\"}" },
	{ .verb = PUT, .path = "/api/providers/{name}/url", .body = "{\"base_url\":\"http://127.0.0.1:8000/v1\"}" },
	{ .verb = POST, .path = "/api/providers/{name}/default", .body = "{\"model\":\"gpt-5\"}" },
	{ .verb = PUT, .path = "/api/providers/{name}/discovery", .body = "{\"discover_models\":false}" },
	{ .verb = POST, .path = "/api/models/aliases", .body = "{\"alias\":\"best\",\"model_id\":\"gpt-5\"}" },
	{ .verb = POST, .path = "/api/models/custom", .body = "{\"id\":\"my-model\",\"provider\":\"openai\"}" },
	{ .verb = PUT, .path = "/api/models/overrides/{key*}", .body = "{\"temperature\":0.2}" },
	{ .verb = GET, .path = "/api/models", .query = "?provider=openai" },
	{ .verb = POST, .path = "/v1/chat/completions",
	    .body = "{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}" },
};

/* What stands for a path's argument: by its name, after the segment before it. */
static const struct { const char *before, *arg, *word; } words[] = {
	{ "/api/models/", "{id*}", "gpt-5.5-codex" },
	{ "/aliases/", "{alias}", "best" },
	{ "/custom/", "{id*}", "my-model" },
	{ "/overrides/", "{key*}", "openai:gpt-5" },
	{ "/api/providers/", "{name}", "openai" },
	{ "/api/tools/", "{name}", "web_fetch" },
	{ "/api/profiles/", "{name}", "coding" },
	{ "/api/commands/", "{name}", "help" },
	{ "/api/vault/", "{name}", "SEARCH_API_KEY" },
	{ "/poll/", "{poll_id}", "$POLL" },
	{ "/kv/", "{key}", "colour" },
	{ "/items/", "{memory_id}", "$MEMORY" },
	{ "/level/", "{level}", "user" },
	{ "/memory/user/", "{user_id}", "$AGENT" },
	{ "/budget/providers/", "{provider_id}", "openai" },
	{ "/budget/users/", "{user_id}", "$PERSON" },
	{ "/api/users/", "{name}", "$PERSON" },
	{ "/provider-keys/", "{provider}", "openai" },
	{ "/agents/", "{id}", "$AGENT" },
	{ "/sessions/", "{id}", "$SESSION" },
	{ "/files/", "{filename}", "SOUL.md" },
	{ "/uploads/", "{file_id}", "$UPLOAD" },
	{ "/templates/", "{name}", "coder" },
	{ "/history/", "{version_id}", "1" },
	{ "/by-label/", "{label}", "notes" },
	{ "/identities/", "{name}", "assistant" },
	{ "/sessions/", "{session_id}", "$SESSION" },
};

const struct example *
example_of(const struct route *r)
{
	static const struct example none;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		if (examples[i].verb == r->verb && strcmp(examples[i].path, r->path) == 0)
			return &examples[i];
	return &none;
}

static size_t
word_at(const char *path, const char *p, const char **ret)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i].before), k = strlen(words[i].arg);

		if ((size_t)(p - path) < n || strncmp(p - n, words[i].before, n) != 0 || strncmp(p, words[i].arg, k) != 0)
			continue;
		*ret = words[i].word;
		return k;
	}
	return 0;
}

void
example_path(struct buf *out, const struct route *r)
{
	const char *word = "";
	size_t k;

	for (const char *p = r->path; *p != '\0'; p++) {
		if (*p != '{' || (k = word_at(r->path, p, &word)) == 0) {
			buf_ch(out, *p);
			continue;
		}
		buf_str(out, word);
		p += k - 1;
	}
}
