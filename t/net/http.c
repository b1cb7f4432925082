/* The HTTP client against a small server: reuse, redirects, guard, cancel, limits. */
#include <json-c/json.h>
#include <netdb.h>
#include <time.h>

#include "lib/base/util.h"
#include "lib/net/resolve.h"
#include "t/net/httpd.h"
#include "t/tap.h"

static struct httpd one, two;
static struct json_object *loopback;
static _Atomic bool slow_dns;
static const char *moved;       /* where moves.example is now; NULL: here */

static bool
serve(int fd, const struct seen *rq, void *arg)
{
	char h[2048], v[4][64];

	(void)arg;
	if (strcmp(rq->path, "/silent") == 0) {
		httpd_silence(fd);
		return false;
	}
	if (strcmp(rq->path, "/half") == 0) {
		httpd_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		return false;
	}
	if (strcmp(rq->path, "/halfsilent") == 0) {
		httpd_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
		httpd_silence(fd);
		return false;
	}
	if (strcmp(rq->path, "/garbage") == 0) {
		httpd_say(fd, "SSH-2.0-x\r\n\r\n");
		return false;
	}
	if (strcmp(rq->path, "/busy") == 0)
		return httpd_answer(fd, 429, "Retry-After: 7\r\n", "slow down");
	if (strcmp(rq->path, "/later") == 0)
		return httpd_answer(fd, 503, "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", "");
	if (strcmp(rq->path, "/loop") == 0)
		return httpd_answer(fd, 302, "Location: /loop\r\n", "again");
	if (strncmp(rq->path, "/to/", 4) == 0) {        /* /to/307/... */
		snprintf(h, sizeof(h), "Location: /echo\r\n");
		return httpd_answer(fd, atoi(rq->path + 4), h, "moved");
	}
	if (strcmp(rq->path, "/away") == 0) {
		snprintf(h, sizeof(h), "Location: http://127.0.0.1:%u/echo\r\n", two.port);
		return httpd_answer(fd, 302, h, "");
	}
	if (strcmp(rq->path, "/metadata") == 0)
		return httpd_answer(fd, 302, "Location: http://169.254.169.254/latest/\r\n", "");
	if (strcmp(rq->path, "/file") == 0)
		return httpd_answer(fd, 302, "Location: file:///etc/passwd\r\n", "");
	snprintf(h, sizeof(h), "%s %s body=%s auth=%s key=%s type=%s expect=%s", rq->method, rq->path, rq->body,
	    seen_header(rq, "Authorization", v[0], sizeof(v[0])) ? v[0] : "-",
	    seen_header(rq, "X-Api-Key", v[1], sizeof(v[1])) ? "yes" : "-",
	    seen_header(rq, "Content-Type", v[2], sizeof(v[2])) ? v[2] : "-",
	    seen_header(rq, "Expect", v[3], sizeof(v[3])) ? v[3] : "-");
	return httpd_answer(fd, 200, "Content-Type: text/plain\r\n", strcmp(rq->method, "HEAD") == 0 ? "" : h);
}

static enum err
go(struct http_call *call, const char *path, struct http_answer *a)
{
	char url[300];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", one.port, path);
	if (call->url == NULL)
		call->url = url;
	return http_do(call, a);
}

