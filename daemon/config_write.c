/*
 * The configuration, written where it is read from. The supervisor makes it into the snapshot that all processes
 * load: it is told by USR2, as HUP would have it make new workers besides.
 */
#include "daemon/config_write.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/audit_note.h"
#include "daemon/dbpool.h"
#include "db/db.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

enum { TAKEN_US = 5000000, QUEUE_US = 10000000, VALUE_MAX = 4 << 20 };

enum err
config_open(struct ctx *c)
{
	const char *mode = getenv("LIBREFANG_CONFIG_MODE");
	SCOPED_BUF b = BUF_INIT(16384);
	struct jw w = JW_INIT(&b);

	if (mode == NULL || strcmp(mode, "managed") != 0)
		return ERR_OK;
	ignore_err(fail(c, ERR_LOCKED, "configuration is managed by the deployment"));
	jw_str(&w, NULL, c->cfg->config_path);
	if (!b.failed)
		c->fault.extra = ctx_printf(c, "\"ok\":false,\"source\":%s", b.p);
	return ERR_LOCKED;
}

/* Only ours: by hand a daemon runs without one. */
static pid_t
supervisor(void)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/comm", (long)getppid());
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fgets(name, sizeof(name), f) == NULL)
		name[0] = '\0';
	fclose(f);
	return strcmp(name, "librefang\n") == 0 ? getppid() : 0;
}

static enum err
taken(struct ctx *c, uint32_t before)
{
	pid_t pid = supervisor();
	bool told = pid > 1 && kill(pid, SIGUSR2) == 0;

	if (told && conf_await(before, TAKEN_US))
		return ERR_OK;
	return fail(c, ERR_UNAVAILABLE, "config.toml is written; the running server has not taken it yet");
}

/* Which keys, not what they hold. */
static void
note_keys(struct ctx *c, const struct config_change *ch, size_t n)
{
	SCOPED_BUF keys = BUF_INIT(4096);

	for (size_t i = 0; i < n; i++) {
		buf_str(&keys, i > 0 ? " " : "");
		if (ch[i].user != NULL)
			buf_printf(&keys, "%s: ", ch[i].user);
		buf_str(&keys, ch[i].key != NULL ? ch[i].key : ch[i].members != NULL ? "added" : "removed");
	}
	note_alone(c, &(struct audit){ .action = "ConfigChange", .detail = keys.failed ? "config.toml" : keys.p, .outcome = "ok" });
}

static enum err
paths_of(struct ctx *c, struct run_paths *p)
{
	char msg[600] = "";

	if (run_paths_init(p, c->cfg->home, false, msg, sizeof(msg)) != ERR_OK)
		return fail(c, ERR_IO, "%s", msg);
	snprintf(p->config, sizeof(p->config), "%s", c->cfg->config_path);
	return ERR_OK;
}

enum err
config_in_file(struct ctx *c, const char *key, struct json_object **ret)
{
	struct buf b = BUF_INIT(VALUE_MAX);
	struct run_paths p;
	char msg[600] = "";
	enum err e = paths_of(c, &p);

	if (e == ERR_OK && (e = config_file_get(&p, key, &b, msg, sizeof(msg))) != ERR_OK)
		e = memory_short ? fail(c, ERR_NOMEM, "out of memory") : e == ERR_NOT_FOUND ? e : fail(c, e, "%s", msg);
	else if (e == ERR_OK && (b.failed || (*ret = json_keep(c, json_parse(b.p, b.len))) == NULL))
		e = fail(c, ERR_NOMEM, "out of memory");
	buf_zero_done(&b);
	return e;
}

static enum err
write_file(struct ctx *c, const struct config_change *ch, size_t n)
{
	struct run_paths p;
	char msg[600] = "";
	enum err e = paths_of(c, &p);

	if (e != ERR_OK)
		return e;
	e = config_file_change(&p, ch, n, msg, sizeof(msg));
	return e == ERR_OK ? ERR_OK : fail(c, e == ERR_INVALID ? ERR_BAD_REQUEST : e, "%s", msg);
}

enum err
config_write(struct ctx *c, const struct config_change *ch, size_t n, struct conf **ret)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	const struct timespec until = timespec_of_us(clock_mono_us() + QUEUE_US);
	enum err e;

	if (config_open(c) != ERR_OK)
		return c->fault.err;
	if (memory_short)               /* what is to be written may not be what was asked */
		return fail(c, ERR_NOMEM, "out of memory");
	if (n == 0) {
		*ret = conf_hold();
		return ERR_OK;
	}
	if (pthread_mutex_clocklock(&one_at_a_time, CLOCK_MONOTONIC, &until) != 0)
		return fail(c, ERR_BUSY, "others are changing config.toml");
	e = write_file(c, ch, n);
	if (e == ERR_OK) {
		uint32_t before = shm != NULL ? atomic_load(&shm->generation_begun) : 0;        /* that one may have read too early */

		note_keys(c, ch, n);
		e = taken(c, before);
	}
	pthread_mutex_unlock(&one_at_a_time);
	if (e == ERR_OK)
		*ret = conf_hold();
	return e;
}

static void
drop(void *k)
{
	conf_drop(k);
}

enum err
config_take(struct ctx *c, const struct config_change *ch, size_t n)
{
	struct conf *k = NULL;
	enum err e;

	job_db_release(c);              /* not held while the supervisor reads */
	e = config_write(c, ch, n, &k);
	job_db_acquire(c);
	if (e != ERR_OK)
		return e;
	c->cfg = conf_of(k);
	return arena_defer(c->arena, drop, k) == 0 ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}
