/*
 * aliases.toml: names of models that people gave, as a file beside config.toml.
 * The rows are what programs read; the file is what people may edit.
 */
#ifndef LF_ALIASES_H
#define LF_ALIASES_H
#include "lib/base/buf.h"

/* The file's names into the rows, when there is one that can be read. At the start and on reload. */
void aliases_take(struct ctx *, const char *home);
/* The rows into the file; inside the transaction that changed them. Take it back when that fails. IO. */
enum err aliases_write(struct ctx *, const char *home, struct file_next *) MUST_CHECK;
#endif
