/*
 * An answer on its way in: bytes to frames, frames (by the driver) to parts, parts to
 * content blocks.
 *
 * A provider may ignore what it was asked for and send a whole answer instead of a
 * stream, so the first byte decides. Frames that make no sense are skipped; an answer is
 * accepted only once the provider has said that it is finished.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"

enum { LAST_WORDS_MAX = 2000 };

bool
intake_fail(struct intake *d, enum llm_error e, int status, const char *why)
{
	llm_blame(d->ans, d->rq, e, status, why);
	d->failed = true;
	return false;
}

bool
intake_error(struct intake *d, int status, struct json_object *error)
{
	llm_blame_json(d->ans, d->rq, status, error);
	d->failed = true;
	return false;
}

bool
is_error_value(struct json_object *e)
{
	switch (json_object_get_type(e)) {
	case json_type_object: return json_object_object_length(e) > 0;
	case json_type_array: return json_object_array_length(e) > 0;
	case json_type_string: return json_object_get_string_len(e) > 0;
	case json_type_int: return json_object_get_int64(e) != 0;
	default: return false;
	}
}

int64_t
intake_count(struct json_object *o, const char *key, int64_t dflt)
{
	double n = js_f64(o, key, -1);          /* some write 12.0 */

	return n >= 0 && n <= LLM_TOKENS_MAX ? (int64_t)n : dflt;
}

void
intake_finish(struct intake *d, const char *reason)
{
	if (reason != NULL && reason[0] != '\0')
		snprintf(d->finish, sizeof(d->finish), "%s", reason);
}

/* --- frames -------------------------------------------------------------- */

static struct json_object *
parse(struct intake *d, const char *p, size_t n, size_t *used)
{
	struct json_object *o;

	*used = 0;
	if (json_build(p, n, &o, used))
		return o;
	if (n > INT32_MAX || memory_short)
		return NULL;
	json_tokener_reset(d->tok);     /* it reads what is nearly JSON, too */
	o = json_tokener_parse_ex(d->tok, p, (int)n);
	if (json_tokener_get_error(d->tok) != json_tokener_success) {
		json_object_put(o);
		return NULL;
	}
	*used = json_tokener_get_parse_end(d->tok);
	if (json_whole(o, p, *used))
		return o;
	json_object_put(o);
	return NULL;
}

static bool
is_done(const char *p, size_t n)
{
	while (n > 0 && isspace((unsigned char)p[n - 1]))
		n--;
	return n == 6 && memcmp(p, "[DONE]", 6) == 0;
}

static bool
take_frame(struct intake *d, const char *event, struct json_object *o)
{
	if (d->driver->framing == FRAMES_LINES && json_object_is_type(o, json_type_array)) {
		for (size_t i = 0, n = json_object_array_length(o); i < n && !d->done; i++)
			if (!take_frame(d, event, json_object_array_get_idx(o, i)))
				return false;
		return true;
	}
	return !json_object_is_type(o, json_type_object) || (d->driver->frame(d, event, o, false) && !d->failed);
}

/* Usually one object; servers that forget the blank line between events send several, on lines of their own. */
static bool
on_event(void *arg, const char *event, const char *p, size_t n)
{
	struct intake *d = arg;
	bool go_on = true;

	while (go_on && n > 0 && !d->done) {
		struct json_object *o;
		size_t used, blank;

		if (is_done(p, n)) {
			d->done = true;
			return true;
		}
		o = parse(d, p, n, &used);
		go_on = take_frame(d, event, o);
		json_object_put(o);
		if (used == 0) {        /* not JSON: go on behind the line */
			const char *lf = memchr(p, '\n', n);

			used = lf != NULL ? (size_t)(lf - p) : n;
		}
		p += used;
		n -= used;
		for (blank = 0; blank < n && isspace((unsigned char)p[blank]); blank++)
			;
		p += blank;
		n -= blank;
	}
	return go_on;
}

static bool
on_message(void *arg, const struct aws_message *m)
{
	struct intake *d = arg;
	char event[128];
	bool exception = strcmp(m->kind, "event") != 0, go_on;
	struct json_object *o;
	size_t used;

	if (d->done)
		return true;
	snprintf(event, sizeof(event), "%s%s", exception ? "!" : "", m->type);
	o = m->n > 0 ? parse(d, m->payload, m->n, &used) : NULL;
	go_on = exception && o == NULL ? intake_fail(d, LLM_UPSTREAM, 500, m->type) : take_frame(d, event, o);
	json_object_put(o);
	return go_on;
}

