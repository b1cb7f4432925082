/* Memories: found by words and by vectors, by those whose they are; made of what was said, once, and bounded. */
#include "lib/svc/memory.h"
#include "lib/svc/kv.h"
#include "t/svc/store.h"

#define OTHER_SESSION "bbbbbbbb-1111-4111-8111-111111111111"

static struct memory_scope
of_ada(void)
{
	return (struct memory_scope){ .agent_id = ADA, .session_id = NOBODY, .visible = 60 };
}

static void
add(struct ctx *c, struct memory m)
{
	m.source = m.source != NULL ? m.source : "conversation";
	m.scope = m.scope != NULL ? m.scope : "episodic";
	m.created_ms = m.created_ms != 0 ? m.created_ms : c->now_ms;
	is_int(memory_add(c, &m), ERR_OK, "'%.30s' is remembered", m.content);
}

static size_t
found(struct ctx *c, struct memory_scope s, const char *text, struct memory *v)
{
	size_t n = MEMORY_RECALL;

	ok(memory_by_words(c, &s, text, v, &n) == ERR_OK, "'%.30s' is looked for", text);
	return n;
}

static void
words(struct ctx *c)
{
	const char *w[MEMORY_WORDS];

	is_int(memory_words(c, "What is the Name of my DOG, the dog?", w), 2, "the common words say nothing, and each counts once");
	ok(strcmp(w[0], "name") == 0 && strcmp(w[1], "dog") == 0, "the longest comes first, in small letters");
	is_int(memory_words(c, "", w), 0, "a text without words has none");
	is_int(memory_words(c, "a1b2 c3d4 e5f6 g7h8 i9j0 k1l2 m3n4 o5p6 q7r8 s9t0 u1v2 w3x4 y5z6 longest", w), MEMORY_WORDS, "not more than so many");
	is_str(w[0], "longest", "the longest are kept");
	is_int(memory_words(c, "k\xc3\xa4se \xe4\xb8\xad\xe6\x96\x87", w), 2, "words of any script");
	is_int(memory_matches((const char *const[]){ "dog", "cat", "og" }, 3, "The DOGS bark"), 1, "a word stands at the beginning of one");
}

static void
by_words(struct ctx *c)
{
	struct memory v[MEMORY_RECALL];
	struct memory_scope s = of_ada();
	bool any = true;

	is_int(memory_any(c, ADA, &any), ERR_OK, "an agent is asked");
	ok(!any, "it has none");
	add(c, (struct memory){ .agent_id = ADA, .content = "The bicycle stands in the cellar" });
	add(c, (struct memory){ .agent_id = ADA, .content = "The harbour closes at noon; 100% \"sure\" OR not" });
	add(c, (struct memory){ .agent_id = BEA, .content = "The bicycle of Bea is red" });
	add(c, (struct memory){ .agent_id = ADA, .content = "Una's bicycle is blue", .peer_id = "una", .chat = "telegram" });
	is_int(memory_any(c, ADA, &any), ERR_OK, "later");
	ok(any, "it has some");
	is_int(found(c, s, "bicycle", v), 1, "one of the agent's own is found");
	is_str(v[0].content, "The bicycle stands in the cellar", "that one");
	is_int(found(c, s, "which bicycle did you sell in Utrecht yesterday", v), 0, "a word in common with many is nothing");
	is_int(found(c, s, "which bicycle is down in the cellar", v), 1, "two are");
	is_int(found(c, s, "\" OR * ( ) :bicycle -- %", v), 1, "the engine's own language is none here");
	s.peer_id = "una";
	s.chat = "telegram";
	is_int(found(c, s, "bicycle", v), 1, "a sender finds what is their own");
	is_str(v[0].content, "Una's bicycle is blue", "and nothing else");
	s.chat = "discord";
	is_int(found(c, s, "bicycle", v), 0, "in the same chat");
	is_int(memory_used(c, v, 0), ERR_OK, "none were used");
}

