/*
 * The audit log: one chain of entries, each holding the hash of the one before it, so that
 * none can be changed or taken out unseen.
 *
 * hash = SHA-256, in lower-case hex, over `seq=`, `timestamp=`, `agent_id=`, `action=`, `detail=`, `outcome=`,
 * then `user_id=` (the 16 bytes of the UUID) and `channel=` if there are any, and `prev_hash=`, each with a
 * byte 0x1f before it. The first prev_hash is 64 zeros.
 */
#ifndef LF_AUDIT_H
#define LF_AUDIT_H
#include "lib/base/json.h"

struct audit {
	const char *agent_id;           /* NULL: "system" */
	const char *action;             /* AgentSpawn AgentKill AgentMessage ToolInvoke ... */
	const char *detail, *outcome;   /* outcome: "ok", "error: ...", "denied" ... */
	const char *channel;            /* or NULL */
};

/* Append; c->who is who did it. Inside the caller's transaction: the entry is there if what it tells of is. */
enum err audit_append(struct ctx *, const struct audit *) MUST_CHECK;
/* The same in a transaction of its own. c->fault stays what it was. */
enum err audit_alone(struct ctx *, const struct audit *) MUST_CHECK;
/* Entries of an agent, newest first, as objects into the open array; outcome NULL: all. *ret_n: how many. */
enum err audit_write_agent(struct ctx *, const char *agent_id, const char *outcome, int64_t limit, int64_t offset,
    struct jw *, int64_t *ret_n) MUST_CHECK;
/*
 * Drop what is older than so many days, in one piece from the beginning; what the chain goes on from is remembered, and
 * that it was done is an entry. At most a few thousand at a time: *ret_more says that there are others.
 */
enum err audit_trim(struct ctx *, int64_t days, bool *ret_more) MUST_CHECK;
/* The newest entries, at most so many, the oldest of them first, as objects into the open array. */
enum err audit_write_recent(struct ctx *, int64_t n, struct jw *) MUST_CHECK;

struct audit_chain {
	int64_t entries;
	int64_t first, last;            /* seq; -1: there is none */
	int64_t bad;                    /* the first seq that does not follow, -1: none; audit_tip() does not look */
	char tip[65];                   /* hash of the last; zeros: there is none */
};
enum err audit_tip(struct ctx *, struct audit_chain *ret) MUST_CHECK;
/* Walk the chain, entry by entry. */
enum err audit_verify(struct ctx *, struct audit_chain *ret) MUST_CHECK;
#endif
