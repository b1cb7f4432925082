/*
 * Is there an Ollama on this machine? Asked when the configuration leaves the provider to us and no key is at hand.
 *
 * A process of its own asks, so that a start waits for nobody and a server that hangs keeps nothing back. What it
 * finds, the name of a model, comes through a pipe; its end tells the supervisor to look.
 */
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sup.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { ANSWER_MAX = 4 << 20, PATIENCE_S = 2 };

/* "http://host:port/v1" to host and port; false: not by plain HTTP. */
static bool
host_of(const char *url, char host[static 256], char port[static 8])
{
	size_t n;

	if (strncmp(url, "http://", 7) != 0)
		return false;
	url += 7;
	n = strcspn(url, ":/");
	if (n == 0 || n >= 256)
		return false;
	snprintf(host, 256, "%.*s", (int)n, url);
	snprintf(port, 8, "%.*s", url[n] == ':' ? (int)strspn(url + n + 1, "0123456789") % 7 : 2,
	    url[n] == ':' ? url + n + 1 : "80");
	return true;
}

static int
connected(const char *host, const char *port)
{
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *all = NULL;
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = -1;

	if (getaddrinfo(host, port, &want, &all) != 0)
		return -1;
	for (const struct addrinfo *ai = all; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
		    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
		    connect(fd, ai->ai_addr, ai->ai_addrlen) != 0)) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	return fd;
}

static bool
asked(const char *host, const char *port, struct buf *out)
{
	SCOPED_FD fd = connected(host, port);
	char part[16384];
	ssize_t n;

	/* HTTP/1.0: the answer comes in one piece and ends with the connection */
	n = fd < 0 ? -1 : snprintf(part, sizeof(part), "GET /api/tags HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
	if (n < 0 || send(fd, part, (size_t)n, MSG_NOSIGNAL) != n)
		return false;
	while ((n = recv(fd, part, sizeof(part), 0)) > 0)
		buf_add(out, part, (size_t)n);
	return n == 0 && !out->failed && out->len > 12 && strncmp(out->p, "HTTP/1.", 7) == 0 && strncmp(out->p + 8, " 200", 4) == 0;
}

/* The first model that can talk. */
static const char *
model_in(struct ctx *c, const struct buf *answer)
{
	const char *body = strstr(answer->p, "\r\n\r\n");
	struct json_object *o = NULL, *list;

	if (body == NULL || json_read(c, body + 4, answer->len - (size_t)(body + 4 - answer->p), &o) != ERR_OK)
		return NULL;
	list = js_arr(o, "models");
	for (size_t i = 0; list != NULL && i < json_object_array_length(list); i++) {
		const char *name = js_str(json_object_array_get_idx(list, i), "name");

		if (name != NULL && name[0] != '\0' && !has_substr_ci(name, "embed"))
			return name;
	}
	return NULL;
}

static void __attribute__((noreturn))
ask(const char *url, int to)
{
	SCOPED_BUF b = BUF_INIT(ANSWER_MAX);
	struct ctx c = { .arena = arena_new(4096) };
	char host[256], port[8];
	const char *model = NULL;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(3 * PATIENCE_S);          /* names take as long as they like */
	if (c.arena != NULL && host_of(url, host, port) && asked(host, port, &b))
		model = model_in(&c, &b);
	if (model != NULL && strlen(model) < OLLAMA_MODEL_MAX && write(to, model, strlen(model)) < 0)
		_exit(1);
	_exit(0);
}

void
ollama_forget(struct sup *s)
{
	s->ollama_model[0] = '\0';
	if (s->ollama_pid > 0)
		kill(s->ollama_pid, SIGKILL);
	if (s->fd_ollama >= 0)
		close(s->fd_ollama);
	s->fd_ollama = -1;
	s->ollama_pid = 0;
}

void
ollama_ask(struct sup *s)
{
	int p[2];

	if (s->pub.ollama[0] == '\0' || s->ollama_pid > 0 || pipe2(p, O_CLOEXEC) != 0)
		return;
	s->ollama_pid = fork();
	if (s->ollama_pid == 0)
		ask(s->pub.ollama, p[1]);
	close(p[1]);
	s->fd_ollama = fd_high(p[0]);
}

bool
ollama_found(struct sup *s, pid_t pid)
{
	ssize_t n;

	if (pid != s->ollama_pid || s->fd_ollama < 0)
		return false;
	n = read(s->fd_ollama, s->ollama_model, sizeof(s->ollama_model) - 1);
	s->ollama_model[n > 0 ? n : 0] = '\0';
	close(s->fd_ollama);
	s->fd_ollama = -1;
	s->ollama_pid = 0;
	return n > 0;
}
