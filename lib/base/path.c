/*
 * Directories, percent escapes, a case-blind search, and what a program says of itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/util.h"

enum { LOOK_AGAIN_NS = 10000000 };

bool
path_find(const char *program, char *out, size_t cap)
{
	const char *p = getenv("PATH");

	for (size_t n; p != NULL && *p != '\0'; p += n + (p[n] == ':')) {
		struct stat st;

		n = strcspn(p, ":");
		if (*p == '/' && (size_t)snprintf(out, cap, "%.*s/%s", (int)n, p, program) < cap && access(out, X_OK) == 0 &&
		    stat(out, &st) == 0 && S_ISREG(st.st_mode))
			return true;
	}
	return false;
}

char *
path_tidy(char *path)
{
	char *to = path;

	for (const char *p = path; p != NULL && *p != '\0';) {
		size_t k = strcspn(p + 1, "/") + 1;     /* each part with its slash in front */

		if (k > 1 && !(k == 2 && p[1] == '.')) {
			memmove(to, p, k);
			to += k;
		}
		p += k;
	}
	if (path != NULL)
		*to = '\0';
	return path;
}

/* No system has a lock that is waited for until a time: one looks again. */
int
lock_within(int fd, unsigned ms)
{
	int64_t until = clock_mono_us() + (int64_t)ms * 1000;
	int rc;

	while ((rc = flock(fd, LOCK_EX | LOCK_NB)) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
		if (clock_mono_us() >= until)
			return EWOULDBLOCK;
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_AGAIN_NS }, NULL);
	}
	return rc == 0 ? 0 : errno;
}

bool
dir_make(const char *path, mode_t mode)
{
	char at[4096];
	size_t n = strlen(path);
	struct stat st;

	if (n == 0 || n >= sizeof(at))
		return false;
	memcpy(at, path, n + 1);
	for (char *p = at + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(at, mode) != 0 && errno != EEXIST)
			return false;
		*p = '/';
	}
	if (mkdir(at, mode) != 0 && errno != EEXIST)
		return false;
	return stat(at, &st) == 0 && S_ISDIR(st.st_mode);
}

bool
pct_decode(char *s, size_t *n, bool plus_is_space)
{
	size_t out = 0;

	for (size_t i = 0; i < *n; i++) {
		char hex[3] = { 0 };

		if (s[i] == '+' && plus_is_space) {
			s[out++] = ' ';
			continue;
		}
		if (s[i] != '%') {
			s[out++] = s[i];
			continue;
		}
		if (i + 2 >= *n)
			return false;
		hex[0] = s[i + 1];
		hex[1] = s[i + 2];
		if (!hex_to(hex, s + out, 1))
			return false;
		out++;
		i += 2;
	}
	s[out] = '\0';
	*n = out;
	return true;
}

bool
has_substr_ci(const char *hay, const char *needle)
{
	return strcasestr(hay, needle) != NULL;
}

bool
asked_only(int argc, char **argv, const char *version, const char *help)
{
	bool more = argc > 1 && strcmp(argv[1], "--help") == 0;

	if (!more && (argc < 2 || strcmp(argv[1], "--version") != 0))
		return false;
	printf("%s\n%s", version, more ? help : "");
	return true;
}
