/*
 * A file for an agent: from the body, as it comes, to the disk.
 *
 * All that can be refused is refused before the first byte is read. The body is the file
 * itself, or a form with one (multipart/form-data), as older clients send it.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "daemon/dbpool.h"
#include "daemon/live.h"
#include "lib/api/api.h"
#include "lib/base/multipart.h"
#include "lib/svc/agent.h"
#include "lib/svc/config.h"
#include "lib/svc/upload.h"

struct reply agents_upload(struct ctx *, const struct request *);

enum { PIECE = 32768, FORM_MORE = 65536, NAME_MAX_BYTES = 1024, PLACE_WAIT_S = 30 };

/* --- so many at once ---------------------------------------------------------------- */

static struct {
	pthread_mutex_t mu;
	pthread_cond_t less;
	unsigned n;
} under_way = { .mu = PTHREAD_MUTEX_INITIALIZER, .less = PTHREAD_COND_INITIALIZER };

static enum err
take_place(struct ctx *c)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PLACE_WAIT_S;
	pthread_mutex_lock(&under_way.mu);
	while (under_way.n >= c->cfg->max_uploads && c->cfg->max_uploads > 0 && rc == 0)
		rc = pthread_cond_timedwait(&under_way.less, &under_way.mu, &until);
	under_way.n += rc == 0;
	pthread_mutex_unlock(&under_way.mu);
	return rc == 0 ? ERR_OK : fail_code(c, ERR_UNAVAILABLE, "too_many_uploads", "Too many uploads at once");
}

static void
leave_place(void)
{
	pthread_mutex_lock(&under_way.mu);
	under_way.n--;
	pthread_cond_signal(&under_way.less);
	pthread_mutex_unlock(&under_way.mu);
}

/* --- what comes ------------------------------------------------------------------------ */

struct receiver {
	struct ctx *c;
	struct live *live;
	struct upload_new up;
	const char *filename, *type;            /* of the file */
	bool form;
	enum { IN_OTHER, IN_FILE, IN_NAME } part;
	bool got_file;
	enum err why;                           /* a write failed */
	struct buf name;                        /* the form's own `filename` */
	struct multipart form_state;
};

static enum err
check_type(struct ctx *c, const char *type)
{
	return upload_type_ok(type) ? ERR_OK
	    : fail(c, ERR_BAD_REQUEST, "Unsupported content type. Allowed: image/*, text/*, audio/*, application/pdf");
}

static bool
part_begins(void *arg, const char *name, const char *filename, const char *type)
{
	struct receiver *r = arg;

	r->part = IN_OTHER;
	if (filename == NULL && strcmp(name, "filename") == 0)
		r->part = IN_NAME;
	if (r->got_file || (strcmp(name, "file") != 0 && filename == NULL))
		return true;
	r->part = IN_FILE;
	r->got_file = true;
	r->filename = ctx_strdup(r->c, filename != NULL ? filename : "upload");
	r->type = ctx_strdup(r->c, type != NULL ? type : "text/plain");         /* RFC 7578, 4.4 */
	if (r->filename == NULL || r->type == NULL)
		r->why = fail(r->c, ERR_NOMEM, "out of memory");
	else
		r->why = check_type(r->c, r->type);
	return r->why == ERR_OK;
}

static bool
part_data(void *arg, const char *p, size_t n)
{
	struct receiver *r = arg;

	if (r->part == IN_FILE)
		r->why = upload_write(r->c, &r->up, p, n);
	else if (r->part == IN_NAME)
		buf_add(&r->name, p, n);        /* too long: it is not used */
	return r->why == ERR_OK;
}

static enum err
take_piece(struct receiver *r, const char *p, size_t n)
{
	enum err e;

	if (!r->form)
		return upload_write(r->c, &r->up, p, n);
	e = multipart_feed(&r->form_state, p, n);
	return e == ERR_BAD_REQUEST ? fail(r->c, e, "Malformed multipart body") : e == ERR_CANCELLED ? r->why : e;
}

static enum err
receive(struct receiver *r)
{
	char *piece = ctx_alloc(r->c, PIECE);
	enum err e = ERR_OK;
	ssize_t n = 0;

	if (piece == NULL)
		return fail(r->c, ERR_NOMEM, "out of memory");
	while (e == ERR_OK && (n = live_read(r->live, piece, PIECE)) > 0)
		e = take_piece(r, piece, (size_t)n);
	if (e == ERR_OK && n < 0)
		return fail(r->c, ERR_CANCELLED, "the client is gone");
	if (e == ERR_OK && r->form && !multipart_done(&r->form_state))
		return fail(r->c, ERR_BAD_REQUEST, "Malformed multipart body");
	if (e == ERR_OK && r->form && !r->got_file)
		return fail(r->c, ERR_BAD_REQUEST, "The form has no part `file`");
	if (e == ERR_OK && r->up.bytes == 0)
		return fail(r->c, ERR_BAD_REQUEST, "Empty file body");
	return e;
}

