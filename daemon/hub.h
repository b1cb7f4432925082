/*
 * Watchers of sessions: whoever attaches to a session sees the turn that runs in it, wherever it came from.
 *
 * A watcher is only a connection: no thread waits for it. What happens is handed to all of them on the turn's thread,
 * which never waits either; a reader that is too slow, or has gone, is let go.
 */
#ifndef LF_HUB_H
#define LF_HUB_H
#include "daemon/live.h"
#include "daemon/turn.h"

/* An event as the streams tell it: its name, and its data appended to out. NULL: they do not tell it. */
const char *turn_event_text(const struct turn_event *, struct buf *out);
void turn_done_text(int64_t input_tokens, int64_t output_tokens, struct buf *out);
/* The last event of a turn. */
const char *turn_end_text(bool good, int64_t input_tokens, int64_t output_tokens, struct buf *out);

/*
 * A seat for a watcher, taken before anything is answered. UNAVAILABLE too_many_watchers: all are taken; NOMEM.
 * It is given away by hub_join() or hub_join_socket(), or given back by hub_leave() (NULL is fine).
 */
struct watcher;
enum err hub_seat(struct ctx *, const char *agent_id, const char *session_id, struct watcher **ret) MUST_CHECK;
void hub_leave(struct watcher *);
/*
 * From now on, and the stream begins: whoever has read its head misses nothing that comes later. last_id: what came after
 * that event is told first, see journal_read(); NULL: nothing is. anew: it is of a turn that will be told anew, if
 * nothing is kept of it. The seat is used up, also on failure (as live_begin()).
 */
enum err hub_join(struct ctx *, struct watcher *, struct live *, const char *last_id, bool anew) MUST_CHECK;
/* The same for a WebSocket, before its client is told that it is open. */
void hub_join_socket(struct watcher *, struct live *);
/* Does anybody watch? Costs one look at a number when nobody does. */
bool hub_watched(const char *session_id);
/* An event of that turn, at that place of its journal (0: none), as turn_event_text() made it. */
void hub_tell(const char *session_id, const char *turn_id, uint64_t place, const char *name, const struct buf *data);
/* The turn is over: each watcher gets its last event and its stream ends. */
void hub_end(const char *session_id, const char *turn_id, const char *name, const struct buf *data);
/* The same, as a failure, for all sessions of an agent that is no more; NULL: for everybody. */
void hub_closed(const char *agent_id);
#endif
