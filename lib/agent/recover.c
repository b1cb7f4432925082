/*
 * Finding calls in text. Whatever the frame, its inside is read the same way: JSON that names the tool, or a name and
 * then JSON; JSON goes through the same gate as everything from outside.
 */
#include "lib/agent/recover.h"

#include <ctype.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64, PROSE_MAX = 300, TEXT_MAX = 65536 };

struct search {
	struct ctx *c;
	const char *(*known)(void *, const char *);
	void *arg;
	struct recovered *ret;
	size_t n;
};

/* --- the inside of a frame ------------------------------------------------------------ */

static void
trim(const char **s, size_t *n)
{
	while (*n > 0 && isspace((unsigned char)**s)) {
		++*s;
		--*n;
	}
	while (*n > 0 && isspace((unsigned char)(*s)[*n - 1]))
		--*n;
}

static const char *
known_name(struct search *f, const char *s, size_t n)
{
	char *name;

	if (n == 0 || n > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && strchr("_-.", s[i]) == NULL)
			return NULL;
	name = ctx_strndup(f->c, s, n);
	return name != NULL ? f->known(f->arg, name) : NULL;
}

static bool
add(struct search *f, const char *name, struct json_object *input)
{
	if (name == NULL || f->n == RECOVERED_MAX || !json_object_is_type(input, json_type_object))
		return false;
	f->ret[f->n++] = (struct recovered){ name, input };
	return true;
}

/* {"name": "...", "arguments": {...}}; arguments may be text that holds JSON. */
static bool
add_object(struct search *f, struct json_object *o)
{
	static const char *const names[] = { "name", "function", "tool", "tool_name" };
	static const char *const inputs[] = { "arguments", "parameters", "args", "input" };
	struct json_object *inner = js_obj(o, "function"), *input = NULL;
	const char *name = NULL;

	if (inner != NULL)
		return add_object(f, inner);
	for (size_t i = 0; name == NULL && i < ARRAY_LEN(names); i++)
		name = js_str(o, names[i]);
	for (size_t i = 0; input == NULL && i < ARRAY_LEN(inputs); i++)
		input = js_get(o, inputs[i]);
	if (json_object_is_type(input, json_type_string))
		input = json_try(f->c, json_object_get_string(input), (size_t)json_object_get_string_len(input));
	return name != NULL && input != NULL && add(f, known_name(f, name, strlen(name)), input);
}

static bool
add_json(struct search *f, struct json_object *o)
{
	bool all = json_object_is_type(o, json_type_array) && json_object_array_length(o) > 0;

	if (json_object_is_type(o, json_type_object))
		return add_object(f, o);
	for (size_t i = 0; all && i < json_object_array_length(o); i++)
		all = add_object(f, json_object_array_get_idx(o, i));
	return all;
}

/* name {json}, or JSON alone; name: what the frame itself names, or NULL. */
static bool
add_inside(struct search *f, const char *s, size_t n, const char *name, size_t name_n)
{
	size_t k = 0, before = f->n;

	trim(&s, &n);
	if (name != NULL && name_n > 0)
		return add(f, known_name(f, name, name_n), json_try(f->c, n > 0 ? s : "{}", n > 0 ? n : 2));
	if (n > 0 && (s[0] == '{' || s[0] == '[')) {
		if (add_json(f, json_try(f->c, s, n)))
			return true;
		f->n = before;
		return false;
	}
	while (k < n && !isspace((unsigned char)s[k]) && s[k] != '{')
		k++;
	name = s;
	name_n = k;
	s += k;
	n -= k;
	trim(&s, &n);
	return n > 0 && s[0] == '{' && add(f, known_name(f, name, name_n), json_try(f->c, s, n));
}

/* --- frames ------------------------------------------------------------------------------ */

/* <function=name>, <function name="name">: the name in the tag. */
static void
name_in_tag(const char *s, size_t n, const char **name, size_t *name_n)
{
	const char *q;

	*name = NULL;
	*name_n = 0;
	if (n > 0 && s[0] == '=') {
		*name = s + 1;
		*name_n = n - 1;
	} else if ((q = memmem(s, n, "name=\"", 6)) != NULL) {
		*name = q + 6;
		*name_n = strcspn(*name, "\"");
	}
}

