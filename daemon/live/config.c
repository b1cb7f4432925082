/*
 * One value of config.toml, set over HTTP. What may be set is a list of LibreFang's: nothing that opens a door, and no
 * secret. The file keeps its comments, and what would make it a bad one is refused.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/config_write.h"
#include "daemon/live.h"
#include "lib/api/api.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/toml/toml.h"

enum { PARTS_MAX = 3, LITERAL_MAX = 1 << 20 };

struct reply config_set(struct ctx *, const struct request *);

/* --- what may be set -------------------------------------------------------------------------------- */

static const char *const whole_paths[] = {
	"log_level", "max_history_messages", "approval.auto_approve_autonomous", "approval.auto_approve", "approval.totp_grace_period_secs",
	"update_channel", "max_upload_size_bytes", "max_concurrent_bg_llm", "max_agent_call_depth", "max_request_body_bytes",
	"workflow_stale_timeout_minutes", "tool_timeout_secs", "local_probe_interval_secs", "prompt_caching", "stable_prefix_mode",
	"usage_footer", "language", "mode", "agent_max_iterations", "max_cron_jobs", "provider_urls", "provider_regions",
	"provider_proxy_urls", "provider_request_timeout_secs", "provider_max_retries", "tool_timeouts", "network.mdns_enabled",
	"network.max_peers", "network.max_messages_per_peer_per_minute", NULL
};

static const char *const sections[] = {         /* what lies one or two below them */
	"web", "rate_limit", "queue", "tool_invoke", "parallel_tools", "tool_results", "tool_policy", "tool_timeouts", "compaction",
	"triggers", "registry", "inbox", "health_check", "heartbeat", "notification", "task_board", "prompt_intelligence",
	"context_engine", "auto_dream", "media", "links", "tts", "canvas", "extensions", "session", "proactive_memory", "memory",
	"browser", "docker", "vault", "pairing", "a2a", "sanitize", "privacy", "webhook_triggers", "auto_reply", "broadcast",
	"provider_urls", "provider_regions", "provider_proxy_urls", "provider_request_timeout_secs", "provider_max_retries",
	"vertex_ai", "azure_openai", "default_model", "thinking", "budget", "reload", "terminal", "exec_policy", "llm", "plugins",
	"skills", NULL
};

static const char *const never[] = {            /* the last part */
	"api_key", "token", "secret", "shared_secret", "password", "bypass", "admin", "owner", "client_id", "client_secret", NULL
};

static bool
among(const char *const *list, const char *word, size_t n)
{
	for (; *list != NULL; list++)
		if (strlen(*list) == n && strncmp(*list, word, n) == 0)
			return true;
	return false;
}

static bool
writable(const char *path, size_t parts)
{
	const char *dot = strchr(path, '.'), *last = strrchr(path, '.');
	size_t n = strlen(path), first = dot != NULL ? (size_t)(dot - path) : n;

	if (parts > PARTS_MAX || (n >= 4 && strcmp(path + n - 4, "_env") == 0))
		return false;
	if (last != NULL && among(never, last + 1, strlen(last + 1)))
		return false;
	if (among(whole_paths, path, n))
		return true;
	if (first == 8 && memcmp(path, "channels", 8) == 0)
		return parts == 3;
	return parts > 1 && among(sections, path, first);
}

static enum err
path_checked(struct ctx *c, const char *path)
{
	size_t parts = 1;

	if (*path == '\0')
		return fail(c, ERR_BAD_REQUEST, "path is empty");
	for (const char *p = path; *p != '\0'; p++) {
		if (*p == '.' && (p == path || p[1] == '.' || p[1] == '\0'))
			return fail(c, ERR_BAD_REQUEST, "path has an empty segment");
		if (*p == '.')
			parts++;
		else if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *p) == NULL)
			return fail(c, ERR_BAD_REQUEST, "path: letters, digits, _ and - are expected between the dots");
	}
	return writable(path, parts) ? ERR_OK : fail(c, ERR_FORBIDDEN, "config path '%.200s' is not writable via this endpoint", path);
}

