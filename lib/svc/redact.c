/*
 * Patterns over text. Rather too much than too little is taken out: nobody can put back what was
 * given away.
 */
#include "lib/svc/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/svc/config.h"

enum { TEXT_MAX = 64 << 20, TOKEN_MIN = 8, OPAQUE_MIN = 40 };
static const char gone[] = "[REDACTED]";

static bool
token_char(char ch)
{
	return isalnum((unsigned char)ch) || (ch != '\0' && strchr("-_.+/=~", ch) != NULL);
}

static size_t
token_length(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && token_char(*q))
		q++;
	return (size_t)(q - p);
}

/* Keys that tell by their beginning whose they are. */
static size_t
known_key(const char *p, const char *end)
{
	static const char *const marks[] = {
		"sk-", "sk_", "pk-", "rk_", "gsk_", "xai-", "AIza", "hf_", "nvapi-", "key-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
		"github_pat_", "glpat-", "xoxb-", "xoxp-", "xoxa-", "xoxs-", "AKIA", "ASIA", "ya29.", "eyJ", "SG.", "npm_", "dop_v1_",
	};
	size_t n = token_length(p, end);

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		size_t k = strlen(marks[i]);

		if (n >= k + TOKEN_MIN && strncmp(p, marks[i], k) == 0)
			return n;
	}
	return 0;
}

static bool
secret_name(const char *s, size_t n)
{
	static const char *const names[] = { "api_key", "apikey", "api-key", "x-api-key", "token", "access_token",
		"refresh_token", "secret", "client_secret", "password", "passwd", "pwd", "authorization", "private_key", "credential",
		"credentials", "session_token", "auth_token", "bearer" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && strncasecmp(names[i], s, n) == 0)
			return true;
	return n > 4 && (strncasecmp(s + n - 4, "_key", 4) == 0 || (n > 6 && strncasecmp(s + n - 6, "_token", 6) == 0) ||
	    (n > 7 && strncasecmp(s + n - 7, "_secret", 7) == 0) || (n > 9 && strncasecmp(s + n - 9, "_password", 9) == 0));
}

/* "name = value", "name": "value", name=value: how far its value reaches; *from: where that begins. 0: none. */
static size_t
named_value(const char *p, const char *end, size_t *from)
{
	const char *q = p, *value;
	char quote = '\0';

	while (q < end && (isalnum((unsigned char)*q) || *q == '_' || *q == '-'))
		q++;
	if (q == p || !secret_name(p, (size_t)(q - p)))
		return 0;
	if (q < end && (*q == '"' || *q == '\''))
		q++;
	while (q < end && *q == ' ')
		q++;
	if (q == end || (*q != '=' && *q != ':'))
		return 0;
	for (q++; q < end && *q == ' '; q++)
		;
	if (q < end && (*q == '"' || *q == '\''))
		quote = *q++;
	if (q + 7 < end && strncasecmp(q, "bearer ", 7) == 0)
		q += 7;
	value = q;
	while (q < end && (quote != '\0' ? *q != quote : strchr(" \t\r\n,;&\"'<>)}]", *q) == NULL))
		q++;
	*from = (size_t)(value - p);
	return (size_t)(q - value) >= 3 ? (size_t)(q - p) : 0;
}

static size_t
bearer(const char *p, const char *end)
{
	size_t n = p + 7 < end && strncasecmp(p, "bearer ", 7) == 0 ? token_length(p + 7, end) : 0;

	return n >= TOKEN_MIN ? n + 7 : 0;
}

/* A private key between its lines. */
static size_t
pem(const char *p, const char *end)
{
	const char *q;

	if (end - p < 30 || strncmp(p, "-----BEGIN ", 11) != 0 || memmem(p, (size_t)(end - p < 60 ? end - p : 60), "PRIVATE KEY", 11) == NULL)
		return 0;
	q = memmem(p, (size_t)(end - p), "-----END ", 9);
	if (q == NULL)
		return (size_t)(end - p);
	q = memchr(q, '\n', (size_t)(end - q));
	return q == NULL ? (size_t)(end - p) : (size_t)(q - p);
}

