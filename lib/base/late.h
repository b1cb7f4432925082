/*
 * Libraries that are loaded when they are first needed.
 *
 * A library that is linked costs each process its addresses, tables and heap before the first call: libcurl with
 * the thirty behind it 4.5 MB in a daemon that may never go out. A file that defines a library's own functions
 * with LATE() stands for it in the link. Callers include the library's header and call as always.
 */
#ifndef LF_LATE_H
#define LF_LATE_H
#include <stdatomic.h>
#include "lib/base/base.h"

struct late_lib {
	const char *soname;
	_Atomic(void *) handle;         /* dlopen's; never closed */
};

/* Is it there? Loads it; any thread. Each time anew after a failure: it may be installed meanwhile. */
bool late_load(struct late_lib *);
/* Its function of that name; NULL: the library, or the function in it, is not there. */
void *late_symbol(struct late_lib *, const char *name);

/*
 * One function of lib, found with its first call: what it returns, its name, parameters and arguments in
 * parentheses. Without the library a call returns bad.
 */
#define LATE(lib, type, bad, name, params, args) \
	type (name) params \
	{ \
		static _Atomic(__typeof__(&(name))) found; \
		__typeof__(&(name)) f = atomic_load_explicit(&found, memory_order_acquire); \
		if (f == NULL) { \
			f = (__typeof__(&(name)))late_symbol(&(lib), #name); \
			atomic_store_explicit(&found, f, memory_order_release); \
		} \
		return f != NULL ? f args : (bad); \
	}
#define LATE_VOID(lib, name, params, args) \
	void (name) params \
	{ \
		static _Atomic(__typeof__(&(name))) found; \
		__typeof__(&(name)) f = atomic_load_explicit(&found, memory_order_acquire); \
		if (f == NULL) { \
			f = (__typeof__(&(name)))late_symbol(&(lib), #name); \
			atomic_store_explicit(&found, f, memory_order_release); \
		} \
		if (f != NULL) \
			f args; \
	}
#endif