static bool
take_line(struct intake *d, const char *p, size_t n)
{
	return n == 0 || on_event(d, "", p, n);
}

/* Lines: an unfinished one waits in whole. */
static bool
feed_lines(struct intake *d, const char *p, size_t n)
{
	const char *lf;
	bool go_on = true;

	while (go_on && !d->done && (lf = memchr(p, '\n', n)) != NULL) {
		size_t len = (size_t)(lf - p);

		if (d->whole.len > 0) {
			buf_add(&d->whole, p, len);
			go_on = !d->whole.failed && take_line(d, d->whole.p, d->whole.len);
			d->whole.len = 0;
		} else {
			go_on = take_line(d, p, len);
		}
		p = lf + 1;
		n -= len + 1;
	}
	if (go_on && !d->done)
		buf_add(&d->whole, p, n);
	return go_on && !d->whole.failed;
}

/* --- the whole ----------------------------------------------------------- */

enum err
intake_init(struct intake *d, const struct driver *drv, const struct llm_request *rq, const struct llm_sink *sink,
    struct llm_answer *ans)
{
	*ans = (struct llm_answer){ .retry_after_s = -1 };
	*d = (struct intake){ .driver = drv, .rq = rq, .sink = sink, .ans = ans, .whole = BUF_INIT(LLM_FRAME_MAX) };
	sse_init(&d->sse, LLM_FRAME_MAX, on_event, d);
	aws_stream_init(&d->aws, LLM_FRAME_MAX, on_message, d);
	d->tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (d->tok == NULL)
		return ERR_NOMEM;
	if (drv->begin != NULL)
		drv->begin(d);
	return ERR_OK;
}

void
intake_free(struct intake *d)
{
	for (unsigned i = 0; i < d->n_parts; i++) {
		free(d->parts[i].id);
		free(d->parts[i].name);
		text_done(&d->parts[i].text);
		json_object_put(d->parts[i].input);
		json_object_put(d->parts[i].meta);
	}
	free(d->parts);
	if (d->tok != NULL)
		json_tokener_free(d->tok);
	sse_done(&d->sse);
	aws_stream_done(&d->aws);
	buf_done(&d->whole);
}

static void
find_shape(struct intake *d, const char **p, size_t *n)
{
	while (d->shape == SHAPE_UNKNOWN && *n > 0) {
		bool document = **p == '{' || **p == '[' || **p == '<';

		if (d->driver->framing == FRAMES_LINES)
			document = **p == '<' || **p == '[' || !d->rq->stream;
		if (!isspace((unsigned char)**p) || d->driver->framing == FRAMES_AWS)
			d->shape = document ? SHAPE_WHOLE : SHAPE_FRAMES;
		else {
			++*p;
			--*n;
		}
	}
}

bool
intake_feed(struct intake *d, const char *p, size_t n)
{
	bool good = true;

	if (d->failed)
		return false;
	find_shape(d, &p, &n);
	if (n == 0 || d->done)
		return true;
	if (d->shape == SHAPE_WHOLE) {
		buf_add(&d->whole, p, n);
		good = !d->whole.failed;
	} else if (d->driver->framing == FRAMES_LINES) {
		good = feed_lines(d, p, n);
	} else if (d->driver->framing == FRAMES_AWS) {
		good = aws_stream_feed(&d->aws, p, n);
	} else {
		good = sse_feed(&d->sse, p, n);
	}
	if (d->done && !d->failed)
		return true;                    /* it is whole; what comes behind it counts for nothing */
	if (good || d->failed)
		return good;
	if (d->aws.broken)
		return intake_fail(d, LLM_BROKEN_STREAM, 0, "a checksum does not match");
	return intake_fail(d, LLM_UPSTREAM, 0, "the answer is too long");
}

static bool
read_whole(struct intake *d)
{
	struct json_object *o;
	size_t used;
	bool good;

	if (d->driver->framing == FRAMES_LINES) {       /* one value, or several although none was wanted by itself */
		(void)on_event(d, "", d->whole.p, d->whole.len);
		return d->usable;
	}
	o = parse(d, d->whole.p, d->whole.len, &used);
	good = o != NULL;
	if (good && d->driver->frame(d, "", o, true) && !d->failed)
		d->done = d->usable;
	json_object_put(o);
	return good;
}

static struct json_object *
text_block(const char *type, const struct part *p)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string(type));
	json_object_object_add(o, type, json_object_new_string_len(p->text.all.len > 0 ? p->text.all.p : "", (int)p->text.all.len));
	return o;
}

