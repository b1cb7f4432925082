/* A directory for the targets that need files: in memory where the machine has such a place, gone at the end. */
#ifndef LF_FUZZ_PLACE_H
#define LF_FUZZ_PLACE_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"

#define MUST(x) do { if (!(x)) abort(); } while (0)

static char place[64];

static int
place_drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level > 0 ? remove(path) : 0;
}

/* Everything in it. */
static void
place_clear(void)
{
	(void)nftw(place, place_drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void
place_end(void)
{
	place_clear();
	rmdir(place);
}

static void
place_begin(void)
{
	snprintf(place, sizeof(place), "/dev/shm/lf-fuzz-XXXXXX");
	if (mkdtemp(place) == NULL) {
		snprintf(place, sizeof(place), "/tmp/lf-fuzz-XXXXXX");
		MUST(mkdtemp(place) != NULL);
	}
	atexit(place_end);
}

static inline const char *
place_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

static inline void
place_put(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(place_of(name), "w");

	MUST(f != NULL && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
	MUST(chmod(place_of(name), 0600) == 0);
}

/* Does the file hold exactly this? */
static inline bool
place_holds(const char *name, const void *bytes, size_t n)
{
	SCOPED_BUF b = BUF_INIT(64 << 20);

	return buf_read_file(&b, place_of(name)) == ERR_OK && b.len == n && (n == 0 || memcmp(b.p, bytes, n) == 0);
}
#endif
