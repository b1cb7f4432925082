/*
 * Changing config.toml: one key at a time, or from nothing; several at once: config_file_change.c.
 *
 * Every change happens under a lock on the home, so that two of them never
 * lose one, and the new text must pass the same checks as at a start. A file
 * that is a link is followed: what it points at is replaced.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/util.h"
#include "lib/svc/config_file_edit.h"
#include "lib/toml/toml.h"

enum err
edit_say(struct edit *x, enum err e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(x->msg, x->cap, fmt, ap);
	va_end(ap);
	return e;
}

const char *
edit_name(const struct edit *x)
{
	const char *slash = strrchr(x->p->config, '/');

	return slash != NULL ? slash + 1 : x->p->config;
}

static enum err
read_old(struct edit *x)
{
	char *real = realpath(x->p->config, NULL);
	enum err e;

	snprintf(x->path, sizeof(x->path), "%s", real != NULL ? real : x->p->config);
	free(real);
	e = buf_read_file(&x->old, x->path);
	x->exists = e != ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	if (x->old.p == NULL)
		buf_add(&x->old, "", 0);
	return e == ERR_OK ? e : edit_say(x, e, "%s cannot be read", x->path);
}

enum err
edit_begin(struct edit *x, const struct run_paths *p, char *msg, size_t cap)
{
	int rc;

	*x = (struct edit){
		.p = p, .lock = -1, .msg = msg, .cap = cap,
		.old = BUF_INIT(CONFIG_BYTES_MAX), .new = BUF_INIT(CONFIG_BYTES_MAX),
	};
	if (cap > 0)
		msg[0] = '\0';
	x->lock = open(p->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x->lock < 0)
		return edit_say(x, ERR_IO, "the home %s cannot be opened: %s", p->home, strerror(errno));
	rc = lock_within(x->lock, EDIT_PATIENCE_MS);
	if (rc == EWOULDBLOCK)
		return edit_say(x, ERR_BUSY, "%s is being changed by somebody else who does not come to an end; try again", edit_name(x));
	if (rc != 0)
		return edit_say(x, ERR_IO, "the home %s cannot be locked: %s", p->home, strerror(rc));
	return read_old(x);
}

void
edit_end(struct edit *x)
{
	buf_zero_done(&x->old);
	buf_zero_done(&x->new);
	scoped_fd_close(&x->lock);
}

enum err
edit_fault(struct edit *x, enum err e, const struct toml_fault *f)
{
	if (e == ERR_BAD_REQUEST)
		return edit_say(x, ERR_CONFLICT, "%s:%d: %s", edit_name(x), f->line, f->why);
	return edit_say(x, e, "%s", f->why[0] != '\0' ? f->why : "the text is too large");
}

/* The bytes into path, 0600, for the owner that the file had. */
static enum err
write_file(struct edit *x, const char *path, const struct buf *b)
{
	struct stat st;
	bool had = stat(x->path, &st) == 0;

	if (file_keep(path, b->p, b->len, 0600) != ERR_OK)
		return edit_say(x, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
	if (had && st.st_uid != geteuid() && chown(path, st.st_uid, st.st_gid) != 0)
		return edit_say(x, ERR_IO, "%s cannot be given to its owner: %s", path, strerror(errno));
	return ERR_OK;
}

enum err
edit_commit(struct edit *x)
{
	struct buf snapshot = BUF_INIT(SNAPSHOT_BYTES_MAX);
	char dir[4096 + 16], prev[4096 + 48];
	enum err e = config_snapshot_text(x->p, NULL, 0, x->new.p, x->new.len, false, false, &snapshot, x->msg, x->cap);

	buf_done(&snapshot);
	if (e != ERR_OK)
		return e;
	snprintf(dir, sizeof(dir), "%s/backups", x->p->home);
	snprintf(prev, sizeof(prev), "%s/config.toml.prev", dir);
	if (x->exists && !dir_make(dir, 0700))
		return edit_say(x, ERR_IO, "%s cannot be made: %s", dir, strerror(errno));
	if (x->exists)
		e = write_file(x, prev, &x->old);
	return e == ERR_OK ? write_file(x, x->path, &x->new) : e;
}

/* Is this one TOML value? */
static bool
is_literal(const char *value)
{
	struct buf b = BUF_INIT(CONFIG_BYTES_MAX);
	struct json_object *doc = NULL;
	struct toml_fault f;
	bool good;

	buf_printf(&b, "x = %s\n", value);
	good = !b.failed && toml_parse(b.p, b.len, &doc, NULL, &f) == ERR_OK && json_object_object_length(doc) == 1;
	json_object_put(doc);
	buf_done(&b);
	return good;
}

/* People type words without quotes: quote what cannot be meant otherwise. */
static void
literal_of(const char *key, const char *value, struct buf *out)
{
	char first = value[strspn(value, " \t")];
	bool quote;

	if (first == '"' || first == '\'')
		quote = false;
	else if (config_key_is_text(key))
		quote = true;
	else
		quote = !is_literal(value) && first != '\0' && first != '[' && first != '{';
	if (quote)
		toml_quote(out, value);
	else
		buf_str(out, value);
}

enum err
config_file_get(const struct run_paths *p, const char *key, struct buf *json, char *msg, size_t cap)
{
	struct edit x = { .p = p, .lock = -1, .old = BUF_INIT(CONFIG_BYTES_MAX), .msg = msg, .cap = cap };
	struct json_object *doc = NULL, *v;
	struct jw w = JW_INIT(json);
	struct toml_fault f;
	enum err e = read_old(&x);

	if (e == ERR_OK) {
		e = toml_parse(x.old.p, x.old.len, &doc, NULL, &f);
		if (e != ERR_OK)
			e = edit_fault(&x, e, &f);
	}
	if (e == ERR_OK) {
		v = toml_at(doc, key);
		if (v == NULL || *key == '\0')
			e = edit_say(&x, ERR_NOT_FOUND, "%s has no key %s", edit_name(&x), key);
		else
			jw_json(&w, NULL, v);
	}
	json_object_put(doc);
	buf_zero_done(&x.old);
	return e;
}

enum err
config_file_set(const struct run_paths *p, const char *key, const char *toml_value, char *msg, size_t cap)
{
	struct buf literal = BUF_INIT(CONFIG_BYTES_MAX);
	struct toml_fault f;
	struct edit x;
	enum err e = edit_begin(&x, p, msg, cap);

	literal_of(key, toml_value, &literal);
	if (e == ERR_OK && literal.failed)
		e = edit_say(&x, ERR_TOO_LARGE, "the value is too large");
	if (e == ERR_OK) {
		e = toml_set(x.old.p, x.old.len, key, literal.p, &x.new, &f);
		e = e == ERR_OK ? edit_commit(&x) : edit_fault(&x, e, &f);
	}
	buf_zero_done(&literal);
	edit_end(&x);
	return e;
}

enum err
config_file_unset(const struct run_paths *p, const char *key, char *msg, size_t cap)
{
	struct toml_fault f;
	struct edit x;
	enum err e = edit_begin(&x, p, msg, cap);

	if (e == ERR_OK) {
		e = toml_unset(x.old.p, x.old.len, key, &x.new, &f);
		if (e == ERR_NOT_FOUND)
			e = edit_say(&x, e, "%s has no key %s", edit_name(&x), key);
		else
			e = e == ERR_OK ? edit_commit(&x) : edit_fault(&x, e, &f);
	}
	edit_end(&x);
	return e;
}

static void
first_text(const char *key, struct buf *out)
{
	buf_str(out,
	    "# LibreFang. `librefang config set KEY VALUE` changes this file and keeps its comments.\n"
	    "config_version = 2\n"
	    "\n"
	    "# Where the front server listens. Others reach it only at another address than this.\n"
	    "api_listen = \"127.0.0.1:4545\"\n"
	    "\n"
	    "# What clients send as \"Authorization: Bearer KEY\". Whoever has it is the owner.\n");
	buf_printf(out, "api_key = \"%s\"\n", key);
	buf_str(out,
	    "\n"
	    "stable_prefix_mode = true\n"
	    "\n"
	    "[default_model]\n"
	    "# auto: the first provider whose key is in the environment or in secrets.env\n"
	    "# (OPENAI_API_KEY, ANTHROPIC_API_KEY ...), else the built-in rules, called offline.\n"
	    "provider = \"auto\"\n"
	    "\n"
	    "[memory]\n"
	    "decay_rate = 0.05\n");
}

static enum err
make_first(struct edit *x, char key[static 65])
{
	char dir[4096], *slash;
	uint8_t bytes[32];

	random_bytes(bytes, sizeof(bytes));
	hex_of(bytes, sizeof(bytes), key);
	zero_bytes(bytes, sizeof(bytes));
	snprintf(dir, sizeof(dir), "%s", x->path);
	slash = strrchr(dir, '/');
	if (slash != NULL && slash != dir) {
		*slash = '\0';
		if (!dir_make(dir, 0700))
			return edit_say(x, ERR_IO, "%s cannot be made: %s", dir, strerror(errno));
	}
	first_text(key, &x->new);
	if (x->new.failed)
		return edit_say(x, ERR_NOMEM, "out of memory");
	return write_file(x, x->path, &x->new);
}

enum err
config_file_init(const struct run_paths *p, char key[static 65], char *msg, size_t cap)
{
	struct edit x;
	enum err e = edit_begin(&x, p, msg, cap);

	key[0] = '\0';
	if (e == ERR_OK && !x.exists)
		e = make_first(&x, key);
	if (e != ERR_OK)
		key[0] = '\0';
	edit_end(&x);
	return e;
}
