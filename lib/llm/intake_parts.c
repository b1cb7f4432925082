/*
 * An answer while it grows: its blocks, in the order in which they began, and what is told of them at once.
 */
#include "lib/llm/driver.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/util.h"
#include "lib/llm/errors.h"

enum { PARTS_MAX = 4096 };

static void
put_text(void *arg, const char *p, size_t n)
{
	struct intake *d = arg;

	d->ans->any_output = true;
	if (d->sink != NULL && d->sink->text != NULL)
		d->sink->text(d->sink->arg, p, n);
}

static void
put_thinking(void *arg, const char *p, size_t n)
{
	struct intake *d = arg;

	d->ans->any_output = true;
	if (d->sink != NULL && d->sink->thinking != NULL)
		d->sink->thinking(d->sink->arg, p, n);
}

static struct part *
new_part(struct intake *d, enum part_kind kind, int64_t index)
{
	struct part *p;

	if (d->n_parts == PARTS_MAX || (kind == PART_CALL && d->n_calls == LLM_CALLS_MAX))
		return NULL;
	if (d->n_parts == d->room) {
		unsigned room = d->room == 0 ? 4 : d->room * 2;

		p = realloc(d->parts, room * sizeof(*p));
		if (p == NULL)
			return NULL;
		d->parts = p;
		d->room = room;
	}
	d->n_calls += kind == PART_CALL;
	p = &d->parts[d->n_parts++];
	*p = (struct part){ .kind = kind, .index = index };
	text_init(&p->text, LLM_TEXT_MAX, kind == PART_TEXT ? put_text : kind == PART_THINKING ? put_thinking : NULL, d);
	return p;
}

struct part *
intake_part(struct intake *d, enum part_kind kind, int64_t index)
{
	for (unsigned i = d->n_parts; i-- > 0;)
		if (d->parts[i].index == index && d->parts[i].kind == kind)
			return &d->parts[i];
	return new_part(d, kind, index);
}

struct part *
intake_find(struct intake *d, int64_t index)
{
	for (unsigned i = d->n_parts; i-- > 0;)
		if (d->parts[i].index == index)
			return &d->parts[i];
	return NULL;
}

struct part *
intake_newest(struct intake *d, enum part_kind kind)
{
	struct part *p = d->n_parts > 0 ? &d->parts[d->n_parts - 1] : NULL;

	if (p != NULL && p->kind == kind && p->meta == NULL)
		return p;
	return new_part(d, kind, -1);
}

static void
check_length(struct intake *d, const struct part *p)
{
	if (p->text.all.failed && p->kind != PART_CALL && !d->failed)
		(void)intake_fail(d, LLM_UPSTREAM, 0, "the answer is too long");
}

void
intake_say(struct intake *d, struct part *p, struct json_object *v)
{
	if (p == NULL || !json_object_is_type(v, json_type_string))
		return;
	text_add(&p->text, json_object_get_string(v), (size_t)json_object_get_string_len(v));
	check_length(d, p);
}

/* Ids and names are short and printable, or they are none. */
static char *
word_of(struct json_object *v)
{
	const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
	size_t n = strlen(s);

	if (n == 0 || n > 256 || !utf8_ok(s, n))
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)s[i]))
			return NULL;
	return strdup(s);
}

void
intake_meta(struct part *p, const char *key, struct json_object *value)
{
	if (p == NULL || !json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
		return;
	if (p->meta == NULL)
		p->meta = json_object_new_object();
	json_object_object_add(p->meta, key, json_object_get(value));
}

void
intake_own_id(struct part *p, const char *prefix, bool dashes)
{
	char id[37];
	size_t n = 0;

	if (p == NULL || p->id != NULL)
		return;
	uuid4(id);
	for (size_t i = 0; id[i] != '\0'; i++)
		if (dashes || id[i] != '-')
			id[n++] = id[i];
	id[n] = '\0';
	p->id = malloc(strlen(prefix) + sizeof(id));
	if (p->id != NULL)
		snprintf(p->id, strlen(prefix) + sizeof(id), "%s%s", prefix, id);
}

void
intake_call(struct intake *d, struct part *p, struct json_object *id, struct json_object *name)
{
	const struct llm_sink *s = d->sink;

	if (p == NULL || p->started)
		return;
	if (p->id == NULL)
		p->id = word_of(id);
	if (p->name == NULL)
		p->name = word_of(name);
	if (p->id == NULL || p->name == NULL)
		return;
	p->started = true;
	d->ans->any_output = true;
	if (s != NULL && s->tool_start != NULL)
		s->tool_start(s->arg, p->id, p->name);
	if (s != NULL && s->tool_input != NULL && p->text.all.len > 0)
		s->tool_input(s->arg, p->id, p->text.all.p, p->text.all.len);
}

void
intake_args(struct intake *d, struct part *p, struct json_object *args)
{
	const struct llm_sink *s = d->sink;
	size_t before;

	if (p == NULL || p->input != NULL)
		return;
	before = p->text.all.len;
	if (json_object_is_type(args, json_type_string)) {
		text_add(&p->text, json_object_get_string(args), (size_t)json_object_get_string_len(args));
	} else if (json_object_is_type(args, json_type_object)) {
		const char *t = json_object_to_json_string_ext(args, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

		text_add(&p->text, t, strlen(t));
	}
	if (p->started && s != NULL && s->tool_input != NULL && p->text.all.len > before)
		s->tool_input(s->arg, p->id, p->text.all.p + before, p->text.all.len - before);
}

void
intake_call_end(struct intake *d, struct part *p)
{
	if (p == NULL || p->kind != PART_CALL || !p->started || p->input != NULL)
		return;
	text_end(&p->text);
	p->input = p->text.all.failed ? tool_args("{", 1) : tool_args(p->text.all.len ? p->text.all.p : "", p->text.all.len);
	if (d->sink != NULL && d->sink->tool_end != NULL)
		d->sink->tool_end(d->sink->arg, p->id, p->name,
		    json_object_to_json_string_ext(p->input, JSON_C_TO_STRING_PLAIN));
}
