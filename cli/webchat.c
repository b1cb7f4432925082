/*
 * Finding the WebChat.
 *
 * The page is static files. In a build tree `make webchat` puts them beside this program, an
 * installation has them in its data directory, and an installation that was moved as a whole
 * (a DESTDIR, say) has them where they lie as seen from the program. Whether the page was
 * built at all is found out per request, so building it needs no restart.
 */
#include "cli/webchat.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "version.h"

static bool
holds_page(const char *dir)
{
	char path[WEBCHAT_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/index.html", dir);
	return access(path, R_OK) == 0;
}

/* The directory of this program, in dir; "": unknown. */
static void
own_dir(char *dir, size_t cap)
{
	ssize_t n = readlink("/proc/self/exe", dir, cap - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
}

const char *
webchat_find(char *buf, size_t cap)
{
	char own[4096];

	own_dir(own, sizeof(own));
	snprintf(buf, cap, "%s/webchat/dist", own);
	if (holds_page(buf))
		return buf;
	snprintf(buf, cap, "%s/../share/librefang/webchat", own);
	if (holds_page(buf))
		return buf;
	/* none yet: where it will be */
	if (strcmp(own, LF_BINDIR) == 0)
		snprintf(buf, cap, "%s", LF_PKGDATADIR "/webchat");
	else
		snprintf(buf, cap, "%s/webchat/dist", own);
	return buf;
}
