/* What waits for a connection: bounded, joined, in order. */
#include "daemon/queue.h"
#include "t/tap.h"

int
main(void)
{
	struct queue q;
	struct chunk *k;
	bool fits = true;

	queue_init(&q, 10000);
	for (int i = 0; i < 100; i++)
		fits = fits && queue_add(&q, "0123456789", 10);
	ok(fits, "small pieces are taken");
	is_int(queue_bytes(&q), 1000, "and counted");
	k = queue_take(&q);
	ok(k != NULL && k->next == NULL && k->len == 1000, "a burst of small pieces is one chunk");
	ok(queue_take(&q) == NULL, "what was taken is gone from the queue");
	is_int(queue_bytes(&q), 1000, "but counts until it is written");
	ok(!queue_add(&q, "x", 9001), "more than the bound is refused");
	queue_eaten(&q, 1000);
	chunks_free(k);
	ok(queue_add_whole(&q, "one", 3, 0, false) && queue_add_whole(&q, "two", 3, 0, false) &&
	    queue_add(&q, "stream", 6), "messages and stream may follow each other");
	k = queue_take(&q);
	ok(k->len == 3 && k->next->len == 3 && k->next->next->len == 6, "messages are not joined");
	chunks_free(k);
	ok(queue_add_whole(&q, "bye", 3, 1000, true) && q.head->close_code == 1000, "a farewell has its code");
	ok(!queue_add_whole(&q, "x", 10001, 0, false), "one message over the bound is refused");
	ok(queue_add_whole(&q, q.head, 12000 > sizeof(*q.head) ? sizeof(*q.head) : 1, 0, true), "unless it is forced");
	queue_done(&q);
	is_int(queue_bytes(&q), 0, "an ended queue holds nothing");
	return done();
}
