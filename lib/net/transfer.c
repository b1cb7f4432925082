/*
 * One request on one line: options, callbacks, and the loop around libcurl.
 *
 * A line comes from the pool with the options of its last call still set; so
 * everything that differs from call to call is set in set_request(), and what points
 * into the caller's memory is taken back in unset_request(). The loop polls in slices only
 * for its own clocks (idle_ms, enough); a cancel wakes it at once.
 */
#include "lib/net/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "lib/base/util.h"
#include "lib/net/guard.h"
#include "lib/net/tls.h"

enum {
	DEFAULT_MAX = 64 * 1024 * 1024,
	REDIRECT_TEXT_MAX = 65536,      /* read and dropped, so that the line stays good */
	LOCATION_MAX = 8192,
	BUFFER_BYTES = 16384,
	STREAM_BUFFER_BYTES = 2048,     /* a stream comes in small pieces, and a thousand may be open */
	ENOUGH_US = 100000,
	POLL_MAX_MS = 1000,
};

static size_t
max_bytes(const struct http_call *call)
{
	return call->max_bytes != 0 ? call->max_bytes : DEFAULT_MAX;
}

/* --- callbacks ----------------------------------------------------------- */

static size_t
stop(struct hop *h, int how)
{
	h->how = how;
	return 0;
}

static size_t
take_whole(struct hop *h, const char *p, size_t n)
{
	size_t room = max_bytes(h->call) - h->got;

	if (n > room && !h->call->cut)
		return stop(h, TOO_MUCH);
	buf_add(&h->ans->body, p, n > room ? room : n);
	if (h->ans->body.failed)
		return stop(h, NO_MEMORY);
	h->got += n;
	return n > room ? stop(h, CUT) : n;
}

static size_t
take_stream(struct hop *h, const char *p, size_t n)
{
	size_t room = max_bytes(h->call) - h->got;
	size_t use = n > room ? room : n;

	if (n > room && !h->call->cut)
		return stop(h, TOO_MUCH);
	if (h->enough_us != 0)
		return n;
	if (use > 0 && !h->call->on_bytes(h->call->arg, p, use))
		return stop(h, STOPPED);
	h->got += use;
	if (h->call->enough != NULL && *h->call->enough)
		h->enough_us = h->last_us;
	return n > room ? stop(h, CUT) : n;
}

static bool
is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static size_t
on_body(char *p, size_t one, size_t n, void *arg)
{
	struct hop *h = arg;

	n *= one;
	h->last_us = clock_mono_us();
	if (h->status == 0)
		curl_easy_getinfo(h->line->easy, CURLINFO_RESPONSE_CODE, &h->status);
	if (h->follows && h->location != NULL && is_redirect(h->status)) {
		h->got += n;
		return h->got > REDIRECT_TEXT_MAX ? stop(h, DROPPED) : n;
	}
	if (h->call->on_bytes != NULL && h->status / 100 == 2)
		return take_stream(h, p, n);
	return take_whole(h, p, n);
}

/* The value if this header line has that name; n becomes its length. */
static const char *
value_of(const char *line, size_t *n, const char *name)
{
	size_t nn = strlen(name), len = *n;

	if (len <= nn || line[nn] != ':' || strncasecmp(line, name, nn) != 0)
		return NULL;
	line += nn + 1;
	len -= nn + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]) != NULL)
		len--;
	*n = len;
	return line;
}

static int64_t
seconds_of(const char *v, size_t n)
{
	char t[64];
	time_t when;

	if (n == 0 || n >= sizeof(t))
		return -1;
	memcpy(t, v, n);
	t[n] = '\0';
	if (strspn(t, "0123456789") == n)
		return n > 9 ? 999999999 : strtoll(t, NULL, 10);
	when = curl_getdate(t, NULL);
	if (when == (time_t)-1)
		return -1;
	when -= (time_t)(clock_ms() / 1000);
	return when > 0 ? when : 0;
}

/*
 * The last line of an answer's head. libcurl sends a request again only when no byte of an answer has come,
 * so a body that is out by now is not looked at any more.
 */
