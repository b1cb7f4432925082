/*
 * GCRA: the generic cell rate algorithm (ATM Forum TM 4.0, as leaky bucket meter)
 * on shared slots of atomics.
 *
 * A slot is found by open addressing over a few places; when all are taken by
 * others, the one whose arrival time lies furthest back is taken over: an
 * idle peer loses nothing, as its bucket is full again anyway. Times are in
 * nanoseconds, so that budgets of billions a minute still have an interval.
 */
#include <arpa/inet.h>
#include <string.h>

#include "lib/base/shm.h"

enum { PROBES = 8 };

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ x >> 33;
}

uint64_t
peer_key(const char *addr)
{
	unsigned char b[16];
	uint64_t v = 0xcbf29ce484222325u;
	uint32_t v4;

	if (inet_pton(AF_INET, addr, &v4) == 1)
		v = v4;
	else if (inet_pton(AF_INET6, addr, b) == 1)
		if (memcmp(b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) {
			memcpy(&v4, b + 12, 4);
			v = v4;
		} else {
			memcpy(&v, b, 8);
		}
	else
		for (; *addr != '\0'; addr++)
			v = (v ^ (unsigned char)*addr) * 0x100000001b3u;
	v = mix(v + 0x9e3779b97f4a7c15u);
	return v != 0 ? v : 1;
}

bool
addr_is_loopback(const char *addr)
{
	unsigned char b[16];
	uint32_t v4;

	if (inet_pton(AF_INET, addr, &v4) == 1)
		return (ntohl(v4) >> 24) == 127;
	if (inet_pton(AF_INET6, addr, b) != 1)
		return false;
	if (memcmp(b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
		return b[12] == 127;
	return memcmp(b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0;
}

static struct gcra_slot *
slot_of(struct shm *m, uint64_t key)
{
	struct gcra_slot *oldest = NULL;
	uint64_t oldest_tat = UINT64_MAX;

	for (unsigned i = 0; i < PROBES; i++) {
		struct gcra_slot *s = &m->gcra[(key + i) % SHM_GCRA_SLOTS];
		uint64_t k = atomic_load(&s->key), tat;

		if (k == key)
			return s;
		if (k == 0 && atomic_compare_exchange_strong(&s->key, &k, key))
			return s;
		if (k == key)
			return s;
		tat = atomic_load(&s->tat_ns);
		if (tat < oldest_tat) {
			oldest_tat = tat;
			oldest = s;
		}
	}
	atomic_store(&oldest->key, key);
	atomic_store(&oldest->tat_ns, 0);
	return oldest;
}

bool
gcra_take(struct shm *m, uint64_t key, unsigned cost, uint64_t per_minute, uint64_t now_us)
{
	const uint64_t window = UINT64_C(60000000000);
	uint64_t b = per_minute == 0 ? 1 : per_minute;
	/* cost * window / b in ns, rounded down so that a whole budget fits the window, at most just over it */
	uint64_t add = cost > b ? window + 1 : cost * window / b;
	uint64_t now = now_us * 1000, tat, next;
	struct gcra_slot *s = slot_of(m, key);

	tat = atomic_load(&s->tat_ns);
	do {
		uint64_t base = tat > now ? tat : now;

		next = base + add;
		if (next - now > window)
			return false;
	} while (!atomic_compare_exchange_weak(&s->tat_ns, &tat, next));
	return true;
}
