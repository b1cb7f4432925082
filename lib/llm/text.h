/*
 * Text on its way from a provider to the sink: characters kept whole, thinking told from
 * speech, tool arguments put in order.
 */
#ifndef LF_LLM_TEXT_H
#define LF_LLM_TEXT_H
#include "lib/base/json.h"

#include "lib/base/buf.h"

/*
 * A text that grows. What is handed on is always valid UTF-8: the beginning of
 * a character waits for its rest, wrong bytes and NUL become U+FFFD.
 */
struct text_out {
	struct buf all;
	char held[4];
	unsigned n_held;
	void (*put)(void *, const char *, size_t);      /* NULL: only kept */
	void *arg;
};

void text_init(struct text_out *, size_t max, void (*put)(void *, const char *, size_t), void *arg);
void text_add(struct text_out *, const char *, size_t);
void text_end(struct text_out *);                       /* a character that never got whole is replaced */
void text_done(struct text_out *);

/* <think>…</think> inside content, also when split anywhere. */
struct think {
	bool inside;
	bool skip_blank;                /* just after </think>: blanks before the answer are dropped */
	unsigned held;                  /* bytes of a tag that have been seen */
};

void think_add(struct think *, struct text_out *text, struct text_out *thinking, const char *, size_t);
void think_end(struct think *, struct text_out *text, struct text_out *thinking);

/*
 * Arguments of a tool call, as models write them, to an object: "" and null are {}, a string
 * that holds an object is unwrapped, other values become {"raw_input":v}, garbage after the object
 * is dropped, and what cannot be read becomes {"__args_truncated":true,"__error":…}. NULL: no memory.
 */
struct json_object *tool_args(const char *text, size_t n);
#endif
