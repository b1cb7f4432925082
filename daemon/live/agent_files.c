/*
 * The eight identity files of an agent's workspace. A name is one of the list or nothing; what
 * the path leads to is judged by the kernel (lib/agent/sandbox.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/agent/manifest.h"
#include "lib/agent/sandbox.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/agent.h"

enum { FILE_MAX = 32768, READ_MAX = 1 << 20 };

struct reply agents_files(struct ctx *, const struct request *);
struct reply agents_file(struct ctx *, const struct request *);
struct reply agents_file_store(struct ctx *, const struct request *);
struct reply agents_file_remove(struct ctx *, const struct request *);

struct place { const char *dir, *inner, *outer; };      /* .identity/NAME and NAME */

static enum err
no_file(struct ctx *c)
{
	return fail(c, ERR_NOT_FOUND, "File not found");
}

static enum err
workspace_of(struct ctx *c, const struct request *rq, struct agent *a, const char **ret)
{
	enum err e = request_agent(c, rq, a);

	if (e != ERR_OK)
		return e;
	*ret = manifest_workspace(c, a->manifest, a->id);
	return *ret != NULL && access(*ret, F_OK) == 0 ? ERR_OK : fail(c, ERR_NOT_FOUND, "Agent has no workspace");
}

static enum err
place_of(struct ctx *c, const struct request *rq, struct place *p)
{
	const struct path_arg *name = path_arg_n(rq, "filename");
	struct agent a;
	enum err e = workspace_of(c, rq, &a, &p->dir);

	if (e != ERR_OK)
		return e;
	for (const char *const *f = workspace_identity_files; *f != NULL; f++)
		if (strlen(*f) == name->n && memcmp(*f, name->value, name->n) == 0) {
			p->outer = *f;
			p->inner = ctx_printf(c, ".identity/%s", *f);
			return p->inner != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
		}
	return fail(c, ERR_BAD_REQUEST, "File is not in whitelist");
}

struct reply
agents_files(struct ctx *c, const struct request *rq)
{
	const char *dir;
	struct agent a;
	struct jw *w = reply_open(c);

	if (workspace_of(c, rq, &a, &dir) != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_array(w, "files");
	for (const char *const *f = workspace_identity_files; *f != NULL; f++) {
		const char *inner = ctx_printf(c, ".identity/%s", *f);
		struct sandbox_stamp s = { 0 };

		if (inner == NULL || !sandbox_stamp(dir, inner, &s) || (s.ino == 0 && !sandbox_stamp(dir, *f, &s))) {
			ignore_err(fail(c, inner == NULL ? ERR_NOMEM : ERR_IO, "the agent's files cannot be looked at"));
			return reply_fail(c);
		}
		jw_object(w, NULL);
		jw_str(w, "name", *f);
		jw_bool(w, "exists", s.ino != 0);
		jw_i64(w, "size_bytes", s.size);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_file(struct ctx *c, const struct request *rq)
{
	SCOPED_BUF b = BUF_INIT(READ_MAX + 1);
	struct place p = { 0 };
	struct jw *w = reply_open(c);
	enum err e;

	e = place_of(c, rq, &p);
	if (e == ERR_OK)
		e = sandbox_read(c, p.dir, p.inner, strlen(p.inner), READ_MAX, &b);
	if (e == ERR_NOT_FOUND && p.inner != NULL)
		e = sandbox_read(c, p.dir, p.outer, strlen(p.outer), READ_MAX, &b);
	if (e == ERR_NOT_FOUND && p.inner != NULL)
		e = no_file(c);
	if (e == ERR_OK && !utf8_ok(b.p != NULL ? b.p : "", b.len))
		e = fail(c, ERR_CONFLICT, "The file is not UTF-8 text");
	if (e != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "name", p.outer);
	jw_strn(w, "content", b.p != NULL ? b.p : "", b.len);
	jw_i64(w, "size_bytes", (int64_t)b.len);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_file_store(struct ctx *c, const struct request *rq)
{
	const struct file_request *in = rq->body_struct;
	size_t n = (size_t)json_object_get_string_len(js_get(rq->json, "content"));
	struct place p = { 0 };
	struct jw *w = reply_open(c);
	enum err e;

	e = place_of(c, rq, &p);
	if (e == ERR_OK && n > FILE_MAX)
		e = fail(c, ERR_TOO_LARGE, "File content too large (max 32KB)");
	if (e == ERR_OK)
		e = sandbox_write(c, p.dir, p.inner, strlen(p.inner), in->content, n, NULL);
	if (e != ERR_OK)
		return reply_fail(c);
	jw_object(w, NULL);
	jw_str(w, "status", "ok");
	jw_str(w, "name", p.outer);
	jw_i64(w, "size_bytes", (int64_t)n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
agents_file_remove(struct ctx *c, const struct request *rq)
{
	struct place p = { 0 };
	enum err e = place_of(c, rq, &p);

	if (e == ERR_OK)
		e = sandbox_remove(c, p.dir, p.inner, strlen(p.inner), NULL);
	if (e == ERR_NOT_FOUND && p.inner != NULL)
		e = sandbox_remove(c, p.dir, p.outer, strlen(p.outer), NULL);
	if (e == ERR_NOT_FOUND && p.inner != NULL)
		e = no_file(c);
	if (e != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 200, "status", "ok", "name", p.outer, NULL);
}