static void
plain(void)
{
	struct http_answer a;
	static const char *const headers[] = { "Authorization: Bearer k", "Content-Type: application/json",
	    "Host: evil.example", "Content-Length: 999", NULL };
	unsigned before = atomic_load(&one.conns);

	is_int(go(&(struct http_call){ 0 }, "/echo", &a), ERR_OK, "a GET is answered");
	is_int(a.status, 200, "with its status");
	is_str(a.body.p, "GET /echo body= auth=- key=- type=- expect=-", "and its text");
	is_str(a.content_type, "text/plain", "and its media type");
	ok(strstr(a.final_url, "/echo") != NULL, "and where it came from");
	buf_done(&a.body);
	for (int i = 0; i < 5; i++) {
		is_int(go(&(struct http_call){ .method = "GET" }, "/echo", &a), ERR_OK, "and again");
		buf_done(&a.body);
	}
	is_int(atomic_load(&one.conns) - before, 1, "six calls share one connection");

	is_int(go(&(struct http_call){ .method = "POST", .headers = headers, .body = "{\"a\":1}", .body_bytes = 7 },
	    "/post", &a), ERR_OK, "a POST is answered");
	is_str(a.body.p, "POST /post body={\"a\":1} auth=Bearer k key=- type=application/json expect=-",
	    "with body and headers, framing headers of the caller's ignored");
	buf_done(&a.body);
	is_int(atomic_load(&one.conns) - before, 2, "another credential has a connection of its own");

	is_int(go(&(struct http_call){ .method = "PUT", .body = "x", .body_bytes = 1 }, "/p", &a), ERR_OK, "PUT");
	is_str(a.body.p, "PUT /p body=x auth=- key=- type=- expect=-", "arrives as PUT");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .method = "DELETE" }, "/d", &a), ERR_OK, "DELETE");
	is_str(a.body.p, "DELETE /d body= auth=- key=- type=- expect=-", "arrives as DELETE");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .method = "HEAD" }, "/h", &a), ERR_OK, "HEAD has no body to wait for");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .method = "GET" }, "/g", &a), ERR_OK, "a GET on the line that sent a HEAD");
	is_str(a.body.p, "GET /g body= auth=- key=- type=- expect=-", "is a GET with a body");
	buf_done(&a.body);
	is_int(atomic_load(&one.conns) - before, 2, "all on the kept connection");
}

/* What held the request goes when the answer begins, not before. */
static void
spends(void)
{
	struct http_answer a;
	struct buf b = BUF_INIT(1 << 20);
	struct http_call call = { .method = "POST", .spent = &b };

	for (int big = 0; big < 2; big++) {
		for (int i = 0; i < (big ? 9000 : 1); i++)
			buf_str(&b, "0123456789");
		call.body = b.p;
		call.body_bytes = b.len;
		call.idle_ms = 150;
		is_int(go(&call, "/silent", &a), ERR_TIMEOUT, "no answer to a body of %zu bytes", b.len);
		ok(b.len == call.body_bytes, "leaves the body where it is");
		buf_done(&a.body);
		is_int(go(&call, "/halfsilent", &a), ERR_TIMEOUT, "while an answer that has begun");
		ok(b.p == NULL, "has given its memory back");
		buf_done(&a.body);
		buf_done(&b);
	}
	buf_str(&b, "b");
	call = (struct http_call){ .method = "POST", .spent = &b, .body = b.p, .body_bytes = 1, .max_redirects = 1 };
	is_int(go(&call, "/307", &a), ERR_OK, "a redirect");
	ok(strstr(a.body.p, "body=b") != NULL && b.len == 1, "may need the body again");
	buf_done(&a.body);
	buf_done(&b);
}

static void
refusals(void)
{
	struct http_answer a;
	static const char *const split[] = { "X-A: b\r\nX-Evil: 1", NULL };
	static const char *const urls[] = { "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://x/", "//x/", "x",
	    "", "http://", "http://a b/", "http://x:99999/" };

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		is_int(go(&(struct http_call){ .url = urls[i] }, "", &a), ERR_BAD_REQUEST, "no address for us: \"%s\"",
		    urls[i]);
		buf_done(&a.body);
	}
	is_int(go(&(struct http_call){ .headers = split }, "/echo", &a), ERR_BAD_REQUEST, "a header with a line end");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .method = "GET / HTTP/1.1\r\nX" }, "/echo", &a), ERR_BAD_REQUEST,
	    "a method with a line end");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .url = "http://127.0.0.1:1/" }, "", &a), ERR_UPSTREAM, "nobody listens");
	ok(strstr(a.why, "connect") != NULL, "and the reason says so");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ 0 }, "/half", &a), ERR_UPSTREAM, "an answer that breaks off is an error");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ 0 }, "/garbage", &a), ERR_UPSTREAM, "a peer that speaks no HTTP");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ 0 }, "/busy", &a), ERR_OK, "429 is an answer");
	is_int(a.status, 429, "with its status");
	is_int(a.retry_after_s, 7, "and Retry-After in seconds");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ 0 }, "/later", &a), ERR_OK, "503 with a date");
	is_int(a.retry_after_s, 0, "a date in the past is now");
	buf_done(&a.body);
}

