/*
 * Threads for jobs: kept when idle, made when needed, never more than the
 * cap. The thread that went idle last takes the next job, so that few stacks stay warm.
 */
#ifndef LF_THREADS_H
#define LF_THREADS_H
#include "lib/base/base.h"

enum { THREAD_STACK_BYTES = 256 * 1024, THREADS_KEPT = 4, THREADS_IDLE_MS = 10000, THREADS_RESERVE = 64 };

/* cap: how many may run at once; may be called again to change it. */
void threads_init(unsigned cap);
/*
 * Run fn(arg) on a thread of the pool, at once or, when many begin, in its turn. -1: at the cap, or no
 * thread can be made; fn was not called.
 */
int threads_run(void (*fn)(void *), void *arg) MUST_CHECK;
/* The same without standing in line: for what keeps the house, and lets nobody wait. */
int threads_run_now(void (*fn)(void *), void *arg) MUST_CHECK;
/* From a job, before it waits for a peer: the next in line may begin. Cheap, may be said again. */
void threads_rest(void);
/* When a crowd has gone, on a thread: to give memory back. */
void threads_on_quiet(void (*fn)(void));
/* Jobs that run or stand in line. */
unsigned threads_busy(void);
unsigned threads_count(void);
/* Idle ones end at once, busy ones after their job; waits at most so long. true: none is left. */
bool threads_stop(unsigned timeout_ms);
#endif
