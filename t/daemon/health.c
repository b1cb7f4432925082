/* In which order providers are asked that do more or less well. */
#include "daemon/health.h"

#include <stdio.h>

#include "daemon/turn.h"
#include "t/tap.h"

static const char *
order(int64_t now)
{
	static char text[64];
	struct model_route r[] = { { .provider = "a", .model = "1" }, { .provider = "b", .model = "2" }, { .provider = "c", .model = "3" },
		{ .provider = "b", .model = "4" } };

	health_order(r, 4, now);
	snprintf(text, sizeof(text), "%s%s%s%s%s%s%s%s", r[0].provider, r[0].model, r[1].provider, r[1].model, r[2].provider, r[2].model,
	    r[3].provider, r[3].model);
	return text;
}

int
main(void)
{
	is_str(order(0), "a1b2c3b4", "of whom nothing is known stay in their order");
	health_answered("c", 900);
	is_str(order(0), "c3a1b2b4", "one whose time is known comes before those of whom none is");
	health_answered("a", 1000);
	health_answered("b", 100);
	is_str(order(0), "b2b4c3a1", "who answers sooner is asked first, equals in their order");
	health_answered("b", 3000);
	is_str(order(0), "c3b2b4a1", "the newest answer counts three tenths: 970 of 100 and 3000");
	health_failed("c", 1000);
	is_str(order(1000), "b2b4a1c3", "who failed comes last, however quick");
	health_failed("a", 2000);
	health_failed("a", 3000);
	is_str(order(3000), "b2b4c3a1", "half a minute for each failure");
	is_str(order(301000), "b2b4c3a1", "five minutes long");
	is_str(order(301001), "c3b2b4a1", "then it counts as one that did not fail");
	is_str(order(303001), "c3b2b4a1", "so do the others");
	health_failed("c", 400000);
	is_str(order(400000), "b2b4a1c3", "until the next");
	health_answered("c", 900);
	is_str(order(400000), "c3b2b4a1", "an answer makes good all of them");
	health_before("b", 2, 399000);
	is_str(order(400000), "c3a1b2b4", "failures of before a start count on");
	return done();
}
