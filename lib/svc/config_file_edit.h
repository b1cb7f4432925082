/*
 * A change of config.toml under way. For the files of config_file.h that make some.
 */
#ifndef LF_CONFIG_FILE_EDIT_H
#define LF_CONFIG_FILE_EDIT_H
#include "lib/svc/config_file_parts.h"
#include "lib/toml/toml.h"

enum { SNAPSHOT_BYTES_MAX = 8 << 20, EDIT_PATIENCE_MS = 5000 };

struct edit {
	const struct run_paths *p;
	int lock;
	struct buf old, new;
	bool exists;
	char path[4096];                /* of the file itself, links followed */
	char *msg;
	size_t cap;
};

/* Lock the home, and read what is there. edit_end() in any case. IO; BUSY: somebody else has the lock for five seconds. */
enum err edit_begin(struct edit *, const struct run_paths *, char *msg, size_t cap) MUST_CHECK;
void edit_end(struct edit *);
/* The new text, if it is a good configuration, in the place of the old one, which is kept. */
enum err edit_commit(struct edit *) MUST_CHECK;
/* What went wrong; e again. */
enum err edit_say(struct edit *, enum err e, const char *fmt, ...) PRINTF(3, 4);
enum err edit_fault(struct edit *, enum err e, const struct toml_fault *);
const char *edit_name(const struct edit *);
#endif
