/*
 * Metrics of money: what models have taken since the ledger began, and what is put aside.
 */
#include <inttypes.h>
#include <string.h>

#include "db/db.h"
#include "lib/svc/budget.h"
#include "lib/svc/metrics.h"

enum { FAMILIES = 3, MODELS_MAX = 1000 };

static const char *const heads[FAMILIES] = {
	"# HELP librefang_llm_tokens_total Tokens that models took.\n# TYPE librefang_llm_tokens_total counter\n",
	"# HELP librefang_llm_cost_usd_total Dollars that models cost.\n# TYPE librefang_llm_cost_usd_total counter\n",
	"# HELP librefang_llm_calls_total Calls of models.\n# TYPE librefang_llm_calls_total counter\n",
};

static void
line(struct buf *b, const char *name, const char *model, const char *label, const char *value)
{
	buf_str(b, name);
	buf_ch(b, '{');
	metric_label(b, "model", model, strlen(model));
	if (label != NULL) {
		buf_ch(b, ',');
		metric_label(b, label, value, strlen(value));
	}
	buf_str(b, "} ");
}

static void
dollars(struct buf *b, int64_t nanousd)
{
	buf_printf(b, "%" PRId64 ".%09" PRId64 "\n", nanousd / 1000000000, nanousd % 1000000000);
}

static void
of_model(struct stmt *st, const char *model, struct buf part[static FAMILIES])
{
	int64_t calls = col_i64(st, "calls"), failed = col_i64(st, "failed");

	line(&part[0], "librefang_llm_tokens_total", model, "kind", "input");
	buf_printf(&part[0], "%" PRId64 "\n", col_i64(st, "input_tokens"));
	line(&part[0], "librefang_llm_tokens_total", model, "kind", "output");
	buf_printf(&part[0], "%" PRId64 "\n", col_i64(st, "output_tokens"));
	line(&part[1], "librefang_llm_cost_usd_total", model, NULL, NULL);
	dollars(&part[1], col_i64(st, "cost_nanousd"));
	line(&part[2], "librefang_llm_calls_total", model, "outcome", "ok");
	buf_printf(&part[2], "%" PRId64 "\n", calls - failed);
	line(&part[2], "librefang_llm_calls_total", model, "outcome", "failed");
	buf_printf(&part[2], "%" PRId64 "\n", failed);
}

static enum err
models(struct ctx *c, struct buf *out)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, input_tokens, output_tokens, cost_nanousd, calls, failed FROM usage_sum"
	    " WHERE span = 'total' AND start_ms = 0 AND scope = 'model' ORDER BY id LIMIT ?"));
	struct buf part[FAMILIES];

	for (size_t i = 0; i < FAMILIES; i++)
		part[i] = (struct buf)BUF_INIT(1 << 20);
	bind_i64(st, MODELS_MAX);
	while (db_step(st)) {
		const char *model = col_text(c, st, "id");

		if (model != NULL)
			of_model(st, model, part);
	}
	for (size_t i = 0; i < FAMILIES; i++) {
		buf_str(out, heads[i]);
		if (part[i].len > 0)
			buf_add(out, part[i].p, part[i].len);
		buf_done(&part[i]);
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
metrics_write_money(struct ctx *c, struct buf *b)
{
	struct budget_held h;
	enum err e = models(c, b);

	if (e == ERR_OK)
		e = budget_held(c, &h);
	if (e != ERR_OK)
		return e;
	buf_printf(b, "# HELP librefang_budget_held_calls Calls for which a budget has put something aside.\n"
	    "# TYPE librefang_budget_held_calls gauge\nlibrefang_budget_held_calls %" PRId64 "\n"
	    "# HELP librefang_budget_held_usd Dollars that are put aside.\n# TYPE librefang_budget_held_usd gauge\n"
	    "librefang_budget_held_usd ", h.calls);
	dollars(b, h.nanousd);
	return ERR_OK;
}
