/* How many tools an agent may call within a minute. */
#include "daemon/pace.h"
#include "t/tap.h"

static const char ada[] = "11111111-1111-4111-8111-111111111111", bob[] = "22222222-2222-4222-8222-222222222222";

static unsigned
takes(const char *who, int64_t limit, unsigned times, int64_t now)
{
	unsigned n = 0;

	while (times-- > 0)
		n += pace_take(who, limit, now) == 0;
	return n;
}

int
main(void)
{
	char id[37];

	is_int(takes(ada, 60, 70, 0), 60, "as many as the limit says, and not one more, in the first second of the clock too");
	is_int(pace_take(ada, 60, 1), 60, "the next one when the window has moved on");
	is_int(takes(bob, 60, 1, 1), 1, "others are not concerned");
	is_int(takes(ada, 60, 1, 60), 0, "a minute later to the second it is still too early");
	is_int(takes(ada, 60, 70, 61), 60, "then all of them are free again");

	is_int(takes(bob, 3, 1, 100) + takes(bob, 3, 1, 110) + takes(bob, 3, 1, 120), 3, "calls at different times");
	is_int(pace_take(bob, 3, 130), 31, "wait for the oldest one");
	is_int(takes(bob, 3, 2, 161), 1, "which gives its place, and it alone");
	is_int(pace_take(bob, 3, 161), 10, "the next in its turn");
	is_int(pace_take(bob, 1, 161), 61, "a lower limit holds at once");
	is_int(pace_take(bob, 4, 161), 0, "and so does a higher one");
	is_int(takes(ada, 0, 1000, 161) + takes(ada, -1, 1000, 161), 2000, "0 is no limit");

	pace_before("22222222-0000-4000-8000-000000000000", 2, 60, 1000);
	pace_before("22222222-0000-4000-8000-000000000000", 1, 10, 1000);
	pace_before("22222222-0000-4000-8000-000000000000", 9, 61, 1000);
	is_int(pace_take("22222222-0000-4000-8000-000000000000", 3, 1000), 1, "calls of before count in their second");
	is_int(takes("22222222-0000-4000-8000-000000000000", 3, 5, 1001), 2, "and no longer than a minute");
	is_int(pace_take("22222222-0000-4000-8000-000000000000", 3, 1001), 50, "each by itself");

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000", i);
		(void)pace_take(id, 60, 1000 + i);
	}
	is_int(pace_take("00000000-0000-4000-8000-000000000000", 1, 3000), 0, "who was quiet for long begins anew");
	return done();
}