static void
of_a_value(struct ctx *c)
{
	struct memory v[MEMORY_RECALL];

	is_int(kv_put(c, ADA, "boat", 4, "\"Gull\"", 6), ERR_OK, "a value");
	add(c, (struct memory){ .agent_id = ADA, .content = "boat: Gull", .key = "boat" });
	add(c, (struct memory){ .agent_id = ADA, .content = "boat: Gull, white", .key = "boat" });
	is_int(found(c, of_ada(), "boat", v), 1, "a key has one memory");
	is_str(v[0].content, "boat: Gull, white", "the newest");
	c->now_ms += 5;
	is_int(kv_put(c, ADA, "boat", 4, "\"Tern\"", 6), ERR_OK, "the value changes");
	is_int(found(c, of_ada(), "boat", v), 0, "then it no longer counts");
}

static void
in_sight(struct ctx *c)
{
	struct memory v[MEMORY_RECALL];
	struct memory_scope s = { .agent_id = ADA, .session_id = ADA_SESSION, .visible = 60 };

	store_session(c, ADA_SESSION, ADA, NULL, c->now_ms);
	store_message(c, ADA_SESSION, 1, "user", "\"hello there\"");
	add(c, (struct memory){ .agent_id = ADA, .content = "zebra one", .session_id = ADA_SESSION, .created_ms = c->now_ms });
	add(c, (struct memory){ .agent_id = ADA, .content = "zebra two", .session_id = ADA_SESSION, .created_ms = c->now_ms - 1 });
	is_int(found(c, s, "zebra", v), 1, "of this session only what is no longer in sight");
	is_str(v[0].content, "zebra two", "the older one");
}

static void
vectors(struct ctx *c)
{
	float east[2] = { 3, 0 }, north[2] = { 0, 2 }, long_one[3] = { 1, 1, 1 }, ask[2] = { 5, 1 };
	struct memory v[MEMORY_RECALL], all[MEMORY_RECALL];
	struct memory_scope s = { .agent_id = BEA, .session_id = NOBODY, .visible = 60 };
	size_t n = MEMORY_RECALL;

	add(c, (struct memory){ .agent_id = BEA, .content = "east" });
	add(c, (struct memory){ .agent_id = BEA, .content = "north" });
	is_int(memory_without_vector(c, "m", all, &n), ERR_OK, "some have no vector");
	is_int(n, 3, "all of one agent");
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i].content, "east") == 0)
			is_int(memory_set_vector(c, all[i].n, "m", east, 2), ERR_OK, "east gets one");
		else if (strcmp(all[i].content, "north") == 0)
			is_int(memory_set_vector(c, all[i].n, "m", north, 2), ERR_OK, "north gets one");
		else
			is_int(memory_set_vector(c, all[i].n, "m", long_one, 3), ERR_OK, "the third a longer one");
	n = MEMORY_RECALL;
	is_int(memory_by_vector(c, &s, "m", ask, 2, 0.01, 0, v, &n), ERR_OK, "they are asked for");
	is_int(n, 2, "one of other dimensions is not compared");
	is_str(v[0].content, "east", "the nearest comes first");
	n = MEMORY_RECALL;
	is_int(memory_by_vector(c, &s, "m", ask, 2, 0.9, 0, v, &n), ERR_OK, "near enough");
	is_int(n, 1, "is one");
	n = MEMORY_RECALL;
	is_int(memory_by_vector(c, &s, "another", ask, 2, 0.01, 0, v, &n), ERR_OK, "another model");
	is_int(n, 0, "has none of these");
	n = MEMORY_RECALL;
	is_int(memory_without_vector(c, "another", all, &n), ERR_OK, "and");
	ok(n > 0, "all of them want one of it");
	n = MEMORY_RECALL;
	is_int(memory_by_vector(c, &s, "m", (float[]){ 0, 0 }, 2, 0.01, 0, v, &n), ERR_OK, "a vector of nothing");
	is_int(n, 0, "is near nothing");
}

