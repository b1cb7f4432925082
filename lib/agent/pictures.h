/*
 * Pictures of a conversation, on their way to a model.
 */
#ifndef LF_PICTURES_H
#define LF_PICTURES_H
#include "lib/svc/conversation.h"

/* So many pictures of earlier questions are shown again, the newest; those of the question being answered always are. */
enum { PICTURES_AGAIN = 8 };

/*
 * The history with each image_file block naming a file that a driver may open; blind: with a word in place of every
 * picture. What names no upload of ours becomes a word too, wherever its path leads. The same
 * history when it holds none. *ret_any: it holds some. NULL: out of memory.
 */
const struct history *history_pictures(struct ctx *, const struct history *, bool blind, bool *ret_any);
#endif
