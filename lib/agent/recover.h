/*
 * Calls of tools that a model wrote into its text instead of making them: in tags (<tool_call>, <tool>, <function=name>,
 * [TOOL_CALL]), in a fence or back-ticks as name {json}, or as one bare JSON object that names a tool and its arguments.
 */
#ifndef LF_RECOVER_H
#define LF_RECOVER_H
#include "lib/base/json.h"

struct recovered {
	const char *name;               /* as `known` gave it */
	struct json_object *input;      /* an object, c's */
};

enum { RECOVERED_MAX = 16 };

/*
 * What the text calls, in order; how many. Tags count wherever they stand outside of code; the other forms only at the end of a short text, so that
 * an answer that explains a call does not make one. known: the tool's own name for that name, NULL: there is none.
 * *ret_rest: the text without the calls, in c's arena.
 */
size_t recover_calls(struct ctx *, const char *text, const char *(*known)(void *arg, const char *name), void *arg,
    struct recovered ret[static RECOVERED_MAX], const char **ret_rest);
#endif