/* Long words of letters and digits mixed that mean nothing: hashes are left, they are hex alone. */
static size_t
opaque(const char *p, const char *end)
{
	size_t n = 0, lower = 0, upper = 0, digit = 0;

	for (; p + n < end && (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == '-'); n++) {
		lower += islower((unsigned char)p[n]) != 0;
		upper += isupper((unsigned char)p[n]) != 0;
		digit += isdigit((unsigned char)p[n]) != 0;
	}
	return n >= OPAQUE_MIN && lower > 4 && upper > 4 && digit > 2 ? n : 0;
}

/* "//user:secret@": the secret; *from: where it begins. */
static size_t
userinfo(const char *p, const char *end, size_t *from)
{
	const char *q = p + 2, *colon = NULL;

	if (end - p < 5 || p[0] != '/' || p[1] != '/')
		return 0;
	for (; q < end && (isgraph((unsigned char)*q)) && *q != '/' && *q != '@'; q++)
		if (*q == ':' && colon == NULL)
			colon = q;
	if (q == end || *q != '@' || colon == NULL || colon + 1 == q)
		return 0;
	*from = (size_t)(colon + 1 - p);
	return (size_t)(q - p);
}

/* The directory of an agent, or the home. */
static size_t
place(struct ctx *c, const char *p, const char *end, const char **word)
{
	const struct { const char *path, *word; bool deeper; } places[] = {
		{ c->cfg->workspaces_dir, "<workspace>", true }, { c->cfg->data_dir, "<data>", false }, { c->cfg->home, "<home>", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t n = places[i].path == NULL ? 0 : strlen(places[i].path);

		if (n < 2 || (size_t)(end - p) < n || memcmp(p, places[i].path, n) != 0 ||
		    ((size_t)(end - p) > n && p[n] != '/' && token_char(p[n])))
			continue;
		*word = places[i].word;
		for (unsigned k = 0; places[i].deeper && k < 2 && p + n < end && p[n] == '/'; k++) {   /* /agents/NAME */
			size_t seg = 1;

			while (p + n + seg < end && (isalnum((unsigned char)p[n + seg]) || p[n + seg] == '_' || p[n + seg] == '-'))
				seg++;
			n += seg > 1 ? seg : 0;
		}
		return n;
	}
	return 0;
}

void
redact_text(struct ctx *c, const char *s, size_t n, struct buf *out)
{
	const char *p = s, *end = s + n, *word;

	while (p < end) {
		bool begins = p == s || !(isalnum((unsigned char)p[-1]) || p[-1] == '_');
		size_t from = 0, k = 0;

		if (*p == '/' && (k = place(c, p, end, &word)) > 0) {
			buf_str(out, word);
			p += k;
			continue;
		}
		if (*p == '/')
			k = userinfo(p, end, &from);
		else if (*p == '-')
			k = begins ? pem(p, end) : 0;
		else if (begins && isalnum((unsigned char)*p) && (k = known_key(p, end)) == 0 && (k = bearer(p, end)) == 0 &&
		    (k = named_value(p, end, &from)) == 0)
			k = opaque(p, end);
		if (k == 0) {
			buf_ch(out, *p++);
			continue;
		}
		buf_add(out, p, from);
		buf_str(out, gone);
		p += k;
	}
}

static struct json_object *
redact_string(struct ctx *c, struct json_object *v)
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX);

	redact_text(c, json_object_get_string(v), (size_t)json_object_get_string_len(v), &b);
	return b.failed ? NULL : json_object_new_string_len(b.p != NULL ? b.p : "", (int)b.len);
}

struct json_object *
redact_json(struct ctx *c, struct json_object *v)
{
	struct json_object *o;

	switch (json_object_get_type(v)) {
	case json_type_string:
		return redact_string(c, v);
	case json_type_array:
		o = json_object_new_array();
		for (size_t i = 0, n = json_object_array_length(v); o != NULL && i < n; i++)
			json_object_array_add(o, redact_json(c, json_object_array_get_idx(v, i)));
		return o;
	case json_type_object:
		o = json_object_new_object();
		if (o == NULL)
			return NULL;
		json_object_object_foreach(v, key, val)
			json_object_object_add(o, key, secret_name(key, strlen(key)) && json_object_is_type(val, json_type_string)
			    ? json_object_new_string(gone) : redact_json(c, val));
		return o;
	default:
		return v != NULL ? json_object_get(v) : NULL;
	}
}