static void
head_ends(struct hop *h)
{
	struct buf *spent = h->call->spent;
	curl_off_t sent = 0;
	long status = 0;

	if (spent == NULL || !h->body || h->call->max_redirects > 0)
		return;
	curl_easy_getinfo(h->line->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(h->line->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (status >= 200 && (uint64_t)sent == h->call->body_bytes)
		buf_done(spent);
}

static size_t
on_header(char *p, size_t one, size_t n, void *arg)
{
	struct hop *h = arg;
	const char *v;
	size_t len;

	n *= one;
	h->last_us = clock_mono_us();
	if (n == 2 && p[0] == '\r')
		head_ends(h);
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) {     /* a new head, perhaps after a 1xx */
		free(h->location);
		h->location = NULL;
		h->retry_after_s = -1;
		h->ans->content_type[0] = '\0';
	}
	if ((len = n, v = value_of(p, &len, "content-type")) != NULL)
		snprintf(h->ans->content_type, sizeof(h->ans->content_type), "%.*s", (int)(len < 120 ? len : 120), v);
	else if ((len = n, v = value_of(p, &len, "retry-after")) != NULL)
		h->retry_after_s = seconds_of(v, len);
	else if (h->call->on_header != NULL)
		h->call->on_header(h->call->arg, p, n);
	else if ((len = n, v = value_of(p, &len, "location")) != NULL &&
	    h->location == NULL && len > 0 && len <= LOCATION_MAX)
		h->location = strndup(v, len);
	return n;
}

static void
addr_text(const struct sockaddr *sa, char out[static 46])
{
	out[0] = '\0';
	if (sa->sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, out, 46);
	else if (sa->sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, out, 46);
}

/* The last word on where it connects to, be it a proxy. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *sa)
{
	struct hop *h = arg;
	char t[46];
	bool good = !h->call->guard;

	(void)purpose;
	addr_text(&sa->addr, t);
	for (unsigned i = 0; !good && h->addrs != NULL && i < h->addrs->n; i++)
		good = strcmp(h->addrs->text[i], t) == 0;
	if (!good || addr_secret(t)) {
		h->how = WRONG_ADDR;
		return CURL_SOCKET_BAD;
	}
	return socket(sa->family, sa->socktype | SOCK_CLOEXEC, sa->protocol);
}

/* Connected, nothing sent yet: now the peer must prove who it is. */
static int
on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct hop *h = arg;
	const struct curl_tlssessioninfo *tls = NULL;

	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	if (!h->to->https)
		return CURL_PREREQFUNC_OK;
	if (curl_easy_getinfo(h->line->easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls != NULL &&
	    tls->backend == CURLSSLBACKEND_GNUTLS && tls_trusts(tls->internals, h->to->host))
		return CURL_PREREQFUNC_OK;
	h->how = UNTRUSTED;
	return CURL_PREREQFUNC_ABORT;
}

/* --- options ------------------------------------------------------------- */

/* What curl copies, and so may fail, is looked at. */
static bool
set_constant(CURL *e)
{
	if (curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_USERAGENT, "librefang") != CURLE_OK)
		return false;
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	/* verified in on_connected */
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L);   /* a resumed session may show no certificate */
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)LINE_IDLE_S);
	return true;
}

static bool
set_method(CURL *e, const struct hop *h)
{
	const char *m = h->method;

	if (h->body || strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, h->body && h->call->body ? h->call->body : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(h->body ? h->call->body_bytes : 0));
	} else if (strcmp(m, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	return curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0 ||
	    strcmp(m, "POST") == 0 ? NULL : m) == CURLE_OK;
}

