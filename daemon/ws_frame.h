/*
 * What a text frame of the chat socket says: the parts of it that need nothing but the text.
 */
#ifndef LF_WS_FRAME_H
#define LF_WS_FRAME_H
#include "lib/base/json.h"

enum ws_kind { WS_PING, WS_COMMAND, WS_MESSAGE, WS_UNKNOWN };

struct ws_frame {
	enum ws_kind kind;
	const char *line;               /* COMMAND: "name arguments"; UNKNOWN: the type, cut at 64 bytes; or NULL: no memory */
	const char *message_id;         /* of a message that is a COMMAND: who sent it waits for the end of a message; or NULL */
};

/*
 * Sort a frame (UTF-8, no NUL, NUL-terminated). A text that is no JSON object is a message; so is one
 * without a type. memory_short: it may be something else. A message that begins with "/" and a word that is_command() knows is that command.
 */
void ws_frame_sort(struct ctx *, const char *text, size_t n, bool (*is_command)(const char *, size_t),
    struct ws_frame *ret);
/*
 * What a message frame says: its content, or that of an envelope inside it. NULL: it has none. *ret_frame: the
 * object, NULL when the frame is plain text, or memory_short. Everything lives in c's arena, or is text itself.
 */
const char *ws_frame_content(struct ctx *, const char *text, struct json_object **ret_frame);
/* What its sender calls a message: 1 to 128 bytes, else NULL. */
const char *ws_frame_id(struct json_object *frame);
/* Without control characters but newline and tab, and without blanks around. NULL: nothing is left. */
const char *ws_frame_clean(struct ctx *, const char *content);
#endif
