/*
 * The event loop on libwebsockets: context, listening sockets, signals,
 * the list of woken requests, and writing.
 *
 * The library's own listener would neither inherit a socket nor show who is at the
 * other end, so we accept ourselves and hand it connections. Closing from
 * outside a connection's own callback is done by asking for one (conn_close_soon).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/threads.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum {
	HEAD_BYTES = 36864,             /* of one request: nginx lets 4 x 8 KB through, and we add the target */
	HEADS_AT_ONCE = 1200,           /* being parsed: lws does not always wake one that had to wait */
	KEPT_S = 3600,                  /* an idle connection of the front server */
	BODY_S = 60,                    /* between two pieces of a body */
	SERVICE_BYTES = 16384,
	STOP_LOOK_US = 20000,
	ODD_US = 10000,
	SLOW_US = 200000,
};

static struct {
	struct lws_context *ctx;
	struct lws_vhost *vh;
	struct source front, control, signals;
	void (*on_signal)(int);
	int spare_fd;                   /* given up for a moment when descriptors run out */
	struct conn *conns;
	unsigned n_conns;
	/* event streams, longest silent first */
	struct conn *stream_old, *stream_new;
	lws_sorted_usec_list_t stream_timer, stop_timer;
	bool stopping, done;
	int64_t stop_at_us;
} loop = { .spare_fd = -1 };

static struct {
	pthread_mutex_t mu;
	struct live *head;
} woken = { .mu = PTHREAD_MUTEX_INITIALIZER };

struct lws_context *
loop_context(void)
{
	return loop.ctx;
}

bool
loop_stopping(void)
{
	return loop.stopping;
}

/* --- waking the loop --------------------------------------------------------- */

/* With l->mu. Only the first of many wake-ups until the loop looks costs a system call. */
void
live_wake(struct live *l)
{
	bool first;

	if (l->woken)
		return;
	l->woken = true;
	live_hold(l);
	pthread_mutex_lock(&woken.mu);
	first = woken.head == NULL;
	l->next = woken.head;
	woken.head = l;
	pthread_mutex_unlock(&woken.mu);
	if (first && loop.ctx != NULL)
		lws_cancel_service(loop.ctx);
}

static struct live *
take_woken(void)
{
	struct live *l, *turned = NULL;

	pthread_mutex_lock(&woken.mu);
	l = woken.head;
	woken.head = NULL;
	pthread_mutex_unlock(&woken.mu);
	while (l != NULL) {                     /* first come, first served */
		struct live *next = l->next;

		l->next = turned;
		turned = l;
		l = next;
	}
	return turned;
}

static void
serve_woken(void)
{
	struct live *l = take_woken();

	while (l != NULL) {
		struct live *next = l->next;
		struct conn *k = l->conn;

		pthread_mutex_lock(&l->mu);
		l->woken = false;
		pthread_mutex_unlock(&l->mu);
		if (k != NULL && conn_pump(k, false) != 0)
			conn_close_soon(k);
		live_drop(l);
		l = next;
	}
}

/* --- streams: a comment after silence ------------------------------------------ */

static void
stream_leave(struct conn *k)
{
	if (!k->in_streams)
		return;
	*(k->older != NULL ? &k->older->newer : &loop.stream_old) = k->newer;
	*(k->newer != NULL ? &k->newer->older : &loop.stream_new) = k->older;
	k->older = k->newer = NULL;
	k->in_streams = false;
}

static void
stream_comment(struct conn *k)
{
	static const char comment[] = ": keep-alive\n\n";
	unsigned char text[LWS_PRE + sizeof(comment)];

	memcpy(text + LWS_PRE, comment, sizeof(comment));
	if (k->out == NULL && !lws_partial_buffered(k->src.wsi) &&
	    lws_write(k->src.wsi, text + LWS_PRE, sizeof(comment) - 1, LWS_WRITE_HTTP) < 0)
		conn_close_soon(k);
}

static void
stream_timer(lws_sorted_usec_list_t *sul)
{
	int64_t now = clock_mono_us();
	struct conn *k;

	while ((k = loop.stream_old) != NULL && now - k->wrote_us >= KEEP_ALIVE_US) {
		stream_comment(k);
		stream_touch(k);
	}
	if (k != NULL)
		lws_sul_schedule(loop.ctx, 0, sul, stream_timer, k->wrote_us + KEEP_ALIVE_US - now);
}

