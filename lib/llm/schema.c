/*
 * JSON schemas of tools, written in the small dialect that every provider takes:
 * references resolved, annotations dropped, unions with null turned into "nullable".
 *
 * Schemas come from others too (MCP servers, requests), so both the depth and the
 * number of schemas written are bounded: references may go round in circles.
 */
#include <string.h>

#include "lib/base/json.h"
#include "lib/llm/blocks.h"

enum { DEPTH_MAX = 10, BUDGET = 4000 };

struct schema {
	struct jw *w;
	struct json_object *root;
	unsigned left;                  /* schemas that may still be written */
};

static const char *const dropped[] = {
	"$schema", "$defs", "definitions", "$ref", "$id", "$comment", "additionalProperties", "default", "examples",
	"title", "const", "format", "anyOf", "oneOf", "type", "nullable",
};

static void write_schema(struct schema *, const char *key, struct json_object *, unsigned depth);

static bool
is_dropped(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
		if (strcmp(key, dropped[i]) == 0)
			return true;
	return false;
}

static struct json_object *
referred(const struct schema *s, const char *ref)
{
	if (strncmp(ref, "#/$defs/", 8) == 0)
		return js_get(js_get(s->root, "$defs"), ref + 8);
	if (strncmp(ref, "#/definitions/", 14) == 0)
		return js_get(js_get(s->root, "definitions"), ref + 14);
	return NULL;
}

static bool
is_null_type(struct json_object *o)
{
	const char *t = js_str(o, "type");

	return t != NULL && strcmp(t, "null") == 0;
}

/* Of a union that only adds null: the other side; NULL if it is a real union. */
static struct json_object *
only_side(struct json_object *any)
{
	struct json_object *side = NULL;

	for (size_t i = 0, n = json_object_array_length(any); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(any, i);

		if (is_null_type(o))
			continue;
		if (side != NULL)
			return NULL;
		side = o;
	}
	return side;
}

/* Follow references and null unions to the schema that counts. */
static struct json_object *
settled(const struct schema *s, struct json_object *o, bool *nullable)
{
	for (unsigned hops = 0; hops < 16; hops++) {
		const char *ref = js_str(o, "$ref");
		struct json_object *any = js_arr(o, "anyOf"), *next;

		if (any == NULL)
			any = js_arr(o, "oneOf");
		if (ref != NULL) {
			next = referred(s, ref);
		} else if (any != NULL && js_get(o, "type") == NULL && js_get(o, "properties") == NULL) {
			next = only_side(any);
			*nullable |= next != NULL && json_object_array_length(any) > 1;
		} else {
			return o;
		}
		if (next == NULL || next == o)
			return o;
		o = next;
	}
	return o;
}

static void
write_type(struct schema *s, struct json_object *o, bool nullable)
{
	struct json_object *t = js_get(o, "type");
	const char *first = NULL;

	if (json_object_is_type(t, json_type_string)) {
		first = json_object_get_string(t);
	} else if (json_object_is_type(t, json_type_array)) {
		for (size_t i = 0, n = json_object_array_length(t); i < n; i++) {
			struct json_object *one = json_object_array_get_idx(t, i);

			if (!json_object_is_type(one, json_type_string))
				continue;
			if (strcmp(json_object_get_string(one), "null") == 0)
				nullable = true;
			else if (first == NULL)
				first = json_object_get_string(one);
		}
	}
	if (first != NULL)
		jw_str(s->w, "type", first);
	if (nullable || js_bool(o, "nullable", false))
		jw_bool(s->w, "nullable", true);
}

static void
write_properties(struct schema *s, struct json_object *props, unsigned depth)
{
	jw_object(s->w, "properties");
	json_object_object_foreach(props, name, p)
		write_schema(s, name, p, depth);
	jw_end(s->w);
}

static void
write_schema(struct schema *s, const char *key, struct json_object *o, unsigned depth)
{
	bool nullable = false;
	const char *about = js_str(o, "description");

	jw_object(s->w, key);
	if (depth >= DEPTH_MAX || s->left == 0 || !json_object_is_type(o, json_type_object)) {
		jw_str(s->w, "type", "object");
		jw_object(s->w, "properties");
		jw_end(s->w);
		jw_end(s->w);
		return;
	}
	s->left--;
	o = settled(s, o, &nullable);
	if (depth == 0 && js_get(o, "type") == NULL)
		jw_str(s->w, "type", "object");
	write_type(s, o, nullable);
	if (about != NULL && js_str(o, "description") == NULL)
		jw_str(s->w, "description", about);
	json_object_object_foreach(o, k, v) {
		if (strcmp(k, "properties") == 0 && json_object_is_type(v, json_type_object))
			write_properties(s, v, depth + 1);
		else if (strcmp(k, "items") == 0 && json_object_is_type(v, json_type_object))
			write_schema(s, k, v, depth + 1);
		else if (!is_dropped(k) && strcmp(k, "properties") != 0 && strcmp(k, "items") != 0)
			jw_json(s->w, k, v);
	}
	if (depth == 0 && js_obj(o, "properties") == NULL) {    /* some insist on it */
		jw_object(s->w, "properties");
		jw_end(s->w);
	}
	jw_end(s->w);
}

void
write_schema_plain(struct jw *w, const char *key, struct json_object *schema)
{
	struct schema s = { .w = w, .root = schema, .left = BUDGET };

	write_schema(&s, key, schema, 0);
}

void
write_schema_whole(struct jw *w, const char *key, struct json_object *schema)
{
	if (js_str(schema, "type") != NULL) {
		jw_json(w, key, schema);
		return;
	}
	jw_object(w, key);
	jw_str(w, "type", "object");
	if (js_obj(schema, "properties") == NULL) {
		jw_object(w, "properties");
		jw_end(w);
	}
	if (json_object_is_type(schema, json_type_object)) {
		json_object_object_foreach(schema, k, v)
			if (strcmp(k, "type") != 0 && (strcmp(k, "properties") != 0 || json_object_is_type(v, json_type_object)))
				jw_json(w, k, v);
	}
	jw_end(w);
}
