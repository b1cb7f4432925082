/*
 * Making a conversation fit its model's window: cuts in results of tools, and in the history itself.
 *
 * All of it is pure: the history given is not changed, unchanged messages are shared with the result, which is
 * the same history when there was nothing to do. NULL: out of memory. Counts of characters are of Unicode ones.
 */
#ifndef LF_FIT_H
#define LF_FIT_H
#include "lib/svc/conversation.h"

enum { FIT_RESULT_MIN = 2000, FIT_SENT_MIN = 8000 /* what another agent said is worth more */ };

/*
 * A model's window in tokens: the manifest's word (of [model]; NULL: it does not count), else the catalog's, else 8192.
 * *source: agent_override model_override catalog fallback.
 */
int64_t fit_window(struct json_object *manifest_model, const char *provider, const char *model, const char **source);

/*
 * At most about max characters of s: six tenths from its beginning and the rest from its end, with a line between
 * them that tells how many are left out; ends of lines are preferred within 200 characters. *ret_n: bytes of the result, which is s when it fits.
 */
const char *text_squeeze(struct ctx *, const char *s, size_t n, size_t max, size_t *ret_n);

/*
 * The guard: no result alone takes more than half of the window, all together no more than three quarters: the oldest are
 * cut to FIT_RESULT_MIN characters, then by what is still too much. window: in tokens, of two characters each here.
 */
const struct history *fit_guard(struct ctx *, const struct history *, int64_t window);
/* How many characters a new result may have: three tenths of the window. */
size_t fit_result_max(int64_t window);
/* Every result that is longer cut to max characters, but for those of the last keep messages. */
const struct history *fit_results(struct ctx *, const struct history *, size_t max, size_t keep);
/*
 * The newest keep messages, what was pinned, and the question that is being answered (the last message that is one) in any case. A call keeps
 * its results. notice: a sentence put in front, or NULL. Repaired, beginning with a user.
 */
const struct history *fit_tail(struct ctx *, const struct history *, size_t keep, const char *notice);
/*
 * What may be told in short when only the first and last ones are to stay as they are: *from..*to-1, where no call is
 * parted from its results. false: too little to be worth it.
 */
bool fit_middle(const struct history *, size_t first, size_t last, size_t *from, size_t *to);
/* from..to-1 become a message of the user with that summary; what is pinned and the last question stay behind it. */
const struct history *fit_told(struct ctx *, const struct history *, size_t from, size_t to, const char *summary);
#endif
