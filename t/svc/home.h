/* A home in a temporary directory, with nothing else in the environment. */
#ifndef LF_T_HOME_H
#define LF_T_HOME_H
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/svc/config_file.h"
#include "t/tap.h"
#include "t/tree.h"

struct home {
	char top[64], dir[128], msg[1024];
	struct run_paths p;
};

static inline void
home_new(struct home *h)
{
	clearenv();
	snprintf(h->top, sizeof(h->top), "/tmp/lf-t-XXXXXX");
	if (mkdtemp(h->top) == NULL || chdir("/") != 0)
		abort();
	snprintf(h->dir, sizeof(h->dir), "%s/home", h->top);
	setenv("HOME", h->top, 1);
	setenv("LIBREFANG_RUN_DIR", h->top, 1);
	if (run_paths_init(&h->p, h->dir, true, h->msg, sizeof(h->msg)) != ERR_OK) {
		printf("Bail out! %s\n", h->msg);
		exit(1);
	}
}

static inline void
home_write(struct home *h, const char *name, const char *text)
{
	char path[5000];

	snprintf(path, sizeof(path), "%s/%s", h->p.home, name);
	if (file_replace(path, text, strlen(text), 0600) != ERR_OK)
		abort();
}

/* A file of the home as text, in a buffer that the next call reuses; "" when it is not there. */
static inline const char *
home_read(struct home *h, const char *name)
{
	static char text[65536];
	struct buf b = BUF_INIT(sizeof(text) - 1);
	char path[5000];

	snprintf(path, sizeof(path), "%s/%s", h->p.home, name);
	text[0] = '\0';
	if (buf_read_file(&b, path) == ERR_OK && b.p != NULL)
		memcpy(text, b.p, b.len + 1);
	buf_done(&b);
	return text;
}

static inline void
home_done(struct home *h)
{
	tree_remove(h->top);
}
#endif
