/*
 * What was attached to a question becomes blocks of it: pictures that the session keeps, texts, the text
 * of PDFs, and for the rest a note. A copy lies in the agent's workspace where its tools find it; where the
 * server keeps the file is nobody's business.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/dbpool.h"
#include "daemon/turn_state.h"
#include "lib/agent/manifest.h"
#include "lib/agent/program.h"
#include "lib/base/util.h"
#include "lib/llm/moonshot.h"
#include "lib/svc/picture_keep.h"
#include "lib/svc/upload.h"

enum { FILES_MAX = 32, TEXT_CHARS_MAX = 200000, TEXT_BYTES_MAX = 4 * TEXT_CHARS_MAX, PDF_MS = 15000, PDF_BYTES_MAX = 20 << 20 };

/* --- a copy in the workspace --------------------------------------------------------- */

static bool
copy_bytes(int from, int to, uint64_t n)
{
	off_t at = 0;

	while (n > 0) {
		ssize_t k = copy_file_range(from, &at, to, NULL, (size_t)n, 0);

		if (k < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) && at == 0)
			break;
		if (k <= 0)
			return false;
		n -= (uint64_t)k;
	}
	while (n > 0) {                 /* a file system that cannot */
		char part[65536];
		ssize_t k = pread(from, part, n < sizeof(part) ? (size_t)n : sizeof(part), at);

		if (k <= 0 || write(to, part, (size_t)k) != k)
			return false;
		at += k;
		n -= (uint64_t)k;
	}
	return true;
}

/* Its path in the workspace; NULL: there is no copy. */
static const char *
workspace_copy(struct turn *t, const struct upload *u, int from, uint64_t n)
{
	const char *dir = manifest_workspace(t->c, t->agent.manifest, t->agent.id), *name;
	SCOPED_FD top = dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD sub = -1;
	SCOPED_FD to = -1;
	char hidden[48], id[37];

	name = ctx_printf(t->c, "%.8s-%s", u->id, u->filename);
	if (top < 0 || name == NULL || (mkdirat(top, "uploads", 0700) != 0 && errno != EEXIST))
		return NULL;
	sub = openat(top, "uploads", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uuid4(id);
	snprintf(hidden, sizeof(hidden), ".%s.part", id);
	if (sub >= 0)
		to = openat(sub, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return NULL;
	if (copy_bytes(from, to, n) && renameat(sub, hidden, sub, name) == 0)
		return ctx_printf(t->c, "uploads/%s", name);
	(void)unlinkat(sub, hidden, 0);
	return NULL;
}

/* --- blocks ----------------------------------------------------------------------------- */

static enum err
add_text(struct turn *t, struct json_object *blocks, const char *s, size_t n)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("text"));
	json_object_object_add(o, "text", json_object_new_string_len(s, (int)n));
	return json_object_array_add(blocks, o) == 0 ? ERR_OK : fail(t->c, ERR_NOMEM, "out of memory");
}

static enum err
add_note(struct turn *t, struct json_object *blocks, const struct upload *u, int fd, uint64_t size)
{
	const char *path = workspace_copy(t, u, fd, size), *s;

	if (path != NULL)
		s = ctx_printf(t->c, "[File: %s] saved to %s", u->filename, path);
	else
		s = ctx_printf(t->c, "[File: %s] (%s, %" PRIu64 " bytes)", u->filename, u->content_type, size);
	return s == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : add_text(t, blocks, s, strlen(s));
}

/* Moonshot reads files for its models, whatever they are. *ret: its name for this one; NULL: it does not take it. */
static enum err
give_away(struct turn *t, const struct upload *u, int fd, uint64_t size, const char **ret, const char **why)
{
	struct llm_request rq = { .provider = t->route.provider, .model = t->route.model, .base_url = t->route.base_url, .api_key = t->route.api_key,
	    .proxy = t->route.proxy, .cancel = t->ask->cancel };
	char id[MOONSHOT_ID_MAX + 1];
	struct llm_answer a;
	enum err e;

	job_db_release(t->c);
	e = moonshot_file(&rq, u->filename, u->content_type, fd, size, id, &a);
	job_db_acquire(t->c);
	*ret = e == ERR_OK ? ctx_strdup(t->c, id) : NULL;
	*why = e == ERR_OK ? NULL : ctx_strdup(t->c, a.why);
	return e == ERR_NOMEM || e == ERR_CANCELLED ? fail(t->c, e, "%s", e == ERR_NOMEM ? "out of memory" : "cancelled") : ERR_OK;
}