static void
limits(void)
{
	struct http_answer a;
	int64_t t = clock_mono_us();

	is_int(go(&(struct http_call){ .max_bytes = 10 }, "/echo", &a), ERR_TOO_LARGE, "an answer beyond its maximum");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .max_bytes = 10, .cut = true }, "/echo", &a), ERR_OK, "or cut there");
	is_str(a.body.p, "GET /echo ", "to the byte");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .timeout_ms = 150 }, "/silent", &a), ERR_TIMEOUT, "a silent peer times out");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .idle_ms = 150 }, "/halfsilent", &a), ERR_TIMEOUT, "silence in the middle too");
	buf_done(&a.body);
	ok(clock_mono_us() - t < 30000000, "and both in time");
}

static void
redirects(void)
{
	struct http_answer a;
	static const char *const headers[] = { "Authorization: Bearer k", "X-Api-Key: k", "Content-Type: text/x", NULL };
	struct http_call call = { .method = "POST", .body = "b", .body_bytes = 1, .headers = headers, .max_redirects = 3 };

	for (int s = 301; s <= 303; s++) {
		char path[16];

		snprintf(path, sizeof(path), "/to/%d", s);
		is_int(go(&(struct http_call){ .method = "POST", .body = "b", .body_bytes = 1, .headers = headers,
		    .max_redirects = 3 }, path, &a), ERR_OK, "%d is followed", s);
		is_str(a.body.p, "GET /echo body= auth=Bearer k key=yes type=- expect=-", "%d turns POST to GET", s);
		buf_done(&a.body);
	}
	is_int(go(&call, "/to/307", &a), ERR_OK, "307 is followed");
	is_str(a.body.p, "POST /echo body=b auth=Bearer k key=yes type=text/x expect=-", "307 keeps method and body");
	ok(strstr(a.final_url, "/echo") != NULL, "the final address is known");
	buf_done(&a.body);
	call.url = NULL;
	is_int(go(&call, "/away", &a), ERR_OK, "a redirect to another origin is followed");
	is_str(a.body.p, "GET /echo body= auth=- key=- type=- expect=-", "without the credentials");
	buf_done(&a.body);
	call.url = NULL;
	is_int(go(&call, "/loop", &a), ERR_UPSTREAM, "a loop of redirects ends");
	is_str(a.why, "too many redirects", "and the reason says so");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ 0 }, "/loop", &a), ERR_OK, "redirects are not followed unasked");
	is_int(a.status, 302, "the answer is the redirect");
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .max_redirects = 3 }, "/file", &a), ERR_UPSTREAM, "a redirect to a file is refused");
	buf_done(&a.body);
}

static int
fake_dns(const char *host, struct addrs *a)
{
	if (slow_dns)
		for (int i = 0; i < 600 && slow_dns; i++)
			nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	if (strncmp(host, "none", 4) == 0)
		return EAI_NONAME;
	a->n = 1;
	snprintf(a->text[0], sizeof(a->text[0]), "127.0.0.1");
	if (strncmp(host, "moves", 5) == 0 && moved)
		snprintf(a->text[0], sizeof(a->text[0]), "%s", moved);
	if (strncmp(host, "mixed", 5) == 0) {
		a->n = 2;
		snprintf(a->text[1], sizeof(a->text[1]), "8.8.8.8");
	}
	return 0;
}

