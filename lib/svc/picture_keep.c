/*
 * A conversation holds pictures by reference, so that a long one stays quick to load; whoever takes it
 * elsewhere needs the bytes. Both ways are here.
 */
#include "lib/svc/picture_keep.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nettle/base64.h>

#include "lib/base/arena.h"
#include "lib/svc/upload.h"

struct bytes { char *p; size_t n; };

static bool
is_a(struct json_object *b, const char *type)
{
	return strcmp(js_str_or(b, "type", ""), type) == 0;
}

struct json_object *
image_file_block(const char *id, const char *type, const char *filename)
{
	struct json_object *o = json_object_new_object();

	if (o == NULL)
		return NULL;
	json_object_object_add(o, "type", json_object_new_string("image_file"));
	json_object_object_add(o, "media_type", json_object_new_string(type));
	json_object_object_add(o, "path", json_object_new_string(id));
	json_object_object_add(o, "filename", json_object_new_string(filename));
	return o;
}

static struct json_object *
lost(void)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string("[A picture that is not there any more]"));
	return o;
}

static bool
decode(struct ctx *c, const char *text, struct bytes *ret)
{
	size_t n = strlen(text);
	struct base64_decode_ctx d;

	if (n > BASE64_ENCODE_RAW_LENGTH((size_t)IMAGE_BYTES_MAX) + 4)
		return false;
	ret->p = ctx_alloc(c, BASE64_DECODE_LENGTH(n) + 1);
	ret->n = BASE64_DECODE_LENGTH(n);
	base64_decode_init(&d);
	return ret->p != NULL && base64_decode_update(&d, &ret->n, (uint8_t *)ret->p, n, text) == 1 &&
	    base64_decode_final(&d) == 1;
}

/* The bytes of an upload that the caller may read. */
static enum err
load(struct ctx *c, const char *path, struct upload *u, struct bytes *ret)
{
	uint64_t size = 0;
	size_t at = 0;
	char id[37];
	ssize_t n = 1;
	SCOPED_FD fd = -1;
	enum err e;

	if (!upload_id_of(path, id))
		return ERR_NOT_FOUND;
	e = upload_load(c, id, u);
	if (e == ERR_OK)
		e = upload_open(c, id, &fd, &size);
	if (e != ERR_OK)
		return e;
	if (size > IMAGE_BYTES_MAX || (ret->p = ctx_alloc(c, (size_t)size + 1)) == NULL)
		return ERR_NOT_FOUND;
	for (; at < size && n > 0; at += n > 0 ? (size_t)n : 0)
		n = pread(fd, ret->p + at, (size_t)size - at, (off_t)at);
	ret->n = at;
	return n > 0 || size == 0 ? ERR_OK : ERR_NOT_FOUND;
}

/* Where it could not be found or is none, it is said so in its place; where the store fails, nothing goes on. */
static bool
is_its_own_fault(enum err e)
{
	return e == ERR_NOT_FOUND || e == ERR_INVALID || e == ERR_FORBIDDEN;
}

static enum err
keep_one(struct ctx *c, const char *session_id, struct json_object *b, struct json_object **ret)
{
	const char *type = js_str_or(b, "media_type", "image/png"), *name = js_str_or(b, "filename", "image");
	struct bytes raw = { 0 };
	struct upload u = { 0 };
	char id[37];
	enum err e;

	if (is_a(b, "image"))
		e = decode(c, js_str_or(b, "data", ""), &raw) ? ERR_OK : ERR_INVALID;
	else
		e = load(c, js_str_or(b, "path", ""), &u, &raw);
	if (e == ERR_OK && u.session_id != NULL && strcmp(u.session_id, session_id) == 0) {
		*ret = json_object_get(b);      /* it is kept already */
		return ERR_OK;
	}
	if (e == ERR_OK && u.id != NULL) {
		type = u.content_type;
		name = u.filename;
	}
	if (e == ERR_OK)
		e = upload_picture(c, session_id, name, type, raw.p, raw.n, id);
	if (e != ERR_OK && !is_its_own_fault(e))
		return e;
	if (e == ERR_OK)
		type = upload_sniff(raw.p, raw.n) != NULL ? upload_sniff(raw.p, raw.n) : type;
	*ret = e == ERR_OK ? image_file_block(id, type, name) : lost();
	c->fault = (struct fault){ 0 };
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

static enum err
inline_one(struct ctx *c, struct json_object *b, struct json_object **ret)
{
	struct bytes raw = { 0 };
	struct upload u = { 0 };
	enum err e = load(c, js_str_or(b, "path", ""), &u, &raw);
	char *text;

	c->fault = (struct fault){ 0 };
	*ret = lost();
	if (e != ERR_OK)
		return is_its_own_fault(e) ? ERR_OK : fail(c, e, "a picture cannot be read");
	text = ctx_alloc(c, BASE64_ENCODE_RAW_LENGTH(raw.n) + 1);
	if (text == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	base64_encode_raw(text, raw.n, (const uint8_t *)raw.p);
	json_object_object_add(*ret, "type", json_object_new_string("image"));
	json_object_object_del(*ret, "text");
	json_object_object_add(*ret, "media_type", json_object_new_string(u.content_type));
	json_object_object_add(*ret, "data", json_object_new_string_len(text, (int)BASE64_ENCODE_RAW_LENGTH(raw.n)));
	json_object_object_add(*ret, "filename", json_object_new_string(u.filename));
	return ERR_OK;
}

static bool
any(struct json_object *blocks, bool files_only)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *b = json_object_array_get_idx(blocks, i);

		if (is_a(b, "image_file") || (!files_only && is_a(b, "image")))
			return true;
	}
	return false;
}

enum err
pictures_keep(struct ctx *c, const char *session_id, struct json_object *blocks, struct json_object **ret)
{
	struct json_object *all = blocks;
	enum err e = ERR_OK;

	*ret = blocks;
	if (!json_object_is_type(blocks, json_type_array) || !any(blocks, false))
		return ERR_OK;
	all = json_keep(c, json_object_new_array());
	for (size_t i = 0, n = json_object_array_length(blocks); e == ERR_OK && all != NULL && i < n; i++) {
		struct json_object *b = json_object_array_get_idx(blocks, i), *o = NULL;

		if (is_a(b, "image") || is_a(b, "image_file"))
			e = keep_one(c, session_id, b, &o);
		else
			o = json_object_get(b);
		if (e == ERR_OK)
			json_object_array_add(all, o);
	}
	*ret = all;
	return e == ERR_OK && all == NULL ? fail(c, ERR_NOMEM, "out of memory") : e;
}

enum err
pictures_inline(struct ctx *c, struct json_object *blocks, struct json_object **ret)
{
	struct json_object *all = blocks;
	enum err e = ERR_OK;

	*ret = blocks;
	if (!json_object_is_type(blocks, json_type_array) || !any(blocks, true))
		return ERR_OK;
	all = json_keep(c, json_object_new_array());
	for (size_t i = 0, n = json_object_array_length(blocks); e == ERR_OK && all != NULL && i < n; i++) {
		struct json_object *b = json_object_array_get_idx(blocks, i), *o = NULL;

		if (is_a(b, "image_file"))
			e = inline_one(c, b, &o);
		else
			o = json_object_get(b);
		json_object_array_add(all, o);
	}
	*ret = all;
	return e == ERR_OK && all == NULL ? fail(c, ERR_NOMEM, "out of memory") : e;
}
