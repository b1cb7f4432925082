/*
 * One-time links: an empty file each, named by the hash of its token. Whoever
 * removes the file has used it up, and the file system lets only one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/svc/login.h"

static void
name_of(const char *token, char hex[static 65])
{
	uint8_t d[32];

	sha256(token, strlen(token), d);
	hex_of(d, sizeof(d), hex);
}

static int
links_dir(const char *home, bool make)
{
	char path[4200];

	if (snprintf(path, sizeof(path), "%s/links", home) >= (int)sizeof(path))
		return -1;
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool
is_fresh(int dir, const char *name)
{
	int64_t age;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		return false;
	age = clock_ms() / 1000 - (int64_t)st.st_mtim.tv_sec;
	return age >= -60 && age <= LINK_S;
}

static void
drop_old(int dir)
{
	int again = dup(dir);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	struct dirent *e;

	if (d == NULL) {
		if (again >= 0)
			close(again);
		return;
	}
	while ((e = readdir(d)) != NULL)
		if (strlen(e->d_name) == LOGIN_TOKEN && !is_fresh(dir, e->d_name))
			(void)unlinkat(dir, e->d_name, 0);
	closedir(d);
}

enum err
link_make(const char *home, char ret_token[static 65])
{
	uint8_t raw[32];
	char name[65];
	int dir = links_dir(home, true), fd;

	if (dir < 0)
		return ERR_IO;
	drop_old(dir);
	random_bytes(raw, sizeof(raw));
	hex_of(raw, sizeof(raw), ret_token);
	zero_bytes(raw, sizeof(raw));
	name_of(ret_token, name);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	close(dir);
	if (fd < 0)
		return ERR_IO;
	close(fd);
	return ERR_OK;
}

bool
link_take(const char *home, const char *token)
{
	char name[65];
	int dir = links_dir(home, false);
	bool fresh;

	if (dir < 0)
		return false;
	name_of(token, name);
	fresh = is_fresh(dir, name) && unlinkat(dir, name, 0) == 0;
	close(dir);
	return fresh;
}
