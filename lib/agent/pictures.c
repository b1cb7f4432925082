/*
 * The store keeps of a picture which upload it is; only here that becomes a path of this machine. So
 * what somebody imports or says can name no other file.
 */
#include "lib/agent/pictures.h"

#include <string.h>

#include "lib/agent/message.h"
#include "lib/agent/repair.h"
#include "lib/svc/config.h"
#include "lib/svc/upload.h"

static bool
is_picture(const struct json_object *b)
{
	return block_is(b, "image") || block_is(b, "image_file");
}

static size_t
pictures_in(const struct message *m)
{
	size_t k = 0;

	for (size_t i = 0, n = message_blocks(m); i < n; i++)
		k += is_picture(message_block(m, i));
	return k;
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
shown(struct ctx *c, struct json_object *b, bool blind, bool old)
{
	const char *path;
	struct json_object *o;
	char id[37];

	if (blind)
		return word("[A picture, which this model cannot see]");
	if (old)
		return word("[A picture from earlier in the conversation, not shown again]");
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
translate(struct ctx *c, struct message *m, bool blind, bool old)
{
	struct json_object *all = json_keep(c, json_object_new_array());

	if (all == NULL)
		return false;
	for (size_t i = 0, n = message_blocks(m); i < n; i++) {
		struct json_object *b = message_block(m, i);

		if (json_object_array_add(all, is_picture(b) ? shown(c, b, blind, old) : json_object_get(b)) != 0)
			return false;
	}
	m->blocks = all;
	return true;
}

/* From which message on pictures are shown: a message shows all of its own, or none. */
static size_t
first_shown(const struct history *h)
{
	size_t left = PICTURES_AGAIN, i = h->n;

	while (i > 0 && !message_is_question(&h->v[i - 1]))
		i--;
	if (i > 0)
		i--;                    /* the question that is being answered */
	for (; i > 0 && pictures_in(&h->v[i - 1]) <= left; i--)
		left -= pictures_in(&h->v[i - 1]);
	return i;
}

const struct history *
history_pictures(struct ctx *c, const struct history *h, bool blind, bool *ret_any)
{
	struct history *ret = NULL;
	size_t first;

	*ret_any = false;
	for (size_t i = 0; i < h->n && !*ret_any; i++)
		*ret_any = pictures_in(&h->v[i]) > 0;
	if (!*ret_any)
		return h;
	first = first_shown(h);
	ret = ctx_alloc(c, sizeof(*ret));
	for (size_t i = 0; ret != NULL && i < h->n; i++) {
		struct message m = h->v[i];

		if ((pictures_in(&m) > 0 && !translate(c, &m, blind, i < first)) || !history_add(c, ret, m))
			return NULL;
	}
	return ret;
}
