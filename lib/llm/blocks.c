/*
 * Looking at what is to be sent: what every wire format needs to know of blocks, pictures
 * and tools, whatever it makes of them.
 */
#include "lib/llm/blocks.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include <nettle/base64.h>

#include "lib/base/json.h"

enum { IMAGE_MAX = 20 * 1024 * 1024, KEPT_MAX = 64 };

bool
starts(const char *s, const char *prefix)
{
	return s != NULL && strncasecmp(s, prefix, strlen(prefix)) == 0;
}

bool
starts_any(const char *s, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (starts(s, *prefixes))
			return true;
	return false;
}

/* --- blocks -------------------------------------------------------------- */

bool
is_block(struct json_object *block, const char *type)
{
	const char *t = js_str(block, "type");

	return t != NULL && strcmp(t, type) == 0;
}

bool
blocks_have(struct json_object *blocks, const char *type)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++)
		if (is_block(json_object_array_get_idx(blocks, i), type))
			return true;
	return false;
}

void
blocks_join(struct json_object *blocks, const char *type, const char *member, struct buf *out)
{
	for (size_t i = 0, n = json_object_array_length(blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(blocks, i), *t = js_get(o, member);

		if (is_block(o, type) && json_object_is_type(t, json_type_string))
			buf_add(out, json_object_get_string(t), (size_t)json_object_get_string_len(t));
	}
}

struct json_object *
block_text(struct json_object *block)
{
	struct json_object *t = js_get(block, "text");

	return is_block(block, "text") && json_object_is_type(t, json_type_string) ? t : NULL;
}

const char *
block_result(struct json_object *block)
{
	const char *text = js_str_or(block, "content", "");

	return text[0] != '\0' ? text : "(empty)";
}

static void
add_base64(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, BASE64_ENCODE_RAW_LENGTH(n));

	if (room == NULL)
		return;
	base64_encode_raw(room, n, p);
	b->len += BASE64_ENCODE_RAW_LENGTH(n);
	b->p[b->len] = '\0';
}

bool
block_is_image(struct json_object *block)
{
	return (is_block(block, "image") && js_str(block, "data") != NULL) || is_block(block, "image_file");
}

static const char *
media_type(struct json_object *block)
{
	return js_str_or(block, "media_type", "image/png");
}

const char *
block_image(struct json_object *block, struct buf *base64)
{
	SCOPED_BUF raw = BUF_INIT(IMAGE_MAX);
	const char *path = js_str(block, "path"), *type = media_type(block);

	if (is_block(block, "image") && js_str(block, "data") != NULL) {
		buf_str(base64, js_str(block, "data"));
		return type;
	}
	if (!is_block(block, "image_file") || path == NULL || buf_read_file(&raw, path) != ERR_OK || raw.len == 0)
		return NULL;            /* gone since: the conversation goes on without it */
	add_base64(base64, raw.p, raw.len);
	return type;
}

bool
block_image_url(struct json_object *block, struct buf *url)
{
	buf_printf(url, "data:%.100s;base64,", media_type(block));
	return block_image(block, url) != NULL;
}

void
write_safe_id(struct jw *w, const char *key, const char *id)
{
	char out[257];
	size_t n = 0;

	for (; id[n] != '\0' && n < sizeof(out) - 1; n++)
		out[n] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", id[n]) != NULL ? id[n] : '_';
	jw_strn(w, key, out, n);
}

/* --- messages ------------------------------------------------------------ */

static bool
says_nothing(const struct message *m)
{
	if (m->text != NULL)
		return m->n <= 2;
	for (size_t i = 0, n = json_object_array_length(m->blocks); i < n; i++) {
		struct json_object *o = json_object_array_get_idx(m->blocks, i);

		if (is_block(o, "tool_use") || (is_block(o, "text") && js_str_or(o, "text", "")[0] != '\0'))
			return false;
	}
	return true;
}

size_t
useful_length(const struct llm_request *rq, bool all)
{
	size_t n = rq->messages != NULL ? rq->messages->n : 0;

	for (; n > 0; n--) {
		const struct message *m = &rq->messages->v[n - 1];

		if (m->role != BY_ASSISTANT || (m->blocks != NULL && blocks_have(m->blocks, "tool_use")))
			break;
		if (!all && !says_nothing(m))
			break;
	}
	return n;
}

size_t
current_question(const struct llm_request *rq, size_t n)
{
	const struct history *h = rq->messages;

	for (size_t i = n; i-- > 0;)
		if (h->v[i].role == BY_USER && (h->v[i].text != NULL || !blocks_have(h->v[i].blocks, "tool_result")))
			return i;
	return 0;
}

static void
add_message_text(const struct message *m, struct buf *out)
{
	struct json_object *o;

	if (out->len > 0)
		buf_str(out, "\n\n");
	if (m->text == NULL) {
		blocks_join(m->blocks, "text", "text", out);
		return;
	}
	o = json_parse(m->text, strlen(m->text));
	if (json_object_is_type(o, json_type_string))
		buf_add(out, json_object_get_string(o), (size_t)json_object_get_string_len(o));
	json_object_put(o);
}

void
join_system(const struct llm_request *rq, struct buf *out)
{
	if (rq->system != NULL && rq->system[0] != '\0') {
		buf_str(out, rq->system);
		return;
	}
	for (size_t i = 0; rq->messages != NULL && i < rq->messages->n; i++)
		if (rq->messages->v[i].role == BY_SYSTEM)
			add_message_text(&rq->messages->v[i], out);
}

/* --- tools --------------------------------------------------------------- */

typedef void write_one(struct jw *, struct json_object *);

bool
has_tools(const struct llm_request *rq)
{
	struct json_object *t = rq->raw_tools != NULL ? rq->raw_tools : rq->tools;

	return json_object_is_type(t, json_type_array) && json_object_array_length(t) > 0;
}

static void
write_each(struct jw *w, const char *key, struct json_object *tools, write_one *one)
{
	jw_array(w, key);
	for (size_t i = 0, n = json_object_array_length(tools); i < n; i++)
		one(w, json_object_array_get_idx(tools, i));
	jw_end(w);
}

/* What lasting lists of tools look like on the wire. Agents share few of them. */
static struct {
	pthread_mutex_t mu;
	struct { const struct json_object *tools; write_one *one; char *text; size_t n; } all[KEPT_MAX];
	size_t n;
} kept = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* Its place in kept, made if there is room; KEPT_MAX: none. */
static size_t
kept_at(struct json_object *tools, write_one *one)
{
	SCOPED_BUF b = BUF_INIT(4 << 20);
	struct jw w = JW_INIT(&b);
	size_t i = 0;

	while (i < kept.n && (kept.all[i].tools != tools || kept.all[i].one != one))
		i++;
	if (i < kept.n || i == KEPT_MAX)
		return i;
	write_each(&w, NULL, tools, one);
	kept.all[i].text = b.failed ? NULL : strndup(b.p, b.len);
	if (kept.all[i].text == NULL)
		return KEPT_MAX;
	kept.all[i].tools = tools;
	kept.all[i].one = one;
	kept.all[i].n = b.len;
	kept.n++;
	return i;
}

void
write_tools(struct jw *w, const char *key, const struct llm_request *rq, write_one *one)
{
	size_t i = KEPT_MAX;

	if (rq->tools_last) {
		pthread_mutex_lock(&kept.mu);
		i = kept_at(rq->tools, one);
		pthread_mutex_unlock(&kept.mu);
	}
	if (i < KEPT_MAX)
		jw_raw(w, key, kept.all[i].text, kept.all[i].n);
	else
		write_each(w, key, rq->tools, one);
}
