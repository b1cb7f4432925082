/*
 * Uploads in the store: who may read one, and how one is written so that nothing is left when
 * the writer dies. The bytes go to a hidden name, to the disk, then to their own name; the row follows in the
 * transaction that ends with that.
 */
#include "lib/svc/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/caller.h"
#include "lib/svc/config.h"

/* --- reading ---------------------------------------------------------------------------- */

static enum err
no_file(struct ctx *c)
{
	return fail(c, ERR_NOT_FOUND, "File not found");
}

enum err
upload_open(struct ctx *c, const char *id, int *ret_fd, uint64_t *ret_bytes)
{
	const char *path = ctx_printf(c, "%s/uploads/%s", c->cfg->data_dir, id);
	SCOPED_FD fd = -1;
	struct stat sb;

	if (path == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &sb) != 0 || !S_ISREG(sb.st_mode))
		return no_file(c);
	if (ret_bytes != NULL)
		*ret_bytes = (uint64_t)sb.st_size;
	*ret_fd = TAKE_FD(fd);
	return ERR_OK;
}

/* Does the caller see the conversation? */
static bool
shown_to(struct ctx *c, const char *session_id, const char *scope)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM session s JOIN agent a ON a.id = s.agent_id"
	    " WHERE s.id = ?1 AND (?2 IS NULL OR lower(a.author) = lower(?2))"));

	bind_text(st, session_id);
	bind_text(st, scope);
	return db_step(st);
}

static enum err
may_read(struct ctx *c, const struct upload *u)
{
	const char *scope = caller_scope(c);

	if (u->session_id != NULL && !shown_to(c, u->session_id, NULL))
		return no_file(c);              /* the conversation has gone, and what it showed goes soon */
	if (scope == NULL || (u->owner == NULL && u->session_id == NULL) ||
	    (u->owner != NULL && strcasecmp(u->owner, scope) == 0) ||
	    (u->session_id != NULL && shown_to(c, u->session_id, scope)))
		return ERR_OK;
	return fail_code(c, ERR_FORBIDDEN, "upload_access_denied", "You are not authorized to access this upload");
}

enum err
upload_load(struct ctx *c, const char *id, struct upload *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, filename, content_type, bytes, owner, session_id, created_ms"
	    " FROM upload WHERE id = ?"));

	bind_text(st, id);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? no_file(c) : fail_db(c, st);
	*ret = (struct upload){
		.id = col_text(c, st, "id"), .filename = col_text(c, st, "filename"),
		.content_type = col_text(c, st, "content_type"), .bytes = col_i64(st, "bytes"),
		.owner = col_text(c, st, "owner"), .session_id = col_text(c, st, "session_id"),
		.created_ms = col_i64(st, "created_ms"),
	};
	return may_read(c, ret);
}

/* --- writing ------------------------------------------------------------------------------ */

static enum err
disk_failed(struct ctx *c)
{
	int why = errno;

	return fail(c, why == ENOSPC || why == EDQUOT ? ERR_UNAVAILABLE : ERR_IO, "an upload cannot be written: %s", strerror(why));
}

void
upload_drop(struct upload_new *u)
{
	if (u->dir >= 0 && u->fd >= 0 && (u->fresh || !u->placed))
		(void)unlinkat(u->dir, u->placed ? u->id : u->hidden, 0);       /* the sweep takes what resists */
	scoped_fd_close(&u->fd);
	scoped_fd_close(&u->dir);
	u->fd = u->dir = -1;
}

