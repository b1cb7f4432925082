/* Templates of the home: the file, and its history in the store, at once. */
#ifndef LF_TEMPLATE_FILE_H
#define LF_TEMPLATE_FILE_H
#include "lib/base/base.h"

#define TEMPLATE_NOTE "template-"

/* <home>/agent-types/<name>.toml, and a version of it. IO, or that of the store: nothing has changed. */
enum err template_file_save(struct ctx *, const char *name, const char *toml, const char *source) MUST_CHECK;
/* NOT_FOUND template_not_found. */
enum err template_file_remove(struct ctx *, const char *name) MUST_CHECK;
/* For underway.c. */
enum err template_work_off(struct ctx *, const char *name) MUST_CHECK;
#endif
