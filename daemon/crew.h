/*
 * Whoever works in the background: each on a thread, with a permit of a lane, and no two on the same thing.
 */
#ifndef LF_CREW_H
#define LF_CREW_H
#include "daemon/background.h"
#include "daemon/lanes.h"

struct hand {
	struct hand *next;
	char id[37];                    /* what it works on */
	bool let_go;
	int64_t at_ms;                  /* as was said at the start */
	enum lane lane;
	struct cancel cancel;
	void (*fn)(struct hand *, struct background *);
	void (*after)(void);
};

/*
 * Let fn work on it, unless somebody does, or the lane has no permit: then lanes_on_free() calls. after: called when it is done.
 * false: there is no thread at this moment.
 */
bool crew_start(const char *id, int64_t at_ms, enum lane, const struct config *, void (*fn)(struct hand *, struct background *),
    void (*after)(void)) MUST_CHECK;
/* The hand goes on, and somebody else may begin on the same thing. */
void crew_let_go(struct hand *);
#endif