/* One that cannot be put into words: a note, and the file itself for who reads it. */
static enum err
add_unread(struct turn *t, struct json_object *blocks, const struct upload *u, int fd, uint64_t size)
{
	const char *id = NULL, *why = NULL;
	struct json_object *o;
	enum err e = add_note(t, blocks, u, fd, size);

	if (e != ERR_OK || !is_moonshot(t->route.provider))
		return e;
	e = give_away(t, u, fd, size, &id, &why);
	if (e == ERR_OK && id == NULL) {
		why = ctx_printf(t->c, "[The file could not be given to you: %s]", why != NULL ? why : "");
		return why == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : add_text(t, blocks, why, strlen(why));
	}
	if (e != ERR_OK)
		return e;
	o = json_object_new_object();
	json_object_object_add(o, "type", json_object_new_string("file"));
	json_object_object_add(o, "file_id", json_object_new_string(id));
	json_object_object_add(o, "media_type", json_object_new_string(u->content_type));
	json_object_object_add(o, "filename", json_object_new_string(u->filename));
	return json_object_array_add(blocks, o) == 0 ? ERR_OK : fail(t->c, ERR_NOMEM, "out of memory");
}

static enum err
add_image(struct turn *t, struct json_object *blocks, const struct upload *u, int fd, uint64_t size)
{
	struct json_object *o = image_file_block(u->id, u->content_type, u->filename);

	if (o == NULL || json_object_array_add(blocks, o) != 0)
		return fail(t->c, ERR_NOMEM, "out of memory");
	return add_note(t, blocks, u, fd, size);
}

/* At most so many characters, whole ones. */
static size_t
text_cut(const char *s, size_t n)
{
	size_t chars = 0, i;

	for (i = 0; i < n; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80 && chars++ == TEXT_CHARS_MAX)
			break;
	return i;
}