static void
guarded(void)
{
	static const char *const urls[] = { "http://127.0.0.1:%u/echo", "http://127.1:%u/echo", "http://0x7f.1:%u/echo",
	    "http://2130706433:%u/echo", "http://017700000001:%u/echo", "http://[::1]:%u/echo", "http://[::ffff:127.0.0.1]:%u/",
	    "http://localhost:%u/", "http://LOCALHOST.:%u/", "http://127.0.0.1.:%u/", "http://u:p@8.8.8.8:%u/",
	    "http://@8.8.8.8:%u/", "http://%%31%%32%%37.0.0.1:%u/", "http://rebind.example:%u/", "http://mixed.example:%u/",
	    "http://[fe80::1%%25lo]:%u/", "http://0:%u/",
	    "http://metadata.google.internal:%u/", "http://[64:ff9b::7f00:1]:%u/" };
	struct http_answer a;
	struct http_call call = { .guard = true, .allow = loopback, .max_redirects = 3 };
	unsigned before = atomic_load(&one.requests);
	char url[200];

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {

		snprintf(url, sizeof(url), urls[i], one.port);  /* NOLINT: our own formats */
		is_int(go(&(struct http_call){ .url = url, .guard = true, .timeout_ms = 30000 }, "", &a), ERR_FORBIDDEN,
		    "guarded: %s", url);
		buf_done(&a.body);
	}
	snprintf(url, sizeof(url), "http://b\xc3\xbc" "cher.example:%u/echo", one.port);
	is_int(go(&(struct http_call){ .url = url, .guard = true, .allow = loopback }, "", &a), ERR_OK, "letters of any script");
	ok(strstr(a.final_url, "//xn--bcher-kva.example:") != NULL, "have one spelling");
	before++;
	buf_done(&a.body);
	is_int(go(&(struct http_call){ .url = "http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/", .guard = true }, "", &a),
	    ERR_FORBIDDEN, "digits of another script are the address that they mean");
	buf_done(&a.body);
	is_int(atomic_load(&one.requests) - before, 0, "and nothing reached the server");
	is_int(go(&call, "/echo", &a), ERR_OK, "a listed loopback address is reached");
	buf_done(&a.body);
	call.url = NULL;
	is_int(go(&call, "/metadata", &a), ERR_FORBIDDEN, "a redirect is guarded too");
	buf_done(&a.body);
	call.url = NULL;
	is_int(go(&call, "/file", &a), ERR_FORBIDDEN, "also one to another scheme");
	buf_done(&a.body);
	call.url = NULL;
	call.proxy = "http://127.0.0.1:1";
	is_int(go(&call, "/echo", &a), ERR_BAD_REQUEST, "a guarded call takes no proxy");
	buf_done(&a.body);
}

/* Addresses of the configuration: loopback is fine, where clouds keep secrets is not, however it is said. */
static void
operators(void)
{
	static const char *const urls[] = { "http://169.254.169.254/latest/", "http://0xa9fea9fe/", "http://2852039166/", "http://[::ffff:169.254.169.254]/",
	    "http://[64:ff9b::a9fe:a9fe]/", "http://[fe80::1%25lo]/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
	    "http://metadata/", "http://100.100.100.200/" };
	static const char *const moves[] = { "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "168.63.129.16" };
	struct http_answer a;
	struct http_call call = { .max_redirects = 3 };
	unsigned before;
	char url[100];

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		is_int(http_do(&(struct http_call){ .url = urls[i] }, &a), ERR_FORBIDDEN, "not asked, without a guard: %s", urls[i]);
		buf_done(&a.body);
		is_int(http_do(&(struct http_call){ .url = urls[i], .proxy = "http://127.0.0.1:9" }, &a), ERR_FORBIDDEN, "nor through a proxy");
		buf_done(&a.body);
	}
	is_int(go(&call, "/metadata", &a), ERR_FORBIDDEN, "nor by a redirect");
	buf_done(&a.body);
	call = (struct http_call){ .proxy = "http://169.254.169.254:3128" };
	is_int(go(&call, "/echo", &a), ERR_FORBIDDEN, "a proxy may not be there either");
	buf_done(&a.body);

	snprintf(url, sizeof(url), "http://moves.example:%u/echo", one.port);
	is_int(http_do(&(struct http_call){ .url = url }, &a), ERR_OK, "a name that leads here");
	buf_done(&a.body);
	before = atomic_load(&one.requests);
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		moved = moves[i];
		resolve_forget();
		is_int(http_do(&(struct http_call){ .url = url }, &a), ERR_FORBIDDEN, "is asked no more when it leads to %s", moves[i]);
		ok(strstr(a.why, "moves.example leads to an address of the cloud's own") != NULL, "and the reason says so");
		buf_done(&a.body);
	}
	is_int(atomic_load(&one.requests) - before, 0, "not on the line that was kept either");
	moved = NULL;
	resolve_forget();
	is_int(http_do(&(struct http_call){ .url = url }, &a), ERR_OK, "and again when it is back");
	buf_done(&a.body);
}

