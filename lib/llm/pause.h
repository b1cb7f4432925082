/* Waiting that a cancel ends within 50 ms. */
#ifndef LF_LLM_PAUSE_H
#define LF_LLM_PAUSE_H
#include <time.h>

#include "lib/net/http.h"

/* false: cancelled. */
static inline bool
pause_ms(int64_t ms, const struct cancel *k)
{
	for (; ms > 0 && !cancelled(k); ms -= 50)
		nanosleep(&(struct timespec){ .tv_nsec = (long)(ms < 50 ? ms : 50) * 1000000 }, NULL);
	return !cancelled(k);
}
#endif