/* As much of the file as a text may have; *cut: there is more. */
static enum err
read_text(struct turn *t, int fd, uint64_t size, struct buf *b, bool *cut)
{
	size_t want = size < TEXT_BYTES_MAX ? (size_t)size : TEXT_BYTES_MAX;
	char *room = buf_room(b, want + 1);
	ssize_t n;

	if (room == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	while (b->len < want && (n = pread(fd, b->p + b->len, want - b->len, (off_t)b->len)) > 0)
		b->len += (size_t)n;
	*cut = size > b->len;
	if (*cut)
		b->len = utf8_cut(b->p, b->len, b->len);
	n = (ssize_t)text_cut(b->p, b->len);
	*cut |= (size_t)n < b->len;
	b->len = (size_t)n;
	b->p[b->len] = '\0';
	return ERR_OK;
}

static enum err
add_headed(struct turn *t, struct json_object *blocks, const char *head, const struct buf *body)
{
	struct buf b = BUF_INIT(TEXT_BYTES_MAX + 4096);
	enum err e;

	buf_str(&b, head);
	buf_add(&b, body->p != NULL ? body->p : "", body->len);
	e = b.failed || head == NULL ? fail(t->c, ERR_NOMEM, "out of memory") : add_text(t, blocks, b.p, b.len);
	buf_done(&b);
	return e;
}

static enum err
add_file_text(struct turn *t, struct json_object *blocks, const struct upload *u, int fd, uint64_t size)
{
	SCOPED_BUF b = BUF_INIT(TEXT_BYTES_MAX + 1);
	bool cut = false;
	enum err e = read_text(t, fd, size, &b, &cut);

	if (e == ERR_OK && (!utf8_ok(b.p, b.len) || memchr(b.p, '\0', b.len) != NULL))
		return add_unread(t, blocks, u, fd, size);
	return e != ERR_OK ? e : add_headed(t, blocks, ctx_printf(t->c, "[Attached file: %s (%" PRIu64 " bytes%s)]\n\n",
	    u->filename, size, cut ? ", truncated" : ""), &b);
}

/* By pdftotext, where it is installed. */
static enum err
pdf_text(struct turn *t, int fd, struct buf *b)
{
	char *const argv[] = { (char[]){ "pdftotext" }, (char[]){ "-q" }, (char[]){ "-enc" }, (char[]){ "UTF-8" },
		(char[]){ "/dev/fd/0" }, (char[]){ "-" }, NULL };
	const char *path = program_find(t->c, "pdftotext");
	bool cut;
	enum err e;

	if (path == NULL)
		return fail(t->c, ERR_UNAVAILABLE, "pdftotext is not installed");
	job_db_release(t->c);
	e = program_output(t->c, path, argv, fd, PDF_MS, t->ask->cancel, b, &cut);
	job_db_acquire(t->c);
	b->len = b->len > 0 ? text_cut(b->p, utf8_cut(b->p, b->len, b->len)) : 0;
	return e;
}

static enum err
add_pdf(struct turn *t, struct json_object *blocks, const struct upload *u, int fd, uint64_t size)
{
	SCOPED_BUF b = BUF_INIT(TEXT_BYTES_MAX);
	const char *head = ctx_printf(t->c, "[Attached PDF: %s (%" PRIu64 " bytes)]\n\n", u->filename, size);
	enum err e = size <= PDF_BYTES_MAX ? pdf_text(t, fd, &b) : ERR_TOO_LARGE;

	if (e == ERR_CANCELLED || e == ERR_NOMEM)
		return e;
	t->c->fault = (struct fault){ 0 };
	if (e == ERR_OK && b.len > 0 && b.p[strspn(b.p, " \t\r\n\f")] != '\0' && utf8_ok(b.p, b.len))
		return add_headed(t, blocks, head, &b);
	buf_clear(&b);
	buf_str(&b, "No text could be extracted from it.");
	e = add_headed(t, blocks, head, &b);
	return e == ERR_OK ? add_unread(t, blocks, u, fd, size) : e;
}

/* --- what a file is ------------------------------------------------------------------------- */

static bool
one_of(const char *s, size_t n, const char *const *all)
{
	for (; *all != NULL; all++)
		if (strlen(*all) == n && strncasecmp(s, *all, n) == 0)
			return true;
	return false;
}

static bool
is_text(const struct upload *u)
{
	static const char *const types[] = {
		"application/json", "application/x-ipynb+json", "application/xml", "application/yaml", "application/x-yaml",
		"application/toml", "application/x-toml", "application/sql", "application/graphql", "application/javascript",
		"application/x-javascript", "application/typescript", NULL,
	};
	static const char *const endings[] = {
		"txt", "md", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg", "conf", "log", "sql", "c",
		"h", "cc", "cpp", "hpp", "rs", "go", "py", "rb", "pl", "pm", "sh", "js", "mjs", "ts", "tsx", "jsx", "java", "kt",
		"swift", "php", "lua", "r", "css", "scss", "html", "diff", "patch", "tex", "rst", "graphql", NULL,
	};
	const char *dot = strrchr(u->filename, '.');

	return strncasecmp(u->content_type, "text/", 5) == 0 ||
	    one_of(u->content_type, strcspn(u->content_type, "; \t"), types) ||
	    (dot != NULL && one_of(dot + 1, strlen(dot + 1), endings));
}

static enum err
add_file(struct turn *t, struct json_object *blocks, const struct upload *u)
{
	uint64_t size = 0;
	SCOPED_FD fd = -1;
	enum err e = upload_open(t->c, u->id, &fd, &size);

	if (e != ERR_OK)
		return e;
	if (is_image_type(u->content_type) && size <= IMAGE_BYTES_MAX)
		return add_image(t, blocks, u, fd, size);
	if (strncasecmp(u->content_type, "application/pdf", 15) == 0)
		return add_pdf(t, blocks, u, fd, size);
	if (is_text(u))
		return add_file_text(t, blocks, u, fd, size);
	return add_unread(t, blocks, u, fd, size);
}

/* One that is not there, or never was, is passed over. */
static enum err
attach(struct turn *t, struct json_object *blocks, const char *file_id)
{
	struct upload u;
	char id[37];
	enum err e;

	if (!uuid_parse(file_id, id))
		return ERR_OK;
	e = upload_load(t->c, id, &u);
	if (e == ERR_OK)
		e = add_file(t, blocks, &u);
	if (e != ERR_NOT_FOUND)
		return e;
	t->c->fault = (struct fault){ 0 };
	return ERR_OK;
}

static const char *
question(struct turn *t)
{
	const struct turn_ask *a = t->ask;

	if (a->sender_name == NULL || a->sender_name[0] == '\0')
		return a->text;
	return ctx_printf(t->c, "[%s]: %s", a->sender_name, a->text);
}

static enum err
with_files(struct turn *t)
{
	struct json_object *refs = t->ask->attachments, *blocks = json_keep(t->c, json_object_new_array());
	size_t n = json_object_array_length(refs);
	const char *text = question(t);
	bool wordless = text != NULL && text[strspn(text, " \t\r\n")] == '\0';       /* a picture may speak for itself */
	enum err e = ERR_OK;

	if (n > FILES_MAX)
		return fail(t->c, ERR_BAD_REQUEST, "attachments: at most %d are expected", FILES_MAX);
	if (blocks == NULL || text == NULL)
		return fail(t->c, ERR_NOMEM, "out of memory");
	if (!wordless)
		e = add_text(t, blocks, text, strlen(text));
	for (size_t i = 0; e == ERR_OK && i < n; i++)
		e = attach(t, blocks, js_str_or(json_object_array_get_idx(refs, i), "file_id", ""));
	if (e == ERR_OK && wordless && json_object_array_length(blocks) == 0)
		return fail_code(t->c, ERR_BAD_REQUEST, "invalid_input", "message: words, or a file that is there, are expected");
	if (wordless || json_object_array_length(blocks) > 1)
		t->blocks = blocks;             /* else it is an ordinary question */
	return e;
}

enum err
turn_files(struct turn *t)
{
	enum err e = ERR_OK;

	if (t->ask->attachments != NULL && t->blocks == NULL)
		e = with_files(t);
	/* what is not written to the history is kept nowhere else */
	if (e == ERR_OK && t->blocks != NULL && t->keep)
		e = pictures_keep(t->c, t->session_id, t->blocks, &t->blocks);
	return e;
}
