/*
 * librefangd: the program. Gets the daemon's world together in the order
 * in which things need each other (paths, log, configuration, shared memory, store,
 * turns, loop), says that it is ready, serves, and takes it apart again.
 *
 * The supervisor passes the listening sockets as descriptors 3 (front.sock)
 * and 4 (control.sock). Without one, LF_FRONT_SOCK and LF_CONTROL_SOCK name sockets to make.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "daemon/alarm.h"
#include "daemon/aliases.h"
#include "daemon/assigned.h"
#include "daemon/conf.h"
#include "daemon/dbpool.h"
#include "daemon/delegate.h"
#include "daemon/embedding.h"
#include "daemon/events.h"
#include "daemon/health.h"
#include "daemon/heartbeat.h"
#include "daemon/keep.h"
#include "daemon/keys.h"
#include "daemon/loop.h"
#include "daemon/probe.h"
#include "daemon/programs.h"
#include "daemon/rest.h"
#include "daemon/remember.h"
#include "daemon/restore.h"
#include "daemon/schedule.h"
#include "daemon/standing.h"
#include "daemon/threads.h"
#include "daemon/turn.h"
#include "daemon/underway.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/secret.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/net/http.h"
#include "lib/svc/catalog.h"
#include "lib/svc/search.h"
#include "lib/svc/vault.h"
#include "lib/svc/vectors.h"
#include "version.h"

enum { FD_FRONT = 3, FD_CONTROL = 4, STOP_MS = 5000, AGAIN_MS = 200, FDS_MAX = 16384, INDEX_AT_ONCE = 20000 };

static struct {
	struct run_paths paths;
	struct db *db;                  /* migrates, and folds the write-ahead log back */
	struct db *writer;              /* every transaction's */
	char wal[4096 + 64];
} self;

static int
give_up(const char *what, const char *why)
{
	char q[512];

	log_line(LOG_ERROR, "what=%s why=%s", what, log_quote(why, q, sizeof(q)));
	return 1;
}

/* --- before anything is read ------------------------------------------------------------ */

static void
fit_process(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		/* the loop keeps a table of so many places: no more than a thousand turns can use */
		r.rlim_cur = r.rlim_max < FDS_MAX ? r.rlim_max : FDS_MAX;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	mallopt(M_ARENA_MAX, 16);       /* fewer, and the threads of turns stand in line for memory */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);     /* less often by itself: we know when it is quiet (give_back) */
	mallopt(M_TOP_PAD, 256 * 1024);
	signal(SIGPIPE, SIG_IGN);
}

/* All threads inherit the mask, so the loop alone hears them. */
static int
signals_as_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void
take_env(char *to, size_t cap, const char *name)
{
	const char *v = getenv(name);

	if (v != NULL && v[0] != '\0' && strlen(v) < cap)
		memcpy(to, v, strlen(v) + 1);
}

static bool
find_paths(void)
{
	const char *home = getenv("LF_HOME"), *run = getenv("LF_RUN");
	char msg[512];

	if (run_paths_init(&self.paths, home, true, msg, sizeof(msg)) != ERR_OK) {
		(void)give_up("paths", msg);
		return false;
	}
	if (run != NULL && strlen(run) < sizeof(self.paths.run))
		snprintf(self.paths.snapshot, sizeof(self.paths.snapshot), "%s/config.json", run);
	take_env(self.paths.shm, sizeof(self.paths.shm), "LF_SHM");
	take_env(self.paths.snapshot, sizeof(self.paths.snapshot), "LF_SNAPSHOT");
	return true;
}

/* --- the world ----------------------------------------------------------------------------- */

static bool
attach_memory(void)
{
	struct shm *seg;
	enum err e = shm_open_segment(self.paths.shm, false, &seg);

	if (e == ERR_NOT_FOUND && getenv("LF_FRONT_SOCK") != NULL)
		e = shm_open_segment(self.paths.shm, true, &seg);       /* alone, without a supervisor */
	if (e != ERR_OK)
		return give_up("shared_memory", self.paths.shm) == 0;
	atomic_store(&shm->turns_running, 0);
	atomic_store(&shm->sse_open, 0);
	atomic_store(&shm->ws_open, 0);
	for (size_t i = 0; i < SHM_WS_SLOTS; i++) {
		atomic_store(&shm->ws[i].n, 0);
		atomic_store(&shm->ws[i].key, 0);
	}
	return true;
}