static int64_t
count(struct ctx *c, const char *agent)
{
	SCOPED_STMT st = db_prepare(c->db, SQL("SELECT count(*) AS n FROM memory WHERE agent_id = ? AND scope = 'episodic'"
	    " AND content LIKE 'User: %'"));

	bind_text(st, agent);
	return db_step(st) ? col_i64(st, "n") : -1;
}

static void
catch_up(struct ctx *c)
{
	bool more = true;

	for (int i = 0; i < 20 && more; i++)
		if (memory_catch_up(c, 8, &more) != ERR_OK)
			break;
	ok(!more, "nothing is left to be done");
}

static void
episodes(struct ctx *c)
{
	store_message(c, ADA_SESSION, 2, "assistant", "\"hello to you\"");
	store_message(c, ADA_SESSION, 3, "user", "\"The piano has eighty-eight keys\"");
	store_message(c, ADA_SESSION, 4, "assistant", "[{\"type\":\"tool_use\",\"id\":\"1\",\"name\":\"x\",\"input\":{}}]");
	store_message(c, ADA_SESSION, 5, "user", "[{\"type\":\"tool_result\",\"tool_use_id\":\"1\",\"content\":\"88\"}]");
	store_message(c, ADA_SESSION, 6, "assistant", "[{\"type\":\"text\",\"text\":\"It has eighty-eight.\"}]");
	store_message(c, ADA_SESSION, 7, "user", "\"Never mind the violin\"");
	store_message(c, ADA_SESSION, 8, "assistant", "\"[no reply needed]\"");
	catch_up(c);
	is_int(count(c, ADA), 0, "an agent with one conversation sees it all");
	store_session(c, OTHER_SESSION, ADA, NULL, c->now_ms);
	catch_up(c);
	is_int(count(c, ADA), 1, "with another one, exchanges are remembered; greetings and silence are not");
	catch_up(c);
	is_int(count(c, ADA), 1, "once");
	for (int i = 1; i <= 900; i++)
		store_message(c, OTHER_SESSION, i, i % 2 == 1 ? "user" : "assistant", i % 2 == 1 ? "\"another question about music\"" : "\"music indeed\"");
	catch_up(c);
	is_int(count(c, ADA), 451, "a long one in pieces, each exchange once");
	is_int(memory_cap(c, ADA, 100), ERR_OK, "there is a bound");
	ok(count(c, ADA) <= 100, "and the oldest go");
	is_int(memory_remove(c, ADA), ERR_OK, "with the agent");
	is_int(count(c, ADA), 0, "all go");
	is_int(count(c, BEA), 0, "others had none of it");
}

int
main(void)
{
	struct config cfg = { 0 };
	struct ctx c = { .cfg = &cfg };

	store_open(&c);
	cfg.raw = json_stored(&c, "{}");
	store_agent(&c, ADA, "ada", "zoe", NULL, "{}");
	store_agent(&c, BEA, "bea", "someone", NULL, "{}");
	words(&c);
	by_words(&c);
	of_a_value(&c);
	in_sight(&c);
	vectors(&c);
	episodes(&c);
	ok(memory_wanted(&cfg, NULL, "auto_retrieve"), "agents remember unless they are told not to");
	ok(!memory_wanted(&cfg, json_stored(&c, "{\"proactive_memory\":{\"enabled\":false,\"auto_retrieve\":true}}"), "auto_retrieve"), "by their manifest");
	cfg.raw = json_stored(&c, "{\"proactive_memory\":{\"auto_retrieve\":false}}");
	ok(!memory_wanted(&cfg, NULL, "auto_retrieve"), "or by the configuration");
	ok(memory_wanted(&cfg, json_stored(&c, "{\"proactive_memory\":{\"auto_retrieve\":true}}"), "auto_retrieve"), "over which the manifest stands");
	store_close(&c);
	return done();
}
