/*
 * A program of the machine, run for its output: with one file as its input, bounded in time,
 * memory and output, with an empty environment and nothing else open.
 */
#ifndef LF_PROGRAM_H
#define LF_PROGRAM_H
#include "lib/base/buf.h"

struct cancel;

/* Absolute path of a program in PATH, in c's arena; NULL: it is not there. */
const char *program_find(struct ctx *, const char *name);
/*
 * Its standard output, appended to out (at most out->max bytes: the rest is not waited for; *ret_cut says so). No
 * database connection may be held meanwhile. Errors: UPSTREAM it failed; TIMEOUT; CANCELLED; UNAVAILABLE.
 */
enum err program_output(struct ctx *, const char *path, char *const argv[], int input_fd, unsigned timeout_ms,
    struct cancel *, struct buf *out, bool *ret_cut) MUST_CHECK;
#endif
