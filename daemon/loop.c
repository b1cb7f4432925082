/*
 * The event loop on libwebsockets: context, listening sockets, signals,
 * and the list of woken requests.
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
#include <time.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/keep.h"
#include "daemon/threads.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum {
	FDS_LOOKED_AT = 256,
	HEAD_BYTES = 36864,             /* of one request: nginx lets 4 x 8 KB through, and we add the target */
	HEADS_AT_ONCE = 1200,           /* being parsed: lws does not always wake one that had to wait */
	KEPT_S = 3600,                  /* an idle connection of the front server */
	BODY_S = 60,                    /* between two pieces of a body */
	ACCEPT_AT_ONCE = 16,            /* each has room for a head until the next round */
	SERVICE_BYTES = 16384,
	STOP_LOOK_US = 20000,
	GATHER_FROM_US = 200, GATHER_MAX_US = 2000,
};

static struct {
	struct lws_context *ctx;
	struct lws_vhost *vh;
	struct source front, control, signals;
	void (*on_signal)(int);
	int spare_fd;                   /* given up for a moment when descriptors run out */
	struct conn *conns;
	unsigned n_conns;
	lws_sorted_usec_list_t stop_timer;
	bool stopping, done, sockets_closed;
	int64_t stop_at_us, stop_sockets_us;
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
		if (k != NULL)
			http_feed_on(k);
		if (k != NULL && conn_pump(k, false) != 0)
			conn_close_soon(k);
		live_drop(l);
		l = next;
	}
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
	conn_writes_no_more(k);
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
	else if (k->poll_changes > 0 && loop.n_conns < HEADS_AT_ONCE)
		conn_close_soon(k);     /* it is not read: no memory for a head, and the library waits for another's */
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

	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
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
	case SRC_ALARM:
		alarm_fired();
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

/* Descriptors by which another thread can wake somebody. */
static unsigned
wakers(void)
{
	char path[32], what[32];
	unsigned n = 0;

	for (int fd = 0; fd < FDS_LOOKED_AT; fd++) {
		ssize_t k;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		k = readlink(path, what, sizeof(what));
		n += k > 5 && (memcmp(what, "pipe:", 5) == 0 || (k >= 20 && memcmp(what, "anon_inode:[eventfd]", 20) == 0));
	}
	return n;
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
	unsigned had = wakers();

	lws_set_log_level(LLL_ERR | LLL_WARN, library_says);
	loop.ctx = lws_create_context(&i);
	if (wakers() == had && access("/proc/self/fd", F_OK) == 0)      /* the library goes on, deaf to threads */
		return NULL;
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
	loop.stopping = loop.done = loop.sockets_closed = false;
	loop.on_signal = o->on_signal;
	loop.spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (make_context() == NULL ||
	    !watch_or_close(&loop.front, SRC_FRONT, o->front_fd) ||
	    !watch_or_close(&loop.control, SRC_CONTROL, o->control_fd) ||
	    !watch_or_close(&loop.signals, SRC_SIGNAL, o->signal_fd))
		return ERR_UNAVAILABLE;
	if (o->wal_path != NULL)
		wal_start(o->wal_path, o->on_wal, o->wal_bytes, o->on_commit);
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

/*
 * Each look at the sockets costs as much as there are of them. With many, let a little more happen
 * between two looks: two microseconds per connection, which nobody notices.
 */
static void
gather(void)
{
	unsigned us = 2 * loop.n_conns;

	if (us > GATHER_MAX_US)
		us = GATHER_MAX_US;
	if (us >= GATHER_FROM_US)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = us * 1000 }, NULL);
}

bool
loop_run(void)
{
	while (!loop.done && lws_service(loop.ctx, 0) >= 0)
		gather();
	return all_answered();
}

/* Their turns have said how they ended, or do not in time. */
static void
close_sockets(void)
{
	if (loop.sockets_closed || (threads_busy() > 0 && clock_mono_us() < loop.stop_sockets_us))
		return;
	loop.sockets_closed = true;
	for (struct conn *k = loop.conns; k != NULL; k = k->next)
		if (k->phase == AS_WS && k->live != NULL)
			live_ws_close(k->live, LWS_CLOSE_STATUS_GOINGAWAY, "going down");
}

static void
stop_timer(lws_sorted_usec_list_t *sul)
{
	close_sockets();
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
	loop.stop_sockets_us = clock_mono_us() + (int64_t)within_ms * 500;
	for (size_t i = 0; i < ARRAY_LEN(listeners); i++)
		if (listeners[i]->wsi != NULL)
			lws_set_timeout(listeners[i]->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	lws_sul_schedule(loop.ctx, 0, &loop.stop_timer, stop_timer, 1);
}

void
loop_close(void)
{
	struct live *l;

	wal_stop();
	keep_stop();
	ws_db_close();
	streams_stop();
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