/* --- before and after --------------------------------------------------------------------- */

static enum err
too_large(struct ctx *c, uint64_t declared)
{
	ignore_err(fail(c, ERR_TOO_LARGE, "upload exceeds max_upload_size_bytes"));
	c->fault.extra = ctx_printf(c, "\"max_upload_size_bytes\":%" PRIu64 ",\"declared_bytes\":%" PRIu64,
	    c->cfg->max_upload_bytes, declared);
	return ERR_TOO_LARGE;
}

static enum err
admitted(struct ctx *c, const struct request *rq, struct receiver *r)
{
	static const struct multipart_sink sink = { .begin = part_begins, .data = part_data };
	const char *type = rq->h.content_type != NULL ? rq->h.content_type : "";
	char boundary[MULTIPART_BOUNDARY_MAX + 1];
	struct multipart_sink *mine = ctx_alloc(c, sizeof(*mine));
	struct agent a;
	enum err e = mine == NULL ? fail(c, ERR_NOMEM, "out of memory") : request_agent(c, rq, &a);

	if (e != ERR_OK)
		return e;
	r->form = multipart_boundary(type, boundary);
	if (!r->form && (e = check_type(c, type)) != ERR_OK)
		return e;
	if (rq->body_bytes == 0)
		return fail(c, ERR_BAD_REQUEST, "Empty file body");
	if (rq->body_bytes > c->cfg->max_upload_bytes + (r->form ? FORM_MORE : 0))
		return too_large(c, rq->body_bytes);
	*mine = sink;
	mine->arg = r;
	if (r->form)
		multipart_init(&r->form_state, boundary, mine);
	r->type = type;
	r->filename = rq->h.x_filename != NULL ? rq->h.x_filename : "upload";
	return ERR_OK;
}

/* A picture is what its bytes say. */
static enum err
check_picture(struct receiver *r)
{
	const char *really = upload_sniff(r->up.head, r->up.head_n);

	if (!is_image_type(r->type))
		return ERR_OK;
	if (really == NULL)
		return fail(r->c, ERR_BAD_REQUEST, "The file is not the picture that its content type says");
	r->type = really;
	return ERR_OK;
}

static enum err
keep(struct receiver *r, struct upload *about)
{
	struct ctx *c = r->c;

	if (r->name.len > 0 && !r->name.failed)
		r->filename = r->name.p;
	*about = (struct upload){ .filename = upload_name(c, r->filename), .content_type = r->type,
		.owner = c->who == NULL || c->who->open_mode ? NULL : c->who->name };
	return about->filename == NULL ? fail(c, ERR_NOMEM, "out of memory") : upload_commit(c, &r->up, about);
}

static struct reply
made(struct ctx *c, const struct receiver *r, const struct upload *about)
{
	struct jw *w = reply_open(c);

	jw_object(w, NULL);
	jw_str(w, "file_id", r->up.id);
	jw_str(w, "filename", about->filename);
	jw_str(w, "content_type", about->content_type);
	jw_i64(w, "size", (int64_t)r->up.bytes);
	jw_end(w);
	return reply_json(c, 201, w);
}

struct reply
agents_upload(struct ctx *c, const struct request *rq)
{
	struct receiver *r = ctx_alloc(c, sizeof(*r));
	struct upload about;
	enum err e;

	if (r == NULL) {
		ignore_err(fail(c, ERR_NOMEM, "out of memory"));
		return reply_fail(c);
	}
	*r = (struct receiver){ .c = c, .live = rq->live, .up = UPLOAD_NEW, .name = BUF_INIT(NAME_MAX_BYTES) };
	if (admitted(c, rq, r) != ERR_OK)
		return reply_fail(c);
	job_db_release(c);
	if (take_place(c) != ERR_OK)
		return reply_fail(c);
	e = upload_begin(c, &r->up, NULL, c->cfg->max_upload_bytes);
	if (e == ERR_OK)
		e = receive(r);
	if (e == ERR_TOO_LARGE)
		e = too_large(c, rq->body_bytes);
	if (e == ERR_OK)
		e = check_picture(r);
	if (e == ERR_OK)
		e = upload_sync(c, &r->up);
	if (e == ERR_OK) {
		job_db_acquire(c);
		e = keep(r, &about);
	}
	leave_place();
	upload_drop(&r->up);
	buf_done(&r->name);
	return e == ERR_OK ? made(c, r, &about) : reply_fail(c);
}