static struct json_object *
call_block(const struct part *p)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("tool_use"));
	json_object_object_add(o, "id", json_object_new_string(p->id));
	json_object_object_add(o, "name", json_object_new_string(p->name));
	json_object_object_add(o, "input", json_object_get(p->input));
	return o;
}

static void
add_block(struct json_object *content, const struct part *p)
{
	struct json_object *o;

	if (p->kind == PART_CALL ? !p->started : p->text.all.len == 0 && p->meta == NULL)
		return;
	o = p->kind == PART_CALL ? call_block(p) : text_block(p->kind == PART_TEXT ? "text" : "thinking", p);
	if (p->meta != NULL)
		json_object_object_add(o, "provider_metadata", json_object_get(p->meta));
	json_object_array_add(content, o);
}

/* An answer of nothing but thinking: its last paragraph is what it has to say. */
static void
speak_up(struct intake *d)
{
	const struct part *thought = NULL;
	const char *p, *from;
	size_t n;
	struct part *text;

	for (unsigned i = 0; i < d->n_parts; i++)
		if (d->parts[i].kind == PART_THINKING && d->parts[i].text.all.len > 0)
			thought = &d->parts[i];
	if (thought == NULL)
		return;
	p = thought->text.all.p;
	n = thought->text.all.len;
	text = intake_newest(d, PART_TEXT);     /* moves the parts, not their texts */
	if (text == NULL)
		return;
	while (n > 0 && isspace((unsigned char)p[n - 1]))
		n--;
	for (from = p + n; from > p; from--)
		if (from - p >= 2 && from[-1] == '\n' && from[-2] == '\n')
			break;
	n -= (size_t)(from - p);
	text_add(&text->text, from, utf8_cut(from, n, LAST_WORDS_MAX));
}

static enum llm_stop
stop_of(const struct intake *d, unsigned calls)
{
	for (const struct stop_word *w = d->driver->stops; w != NULL && w->word != NULL; w++)
		if (strcmp(w->word, d->finish) == 0)
			return w->stop;
	return calls > 0 ? LLM_TOOL_USE : LLM_END_TURN;
}

static void
finish(struct intake *d)
{
	unsigned calls = 0;
	bool text = false;

	for (unsigned i = 0; i < d->n_parts; i++) {
		const struct part *p = &d->parts[i];

		calls += p->kind == PART_CALL && p->started;
		text |= p->kind == PART_TEXT && p->text.all.len > 0;
	}
	d->ans->stop = stop_of(d, calls);
	if (!text && calls == 0 && d->ans->stop == LLM_END_TURN)
		speak_up(d);
	d->ans->content = json_object_new_array();
	for (unsigned i = 0; i < d->n_parts; i++) {
		intake_call_end(d, &d->parts[i]);
		add_block(d->ans->content, &d->parts[i]);
	}
}

/* Tags and characters that never got whole. */
static void
end_texts(struct intake *d)
{
	struct part *text = NULL, *thinking = NULL;

	for (unsigned i = 0; i < d->n_parts; i++) {
		if (d->parts[i].kind == PART_TEXT)
			text = &d->parts[i];
		else if (d->parts[i].kind == PART_THINKING)
			thinking = &d->parts[i];
		else
			continue;
		if (d->think.held == 0)
			text_end(&d->parts[i].text);
	}
	if (d->think.held > 0 && text != NULL && thinking != NULL)
		think_end(&d->think, &text->text, &thinking->text);
}

enum err
intake_end(struct intake *d, bool cut)
{
	if (!d->failed && d->shape == SHAPE_FRAMES && !cut && !d->done) {
		if (d->driver->framing == FRAMES_SSE)
			(void)sse_end(&d->sse);         /* failed says how it went */
		else if (d->driver->framing == FRAMES_LINES && d->whole.len > 0)
			(void)take_line(d, d->whole.p, d->whole.len);
	}
	if (!d->failed && d->shape == SHAPE_WHOLE && !read_whole(d) && !d->failed)
		(void)intake_fail(d, LLM_BROKEN_STREAM, 0, cut ? NULL : "what it sent is no JSON");
	if (d->failed)
		return ERR_UPSTREAM;
	end_texts(d);
	if (!d->done && d->finish[0] == '\0')
		(void)intake_fail(d, LLM_BROKEN_STREAM, 0, !cut && !d->usable ? "it sent nothing that can be read" : NULL);
	else if (!d->usable)
		(void)intake_fail(d, LLM_BROKEN_STREAM, 0, "it sent nothing that can be read");
	if (d->failed)
		return ERR_UPSTREAM;
	finish(d);
	return ERR_OK;
}
