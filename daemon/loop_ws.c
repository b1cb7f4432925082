/*
 * WebSocket on the loop's side: admission before the upgrade, messages put
 * together, idle time.
 *
 * Difficult here: the library wants each sub-protocol known by name beforehand,
 * but ours is `bearer.<token>`, to be echoed exactly. Our front server therefore sends the list in
 * X-LF-WS-Protocol and hides the original; the echo is then a header of our own, of any
 * length. A client that comes without it gets the second protocol of the table, whose
 * name is filled in for the moment of its upgrade; that works for 63 bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/conn.h"
#include "daemon/standing.h"
#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum { SLOT_PROBES = 64, NATIVE_LIST_MAX = 127 };

char ws_protocol_name[64] = "-";

static struct db *own_db;

struct db *
ws_db(const char *path)
{
	if (own_db == NULL && db_open(&own_db, path, false) != ERR_OK)
		own_db = NULL;
	return own_db;
}

void
ws_db_close(void)
{
	db_close(own_db);
	own_db = NULL;
}

/* --- sockets of one peer --------------------------------------------------------- */

/* The peer's slot, or a free one for it (n = 0). NULL: none near its place is free. */
static struct ws_slot *
slot_of(const char *peer)
{
	uint64_t key = peer_key(peer);
	struct ws_slot *unused = NULL;

	for (size_t i = 0; i < SLOT_PROBES; i++) {
		struct ws_slot *s = &shm->ws[(key + i) % SHM_WS_SLOTS];

		if (atomic_load(&s->n) == 0)
			unused = unused != NULL ? unused : s;
		else if (atomic_load(&s->key) == key)
			return s;
	}
	if (unused != NULL)
		atomic_store(&unused->key, key);
	return unused;
}

enum err
live_ws_slot(struct live *l, struct ctx *c, const char *peer)
{
	struct ws_slot *s;

	if (shm == NULL || l->slot_peer != NULL)
		return ERR_OK;
	s = slot_of(peer);
	if (s != NULL && atomic_load(&s->n) >= c->cfg->max_ws_per_ip)
		return fail(c, ERR_RATE_LIMITED, "Too many WebSocket connections from this address");
	if (s == NULL || (l->slot_peer = strdup(peer)) == NULL)
		return ERR_OK;          /* a thousand peers at once: not counted rather than refused */
	atomic_fetch_add(&s->n, 1);
	return ERR_OK;
}

static void
slot_drop(struct live *l)
{
	struct ws_slot *s;

	if (l->slot_peer == NULL)
		return;
	s = slot_of(l->slot_peer);
	if (s != NULL && atomic_load(&s->n) > 0)
		atomic_fetch_sub(&s->n, 1);
	free(l->slot_peer);
	l->slot_peer = NULL;
}

/* --- the upgrade ------------------------------------------------------------------ */

/* The entry to echo: the first that carries a token, else (any) the first. *n 0: none. */
static const char *
pick_entry(const char *list, bool any, size_t *n)
{
	const char *first = NULL;
	size_t first_n = 0;

	for (const char *p = list; p != NULL && *p != '\0'; p += strspn(p, ",")) {
		p += strspn(p, " \t,");
		*n = strcspn(p, " \t,");
		if (*n > 7 && strncmp(p, "bearer.", 7) == 0)
			return p;
		if (first == NULL && *n > 0) {
			first = p;
			first_n = *n;
		}
		p += strcspn(p, ",");
	}
	*n = any ? first_n : 0;
	return first;
}

static bool
is_token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] > '~' || strchr("\"(),:;<>@[\\]{}", p[i]) != NULL)
			return false;
	return true;
}

/* Make the 101 name the right sub-protocol. INVALID: it cannot. */
static enum err
choose_protocol(struct conn *k, const char *list)
{
	int native = lws_hdr_total_length(k->src.wsi, WSI_TOKEN_PROTOCOL);
	size_t n = 0;
	const char *entry = pick_entry(list, native > 0, &n);

	ws_protocol_name[0] = '-';
	ws_protocol_name[1] = '\0';
	if (n == 0)
		return native > 0 ? ERR_INVALID : ERR_OK;
	if (!is_token(entry, n))
		return ERR_INVALID;
	if (native <= 0) {
		k->ws_echo = strndup(entry, n);
		return k->ws_echo != NULL ? ERR_OK : ERR_NOMEM;
	}
	if (native > NATIVE_LIST_MAX || n >= sizeof(ws_protocol_name))
		return ERR_INVALID;
	memcpy(ws_protocol_name, entry, n);
	ws_protocol_name[n] = '\0';
	return ERR_OK;
}

static enum err
well_formed(struct conn *k, const struct job *j, struct ctx *c, const char *protocol)
{
	int key = lws_hdr_total_length(k->src.wsi, WSI_TOKEN_KEY);

	if (j->rq.target == NULL)
		return fail(c, ERR_BAD_REQUEST, "This socket is for the front server");
	if (strcasecmp(protocol, "websocket") != 0)
		return fail(c, ERR_BAD_REQUEST, "Only an upgrade to websocket is known here");
	if (strcmp(j->rq.method, "GET") != 0 || key <= 0 || key > 64 || j->rq.h.host == NULL)
		return fail(c, ERR_BAD_REQUEST, "Not a WebSocket handshake");
	return ERR_OK;
}

