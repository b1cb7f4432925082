/*
 * Files that are replaced whole.
 */
#include "lib/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/util.h"

enum { PATH_BYTES = 4096 + FILE_TEMP_NAME };

static const char prefix[] = ".lf-tmp-";

void
file_temp_name(char out[static FILE_TEMP_NAME])
{
	uint64_t r;

	random_bytes(&r, sizeof(r));
	snprintf(out, FILE_TEMP_NAME, "%s%016jx", prefix, (uintmax_t)r);
}

bool
file_is_temp(const char *name)
{
	size_t n = strlen(prefix);

	return strlen(name) == FILE_TEMP_NAME - 1 && memcmp(name, prefix, n) == 0 &&
	    strspn(name + n, "0123456789abcdef") == FILE_TEMP_NAME - 1 - n;
}

static int
dir_bytes(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (int)(slash + 1 - path);
}

bool
file_write(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n > 0) {
		ssize_t w = write(fd, p, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

enum err
file_replace(const char *path, const void *bytes, size_t n, mode_t mode)
{
	char tmp[PATH_BYTES], name[FILE_TEMP_NAME];
	int len, e;
	SCOPED_FD fd = -1;

	file_temp_name(name);
	len = snprintf(tmp, sizeof(tmp), "%.*s%s", dir_bytes(path), path, name);
	if (len < 0 || (size_t)len >= sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return ERR_IO;
	}
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return ERR_IO;
	if (fchmod(fd, mode) == 0 && file_write(fd, bytes, n) && fsync(fd) == 0 && rename(tmp, path) == 0)
		return ERR_OK;
	e = errno;
	unlink(tmp);
	errno = e;
	return ERR_IO;
}

void
file_settle(const char *path)
{
	char dir[PATH_BYTES] = ".";
	int n = dir_bytes(path);
	SCOPED_FD fd = -1;

	if (n > 0 && snprintf(dir, sizeof(dir), "%.*s", n, path) != n)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		(void)fsync(fd);
}

enum err
file_keep(const char *path, const void *bytes, size_t n, mode_t mode)
{
	enum err e = file_replace(path, bytes, n, mode);

	if (e == ERR_OK)
		file_settle(path);
	return e;
}

unsigned
files_sweep(const char *dir, int64_t before_ms)
{
	DIR *d = opendir(dir);
	unsigned gone = 0;
	struct stat st;

	for (struct dirent *de; d != NULL && (de = readdir(d)) != NULL;)
		if (file_is_temp(de->d_name) && fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
		    st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < before_ms &&
		    unlinkat(dirfd(d), de->d_name, 0) == 0)
			gone++;
	if (d != NULL)
		closedir(d);
	return gone;
}
