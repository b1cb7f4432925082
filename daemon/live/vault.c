/*
 * The vault over HTTP: names come out, secrets only go in.
 */
#include <string.h>

#include "daemon/embedding.h"
#include "daemon/keys.h"
#include "lib/api/api.h"
#include "lib/api/schemas.h"
#include "lib/svc/vault.h"

struct reply vault_show(struct ctx *, const struct request *);
struct reply vault_make(struct ctx *, const struct request *);
struct reply vault_renew(struct ctx *, const struct request *);
struct reply vault_put(struct ctx *, const struct request *);
struct reply vault_drop(struct ctx *, const struct request *);

struct reply
vault_show(struct ctx *c, const struct request *rq)
{
	struct vault_names names;
	struct jw *w;

	(void)rq;
	if (vault_list(c, &names) != ERR_OK)
		return reply_fail(c);
	w = reply_open(c);
	jw_object(w, NULL);
	jw_bool(w, "exists", names.exists);
	jw_str(w, "key_from", names.key_from);
	jw_array(w, "names");
	for (size_t i = 0; i < names.n; i++)
		jw_str(w, NULL, names.name[i]);
	jw_end(w);
	jw_i64(w, "total", (int64_t)names.n);
	jw_end(w);
	return reply_json(c, 200, w);
}

struct reply
vault_make(struct ctx *c, const struct request *rq)
{
	struct vault_names names;

	(void)rq;
	if (vault_init(c) != ERR_OK || vault_list(c, &names) != ERR_OK)
		return reply_fail(c);
	return reply_words(c, 201, "status", "created", "key_from", names.key_from, NULL);
}

struct reply
vault_renew(struct ctx *c, const struct request *rq)
{
	(void)rq;
	return vault_rotate(c) == ERR_OK ? reply_words(c, 200, "status", "rotated", NULL) : reply_fail(c);
}

/* A NUL would end the name early. */
static const char *
name_of(const struct request *rq)
{
	const struct path_arg *a = path_arg_n(rq, "name");

	return strlen(a->value) == a->n ? a->value : "";
}

struct reply
vault_put(struct ctx *c, const struct request *rq)
{
	const struct vault_request *in = rq->body_struct;
	enum err e = vault_set(c, name_of(rq), in->value);

	request_wipe(rq, in->value);
	if (e != ERR_OK)
		return reply_fail(c);
	keys_publish(c);
	keys_logins(c);
	embedding_tell(c);
	return reply_words(c, 200, "status", "saved", "name", name_of(rq), NULL);
}

struct reply
vault_drop(struct ctx *c, const struct request *rq)
{
	enum err e = vault_name_ok(name_of(rq)) ? vault_remove(c, name_of(rq))
	    : fail(c, ERR_BAD_REQUEST, "A name of letters, digits, _, . and - is expected");

	if (e != ERR_OK)
		return reply_fail(c);
	keys_publish(c);
	keys_logins(c);
	embedding_tell(c);
	return reply_empty(c);
}
