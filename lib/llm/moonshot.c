/*
 * Sending files to Moonshot. What is known of them is kept in memory: a digest of address, key and content, and
 * Moonshot's name for it.
 */
#include "lib/llm/moonshot.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/llm/blocks.h"
#include "lib/llm/driver.h"
#include "lib/llm/errors.h"

enum { KNOWN_MAX = 256, SEND_MS = 120000 };

static struct {
	pthread_mutex_t mu;
	struct { uint8_t what[32]; char id[MOONSHOT_ID_MAX + 1]; } all[KNOWN_MAX];
	unsigned n, next;
} known = { .mu = PTHREAD_MUTEX_INITIALIZER };

bool
is_moonshot(const char *provider)
{
	return starts(provider, "moonshot") || starts(provider, "kimi");
}

/* --- what was sent ------------------------------------------------------- */

static void
digest_of(const struct llm_request *rq, const char *bytes, size_t n, uint8_t out[static 32])
{
	uint8_t content[32];
	char account[65], text[65];

	sha256(bytes, n, content);
	hex_of(content, sizeof(content), text);
	hmac_sha256(rq->base_url, strlen(rq->base_url), rq->api_key, strlen(rq->api_key), content);
	hex_of(content, sizeof(content), account);
	hmac_sha256(account, 64, text, 64, out);
}

static bool
recall(const uint8_t what[static 32], char id[static MOONSHOT_ID_MAX + 1])
{
	bool found = false;

	pthread_mutex_lock(&known.mu);
	for (unsigned i = 0; i < known.n && !found; i++)
		if (memcmp(known.all[i].what, what, 32) == 0) {
			memcpy(id, known.all[i].id, sizeof(known.all[i].id));
			found = true;
		}
	pthread_mutex_unlock(&known.mu);
	return found;
}

static void
remember(const uint8_t what[static 32], const char *id)
{
	unsigned at;

	pthread_mutex_lock(&known.mu);
	at = known.next;
	known.next = (known.next + 1) % KNOWN_MAX;
	known.n += known.n < KNOWN_MAX;
	memcpy(known.all[at].what, what, 32);
	snprintf(known.all[at].id, sizeof(known.all[at].id), "%s", id);
	pthread_mutex_unlock(&known.mu);
}

/* --- sending ------------------------------------------------------------- */

static void
add_quoted(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++)
		buf_ch(b, (unsigned char)*s < 0x20 || *s == '"' || *s == '\\' ? '_' : *s);
}

/* The form around the bytes; *at: where they lie. */
static enum err
write_form(struct buf *b, const char *boundary, const char *filename, const char *type, int fd, uint64_t n, size_t *at)
{
	char *room;

	buf_printf(b, "--%s\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfile-extract\r\n"
	    "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"", boundary, boundary);
	add_quoted(b, filename);
	buf_printf(b, "\"\r\nContent-Type: %s\r\n\r\n", is_header_text(type) && type[0] != '\0' ? type : "application/octet-stream");
	*at = b->len;
	room = buf_room(b, (size_t)n);
	if (room == NULL)
		return ERR_NOMEM;
	for (size_t got = 0; got < n;) {
		ssize_t k = pread(fd, room + got, (size_t)n - got, (off_t)got);

		if (k <= 0)
			return ERR_INVALID;     /* it has become shorter */
		got += (size_t)k;
	}
	b->len += (size_t)n;
	buf_printf(b, "\r\n--%s--\r\n", boundary);
	return b->failed ? ERR_NOMEM : ERR_OK;
}

/* Names that we would put into an address. */
static bool
is_id(const char *s)
{
	size_t n = s != NULL ? strlen(s) : 0;

	return n > 0 && n <= MOONSHOT_ID_MAX && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static enum err
judge(const struct llm_request *rq, const struct http_answer *h, char id[static MOONSHOT_ID_MAX + 1], struct llm_answer *a)
{
	struct json_object *o = NULL;
	enum err e = ERR_UPSTREAM;

	if (h->status / 100 != 2) {
		llm_blame_body(a, rq, (int)h->status, h->body.len > 0 ? h->body.p : "", h->body.len);
		return h->status == 400 || h->status == 413 || h->status == 415 || h->status == 422 ? ERR_INVALID : ERR_UPSTREAM;
	}
	if (h->body.len > 0 && json_check(h->body.p, h->body.len, JSON_DEPTH_MAX, NULL) == ERR_OK)
		o = json_parse(h->body.p, h->body.len);
	if (is_id(js_str(o, "id"))) {
		snprintf(id, MOONSHOT_ID_MAX + 1, "%s", js_str(o, "id"));
		e = ERR_OK;
	} else {
		llm_blame(a, rq, LLM_UPSTREAM, 0, "its name for a file cannot be read");
	}
	json_object_put(o);
	return e;
}

static enum err
post(struct outgoing *o, const char *boundary, char id[static MOONSHOT_ID_MAX + 1], struct llm_answer *a)
{
	const struct llm_request *rq = o->rq;
	struct http_call call = { .method = "POST", .url = o->url, .headers = o->headers, .body = o->body.p, .body_bytes = o->body.len,
	    .timeout_ms = SEND_MS, .max_bytes = 1 << 20, .proxy = rq->proxy, .cancel = rq->cancel };
	char type[128];
	struct http_answer h;
	const char *base;
	size_t n = out_base(o, &base);
	enum err e;

	snprintf(type, sizeof(type), "multipart/form-data; boundary=%s", boundary);
	e = n > 0 ? out_url(o, "%.*s/files", (int)n, base) : ERR_INVALID;
	if (e == ERR_OK)
		e = out_bearer(o, rq->api_key);
	if (e == ERR_OK)
		e = out_header(o, "Content-Type", type);
	if (e != ERR_OK) {
		llm_blame(a, rq, e == ERR_FORBIDDEN ? LLM_AUTH : LLM_FORMAT, 0, o->why);
		return e == ERR_NOMEM ? e : ERR_UPSTREAM;
	}
	e = http_do(&call, &h);
	e = e == ERR_OK ? judge(rq, &h, id, a) : driver_blame(rq, a, e, h.why);
	buf_done(&h.body);
	return e;
}

enum err
moonshot_file(const struct llm_request *rq, const char *filename, const char *type, int fd, uint64_t n,
    char ret_id[static MOONSHOT_ID_MAX + 1], struct llm_answer *a)
{
	struct outgoing o = { .rq = rq, .body = BUF_INIT(MOONSHOT_FILE_MAX + 65536) };
	char boundary[37];
	uint8_t what[32];
	size_t at = 0;
	enum err e = ERR_INVALID;

	*a = (struct llm_answer){ .retry_after_s = -1 };
	uuid4(boundary);
	if (n > 0 && n <= MOONSHOT_FILE_MAX)
		e = write_form(&o.body, boundary, filename, type, fd, n, &at);
	if (e == ERR_INVALID)
		llm_blame(a, rq, LLM_FORMAT, 0, "a file must not be empty, nor larger than 100 MB");
	if (e == ERR_OK) {
		digest_of(rq, o.body.p + at, (size_t)n, what);
		if (!recall(what, ret_id)) {
			e = post(&o, boundary, ret_id, a);
			if (e == ERR_OK)
				remember(what, ret_id);
		}
	}
	out_done(&o);
	return e;
}
