/*
 * A call: hops from address to address until an answer stays.
 *
 * Each hop is parsed, resolved, guarded and pinned anew; libcurl never
 * resolves a name or follows a redirect by itself. What a caller's headers say of who he
 * is goes to the origin that he named and to no other.
 */
#include "lib/net/http.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/net/guard.h"
#include "lib/net/late.h"
#include "lib/net/tls.h"
#include "lib/net/transfer.h"

enum { DEFAULT_MS = 300000 };

struct journey {
	const struct http_call *call;
	struct http_answer *ans;
	CURLU *u;
	struct target to;
	const char *method;
	bool body, stranger;            /* stranger: away from the first origin, credentials stay behind */
	int64_t deadline_us;
	unsigned redirects;
};

static enum err
say(struct http_answer *a, enum err e, const char *what)
{
	if (a->why[0] == '\0')
		snprintf(a->why, sizeof(a->why), "%s", what);
	return e;
}

static pthread_mutex_t ready_lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_ready;

/* libcurl loaded and begun. */
static bool
ready(void)
{
	bool good;

	pthread_mutex_lock(&ready_lock);
	if (!is_ready)
		is_ready = late_curl() && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	good = is_ready;
	pthread_mutex_unlock(&ready_lock);
	return good;
}

static void (*waits)(void);

void
http_on_wait(void (*fn)(void))
{
	waits = fn;
}

void
http_waits(void)
{
	if (waits != NULL)
		waits();
}

void
http_done(void)
{
	lines_done();
	tls_done();
	resolve_forget();
	pthread_mutex_lock(&ready_lock);
	if (is_ready)
		curl_global_cleanup();
	is_ready = false;
	pthread_mutex_unlock(&ready_lock);
}

void
http_sweep(void)
{
	lines_sweep();
}

/* --- headers ------------------------------------------------------------- */

static bool
is_one_of(const char *header, const char *const *names)
{
	size_t n = strcspn(header, ":");

	for (; *names != NULL; names++)
		if (strlen(*names) == n && strncasecmp(header, *names, n) == 0)
			return true;
	return false;
}

static const char *const credentials[] = {
	"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "WWW-Authenticate",
	"X-Api-Key", "Api-Key", "X-Goog-Api-Key", NULL,
};
/* How the message is framed and where it goes is our business alone. */
static const char *const framing[] = {
	"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer",
	"Keep-Alive", "Proxy-Connection", "Expect", "HTTP2-Settings", NULL,
};
static const char *const about_body[] = {
	"Content-Type", "Content-Encoding", "Content-Language", "Content-Location", NULL,
};
static const char *const content_type[] = { "Content-Type", NULL };

