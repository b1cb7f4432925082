/*
 * Entries of the audit log that stand in no transaction of what they tell of.
 */
#ifndef LF_AUDIT_NOTE_H
#define LF_AUDIT_NOTE_H
#include "lib/svc/audit.h"

/* An entry in a transaction of its own; that it failed is logged. c->db is there afterwards. */
void note_alone(struct ctx *, const struct audit *);
/* The same on a thread of its own, for who may not wait; what it says is copied, the caller is remembered by user_id alone. */
void note_later(struct ctx *, const struct audit *);
#endif
