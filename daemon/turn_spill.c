/*
 * Results that are too large for the conversation: they are kept as artifacts, and the model is shown where.
 *
 * An agent that has no tool to read an artifact with, or whose turn may leave no trace, is shown beginning and end instead.
 */
#include <string.h>

#include "daemon/turn_state.h"
#include "lib/agent/artifact.h"
#include "lib/agent/fit.h"
#include "lib/agent/tool.h"
#include "lib/svc/config.h"

enum { SPILL_BYTES = 16384, SPILL_MIN = 1024, BATCH_BYTES = 50000, PREVIEW_BYTES = 1024 };

static size_t
rule(struct turn *t, const char *name, int64_t dflt)
{
	int64_t v = js_i64(js_obj(t->c->cfg->raw, "tool_results"), name, dflt);

	return v < SPILL_MIN ? SPILL_MIN : (size_t)v;
}

/* A result that was asked for in parts is not kept once more. */
static bool
is_part(const struct call *k)
{
	const struct tool *tool = tool_find(k->name);

	return tool != NULL && strcmp(tool->name, "read_artifact") == 0;
}

static void
show(struct call *k, const char *s, size_t n)
{
	if (s == NULL)
		return;
	k->result = s;
	k->result_n = n;
}

static void
shorten(struct turn *t, struct call *k, size_t max)
{
	size_t n;
	const char *s = text_squeeze(t->c, k->result, k->result_n, max, &n);

	show(k, s, n);
}

static void
spill(struct turn *t, struct call *k, size_t max)
{
	char handle[ARTIFACT_HANDLE];
	struct fault f = t->c->fault;
	const char *s;

	if (!t->record || !turn_has_tool(t, "read_artifact") ||
	    artifact_put(t->c, t->c->cfg->data_dir, k->result, k->result_n, handle) != ERR_OK) {
		t->c->fault = f;
		shorten(t, k, max);
		return;
	}
	s = ctx_printf(t->c, "[%zu bytes, too many to show. They are kept as %s: read_artifact shows parts of them. They begin with:]\n%.*s",
	    k->result_n, handle, (int)utf8_cut(k->result, k->result_n, PREVIEW_BYTES), k->result);
	show(k, s, s != NULL ? strlen(s) : 0);
}

void
turn_spill(struct turn *t, struct call *k)
{
	size_t max = rule(t, "spill_threshold_bytes", SPILL_BYTES);

	if (k->result_n > max && !is_part(k))
		spill(t, k, max);
	if (k->result_n > fit_result_max(turn_window(t)))
		shorten(t, k, fit_result_max(turn_window(t)));
}

/* The largest first, until all together are few enough. */
void
turn_spill_batch(struct turn *t)
{
	size_t max = rule(t, "max_bytes_per_turn", BATCH_BYTES), sum = 0;

	for (size_t i = 0; i < t->n_calls; i++)
		sum += t->calls[i].result_n;
	while (sum > max) {
		struct call *most = NULL;
		size_t before;

		for (size_t i = 0; i < t->n_calls; i++)
			if (!is_part(&t->calls[i]) && t->calls[i].result_n > 2 * PREVIEW_BYTES &&
			    (most == NULL || t->calls[i].result_n > most->result_n))
				most = &t->calls[i];
		if (most == NULL)
			break;
		before = most->result_n;
		spill(t, most, 2 * PREVIEW_BYTES);
		if (most->result_n >= before)
			break;
		sum -= before - most->result_n;
	}
}
