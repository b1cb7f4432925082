/*
 * Lines: a libcurl easy and multi handle that belong together, with at most
 * one connection, kept while idle under a key (origin and credential) so that
 * the next call to the same place finds its connection open.
 */
#ifndef LF_LINE_H
#define LF_LINE_H
#include <curl/curl.h>

#include "lib/net/http.h"

enum { LINES_IDLE_MAX = 64, LINE_IDLE_S = 60 };

struct line {
	struct line *next;
	CURL *easy;
	CURLM *multi;
	uint8_t key[32];
	int64_t idle_us;                /* when it was given back */
};

/* An idle line of that key, else a new one; NULL: no memory. */
struct line *line_take(const uint8_t key[static 32]);
/* Give back; broken: close it. NULL is fine. */
void line_give(struct line *, bool broken);
void lines_sweep(void);
void lines_done(void);

/* While attached, cancel_now(k) wakes this multi. k may be NULL. */
void cancel_attach(struct cancel *k, CURLM *);
void cancel_detach(struct cancel *k);
#endif
