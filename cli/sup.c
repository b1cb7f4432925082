/*
 * The supervisor's loop: signals, deaths, timers, and an orderly end.
 *
 * It sleeps in poll() until something happens. What it may do at any moment depends on its stage:
 * while booting a child's death is a failed start; running, the child comes back; and each
 * stage of the end has a deadline after which the next, ruder one begins.
 */
#include "cli/sup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "version.h"

enum {
	SECOND_US = 1000000,
	BOOT_US = 20 * SECOND_US,       /* a migration may take its time */
	FRONT_US = SECOND_US, DAEMON_US = 5 * SECOND_US, POOL_US = 2 * SECOND_US,
	BACKOFF_US = 50000, BACKOFF_MAX_US = 5 * SECOND_US,
	NO_FORK_US = 400000,            /* the machine may have room again any moment */
	PROBE_AGAIN_US = 5000, PROBE_AGAIN_MAX_US = SECOND_US / 2,
};

struct loop {
	struct sup *s;
	struct probe probe;
	int64_t probe_us;               /* ask again then; 0: asked or answered */
	int64_t probe_wait_us;          /* grows with each failure */
	bool healthy;
	int report_fd;                  /* who waits for the start; -1: nobody */
	bool hup, usr1, usr2;           /* came while booting */
};

void
sup_fail(struct sup *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->why, sizeof(s->why), fmt, ap);
	va_end(ap);
}

static void
enter(struct sup *s, enum stage stage, int64_t patience_us)
{
	s->stage = stage;
	s->stage_us = clock_mono_us() + patience_us;
}

void
sup_signal(const struct sup *s, int slot, int sig)
{
	if (s->child[slot].pid > 0)
		kill(s->child[slot].pid, sig);
}

/* --- the end --------------------------------------------------------------------- */

static void
stop_begin(struct sup *s)
{
	notify("STOPPING=1");
	for (int i = 0; i < SLOT_WATCHER; i++) {
		s->child[i].wanted = false;
		s->child[i].due_us = 0;
	}
	listen_close(s);
	sup_signal(s, SLOT_NGINX, SIGQUIT);
	for (int i = SLOT_RETIRED; i < CHILD_MAX; i++)
		sup_signal(s, i, SIGTERM);
	enter(s, STAGE_STOP_FRONT, FRONT_US);
}

static void
stop_daemon(struct sup *s)
{
	sup_signal(s, SLOT_DAEMON, SIGTERM);
	enter(s, STAGE_STOP_DAEMON, DAEMON_US);
}

static void
stop_pool(struct sup *s)
{
	sup_signal(s, SLOT_NGINX, SIGTERM);
	sup_signal(s, SLOT_DAEMON, SIGKILL);
	for (int i = 0; i < POOL_MAX; i++)
		sup_signal(s, i, SIGTERM);
	enter(s, STAGE_STOP_POOL, POOL_US);
}

static bool
anyone_left(const struct sup *s)
{
	for (int i = 0; i < CHILD_MAX; i++)
		if (i != SLOT_WATCHER && s->child[i].pid > 0)
			return true;
	return false;
}

static bool
late(const struct sup *s)
{
	return clock_mono_us() >= s->stage_us;
}

/* On to the next stage when this one's children are gone or its time is over. */
static void
stop_step(struct sup *s)
{
	if (s->stage == STAGE_STOP_FRONT && (late(s) || s->child[SLOT_NGINX].pid == 0))
		stop_daemon(s);
	if (s->stage == STAGE_STOP_DAEMON && (late(s) || s->child[SLOT_DAEMON].pid == 0))
		stop_pool(s);
	if (s->stage == STAGE_STOP_POOL && (late(s) || !anyone_left(s)))
		s->stage = STAGE_OVER;
}

