/*
 * Taking a new configuration, and opening the logs again, while requests go on.
 *
 * A child that must change is not stopped but retired: its successor runs on the same socket
 * before it is told to finish, so at no moment is nobody there to answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/sup.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "version.h"

enum {
	SECOND_US = 1000000,
	RETIRED_US = 35 * SECOND_US,    /* longer than a short request may take */
	FRONT_RETIRED_S = 3600,         /* as nginx's worker_shutdown_timeout */
	RETRY_US = 50000,
};

/* <home>/daemon.json: for people and for clients that look for us. */
void
sup_daemon_json(const struct sup *s)
{
	SCOPED_BUF b = BUF_INIT(4096);
	struct jw w = JW_INIT(&b);
	char path[4352];

	jw_object(&w, NULL);
	jw_i64(&w, "pid", getpid());
	if (s->set.private_nginx)
		jw_str(&w, "listen_addr", s->pub.listen);
	jw_time(&w, "started_at", atomic_load(&shm->started_ms));
	jw_str(&w, "version", LF_VERSION);
	jw_str(&w, "platform", "linux");
	jw_end(&w);
	snprintf(path, sizeof(path), "%s/daemon.json", s->paths.home);
	if (b.failed || file_replace(path, b.p, b.len, 0600) != ERR_OK)
		log_line(LOG_ERROR, "msg=\"cannot write daemon.json\"");
}

/* Let a child finish on its own while a successor takes its place. */
static bool
retire(struct sup *s, int slot, int sig, int64_t patience_us)
{
	struct child *old = &s->child[slot];

	for (int i = SLOT_RETIRED; old->pid > 0 && i < CHILD_MAX; i++) {
		if (s->child[i].pid != 0)
			continue;
		s->child[i] = *old;
		s->child[i].kill_us = clock_mono_us() + patience_us;
		s->child[i].wanted = false;
		old->pid = 0;
		if (!child_start(s, slot))
			old->due_us = clock_mono_us() + RETRY_US;
		kill(s->child[i].pid, sig);
		return true;
	}
	return false;
}

static void
replace_pool(struct sup *s)
{
	for (int i = 0; i < POOL_MAX; i++)
		if (s->child[i].wanted && s->child[i].pid > 0 && !retire(s, i, SIGTERM, RETIRED_US))
			log_line(LOG_WARN, "msg=\"too many workers are finishing; one keeps its old state\"");
}

bool
sup_bind(struct sup *s, const struct published *p)
{
	return !s->set.private_nginx || listen_tcp(s, p, s->why, sizeof(s->why)) == ERR_OK;
}

static bool
same_addresses(const struct published *a, const struct published *b)
{
	if (a->n_addr != b->n_addr)
		return false;
	for (unsigned i = 0; i < a->n_addr; i++)
		if (strcmp(a->addr[i].text, b->addr[i].text) != 0)
			return false;
	return true;
}

/* librefang.ini may ask for more or fewer workers now. */
static void
resettle(struct sup *s)
{
	struct settings fresh;
	struct run_paths paths;
	char msg[600], q[700];

	if (settings_load(&fresh, &paths, s->paths.home, false, msg, sizeof(msg)) != ERR_OK) {
		log_line(LOG_ERROR, "msg=\"settings not taken\" why=%s", log_quote(msg, q, sizeof(q)));
		return;
	}
	if (s->workers_over != 0)
		fresh.pool_size = s->workers_over;
	fresh.private_nginx = s->set.private_nginx;     /* sockets and front server are chosen at the start */
	for (unsigned i = 0; i < POOL_MAX; i++) {
		bool want = i < fresh.pool_size;

		if (!want)
			sup_signal(s, (int)i, SIGTERM);
		else if (!s->child[i].wanted)
			s->child[i].due_us = 1;
		s->child[i].wanted = want;
	}
	s->set = fresh;
}

void
sup_reload(struct sup *s, bool pool)
{
	struct published before = s->pub;
	uint32_t generation = atomic_fetch_add(&shm->generation_begun, 1) + 1;
	char said[64];

	snprintf(said, sizeof(said), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_us());
	notify(said);
	resettle(s);
	conf_watch_seen(s);
	if (publish(s, generation, sup_bind) != ERR_OK) {
		char q[700];

		log_line(LOG_ERROR, "msg=\"configuration not taken, the last good one stays\" why=%s",
		    log_quote(s->why, q, sizeof(q)));
		s->why[0] = '\0';
		notify("READY=1");
		return;
	}
	log_set_level(log_level_of(s->pub.log_level));
	atomic_store(&shm->generation, generation);
	sup_signal(s, SLOT_DAEMON, SIGHUP);
	if (pool)               /* else they take it with their next request */
		replace_pool(s);
	if (!s->set.private_nginx)
		;
	else if (!same_addresses(&before, &s->pub))
		(void)retire(s, SLOT_NGINX, SIGQUIT, (int64_t)FRONT_RETIRED_S * SECOND_US);
	else if (s->nginx_changed)
		sup_signal(s, SLOT_NGINX, SIGHUP);
	sup_daemon_json(s);
	log_line(LOG_INFO, "msg=\"configuration loaded\" generation=%u listen=%s", generation, s->pub.listen);
	notify("READY=1");
}

void
sup_reopen_logs(struct sup *s)
{
	if (s->log_path[0] != '\0') {
		SCOPED_FD fd = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
			log_line(LOG_ERROR, "msg=\"cannot reopen the log\" errno=%d", errno);
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);       /* as before if this fails */
	}
	sup_signal(s, SLOT_NGINX, SIGUSR1);
	sup_signal(s, SLOT_DAEMON, SIGUSR1);
	replace_pool(s);
}
