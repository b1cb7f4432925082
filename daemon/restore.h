/* What a start finds, and what a stop leaves. */
#ifndef LF_RESTORE_H
#define LF_RESTORE_H
#include "lib/base/base.h"

struct db;

/*
 * Boot, before anything acts: an agent.toml that somebody changed takes the place of the stored manifest, states follow `enabled`,
 * whoever was heard of last counts from now. A stop that was none is logged.
 */
enum err agents_restore(struct ctx *) MUST_CHECK;
/* Stop: the next start finds an orderly end. */
void restore_note_end(struct db *);
#endif
