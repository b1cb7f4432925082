/*
 * From a raw request target to a row of the table.
 *
 * A trie over literal segments, built once. Literal segments are compared as raw bytes and
 * only arguments are percent-decoded, so that every program that looks at
 * the same bytes comes to the same row. Dot segments, bad escapes and
 * text that is not UTF-8 are refused before a row is looked for.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/util.h"

const char *const verb_names[VERB_COUNT] = { "GET", "POST", "PUT", "PATCH", "DELETE" };
const char *const role_names[] = { "public", "viewer", "user", "admin", "owner" };

struct node {
	const char *seg;                /* literal; NULL: an argument */
	size_t n;
	bool rest;                      /* an argument that takes the rest */
	struct node *next, *kids;
	const struct route *rows[VERB_COUNT];
};

static struct node root;

/* Paths under /api/v1, made from those of the rows; they live as long as the process. */
struct alias {
	struct alias *next;
	char path[];
};

static struct alias *aliases;

static struct node *
kid(struct node *at, const char *seg, size_t n)
{
	bool arg = seg[0] == '{';
	struct node *k, **end = &at->kids;

	for (k = at->kids; k != NULL; end = &k->next, k = k->next)
		if (arg ? k->seg == NULL : k->seg != NULL && k->n == n && memcmp(k->seg, seg, n) == 0)
			return k;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return NULL;
	k->seg = arg ? NULL : seg;
	k->n = n;
	k->rest = arg && n > 2 && seg[n - 2] == '*';
	if (arg) {
		*end = k;               /* arguments last: literals win */
	} else {
		k->next = at->kids;
		at->kids = k;
	}
	return k;
}

static bool
add(const struct route *r, const char *path)
{
	struct node *at = &root;

	for (const char *p = path; *p == '/' && at != NULL;) {
		size_t n = strcspn(++p, "/");

		at = kid(at, p, n);
		p += n;
	}
	if (at != NULL)
		at->rows[r->verb] = r;
	return at != NULL;
}

bool
routes_init(void)
{
	static bool done;

	if (done)
		return true;
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *r = &routes[i];
		struct alias *alias;

		if (!add(r, r->path))
			return false;
		if ((r->flags & RT_NO_ALIAS) != 0 || strncmp(r->path, "/api/", 5) != 0)
			continue;
		alias = malloc(sizeof(*alias) + strlen(r->path) + 4);
		if (alias == NULL)
			return false;
		memcpy(alias->path, "/api/v1/", 8);
		memcpy(alias->path + 8, r->path + 5, strlen(r->path + 5) + 1);
		alias->next = aliases;
		aliases = alias;
		if (!add(r, alias->path))       /* the trie keeps pointers into it */
			return false;
	}
	return done = true;
}

/* Text of one argument: decoded, UTF-8. */
static bool
take_arg(struct ctx *c, struct match *m, const char *seg, size_t n)
{
	char *v = ctx_strndup(c, seg, n);

	if (v == NULL || m->n_args == PATH_ARGS_MAX)
		return false;
	if (!pct_decode(v, &n, false) || !utf8_ok(v, n))
		return false;
	m->args[m->n_args++] = (struct path_arg){ NULL, v, n };
	return true;
}

static bool
has_rows(const struct node *n)
{
	for (int v = 0; v < VERB_COUNT; v++)
		if (n->rows[v] != NULL)
			return true;
	return false;
}

static const struct node *
walk(struct ctx *c, const struct node *at, const char *p, const char *end, struct match *m)
{
	const char *seg = p + 1;
	size_t n;

	if (p == end)
		return has_rows(at) ? at : NULL;        /* else a sibling's argument may still fit */
	n = strcspn(seg, "/?");
	if (seg + n > end)
		n = (size_t)(end - seg);
	for (const struct node *k = at->kids; k != NULL; k = k->next) {
		const struct node *found;
		unsigned had = m->n_args;

		if (k->seg != NULL) {
			if (k->n != n || memcmp(k->seg, seg, n) != 0)
				continue;
			found = walk(c, k, seg + n, end, m);
		} else if (n == 0) {
			continue;
		} else if (k->rest) {
			if (!take_arg(c, m, seg, (size_t)(end - seg)))
				m->bad_path = true;
			found = k;
		} else {
			if (!take_arg(c, m, seg, n))
				m->bad_path = true;
			found = walk(c, k, seg + n, end, m);
		}
		if (found != NULL)
			return found;
		m->n_args = had;
	}
	return NULL;
}

/* A segment that is "." or "..", also when written with escapes. */
static bool
dot_segments(const char *p, const char *end)
{
	while (p < end) {
		size_t n = 0, dots = 0;

		p++;
		while (p + n < end && p[n] != '/') {
			if (p[n] == '.') {
				dots++;
				n++;
			} else if (end - p - (ptrdiff_t)n >= 3 && p[n] == '%' && p[n + 1] == '2' &&
			    (p[n + 2] | 32) == 'e') {
				dots++;
				n += 3;
			} else {
				dots = 3;
				n++;
			}
		}
		if (dots == 1 || dots == 2)
			return true;
		p += n;
	}
	return false;
}

static void
allow_list(const struct node *n, char out[static 64])
{
	size_t at = 0;

	for (int v = 0; v < VERB_COUNT; v++) {
		if (n->rows[v] == NULL)
			continue;
		at += (size_t)snprintf(out + at, 64 - at, "%s%s%s", at > 0 ? ", " : "", verb_names[v],
		    v == GET ? ", HEAD" : "");
	}
}

static void
name_args(struct match *m)
{
	unsigned i = 0;

	for (const char *p = m->route->path; (p = strchr(p, '{')) != NULL && i < m->n_args; p++)
		m->args[i++].name = p + 1;
}

void
route_match(struct ctx *c, const char *method, const char *target, struct match *m)
{
	const char *end = target + strcspn(target, "?#");
	const struct node *n;

	*m = (struct match){ .query_raw = *end == '?' ? end + 1 : "" };
	if (target[0] != '/' || dot_segments(target, end)) {
		m->bad_path = true;
		return;
	}
	n = walk(c, &root, target, end, m);
	if (n == NULL) {
		m->bad_path = false;    /* a bad escape on a path that is not ours is just unknown */
		return;
	}
	for (int v = 0; v < VERB_COUNT; v++) {
		bool head = v == GET && strcmp(method, "HEAD") == 0;

		if (n->rows[v] == NULL)
			continue;
		m->path_known = true;
		if (head || strcmp(method, verb_names[v]) == 0)
			m->route = n->rows[v];
	}
	if (m->route != NULL)
		name_args(m);
	else if (m->path_known)
		allow_list(n, m->allow);
}

const struct path_arg *
path_arg_n(const struct request *rq, const char *name)
{
	static const struct path_arg none = { "", "", 0 };
	size_t n = strlen(name);

	for (unsigned i = 0; i < rq->n_args; i++)
		if (strncmp(rq->args[i].name, name, n) == 0 && strchr("}*", rq->args[i].name[n]) != NULL)
			return &rq->args[i];
	return &none;
}

const char *
path_arg(const struct request *rq, const char *name)
{
	return path_arg_n(rq, name)->value;
}