/* All streams are silent for the same time, so the one written to last goes to the end: no search. */
void
stream_touch(struct conn *k)
{
	bool first = loop.stream_old == NULL;

	stream_leave(k);
	k->wrote_us = clock_mono_us();
	k->in_streams = true;
	k->older = loop.stream_new;
	*(k->older != NULL ? &k->older->newer : &loop.stream_old) = k;
	loop.stream_new = k;
	if (first && lws_dll2_is_detached(&loop.stream_timer.list))
		lws_sul_schedule(loop.ctx, 0, &loop.stream_timer, stream_timer, KEEP_ALIVE_US);
}

/* --- writing -------------------------------------------------------------------- */

/*
 * From outside the connection's own callbacks. What was written is with the kernel by then, or
 * is not worth waiting for.
 */
void
conn_close_soon(struct conn *k)
{
	k->closing = true;
	lws_set_timeout(k->src.wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

/* Has the client sent more than its request, or closed its half? */
static bool
more_to_read(struct conn *k)
{
	char c;

	return recv((int)lws_get_socket_fd(k->src.wsi), &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/*
 * Let the connection be read again. false: more than its request has been read from it before. The
 * library has that in a buffer of its own, which shows only in that it asks to write then, too; and
 * it takes a body from there wrongly and for ever, so who sends the next request too early is cut off.
 */
static bool
read_again(struct conn *k)
{
	unsigned expected = k->may_read ? 0 : 1;

	k->poll_changes = 0;
	lws_rx_flow_control(k->src.wsi, 1 | LWS_RXFLOW_REASON_FLAG_PROCESS_NOW);
	return k->poll_changes <= expected;
}

static void
slow_timer(lws_sorted_usec_list_t *sul)
{
	struct conn *k = lws_container_of(sul, struct conn, slow);

	if (k->may_read) {
		if (more_to_read(k))
			conn_close_soon(k);
		else
			lws_sul_schedule(loop.ctx, 0, sul, slow_timer, SLOW_US);
		return;
	}
	if ((lws_partial_buffered(k->src.wsi) && lws_write(k->src.wsi, NULL, 0, LWS_WRITE_HTTP) < 0) ||
	    conn_pump(k, false) != 0)
		conn_close_soon(k);
}

/*
 * Come back when the connection takes more. The library tells of that only while it may
 * also read, and a connection that has something to read while its request runs makes it spin. So
 * reading is allowed just for the wait; a client that has closed its half is served by
 * a timer instead, and one that sends more while it does not read is cut off.
 */
static void
ask_writable(struct conn *k)
{
	k->ws_asked = true;
	if (k->phase == IN_JOB && !k->may_read) {
		if (more_to_read(k)) {
			lws_sul_schedule(loop.ctx, 0, &k->slow, slow_timer, ODD_US);
			return;
		}
		if (!read_again(k)) {
			conn_close_soon(k);
			return;
		}
		k->may_read = true;
		lws_sul_schedule(loop.ctx, 0, &k->slow, slow_timer, SLOW_US);
	}
	lws_callback_on_writable(k->src.wsi);
}

/* What the thread has queued becomes the connection's. Returns whether that is all there will be. */
static bool
take_output(struct conn *k, bool *dropped)
{
	struct live *l = k->live;
	bool ended;

	pthread_mutex_lock(&l->mu);
	if (k->out == NULL)
		k->out = queue_take(&l->q);
	ended = l->ended;
	*dropped = l->too_slow;
	if (l->sse && !k->in_streams && l->begun && shm != NULL)
		atomic_fetch_add(&shm->sse_open, 1);
	if (l->sse && !k->in_streams)
		stream_touch(k);
	pthread_mutex_unlock(&l->mu);
	return ended;
}

static void
out_shift(struct conn *k)
{
	struct chunk *first = k->out;

	k->out = first->next;
	first->next = NULL;
	chunks_free(first);
}

/* One chunk, or as much of it as one write may be. -1: the connection is broken. */
static ssize_t
write_some(struct conn *k)
{
	struct chunk *c = k->out;
	size_t n = c->len - c->at;

	if (k->phase != AS_WS && n > WRITE_MAX)
		n = WRITE_MAX;
	if (lws_write(k->src.wsi, c->bytes + c->at, n, k->phase == AS_WS ? LWS_WRITE_TEXT : LWS_WRITE_HTTP) < 0)
		return -1;
	c->at += n;
	queue_eaten(&k->live->q, n);
	if (c->at == c->len)
		out_shift(k);
	return (ssize_t)n;
}

/* The answer is out: the connection rests until its next request, or ends. */
static int
answered(struct conn *k)
{
	struct live *l = k->live;
	bool last = l->last || k->raw;

	stream_leave(k);
	if (l->sse && shm != NULL)
		atomic_fetch_sub(&shm->sse_open, 1);
	k->live = NULL;
	l->conn = NULL;
	live_drop(l);
	lws_sul_cancel(&k->slow);
	if (last || !read_again(k))
		return -1;
	k->phase = AT_REST;
	k->may_read = false;
	return lws_http_transaction_completed(k->src.wsi) != 0 ? -1 : 0;
}

static int
farewell(struct conn *k)
{
	lws_close_reason(k->src.wsi, (enum lws_close_status)k->out->close_code,
	    k->out->bytes, k->out->len);
	return -1;
}

int
conn_pump(struct conn *k, bool inside)
{
	bool ended, dropped;
	ssize_t n, written = 0;

	if (k->closing)
		return -1;
	if (k->live == NULL)
		return 0;
	ended = take_output(k, &dropped);
	if (dropped)
		return -1;
	if (!inside && (k->phase == AS_WS || lws_partial_buffered(k->src.wsi))) {
		if (k->out != NULL || lws_partial_buffered(k->src.wsi))
			ask_writable(k);
		return 0;
	}
	while (k->out != NULL && written < WRITE_MAX && !lws_partial_buffered(k->src.wsi)) {
		if (k->out->close_code != 0)
			return farewell(k);
		n = write_some(k);
		if (n < 0)
			return -1;
		written += n;
	}
	if (written > 0 && k->in_streams)
		stream_touch(k);
	if (k->out != NULL || lws_partial_buffered(k->src.wsi)) {
		ask_writable(k);
		return 0;
	}
	if (ended && k->phase == IN_JOB)
		return answered(k);
	if (k->may_read && k->phase == IN_JOB) {
		lws_rx_flow_control(k->src.wsi, 0);
		lws_sul_cancel(&k->slow);
		k->may_read = false;
	}
	return 0;
}

/* --- connections come and go ------------------------------------------------------ */

static struct conn *
conn_new(bool control)
{
	struct conn *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->src.kind = SRC_CONN;
	k->control = control;
	k->ws_text.max = WS_TEXT_MAX;
	k->next = loop.conns;
	if (k->next != NULL)
		k->next->prev = k;
	loop.conns = k;
	loop.n_conns++;
	return k;
}

static void
conn_free(struct conn *k)
{
	*(k->prev != NULL ? &k->prev->next : &loop.conns) = k->next;
	if (k->next != NULL)
		k->next->prev = k->prev;
	loop.n_conns--;
	if (k->in_streams && shm != NULL)
		atomic_fetch_sub(&shm->sse_open, 1);
	stream_leave(k);
	lws_sul_cancel(&k->slow);
	ws_gone(k);
	if (k->live != NULL) {
		k->live->conn = NULL;
		live_cut(k->live);
		live_drop(k->live);
	}
	job_free(k->job);
	chunks_free(k->out);
	buf_done(&k->ws_text);
	free(k->ws_echo);
	free(k);
}

/* The command and root may use control.sock; nobody else gets a word. */
static bool
may_control(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	    (who.uid == geteuid() || who.uid == 0);
}

static void
adopt(int fd, bool control)
{
	struct conn *k;
	lws_adopt_desc_t d = { .vh = loop.vh, .type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP, .fd.sockfd = fd };

	if ((control && !may_control(fd)) || (k = conn_new(control)) == NULL) {
		close(fd);
		return;
	}
	k->adopting = true;
	d.opaque = k;
	k->src.wsi = lws_adopt_descriptor_vhost_via_info(&d);   /* closes fd when it fails */
	k->adopting = false;
	if (k->src.wsi == NULL)
		conn_free(k);
}

/* No descriptor is left: give up the spare one to refuse a client, so that the listener does not spin. */
static void
refuse_one(int listener)
{
	int fd;

	close(loop.spare_fd);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	loop.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_line(LOG_ERROR, "what=\"no file descriptor left for a connection\"");
}

static void
accept_all(struct source *s)
{
	int listener = (int)lws_get_socket_fd(s->wsi);

	for (int i = 0; i < 64; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			adopt(fd, s->kind == SRC_CONTROL);
		else if (errno == EMFILE || errno == ENFILE)
			refuse_one(listener);
		else if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void
read_signals(struct source *s)
{
	struct signalfd_siginfo si;

	while (read((int)lws_get_socket_fd(s->wsi), &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (loop.on_signal != NULL)
			loop.on_signal((int)si.ssi_signo);
}

static void
source_ready(struct source *s)
{
	switch (s->kind) {
	case SRC_FRONT: case SRC_CONTROL:
		accept_all(s);
		break;
	case SRC_SIGNAL:
		read_signals(s);
		break;
	case SRC_WAL:
		wal_touched();
		break;
	case SRC_CONN:
		break;
	}
}

/* --- what the library calls --------------------------------------------------------- */

static void
poll_changed(struct conn *k)
{
	k->poll_changes++;
	ws_poll_changed(k);
}

static int
conn_event(struct conn *k, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return http_begin(k);
	case LWS_CALLBACK_HTTP_BODY:
		return http_body(k, in, len);
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return http_body_end(k);
	case LWS_CALLBACK_RAW_RX:
		return http_unknown_method(k, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		k->ws_asked = false;
		return conn_pump(k, true);
	case LWS_CALLBACK_HTTP_WRITEABLE:
	case LWS_CALLBACK_RAW_WRITEABLE:
		return conn_pump(k, true);
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		return ws_upgrade(k, in);
	case LWS_CALLBACK_ADD_HEADERS:
		return ws_headers(k, in);
	case LWS_CALLBACK_ESTABLISHED:
		ws_open(k);
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return ws_received(k, in, len);
	case LWS_CALLBACK_WSI_DESTROY:
		if (!k->adopting)
			conn_free(k);
		return 0;
	default:
		return 0;
	}
}

static int
on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct source *s;

	(void)user;
	if (reason == LWS_CALLBACK_EVENT_WAIT_CANCELLED) {
		serve_woken();
		return 0;
	}
	s = lws_get_opaque_user_data(wsi);
	if (reason == LWS_CALLBACK_GET_THREAD_ID) {
		if (s != NULL && s->kind == SRC_CONN)
			poll_changed((struct conn *)s);
		return 1;
	}
	if (s == NULL)
		return 0;
	if (s->kind == SRC_CONN) {
		if (((struct conn *)s)->src.wsi == NULL)
			((struct conn *)s)->src.wsi = wsi;
		return conn_event((struct conn *)s, reason, in, len);
	}
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		source_ready(s);
	else if (reason == LWS_CALLBACK_WSI_DESTROY)
		s->wsi = NULL;
	return 0;
}

/* The second one lends its name to the sub-protocol of one upgrade (loop_ws.c). */
static const struct lws_protocols protocols[] = {
	{ .name = "", .callback = on_event, .rx_buffer_size = 2048, .tx_packet_size = WRITE_MAX },
	{ .name = ws_protocol_name, .callback = on_event, .rx_buffer_size = 2048, .tx_packet_size = WRITE_MAX },
	{ .name = NULL },
};

static void
library_says(int level, const char *text)
{
	char q[512], line[256];
	size_t n = strcspn(text, "\n");

	if (n >= sizeof(line))
		n = sizeof(line) - 1;
	memcpy(line, text, n);
	line[n] = '\0';
	log_line(level == LLL_ERR ? LOG_WARN : LOG_DEBUG, "what=%s", log_quote(line, q, sizeof(q)));
}

/* --- opening and running -------------------------------------------------------------- */

int
loop_listen(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && chmod(path, 0600) == 0 && listen(fd, 1024) == 0)
		return fd;
	close(fd);
	return -1;
}

struct lws *
loop_watch(struct source *s, enum source_kind kind, int fd)
{
	lws_adopt_desc_t d = { .vh = loop.vh, .type = LWS_ADOPT_RAW_FILE_DESC, .fd.filefd = fd, .opaque = s };

	s->kind = kind;
	s->wsi = lws_adopt_descriptor_vhost_via_info(&d);
	return s->wsi;
}

static struct lws_context *
make_context(void)
{
	struct lws_context_creation_info i = {
		.port = CONTEXT_PORT_NO_LISTEN,
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_VALIDATE_UTF8 |
		    LWS_SERVER_OPTION_NO_LWS_SYSTEM_STATES | LWS_SERVER_OPTION_FALLBACK_TO_RAW,
		.gid = (gid_t)-1, .uid = (uid_t)-1,
		.max_http_header_data2 = HEAD_BYTES,
		.max_http_header_pool = HEADS_AT_ONCE,
		.keepalive_timeout = KEPT_S,
		.timeout_secs = BODY_S,
		.pt_serv_buf_size = SERVICE_BYTES,
		.listen_accept_role = "raw-skt",
		.listen_accept_protocol = "",
		.vhost_name = "librefangd",
	};

	lws_set_log_level(LLL_ERR | LLL_WARN, library_says);
	loop.ctx = lws_create_context(&i);
	if (loop.ctx != NULL)
		loop.vh = lws_create_vhost(loop.ctx, &i);
	return loop.vh == NULL ? NULL : loop.ctx;
}

static bool
watch_or_close(struct source *s, enum source_kind kind, int fd)
{
	return fd < 0 || (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 &&
	    loop_watch(s, kind, fd) != NULL);
}

enum err
loop_open(const struct loop_options *o)
{
	loop.stopping = loop.done = false;
	loop.on_signal = o->on_signal;
	loop.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (make_context() == NULL ||
	    !watch_or_close(&loop.front, SRC_FRONT, o->front_fd) ||
	    !watch_or_close(&loop.control, SRC_CONTROL, o->control_fd) ||
	    !watch_or_close(&loop.signals, SRC_SIGNAL, o->signal_fd))
		return ERR_UNAVAILABLE;
	if (o->wal_path != NULL)
		wal_start(o->wal_path, o->on_wal);
	return ERR_OK;
}

static bool
all_answered(void)
{
	for (struct conn *k = loop.conns; k != NULL; k = k->next)
		if (k->phase != AT_REST || k->out != NULL)
			return false;
	return threads_busy() == 0;
}

bool
loop_run(void)
{
	while (!loop.done && lws_service(loop.ctx, 0) >= 0)
		;
	return all_answered();
}


static void
stop_timer(lws_sorted_usec_list_t *sul)
{
	if (all_answered() || clock_mono_us() >= loop.stop_at_us) {
		loop.done = true;
		lws_cancel_service(loop.ctx);   /* or it would sleep once more before it looks */
	} else {
		lws_sul_schedule(loop.ctx, 0, sul, stop_timer, STOP_LOOK_US);
	}
}

void
loop_stop(unsigned within_ms)
{
	struct source *const listeners[] = { &loop.front, &loop.control };

	if (loop.stopping)
		return;
	loop.stopping = true;
	loop.stop_at_us = clock_mono_us() + (int64_t)within_ms * 1000;
	for (size_t i = 0; i < ARRAY_LEN(listeners); i++)
		if (listeners[i]->wsi != NULL)
			lws_set_timeout(listeners[i]->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	for (struct conn *k = loop.conns; k != NULL; k = k->next)
		if (k->phase == AS_WS && k->live != NULL)
			live_ws_close(k->live, LWS_CLOSE_STATUS_GOINGAWAY, "going down");
	lws_sul_schedule(loop.ctx, 0, &loop.stop_timer, stop_timer, 1);
}

void
loop_close(void)
{
	struct live *l;

	wal_stop();
	ws_db_close();
	lws_sul_cancel(&loop.stream_timer);
	lws_sul_cancel(&loop.stop_timer);
	lws_context_destroy(loop.ctx);
	loop.ctx = NULL;
	loop.vh = NULL;
	while ((l = take_woken()) != NULL)
		for (struct live *next; l != NULL; l = next) {
			next = l->next;
			live_drop(l);
		}
	if (loop.spare_fd >= 0)
		close(loop.spare_fd);
	loop.spare_fd = -1;
}
