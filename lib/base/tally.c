/*
 * Counting in fixed windows, on shared slots of atomics.
 *
 * When a window began and how often was counted in it stand in one word, so that whoever opens a window anew
 * and whoever counts at the same moment cannot lose each other's count.
 */
#include "lib/base/shm.h"

enum { PROBES = 8, COUNT_BITS = 24 };

static const uint64_t count_mask = (UINT64_C(1) << COUNT_BITS) - 1;

static bool
is_open(uint64_t since_n, unsigned window_s, int64_t now_s)
{
	int64_t since_s = (int64_t)(since_n >> COUNT_BITS);

	return since_n != 0 && now_s >= since_s && now_s - since_s < (int64_t)window_s;
}

/* NULL: it has none, and none is made. */
static struct tally *
slot_of(struct tally *slots, uint64_t key, bool make)
{
	struct tally *oldest = NULL;

	for (unsigned i = 0; i < PROBES; i++) {
		struct tally *t = &slots[(key + i) % SHM_TALLY_SLOTS];
		uint64_t k = atomic_load(&t->key);

		if (k == key || (k == 0 && make && atomic_compare_exchange_strong(&t->key, &k, key)) || k == key)
			return t;
		if (oldest == NULL || atomic_load(&t->since_n) < atomic_load(&oldest->since_n))
			oldest = t;
	}
	if (!make)
		return NULL;
	atomic_store(&oldest->since_n, 0);
	atomic_store(&oldest->key, key);
	return oldest;
}

uint32_t
tally(struct tally slots[static SHM_TALLY_SLOTS], uint64_t key, unsigned window_s, int64_t now_s, bool count)
{
	struct tally *t = slot_of(slots, key, count);
	uint64_t was = t != NULL ? atomic_load(&t->since_n) : 0, next;

	if (!count)
		return is_open(was, window_s, now_s) ? (uint32_t)(was & count_mask) : 0;
	do {
		if (!is_open(was, window_s, now_s))
			next = (uint64_t)now_s << COUNT_BITS | 1;
		else
			next = (was & count_mask) < count_mask ? was + 1 : was;
	} while (!atomic_compare_exchange_weak(&t->since_n, &was, next));
	return (uint32_t)(next & count_mask);
}
