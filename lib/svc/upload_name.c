/*
 * What uploads may be called, and of which types they may be. Everything comes from outside.
 */
#include "lib/svc/upload.h"

#include <string.h>
#include <strings.h>

#include "lib/base/util.h"

static bool
is_type(const char *type, size_t n, const char *const *all)
{
	for (; *all != NULL; all++)
		if (strlen(*all) == n && strncasecmp(type, *all, n) == 0)
			return true;
	return false;
}

static size_t
type_length(const char *type)
{
	size_t n = strcspn(type, "; \t");

	return strlen(type) <= UPLOAD_TYPE_MAX ? n : 0;
}

static const char *const image_types[] = { "image/png", "image/jpeg", "image/webp", "image/gif", NULL };

bool
is_image_type(const char *type)
{
	return is_type(type, type_length(type), image_types);
}

bool
upload_type_ok(const char *type)
{
	static const char *const others[] = {
		"audio/mpeg", "audio/wav", "audio/ogg", "audio/mp4", "audio/webm", "audio/x-wav", "audio/flac",
		"application/pdf", "application/json", "application/x-ipynb+json", "application/xml",
		"application/yaml", "application/x-yaml", "application/toml", "application/x-toml", "application/sql",
		"application/graphql", "application/javascript", "application/x-javascript", "application/typescript", NULL,
	};
	static const char *const not_text[] = { "text/", "text/html", "text/xml", NULL };
	size_t n = type_length(type);

	for (const char *p = type; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	if (type[n + strspn(type + n, " ")] != '\0' && type[n + strspn(type + n, " ")] != ';')
		return false;                   /* what follows the type are parameters (RFC 9110, 8.3.1) */
	if (is_type(type, n, image_types) || is_type(type, n, others))
		return true;
	return n > 5 && strncasecmp(type, "text/", 5) == 0 && !is_type(type, n, not_text) &&
	    strspn(type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.+-_") == n;
}

const char *
upload_sniff(const void *head, size_t n)
{
	const char *p = head;

	if (n >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
		return "image/png";
	if (n >= 3 && memcmp(p, "\xff\xd8\xff", 3) == 0)
		return "image/jpeg";
	if (n >= 6 && (memcmp(p, "GIF87a", 6) == 0 || memcmp(p, "GIF89a", 6) == 0))
		return "image/gif";
	if (n >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
		return "image/webp";
	return NULL;
}

const char *
upload_name(struct ctx *c, const char *raw)
{
	const char *slash = strrchr(raw, '/'), *back = strrchr(raw, '\\');
	char *s;
	size_t n;

	if (slash != NULL)
		raw = slash + 1;
	if (back != NULL && back >= raw)
		raw = back + 1;
	n = strlen(raw);
	if (utf8_ok(raw, n))
		n = utf8_cut(raw, n, UPLOAD_NAME_MAX);
	else if (n > UPLOAD_NAME_MAX)
		n = UPLOAD_NAME_MAX;
	s = ctx_strndup(c, raw, n);
	for (size_t i = 0; s != NULL && i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f || ((unsigned char)s[i] >= 0x80 && !utf8_ok(raw, n)))
			s[i] = '_';
	if (s != NULL && (s[0] == '\0' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0))
		return "upload";
	return s;
}

bool
upload_id_of(const char *path, char ret[static 37])
{
	const char *slash = strrchr(path, '/');

	return uuid_parse(slash != NULL ? slash + 1 : path, ret);
}
