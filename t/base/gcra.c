/* The rate limiter on shared slots, the keys of peers, and the segment itself. */
#include <unistd.h>

#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "t/tap.h"

enum { SECOND = 1000000 };

static unsigned
take_all(struct shm *m, uint64_t key, unsigned cost, uint64_t budget, uint64_t now)
{
	unsigned n = 0;

	while (n < 5000 && gcra_take(m, key, cost, budget, now))
		n++;
	return n;
}

static void
test_budget(struct shm *m)
{
	uint64_t t = 1000 * (uint64_t)SECOND;

	is_int(take_all(m, 1, 1, 500, t), 500, "a fresh peer may spend its whole budget at once");
	ok(!gcra_take(m, 1, 1, 500, t), "and then no more");
	ok(gcra_take(m, 2, 1, 500, t), "another peer is not touched");
	ok(gcra_take(m, 1, 1, 500, t + SECOND * 12 / 100), "after one interval one more passes");
	ok(!gcra_take(m, 1, 1, 500, t + SECOND * 12 / 100), "just one");
	is_int(take_all(m, 1, 1, 500, t + 200 * (uint64_t)SECOND), 500, "after a minute the budget is whole again");
	is_int(take_all(m, 3, 5, 10, t), 2, "of a budget of 10 two requests of cost 5 pass");
	ok(!gcra_take(m, 4, 11, 10, t), "a request dearer than the budget never passes");
	ok(gcra_take(m, 4, 10, 10, t), "one as dear as it passes, as the refused one was not counted");
	ok(gcra_take(m, 5, 1, 0, t) && !gcra_take(m, 5, 1, 0, t), "a budget of nothing counts as one");
	is_int(take_all(m, 6, 1, 4000000000u, t), 5000, "a budget of billions has no edge in sight");
}

static void
test_crowd(struct shm *m)
{
	uint64_t t = 5000 * (uint64_t)SECOND;
	unsigned good = 0;
	char ip[32];

	for (unsigned i = 0; i < 200000; i++) {
		snprintf(ip, sizeof(ip), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		good += gcra_take(m, peer_key(ip), 1, 10, t + i);
	}
	is_int(good, 200000, "two hundred thousand peers find a place, though there are fewer");
}

static void
test_tally(void)
{
	static struct tally t[SHM_TALLY_SLOTS];
	unsigned kept = 0;

	is_int(tally(t, 7, 60, 100, false), 0, "who was never counted has no count");
	is_int(tally(t, 7, 60, 100, true), 1, "the first time is counted");
	is_int(tally(t, 7, 60, 159, true), 2, "so is another in its window");
	is_int(tally(t, 7, 60, 159, false), 2, "to look counts nothing");
	is_int(tally(t, 7 + SHM_TALLY_SLOTS, 60, 159, true), 1, "a key of the same place has a count of its own");
	is_int(tally(t, 7, 60, 159, false), 2, "and takes nobody else's");
	is_int(tally(t, 7, 60, 160, false), 0, "a window ends");
	is_int(tally(t, 7, 60, 160, true), 1, "and another begins");
	is_int(tally(t, 7, 60, 90, true), 1, "also when time went back");
	for (uint64_t k = 1; k <= 5; k++)
		(void)tally(t, 3 + k * SHM_TALLY_SLOTS, 60, 200 + (int64_t)k, true);
	for (uint64_t k = 1; k <= 5; k++)
		kept += tally(t, 3 + k * SHM_TALLY_SLOTS, 60, 210, false) == 1;
	is_int(kept, 5, "a few that meet in one place all keep theirs");
	for (uint64_t k = 6; k <= 200; k++)
		(void)tally(t, 3 + k * SHM_TALLY_SLOTS, 60, 210, true);
	is_int(tally(t, 3 + 200 * SHM_TALLY_SLOTS, 60, 210, true), 2, "in a crowd the newest are known");
}

static void
test_keys(void)
{
	ok(peer_key("10.0.0.1") == peer_key("10.0.0.1") && peer_key("10.0.0.1") != peer_key("10.0.0.2"), "an IPv4 address is a peer");
	ok(peer_key("::ffff:10.0.0.1") == peer_key("10.0.0.1"), "however it is written");
	ok(peer_key("2001:db8:1:2::1") == peer_key("2001:db8:1:2:ffff::9"), "an IPv6 network of /64 is one peer");
	ok(peer_key("2001:db8:1:2::1") != peer_key("2001:db8:1:3::1"), "another network is another");
	ok(peer_key("unix:") != peer_key("unix:x") && peer_key("") != 0, "any text is a peer");
	ok(addr_is_loopback("127.0.0.1") && addr_is_loopback("127.9.9.9") && addr_is_loopback("::1") &&
	    addr_is_loopback("::ffff:127.0.0.1"), "loopback is known in each form");
	ok(!addr_is_loopback("128.0.0.1") && !addr_is_loopback("::2") && !addr_is_loopback("localhost") &&
	    !addr_is_loopback("") && !addr_is_loopback("::ffff:10.0.0.1") && !addr_is_loopback("127.0.0.1.example"),
	    "and nothing else is");
}

int
main(void)
{
	struct shm *m = NULL, *again = NULL;
	uint8_t key[32];
	char name[64];

	snprintf(name, sizeof(name), "/lf-test-%d", (int)getpid());
	is_int(shm_open_segment(name, false, &m), ERR_NOT_FOUND, "a segment that nobody made is not there");
	is_int(shm_open_segment(name, true, &m), ERR_OK, "the supervisor makes it");
	if (m == NULL)
		return done();
	memcpy(key, m->boot_key, sizeof(key));
	is_int(shm_open_segment(name, false, &again), ERR_OK, "another process opens it");
	ok(again != NULL && memcmp(again->boot_key, key, 32) == 0, "and sees the same");
	test_budget(m);
	test_tally();
	test_crowd(m);
	test_keys();
	is_int(shm_open_segment(name, true, &again), ERR_OK, "made anew");
	ok(again != NULL && memcmp(again->boot_key, key, 32) != 0 && again->gcra[1].key == 0, "it is another, and empty");
	shm_remove(name);
	is_int(shm_open_segment(name, false, &again), ERR_NOT_FOUND, "removed, it is gone");
	return done();
}
