/*
 * The supervisor: parent of pool, daemon and the private nginx of one home.
 *
 * sup.c       the loop: signals, deaths, the end
 * sup_boot.c  from the command line to the first answer
 * reload.c    a new configuration, while requests go on
 * conf_watch.c   config.toml that was edited
 * child.c     making one child: descriptors, environment, process group
 * publish.c   config.toml to snapshot and nginx.conf, in a helper process
 * listen.c    sockets that outlive the children
 * proc.c      who is alive
 * ollama.c    a model server on this machine, asked for in the background
 * watcher.c   the process that cleans up after a killed supervisor
 */
#ifndef LF_SUP_H
#define LF_SUP_H
#include <sys/socket.h>
#include "cli/settings.h"

enum { ADDR_MAX = 4, OLLAMA_MODEL_MAX = 200, CHILD_MAX = 256, SLOT_DAEMON = POOL_MAX, SLOT_NGINX, SLOT_WATCHER, SLOT_RETIRED };

/* An address that nginx listens on. */
struct addr {
	struct sockaddr_storage sa;
	socklen_t n;
	char text[64];                  /* "127.0.0.1:4545", "[::1]:4545" */
};

/* What of the configuration matters to the supervisor. Crosses a pipe. */
struct published {
	bool good;
	char msg[600];                  /* not good: why; good: a warning, or "" */
	char listen[300];               /* as configured */
	struct addr addr[ADDR_MAX];
	unsigned n_addr;
	char log_level[16];
	unsigned watch_ms;              /* config.toml that changes is taken after that; 0: when somebody asks */
	char ollama[300];               /* where to ask for an Ollama; "": nobody wants one */
};

/*
 * A process at a fixed place: pool workers 0 .., then daemon, nginx, watcher; from
 * SLOT_RETIRED on those that finish their work while a successor runs already.
 */
struct child {
	pid_t pid;                      /* 0: none */
	int64_t started_us;
	int64_t due_us;                 /* start again then; 0: not waiting */
	int64_t kill_us;                /* retired: no patience after that */
	unsigned quick;                 /* deaths in a row within a second */
	bool wanted;
};

enum stage { STAGE_BOOT, STAGE_RUN, STAGE_STOP_FRONT, STAGE_STOP_DAEMON, STAGE_STOP_POOL, STAGE_OVER };

struct sup {
	struct settings set;
	struct run_paths paths;
	const char *listen_over;        /* --listen or NULL */
	unsigned workers_over;          /* --workers or 0 */
	struct published pub;
	char bin_dir[4096];
	char log_path[4160];            /* "": foreground, stderr */
	bool nginx_changed;             /* by the last publishing */

	int fd_lock, fd_fcgi, fd_front, fd_control, fd_signal, fd_watch, fd_ready;
	int fd_tcp[ADDR_MAX];
	int fd_conf;                    /* tells of changes beside config.toml; -1 */
	int64_t conf_due_us;            /* look at it then; 0: it did not change */
	uint8_t conf_seen[32];          /* the digest of what was loaded last */
	unsigned n_tcp;
	pid_t pgid;                     /* group of all children; 0: none yet */
	struct child child[CHILD_MAX];

	enum stage stage;
	int64_t stage_us;               /* when the stage loses patience */
	pid_t ollama_pid;               /* who asks for it; 0: nobody */
	int fd_ollama;                  /* and what it says; -1 */
	char ollama_model[OLLAMA_MODEL_MAX];    /* of the one that was found; "" */
	bool ollama_news;               /* found, and not yet in the configuration */
	bool daemon_ready;
	int exit_code;
	char why[600];                  /* boot failed */
};

/* sup.c */
int sup_run(struct sup *, int report_fd);
void sup_fail(struct sup *, const char *fmt, ...) PRINTF(2, 3);
void sup_signal(const struct sup *, int slot, int sig);         /* nothing if nobody is there */

/* reload.c */
/* Take the configuration as it is now; pool: with workers that are new. */
void sup_reload(struct sup *, bool pool);
void sup_reopen_logs(struct sup *);
bool sup_bind(struct sup *, const struct published *);          /* for publish() */
void sup_daemon_json(const struct sup *);                       /* <home>/daemon.json, while we run */

/* conf_watch.c */
void conf_watch_open(struct sup *);
void conf_watch_seen(struct sup *);     /* as it is now it is being loaded */
void conf_watch_read(struct sup *);     /* fd_conf is readable */
bool conf_watch_due(struct sup *);      /* it is another one, and has been left alone */

/* sup_boot.c: hold the lock and know the paths, then run (in the background unless foreground). Exit code. */
struct start_options { const char *home, *listen; unsigned workers; bool foreground, json; };
int sup_start(const struct start_options *);
/* The directory of librefangd and librefang-fcgi; false: not found. */
bool sup_programs(char *out, size_t cap);
/* Is a supervisor of this home alive? Its pid, 0: none. */
pid_t sup_running(const struct run_paths *);
/* This process into the lock. */
bool sup_write_pid(const struct sup *) MUST_CHECK;
/* "http://127.0.0.1:4545" of the running one, from daemon.json; "" if unknown. */
void sup_url(const struct run_paths *, char *out, size_t cap);
/* cmd_login.c: that with a one-time link. NOT_FOUND: nothing runs. IO. */
enum err login_link(const struct run_paths *, char *out, size_t cap) MUST_CHECK;

/* child.c */
bool child_start(struct sup *, int slot);
const char *slot_name(int slot);
bool sup_knows(const struct sup *, pid_t);

/* proc.c */
bool pid_alive(pid_t);
bool group_alive(pid_t group);
void kill_orphans(struct sup *);

/* publish.c: bind is asked before anything is written; false keeps everything as it was. */
enum err publish(struct sup *, uint32_t generation, bool (*bind)(struct sup *, const struct published *)) MUST_CHECK;

/* listen.c */
enum err listen_unix(const char *path, int *ret) MUST_CHECK;
/* Let a front server of another user in, as the settings say. msg says what cannot be. */
enum err listen_share(const struct settings *, const struct run_paths *, char *msg, size_t cap) MUST_CHECK;
/* Take over the addresses: those already open stay open. msg says what is in use. */
enum err listen_tcp(struct sup *, const struct published *, char *msg, size_t cap) MUST_CHECK;
void listen_close(struct sup *);
int fd_high(int fd);                    /* the same file at a number that no child expects */

/* watcher.c */
void watcher_start(struct sup *);
void watcher_tell(struct sup *);

/* health.c: one GET /api/health, without waiting. */
struct probe { int fd; char in[64]; size_t n; };
void probe_start(struct probe *, const struct addr *);
int probe_event(struct probe *);        /* 1: answered well; 0: not yet; -1: failed */
void probe_close(struct probe *);

/* ollama.c: ask in the background; the end of that process may be news. */
void ollama_ask(struct sup *);
void ollama_forget(struct sup *);
bool ollama_found(struct sup *, pid_t);         /* true: ollama_model is there */

/* notify.c: systemd's readiness protocol; nothing without NOTIFY_SOCKET. */
void notify(const char *state);
#endif