/* Whoever is still there goes now; then nothing of us remains but the home. */
static void
clean_up(struct sup *s)
{
	char path[8192];
	int fds[] = { s->fd_fcgi, s->fd_front, s->fd_control, s->fd_ready, s->fd_conf };

	if (s->pgid > 1)
		kill(-s->pgid, SIGKILL);
	for (int i = 0; i < CHILD_MAX; i++)
		sup_signal(s, i, SIGKILL);
	kill_orphans(s);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	listen_close(s);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	unlink(s->paths.fcgi_sock);
	unlink(s->paths.front_sock);
	unlink(s->paths.control_sock);
	unlink(s->paths.snapshot);
	snprintf(path, sizeof(path), "%s/nginx.conf", s->paths.run);
	unlink(path);
	snprintf(path, sizeof(path), "%s/daemon.json", s->paths.home);
	unlink(path);
	shm_remove(s->paths.shm);
	if (ftruncate(s->fd_lock, 0) != 0)
		log_line(LOG_WARN, "msg=\"the lock keeps our pid\" errno=%d", errno);
}

/* --- deaths and births ---------------------------------------------------------------- */

static int
slot_of(const struct sup *s, pid_t pid)
{
	for (int i = 0; i < CHILD_MAX; i++)
		if (s->child[i].pid == pid)
			return i;
	return -1;
}

static void
log_death(const struct sup *s, int slot, int st, int64_t lived_us)
{
	bool orderly = s->stage > STAGE_RUN || slot >= SLOT_RETIRED ||
	    (WIFEXITED(st) && WEXITSTATUS(st) == 0);

	log_line(orderly ? LOG_DEBUG : LOG_WARN, "msg=\"%s ended\" child=%d %s=%d lived_ms=%lld",
	    slot_name(slot), (int)s->child[slot].pid, WIFSIGNALED(st) ? "signal" : "status",
	    WIFSIGNALED(st) ? WTERMSIG(st) : WEXITSTATUS(st), (long long)lived_us / 1000);
}

static void
plan_restart(struct sup *s, int slot, int64_t now, int64_t lived_us)
{
	struct child *ch = &s->child[slot];
	int64_t wait = 0;

	ch->quick = lived_us < SECOND_US ? ch->quick + 1 : 0;
	if (ch->quick > 1)
		wait = ch->quick > 9 ? BACKOFF_MAX_US : (int64_t)BACKOFF_US << (ch->quick - 2);
	ch->due_us = now + (wait < BACKOFF_MAX_US ? wait : BACKOFF_MAX_US);
	atomic_fetch_add(&shm->restarts, 1);
}

static void
child_died(struct sup *s, pid_t pid, int st)
{
	int slot = slot_of(s, pid);
	int64_t now = clock_mono_us(), lived;
	struct child *ch;

	if (slot < 0) {                         /* or somebody's orphan */
		s->ollama_news = ollama_found(s, pid) || s->ollama_news;
		return;
	}
	ch = &s->child[slot];
	lived = now - ch->started_us;
	log_death(s, slot, st, lived);
	ch->pid = 0;
	if (slot == SLOT_WATCHER) {
		if (s->stage <= STAGE_RUN)
			watcher_start(s);
		return;
	}
	if (slot == SLOT_DAEMON) {
		s->daemon_ready = false;
		atomic_store(&shm->daemon_ready, 0);
	}
	if (slot == SLOT_DAEMON || slot == SLOT_NGINX)
		kill_orphans(s);
	if (slot >= SLOT_RETIRED || !ch->wanted)
		return;
	if (WIFSIGNALED(st))
		atomic_fetch_add(&shm->panics, 1);
	if (s->stage == STAGE_BOOT) {
		sup_fail(s, "the %s ended at once", slot_name(slot));
		stop_begin(s);
		return;
	}
	plan_restart(s, slot, now, lived);
}

static void
reap(struct sup *s)
{
	pid_t pid;
	int st;

	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		child_died(s, pid, st);
}

