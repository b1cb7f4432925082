/*
 * aliases.toml: names of models that people gave, as a file beside config.toml.
 * The rows are what programs read; the file is what people may edit.
 */
#ifndef LF_ALIASES_H
#define LF_ALIASES_H
#include "lib/base/base.h"

#define ALIASES_NOTE "aliases.toml"

/* The file's names into the rows, when there is one that can be read. At the start and on reload. */
void aliases_take(struct ctx *);
/* A name, in the rows and in the file; model_id NULL: it goes. Errors: alias_put(), alias_drop(), IO: nothing has changed. */
enum err aliases_change(struct ctx *, const char *folded, const char *model_id) MUST_CHECK;
/* For underway.c: the file from the rows. */
enum err aliases_work_off(struct ctx *) MUST_CHECK;
#endif
