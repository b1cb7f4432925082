/*
 * Publishing the configuration: config.toml becomes the snapshot that pool and daemon
 * read, and nginx.conf.
 *
 * It happens in a helper process: the TOML parser's memory goes away with it, and
 * whatever goes wrong in there does not touch the supervisor. The helper first says what it found,
 * the supervisor opens the addresses, and only on its word are files replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/nginx_conf.h"
#include "cli/sup.h"
#include "cli/webchat.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

enum { SNAPSHOT_MAX = 16 << 20, NGINX_CONF_MAX = 1 << 20, DONE_SAME = 0, DONE_NGINX = 10, DONE_FAILED = 1 };

struct helper {
	const struct sup *s;
	struct buf snapshot;
	struct config *cfg;
	struct published pub;
	uint32_t generation;
};

/* --- in the helper -------------------------------------------------------------- */

static void
addr_text(struct addr *a)
{
	char host[48], port[8];

	if (getnameinfo((struct sockaddr *)&a->sa, a->n, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(a->text, sizeof(a->text), "?");
	else
		snprintf(a->text, sizeof(a->text), a->sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void
add_addr(struct published *p, const struct addrinfo *ai)
{
	struct addr *a = &p->addr[p->n_addr];

	if (p->n_addr == ADDR_MAX || ai->ai_addrlen > sizeof(a->sa))
		return;
	memset(a, 0, sizeof(*a));
	memcpy(&a->sa, ai->ai_addr, ai->ai_addrlen);
	a->n = ai->ai_addrlen;
	addr_text(a);
	for (unsigned i = 0; i < p->n_addr; i++)
		if (strcmp(p->addr[i].text, a->text) == 0)
			return;
	p->n_addr++;
}

static bool
resolve(struct helper *h)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *all;
	char host[256], port[16];
	int rc;

	snprintf(host, sizeof(host), "%s", h->cfg->listen_host);
	if (host[0] == '[' && strchr(host, ']') != NULL) {
		*strchr(host, ']') = '\0';
		memmove(host, host + 1, strlen(host));
	}
	snprintf(port, sizeof(port), "%d", h->cfg->listen_port);
	rc = getaddrinfo(host[0] != '\0' ? host : NULL, port, &want, &all);
	if (rc != 0) {
		snprintf(h->pub.msg, sizeof(h->pub.msg), "cannot listen on %.200s: %s", h->cfg->listen,
		    gai_strerror(rc));
		return false;
	}
	for (struct addrinfo *ai = all; ai != NULL; ai = ai->ai_next)
		add_addr(&h->pub, ai);
	freeaddrinfo(all);
	return h->pub.n_addr > 0;
}

static bool
all_loopback(const struct published *p)
{
	for (unsigned i = 0; i < p->n_addr; i++) {
		char host[64];
		size_t n;

		snprintf(host, sizeof(host), "%s", p->addr[i].text + (p->addr[i].text[0] == '['));
		n = strlen(host);
		while (n > 0 && host[n - 1] != ':')
			n--;
		host[n > 0 ? n - 1 : 0] = '\0';
		host[strcspn(host, "]")] = '\0';
		if (!addr_is_loopback(host))
			return false;
	}
	return true;
}

/* Without any credential everybody who can connect is the owner. */
static bool
guarded(struct helper *h)
{
	if (!h->cfg->open_mode)
		return true;
	if (all_loopback(&h->pub) || h->cfg->allow_no_auth) {
		snprintf(h->pub.msg, sizeof(h->pub.msg),
		    "no api_key is configured: whoever can connect to %.200s is the owner", h->cfg->listen);
		return true;
	}
	snprintf(h->pub.msg, sizeof(h->pub.msg),
	    "%.200s can be reached from outside and no api_key is configured: set api_key in config.toml, "
	    "or listen on 127.0.0.1", h->cfg->listen);
	return false;
}

/* [reload]: whatever the mode, what can be taken while requests go on is, and that is all of it. */
static unsigned
watch_of(struct json_object *rules)
{
	int64_t ms = js_i64(rules, "debounce_ms", 500);

	if (strcmp(js_str_or(rules, "mode", "hybrid"), "off") == 0)
		return 0;
	return ms < 10 ? 10 : ms > 60000 ? 60000 : (unsigned)ms;
}

static void
look(struct helper *h)
{
	const char *listen = h->s->listen_over != NULL ? h->s->listen_over : getenv("LIBREFANG_LISTEN");
	struct config_over over = { .listen = listen, .ollama_model = h->s->ollama_model };
	struct published *p = &h->pub;

	if (config_file_snapshot(&h->s->paths, &over, h->generation, &h->snapshot, p->msg,
	    sizeof(p->msg)) != ERR_OK)
		return;
	if (config_load(h->snapshot.p, h->snapshot.len, &h->cfg) != ERR_OK) {
		snprintf(p->msg, sizeof(p->msg), "the configuration could not be made into a snapshot");
		return;
	}
	snprintf(p->listen, sizeof(p->listen), "%s", h->cfg->listen);
	snprintf(p->log_level, sizeof(p->log_level), "%s",
	    h->cfg->log_level != NULL ? h->cfg->log_level : "info");
	if (strcmp(h->cfg->provider, "offline") == 0 && strcmp(h->cfg->provider_cfg, "offline") != 0)
		snprintf(p->ollama, sizeof(p->ollama), "%s", js_str_or(h->cfg->provider_urls, "ollama", "http://127.0.0.1:11434"));
	p->watch_ms = watch_of(js_obj(h->cfg->raw, "reload"));
	p->good = resolve(h) && guarded(h);
}

static bool
same_file(const char *path, const struct buf *b)
{
	SCOPED_BUF old = BUF_INIT(NGINX_CONF_MAX);

	return buf_read_file(&old, path) == ERR_OK && old.len == b->len &&
	    memcmp(old.p, b->p, b->len) == 0;
}

/* Files into place. What changed is said by the exit status. */
static int
put_files(struct helper *h)
{
	SCOPED_BUF conf = BUF_INIT(NGINX_CONF_MAX);
	const char *listen[ADDR_MAX];
	struct nginx_vars v = {
		.home = h->s->paths.home, .run = h->s->paths.run, .listen = listen,
		.n_listen = h->pub.n_addr, .workers = h->s->set.nginx_workers,
		.max_body_bytes = h->cfg->max_body_bytes, .access_log = h->s->set.access_log,
	};
	char path[256], page[WEBCHAT_PATH_MAX];

	v.webchat = webchat_find(page, sizeof(page));
	for (unsigned i = 0; i < h->pub.n_addr; i++)
		listen[i] = h->pub.addr[i].text;
	if (nginx_render(&conf, &v, h->pub.msg, sizeof(h->pub.msg)) != ERR_OK) {
		log_line(LOG_ERROR, "msg=\"%s\"", h->pub.msg);
		return DONE_FAILED;
	}
	if (file_replace(h->s->paths.snapshot, h->snapshot.p, h->snapshot.len, 0600) != ERR_OK)
		return DONE_FAILED;
	snprintf(path, sizeof(path), "%s/nginx.conf", h->s->paths.run);
	if (same_file(path, &conf))
		return DONE_SAME;
	return file_replace(path, conf.p, conf.len, 0600) == ERR_OK ? DONE_NGINX : DONE_FAILED;
}

static void __attribute__((noreturn))
help(struct helper *h, int sock)
{
	char word = 'n';

	look(h);
	if (write(sock, &h->pub, sizeof(h->pub)) != (ssize_t)sizeof(h->pub))
		_exit(DONE_FAILED);
	if (!h->pub.good || read(sock, &word, 1) != 1 || word != 'y')
		_exit(DONE_FAILED);
	_exit(put_files(h));
}

/* --- in the supervisor -------------------------------------------------------------- */

static bool
read_all(int fd, void *out, size_t n)
{
	size_t at = 0;

	while (at < n) {
		ssize_t got = read(fd, (char *)out + at, n - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += (size_t)got;
	}
	return true;
}

static int
finish(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return DONE_FAILED;
	return WIFEXITED(st) ? WEXITSTATUS(st) : DONE_FAILED;
}

enum err
publish(struct sup *s, uint32_t generation, bool (*bind)(struct sup *, const struct published *))
{
	struct published *p = &(struct published){ 0 };
	int pair[2], rc;
	bool yes = false;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ERR_IO;
	pid = fork();
	if (pid == 0) {
		struct helper h = {
			.s = s, .snapshot = BUF_INIT(SNAPSHOT_MAX), .generation = generation,
		};

		close(pair[0]);
		help(&h, pair[1]);
	}
	close(pair[1]);
	if (pid > 0 && !read_all(pair[0], p, sizeof(*p))) {
		p->good = false;
		snprintf(p->msg, sizeof(p->msg), "reading the configuration failed");
	}
	if (pid > 0 && p->good && bind(s, p))
		yes = write(pair[0], "y", 1) == 1;
	close(pair[0]);
	rc = pid > 0 ? finish(pid) : DONE_FAILED;
	if (!p->good)
		snprintf(s->why, sizeof(s->why), "%.599s", p->msg);
	else if (yes && rc == DONE_FAILED)
		snprintf(s->why, sizeof(s->why), "cannot write to %s", s->paths.run);
	if (!p->good || !yes || (rc != DONE_SAME && rc != DONE_NGINX))
		return ERR_INVALID;
	s->pub = *p;
	s->nginx_changed = rc == DONE_NGINX;
	return ERR_OK;
}
