/* Notes of files that follow a commit, and what is done later. */
#include "daemon/underway.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/alarm.h"
#include "daemon/aliases.h"
#include "daemon/background.h"
#include "daemon/place.h"
#include "daemon/template_file.h"
#include "daemon/user_follow.h"
#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { RETRY_MS = 1000, RETRY_MAX_MS = 600000, TEXT_MAX = 4 << 20, ID = 36 };

static int64_t ring(void);
static struct alarm later = { .ring = ring };
static bool left;                       /* by the boot */

static const char *
note_of(struct ctx *c, const char *name)
{
	return ctx_printf(c, "%s/underway/%s", c->cfg->data_dir, name);
}

static enum err
no_io(struct ctx *c, const char *name)
{
	return fail(c, ERR_IO, "%s cannot be written: %s", name, strerror(errno));
}

enum err
underway_hold(struct ctx *c, const char *name, const char *text, size_t n)
{
	const char *note = note_of(c, name), *dir = ctx_printf(c, "%s/underway", c->cfg->data_dir);
	enum err e;

	if (note == NULL || dir == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	e = file_keep(note, text, n, 0600);
	if (e != ERR_OK && errno == ENOENT && dir_make(dir, 0700))
		e = file_keep(note, text, n, 0600);
	return e == ERR_OK ? e : no_io(c, name);
}

bool
underway_is(struct ctx *c, const char *name)
{
	const char *note = note_of(c, name);

	return note == NULL || access(note, F_OK) == 0 || errno != ENOENT;
}

enum err
underway_drop(struct ctx *c, const char *name)
{
	const char *note = note_of(c, name);

	if (note == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	return unlink(note) == 0 || errno == ENOENT ? ERR_OK : no_io(c, name);
}

enum err
underway_text(struct ctx *c, const char *name, const char **ret, size_t *ret_n)
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX);
	const char *note = note_of(c, name);
	enum err e = note == NULL ? ERR_NOMEM : buf_read_file(&b, note);

	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? e : fail(c, e, "%s cannot be read", name);
	*ret = ctx_strndup(c, b.p != NULL ? b.p : "", b.len);
	*ret_n = b.len;
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
underway_put(struct ctx *c, const char *name, const char *file)
{
	const char *note = note_of(c, name), *text = NULL;
	size_t n = 0;
	enum err e;

	if (note == NULL || file == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (rename(note, file) == 0) {
		file_settle(file);
		return ERR_OK;
	}
	if (errno != EXDEV)
		return no_io(c, name);
	e = underway_text(c, name, &text, &n);
	if (e == ERR_OK && file_keep(file, text, n, 0600) != ERR_OK)
		e = no_io(c, name);
	return e == ERR_OK ? underway_drop(c, name) : e;
}

/* --- later --------------------------------------------------------------------------------------- */

/* One that was not finished itself goes. */
static enum err
work_off(struct ctx *c, const char *name)
{
	size_t n = strlen(name), k = strlen(TEMPLATE_NOTE);

	if (strcmp(name, ALIASES_NOTE) == 0)
		return aliases_work_off(c);
	if (strcmp(name, USER_NOTE) == 0)
		return user_settled(c);
	if (n < 5 || strcmp(name + n - 5, ".toml") != 0)
		return underway_drop(c, name);
	if (n > k + 5 && memcmp(name, TEMPLATE_NOTE, k) == 0)
		return template_work_off(c, ctx_strndup(c, name + k, n - k - 5));
	return n == ID + 5 ? place_work_off(c, ctx_strndup(c, name, ID)) : underway_drop(c, name);
}

static bool
work_off_all(struct ctx *c)
{
	const char *dir = ctx_printf(c, "%s/underway", c->cfg->data_dir);
	DIR *d = dir == NULL ? NULL : opendir(dir);
	bool clean = d != NULL || (dir != NULL && errno == ENOENT);

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
		if (de->d_name[0] != '.')
			clean = work_off(c, de->d_name) == ERR_OK && clean;
	if (d != NULL)
		closedir(d);
	clean = places_tidy(c) && clean;
	c->fault = (struct fault){ 0 };         /* nobody asked for it */
	return clean;
}

static int64_t
ring(void)
{
	static int64_t wait_ms = RETRY_MS;
	struct background b;
	bool clean = false;

	if (background_begin(&b)) {
		clean = work_off_all(&b.c);
		background_end(&b);
	}
	if (clean) {
		wait_ms = RETRY_MS;
		return ALARM_NEVER;
	}
	wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
	return clock_ms() + wait_ms / 2;
}

void
underway_later(void)
{
	alarm_now(&later);
}

/* What a daemon that was killed was writing. */
static void
sweep(struct ctx *c)
{
	static const char *const dirs[] = { "", "/underway", "/artifacts" };

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		const char *dir = ctx_printf(c, "%s%s", c->cfg->data_dir, dirs[i]);

		if (dir != NULL)
			(void)files_sweep(dir, clock_ms());
	}
}

void
underway_boot(struct ctx *c)
{
	sweep(c);
	left = !work_off_all(c);
}

void
underway_start(void)
{
	if (left)
		alarm_now(&later);
}