static bool
load_config(void)
{
	struct conf *k;

	if (conf_load(self.paths.snapshot) != ERR_OK)
		return give_up("configuration", self.paths.snapshot) == 0;
	k = conf_hold();
	log_set_level(log_level_of(conf_of(k)->log_level));
	threads_init(conf_of(k)->turn_threads);
	conf_drop(k);
	return true;
}

static bool
open_store(void)
{
	struct conf *k = conf_hold();
	char why[512] = "cannot be opened";
	bool good;

	good = db_open(&self.db, conf_of(k)->db_path, true) == ERR_OK &&
	    db_migrate(self.db, why, sizeof(why)) == ERR_OK &&
	    db_open(&self.writer, conf_of(k)->db_path, false) == ERR_OK && db_flush_open(conf_of(k)->db_path) &&
	    dbpool_init(conf_of(k)->db_path) == ERR_OK;
	snprintf(self.wal, sizeof(self.wal), "%s-wal", conf_of(k)->db_path);
	conf_drop(k);
	if (!good)
		return give_up("store", why) == 0;
	db_set_writer(self.writer);
	atomic_store(&shm->schema_version, (uint32_t)db_schema_version(self.db));
	return true;
}

/*
 * What others must know of keys and of the catalog, which we alone read from their files.
 * again: not at the start, where nobody has read anything yet.
 */
static bool
tell(bool again)
{
	bool good = false;

	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };

	if (c.arena != NULL) {
		keys_publish(&c);
		job_db_acquire(&c);
		keys_logins(&c);
		aliases_take(&c);
		if (!again) {
			rests_load(&c);
			ignore_err(health_load(&c));    /* what cannot be read is learnt again */
		}
		good = (again ? catalog_changed(&c) : catalog_load(&c)) == ERR_OK;
		if (good)
			programs_take(&c);
		job_db_release(&c);
		catalog_leave();                /* the jobs' threads enter it */
	}
	if (!good)
		log_line(LOG_ERROR, "what=catalog why=\"it cannot be read\"");
	arena_free(c.arena);
	conf_drop(k);
	return good;
}

static bool
boot_turns(void)
{
	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };
	bool good = c.arena != NULL;

	uuid4(c.rid);
	if (good) {
		job_db_acquire(&c);
		good = agents_restore(&c) == ERR_OK && schedule_boot(&c) == ERR_OK;
		job_db_acquire(&c);
		good = good && turns_boot(&c) == ERR_OK;
		job_db_release(&c);
	}
	if (!good)
		(void)give_up("turns", c.fault.msg != NULL ? c.fault.msg : "out of memory");
	arena_free(c.arena);
	conf_drop(k);
	return good;
}

/* --- while it runs --------------------------------------------------------------------------- */

/* What was said since the store was quiet last becomes searchable without anybody waiting. */
static void
index_words(void)
{
	struct conf *k = conf_hold();
	struct ctx c = { .arena = arena_new(4096), .cfg = conf_of(k), .now_ms = clock_ms() };
	bool more = false;

	uuid4(c.rid);
	if (c.arena != NULL) {
		job_db_acquire(&c);
		if (search_catch_up(&c, INDEX_AT_ONCE, &more) != ERR_OK)
			log_line(LOG_WARN, "what=index err=%s", err_code(c.fault.err));
		job_db_release(&c);
	}
	arena_free(c.arena);
	conf_drop(k);
}

static void
fold_wal(bool quiet)
{
	if (quiet) {
		index_words();
		remember_look();
	}
	db_checkpoint(self.db, quiet);
	if (quiet) {
		db_rest(self.db);
		db_writer_rest();
		dbpool_rest();
		json_shared_forget();
		malloc_trim(0);
	}
}

static int64_t
wal_bytes(void)
{
	return db_log_bytes(self.db);
}

/* A crowd has gone. What it has left lies in pieces between what stays, which only this returns. */
static void
give_back(void)
{
	http_sweep();
	malloc_trim(0);
}

static void
reload(void)
{
	if (!conf_stale())
		return;
	keys_load(&self.paths);
	if (!load_config()) {
		log_line(LOG_WARN, "what=reload why=\"the snapshot is no good: the last one stays\"");
		(void)setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = AGAIN_MS * 1000 }, NULL);  /* constants of ours */
		return;
	}
	standing_look();
	(void)tell(true);               /* it has said what is wrong; what was known stays */
	embedding_tell_later();
	log_line(LOG_INFO, "what=reload generation=%u", atomic_load(&shm->generation));
}

