/* Titles that a model gives to sessions: which of them want one, and what of an answer may be a label. */
#ifndef LF_SESSION_NAMING_H
#define LF_SESSION_NAMING_H
#include "lib/base/base.h"

enum { NAMING_TRIES = 2 };

struct untitled {
	const char *id, *agent_id;
	const char *question, *answer;  /* what was said first */
};

/* Sessions of the last day without a label whose first question is answered, and which were not asked about too often. *n: at most so many, then how many. */
enum err sessions_untitled(struct ctx *, int64_t now_ms, struct untitled *ret, size_t *n) MUST_CHECK;
/* Its title, unless it has got a label meanwhile; NULL: there was none, one try less. */
enum err session_name(struct ctx *, const char *id, const char *title) MUST_CHECK;
/* What a model wrote, as a label: its first line, of letters, digits, blanks, '-' and '_', at most 60 characters. NULL: nothing is left. */
const char *title_of_answer(struct ctx *, const char *said);
#endif
