/*
 * Judging a decoder on what a provider once sent: fed whole, in every split, and cut
 * after every byte. What is cut is an error or the whole answer, never something between.
 */
#ifndef LF_TEST_WIRE_H
#define LF_TEST_WIRE_H
#include <json-c/json.h>

#include "lib/llm/driver.h"
#include "t/tap.h"

static inline void w_text(void *a, const char *p, size_t n) { if (!utf8_ok(p, n)) buf_str(a, "BAD"); buf_add(a, p, n); }
static inline void w_think(void *a, const char *p, size_t n) { if (!utf8_ok(p, n)) buf_str(a, "BAD"); buf_str(a, "("); buf_add(a, p, n); buf_str(a, ")"); }
static inline void w_start(void *a, const char *id, const char *name) { buf_printf(a, "[%s %s", id, name); }
static inline void w_input(void *a, const char *id, const char *p, size_t n) { (void)id; buf_str(a, "|"); buf_add(a, p, n); }
static inline void w_end(void *a, const char *id, const char *name, const char *in) { (void)id; (void)name; buf_printf(a, " => %s]", in); }

static struct llm_request wire_rq = { .provider = "test", .model = "m-1", .api_key = "secret-key-123", .stream = true };
static struct llm_answer wire_answer;
static char wire_seen[16384], wire_all[16384];

/* Feed pieces of step bytes; hole: additionally split there (0: no). */
static inline enum err
wire(const struct driver *drv, const void *bytes, size_t n, size_t step, bool cut)
{
	const char *p = bytes;
	struct buf seen = BUF_INIT(16000);
	struct llm_sink sink = { &seen, w_text, w_think, w_start, w_input, w_end, NULL, 0 };
	struct intake d;
	enum err e;

	if (intake_init(&d, drv, &wire_rq, &sink, &wire_answer) != ERR_OK)
		exit(1);
	for (size_t i = 0; i < n; i += step)
		if (!intake_feed(&d, p + i, n - i < step ? n - i : step))
			break;
	e = intake_end(&d, cut);
	intake_free(&d);
	snprintf(wire_seen, sizeof(wire_seen), "%s", seen.len ? seen.p : "");
	snprintf(wire_all, sizeof(wire_all), "%s", wire_answer.content ? json_object_to_json_string_ext(wire_answer.content,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "");
	buf_done(&seen);
	llm_answer_done(&wire_answer);
	return e;
}

/* Ids that are made anew each time, blotted out. */
static inline void
wire_blot(char *s, const char *prefix)
{
	for (char *p = s; *prefix != '\0' && (p = strstr(p, prefix)) != NULL;)
		for (p += strlen(prefix); *p != '\0' && *p != '"' && *p != ' '; p++)
			*p = 'x';
}

/* prefix: of ids made by us, or "". */
static inline void
wire_judge(const struct driver *drv, const void *bytes, size_t n, const char *content, const char *prefix, const char *name)
{
	char seen[sizeof(wire_seen)];
	size_t bad = 0, lies = 0;
	enum err e = wire(drv, bytes, n, n, false);

	is_int(e, ERR_OK, "%s: read", name);
	if (e != ERR_OK)
		fprintf(stderr, "# %s\n", wire_answer.why);
	wire_blot(wire_all, prefix);
	is_str(wire_all, content, "%s: into its blocks", name);
	snprintf(seen, sizeof(seen), "%s", wire_seen);
	wire_blot(seen, prefix);
	for (size_t step = 1; step < n; step++) {
		e = wire(drv, bytes, n, step, false);
		wire_blot(wire_all, prefix);
		wire_blot(wire_seen, prefix);
		bad += e != ERR_OK || strcmp(wire_all, content) != 0 || strcmp(wire_seen, seen) != 0;
	}
	is_int(bad, 0, "%s: however the network splits it", name);
	for (size_t at = 0; at < n; at++)
		for (int cut = 0; cut < 2; cut++) {
			e = wire(drv, bytes, at, at > 0 ? at : 1, cut);
			wire_blot(wire_all, prefix);
			lies += e == ERR_OK ? strcmp(wire_all, content) != 0
			    : e != ERR_UPSTREAM || wire_answer.error == LLM_OK || wire_answer.why[0] == '\0' || wire_all[0] != '\0';
		}
	is_int(lies, 0, "%s: cut anywhere it is no answer", name);
}
#define JUDGE(drv, bytes, content, name) wire_judge(drv, bytes, sizeof(bytes) - 1, content, "", name)

/* An answer that fails, as it must. */
static inline void
wire_fails(const struct driver *drv, const char *bytes, enum llm_error error, int status, const char *name)
{
	enum err e = wire(drv, bytes, strlen(bytes), strlen(bytes) ? strlen(bytes) : 1, false);

	ok(e == ERR_UPSTREAM && wire_answer.error == error && wire_answer.http_status == status, "%s (%s, %d)", name,
	    llm_error_code(wire_answer.error), wire_answer.http_status);
}
#endif
