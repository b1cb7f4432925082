/*
 * Fuzz: what was used, as CSV. Lines: an agent's name, provider, model, user, channel. Read back by the rules of RFC 4180 each cell
 * is what it was, and none begins as a spreadsheet's formula.
 * sources: lib/base/*.c db/*.c lib/svc/[abd-u]*.c lib/svc/caller.c lib/svc/catalog*.c lib/svc/config.c lib/svc/config_budget.c lib/svc/conversation.c lib/svc/vectors.c
 * libs: sqlite3
 * link: -liniparser
 */
#include <stdlib.h>
#include <string.h>

#include "t/fuzz/place.h"
#include "t/svc/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { CELLS = 16, TEXTS = 5 };

static struct ctx ctx;
static struct config cfg = { .generation = 1 };

static void
run(const char *sql, const char *const *texts, size_t n)
{
	struct stmt *st = db_prepare(ctx.db, sql);

	for (size_t i = 0; i < n; i++)
		bind_text(st, texts[i]);
	MUST(db_exec(st) == ERR_OK);
	db_stmt_done(&st);
}

static void
begin(void)
{
	char why[200];

	place_begin();
	ctx = (struct ctx){ .arena = arena_new(65536), .cfg = &cfg, .who = &root, .now_ms = 1700000000000 };
	MUST(db_open(&ctx.db, place_of("x.db"), true) == ERR_OK && db_migrate(ctx.db, why, sizeof(why)) == ERR_OK);
	run(SQL("INSERT INTO agent (id, name, state, manifest_toml, manifest, session_id, created_ms, last_active_ms)"
	    " VALUES ('a', 'ada', 'Running', '', '{}', 'x', 0, 0)"), NULL, 0);
}

/* One record from *p on; false: it is none. */
static bool
record(struct ctx *c, const char **p, const char *cells[CELLS])
{
	for (int i = 0; i < CELLS; i++) {
		SCOPED_BUF b = BUF_INIT(1 << 20);

		if (**p == '"') {
			for (++*p; **p != '"' || (*p)[1] == '"'; ++*p) {
				*p += **p == '"';
				if (**p == '\0')
					return false;
				buf_ch(&b, **p);
			}
			++*p;
		} else {
			size_t n = strcspn(*p, ",\"\r\n");

			buf_add(&b, *p, n);
			*p += n;
		}
		cells[i] = ctx_strndup(c, b.len > 0 ? b.p : "", b.len);
		if (i < CELLS - 1 ? **p != ',' : strncmp(*p, "\r\n", 2) != 0)
			return false;
		*p += i < CELLS - 1 ? 1 : 2;
	}
	return true;
}

static void
same(const char *cell, const char *text)
{
	MUST(cell[0] == '\0' || strchr("=+-@\t\r", cell[0]) == NULL);
	MUST(strcmp(cell + (text[0] != '\0' && cell[0] == '\'' && text[0] != '\''), text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const int at[TEXTS] = { 2, 4, 5, 11, 12 };
	SCOPED_BUF out = BUF_INIT(1 << 20);
	const char *texts[TEXTS], *cells[CELLS], *p;
	struct usage_at from = { 0 };
	char *s, *next;
	bool more = true;

	if (place[0] == '\0')
		begin();
	if (!utf8_ok((const char *)data, n) || (n > 0 && memchr(data, '\0', n) != NULL))
		return 0;
	arena_reset(ctx.arena);
	s = ctx_strndup(&ctx, (const char *)data, n);
	for (int i = 0; i < TEXTS; i++, s = next) {
		next = s + strcspn(s, "\n");
		if (*next != '\0')
			*next++ = '\0';
		texts[i] = s;
		for (char *q = s; *q != '\0'; q++)
			*q = *q == '\x1f' ? '\n' : *q;          /* a line's end within a cell */
	}
	run(SQL("UPDATE agent SET name = ?"), texts, 1);
	run(SQL("DELETE FROM usage_event"), NULL, 0);
	run(SQL("INSERT INTO usage_event (id, ts_ms, agent_id, provider, model, user_id, channel,"
	    " input_tokens, output_tokens, cost_nanousd, tool_calls, llm_calls, latency_ms) VALUES ('u', 5, 'a', ?, ?, ?, ?, 1, 2, 3, 0, 1, 0)"), texts + 1, 4);
	usage_csv_head(&out);
	MUST(usage_csv_piece(&ctx, &from, &more, &out) == ERR_OK && !more && !out.failed);
	p = out.p;
	MUST(record(&ctx, &p, cells) && strcmp(cells[0], "timestamp") == 0 && record(&ctx, &p, cells) && *p == '\0');
	for (int i = 0; i < TEXTS; i++)
		same(cells[at[i]], texts[i]);
	MUST(strcmp(cells[0], "1970-01-01T00:00:00.005Z") == 0 && strcmp(cells[15], "false") == 0);
	return 0;
}