static void
reopen_log(void)
{
	const char *path = getenv("LF_LOG");
	int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)dup2(fd, STDOUT_FILENO);
	(void)dup2(fd, STDERR_FILENO);
	close(fd);
}

/* The stages of an end, by the names that LibreFang has for them. What it calls flushing_audit is no stage: entries are committed with what they tell of. */
static void
stage(const char *name)
{
	log_line(LOG_INFO, "what=shutdown phase=%s", name);
}

static void
on_signal(int signo)
{
	switch (signo) {
	case SIGHUP:
		reload();
		alarms_all();
		break;
	case SIGALRM:
		reload();
		break;
	case SIGUSR1:
		reopen_log();
		break;
	default:
		stage("draining");
		atomic_store(&shm->daemon_ready, 0);
		loop_stop(STOP_MS);
		stage("broadcasting_shutdown");
		turns_shutdown();
		stage("waiting_for_agents");
		break;
	}
}

static bool
is_listener(int fd)
{
	int yes = 0;
	socklen_t n = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes != 0;
}

/* The socket that was passed on, or one made where the environment says. -1: none. */
static int
listener(int passed, const char *env)
{
	const char *path = getenv(env);
	int fd;

	if (path == NULL && is_listener(passed)) {
		(void)fcntl(passed, F_SETFD, FD_CLOEXEC);
		return passed;
	}
	if (path == NULL)
		return -1;
	fd = loop_listen(path);
	if (fd < 0)
		(void)give_up("listen", strerror(errno));
	return fd;
}

static void
say_ready(void)
{
	const char *v = getenv("LF_READY_FD");
	int fd = v == NULL ? -1 : atoi(v);

	atomic_store(&shm->daemon_ready, 1);
	log_line(LOG_INFO, "what=ready");
	if (fd < 3)
		return;
	if (write(fd, "1", 1) != 1)
		log_line(LOG_WARN, "what=ready_fd errno=%d", errno);
	close(fd);
}

static int
take_apart(bool clean)
{
	stage("stopping_background");
	restore_note_end(self.db);
	if (!clean || !threads_stop(1000)) {
		db_checkpoint(self.db, false);
		log_line(LOG_WARN, "what=stopped busy=%u", threads_busy());
		_exit(0);               /* threads still use what would be freed; their rows say where they were */
	}
	loop_close();
	stage("closing_database");
	dbpool_done();
	db_set_writer(NULL);
	db_close(self.writer);
	db_checkpoint(self.db, true);
	db_close(self.db);
	http_done();
	catalog_done();
	conf_done();
	stage("complete");
	log_line(LOG_INFO, "what=stopped");
	return 0;
}

static const char help[] =
    "\nLibreFang's daemon: agent turns, event streams, WebSockets. `librefang start` runs it with its\n"
    "listening sockets as descriptors 3 and 4; by hand, LF_FRONT_SOCK and LF_CONTROL_SOCK name them.\n";

int
main(int argc, char **argv)
{
	struct loop_options o = { .on_signal = on_signal, .on_wal = fold_wal, .on_commit = events_perhaps, .wal_bytes = wal_bytes, .wal_path = self.wal };

	if (asked_only(argc, argv, "librefangd " LF_VERSION, help))
		return 0;
	log_open("daemon", LOG_INFO);
	secret_process();
	fit_process();
	o.signal_fd = signals_as_fd();
	if (!find_paths() || !attach_memory() || !load_config() || !open_store())
		return 1;
	o.front_fd = listener(FD_FRONT, "LF_FRONT_SOCK");
	o.control_fd = listener(FD_CONTROL, "LF_CONTROL_SOCK");
	if (o.front_fd < 0 || o.signal_fd < 0)
		return give_up("sockets", "no front socket");
	if (o.control_fd < 0 && getenv("LF_CONTROL_SOCK") != NULL)
		return 1;
	vault_at(self.paths.home);
	keys_load(&self.paths);
	if (!tell(false))
		return 1;
	threads_on_quiet(give_back);
	http_on_wait(threads_rest);
	if (!routes_init())
		return give_up("routes", "out of memory");
	if (loop_open(&o) != ERR_OK)
		return give_up("loop", "libwebsockets does not start");
	if (!boot_turns())
		return 1;
	if (!alarms_open())
		return give_up("alarms", strerror(errno));
	keep_start();
	vectors_rest(0);
	embedding_tell_later();
	probes_start();
	schedule_start();
	underway_start();
	delegate_look();
	assigned_look();
	heartbeat_look();
	events_look();
	say_ready();
	return take_apart(loop_run());
}
