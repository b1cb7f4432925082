/*
 * What a turn has told so far, so that whoever lost the connection can read on where it broke off.
 *
 * Each event of an event stream has an id, "<turn>.<place>" (WHATWG HTML 9.2, Last-Event-ID). A place counts bytes of
 * text and, one each, other events; so text that came in many parts is kept as one, and still can be read on from
 * anywhere. The last event's is "<turn>.end": who has it reads on with the turn after that one. A place counts from another
 * number each time that a turn is taken up: what a crash interrupted is said anew, after a phase "restart" for whoever heard
 * some of it before. Kept in memory while the turn runs and a minute longer.
 */
#ifndef LF_JOURNAL_H
#define LF_JOURNAL_H
#include "daemon/turn.h"
#include "lib/base/buf.h"

enum { EVENT_ID_MAX = 64 };

struct journal;

/* Of a turn that begins; NULL: no memory, then it has none, and all below take NULL. */
struct journal *journal_open(const char *turn_id, const char *session_id);
/* name: as streams call the event; data: its JSON. Returns its place, 0: it is not kept. */
uint64_t journal_add(struct journal *, const struct turn_event *, const char *name, const struct buf *data);
/* The turn is over; its last event (name NULL: it waits for its caller, and has none yet). The handle is not used again. */
void journal_end(struct journal *, const char *name, const struct buf *data);
/* The last event's place. */
#define PLACE_END UINT64_MAX
void event_id(const char *turn_id, uint64_t place, char out[static EVENT_ID_MAX]);
/* What an id says; "0": no turn, place 0. false: it is none of ours. */
bool event_id_read(const char *, char ret_turn_id[static 37], uint64_t *ret_place);
/* "What you heard of this turn is void, it is told anew": the data of that phase. */
extern const struct buf journal_restart;

/* Where somebody reads on. */
struct read_on {
	char turn_id[37];               /* of the journal that was read; "" none */
	uint64_t seen;                  /* until here; PLACE_END: all of it */
	bool ended;                     /* its last event was among what was told */
};
/* Is something kept of that turn? */
bool journal_has(const char *turn_id);
/*
 * Tell send() all that came after last_id ("0": the beginning of the turn that runs in the session), in order; until it
 * is false. An id that nothing is kept of tells nothing, and *ret stays empty.
 */
void journal_read(const char *session_id, const char *last_id, struct read_on *ret,
    bool (*send)(void *arg, const char *id, const char *name, const struct buf *data), void *arg);
#endif