static bool
set_request(CURL *e, struct hop *h)
{
	const struct http_call *call = h->call;
	int64_t left_ms = (h->deadline_us - clock_mono_us()) / 1000;

	if (left_ms < 1)
		left_ms = 1;
	if (!set_method(e, h) || curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, call->on_bytes == NULL ? "" : NULL) != CURLE_OK)
		return false;
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers);
	curl_easy_setopt(e, CURLOPT_RESOLVE, h->pins);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)left_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->connect_ms ? call->connect_ms : 10000));
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)(call->on_bytes == NULL ? BUFFER_BYTES : STREAM_BUFFER_BYTES));
	curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, h);
	if (curl_easy_setopt(e, CURLOPT_USERPWD, h->to->userpwd) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_PROXY, call->proxy != NULL ? call->proxy : "") != CURLE_OK)
		return false;
	return curl_easy_setopt(e, CURLOPT_URL, h->to->url) == CURLE_OK;
}

static void
unset_request(CURL *e)
{
	curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(e, CURLOPT_RESOLVE, NULL);
	curl_easy_setopt(e, CURLOPT_USERPWD, NULL);
}

/* --- the loop ------------------------------------------------------------ */

static enum err
say(struct hop *h, enum err e, const char *what)
{
	snprintf(h->ans->why, sizeof(h->ans->why), "%s (%.100s)", what, h->to->host);
	return e;
}

static enum err
judge_stop(struct hop *h)
{
	switch (h->how) {
	case CUT: case DROPPED:
		return ERR_OK;
	case STOPPED:
		return say(h, ERR_CANCELLED, "the reader stopped");
	case TOO_MUCH:
		return say(h, ERR_TOO_LARGE, "the answer is too large");
	case UNTRUSTED:
		return say(h, ERR_UPSTREAM, "the certificate is not trusted");
	case WRONG_ADDR:
		return say(h, ERR_FORBIDDEN, "the way leads to an address that is not allowed");
	default:
		return say(h, ERR_NOMEM, "out of memory");
	}
}