static bool
header_ok(const char *h)
{
	size_t n = strspn(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");

	if (n == 0 || h[n] != ':')
		return false;
	for (h += n + 1; *h != '\0'; h++)
		if (((unsigned char)*h < 0x20 && *h != '\t') || *h == 0x7f)
			return false;
	return true;
}

static bool
append(struct curl_slist **list, const char *h)
{
	struct curl_slist *more = curl_slist_append(*list, h);

	if (more == NULL)
		return false;
	*list = more;
	return true;
}

static enum err
headers_of(const struct journey *j, struct curl_slist **ret)
{
	const char *const *h = j->call->headers;
	bool typed = false, good = append(ret, "Expect:");

	for (; good && h != NULL && *h != NULL; h++) {
		if (!header_ok(*h))
			return say(j->ans, ERR_BAD_REQUEST, "a header is malformed");
		if (is_one_of(*h, framing) || (j->stranger && is_one_of(*h, credentials)) ||
		    (!j->body && is_one_of(*h, about_body) && j->redirects > 0))
			continue;
		typed |= is_one_of(*h, content_type);
		good = append(ret, *h);
	}
	if (good && !typed)
		good = append(ret, "Content-Type:");    /* no form type of curl's own */
	return good ? ERR_OK : say(j->ans, ERR_NOMEM, "out of memory");
}

/* --- where to ------------------------------------------------------------ */

static enum err
resolve_for(const struct journey *j, const char *host, struct addrs *ret)
{
	int64_t by = clock_mono_us() + (j->call->connect_ms ? j->call->connect_ms : 10000) * 1000ll;
	const char *why;
	enum err e = resolve(host, by < j->deadline_us ? by : j->deadline_us, j->call->cancel, ret, &why);

	if (e == ERR_CANCELLED)
		return say(j->ans, e, "cancelled");
	if (e != ERR_OK)
		snprintf(j->ans->why, sizeof(j->ans->why), "%s (%.100s)", why, host);
	return e;
}

static enum err
pin(const char *host, unsigned port, const struct addrs *a, struct curl_slist **pins)
{
	SCOPED_BUF b = BUF_INIT(4096);

	buf_printf(&b, "%s:%u:", host, port);
	for (unsigned i = 0; i < a->n; i++)
		buf_printf(&b, strchr(a->text[i], ':') ? "%s[%s]" : "%s%s", i ? "," : "", a->text[i]);
	return !b.failed && append(pins, b.p) ? ERR_OK : ERR_NOMEM;
}

/* The parser could make nothing of an address, or had no memory. */
static enum err
unreadable(const struct journey *j, CURLUcode rc, enum err e, const char *what)
{
	return rc == CURLUE_OUT_OF_MEMORY ? say(j->ans, ERR_NOMEM, "out of memory") : say(j->ans, e, what);
}

/* The proxy's name too is resolved by us, so that a cancel ends it. */
static enum err
pin_proxy(const struct journey *j, struct curl_slist **pins)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL;
	char canon[46];
	struct addrs a = { 0 };
	enum err e = ERR_NOMEM;
	CURLUcode rc;

	if (u == NULL)
		return say(j->ans, e, "out of memory");
	rc = curl_url_set(u, CURLUPART_URL, j->call->proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
	if (rc == CURLUE_OK)
		rc = curl_url_get(u, CURLUPART_HOST, &host, 0);
	if (rc != CURLUE_OK) {
		e = unreadable(j, rc, ERR_BAD_REQUEST, "the proxy's address cannot be read");
	} else if (addr_canonical(host, canon)) {
		e = ERR_OK;             /* looked at when it is connected to */
	} else if ((e = resolve_for(j, host, &a)) == ERR_OK) {
		bool secure = strncasecmp(j->call->proxy, "https:", 6) == 0;

		rc = curl_url_get(u, CURLUPART_PORT, &port, 0);         /* none: curl's own default */
		e = rc == CURLUE_OUT_OF_MEMORY ? unreadable(j, rc, e, "") : pin(host, port ? (unsigned)strtoul(port, NULL, 10) : secure ? 443 : 1080, &a, pins);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return e;
}

static bool
proxy_resolves(const char *proxy)
{
	return strncasecmp(proxy, "socks5:", 7) != 0 && strncasecmp(proxy, "socks4:", 7) != 0;
}

/* May it be asked, as far as that can be said? Of a name that a proxy resolves the name is all that is known. */
static enum err
check(const struct journey *j, const struct addrs *a)
{
	const struct http_call *call = j->call;

	return call->guard ? guard_check(j->to.host, a, call->allow, j->ans->why, sizeof(j->ans->why))
	    : guard_secrets(j->to.host, a, j->ans->why, sizeof(j->ans->why));
}

/* Addresses of this hop, checked; pins for curl. */
static enum err
find_way(const struct journey *j, struct addrs *a, struct curl_slist **pins)
{
	const struct http_call *call = j->call;
	enum err e = ERR_OK;

	a->n = 0;
	if (call->guard && call->proxy != NULL)
		return say(j->ans, ERR_BAD_REQUEST, "a guarded call goes through no proxy");
	if (call->guard && host_refused(j->to.host, call->allow))
		return check(j, a);
	if (!call->guard)               /* by its name alone: nobody needs to know that it is looked for */
		e = check(j, a);
	if (e == ERR_OK && call->proxy != NULL)
		e = pin_proxy(j, pins);
	if (e != ERR_OK)
		return e;
	if (j->to.numeric) {
		memcpy(a->text[0], j->to.host_addr, sizeof(a->text[0]));
		a->n = 1;
	} else if (call->proxy == NULL || !proxy_resolves(call->proxy)) {
		e = resolve_for(j, j->to.host, a);
		if (e == ERR_OK)
			e = pin(j->to.host, j->to.port, a, pins);
	}
	return e == ERR_OK ? check(j, a) : e;
}

/* Lines are shared among calls of the same origin, credentials and rules only. */
static enum err
line_key(const struct journey *j, const struct hop *h, uint8_t key[static 32])
{
	struct buf b = BUF_INIT(1024 * 1024);

	target_origin(&j->to, &b);
	for (const struct curl_slist *l = h->headers; l != NULL; l = l->next)
		if (is_one_of(l->data, credentials))
			buf_printf(&b, "\n%s", l->data);
	if (j->to.userpwd != NULL)
		buf_printf(&b, "\nuser %s", j->to.userpwd);
	if (j->call->proxy != NULL)
		buf_printf(&b, "\nproxy %s", j->call->proxy);
	if (j->call->guard) {
		struct jw w = JW_INIT(&b);

		buf_str(&b, "\nguard ");
		jw_json(&w, NULL, j->call->allow);
	}
	if (!b.failed)
		sha256(b.p, b.len, key);
	else
		say(j->ans, ERR_NOMEM, "out of memory");
	return b.failed ? (buf_zero_done(&b), ERR_NOMEM) : (buf_zero_done(&b), ERR_OK);
}

/* --- hops ---------------------------------------------------------------- */

/* After a redirect: the next target and what is sent there. */
static enum err
move_on(struct journey *j, long status, const char *location)
{
	struct target next;
	CURLUcode rc;
	enum err e;

	if (j->redirects++ >= j->call->max_redirects)
		return say(j->ans, ERR_UPSTREAM, "too many redirects");
	rc = curl_url_set(j->u, CURLUPART_URL, location, CURLU_URLENCODE);
	if (rc != CURLUE_OK)
		return unreadable(j, rc, j->call->guard ? ERR_FORBIDDEN : ERR_UPSTREAM, "a redirect leads to no usable address");
	e = target_of(j->u, true, &next, j->ans->why, sizeof(j->ans->why));
	if (e != ERR_OK) {
		target_done(&next);
		return e == ERR_NOMEM ? e : j->call->guard ? ERR_FORBIDDEN : ERR_UPSTREAM;
	}
	if (!same_origin(&j->to, &next))
		j->stranger = true;
	if (!j->stranger) {             /* user information of the first address holds on */
		next.userpwd = j->to.userpwd;
		j->to.userpwd = NULL;
	}
	target_done(&j->to);
	j->to = next;
	if (status <= 303 && strcmp(j->method, "GET") != 0 && strcmp(j->method, "HEAD") != 0) {
		j->method = "GET";
		j->body = false;
	}
	return ERR_OK;
}

/* One hop. *again: it was a redirect, and j now looks at the next address. */
static enum err
hop(struct journey *j, bool *again)
{
	struct addrs a;
	struct hop h = { .call = j->call, .to = &j->to, .addrs = &a, .method = j->method, .body = j->body,
	    .deadline_us = j->deadline_us, .ans = j->ans, .follows = j->call->max_redirects > 0 };
	uint8_t key[32];
	enum err e = headers_of(j, &h.headers);

	*again = false;
	if (e == ERR_OK)
		e = find_way(j, &a, &h.pins);
	if (e == ERR_OK)
		e = line_key(j, &h, key);
	if (e == ERR_OK)
		e = hop_run(&h, key);
	j->ans->status = h.status;
	j->ans->retry_after_s = h.retry_after_s;
	if (e == ERR_OK && h.follows && h.location != NULL &&
	    (h.status == 301 || h.status == 302 || h.status == 303 || h.status == 307 || h.status == 308)) {
		e = move_on(j, h.status, h.location);
		*again = e == ERR_OK;
	}
	hop_done(&h);
	return e;
}

static bool
method_ok(const char *m)
{
	size_t n = strspn(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return n > 0 && n < 24 && m[n] == '\0' && strcmp(m, "CONNECT") != 0;
}

static enum err
begin(struct journey *j)
{
	const struct http_call *call = j->call;
	CURLUcode rc;
	enum err e;

	if (!method_ok(j->method))
		return say(j->ans, ERR_BAD_REQUEST, "the method is malformed");
	if (!ready())
		return say(j->ans, ERR_UPSTREAM, "libcurl cannot be loaded");
	j->u = curl_url();
	if (j->u == NULL)
		return say(j->ans, ERR_NOMEM, "out of memory");
	rc = call->url != NULL ? curl_url_set(j->u, CURLUPART_URL, call->url, CURLU_URLENCODE) : CURLUE_MALFORMED_INPUT;
	if (rc != CURLUE_OK)
		return unreadable(j, rc, ERR_BAD_REQUEST, "the address cannot be read; it begins with http:// or https://");
	e = target_of(j->u, call->guard, &j->to, j->ans->why, sizeof(j->ans->why));
	return e == ERR_OK ? ERR_OK : say(j->ans, e, "the address cannot be used");
}

enum err
http_do(const struct http_call *call, struct http_answer *ret)
{
	struct journey j = { .call = call, .ans = ret, .method = call->method ? call->method : "GET",
	    .body = call->body != NULL };
	bool again = true;
	enum err e;

	*ret = (struct http_answer){ .retry_after_s = -1 };
	ret->body.max = call->max_bytes ? call->max_bytes : 64 * 1024 * 1024;
	j.deadline_us = clock_mono_us() + (call->timeout_ms ? call->timeout_ms : DEFAULT_MS) * 1000ll;
	e = begin(&j);
	while (e == ERR_OK && again) {
		buf_clear(&ret->body);
		if (cancelled(call->cancel))
			e = say(ret, ERR_CANCELLED, "cancelled");
		else
			e = hop(&j, &again);
	}
	if (j.to.url != NULL)
		snprintf(ret->final_url, sizeof(ret->final_url), "%s", j.to.url);
	target_done(&j.to);
	curl_url_cleanup(j.u);
	memory_short |= e == ERR_NOMEM;
	return e;
}
