/*
 * The store of artifacts: a directory of files named by their content. What is kept a second time is only
 * made young again.
 */
#include "lib/agent/artifact.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/util.h"

enum { HEX = 64, UNFINISHED_MS = 3600 * 1000 };

#define PREFIX "sha256:"

static const char *
path_of(struct ctx *c, const char *data_dir, const char *hex)
{
	return ctx_printf(c, "%s/artifacts/%s.bin", data_dir, hex);
}

static bool
is_handle(const char *s)
{
	if (strncmp(s, PREFIX, strlen(PREFIX)) != 0)
		return false;
	s += strlen(PREFIX);
	return strspn(s, "0123456789abcdef") == HEX && s[HEX] == '\0';
}

enum err
artifact_put(struct ctx *c, const char *data_dir, const void *bytes, size_t n, char ret_handle[static ARTIFACT_HANDLE])
{
	const char *dir = ctx_printf(c, "%s/artifacts", data_dir), *path;
	uint8_t hash[32];
	char hex[HEX + 1];

	if (n > ARTIFACT_BYTES_MAX)
		return fail(c, ERR_TOO_LARGE, "an artifact has at most %d bytes", ARTIFACT_BYTES_MAX);
	sha256(bytes, n, hash);
	hex_of(hash, sizeof(hash), hex);
	path = path_of(c, data_dir, hex);
	if (dir == NULL || path == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	if (utimensat(AT_FDCWD, path, NULL, 0) != 0 && (!dir_make(dir, 0700) || file_replace(path, bytes, n, 0600) != ERR_OK))
		return fail(c, ERR_IO, "the artifact cannot be written");
	snprintf(ret_handle, ARTIFACT_HANDLE, PREFIX "%s", hex);
	return ERR_OK;
}

enum err
artifact_read(struct ctx *c, const char *data_dir, const char *handle, int64_t offset, size_t n, struct buf *out, int64_t *ret_total)
{
	const char *path = is_handle(handle) ? path_of(c, data_dir, handle + strlen(PREFIX)) : NULL;
	SCOPED_FD fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct stat st;
	char *room;
	ssize_t got;

	if (path == NULL)
		return fail(c, ERR_INVALID, "that is no handle of an artifact: sha256: and 64 hexadecimal digits are expected");
	if (fd < 0 || fstat(fd, &st) != 0)
		return fail(c, ERR_NOT_FOUND, "there is no such artifact (any more)");
	*ret_total = st.st_size;
	room = buf_room(out, n);
	if (room == NULL)
		return fail(c, ERR_NOMEM, "out of memory");
	got = pread(fd, room, n, offset);
	if (got < 0)
		return fail(c, ERR_IO, "the artifact cannot be read");
	out->len += (size_t)got;
	return ERR_OK;
}

unsigned
artifacts_forget(const char *data_dir, int64_t now_ms, int64_t days)
{
	char dir[4096];
	struct dirent *d;
	unsigned n = 0;
	DIR *all;

	snprintf(dir, sizeof(dir), "%s/artifacts", data_dir);
	all = opendir(dir);
	while (all != NULL && (d = readdir(all)) != NULL) {
		size_t k = strlen(d->d_name);
		bool ours = k == HEX + 4 && strcmp(d->d_name + HEX, ".bin") == 0;
		int64_t age, most = ours ? days * 86400000 : UNFINISHED_MS;
		struct stat st;

		if (fstatat(dirfd(all), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;
		age = now_ms - (int64_t)st.st_mtim.tv_sec * 1000;
		n += age > most && unlinkat(dirfd(all), d->d_name, 0) == 0;
	}
	if (all != NULL)
		closedir(all);
	return n;
}
