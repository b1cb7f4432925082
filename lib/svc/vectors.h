/*
 * Who makes vectors of texts (memory is searched by them, else by words): chosen by the daemon, which alone knows keys, and told to
 * whoever shows the state of the server.
 */
#ifndef LF_VECTORS_H
#define LF_VECTORS_H
#include "lib/svc/config.h"

enum vectors {
	VECTORS_UNKNOWN,                /* the daemon has not said yet */
	VECTORS_NONE,                   /* words are wanted, or nobody has a key */
	VECTORS_MISSING,                /* the one that [memory] names has no key, or makes none */
	VECTORS_READY,
};

/* The daemon's choice; provider and model NULL: nobody. Errors: the store's. */
enum err vectors_tell(struct ctx *, enum vectors, const char *provider, const char *model) MUST_CHECK;
/* A call failed: words do until then (of clock_ms()); 0: one was answered. */
void vectors_rest(int64_t until_ms);
enum vectors vectors_state(void);
bool vectors_resting(int64_t now_ms);
/* Of VECTORS_READY; else NULL. Errors: the store's. */
enum err vectors_who(struct ctx *, const char **ret_provider, const char **ret_model) MUST_CHECK;
/* Does the configuration name somebody, so that a server without is not ready? */
bool vectors_required(const struct config *);
#endif