static enum err
admit(struct conn *k, struct job *j, struct ctx *c, const char *protocol)
{
	struct ws_session *s = NULL;
	enum err e = memory_short ? fail(c, ERR_NOMEM, "out of memory") : well_formed(k, j, c, protocol);

	if (e != ERR_OK)
		return e;
	if (loop_stopping())
		return fail(c, ERR_UNAVAILABLE, "going down");
	c->db = ws_db(c->cfg->db_path);
	if (c->db == NULL)
		return fail(c, ERR_UNAVAILABLE, "the database cannot be opened");
	e = ws_admit(c, &j->rq, &s);
	if (e != ERR_OK)
		return e;
	j->live->session = s;
	j->live->stands = standing_begin(j->live, c);
	e = choose_protocol(k, j->rq.h.ws_protocol);
	return e == ERR_OK ? ERR_OK : fail(c, ERR_BAD_REQUEST, "No usable entry in Sec-WebSocket-Protocol");
}

/* The library is about to end the connection: what we have to say goes out at once. */
static int
say_no(struct conn *k, struct job *j, struct ctx *c)
{
	struct reply r = reply_fail(c);
	struct chunk *out;
	int rc = 1;

	if (j->rq.target == NULL)
		j->rq.target = "-";
	metrics_count(j->rq.route, r.status, (uint64_t)(clock_mono_us() - j->began_us));
	request_note(c, &j->rq, &r, (uint64_t)(clock_mono_us() - j->began_us));
	j->live->last = true;
	live_finish(j->live, &j->rq, c, &r);
	out = queue_take(&j->live->q);
	for (struct chunk *o = out; o != NULL && rc > 0; o = o->next)
		if (lws_write(k->src.wsi, o->bytes, o->len, LWS_WRITE_HTTP) < 0)
			rc = -1;
	chunks_free(out);
	if (j->live->session != NULL)
		ws_on_close(j->live->session);
	j->live->session = NULL;
	slot_drop(j->live);
	job_free(j);
	return rc;
}

int
ws_upgrade(struct conn *k, const char *protocol)
{
	struct job *j = job_from(k, NULL, NULL, 0);
	struct ctx c;

	if (j == NULL)
		return -1;
	ctx_for(&c, j);
	if (admit(k, j, &c, protocol) != ERR_OK)
		return say_no(k, j, &c);
	metrics_count(j->rq.route, 101, (uint64_t)(clock_mono_us() - j->began_us));
	k->live = live_hold(j->live);
	k->live->conn = k;
	k->live->ws = true;
	k->live->rq = NULL;
	k->phase = AS_WS;
	ws_on_admit(k->live->session, k->live);
	k->ws_idle_us = (int64_t)c.cfg->ws_idle_s * 1000000;
	job_free(j);
	return 0;
}

int
ws_headers(struct conn *k, struct lws_process_html_args *a)
{
	unsigned char *p = (unsigned char *)a->p;

	if (k->phase != AS_WS || k->ws_echo == NULL)
		return 0;
	if (lws_add_http_header_by_name(k->src.wsi, (const unsigned char *)"Sec-WebSocket-Protocol:",
	    (const unsigned char *)k->ws_echo, (int)strlen(k->ws_echo), &p, p + a->max_len) != 0)
		return -1;
	a->p = (char *)p;
	return 0;
}

/* --- the open socket ----------------------------------------------------------------- */

static void
idle_timer(lws_sorted_usec_list_t *sul)
{
	struct conn *k = lws_container_of(sul, struct conn, ws_idle);
	int64_t left = k->ws_heard_us + k->ws_idle_us - clock_mono_us();

	if (left <= 0) {
		ws_on_idle(k->live->session);
		k->ws_heard_us = clock_mono_us();
		left = k->ws_idle_us;
	}
	lws_sul_schedule(loop_context(), 0, sul, idle_timer, left);
}

void
ws_open(struct conn *k)
{
	k->ws_open = true;
	free(k->ws_echo);
	k->ws_echo = NULL;
	if (shm != NULL)
		atomic_fetch_add(&shm->ws_open, 1);
	k->ws_heard_us = clock_mono_us();
	if (k->ws_idle_us > 0)
		lws_sul_schedule(loop_context(), 0, &k->ws_idle, idle_timer, k->ws_idle_us);
	ws_on_open(k->live->session);
}

/*
 * The library answers pings without a word. But it asks to write for the pong, and tells
 * us of every such change: one that we did not ask for is a sign of life.
 */
void
ws_poll_changed(struct conn *k)
{
	if (k->ws_open && !k->ws_asked)
		k->ws_heard_us = clock_mono_us();
}

int
ws_received(struct conn *k, const char *p, size_t n)
{
	struct lws *wsi = k->src.wsi;

	if (lws_frame_is_binary(wsi) || k->live == NULL)
		return 0;
	if (lws_is_first_fragment(wsi)) {
		buf_clear(&k->ws_text);
		k->ws_bytes = 0;
	}
	k->ws_bytes += n;
	if (k->ws_bytes <= WS_TEXT_MAX)
		buf_add(&k->ws_text, p, n);
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
		return 0;
	k->ws_heard_us = clock_mono_us();
	if (k->ws_bytes > WS_TEXT_MAX || k->ws_text.failed)
		ws_on_text(k->live->session, NULL, k->ws_bytes);
	else
		ws_on_text(k->live->session, k->ws_text.p != NULL ? k->ws_text.p : (char[]){ "" }, k->ws_bytes);
	buf_done(&k->ws_text);
	return 0;
}

void
ws_gone(struct conn *k)
{
	if (k->phase != AS_WS || k->live == NULL)
		return;
	lws_sul_cancel(&k->ws_idle);
	live_cut(k->live);
	if (k->live->session != NULL)
		ws_on_close(k->live->session);
	k->live->session = NULL;
	slot_drop(k->live);
	if (k->ws_open && shm != NULL)
		atomic_fetch_sub(&shm->ws_open, 1);
}