static void
names(void)
{
	struct http_answer a;
	char url[100];
	unsigned before = atomic_load(&one.conns);

	for (int i = 0; i < 2; i++) {
		snprintf(url, sizeof(url), "http://Some.Name.example.:%u/echo", one.port);
		is_int(go(&(struct http_call){ .url = url }, "", &a), ERR_OK, "a name is resolved and pinned");
		buf_done(&a.body);
	}
	is_int(atomic_load(&one.conns) - before, 1, "and its connection reused");
	is_int(go(&(struct http_call){ .url = "http://none.example/" }, "", &a), ERR_UPSTREAM, "a name that does not exist");
	is_str(a.why, "no such host name (none.example)", "says so");
	buf_done(&a.body);
}

struct stopper { struct cancel *k; long after_ms; };

static void *
stop_later(void *arg)
{
	struct stopper *s = arg;

	nanosleep(&(struct timespec){ .tv_nsec = s->after_ms * 1000000 }, NULL);
	cancel_now(s->k, CANCEL_USER);
	return NULL;
}

static void
cancel_in(const char *path, const char *url, const char *what)
{
	struct cancel k = { 0 };
	struct stopper s = { &k, 100 };
	struct http_answer a;
	pthread_t t;
	int64_t from = clock_mono_us(), took;

	pthread_create(&t, NULL, stop_later, &s);
	is_int(go(&(struct http_call){ .url = url, .cancel = &k }, path, &a), ERR_CANCELLED, "%s is cancelled", what);
	took = clock_mono_us() - from;
	ok(took > 90000 && took < 20000000, "soon (%d ms)", (int)(took / 1000 - 100));
	pthread_join(t, NULL);
	buf_done(&a.body);
}

/* A port that is open and takes no further connection: connecting hangs. */
static void
cancel_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), fill[8];
	char url[64];

	if (bind(s, (struct sockaddr *)&a, n) != 0 || listen(s, 0) != 0 ||
	    getsockname(s, (struct sockaddr *)&a, &n) != 0)
		exit(1);
	for (int i = 0; i < 8; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&a, n);       /* the later ones hang, as they should */
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(a.sin_port));
	cancel_in("", url, "a connect that nobody answers");
	for (int i = 0; i < 8; i++)
		close(fill[i]);
	close(s);
}

static void
waits(void)
{
	struct cancel k = { 0 };
	struct stopper s = { &k, 100 };
	int64_t from = clock_mono_us();
	pthread_t t;

	ok(cancel_wait(&k, 20) && clock_mono_us() - from >= 20000, "who waits and is not cancelled waits for all of it");
	ok(cancel_wait(NULL, 1) && cancel_wait(&k, 0) && cancel_wait(&k, -5), "whom nobody can cancel, too; no time is no time");
	pthread_create(&t, NULL, stop_later, &s);
	from = clock_mono_us();
	ok(!cancel_wait(&k, 600000), "a wait is cancelled");
	ok(clock_mono_us() - from < 20000000, "  soon");
	pthread_join(t, NULL);
	ok(!cancel_wait(&k, 600000), "and who was cancelled does not begin to wait");
}

static void
cancels(void)
{
	struct cancel k = { 0 };
	struct http_answer a;

	cancel_in("/silent", NULL, "a call to a silent peer");
	cancel_in("/halfsilent", NULL, "a half-read answer");
	cancel_connect();
	slow_dns = true;
	cancel_in("", "http://slow.example/", "a name that does not resolve");
	slow_dns = false;
	cancel_now(&k, CANCEL_GONE);
	cancel_now(&k, CANCEL_USER);
	is_int(k.why, CANCEL_GONE, "the first reason stays");
	is_int(go(&(struct http_call){ .cancel = &k }, "/echo", &a), ERR_CANCELLED, "a cancelled caller gets nothing more");
	buf_done(&a.body);
}

