/*
 * Files that follow a commit.
 *
 * What is written to a file and to the store at once has one moment that counts, the commit. Before it the file's new text is laid down
 * as a note, <data>/underway/<name>; after it the note is renamed to the file. A note that is still there says to the next
 * start, and to an alarm of this one, that a file may be behind.
 *
 *   <agent's id>.toml        its agent.toml (place.c)
 *   template-<name>.toml     a template of the home (template_file.c)
 *   aliases.toml             names of models (aliases.c)
 *   user.name                who gets another name (user_follow.c): here config.toml is the moment, and the store follows
 */
#ifndef LF_UNDERWAY_H
#define LF_UNDERWAY_H
#include "lib/base/base.h"

/* Lay it down, in the place of one that is there. IO. */
enum err underway_hold(struct ctx *, const char *name, const char *text, size_t n) MUST_CHECK;
bool underway_is(struct ctx *, const char *name);
/* The note becomes that file. IO: it stays a note. */
enum err underway_put(struct ctx *, const char *name, const char *file) MUST_CHECK;
/* It is of no use. IO: it stays. */
enum err underway_drop(struct ctx *, const char *name) MUST_CHECK;
/* The text, in c's arena. NOT_FOUND, IO. */
enum err underway_text(struct ctx *, const char *name, const char **ret, size_t *ret_n) MUST_CHECK;

/* Something is left to do: it is done as soon as it can be. */
void underway_later(void);
/* Boot, before anybody reads those files. After it underway_start(), once there are alarms. */
void underway_boot(struct ctx *);
void underway_start(void);
#endif
