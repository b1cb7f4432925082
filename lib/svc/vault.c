/*
 * The vault's secrets in memory, and its file.
 *
 * The difficult thing is what a crash leaves. The file is replaced whole, under a lock on the home. A new
 * master key is first written beside the old one as vault.key.new, then the file is sealed with it, then it
 * takes the old one's name: at each moment one of the two fits, and opening tries both.
 */
#include "lib/svc/vault.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/svc/vault_key.h"

enum {
	MAGIC = 8, SALT = 16, FITS = 16,
	HEAD = MAGIC + 4 + 4 + SALT + FITS + SEAL_NONCE,
	PATIENCE_MS = 5000,
	AT_SALT = MAGIC + 8, AT_FITS = AT_SALT + SALT, AT_NONCE = AT_FITS + FITS,
	MEMORY_KIB = 19456, PASSES = 2, MEMORY_MAX_KIB = 1 << 20, PASSES_MAX = 64,
	TEXT_MAX = 4 << 20,
};

static const char magic[] = "LFVAULT1";

/* Secret memory: the stretched key, and below it what it opens. */
struct opened {
	uint8_t key[SEAL_KEY];
	size_t n, cap;
	char text[];                    /* "NAME=value\n"… */
};

static struct {
	pthread_mutex_t mu;
	struct opened *o;               /* NULL: not read yet, or there is no file */
	uint8_t head[HEAD];             /* of the file that was read */
	struct stat seen;
	bool key_waits;                 /* vault.key.new fits, and could not take vault.key's name */
	_Atomic uint64_t mark;
} v = { .mu = PTHREAD_MUTEX_INITIALIZER, .mark = 1 };

uint64_t
vault_mark(void)
{
	return v.mark;
}

bool
vault_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > VAULT_NAME_MAX || (!isalpha((unsigned char)*s) && *s != '_'))
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("_.-", *s) == NULL)
			return false;
	return true;
}

static enum err
broken(struct ctx *c, const char *what)
{
	return fail_code(c, ERR_INTERNAL, "vault_crypto", "vault.enc %s; it was left as it is (a backup may have a good one)", what);
}

/* --- the file ------------------------------------------------------------------------ */

static uint32_t
get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void
put32(uint8_t *p, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(n >> 8 * i);
}

/* The key that seals, and the bytes by which it is known, from the master key and the head. */
static bool
stretch(const uint8_t *m, const uint8_t *head, uint8_t key[static SEAL_KEY], uint8_t fits[static FITS])
{
	uint8_t both[2 * SEAL_KEY], sum[32];
	bool good = argon2_stretch(m, MASTER, head + AT_SALT, get32(head + MAGIC), get32(head + MAGIC + 4), both, sizeof(both));

	memcpy(key, both, SEAL_KEY);
	sha256(both + SEAL_KEY, SEAL_KEY, sum);
	memcpy(fits, sum, FITS);
	zero_bytes(both, sizeof(both));
	return good;
}

/* A head with new salt, made for this master key. */
static bool
head_new(const uint8_t *m, uint8_t head[static HEAD], uint8_t key[static SEAL_KEY])
{
	memcpy(head, magic, MAGIC);
	put32(head + MAGIC, MEMORY_KIB);
	put32(head + MAGIC + 4, PASSES);
	random_bytes(head + AT_SALT, SALT);
	return stretch(m, head, key, head + AT_FITS);
}

static struct opened *
opened_new(size_t text_n)
{
	struct opened *o = secret_alloc(sizeof(*o) + text_n + 1);

	if (o != NULL)
		o->cap = text_n;
	return o;
}

/* The master key in this file of the home, against the head. NOT_FOUND: it is none of this vault. */
static enum err
try_key(struct ctx *c, const char *file, const uint8_t *head, uint8_t key[static SEAL_KEY])
{
	uint8_t m[MASTER], fits[FITS];
	enum err e = vault_master(c, file, m);

	if (e != ERR_OK)
		return e;
	if (!stretch(m, head, key, fits))
		e = fail(c, ERR_NOMEM, "out of memory");
	else if (!same_bytes(fits, head + AT_FITS, FITS))
		e = ERR_NOT_FOUND;
	zero_bytes(m, sizeof(m));
	return e;
}

/* One that nothing is sealed with: should it stay, it does no harm. */
static void
drop_key(const char *file)
{
	char path[4352];

	vault_path(file, path);
	(void)unlink(path);
}

/* The new key takes its place, or waits beside it for another look: both are tried. */
static void
move_key(void)
{
	char from[4352], to[4352];

	vault_path("vault.key.new", from);
	vault_path("vault.key", to);
	v.key_waits = rename(from, to) != 0 && rename(from, to) != 0;
	file_settle(to);
}

