/*
 * The store keeps of a picture which upload it is; only here that becomes a path of this machine. So
 * what somebody imports or says can name no other file.
 */
#include "lib/agent/pictures.h"

#include <string.h>

#include "lib/agent/message.h"
#include "lib/svc/config.h"
#include "lib/svc/upload.h"

static bool
is_picture(const struct json_object *b)
{
	return block_is(b, "image") || block_is(b, "image_file");
}

static bool
has_picture(const struct message *m)
{
	return message_has(m, "image") || message_has(m, "image_file");
}

static struct json_object *
word(const char *s)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string(s));
	return o;
}

static struct json_object *
shown(struct ctx *c, struct json_object *b, bool blind)
{
	const char *path;
	struct json_object *o;
	char id[37];

	if (blind)
		return word("[A picture, which this model cannot see]");
	if (block_is(b, "image"))
		return json_object_get(b);
	if (!upload_id_of(js_str_or(b, "path", ""), id) ||
	    (path = ctx_printf(c, "%s/uploads/%s", c->cfg->data_dir, id)) == NULL)
		return word("[A picture that is not there any more]");
	o = json_object_new_object();
	json_object_object_add(o, "type", json_object_new_string("image_file"));
	json_object_object_add(o, "media_type", json_object_new_string(js_str_or(b, "media_type", "image/png")));
	json_object_object_add(o, "path", json_object_new_string(path));
	return o;
}

static bool
translate(struct ctx *c, struct message *m, bool blind)
{
	struct json_object *all = json_keep(c, json_object_new_array());

	if (all == NULL)
		return false;
	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		struct json_object *b = message_block(m, i);

		if (json_object_array_add(all, is_picture(b) ? shown(c, b, blind) : json_object_get(b)) != 0)
			return false;
	}
	m->blocks = all;
	return true;
}

const struct history *
history_pictures(struct ctx *c, const struct history *h, bool blind, bool *ret_any)
{
	struct history *ret = NULL;

	*ret_any = false;
	for (size_t i = 0; i < h->n && !*ret_any; i++)
		*ret_any = has_picture(&h->v[i]);
	if (!*ret_any)
		return h;
	ret = ctx_alloc(c, sizeof(*ret));
	for (size_t i = 0; ret != NULL && i < h->n; i++) {
		struct message m = h->v[i];

		if ((has_picture(&m) && !translate(c, &m, blind)) || !history_add(c, ret, m))
			return NULL;
	}
	return ret;
}
