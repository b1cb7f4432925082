/*
 * What the reference's curl lines say: the end of the address and the body, as a shell reads them
 * between double and between single quotes. Rows that need neither have no line here. t/reference.t runs
 * each of them.
 */
#include <string.h>

#include "lib/api/gen/gen.h"

static const struct example examples[] = {
	{ .verb = POST, .path = "/api/auth/link", .quoted = "{\\\"token\\\":\\\"$LINK\\\"}" },
	{ .verb = POST, .path = "/api/auth/logout", .key = "$LOGIN" },
	{ .verb = GET, .path = "/api/agents", .query = "?limit=10&sort=name" },
	{ .verb = POST, .path = "/api/agents", .body = "{\"manifest_toml\":\"name = \\\"scribe\\\"\"}" },
	{ .verb = PATCH, .path = "/api/agents/{id}", .body = "{\"description\":\"Keeps notes\"}" },
	{ .verb = DELETE, .path = "/api/agents/{id}", .query = "?confirm=true" },
	{ .verb = POST, .path = "/api/agents/{id}/message", .body = "{\"message\":\"hello\"}" },
	{ .verb = POST, .path = "/api/agents/{id}/message/stream", .body = "{\"message\":\"hello\"}" },
	{ .verb = POST, .path = "/api/agents/{id}/sessions", .body = "{\"label\":\"second thoughts\"}" },
	{ .verb = PUT, .path = "/api/agents/{id}/model", .body = "{\"provider\":\"offline\",\"model\":\"offline\"}" },
	{ .verb = PUT, .path = "/api/agents/{id}/mode", .body = "{\"mode\":\"assist\"}" },
	{ .verb = PUT, .path = "/api/memory/agents/{id}/kv/{key}", .body = "{\"value\":\"blue\"}" },
	{ .verb = GET, .path = "/api/models", .query = "?provider=openai" },
	{ .verb = POST, .path = "/v1/chat/completions",
	    .body = "{\"model\":\"assistant\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}" },
};

/* What stands for a path's argument: by its name, after the segment before it. */
static const struct { const char *before, *arg, *word; } words[] = {
	{ "/api/models/", "{id*}", "gpt-5.5-codex" },
	{ "/api/providers/", "{name}", "openai" },
	{ "/api/tools/", "{name}", "web_fetch" },
	{ "/kv/", "{key}", "colour" },
	{ "/agents/", "{id}", "$AGENT" },
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