static enum err
judge(struct hop *h, CURLcode rc)
{
	long tunnel = 0;

	if (h->how != GOING)
		return judge_stop(h);
	if (rc != CURLE_OK && h->call->proxy != NULL)
		curl_easy_getinfo(h->line->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
	if (tunnel / 100 > 2)
		return tunnel == 407 ? say(h, ERR_FORBIDDEN, "the proxy refused the user or the password")
		    : say(h, ERR_UPSTREAM, "the proxy refused the way");
	switch (rc) {
	case CURLE_OK:
		if (h->call->proxy == NULL || curl_easy_getinfo(h->line->easy, CURLINFO_RESPONSE_CODE, &tunnel) != CURLE_OK || tunnel != 407)
			return ERR_OK;
		return say(h, ERR_FORBIDDEN, "the proxy refused the user or the password");
	case CURLE_OPERATION_TIMEDOUT:
		return say(h, ERR_TIMEOUT, "no answer in time");
	case CURLE_OUT_OF_MEMORY:
		return say(h, ERR_NOMEM, "out of memory");
	case CURLE_COULDNT_CONNECT:
		return say(h, ERR_UPSTREAM, "cannot connect");
	case CURLE_COULDNT_RESOLVE_HOST:
		return say(h, ERR_UPSTREAM, "no such host name");
	case CURLE_COULDNT_RESOLVE_PROXY:
		return say(h, ERR_UPSTREAM, "no such proxy");
	case CURLE_PEER_FAILED_VERIFICATION:
		return say(h, ERR_UPSTREAM, "the certificate is not trusted");
	case CURLE_SSL_CONNECT_ERROR:
		return say(h, ERR_UPSTREAM, "TLS failed");
	case CURLE_PROXY:
		return say(h, ERR_UPSTREAM, "the proxy refused");
	case CURLE_GOT_NOTHING: case CURLE_PARTIAL_FILE: case CURLE_RECV_ERROR: case CURLE_SEND_ERROR:
		return say(h, ERR_UPSTREAM, "the connection broke");
	case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY:
		return say(h, ERR_UPSTREAM, "the peer speaks no HTTP that we know");
	case CURLE_URL_MALFORMAT:
		return say(h, ERR_BAD_REQUEST, "the address cannot be used");
	default:
		return say(h, ERR_UPSTREAM, curl_easy_strerror(rc));
	}
}

/* Tell that nothing comes, once per silence; how long until the next look. */
static int64_t
quiet(struct hop *h, int64_t now, int64_t left)
{
	int64_t due = h->last_us + h->call->quiet_ms * 1000ll - now;

	if (h->got == 0 || h->quiet_us == h->last_us)
		return left;
	if (due > 0)
		return due < left ? due : left;
	h->quiet_us = h->last_us;
	h->call->on_quiet(h->call->arg);
	return left;
}

/* What our own clocks say: ERR_OK and *wait_ms to go on; else the end of it, *end. */
static bool
clocks(struct hop *h, int *wait_ms, enum err *end)
{
	int64_t now = clock_mono_us(), left = POLL_MAX_MS * 1000;

	if (cancelled(h->call->cancel)) {
		*end = say(h, ERR_CANCELLED, "cancelled");
		return false;
	}
	if (h->enough_us != 0) {
		left = h->enough_us + ENOUGH_US - now;
		*end = ERR_OK;
	} else if (now >= h->deadline_us) {
		left = 0;
		*end = say(h, ERR_TIMEOUT, "no answer in time");
	} else if (h->call->idle_ms != 0) {
		int64_t idle = h->last_us + h->call->idle_ms * 1000ll - now;

		if (idle <= 0)
			*end = say(h, ERR_TIMEOUT, "the peer fell silent");
		left = idle < left ? idle : left;
	}
	if (h->call->quiet_ms != 0 && left > 0)
		left = quiet(h, now, left);
	*wait_ms = left > POLL_MAX_MS * 1000 ? POLL_MAX_MS : (int)((left + 999) / 1000);
	return left > 0;
}

static enum err
run(struct hop *h, CURLM *m)
{
	enum err end = ERR_OK;
	int running = 1, n, wait_ms;

	h->last_us = clock_mono_us();
	for (bool waits = false; clocks(h, &wait_ms, &end); waits = true) {
		CURLMsg *msg;

		if (curl_multi_perform(m, &running) != CURLM_OK)
			return say(h, ERR_UPSTREAM, "the transfer failed");
		msg = curl_multi_info_read(m, &n);
		if (msg != NULL && msg->msg == CURLMSG_DONE)
			return judge(h, msg->data.result);
		if (!clocks(h, &wait_ms, &end))
			break;
		if (!waits)
			http_waits();
		if (curl_multi_poll(m, NULL, 0, wait_ms, NULL) != CURLM_OK)
			return say(h, ERR_UPSTREAM, "the transfer failed");
	}
	return end;
}

enum err
hop_run(struct hop *h, const uint8_t key[static 32])
{
	struct line *l = line_take(key);
	void *known = NULL;
	enum err e = ERR_NOMEM;

	h->retry_after_s = -1;
	if (l == NULL)
		return say(h, ERR_NOMEM, "out of memory");
	h->line = l;
	curl_easy_getinfo(l->easy, CURLINFO_PRIVATE, &known);
	if (known == NULL && set_constant(l->easy)) {
		curl_easy_setopt(l->easy, CURLOPT_PRIVATE, l);
		known = l;
	}
	if (known == NULL || !set_request(l->easy, h)) {
		e = say(h, ERR_NOMEM, "out of memory");
	} else if (curl_multi_add_handle(l->multi, l->easy) != CURLM_OK) {
		e = say(h, ERR_NOMEM, "out of memory");
	} else {
		cancel_attach(h->call->cancel, l->multi);
		e = run(h, l->multi);
		cancel_detach(h->call->cancel);
		curl_easy_getinfo(l->easy, CURLINFO_RESPONSE_CODE, &h->status);
		curl_multi_remove_handle(l->multi, l->easy);
	}
	unset_request(l->easy);
	line_give(l, e != ERR_OK && e != ERR_CANCELLED);
	h->line = NULL;
	return e;
}

void
hop_done(struct hop *h)
{
	free(h->location);
	h->location = NULL;
	curl_slist_free_all(h->headers);
	curl_slist_free_all(h->pins);
	h->headers = h->pins = NULL;
}