/* --- the value as TOML ------------------------------------------------------------------------------ */

static bool write_value(struct buf *, struct json_object *);

static bool
write_table(struct buf *b, struct json_object *v)
{
	const char *sep = "";

	buf_ch(b, '{');
	json_object_object_foreach(v, key, member) {
		buf_str(b, sep);
		toml_quote(b, key);
		buf_str(b, " = ");
		if (!write_value(b, member))
			return false;
		sep = ", ";
	}
	buf_ch(b, '}');
	return true;
}

static void
write_number(struct buf *b, double v)
{
	char text[40];

	snprintf(text, sizeof(text), "%.17g", v);
	buf_str(b, text);
	if (strpbrk(text, ".e") == NULL)
		buf_str(b, ".0");
}

/* false: it holds a null, which TOML has not. */
static bool
write_value(struct buf *b, struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		return false;
	case json_type_boolean:
		buf_str(b, json_object_get_boolean(v) ? "true" : "false");
		return true;
	case json_type_int:
		buf_printf(b, "%lld", (long long)json_object_get_int64(v));
		return true;
	case json_type_double:
		write_number(b, json_object_get_double(v));
		return true;
	case json_type_string:
		toml_quote(b, json_object_get_string(v));
		return true;
	case json_type_object:
		return write_table(b, v);
	case json_type_array:
		break;
	}
	buf_ch(b, '[');
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		buf_str(b, i > 0 ? ", " : "");
		if (!write_value(b, json_object_array_get_idx(v, i)))
			return false;
	}
	buf_ch(b, ']');
	return true;
}

/* NULL in *ret: the key goes. */
static enum err
literal_of(struct ctx *c, struct json_object *v, const char **ret)
{
	SCOPED_BUF b = BUF_INIT(LITERAL_MAX);

	*ret = NULL;
	if (v == NULL)
		return ERR_OK;
	if (!write_value(&b, v))
		return fail(c, ERR_BAD_REQUEST, "value: a null inside is nothing that the file can hold");
	if (b.failed)
		return fail(c, ERR_BAD_REQUEST, "value is too large");
	*ret = ctx_strdup(c, b.p);
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* --- the row ---------------------------------------------------------------------------------------------- */

static enum err
asked(struct ctx *c, struct json_object *o, struct config_change *ret)
{
	struct json_object *path = js_get(o, "path"), *value;
	enum err e;

	if (path == NULL)
		path = js_get(o, "key");
	if (json_object_get_type(path) != json_type_string)
		return fail(c, ERR_BAD_REQUEST, "missing 'path' field");
	if (!json_object_object_get_ex(o, "value", &value))
		return fail(c, ERR_BAD_REQUEST, "missing 'value' field");
	ret->key = json_object_get_string(path);
	e = strlen(ret->key) == (size_t)json_object_get_string_len(path) ? path_checked(c, ret->key)
	    : fail(c, ERR_BAD_REQUEST, "path holds a NUL");
	return e == ERR_OK ? literal_of(c, value, &ret->literal) : e;
}

struct reply
config_set(struct ctx *c, const struct request *rq)
{
	struct config_change ch = { 0 };
	enum err e = asked(c, rq->json, &ch);

	if (e == ERR_OK)
		e = config_take(c, &ch, 1);
	if (e == ERR_OK)
		return reply_words(c, 200, "status", "applied", "path", ch.key, NULL);
	if (e == ERR_UNAVAILABLE)       /* it is in the file */
		return reply_words(c, 200, "status", "saved_reload_failed", "path", ch.key, "reload_error", c->fault.msg, NULL);
	if (c->fault.extra == NULL)
		c->fault.extra = "\"status\":\"error\"";
	return reply_fail(c);
}
