/*
 * Agents learn from conversations: a model writes down what is worth knowing, when the store is quiet. It is the one that
 * proactive_memory.extraction_model names, or the manifest's; without one nobody is asked.
 */
#ifndef LF_LEARN_H
#define LF_LEARN_H
#include "lib/base/base.h"

/* From what was said since. Gives c->db back. Errors: of the store. */
enum err learn_catch_up(struct ctx *) MUST_CHECK;
#endif
