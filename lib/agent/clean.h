/* Tool results without template markers, without long base64, and not endless. */
#ifndef LF_CLEAN_H
#define LF_CLEAN_H
#include "lib/base/buf.h"

enum { RESULT_TEXT_MAX = 262144 };

/* Is there nothing to take out? One pass, no allocation. */
bool result_is_clean(const char *, size_t n);
/* The cleaned text appended to out; beyond RESULT_TEXT_MAX bytes it is cut with a note. */
void result_clean(struct buf *out, const char *, size_t n);
#endif
