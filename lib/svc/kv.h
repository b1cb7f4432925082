/* Per-agent key/value memory. Values are JSON text, kept byte for byte (compacted). */
#ifndef LF_KV_H
#define LF_KV_H
#include "lib/base/json.h"
#include "lib/svc/user.h"

enum { KV_VALUE_MAX = 262144, KV_KEY_MAX = 8192 };

/* All pairs, ordered by key, written as members key/value of objects into the open array. */
enum err kv_write_all(struct ctx *, const char *agent_id, struct jw *) MUST_CHECK;
/* The same as members of the open object. */
enum err kv_write_members(struct ctx *, const char *agent_id, struct jw *) MUST_CHECK;
/*
 * All members of an object in checked JSON text, as they are written, in one transaction; clear: what is there goes first. Keys and values that are too
 * large are left out and named in *failed (an array). *ret: how many are stored.
 */
enum err kv_import(struct ctx *, const char *agent_id, const char *kv, size_t n, bool clear, int64_t *ret,
    struct json_object *failed) MUST_CHECK;
/*
 * The key under which a value is kept for one of those who speak to an agent: "peer:", who it is ('%' and ':' as %25 and %3A), ":", the
 * key. peer NULL or "": nobody is named, and it is the key itself. NULL: out of memory.
 */
const char *kv_key_of(struct ctx *, const char *peer, const char *key, size_t n, size_t *ret_n);
#define KV_PEER "peer:"
/* The value's JSON text, in the arena. NOT_FOUND "Key '...' not found". */
enum err kv_get(struct ctx *, const char *agent_id, const char *key, size_t n, const char **json, size_t *json_n) MUST_CHECK;
/* value: checked JSON. TOO_LARGE beyond KV_VALUE_MAX. */
enum err kv_put(struct ctx *, const char *agent_id, const char *key, size_t n, const char *json, size_t json_n) MUST_CHECK;
/* Deleting what is not there succeeds. */
enum err kv_delete(struct ctx *, const char *agent_id, const char *key, size_t n) MUST_CHECK;
enum err kv_count(struct ctx *, const char *agent_id, int64_t *ret) MUST_CHECK;
/* NOT_FOUND unless c->who may see that agent's memory (it need not exist for admins); FORBIDDEN: not by the memory_access of their entry. */
enum err kv_may(struct ctx *, const char *agent_id, enum memory_right) MUST_CHECK;
#endif
