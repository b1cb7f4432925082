/*
 * What agents remember beyond a conversation: a row for each memory, its words in the engine's index, and a vector beside
 * it where a model for vectors is configured.
 *
 * Memories belong to an agent and, where a sender was named, to that sender: nobody else's question finds them.
 */
#ifndef LF_MEMORY_H
#define LF_MEMORY_H
#include "lib/base/json.h"

enum { MEMORY_WORDS = 12, MEMORY_RECALL = 5, MEMORY_CONTENT_MAX = 8000 };

struct memory {
	int64_t n;                      /* its row */
	const char *id, *agent_id, *content;
	const char *source;             /* conversation document observation inference user_provided system */
	const char *scope;              /* episodic user_memory session_memory agent_memory */
	const char *metadata;           /* JSON object; NULL: {} */
	const char *peer_id, *chat, *session_id;        /* or NULL */
	const char *key;                /* of the key/value row that it tells; it counts while that is as it was then. Or NULL */
	double confidence;
	int64_t created_ms;
};

/* Whose memories, for which conversation. */
struct memory_scope {
	const char *agent_id, *peer_id, *chat;  /* peer_id, chat: NULL: no sender is named */
	const char *session_id;                 /* what the model sees of it anyway is left out */
	int64_t visible;                        /* so many of its newest messages */
};

/* One SELECT: has the agent any? */
enum err memory_any(struct ctx *, const char *agent_id, bool *ret) MUST_CHECK;
/* Inside the caller's transaction. id NULL: a fresh one; one with a key takes the place of that key's. */
enum err memory_add(struct ctx *, const struct memory *) MUST_CHECK;
/* Those of the agent whose words fit the text, the best first; *n: at most so many, then how many. */
enum err memory_by_words(struct ctx *, const struct memory_scope *, const char *text, struct memory *ret, size_t *n) MUST_CHECK;
/* They were of use; inside the caller's transaction. */
enum err memory_used(struct ctx *, const struct memory *, size_t n) MUST_CHECK;
/* Inside the caller's transaction: those beyond the newest and surest `most` are forgotten. */
enum err memory_cap(struct ctx *, const char *agent_id, int64_t most) MUST_CHECK;

/* Inside the caller's transaction: all of an agent that is removed. */
enum err memory_remove(struct ctx *, const char *agent_id) MUST_CHECK;
/* Inside the caller's transaction: the agent's sessions are about to be deleted, what was remembered of them is not. */
enum err memory_keep_all(struct ctx *, const char *agent_id) MUST_CHECK;
/* Is anything to be swept? */
enum err memory_any_gone(struct ctx *, int64_t until_ms, bool *ret) MUST_CHECK;
/* Inside the caller's transaction: what was forgotten until then is removed, with its words and vectors. */
enum err memory_sweep(struct ctx *, int64_t until_ms) MUST_CHECK;

/* --- memory_vector.c --- */

/*
 * Those of the agent whose vector of that model is nearest, best first, with a cosine of at least `least`. v has dims numbers and is made
 * length one. deadline_us (monotonic): the newest that were looked at until then.
 */
enum err memory_by_vector(struct ctx *, const struct memory_scope *, const char *model, float *v, unsigned dims, double least,
    int64_t deadline_us, struct memory *ret, size_t *n) MUST_CHECK;
/* The newest that have no vector of that model, all of one agent; *n as above. */
enum err memory_without_vector(struct ctx *, const char *model, struct memory *ret, size_t *n) MUST_CHECK;
/* Inside the caller's transaction. v is made length one; a row that has gone gets none. */
enum err memory_set_vector(struct ctx *, int64_t n, const char *model, float *v, unsigned dims) MUST_CHECK;

/* --- memory_words.c: pure --- */

/* Words of a text that say what it is about, in small letters, each once, the longest first. */
size_t memory_words(struct ctx *, const char *text, const char *ret[static MEMORY_WORDS]);
/* How many of the words stand in the text. */
unsigned memory_matches(const char *const *words, size_t n, const char *text);

/* --- memory_episode.c --- */

/*
 * What was said becomes memories where a model may not see it any more: all of an agent's sessions when it has several,
 * else what is beyond the newest messages. Up to so many sessions, a transaction each. *ret_more: there are others.
 */
enum err memory_catch_up(struct ctx *, size_t most, bool *ret_more) MUST_CHECK;
/* Does an agent of that manifest (NULL: any) remember (auto_memorize) or recall (auto_retrieve) by itself? */
bool memory_wanted(const struct config *, struct json_object *manifest, const char *which);
#endif
