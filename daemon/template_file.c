/*
 * Templates are files, which people edit too. A version in the store is what the API made of one: it counts from its commit, and the
 * file follows.
 */
#include "daemon/template_file.h"

#include <pthread.h>
#include <string.h>

#include "daemon/underway.h"
#include "lib/agent/manifest.h"
#include "lib/svc/config.h"
#include "lib/svc/template_version.h"

static pthread_mutex_t files = PTHREAD_MUTEX_INITIALIZER;

static const char *
note_of(struct ctx *c, const char *name)
{
	return name == NULL ? NULL : ctx_printf(c, TEMPLATE_NOTE "%s.toml", name);
}

/* The note is the newest version: then it was committed. Otherwise it is nothing. */
static enum err
settle(struct ctx *c, const char *name)
{
	const char *note = note_of(c, name), *text = NULL, *newest = NULL;
	size_t n = 0;
	enum err e;

	if (note == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (!underway_is(c, note))
		return ERR_OK;
	e = underway_text(c, note, &text, &n);
	if (e != ERR_OK)
		return e == ERR_NOT_FOUND ? ERR_OK : e;
	e = template_version_newest(c, name, &newest);
	if (e == ERR_OK)
		e = newest != NULL && strcmp(newest, text) == 0 ? underway_put(c, note, template_path(c, name)) : underway_drop(c, note);
	return e;
}

static enum err
save(struct ctx *c, const char *name, const char *toml, const char *source)
{
	const char *note = note_of(c, name), *file = template_path(c, name);
	struct fault f;
	enum err e = settle(c, name);

	if (e == ERR_OK)
		e = template_dir_make(c);
	if (e == ERR_OK)
		e = underway_hold(c, note, toml, strlen(toml));
	if (e != ERR_OK)
		return e;
	e = template_version_add(c, name, toml, source);
	f = c->fault;
	if ((e == ERR_OK ? underway_put(c, note, file) : underway_drop(c, note)) != ERR_OK)
		underway_later();
	c->fault = f;
	return e;
}

enum err
template_file_save(struct ctx *c, const char *name, const char *toml, const char *source)
{
	enum err e;

	pthread_mutex_lock(&files);
	e = save(c, name, toml, source);
	pthread_mutex_unlock(&files);
	return e;
}

enum err
template_file_remove(struct ctx *c, const char *name)
{
	enum err e;

	pthread_mutex_lock(&files);
	e = settle(c, name);            /* or it would come back */
	if (e == ERR_OK)
		e = template_remove(c, name);
	pthread_mutex_unlock(&files);
	return e;
}

enum err
template_work_off(struct ctx *c, const char *name)
{
	enum err e;

	pthread_mutex_lock(&files);
	e = settle(c, name);
	pthread_mutex_unlock(&files);
	return e;
}
