/*
 * Files that were sent for agents, and pictures that conversations show: a row,
 * and the bytes in <data>/uploads/<id>.
 *
 * A row exists only when its file is whole and on the disk. An upload lasts a day; a picture of a
 * conversation (session_id) as long as that.
 */
#ifndef LF_UPLOAD_H
#define LF_UPLOAD_H
#include "lib/base/json.h"

enum { UPLOAD_NAME_MAX = 255, UPLOAD_TYPE_MAX = 255, UPLOAD_HEAD = 16, IMAGE_BYTES_MAX = 5 * 1024 * 1024 };

struct upload {
	const char *id, *filename, *content_type;
	const char *owner, *session_id;         /* or NULL */
	int64_t bytes, created_ms;
};

/* What may be sent, by its media type: parameters are ignored, letter case does not matter. */
bool upload_type_ok(const char *content_type);
/* "image/png" … if the first bytes are those of a picture, else NULL. */
const char *upload_sniff(const void *head, size_t n);
bool is_image_type(const char *content_type);
/* The last segment of a path from outside, as a name that a file may have; never NULL but without memory. */
const char *upload_name(struct ctx *, const char *raw);
/* Is there an id in that text? For the paths of image_file blocks: an id, or a path that ends with one. */
bool upload_id_of(const char *path, char ret[static 37]);

/*
 * What this caller may read. NOT_FOUND "File not found"; FORBIDDEN upload_access_denied. Owners, admins, everybody
 * when there is no owner, and who may read the conversation that shows it.
 */
enum err upload_load(struct ctx *, const char *id, struct upload *ret) MUST_CHECK;
/* Open its file; the caller closes it. NOT_FOUND. *ret_bytes may be NULL. */
enum err upload_open(struct ctx *, const char *id, int *ret_fd, uint64_t *ret_bytes) MUST_CHECK;

/* --- writing ---------------------------------------------------------------------- */

struct upload_new {
	char id[37], hidden[48];                /* its name, and that while it is written */
	char head[UPLOAD_HEAD]; size_t head_n;  /* its first bytes */
	uint64_t bytes, max;
	int dir, fd;
	bool fresh;                             /* nobody else can have that id */
	bool synced;                            /* its bytes are on the disk */
	bool placed;                            /* under its own name */
};
/* Nothing stays of what was not committed. */
void upload_drop(struct upload_new *);
#define SCOPED_UPLOAD __attribute__((cleanup(upload_drop))) struct upload_new
#define UPLOAD_NEW { .dir = -1, .fd = -1 }

/* id NULL: a fresh one. IO; UNAVAILABLE: the disk is full. */
enum err upload_begin(struct ctx *, struct upload_new *, const char *id, uint64_t max) MUST_CHECK;
/* TOO_LARGE beyond max; IO; UNAVAILABLE. */
enum err upload_write(struct ctx *, struct upload_new *, const void *, size_t) MUST_CHECK;
/* Wait for the disk; upload_commit() does it else, with a database connection in hand. IO; UNAVAILABLE. */
enum err upload_sync(struct ctx *, struct upload_new *) MUST_CHECK;
/* On the disk under its name, and then in the store, in a transaction of its own: the disk is waited for before it. */
enum err upload_commit(struct ctx *, struct upload_new *, const struct upload *about) MUST_CHECK;

/*
 * A picture becomes one that the session shows: its id is made of session, type and bytes (UUIDv8), so that the same one
 * is there once. Pictures of another type than png, jpeg, gif, webp, or too large: INVALID.
 */
enum err upload_picture(struct ctx *, const char *session_id, const char *filename, const char *media_type,
    const void *bytes, size_t n, char ret_id[static 37]) MUST_CHECK;

/*
 * Remove what is over: uploads of more than a day, pictures whose conversation has gone, files without a
 * row. before_ms: who wrote before that moment is no more (0: whoever wrote lately may still do).
 */
enum err uploads_sweep(struct ctx *, int64_t before_ms, int64_t *ret_removed) MUST_CHECK;
#endif
