/*
 * A chat over a WebSocket: one session of it, shared by the loop (frames in)
 * and by the thread that runs its turn (frames out).
 */
#ifndef LF_WS_CHAT_H
#define LF_WS_CHAT_H
#include <pthread.h>

#include "daemon/conf.h"
#include "daemon/live.h"
#include "daemon/turn.h"
#include "lib/svc/caller.h"

enum verbose { VERBOSE_OFF, VERBOSE_ON, VERBOSE_FULL };
enum { WS_PENDING_MAX = 32, WS_RATE_MAX = 65536 };

struct ws_message {
	struct ws_message *next;
	size_t n;
	char text[];                    /* the frame */
};

struct ws_session {
	_Atomic unsigned holds;
	struct ws_session *next;        /* open ones; guarded by ws_chat.c */
	char agent_id[37], pinned[37];  /* pinned: "" when not */
	bool watches;                   /* only looks on at the pinned session */
	struct watcher *seat;           /* until it is open */
	char who_name[132];
	struct caller who;
	struct live *live;              /* NULL before the socket is open */
	struct conf *conf;
	pthread_mutex_t mu;             /* guards what follows */
	struct ws_message *pending, **pending_end;
	unsigned n_pending;
	bool busy;                      /* a thread works through pending */
	struct cancel *cancel;          /* of the turn under way */
	_Atomic int verbose, think;      /* think: of turns that do not say it themselves */
	char agents_seen[65];           /* digest of the last agents_updated */
	/* the loop's own */
	int64_t *frames;                /* times of the last frames, a ring */
	unsigned n_frames, at_frame;
};

void ws_session_hold(struct ws_session *);
void ws_session_drop(struct ws_session *);

/* ws_chat.c: {"type":"error","content":...} */
void ws_error(struct ws_session *, const char *code, const char *content, const char *message_id);
/* ws_turn.c: one message frame, a turn and its frames out. On a thread, c->db borrowed. */
void ws_turn(struct ws_session *, struct ctx *, struct json_object *frame, const char *text);
/* ws_command.c. message_id: of the message that this command came as, which ends as messages do; or NULL. */
void ws_command(struct ws_session *, struct ctx *, const char *command, const char *args, const char *message_id);
bool ws_is_command(const char *name, size_t n);
/* The registry of agents has changed: everybody connected hears of it soon. */
void ws_agents_changed(void);
#endif