static int
open_dir(struct ctx *c)
{
	const char *path = ctx_printf(c, "%s/uploads", c->cfg->data_dir);

	if (path == NULL || !dir_make(path, 0700))
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum err
upload_begin(struct ctx *c, struct upload_new *u, const char *id, uint64_t max)
{
	char name[37];

	*u = (struct upload_new){ .max = max, .fd = -1, .dir = open_dir(c), .fresh = id == NULL };
	if (u->dir < 0)
		return disk_failed(c);
	if (id != NULL)
		memcpy(u->id, id, 37);
	else
		uuid4(u->id);
	uuid4(name);
	snprintf(u->hidden, sizeof(u->hidden), ".%s.part", name);
	u->fd = openat(u->dir, u->hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return u->fd < 0 ? disk_failed(c) : ERR_OK;
}

enum err
upload_write(struct ctx *c, struct upload_new *u, const void *bytes, size_t n)
{
	const char *p = bytes;

	if (n > u->max - u->bytes)
		return fail(c, ERR_TOO_LARGE, "upload exceeds max_upload_size_bytes");
	for (size_t i = 0; i < n && u->head_n < UPLOAD_HEAD; i++)
		u->head[u->head_n++] = p[i];
	u->bytes += n;
	while (n > 0) {
		ssize_t w = write(u->fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return disk_failed(c);
		p += w;
		n -= (size_t)w;
	}
	return ERR_OK;
}

static enum err
insert(struct ctx *c, const struct upload_new *u, const struct upload *about)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT INTO upload (id, filename, content_type, bytes, owner, session_id,"
	    " created_ms) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET created_ms = excluded.created_ms"));

	bind_text(st, u->id);
	bind_text(st, about->filename);
	bind_text(st, about->content_type);
	bind_i64(st, (int64_t)u->bytes);
	bind_text(st, about->owner);
	bind_text(st, about->session_id);
	bind_i64(st, clock_ms());
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
place(struct ctx *c, struct upload_new *u)
{
	if (renameat(u->dir, u->hidden, u->dir, u->id) != 0)
		return disk_failed(c);
	u->placed = true;
	return fsync(u->dir) == 0 ? ERR_OK : disk_failed(c);
}

enum err
upload_sync(struct ctx *c, struct upload_new *u)
{
	if (!u->synced && fsync(u->fd) != 0)
		return disk_failed(c);
	u->synced = true;
	return ERR_OK;
}

enum err
upload_commit(struct ctx *c, struct upload_new *u, const struct upload *about)
{
	SCOPED_TX tx = { 0 };
	enum err e = upload_sync(c, u);

	if (e == ERR_OK)
		e = place(c, u);
	if (e == ERR_OK)
		e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = insert(c, u, about);
	if (e == ERR_OK)
		e = tx_commit(c, &tx);
	if (e == ERR_OK)
		scoped_fd_close(&u->fd);
	if (e == ERR_OK)
		u->fd = -1;
	return e;
}

/* --- pictures of a conversation --------------------------------------------------------------- */

/* The first 16 bytes of SHA-256(session's bytes, 0, media type, 0, bytes), made a UUID of version 8. */
static enum err
picture_id(struct ctx *c, const char *session_id, const char *type, const void *bytes, size_t n, char ret[static 37])
{
	SCOPED_BUF b = BUF_INIT(IMAGE_BYTES_MAX + 1024);
	uint8_t sum[32], id[16];
	char hex[33], plain[33];
	size_t k = 0;

	for (const char *p = session_id; *p != '\0' && k < 32; p++)
		if (*p != '-')
			plain[k++] = *p;
	plain[k] = '\0';
	if (!hex_to(plain, id, 16))
		return fail(c, ERR_INVALID, "no session id");
	buf_add(&b, id, 16);
	buf_ch(&b, '\0');
	buf_str(&b, type);
	buf_ch(&b, '\0');
	buf_add(&b, bytes, n);
	if (b.failed)
		return fail(c, ERR_NOMEM, "out of memory");
	sha256(b.p, b.len, sum);
	sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80);
	sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
	hex_of(sum, 16, hex);
	snprintf(ret, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
	return ERR_OK;
}

static bool
is_there(struct ctx *c, const char *id)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT 1 FROM upload WHERE id = ?"));
	SCOPED_FD fd = -1;

	bind_text(st, id);
	return db_step(st) && upload_open(c, id, &fd, NULL) == ERR_OK;
}

enum err
upload_picture(struct ctx *c, const char *session_id, const char *filename, const char *type, const void *bytes, size_t n,
    char ret_id[static 37])
{
	const char *really = upload_sniff(bytes, n < UPLOAD_HEAD ? n : UPLOAD_HEAD);
	struct upload about = {
		.filename = filename, .content_type = really != NULL ? really : type, .session_id = session_id,
		.owner = caller_scope(c),
	};
	SCOPED_UPLOAD u = UPLOAD_NEW;
	enum err e;

	if (!is_image_type(about.content_type) || n == 0 || n > IMAGE_BYTES_MAX)
		return fail(c, ERR_INVALID, "a picture of png, jpeg, gif or webp, at most 5 MB, is expected");
	e = picture_id(c, session_id, type, bytes, n, ret_id);
	if (e != ERR_OK || is_there(c, ret_id))
		return e;
	e = upload_begin(c, &u, ret_id, n);
	if (e == ERR_OK)
		e = upload_write(c, &u, bytes, n);
	return e == ERR_OK ? upload_commit(c, &u, &about) : e;
}