static void
start_due(struct sup *s, int64_t now)
{
	for (int i = 0; i < SLOT_WATCHER; i++) {
		struct child *ch = &s->child[i];

		if (ch->wanted && ch->pid == 0 && ch->due_us != 0 && ch->due_us <= now &&
		    !child_start(s, i))
			ch->due_us = now + NO_FORK_US;
	}
	for (int i = SLOT_RETIRED; i < CHILD_MAX; i++)
		if (s->child[i].pid > 0 && s->child[i].kill_us <= now) {
			sup_signal(s, i, SIGKILL);
			s->child[i].kill_us = now + SECOND_US;
		}
	if (s->child[SLOT_WATCHER].pid == 0 && s->stage <= STAGE_RUN)
		watcher_start(s);
}

/* --- the start's end ----------------------------------------------------------------------- */

/* Tell who waits for the start: the exit code, then the words. */
static void
report(struct loop *l, int code, const char *text)
{
	char line[800];
	int n = snprintf(line, sizeof(line), "%d\n%s", code, text);

	if (l->report_fd < 0)
		return;
	if (n > 0 && write(l->report_fd, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1) < 0)
		log_line(LOG_WARN, "msg=\"nobody waits for the start any more\"");
	close(l->report_fd);
	l->report_fd = -1;
}

static void
booted(struct loop *l)
{
	struct sup *s = l->s;

	s->stage = STAGE_RUN;
	sup_daemon_json(s);
	notify("READY=1");
	log_line(LOG_INFO, "msg=\"serving\" listen=%s boot_ms=%lld version=%s", s->pub.listen,
	    (long long)(clock_ms() - atomic_load(&shm->started_ms)), LF_VERSION);
	report(l, 0, s->pub.msg);
	ollama_ask(s);
}

static void
probe_later(struct loop *l)
{
	l->probe_us = clock_mono_us() + l->probe_wait_us;
	if (l->probe_wait_us < PROBE_AGAIN_MAX_US)
		l->probe_wait_us *= 2;
}

static void
boot_step(struct loop *l, int64_t now)
{
	struct sup *s = l->s;

	if (!l->healthy && l->probe_us != 0 && now >= l->probe_us) {
		l->probe_us = 0;
		probe_start(&l->probe, &s->pub.addr[0]);
		if (l->probe.fd < 0)
			probe_later(l);
	}
	if (l->healthy && s->daemon_ready) {
		booted(l);
	} else if (now >= s->stage_us) {
		sup_fail(s, s->daemon_ready ? "nothing answers on the address" : "the daemon does not get ready");
		stop_begin(s);
	}
}

/* --- the loop --------------------------------------------------------------------------------- */

static void
on_signal(struct loop *l, int sig)
{
	struct sup *s = l->s;

	switch (sig) {
	case SIGCHLD:
		reap(s);
		break;
	case SIGHUP:
		l->hup = true;
		break;
	case SIGUSR1:
		l->usr1 = true;
		break;
	case SIGUSR2:                           /* our daemon has written config.toml */
		l->usr2 = true;
		break;
	default:                                /* TERM, INT: the second one loses patience */
		if (s->stage == STAGE_BOOT)
			sup_fail(s, "asked to stop while starting");
		if (s->stage <= STAGE_RUN)
			stop_begin(s);
		else
			s->stage = STAGE_OVER;
	}
}

static void
take_configuration(struct loop *l, bool pool)
{
	l->hup = l->usr2 = false;
	ollama_forget(l->s);
	sup_reload(l->s, pool);
	ollama_ask(l->s);
}

