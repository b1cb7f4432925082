/* Key/value memory: values survive unchanged, limits hold, others see nothing. */
#include "lib/svc/kv.h"
#include "t/svc/store.h"

static void
round_trip(struct ctx *c, const char *json, const char *want)
{
	const char *got = NULL;
	size_t n = 0;

	is_int(kv_put(c, ADA, "k", 1, json, strlen(json)), ERR_OK, "%.40s is stored", json);
	is_int(kv_get(c, ADA, "k", 1, &got, &n), ERR_OK, "and found");
	is_str(got, want, "as it was written, without blanks");
}

static void
sizes(struct ctx *c)
{
	char *big = ctx_alloc(c, KV_VALUE_MAX + 16);

	memset(big, 'x', KV_VALUE_MAX + 8);
	big[0] = big[KV_VALUE_MAX - 1] = '"';
	is_int(kv_put(c, ADA, "big", 3, big, KV_VALUE_MAX), ERR_OK, "a value of the greatest size is stored");
	big[KV_VALUE_MAX - 1] = 'x';
	big[KV_VALUE_MAX] = '"';
	is_int(kv_put(c, ADA, "big", 3, big, KV_VALUE_MAX + 1), ERR_TOO_LARGE, "one byte more is refused");
	is_int(kv_put(c, ADA, "", 0, "1", 1), ERR_BAD_REQUEST, "a key is never empty");
	is_int(kv_delete(c, ADA, "big", 3), ERR_OK, "it is forgotten");
	is_int(kv_delete(c, ADA, "big", 3), ERR_OK, "forgetting twice succeeds");
}

static void
odd_keys(struct ctx *c)
{
	const char *got;
	size_t n;
	int64_t count = 0;

	SCOPED_BUF b = BUF_INIT(1 << 20);
	struct jw w = JW_INIT(&b);

	is_int(kv_put(c, BEA, "a\0b", 3, "1", 1), ERR_OK, "a key may hold a NUL");
	is_int(kv_put(c, BEA, "a", 1, "{\"x\":2}", 7), ERR_OK, "and is another than what stands before it");
	is_int(kv_get(c, BEA, "a\0b", 3, &got, &n), ERR_OK, "each is found");
	is_str(got, "1", "with its own value");
	is_int(kv_get(c, BEA, "a\0c", 3, &got, &n), ERR_NOT_FOUND, "a third is not");
	is_str(c->fault.msg, "Key 'a' not found", "and the sentence names it");
	is_int(kv_count(c, BEA, &count), ERR_OK, "they can be counted");
	is_int(count, 2, "two");
	jw_array(&w, NULL);
	is_int(kv_write_all(c, BEA, &w), ERR_OK, "and listed");
	jw_end(&w);
	is_str(b.p, "[{\"key\":\"a\",\"value\":{\"x\":2}},{\"key\":\"a\\u0000b\",\"value\":1}]", "in the order of their keys");
}

static const struct config nobody;

/* With an entry in [[users]] that speaks of memory. */
static void
by_entry(struct ctx *c)
{
	struct config_user zoes = { .name = "zoe", .role = "user" };
	struct json_object *raw = json_tokener_parse("{\"users\":[{\"memory_access\":{\"readable_namespaces\":[\"kv:*\"],"
	    "\"writable_namespaces\":[\"kv:" ADA "\"],\"delete_allowed\":false,\"export_allowed\":true}}]}");
	const struct config cfg = { .users = &zoes, .n_users = 1, .raw = raw };

	c->cfg = &cfg;
	is_int(kv_may(c, ADA, MEMORY_READ), ERR_OK, "what may be read is");
	is_int(kv_may(c, ADA, MEMORY_WRITE), ERR_OK, "what may be written is");
	is_int(kv_may(c, ADA, MEMORY_EXPORT), ERR_OK, "what may be exported is");
	is_int(kv_may(c, ADA, MEMORY_REMOVE), ERR_FORBIDDEN, "removing needs leave of its own");
	is_int(kv_may(c, BEA, MEMORY_READ), ERR_NOT_FOUND, "what is of others is not there, whatever the entry says");
	c->cfg = &nobody;
	json_object_put(raw);
}

int
main(void)
{
	struct ctx c = { .cfg = &nobody };

	store_open(&c);
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	store_agent(&c, BEA, "bea", "someone", NULL, "{}");
	round_trip(&c, "0.7", "0.7");
	round_trip(&c, " { \"n\" : 123456789012345678901234567890 , \"t\" : \"a b\" } ", "{\"n\":123456789012345678901234567890,\"t\":\"a b\"}");
	round_trip(&c, "null", "null");
	sizes(&c);
	odd_keys(&c);
	is_int(kv_may(&c, NOBODY, MEMORY_READ), ERR_OK, "an owner sees the memory of agents that are not there");
	c.who = &zoe;
	is_int(kv_may(&c, ADA, MEMORY_READ), ERR_OK, "a user sees that of agents of their own, whatever the letter case");
	is_int(kv_may(&c, BEA, MEMORY_READ), ERR_NOT_FOUND, "not that of others");
	is_int(kv_may(&c, NOBODY, MEMORY_READ), ERR_NOT_FOUND, "nor of none");
	by_entry(&c);
	store_close(&c);
	return done();
}
