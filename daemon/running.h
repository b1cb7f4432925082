/*
 * Who runs now: one turn at a time per session, the others wait in order.
 */
#ifndef LF_RUNNING_H
#define LF_RUNNING_H
#include <pthread.h>
#include <stdbool.h>

#include "lib/net/http.h"

/* One turn's place in the list; storage is the caller's, on its thread. */
struct running {
	char agent_id[37], session_id[37], turn_id[37];
	struct cancel *cancel;
	bool active;                    /* has the session; else waits for it */
	bool injected;                  /* something was said into it */
	bool closed;                    /* its last answer is there: nothing more can be */
	struct running *next, **back;   /* all; back NULL: not in the list */
	struct running *after;          /* of the same hash */
	int64_t until_us;               /* monotonic: waits no longer; 0: as long as it takes */
	pthread_cond_t wake;
};

/*
 * Keep a place in line for a turn (agent_id, session_id, turn_id, cancel) that a thread will soon go on with: its
 * running_try() or running_wait() stands there. running_leave() gives up what nobody came for.
 */
void running_keep(struct running *place);
/* Take the session if it is free. false: somebody has it or is before us; we are not in the list, save in a place that was kept: then running_wait(). */
bool running_try(struct running *);
/* Join the line and wait. false: cancelled or too late, and out of the list. */
bool running_wait(struct running *);
void running_leave(struct running *);
/* Turns that somebody outside waits for: one more, if there are fewer than most; and one less. */
bool running_place(unsigned most);
void running_place_back(void);

/* Active turns of the agent (session NULL: of any session) by their ids; how many. */
unsigned running_turns(const char *agent_id, const char *session_id, char (*ret)[37], unsigned max);
/* Tell a turn that something was said into it. false: it is over, or too far for that. */
bool running_nudge(const char *turn_id);
/* Was something said into it since the last time? last: if not, nothing can be any more. */
bool running_nudged(struct running *, bool last);
#endif