/* A tag and its end at s: how long all of it is; 0: none. */
static size_t
add_tag(struct search *f, const char *s)
{
	static const struct { const char *open, *close; } tags[] = {
		{ "<tool_call", "</tool_call>" }, { "<function_call", "</function_call>" }, { "<function", "</function>" },
		{ "<tool", "</tool>" }, { "[TOOL_CALL", "[/TOOL_CALL]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		size_t k = strlen(tags[i].open), name_n;
		const char *end, *close, *name;

		if (strncasecmp(s, tags[i].open, k) != 0 || strchr(" =>]", s[k]) == NULL || s[k] == '\0')
			continue;
		end = strchr(s + k, s[0] == '[' ? ']' : '>');
		close = end != NULL ? strcasestr(end, tags[i].close) : NULL;
		if (close == NULL)
			continue;
		name_in_tag(s + k, (size_t)(end - s) - k, &name, &name_n);
		if (add_inside(f, end + 1, (size_t)(close - end) - 1, name, name_n))
			return (size_t)(close - s) + strlen(tags[i].close);
	}
	return 0;
}

/* Where the last line of a fence or the back-ticks at the end of the text begin; NULL: there are none. */
static const char *
ticks_at_end(const char *s, size_t n, size_t *ret_ticks)
{
	const char *p = s + n;
	size_t ticks = 0;

	while (p > s && p[-1] == '`') {
		p--;
		ticks++;
	}
	*ret_ticks = ticks;
	if (ticks != 1 && ticks != 3)
		return NULL;
	while (p > s) {
		const char *q = memrchr(s, '`', (size_t)(p - s));

		if (q == NULL || (size_t)(q + 1 - s) < ticks)
			return NULL;
		return strncmp(q + 1 - ticks, "```", ticks) == 0 ? q + 1 - ticks : NULL;
	}
	return NULL;
}

/* At the end of the text: a fence, back-ticks, or bare JSON. Returns where it begins; NULL: nothing. */
static const char *
add_end(struct search *f, const char *s, size_t n)
{
	size_t ticks;
	const char *from = ticks_at_end(s, n, &ticks), *inside, *end = s + n;

	if (from != NULL) {
		inside = from + ticks;
		end -= ticks;
		if (ticks == 3 && memchr(inside, '\n', (size_t)(end - inside)) != NULL &&
		    inside[strcspn(inside, "{[ \n")] == '\n')
			inside += strcspn(inside, "\n");        /* the language */
		return add_inside(f, inside, (size_t)(end - inside), NULL, 0) ? from : NULL;
	}
	from = n > 0 && (s[n - 1] == '}' || s[n - 1] == ']') ? strpbrk(s, "{[") : NULL;
	return from != NULL && add_inside(f, from, (size_t)(end - from), NULL, 0) ? from : NULL;
}

/* --- the text ------------------------------------------------------------------------------ */

size_t
recover_calls(struct ctx *c, const char *text, const char *(*known)(void *, const char *), void *arg,
    struct recovered ret[static RECOVERED_MAX], const char **ret_rest)
{
	struct search f = { c, known, arg, ret, 0 };
	SCOPED_BUF rest = BUF_INIT(64 << 20);
	bool fenced = false;
	const char *end;
	size_t n;

	if (strchr(text, '{') == NULL || strlen(text) > TEXT_MAX)
		return 0;
	for (const char *s = text; *s != '\0';) {
		if (strncmp(s, "```", 3) == 0)
			fenced = !fenced;
		n = !fenced && (*s == '<' || *s == '[') ? add_tag(&f, s) : 0;
		if (n == 0)
			buf_ch(&rest, *s++);
		s += n;
	}
	if (rest.failed)
		return 0;
	n = rest.len;
	while (n > 0 && isspace((unsigned char)rest.p[n - 1]))
		n--;
	if (f.n == 0 && n > 0 && (end = add_end(&f, rest.p, n)) != NULL) {
		if (end - rest.p > PROSE_MAX)
			return 0;
		n = (size_t)(end - rest.p);
	}
	*ret_rest = ctx_strndup(c, rest.p != NULL ? rest.p : "", n);
	return *ret_rest != NULL ? f.n : 0;
}