/* The key of a rotation that was interrupted takes its place, or goes if nothing was sealed with it. */
static enum err
find_key(struct ctx *c, const uint8_t *head, uint8_t key[static SEAL_KEY])
{
	enum err e = try_key(c, "vault.key", head, key);

	if (e == ERR_OK)
		drop_key("vault.key.new");
	if (e != ERR_NOT_FOUND)
		return e;
	if (strcmp(vault_key_from(), "environment") != 0 && strcmp(vault_key_from(), "credential") != 0) {
		e = try_key(c, "vault.key.new", head, key);
		if (e == ERR_OK)
			move_key();
		if (e != ERR_NOT_FOUND)
			return e;
	}
	if (strcmp(vault_key_from(), "none") == 0)
		return vault_locked(c, "its key is not here (LIBREFANG_VAULT_KEY, a systemd credential or vault.key)");
	return vault_locked(c, "its key does not fit, or the file's head was changed");
}

static bool
head_good(const uint8_t *p, size_t n)
{
	return n >= HEAD + SEAL_TAG && memcmp(p, magic, MAGIC) == 0 && get32(p + MAGIC) >= 8 &&
	    get32(p + MAGIC) <= MEMORY_MAX_KIB && get32(p + MAGIC + 4) >= 1 && get32(p + MAGIC + 4) <= PASSES_MAX;
}

static enum err
open_bytes(struct ctx *c, const uint8_t *p, size_t n, struct opened **ret)
{
	uint8_t key[SEAL_KEY];
	struct opened *o;
	enum err e;

	if (!head_good(p, n))
		return broken(c, n < HEAD + SEAL_TAG ? "is cut short" : "is no vault of ours");
	e = find_key(c, p, key);
	if (e != ERR_OK)
		return e;
	o = opened_new(n - HEAD - SEAL_TAG);
	if (o == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	o->n = n - HEAD - SEAL_TAG;
	memcpy(o->key, key, sizeof(key));
	zero_bytes(key, sizeof(key));
	if (!seal_open(o->key, p + AT_NONCE, p, HEAD, p + HEAD, n - HEAD, o->text)) {
		secret_free(o);
		return broken(c, "was changed or cut: its seal does not hold");
	}
	*ret = o;
	return ERR_OK;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
forget(void)
{
	secret_free(v.o);
	v.o = NULL;
	v.mark++;
}

/* What is in the file is in v.o; NULL: there is no file. Under the mutex. */
static enum err
look(struct ctx *c)
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX + HEAD + SEAL_TAG);
	struct opened *o = NULL;
	char path[4352];
	struct stat st;
	enum err e;

	if (v.key_waits)
		move_key();
	vault_path("vault.enc", path);
	if (stat(path, &st) != 0) {
		if (errno != ENOENT)
			return vault_no_io(c, "vault.enc cannot be looked at");
		if (v.o != NULL)
			forget();
		return ERR_OK;
	}
	if (v.o != NULL && same_file(&st, &v.seen))
		return ERR_OK;
	forget();
	if (!S_ISREG(st.st_mode) || buf_read_file(&b, path) != ERR_OK)
		return vault_no_io(c, "vault.enc cannot be read");
	e = open_bytes(c, (const uint8_t *)b.p, b.len, &o);
	if (e != ERR_OK)
		return e;
	v.o = o;
	v.seen = st;
	memcpy(v.head, b.p, HEAD);
	return ERR_OK;
}

/* Seal these lines with that key and head into the file. */
static enum err
write_file(struct ctx *c, const uint8_t *head, struct opened *o)
{
	SCOPED_BUF b = BUF_INIT(TEXT_MAX + HEAD + SEAL_TAG);
	char path[4352];
	uint8_t *p;

	vault_path("vault.enc", path);
	p = (uint8_t *)buf_room(&b, HEAD + o->n + SEAL_TAG);
	if (p == NULL)
		return fail(c, ERR_TOO_LARGE, "the vault is full");
	memcpy(p, head, HEAD);
	random_bytes(p + AT_NONCE, SEAL_NONCE);
	seal(o->key, p + AT_NONCE, p, HEAD, o->text, o->n, p + HEAD);
	if (file_keep(path, p, HEAD + o->n + SEAL_TAG, 0600) != ERR_OK)
		return vault_no_io(c, "vault.enc cannot be written");
	memcpy(v.head, p, HEAD);
	if (stat(path, &v.seen) != 0)
		memset(&v.seen, 0, sizeof(v.seen));     /* read again at the next look */
	if (v.o != o)
		secret_free(v.o);
	v.o = o;
	v.mark++;
	return ERR_OK;
}

