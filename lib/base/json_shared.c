/*
 * Documents that are read again and again, such as an agent's manifest: parsed
 * once, found again by their text, shared by all threads that read them.
 *
 * json-c counts references without atomics, so a shared document is counted here, as a
 * whole; a reader's arena gives it back. The table holds one document a slot: a
 * newcomer takes the place of the one before, which lives on while it is read.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"

enum { SLOTS = 128, TEXT_MAX = 64 * 1024 };

struct shared {
	struct json_object *o;
	unsigned refs;
	size_t n;
	char text[];
};

static struct {
	pthread_mutex_t mu;
	struct shared *slots[SLOTS];
} table = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* FNV-1a, eight bytes at a time: it only has to spread. */
static size_t
slot_of(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u ^ n, k;

	for (; n >= sizeof(k); s += sizeof(k), n -= sizeof(k)) {
		memcpy(&k, s, sizeof(k));
		h = (h ^ k) * 0x100000001b3u;
		h ^= h >> 29;
	}
	for (; n > 0; n--)
		h = (h ^ (unsigned char)*s++) * 0x100000001b3u;
	return (size_t)(h ^ h >> 32) % SLOTS;
}

static void
drop(struct shared *d)
{
	if (--d->refs > 0)
		return;
	json_object_put(d->o);
	free(d);
}

static void
give_back(void *d)
{
	pthread_mutex_lock(&table.mu);
	drop(d);
	pthread_mutex_unlock(&table.mu);
}

static struct json_object *
lend(struct ctx *c, struct shared *d)
{
	if (d == NULL || arena_defer(c->arena, give_back, d) != 0)
		return NULL;
	return d->o;
}

static struct shared *
make(const char *text, size_t n)
{
	struct shared *d = malloc(sizeof(*d) + n + 1);

	if (d == NULL) {
		memory_short = true;
		return NULL;
	}
	*d = (struct shared){ .o = json_parse(text, n), .refs = 2, .n = n };
	memcpy(d->text, text, n + 1);
	if (d->o != NULL)
		return d;
	free(d);
	return NULL;
}

struct json_object *
json_shared(struct ctx *c, const char *text)
{
	size_t n = text == NULL ? 0 : strlen(text), at = slot_of(text, n);
	struct shared *d, *old;

	if (n > TEXT_MAX || text == NULL)
		return json_stored(c, text);
	pthread_mutex_lock(&table.mu);
	d = table.slots[at];
	if (d != NULL && d->n == n && memcmp(d->text, text, n) == 0) {
		d->refs++;
		pthread_mutex_unlock(&table.mu);
		return lend(c, d);
	}
	pthread_mutex_unlock(&table.mu);
	if ((d = make(text, n)) == NULL)
		return NULL;
	pthread_mutex_lock(&table.mu);
	old = table.slots[at];
	table.slots[at] = d;
	if (old != NULL)
		drop(old);
	pthread_mutex_unlock(&table.mu);
	return lend(c, d);
}

void
json_shared_forget(void)
{
	pthread_mutex_lock(&table.mu);
	for (size_t i = 0; i < SLOTS; i++) {
		if (table.slots[i] != NULL)
			drop(table.slots[i]);
		table.slots[i] = NULL;
	}
	pthread_mutex_unlock(&table.mu);
}