static void
read_signals(struct loop *l)
{
	struct signalfd_siginfo si[16];
	ssize_t n = read(l->s->fd_signal, si, sizeof(si));

	for (ssize_t i = 0; i * (ssize_t)sizeof(si[0]) < n; i++)
		on_signal(l, (int)si[i].ssi_signo);
	if (l->s->stage == STAGE_RUN && (l->hup || l->usr2))
		take_configuration(l, l->hup);
	if (l->s->stage == STAGE_RUN && l->s->ollama_news) {
		l->s->ollama_news = false;
		sup_reload(l->s, false);
	}
	if (l->s->stage == STAGE_RUN && l->usr1) {
		l->usr1 = false;
		sup_reopen_logs(l->s);
	}
}

static void
read_ready(struct sup *s)
{
	char byte;
	ssize_t n = read(s->fd_ready, &byte, 1);

	if (n == 1) {
		s->daemon_ready = true;
		atomic_store(&shm->daemon_ready, 1);
	}
	close(s->fd_ready);                     /* said, or dead: SIGCHLD tells */
	s->fd_ready = -1;
}

static void
read_probe(struct loop *l)
{
	int r = probe_event(&l->probe);

	if (r == 0)
		return;
	probe_close(&l->probe);
	l->healthy = r > 0;
	if (!l->healthy)
		probe_later(l);
}

/* Milliseconds until something is due; -1: nothing is. */
static int
until_due(const struct loop *l, int64_t now)
{
	const struct sup *s = l->s;
	int64_t next = s->stage == STAGE_RUN ? INT64_MAX : s->stage_us;

	if (s->stage == STAGE_RUN && s->conf_due_us != 0)
		next = s->conf_due_us;
	if (s->stage == STAGE_BOOT && l->probe_us != 0 && l->probe_us < next)
		next = l->probe_us;
	for (int i = 0; i < CHILD_MAX; i++) {
		const struct child *ch = &s->child[i];

		if (i >= SLOT_RETIRED && ch->pid > 0 && ch->kill_us < next)
			next = ch->kill_us;
		if (i < SLOT_WATCHER && ch->wanted && ch->pid == 0 && ch->due_us != 0 && ch->due_us < next)
			next = ch->due_us;
	}
	if (next == INT64_MAX)
		return -1;
	return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

/*
 * A socket whose server is down and waits for its next try: nobody would answer for
 * seconds. We take the connections and close them, and nginx says 503. (Right after
 * a death the successor starts at once, and connections had better wait for it.)
 */
static int
unserved(const struct sup *s, int fd, int first, int last)
{
	bool waiting = false;

	for (int i = first; i <= last; i++) {
		if (s->child[i].pid > 0)
			return -1;
		waiting = waiting || s->child[i].due_us != 0;
	}
	return s->stage == STAGE_RUN && waiting ? fd : -1;
}

static void
refuse_all(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

static void
turn(struct loop *l)
{
	struct sup *s = l->s;
	struct pollfd p[] = {
		{ .fd = s->fd_signal, .events = POLLIN },
		{ .fd = s->fd_ready, .events = POLLIN },
		{ .fd = l->probe.fd, .events = POLLIN },
		{ .fd = unserved(s, s->fd_front, SLOT_DAEMON, SLOT_DAEMON), .events = POLLIN },
		{ .fd = unserved(s, s->fd_control, SLOT_DAEMON, SLOT_DAEMON), .events = POLLIN },
		{ .fd = unserved(s, s->fd_fcgi, 0, POOL_MAX - 1), .events = POLLIN },
		{ .fd = s->fd_conf, .events = POLLIN },
	};
	enum { REFUSED = 3, CONF = 6 };

	if (poll(p, ARRAY_LEN(p), until_due(l, clock_mono_us())) < 0 && errno != EINTR)
		return;
	for (size_t i = REFUSED; i < CONF; i++)
		if (p[i].revents != 0)
			refuse_all(p[i].fd);
	if (p[1].revents != 0)
		read_ready(s);
	if (p[2].revents != 0)
		read_probe(l);
	if (p[0].revents != 0)
		read_signals(l);
	if (p[CONF].revents != 0)
		conf_watch_read(s);
	if (s->stage == STAGE_RUN && conf_watch_due(s))
		take_configuration(l, false);
	start_due(s, clock_mono_us());
	if (s->stage == STAGE_BOOT)
		boot_step(l, clock_mono_us());
	if (s->stage > STAGE_RUN)
		stop_step(s);
}

static enum err
open_signals(struct sup *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_SETMASK, &set, NULL) != 0)
		return ERR_IO;
	s->fd_signal = fd_high(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	return s->fd_signal < 0 ? ERR_IO : ERR_OK;
}

static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	r.rlim_cur = r.rlim_max > 65536 ? 65536 : r.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &r);     /* fewer connections then, no more */
}

