/* Titles for sessions, by the model that [llm.auxiliary] names for "title"; without one none is made. */
#ifndef LF_TITLE_H
#define LF_TITLE_H
#include "lib/base/base.h"

/* Give titles to those that want one. Gives c->db back. Errors: of the store. */
enum err titles_catch_up(struct ctx *) MUST_CHECK;
#endif
