/*
 * What an agent says, on its way to those who listen: without reply directives ([[reply:id]], [[@current]],
 * [[silent]]), and not at all when it is a word for "nothing to say" (NO_REPLY, [no reply needed], no reply needed) or the model's
 * own scaffolding. Text comes in pieces of any size; what may still become one of these is held back.
 */
#ifndef LF_SPEECH_H
#define LF_SPEECH_H
#include "lib/base/buf.h"

enum { SPEECH_ID_MAX = 65 };

struct speech {
	void (*out)(void *arg, const char *s, size_t n);        /* NULL: nobody listens */
	void *arg;
	bool silent;                    /* nothing is to be said */
	bool leaked;                    /* scaffolding twice: what follows is not let through */
	bool shown;                     /* something that is no blank went out */
	bool quiet;                     /* [[silent]] was among it */
	bool current;                   /* [[@current]]: into the thread that it was asked in */
	char reply_to[SPEECH_ID_MAX];   /* [[reply:id]]: as an answer to that message; "": none */
	/* its own */
	bool boundary, fenced;
	char before;
	unsigned scaffolds;
	struct buf held;
};

/* To begin with, and again for the next text; keeps held's memory. */
void speech_begin(struct speech *, void (*out)(void *, const char *, size_t), void *arg);
void speech_add(struct speech *, const char *s, size_t n);
/* Nothing more comes: what was held is decided. */
void speech_end(struct speech *);
void speech_done(struct speech *);

/* The whole of a text at once. *ret: what is said of it, in c's arena, NULL: no memory. */
struct speech speech_whole(struct ctx *, const char *text, const char **ret);
/* Is that a wake-up of the clock with its answer of nothing? question, answer: texts as the session keeps them. */
bool speech_is_pulse(struct ctx *, const char *question, const char *answer);
/* Is it but a remark that something is being done ("Let me look ..."), and no answer? */
bool speech_is_progress(const char *text);
#endif
