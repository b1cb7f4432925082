/*
 * Memories by their vectors. All vectors have length one, so that the nearest is the one with the greatest product.
 *
 * Those of another model lie in the same table and are passed over: they are made anew when nobody waits.
 */
#include <math.h>
#include <string.h>

#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/memory.h"

enum { LOOKED_AT = 5000, BEST = 24, CLOCK_EACH = 256 };

struct near { int64_t n; double cosine; };

/* false: it has no length, or none that is finite. */
static bool
make_one(float *v, unsigned dims)
{
	double sum = 0;

	for (unsigned i = 0; i < dims; i++)
		sum += (double)v[i] * v[i];
	if (!isfinite(sum) || sum <= 0)
		return false;
	sum = sqrt(sum);
	for (unsigned i = 0; i < dims; i++)
		v[i] = (float)(v[i] / sum);
	return true;
}

/* The store's bytes are little-endian, whatever the machine. */
static void
turn_bytes(void *p, unsigned dims)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	uint32_t x;

	for (unsigned i = 0; i < dims; i++) {
		memcpy(&x, (char *)p + i * 4, 4);
		x = __builtin_bswap32(x);
		memcpy((char *)p + i * 4, &x, 4);
	}
#else
	(void)p;
	(void)dims;
#endif
}

static double
product(const float *a, const float *b, unsigned n)
{
	float s[4] = { 0 };
	unsigned i = 0;

	for (; i + 4 <= n; i += 4)
		for (unsigned k = 0; k < 4; k++)
			s[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		s[0] += a[i] * b[i];
	return (double)s[0] + s[1] + s[2] + s[3];
}

static void
keep(struct near best[static BEST], size_t *count, int64_t n, double cosine)
{
	size_t at = *count;

	while (at > 0 && best[at - 1].cosine < cosine)
		at--;
	if (at == BEST)
		return;
	if (*count < BEST)
		++*count;
	memmove(best + at + 1, best + at, (*count - at - 1) * sizeof(*best));
	best[at] = (struct near){ n, cosine };
}

struct look {
	const struct memory_scope *s;
	const char *model;
	const float *v;
	unsigned dims;
	double least;
	int64_t deadline_us;
};

static enum err
nearest(struct ctx *c, const struct look *k, struct near best[static BEST], size_t *count)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT m.n, v.vector FROM memory m JOIN memory_vector v ON v.memory = m.n"
	    " WHERE m.agent_id = ?1 AND v.model = ?2 AND m.deleted_ms IS NULL"
	    " AND (m.peer_id = ?3 OR (m.peer_id IS NULL AND ?3 IS NULL))"
	    " AND (m.chat IS NULL OR ?4 IS NULL OR m.chat = ?4 OR m.scope = 'user_memory')"
	    " AND (m.session_id IS NULL OR m.session_id <> ?5 OR m.created_ms < (SELECT created_ms FROM message WHERE session_id = ?5"
	    "  AND seq > (SELECT message_count FROM session WHERE id = ?5) - ?6 ORDER BY seq LIMIT 1))"
	    " AND (m.key IS NULL OR EXISTS (SELECT 1 FROM kv WHERE agent_id = m.agent_id AND key = m.key AND updated_ms = m.created_ms))"
	    " ORDER BY m.created_ms DESC LIMIT ?7"));
	float *row = ctx_alloc(c, k->dims * sizeof(*row));

	if (row == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	bind_text(st, k->s->agent_id);
	bind_text(st, k->model);
	bind_text(st, k->s->peer_id);
	bind_text(st, k->s->chat);
	bind_text(st, k->s->session_id);
	bind_i64(st, k->s->visible);
	bind_i64(st, LOOKED_AT);
	for (unsigned i = 1; db_step(st); i++) {
		size_t bytes;
		const void *p = col_blob(st, "vector", &bytes);

		if (i % CLOCK_EACH == 0 && k->deadline_us != 0 && clock_mono_us() >= k->deadline_us)
			return ERR_OK;
		if (bytes != k->dims * sizeof(*row))
			continue;               /* of other dimensions */
		memcpy(row, p, bytes);
		turn_bytes(row, k->dims);
		if (product(row, k->v, k->dims) >= k->least)
			keep(best, count, col_i64(st, "n"), product(row, k->v, k->dims));
	}
	return db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

static enum err
read_row(struct ctx *c, int64_t n, struct memory *ret)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT id, content, scope FROM memory WHERE n = ?"));

	bind_i64(st, n);
	if (!db_step(st))
		return db_end(st) == ERR_OK ? ERR_NOT_FOUND : fail_db(c, st);
	*ret = (struct memory){ .n = n, .id = col_text(c, st, "id"), .content = col_text(c, st, "content"), .scope = col_text(c, st, "scope") };
	return ret->id != NULL && ret->content != NULL && ret->scope != NULL ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}