/* Everything that children need before the first of them runs. */
static enum err
prepare(struct sup *s)
{
	struct shm *made;

	if (open_signals(s) != ERR_OK || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return sup_fail(s, "cannot set up signals"), ERR_IO;
	if (!sup_write_pid(s))          /* nobody could stop it */
		return sup_fail(s, "cannot write %s: %s", s->paths.lock, strerror(errno)), ERR_IO;
	raise_limits();
	if (shm_open_segment(s->paths.shm, true, &made) != ERR_OK)
		return sup_fail(s, "cannot make shared memory /dev/shm%s: %s", s->paths.shm, strerror(errno)), ERR_IO;
	conf_watch_open(s);
	conf_watch_seen(s);
	if (publish(s, 1, sup_bind) != ERR_OK)
		return ERR_INVALID;
	atomic_store(&shm->generation, 1);
	atomic_store(&shm->generation_begun, 1);
	log_set_level(log_level_of(s->pub.log_level));
	if (listen_unix(s->paths.fcgi_sock, &s->fd_fcgi) != ERR_OK ||
	    listen_unix(s->paths.front_sock, &s->fd_front) != ERR_OK ||
	    listen_unix(s->paths.control_sock, &s->fd_control) != ERR_OK)
		return sup_fail(s, "cannot make sockets in %s", s->paths.run), ERR_IO;
	return listen_share(&s->set, &s->paths, s->why, sizeof(s->why));
}

static enum err
start_children(struct sup *s)
{
	int first[] = { SLOT_DAEMON, SLOT_NGINX };

	watcher_start(s);
	for (size_t i = 0; i < ARRAY_LEN(first) - !s->set.private_nginx; i++) {
		s->child[first[i]].wanted = true;
		if (!child_start(s, first[i]))
			return sup_fail(s, "cannot start the %s", slot_name(first[i])), ERR_IO;
	}
	for (unsigned i = 0; i < s->set.pool_size; i++) {
		s->child[i].wanted = true;
		if (!child_start(s, (int)i))
			return sup_fail(s, "cannot start a worker"), ERR_IO;
	}
	return ERR_OK;
}

int
sup_run(struct sup *s, int report_fd)
{
	struct loop l = { .s = s, .report_fd = report_fd, .probe = { .fd = -1 }, .probe_us = 1,
	    .probe_wait_us = PROBE_AGAIN_US };

	l.healthy = !s->set.private_nginx;      /* nobody stands before the pool whom one could ask */
	enter(s, STAGE_BOOT, BOOT_US);
	if (prepare(s) != ERR_OK || start_children(s) != ERR_OK)
		s->stage = STAGE_OVER;
	while (s->stage != STAGE_OVER)
		turn(&l);
	probe_close(&l.probe);
	clean_up(s);
	if (l.report_fd >= 0 || s->why[0] != '\0') {
		if (report_fd < 0 || s->log_path[0] != '\0') {
			char q[700];

			log_line(LOG_ERROR, "msg=\"not started\" why=%s", log_quote(s->why, q, sizeof(q)));
		}
		s->exit_code = 1;
		report(&l, 1, s->why);
	} else {
		log_line(LOG_INFO, "msg=\"stopped\"");
	}
	return s->exit_code;
}
