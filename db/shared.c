/*
 * Group commit. Threads of one process that write at one moment share a transaction: the first of them leads,
 * takes the place in the writers' line, does the work of all who have come meanwhile, one after
 * the other, and commits once. What they have in common (the newest pages of tables, sums) is written once,
 * and nobody but the leader is woken to do a few statements.
 *
 * A piece of work that fails takes back its own part, by a savepoint. When the engine gives up the whole
 * transaction, everybody in it is told so: nothing of it was committed.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>

#include "db/db_internal.h"
#include "lib/base/util.h"

enum { TOGETHER_MAX = 32 };

struct part {
	struct part *next;
	struct ctx *c;
	enum err (*work)(void *);
	void *arg;
	int64_t since_us;               /* it waits; 0: it does not */
	enum err e;
	bool leads;
	sem_t told;                     /* that it is done, or leads */
};

static struct {
	pthread_mutex_t mu;
	struct part *head, **end;       /* who has not begun */
	bool led;
} queue = { .mu = PTHREAD_MUTEX_INITIALIZER, .end = &queue.head };

static struct part *
next_part(void)
{
	struct part *p;

	pthread_mutex_lock(&queue.mu);
	p = queue.head;
	if (p != NULL && (queue.head = p->next) == NULL)
		queue.end = &queue.head;
	pthread_mutex_unlock(&queue.mu);
	return p;
}

/* The one who has waited longest leads next. */
static void
pass_on(void)
{
	struct part *p;

	pthread_mutex_lock(&queue.mu);
	p = queue.head;
	queue.led = p != NULL;
	if (p != NULL)
		p->leads = true;
	pthread_mutex_unlock(&queue.mu);
	if (p != NULL)
		sem_post(&p->told);
}

/* One of several in a transaction. false: the transaction is gone. */
static bool
join(struct part *p, struct db *db)
{
	struct db *own = p->c->db;
	bool whole;

	p->c->db = db;
	p->e = db_run(p->c, SQL("SAVEPOINT part"));
	if (p->e == ERR_OK && (p->e = p->work(p->arg)) != ERR_OK && !sqlite3_get_autocommit(db->h)) {
		struct fault f = p->c->fault;

		whole = db_run(p->c, SQL("ROLLBACK TO part")) == ERR_OK;
		p->c->fault = f;
	} else {
		whole = true;
	}
	whole = whole && !sqlite3_get_autocommit(db->h);
	if (whole && db_run(p->c, SQL("RELEASE part")) != ERR_OK) {
		p->e = p->c->fault.err;
		whole = false;
	}
	p->c->db = own;
	return whole;
}

/* Everybody whose work was done goes on, with how it ended for all. */
static void
tell(struct part *first, const struct part *leader, enum err all)
{
	for (struct part *p = first, *next; p != NULL; p = next) {
		next = p->next;         /* told, it is gone */
		if (all != ERR_OK && p->e == ERR_OK) {
			p->e = all;
			p->c->fault = (struct fault){ .err = all, .msg = "Service unavailable", .retry_after_s = 1 };
		}
		if (p != leader)
			sem_post(&p->told);
	}
}

static void
lead(struct part *me)
{
	SCOPED_TX tx = { 0 };
	struct part *last = next_part(), *p;    /* me: who leads is the first */
	enum err all = ERR_OK;

	me->next = NULL;
	if ((me->e = tx_begin_since(me->c, &tx, me->since_us)) != ERR_OK || (me->e = me->work(me->arg)) != ERR_OK) {
		tx_end(&tx);
		pass_on();
		return;
	}
	for (unsigned n = 1; all == ERR_OK && n < TOGETHER_MAX && (p = next_part()) != NULL; n++) {
		p->next = NULL;
		last->next = p;
		last = p;
		if (!join(p, tx.db))
			all = ERR_UNAVAILABLE;
	}
	if (all == ERR_OK)
		all = tx_commit(me->c, &tx);
	tx_end(&tx);
	pass_on();
	tell(me, me, all);
}

enum err
tx_shared(struct ctx *c, enum err (*work)(void *), void *arg)
{
	struct part me = { .c = c, .work = work, .arg = arg };

	if (sem_init(&me.told, 0, 0) != 0)
		return fail(c, ERR_INTERNAL, "no semaphore");
	pthread_mutex_lock(&queue.mu);
	*queue.end = &me;
	queue.end = &me.next;
	me.leads = !queue.led;
	queue.led = true;
	if (!me.leads)
		me.since_us = clock_mono_us();
	pthread_mutex_unlock(&queue.mu);
	if (!me.leads)
		while (sem_wait(&me.told) != 0 && errno == EINTR)
			;
	if (me.leads) {
		(void)sched_yield();    /* whoever is about to come has a moment for it; nobody else runs: no wait */
		lead(&me);
	}
	sem_destroy(&me.told);
	return me.e;
}
