/* Loading a library when it is needed. dlopen counts and locks, so that two who come at once are no matter. */
#include "lib/base/late.h"

#include <dlfcn.h>

bool
late_load(struct late_lib *l)
{
	void *h = atomic_load(&l->handle);

	if (h == NULL) {
		h = dlopen(l->soname, RTLD_NOW | RTLD_LOCAL);
		atomic_store(&l->handle, h);
	}
	return h != NULL;
}

void *
late_symbol(struct late_lib *l, const char *name)
{
	return late_load(l) ? dlsym(atomic_load(&l->handle), name) : NULL;
}
