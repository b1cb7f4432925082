/*
 * A cheap model for a small question, a strong one for a large: [routing] of a manifest. What
 * weighs is the question itself, about a token for four bytes.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/turn_state.h"
#include "lib/base/util.h"

static size_t
question_bytes(const struct turn *t)
{
	size_t n = t->ask->text != NULL ? strlen(t->ask->text) : 0;
	struct json_object *blocks = t->ask->text == NULL ? t->ask->blocks : NULL;

	for (size_t i = 0; blocks != NULL && i < json_object_array_length(blocks); i++)
		n += strlen(js_str_or(json_object_array_get_idx(blocks, i), "text", ""));
	return n;
}

const char *
turn_routed(struct turn *t)
{
	static const struct { const char *weight, *key, *dflt; } classes[] = {
		{ "simple", "simple_model", "claude-haiku-4-5-20251001" },
		{ "medium", "medium_model", "claude-sonnet-4-20250514" },
		{ "complex", "complex_model", "claude-sonnet-4-20250514" },
	};
	struct json_object *r = js_obj(t->agent.manifest, "routing");
	struct buf b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);
	int64_t score = (int64_t)((question_bytes(t) + 3) / 4);
	const char *model;
	int at;

	if (r == NULL || (t->ask->text == NULL && t->ask->blocks == NULL))
		return NULL;
	at = score < js_i64(r, "simple_threshold", 100) ? 0 : score < js_i64(r, "complex_threshold", 500) ? 1 : 2;
	model = js_str(r, classes[at].key);
	if (model == NULL || model[0] == '\0')
		model = classes[at].dflt;
	jw_object(&w, NULL);
	jw_str(&w, "weight", classes[at].weight);
	jw_i64(&w, "score", score);
	jw_str(&w, "model", model);
	jw_end(&w);
	t->out->routing = b.failed ? NULL : ctx_strdup(t->c, b.p);
	buf_done(&b);
	turn_emit(t, TURN_PHASE, "routing", ctx_printf(t->c, "%s question (score %lld): %s", classes[at].weight, (long long)score, model),
	    NULL, 0, false);
	log_line(LOG_DEBUG, "rid=%s what=routing weight=%s score=%lld", t->c->rid, classes[at].weight, (long long)score);
	return model;
}
