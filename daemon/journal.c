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
#include <sys/queue.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

enum { BYTES_MAX = 1 << 20, ENTRIES_MAX = 4096, ENDED_MAX = 64, ENDED_US = 60 * 1000000 };

/* A run of text, or one event. */
struct entry { char name[16]; uint64_t from; size_t at, n; bool text; };

struct journal {
	TAILQ_ENTRY(journal) in_all, in_ended;
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
TAILQ_HEAD(journals, journal);
static struct journals all = TAILQ_HEAD_INITIALIZER(all);      /* newest first */
static struct journals ended = TAILQ_HEAD_INITIALIZER(ended);  /* of those, in the order in which they did */
static unsigned n_ended;

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
	struct journal *j;

	while ((j = TAILQ_FIRST(&ended)) != NULL && (n_ended > ENDED_MAX || now_us - j->ended_us >= ENDED_US)) {
		TAILQ_REMOVE(&ended, j, in_ended);
		TAILQ_REMOVE(&all, j, in_all);
		n_ended--;
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
	TAILQ_INSERT_HEAD(&all, j, in_all);
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
	if (name != NULL)               /* that there is one is known in any case */
		keep(j, name, data->p, data->len, false);
	j->place += name != NULL;
	j->over = name != NULL;
	pthread_mutex_unlock(&j->mu);
	pthread_mutex_lock(&lock);
	j->ended_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&ended, j, in_ended);
	n_ended++;
	pthread_mutex_unlock(&lock);
}

void
event_id(const char *turn_id, uint64_t place, char out[static EVENT_ID_MAX])
{
	if (place == PLACE_END)
		snprintf(out, EVENT_ID_MAX, "%s.end", turn_id);
	else
		snprintf(out, EVENT_ID_MAX, "%s.%llu", turn_id, (unsigned long long)place);
}

/* --- read on ------------------------------------------------------------------------------ */

static char restart_text[] = "{\"phase\":\"restart\",\"detail\":null}";
const struct buf journal_restart = { .p = restart_text, .len = sizeof(restart_text) - 1 };

bool
event_id_read(const char *s, char ret_turn_id[static 37], uint64_t *ret_place)
{
	char *end;

	*ret_place = 0;
	if (strcmp(s, "0") == 0) {
		ret_turn_id[0] = '\0';
		return true;
	}
	if (strlen(s) < 38 || strlen(s) >= EVENT_ID_MAX || s[36] != '.')
		return false;
	memcpy(ret_turn_id, s, 36);
	ret_turn_id[36] = '\0';
	if (strcmp(s + 37, "end") == 0) {
		*ret_place = PLACE_END;
		return true;
	}
	if (s[37] < '0' || s[37] > '9')
		return false;
	*ret_place = strtoull(s + 37, &end, 10);
	return *end == '\0' && *ret_place != PLACE_END;
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
		event_id(j->turn_id, j->over && i == j->n - 1 ? PLACE_END : end, id);
		if (b.failed || !send(arg, id, e->name, &b))
			return;
	}
}

static uint64_t
place_of(struct journal *j)
{
	uint64_t place;

	pthread_mutex_lock(&j->mu);
	place = j->place;
	pthread_mutex_unlock(&j->mu);
	return place;
}

static struct journal *
newest_of(const char *turn_id)
{
	struct journal *j;

	TAILQ_FOREACH(j, &all, in_all)
		if (strcmp(j->turn_id, turn_id) == 0)
			break;
	return j;
}

/* A turn that waited for its caller has several: the first that has more than that. */
static struct journal *
part_after(const char *turn_id, uint64_t place)
{
	struct journal *first = NULL, *j;

	TAILQ_FOREACH(j, &all, in_all)
		if (strcmp(j->turn_id, turn_id) == 0 && place_of(j) > place)
			first = j;
	return first;
}

/* Of the turn in the session that was accepted next after that one ("": of the one that runs): ids of turns are in order of time. */
static struct journal *
turn_after(const char *session_id, const char *turn_id)
{
	struct journal *next = NULL, *j;

	TAILQ_FOREACH(j, &all, in_all)
		if (strcmp(j->session_id, session_id) == 0 && strcmp(j->turn_id, turn_id) > 0 &&
		    (turn_id[0] != '\0' || j->ended_us == 0) && (next == NULL || strcmp(j->turn_id, next->turn_id) <= 0))
			next = j;
	return next;
}

/* All parts of a turn from there on. */
static void
tell_turn(const struct journal *of, uint64_t place, struct read_on *ret,
    bool (*send)(void *, const char *, const char *, const struct buf *), void *arg)
{
	struct journal *j;

	memcpy(ret->turn_id, of->turn_id, 37);
	ret->seen = place;
	while ((j = part_after(ret->turn_id, ret->seen)) != NULL) {
		pthread_mutex_lock(&j->mu);
		tell(j, place, send, arg);
		ret->seen = j->place;
		ret->ended = j->over;
		pthread_mutex_unlock(&j->mu);
	}
	if (ret->ended)
		ret->seen = PLACE_END;
}

bool
journal_has(const char *turn_id)
{
	bool has;

	pthread_mutex_lock(&lock);
	has = newest_of(turn_id) != NULL;
	pthread_mutex_unlock(&lock);
	return has;
}

/* Another life of the daemon said it. */
static bool
of_another(const struct journal *j, uint64_t place)
{
	return place >> 48 != j->start >> 48;
}

void
journal_read(const char *session_id, const char *last_id, struct read_on *ret,
    bool (*send)(void *, const char *, const char *, const struct buf *), void *arg)
{
	struct journal *j;
	char turn_id[37];
	uint64_t place;

	*ret = (struct read_on){ 0 };
	if (!event_id_read(last_id, turn_id, &place))
		return;
	pthread_mutex_lock(&lock);      /* held, so that none goes meanwhile; send() only queues */
	if (place == PLACE_END || turn_id[0] == '\0') {
		memcpy(ret->turn_id, turn_id, 37);
		ret->seen = place;
		if ((j = turn_after(session_id, turn_id)) != NULL)
			tell_turn(j, 0, ret, send, arg);
	} else if ((j = newest_of(turn_id)) != NULL && strcmp(j->session_id, session_id) == 0) {
		if (of_another(j, place) && send(arg, NULL, "phase", &journal_restart))
			place = 0;
		if (place <= place_of(j))
			tell_turn(j, place, ret, send, arg);
	}
	pthread_mutex_unlock(&lock);
}