enum err
memory_by_vector(struct ctx *c, const struct memory_scope *s, const char *model, float *v, unsigned dims, double least,
    int64_t deadline_us, struct memory *ret, size_t *n)
{
	const struct look k = { s, model, v, dims, least, deadline_us };
	struct near best[BEST];
	size_t count = 0, most = *n;
	enum err e;

	*n = 0;
	if (!make_one(v, dims))
		return ERR_OK;
	e = nearest(c, &k, best, &count);
	for (size_t i = 0; e == ERR_OK && i < count && *n < most; i++) {
		e = read_row(c, best[i].n, &ret[*n]);
		*n += e == ERR_OK;
		if (e == ERR_NOT_FOUND)
			e = ERR_OK;
	}
	return e;
}

enum err
memory_without_vector(struct ctx *c, const char *model, struct memory *ret, size_t *n)
{
	SCOPED_STMT one = db_prepare(c->db, SQL("SELECT m.agent_id FROM memory m LEFT JOIN memory_vector v ON v.memory = m.n"
	    " WHERE m.deleted_ms IS NULL AND (v.model IS NULL OR v.model <> ?) ORDER BY m.n DESC LIMIT 1"));
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT m.n, m.content FROM memory m LEFT JOIN memory_vector v ON v.memory = m.n"
	    " WHERE m.agent_id = ? AND m.deleted_ms IS NULL AND (v.model IS NULL OR v.model <> ?)"
	    " ORDER BY m.created_ms DESC LIMIT ?"));
	const char *agent_id;
	size_t most = *n;

	*n = 0;
	bind_text(one, model);
	agent_id = db_step(one) ? col_text(c, one, "agent_id") : NULL;
	if (agent_id == NULL)
		return db_end(one) == ERR_OK ? ERR_OK : fail_db(c, one);
	bind_text(st, agent_id);
	bind_text(st, model);
	bind_i64(st, (int64_t)most);
	while (*n < most && db_step(st)) {
		ret[*n] = (struct memory){ .n = col_i64(st, "n"), .agent_id = agent_id, .content = col_text(c, st, "content") };
		if (ret[*n].content == NULL)
			return fail(c, ERR_NOMEM, "out of memory");
		++*n;
	}
	return *n == most || db_end(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}

enum err
memory_set_vector(struct ctx *c, int64_t n, const char *model, float *v, unsigned dims)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("INSERT OR REPLACE INTO memory_vector (memory, model, vector)"
	    " SELECT n, ?2, ?3 FROM memory WHERE n = ?1"));

	if (!make_one(v, dims))
		memset(v, 0, dims * sizeof(*v));        /* near nothing, and not asked for again */
	turn_bytes(v, dims);
	bind_i64(st, n);
	bind_text(st, model);
	bind_blob(st, v, dims * sizeof(*v));
	return db_exec(st) == ERR_OK ? ERR_OK : fail_db(c, st);
}