/* --- under the locks ------------------------------------------------------------------------ */

static void
unlock(int *fd)
{
	scoped_fd_close(fd);
	pthread_mutex_unlock(&v.mu);
}

/* The mutex in any case, and for writing the home against other processes. */
static enum err
lock_home(struct ctx *c, bool write, int *fd)
{
	int rc = 0;

	if (write) {
		*fd = open(vault_home(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = *fd < 0 ? errno : lock_within(*fd, PATIENCE_MS);
	}
	pthread_mutex_lock(&v.mu);
	if (rc == EWOULDBLOCK)
		return fail(c, ERR_BUSY, "somebody else has the lock of the home");
	return rc == 0 ? ERR_OK : vault_no_io(c, "the home cannot be locked");
}
#define LOCKED __attribute__((cleanup(unlock), unused)) int

/* A key that nothing was sealed with goes again. */
static enum err
gone(struct ctx *c, const char *file, enum err e)
{
	drop_key(file);
	return e == ERR_NOT_FOUND ? vault_locked(c, "%s is gone", file) : e;
}

static enum err
make(struct ctx *c)
{
	uint8_t m[MASTER], head[HEAD];
	struct opened *o;
	bool fresh = strcmp(vault_key_from(), "none") == 0;
	enum err e = fresh ? vault_master_new(c, "vault.key") : ERR_OK;

	if (e == ERR_OK)
		e = vault_master(c, "vault.key", m);
	if (e != ERR_OK)
		return fresh ? gone(c, "vault.key", e) : e;
	o = opened_new(0);
	if (o == NULL || !head_new(m, head, o->key))
		e = fail(c, ERR_NOMEM, "out of memory");
	zero_bytes(m, sizeof(m));
	if (e == ERR_OK)
		e = write_file(c, head, o);
	if (e == ERR_OK)
		return e;
	secret_free(o);
	return fresh ? gone(c, "vault.key", e) : e;
}

enum err
vault_init(struct ctx *c)
{
	LOCKED fd = -1;
	enum err e = lock_home(c, true, &fd);

	if (e == ERR_OK)
		e = look(c);
	if (e != ERR_OK)
		return e;
	return v.o != NULL ? fail_code(c, ERR_CONFLICT, "vault_exists", "There is a vault already") : make(c);
}

/* The line of that name and its length without the newline; NULL: none. */
static const char *
line_of(const char *name, size_t *ret_n)
{
	size_t k = strlen(name);

	for (const char *p = v.o->text, *end = p + v.o->n, *nl; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			return NULL;
		if ((size_t)(nl - p) > k && p[k] == '=' && memcmp(p, name, k) == 0) {
			*ret_n = (size_t)(nl - p);
			return p;
		}
	}
	return NULL;
}

static enum err
unknown(struct ctx *c, const char *name)
{
	return fail_code(c, ERR_NOT_FOUND, "vault_key_not_found", "The vault has no entry %.128s", name);
}

enum err
vault_get(struct ctx *c, const char *name, char **ret)
{
	LOCKED fd = -1;
	size_t k = strlen(name) + 1, n;
	const char *line;
	enum err e = lock_home(c, false, &fd);

	if (e == ERR_OK)
		e = look(c);
	if (e != ERR_OK)
		return e;
	if (v.o == NULL || (line = line_of(name, &n)) == NULL)
		return unknown(c, name);
	*ret = secret_keep(c, line + k, n - k);
	return *ret != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

/* The lines without that name, and with it when there is a value. */
static enum err
change(struct ctx *c, const char *name, const char *value)
{
	size_t n = 0, more = value != NULL ? strlen(name) + strlen(value) + 2 : 0;
	const char *line = line_of(name, &n);
	struct opened *o;
	enum err e;

	if (line == NULL && value == NULL)
		return unknown(c, name);
	if (v.o->n + more > TEXT_MAX)
		return fail(c, ERR_TOO_LARGE, "the vault is full");
	o = opened_new(v.o->n + more);
	if (o == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	memcpy(o->key, v.o->key, SEAL_KEY);
	if (line == NULL) {
		memcpy(o->text, v.o->text, v.o->n);
		o->n = v.o->n;
	} else {
		size_t before = (size_t)(line - v.o->text), after = v.o->n - before - n - 1;

		memcpy(o->text, v.o->text, before);
		memcpy(o->text + before, line + n + 1, after);
		o->n = before + after;
	}
	if (value != NULL)
		o->n += (size_t)snprintf(o->text + o->n, more + 1, "%s=%s\n", name, value);
	e = write_file(c, v.head, o);
	if (e != ERR_OK)
		secret_free(o);
	return e;
}

enum err
vault_set(struct ctx *c, const char *name, const char *value)
{
	LOCKED fd = -1;
	enum err e = lock_home(c, true, &fd);

	if (e != ERR_OK)
		return e;
	if (!vault_name_ok(name))
		return fail(c, ERR_BAD_REQUEST, "A name of letters, digits, _, . and - is expected, at most %d", VAULT_NAME_MAX);
	if (*value == '\0' || strlen(value) > VAULT_VALUE_MAX || strpbrk(value, "\r\n") != NULL)
		return fail(c, ERR_BAD_REQUEST, "A secret of one line is expected, at most %d bytes", VAULT_VALUE_MAX);
	e = look(c);
	if (e == ERR_OK && v.o == NULL)
		e = make(c);
	return e == ERR_OK ? change(c, name, value) : e;
}

enum err
vault_remove(struct ctx *c, const char *name)
{
	LOCKED fd = -1;
	enum err e = lock_home(c, true, &fd);

	if (e == ERR_OK)
		e = look(c);
	if (e != ERR_OK)
		return e;
	return v.o != NULL ? change(c, name, NULL) : unknown(c, name);
}

/* A key that waits may be the one that fits: nothing is written over it before that is known. */
static enum err
settle_key(struct ctx *c)
{
	uint8_t key[SEAL_KEY];
	char path[4352];
	enum err e;

	vault_path("vault.key.new", path);
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return ERR_OK;          /* then a rotation even helps who lost vault.key while we run */
	e = find_key(c, v.head, key);
	zero_bytes(key, sizeof(key));
	return e == ERR_OK && v.key_waits ? vault_no_io(c, "vault.key cannot be replaced") : e;
}

static enum err
rotate(struct ctx *c)
{
	uint8_t m[MASTER], head[HEAD];
	struct opened *o = NULL;
	enum err e = vault_master_new(c, "vault.key.new");

	if (e == ERR_OK)
		e = vault_master(c, "vault.key.new", m);
	if (e == ERR_OK && ((o = opened_new(v.o->n)) == NULL || !head_new(m, head, o->key)))
		e = fail(c, ERR_NOMEM, "out of memory");
	zero_bytes(m, sizeof(m));
	if (e == ERR_OK) {
		memcpy(o->text, v.o->text, v.o->n);
		o->n = v.o->n;
		e = write_file(c, head, o);
	}
	if (e != ERR_OK) {
		secret_free(o);
		return gone(c, "vault.key.new", e);
	}
	move_key();                     /* the new one is in force from here on */
	return ERR_OK;
}

enum err
vault_rotate(struct ctx *c)
{
	LOCKED fd = -1;
	const char *from = vault_key_from();
	enum err e = lock_home(c, true, &fd);

	if (e == ERR_OK)
		e = look(c);
	if (e != ERR_OK)
		return e;
	if (v.o == NULL)
		return fail_code(c, ERR_NOT_FOUND, "vault_missing", "There is no vault");
	if (strcmp(from, "file") != 0)
		return fail(c, ERR_CONFLICT, "The vault's key comes from the %s: only one in vault.key can be rotated here", from);
	e = settle_key(c);
	return e == ERR_OK ? rotate(c) : e;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum err
vault_list(struct ctx *c, struct vault_names *ret)
{
	LOCKED fd = -1;
	size_t lines = 0;
	enum err e = lock_home(c, false, &fd);

	if (e == ERR_OK)
		e = look(c);
	*ret = (struct vault_names){ .exists = v.o != NULL, .key_from = vault_key_from() };
	if (e != ERR_OK || v.o == NULL)
		return e;
	for (size_t i = 0; i < v.o->n; i++)
		lines += v.o->text[i] == '\n';
	ret->name = ctx_alloc(c, (lines + 1) * sizeof(*ret->name));
	for (const char *p = v.o->text, *end = p + v.o->n, *nl; p < end; p = nl + 1) {
		const char *eq = memchr(p, '=', (size_t)(end - p));

		nl = memchr(p, '\n', (size_t)(end - p));
		if (eq == NULL || nl == NULL || ret->name == NULL)
			break;
		ret->name[ret->n] = ctx_strndup(c, p, (size_t)(eq - p));
		if (ret->name[ret->n] == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		ret->n++;
	}
	qsort(ret->name, ret->n, sizeof(*ret->name), by_name);
	return ERR_OK;
}
