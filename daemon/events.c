/*
 * Events on their way. Whoever publishes one writes a row; the daemon hears of it by a call, or, when another process wrote it, by
 * the write-ahead log that grew.
 */
#include "daemon/events.h"

#include "daemon/alarm.h"
#include "daemon/background.h"
#include "daemon/dbpool.h"
#include "daemon/schedule.h"
#include "db/db.h"
#include "lib/base/util.h"
#include "lib/svc/event.h"

enum { AGAIN_MS = 1000 };

static int64_t look(void);

static struct alarm alarm_of = { .ring = look };

void
events_look(void)
{
	alarm_now(&alarm_of);
}

void
events_perhaps(void)
{
	if (event_posted())
		events_look();
}

static enum err
deliver(struct ctx *c, bool *more, int64_t *woken)
{
	SCOPED_TX tx = { 0 };
	enum err e;

	job_db_release(c);
	e = tx_begin(c, &tx);
	if (e == ERR_OK)
		e = event_deliver(c, more, woken);
	return e == ERR_OK ? tx_commit(c, &tx) : e;
}

static enum err
deliver_all(struct ctx *c, int64_t *next_ms)
{
	bool more = true;
	int64_t woken = 0;
	enum err e = event_refresh(c);

	while (e == ERR_OK && more)
		e = deliver(c, &more, &woken);
	if (woken > 0)
		schedule_look();
	*next_ms = ALARM_NEVER;
	return e;
}

static int64_t
look(void)
{
	return background_look("events", deliver_all, AGAIN_MS);
}