/* Cancels that race with the end of calls: must neither crash nor hang. */
static void *
racer(void *arg)
{
	for (int i = 0; i < 200; i++) {
		struct cancel k = { 0 };
		struct stopper s = { &k, 0 };
		struct http_answer a;
		pthread_t t;
		enum err e;

		pthread_create(&t, NULL, stop_later, &s);
		e = go(&(struct http_call){ .cancel = &k }, "/echo", &a);
		if (e != ERR_OK && e != ERR_CANCELLED)
			atomic_fetch_add((_Atomic int *)arg, 1);
		pthread_join(t, NULL);
		buf_done(&a.body);
	}
	return NULL;
}

static void
races(void)
{
	pthread_t t[4];
	_Atomic int bad = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, racer, &bad);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	is_int(bad, 0, "cancelling at any moment ends a call or comes too late");
}

static void
many_lookups(void)
{
	struct addrs a;
	const char *why;
	char host[32];
	int64_t t = clock_mono_us();
	enum err e = ERR_OK;

	slow_dns = true;
	for (int i = 0; i < RESOLVE_THREADS + 1; i++) {
		snprintf(host, sizeof(host), "h%d.example", i);
		e = resolve(host, clock_mono_us() + 1000, NULL, &a, &why);
		if (i == 0)
			is_int(e, ERR_TIMEOUT, "a caller abandons a lookup that hangs");
	}
	is_int(e, ERR_TIMEOUT, "too many hanging lookups are an error");
	is_str(why, "too many host names are being resolved", "that says so");
	ok(clock_mono_us() - t < 30000000, "soon");
	slow_dns = false;
	t = clock_mono_us();
	while (resolve("again.example", t + 30000000, NULL, &a, &why) != ERR_OK && clock_mono_us() - t < 30000000)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	is_str(a.text[0], "127.0.0.1", "and over when they end");
}

static bool
count(void *arg, const char *p, size_t n)
{
	(void)p;
	*(size_t *)arg += n;
	return *(size_t *)arg < 4;
}

static bool
count_all(void *arg, const char *p, size_t n)
{
	(void)p;
	*(size_t *)arg += n;
	return true;
}

static void
streams(void)
{
	struct http_answer a;
	size_t n = 0;
	bool enough = true;
	int64_t t;

	is_int(go(&(struct http_call){ .on_bytes = count_all, .arg = &n }, "/echo", &a), ERR_OK, "bytes are streamed");
	ok(n > 40 && a.body.len == 0, "to the caller alone");
	buf_done(&a.body);
	n = 0;
	is_int(go(&(struct http_call){ .on_bytes = count, .arg = &n }, "/echo", &a), ERR_CANCELLED, "who may stop");
	buf_done(&a.body);
	n = 0;
	is_int(go(&(struct http_call){ .on_bytes = count, .arg = &n }, "/busy", &a), ERR_OK, "an error answer");
	is_str(a.body.p, "slow down", "is collected instead");
	buf_done(&a.body);
	t = clock_mono_us();
	is_int(go(&(struct http_call){ .on_bytes = count_all, .arg = &n, .enough = &enough }, "/halfsilent", &a), ERR_OK,
	    "a reader that has enough");
	ok(clock_mono_us() - t < 30000000, "does not wait for the peer to close");
	buf_done(&a.body);
}

int
main(void)
{
	loopback = json_tokener_parse("[\"127.0.0.0/8\"]");
	httpd_start(&one, serve, NULL);
	httpd_start(&two, serve, NULL);
	resolve_with(fake_dns);
	plain();
	spends();
	refusals();
	limits();
	redirects();
	guarded();
	operators();
	names();
	waits();
	cancels();
	streams();
	many_lookups();
	races();
	http_done();
	httpd_stop(&one);
	httpd_stop(&two);
	json_object_put(loopback);
	return done();
}
