/*
 * Journals of turns: text in one piece, other events between.
 *
 * The difficult thing is that nobody may miss an event or get it twice: an event is in the journal before watchers are told, each
 * event knows its place, and a watcher knows the place until which it has read.
 */
#include "daemon/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

enum { BYTES_MAX = 1 << 20, ENTRIES_MAX = 4096, ENDED_MAX = 64, ENDED_US = 60 * 1000000 };

/* A run of text, or one event. */
struct entry { char name[16]; uint64_t from; size_t at, n; bool text; };

struct journal {
	struct journal *next;
	pthread_mutex_t mu;
	char turn_id[37], session_id[37];
	struct buf bytes;
	struct entry *v;
	size_t n, cap;
	uint64_t start, place;          /* before its first event; after its last */
	bool lost;                      /* it grew too large: nothing is kept */
	bool over;                      /* with its last event */
	int64_t ended_us;               /* 0: it runs */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct journal *all;             /* newest first */

static void
journal_free(struct journal *j)
{
	pthread_mutex_destroy(&j->mu);
	buf_done(&j->bytes);
	free(j->v);
	free(j);
}

/* Those that ended long ago, and the oldest of too many. Under the lock. */
static void
sweep(int64_t now_us)
{
	unsigned ended = 0;

	for (struct journal **at = &all; *at != NULL;) {
		struct journal *j = *at;

		if (j->ended_us == 0 || (++ended <= ENDED_MAX && now_us - j->ended_us < ENDED_US)) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		journal_free(j);
	}
}

struct journal *
journal_open(const char *turn_id, const char *session_id)
{
	static _Atomic uint16_t n;
	struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->start = j->place = (uint64_t)(turns_epoch() & 0x7fff) << 48 | (uint64_t)atomic_fetch_add(&n, 1) << 32;
	j->bytes.max = BYTES_MAX;
	memcpy(j->turn_id, turn_id, 37);
	memcpy(j->session_id, session_id, 37);
	pthread_mutex_init(&j->mu, NULL);
	pthread_mutex_lock(&lock);
	sweep(clock_mono_us());
	j->next = all;
	all = j;
	pthread_mutex_unlock(&lock);
	return j;
}

static void
lose(struct journal *j)
{
	j->lost = true;
	j->n = 0;
	buf_done(&j->bytes);
}

static struct entry *
new_entry(struct journal *j, const char *name, bool text)
{
	struct entry *more;

	if (j->n == j->cap) {
		size_t cap = j->cap == 0 ? 8 : j->cap * 2;

		more = cap > ENTRIES_MAX ? NULL : realloc(j->v, cap * sizeof(*more));
		if (more == NULL)
			return NULL;
		j->v = more;
		j->cap = cap;
	}
	more = &j->v[j->n++];
	*more = (struct entry){ .from = j->place, .at = j->bytes.len, .text = text };
	snprintf(more->name, sizeof(more->name), "%s", name);
	return more;
}

static void
keep(struct journal *j, const char *name, const void *bytes, size_t n, bool text)
{
	struct entry *e = text && j->n > 0 && j->v[j->n - 1].text ? &j->v[j->n - 1] : new_entry(j, name, text);

	buf_add(&j->bytes, bytes, n);
	if (e == NULL || j->bytes.failed)
		lose(j);
	else
		e->n += n;
}

uint64_t
journal_add(struct journal *j, const struct turn_event *ev, const char *name, const struct buf *data)
{
	bool text = ev->kind == TURN_TEXT;
	uint64_t place;

	if (j == NULL || (text && ev->n == 0))
		return 0;
	pthread_mutex_lock(&j->mu);
	if (!j->lost)
		keep(j, name, text ? ev->s : data->p, text ? ev->n : data->len, text);
	place = j->place += text ? ev->n : 1;
	pthread_mutex_unlock(&j->mu);
	return place;
}

void
journal_end(struct journal *j, const char *name, const struct buf *data)
{
	if (j == NULL)
		return;
	pthread_mutex_lock(&j->mu);
	if (!j->lost && name != NULL)
		keep(j, name, data->p, data->len, false);
	j->place += name != NULL;
	j->over = name != NULL;
	pthread_mutex_unlock(&j->mu);
	pthread_mutex_lock(&lock);
	j->ended_us = clock_mono_us();
	pthread_mutex_unlock(&lock);
}

void
event_id(const char *turn_id, uint64_t place, char out[static EVENT_ID_MAX])
{
	snprintf(out, EVENT_ID_MAX, "%s.%llu", turn_id, (unsigned long long)place);
}

/* --- read on ------------------------------------------------------------------------------ */

static bool
id_read(const char *s, char turn_id[static 37], uint64_t *place)
{
	char *end;

	if (strcmp(s, "0") == 0) {
		turn_id[0] = '\0';
		*place = 0;
		return true;
	}
	if (strlen(s) < 38 || strlen(s) >= EVENT_ID_MAX || s[36] != '.' || s[37] < '0' || s[37] > '9')
		return false;
	memcpy(turn_id, s, 36);
	turn_id[36] = '\0';
	*place = strtoull(s + 37, &end, 10);
	return *end == '\0';
}

/* The part of a run of text from there on, at the begin of a character. */
static void
text_from(const struct journal *j, const struct entry *e, uint64_t place, struct buf *out)
{
	size_t skip = place > e->from ? (size_t)(place - e->from) : 0;
	struct jw w = JW_INIT(out);

	while (skip > 0 && skip < e->n && ((unsigned char)j->bytes.p[e->at + skip] & 0xC0) == 0x80)
		skip--;
	jw_object(&w, NULL);
	jw_strn(&w, "content", j->bytes.p + e->at + skip, e->n - skip);
	jw_bool(&w, "done", false);
	jw_end(&w);
}

static void
tell(const struct journal *j, uint64_t place, bool (*send)(void *, const char *, const char *, const struct buf *), void *arg)
{
	SCOPED_BUF b = BUF_INIT(BYTES_MAX * 6 + 64);
	char id[EVENT_ID_MAX];

	for (size_t i = 0; i < j->n; i++) {
		const struct entry *e = &j->v[i];
		uint64_t end = e->from + (e->text ? e->n : 1);

		if (end <= place)
			continue;
		buf_clear(&b);
		if (e->text)
			text_from(j, e, place, &b);
		else
			buf_add(&b, j->bytes.p + e->at, e->n);
		event_id(j->turn_id, end, id);
		if (b.failed || !send(arg, id, e->name, &b))
			return;
	}
}

void
journal_read(const char *session_id, const char *last_id, struct read_on *ret,
    bool (*send)(void *, const char *, const char *, const struct buf *), void *arg)
{
	struct journal *j;
	char turn_id[37];
	uint64_t place;

	*ret = (struct read_on){ 0 };
	if (!id_read(last_id, turn_id, &place))
		return;
	pthread_mutex_lock(&lock);      /* held, so that none goes meanwhile; send() only queues */
	for (j = all; j != NULL; j = j->next)
		if (strcmp(j->session_id, session_id) == 0 &&
		    (turn_id[0] == '\0' ? j->ended_us == 0 : strcmp(j->turn_id, turn_id) == 0))
			break;
	if (j != NULL) {
		pthread_mutex_lock(&j->mu);
		if (turn_id[0] == '\0')
			place = j->start;
		if (!j->lost && place >= j->start && place <= j->place) {
			tell(j, place, send, arg);
			memcpy(ret->turn_id, j->turn_id, 37);
			ret->seen = j->place;
			ret->ended = j->over;
		}
		pthread_mutex_unlock(&j->mu);
	}
	pthread_mutex_unlock(&lock);
}
