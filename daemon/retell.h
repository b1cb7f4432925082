/* What a turn said, from its rows: for who could not hear it to its end. */
#ifndef LF_RETELL_H
#define LF_RETELL_H
#include "daemon/turn.h"

/* Answers that asked for tools, as events; what the tools say is none. Needs c->db. */
enum err turn_retell(struct ctx *, const char *turn_id, void (*on)(void *arg, const struct turn_event *), void *arg) MUST_CHECK;
/* The answer that ended it; nothing, if the session holds it no longer. */
enum err turn_retell_answer(struct ctx *, const char *turn_id, const char *session_id,
    void (*on)(void *arg, const struct turn_event *), void *arg) MUST_CHECK;
#endif
