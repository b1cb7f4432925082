/*
 * A session grows shorter: what was said first is replaced by a summary. The caller owns the session meanwhile.
 */
#ifndef LF_SESSION_COMPACT_H
#define LF_SESSION_COMPACT_H
#include "lib/svc/conversation.h"

/*
 * How many messages of the history may go when the newest `keep` stay: up to a question of the user, so that no
 * tool result loses its call. 0: none.
 */
size_t compact_cut(const struct history *, size_t keep);
/*
 * The first `cut` messages of `before` go, save pinned ones, which come to the front; the summary is stored, in
 * one transaction. CONFLICT: the session is not as it was read.
 */
enum err session_shorten(struct ctx *, const char *session_id, size_t before, size_t cut, const char *summary,
    int64_t *ret_kept) MUST_CHECK;
/* Messages of those numbers (rising) of `before` go, the others are numbered anew. CONFLICT as above. */
enum err session_drop(struct ctx *, const char *session_id, size_t before, const int64_t *seqs, size_t n) MUST_CHECK;
/* NULL: it has none. */
enum err session_summary(struct ctx *, const char *session_id, const char **ret) MUST_CHECK;
/* Message seq says something else from now on; inside the caller's transaction. */
enum err message_rewrite(struct ctx *, const char *session_id, int64_t seq, const char *content, size_t n) MUST_CHECK;
#endif
