/* How long a call that failed waits before it is made again, and which one is not. */
#include <stdlib.h>

#include "lib/llm/driver.h"
#include "lib/llm/llm.h"
#include "t/tap.h"

static struct llm_request rq = { .provider = "p", .timeout_ms = 300000 };

/* Within that, and half of the back-off more. */
static bool
waits(struct llm_answer a, unsigned n, int64_t ms, int64_t backoff)
{
	int64_t v = llm_pause_ms(&rq, &a, n, 100);

	return v >= ms && v <= ms + backoff / 2;
}

static int64_t
after(struct llm_answer a, int64_t took_ms)
{
	return llm_pause_ms(&rq, &a, 0, took_ms);
}

int
main(void)
{
	struct llm_answer limited = { .error = LLM_RATE_LIMITED, .http_status = 429, .retry_after_s = -1 }, busy = limited, a;

	busy.error = LLM_OVERLOADED;
	unsetenv("LF_LLM_RETRY_MS");
	for (unsigned n = 0; n < 4; n++)
		ok(waits(limited, n, 1000 << n, 1000 << n), "after failure %u: %u s", n + 1, 1u << n);
	ok(waits(limited, 9, 60000, 60000), "a minute at most");
	for (int status = 503; status <= 529; status += 26) {
		busy.http_status = status;
		ok(waits(busy, 0, 1000, 1000), "%d is overload", status);
	}
	a = limited;
	a.retry_after_s = 7;
	ok(waits(a, 0, 7000, 1000), "as long as the provider says");
	ok(waits(a, 4, 16000, 16000), "  if that is longer");
	a.retry_after_s = 300;
	ok(waits(a, 0, 300000, 1000), "  for five minutes at most");
	a.retry_after_s = 301;
	is_int(after(a, 100), -1, "  longer than that nobody waits");
	a = limited;
	a.any_output = true;
	is_int(after(a, 100), -1, "never when something was heard");
	for (enum llm_error e = LLM_AUTH; e <= LLM_CANCELLED; e++) {
		a = (struct llm_answer){ .error = e, .http_status = 400, .retry_after_s = -1 };
		if (e != LLM_RATE_LIMITED && e != LLM_NO_MEMORY)
			is_int(after(a, 100), -1, "%s with a status is final", llm_error_code(e));
	}
	a = (struct llm_answer){ .error = LLM_UPSTREAM, .retry_after_s = -1 };
	ok(after(a, 100) >= 1000, "a connection that broke is tried again");
	a.error = LLM_TIMEOUT;
	ok(after(a, 100) >= 1000 && after(a, 200000) == -1, "so is one that nobody took, but not a model that used its time");
	rq.hurry_ms = 250;
	ok(waits(limited, 3, 250, 0), "with another one to ask nobody waits long");
	a = limited;
	a.retry_after_s = 1;
	is_int(after(a, 100), -1, "  and not for one that wants to be left alone");
	return done();
}
