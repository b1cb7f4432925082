/*
 * Memories one by one: listed, looked for, rewritten, deleted, given away and taken in. A level is what a scope is called outside: user,
 * agent, session (all others).
 */
#ifndef LF_MEMORY_ITEM_H
#define LF_MEMORY_ITEM_H
#include "lib/svc/memory.h"
#include "lib/svc/user.h"

enum { MEMORY_PAGE_MAX = 100, MEMORY_EXPORT_MAX = 10000, MEMORY_TEXT_MAX = 65536 };

struct memory_filter {
	const char *agent_id;           /* NULL: of all agents */
	const char *level, *category;   /* NULL: any */
	const char *q;                  /* a part of the text, whatever the case of its letters; NULL: any */
	int64_t limit, offset;
	bool ranked;                    /* the surest first, and it counts as used; else the newest */
};

/* May the caller do that to memories? Asked of the entry in [[users]]. FORBIDDEN. */
enum err memory_may(struct ctx *, enum memory_right) MUST_CHECK;
/* Items into the open array. */
enum err memory_write_items(struct ctx *, const struct memory_filter *, struct jw *) MUST_CHECK;
/* In the form that memory_import() takes. *ret_n: how many. */
enum err memory_write_export(struct ctx *, const char *agent_id, struct jw *, int64_t *ret_n) MUST_CHECK;
enum err memory_total(struct ctx *, const struct memory_filter *, int64_t *ret) MUST_CHECK;
/* total, user_count, session_count, agent_count and categories as members of the open object; agent_id NULL: with by_agent. */
enum err memory_write_stats(struct ctx *, const char *agent_id, struct jw *) MUST_CHECK;
/* Earlier texts of one, newest first, into the open array. NOT_FOUND. */
enum err memory_write_versions(struct ctx *, const char *id, struct jw *, int64_t *ret_n) MUST_CHECK;
/* Groups that say the same, each an array, into the open array. */
enum err memory_write_groups(struct ctx *, const char *agent_id, struct jw *, int64_t *ret_n) MUST_CHECK;

/* --- memory_edit.c: each in a transaction of its own --- */

/* Another text; the old one is kept as a version, its vector is made anew. NOT_FOUND. */
enum err memory_replace(struct ctx *, const char *id, const char *content) MUST_CHECK;
/* The same for one that was looked at, inside the caller's transaction: from: whose place that is (its id), or NULL; conflict: so it is marked. */
enum err memory_retell(struct ctx *, int64_t n, const char *old, const char *metadata, const char *content, const char *from, bool conflict) MUST_CHECK;
enum err memory_set_category(struct ctx *, const char *id, const char *category) MUST_CHECK;    /* inside the caller's transaction */
enum err memory_forget(struct ctx *, const char *id) MUST_CHECK;          /* NOT_FOUND */
/* level NULL: all of the agent's. */
enum err memory_forget_all(struct ctx *, const char *agent_id, const char *level) MUST_CHECK;
/* Of each group that says the same the newest stays. */
enum err memory_merge(struct ctx *, const char *agent_id, int64_t *ret_gone) MUST_CHECK;
/* Sessions' memories older than that. */
enum err memory_expire(struct ctx *, int64_t before_ms, int64_t *ret_gone) MUST_CHECK;
/* What was not of use for a day is a little less sure. */
enum err memory_fade(struct ctx *, double rate) MUST_CHECK;
/* An array of {content, level, category, confidence, created_at, updated_at, metadata}; what is there already is passed over. INVALID. */
enum err memory_import(struct ctx *, const char *agent_id, struct json_object *items, int64_t *ret_n) MUST_CHECK;
/* The share of words that two texts have in common, 0 to 1. */
double memory_likeness(const char *a, const char *b);
/* Groups among the newest hundred: *ret[i] is the number of the i-th one's group, from 1; 0: it stands alone. */
struct memory_group { int64_t n; const char *id, *content; unsigned group; bool seed; };        /* seed: the first of it */
enum err memory_groups(struct ctx *, const char *agent_id, struct memory_group **ret, size_t *ret_n, unsigned *ret_groups) MUST_CHECK;
#endif
