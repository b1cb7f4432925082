/*
 * Fuzz: what a turn has told, and who reads on. The bytes are a story: events of three kinds, readers that come and go with the last
 * id that they saw, the turn's end. Each reader hears everything once, in order.
 * sources: lib/base/*.c daemon/journal.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

static const char session[] = "aaaaaaaa-1111-4111-8111-111111111111";

struct reader { struct ctx *c; struct buf heard; char last[EVENT_ID_MAX]; unsigned most; bool end; };

int64_t
turns_epoch(void)
{
	return 7;
}

static bool
hear(void *arg, const char *id, const char *name, const struct buf *data)
{
	struct reader *r = arg;
	struct json_object *o = NULL;

	if (r->most-- == 0)
		return false;           /* gone: it has not seen this one */
	MUST(id != NULL && json_read(r->c, data->p, data->len, &o) == ERR_OK && strlen(id) < EVENT_ID_MAX);
	if (strcmp(name, "chunk") == 0)
		buf_str(&r->heard, js_str_or(o, "content", "?"));
	else
		buf_printf(&r->heard, "<%s>", name);
	r->end |= strcmp(name, "end") == 0;
	snprintf(r->last, sizeof(r->last), "%s", id);
	return true;
}

static void
read_on(struct reader *r, unsigned most)
{
	struct read_on at;

	r->most = most;
	journal_read(session, r->last, &at, hear, r);
}

static void
tell(struct journal *j, struct buf *said, enum turn_event_kind kind, const char *name, const char *s, size_t n)
{
	struct turn_event ev = { .kind = kind, .s = s, .n = n };
	struct buf data = { .p = (char[]){ "{\"x\":1}" }, .len = 7 };

	(void)journal_add(j, &ev, name, &data);
	if (kind == TURN_TEXT)
		buf_add(said, s, n);
	else
		buf_printf(said, "<%s>", name);
}

static void
story(struct ctx *c, const char *p, size_t n)
{
	SCOPED_BUF said = BUF_INIT(1 << 20);
	struct reader r[2] = { { .c = c, .heard = BUF_INIT(1 << 20), .last = "0" }, { .c = c, .heard = BUF_INIT(1 << 20), .last = "0" } };
	struct buf end = { .p = (char[]){ "{\"end\":1}" }, .len = 9 };
	struct journal *j;
	char turn[37];

	uuid7(turn);
	MUST((j = journal_open(turn, session)) != NULL);
	for (size_t i = 0, k; i < n; i += k) {
		k = 1;
		switch (p[i] & 7) {
		case 0: case 1: case 2:
			k = utf8_cut(p + i, n - i, 1 + (size_t)((unsigned char)p[i] >> 3));
			k = k == 0 ? 1 : k;
			if (utf8_ok(p + i, k) && memchr(p + i, '\0', k) == NULL)
				tell(j, &said, TURN_TEXT, "chunk", p + i, k);
			break;
		case 3:
			tell(j, &said, TURN_PHASE, "phase", "", 0);
			break;
		default:
			read_on(&r[p[i] & 1], (unsigned char)p[i] >> 3);
		}
	}
	for (int i = 0; i < 2; i++)     /* "0" is the turn that runs */
		if (strcmp(r[i].last, "0") == 0)
			read_on(&r[i], 1);
	journal_end(j, "end", &end);
	buf_str(&said, "<end>");
	for (int i = 0; i < 2; i++) {
		if (!r[i].end)
			read_on(&r[i], 0x10000);
		MUST(strcmp(r[i].last, "0") == 0 || r[i].end);
		MUST(!r[i].end || (r[i].heard.len == said.len && memcmp(r[i].heard.p, said.p, said.len) == 0));
		buf_done(&r[i].heard);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *text = ctx_strndup(&c, (const char *)data, n), turn[37], again[EVENT_ID_MAX];
	uint64_t place;

	if (event_id_read(text, turn, &place) && turn[0] != '\0' && text[37] != '0') {
		event_id(turn, place, again);
		MUST(strcmp(again, text) == 0 || place == UINT64_MAX);
	}
	story(&c, text, n);
	arena_free(c.arena);
	return 0;
}
