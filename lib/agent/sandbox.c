/*
 * Files below one directory, held there by the kernel.
 *
 * A path is cut into clean components ("." and empty ones dropped, ".."
 * refused). The directory part is opened from the root in one openat2() that may
 * not leave it; the last component is then touched relative to that
 * directory and never followed. So a symlink that somebody swaps in between
 * two steps can at most make a call fail. Without openat2 the directories
 * are opened one by one and no symlink is followed at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/agent/sandbox.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { LIST_MAX = 200000, EAGAIN_TRIES = 64 };

bool sandbox_portable;

/* A clean path: the directory part ("" is the root) and the last name ("" if the path is the root itself). */
struct clean {
	char dir[SANDBOX_PATH_MAX];
	const char *leaf;
	char all[SANDBOX_PATH_MAX];
};

static enum err
check_bytes(struct ctx *c, const char *path, size_t n)
{
	if (n == 0)
		return fail(c, ERR_INVALID, "the path is empty");
	if (n >= SANDBOX_PATH_MAX)
		return fail(c, ERR_INVALID, "the path is longer than %d bytes", SANDBOX_PATH_MAX - 1);
	if (!utf8_ok(path, n))
		return fail(c, ERR_INVALID, "the path is not valid UTF-8");
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)path[i];

		if (ch < 0x20 || ch == 0x7f || (ch == 0xc2 && (unsigned char)path[i + 1] < 0xa0))
			return fail(c, ERR_INVALID, "the path holds a control character");
	}
	return ERR_OK;
}

size_t
sandbox_holds(const char *root, const char *path, size_t n)
{
	char *real = realpath(root, NULL);
	const char *forms[] = { root, real };
	size_t found = 0;

	for (size_t i = 0; i < ARRAY_LEN(forms) && found == 0; i++) {
		size_t k = forms[i] != NULL ? strlen(forms[i]) : 0;

		while (k > 1 && forms[i][k - 1] == '/')
			k--;
		if (k > 0 && n >= k && memcmp(path, forms[i], k) == 0 && (n == k || path[k] == '/'))
			found = k;
	}
	free(real);
	return found;
}

/* An absolute path must begin with the root as it is written or as it really is. */
static enum err
strip_root(struct ctx *c, const char *root, const char **path, size_t *n)
{
	size_t k = sandbox_holds(root, *path, *n);

	if (k == 0)
		return fail(c, ERR_FORBIDDEN, "the path resolves outside workspace");
	*path += k;
	*n -= k;
	return ERR_OK;
}

static enum err
clean_path(struct ctx *c, const char *root, const char *path, size_t n, struct clean *ret)
{
	size_t len = 0, leaf = 0;
	enum err e = check_bytes(c, path, n);

	if (e == ERR_OK && path[0] == '/')
		e = strip_root(c, root, &path, &n);
	if (e != ERR_OK)
		return e;
	for (size_t i = 0; i < n;) {
		const char *slash = memchr(path + i, '/', n - i);
		size_t k = slash != NULL ? (size_t)(slash - path) - i : n - i;

		if (k == 2 && memcmp(path + i, "..", 2) == 0)
			return fail(c, ERR_FORBIDDEN, "Path traversal denied");
		if (k > SANDBOX_NAME_MAX)
			return fail(c, ERR_INVALID, "a name in the path is longer than %d bytes", SANDBOX_NAME_MAX);
		if (k > 0 && !(k == 1 && path[i] == '.')) {
			if (len > 0)
				ret->all[len++] = '/';
			leaf = len;
			memcpy(ret->all + len, path + i, k);
			len += k;
		}
		i += k + 1;
	}
	ret->all[len] = '\0';
	ret->leaf = ret->all + leaf;
	memcpy(ret->dir, ret->all, leaf);
	ret->dir[leaf > 0 ? leaf - 1 : 0] = '\0';
	return ERR_OK;
}

/* Directory by directory, no symlink followed. */
static int
walk(int root, const char *rel)
{
	SCOPED_FD at = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (at >= 0 && *rel != '\0') {
		char name[SANDBOX_NAME_MAX + 1];
		size_t k = strcspn(rel, "/");
		int next;

		memcpy(name, rel, k);
		name[k] = '\0';
		rel += rel[k] == '/' ? k + 1 : k;
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0) {
			struct stat st;

			if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
				errno = EXDEV;
			return -1;
		}
		close(at);
		at = next;
	}
	return TAKE_FD(at);
}

/* Open the directory rel ("" is the root itself); -1 with errno, EXDEV when it lies outside. */
static int
open_dir(int root, const char *rel)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int tries = EAGAIN_TRIES;
	long fd;

	if (sandbox_portable)
		return walk(root, rel);
	/* EAGAIN: something was renamed during the walk, and the kernel is not sure */
	do {
		fd = syscall(SYS_openat2, root, rel[0] != '\0' ? rel : ".", &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR) && tries-- > 0);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return walk(root, rel);
	return (int)fd;
}

static enum err
fail_errno(struct ctx *c, const char *what)
{
	switch (errno) {
	case ENOENT:
		return fail(c, ERR_NOT_FOUND, "nothing there: %s", what);
	case ENOTDIR:
		return fail(c, ERR_NOT_FOUND, "not a directory: %s", what);
	case EXDEV:
	case EAGAIN:
		return fail(c, ERR_FORBIDDEN, "the path resolves outside workspace: %s", what);
	case ELOOP:
		return fail(c, ERR_FORBIDDEN, "Symlink leaf denied: %s", what);
	case EACCES:
	case EPERM:
		return fail(c, ERR_FORBIDDEN, "permission denied: %s", what);
	case ENAMETOOLONG:
		return fail(c, ERR_INVALID, "the name is too long: %s", what);
	case ENOSPC:
	case EDQUOT:
		return fail(c, ERR_IO, "no space left on the disk; nothing was written: %s", what);
	case EROFS:
		return fail(c, ERR_FORBIDDEN, "the file system is read-only: %s", what);
	default:
		return fail(c, ERR_IO, "the file system failed: %s", what);
	}
}

static enum err
open_root(struct ctx *c, const char *root, int *ret)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail(c, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "the workspace is not there");
	*ret = fd;
	return ERR_OK;
}

/* Clean the path and open the directory that holds its last name. */
static enum err
locate(struct ctx *c, const char *root, const char *path, size_t n, struct clean *p, int *ret_dir)
{
	SCOPED_FD top = -1;
	enum err e = clean_path(c, root, path, n, p);
	int dir;

	if (e == ERR_OK)
		e = open_root(c, root, &top);
	if (e != ERR_OK)
		return e;
	dir = open_dir(top, p->dir);
	if (dir < 0)
		return fail_errno(c, p->all);
	*ret_dir = dir;
	return ERR_OK;
}

static enum err
check_regular(struct ctx *c, const struct stat *st, const char *what)
{
	if (S_ISLNK(st->st_mode))
		return fail(c, ERR_FORBIDDEN, "Symlink leaf denied: %s", what);
	if (S_ISDIR(st->st_mode))
		return fail(c, ERR_FORBIDDEN, "this is a directory: %s", what);
	if (!S_ISREG(st->st_mode))
		return fail(c, ERR_FORBIDDEN, "not a regular file: %s", what);
	return ERR_OK;
}

static enum err
read_all(struct ctx *c, int fd, size_t max, struct buf *out, const char *what)
{
	size_t got = 0;

	for (;;) {
		char *room = buf_room(out, 65536);
		ssize_t k;

		if (room == NULL)
			return fail(c, ERR_TOO_LARGE, "the file is too large: %s", what);
		k = read(fd, room, 65536);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return fail_errno(c, what);
		room[k] = '\0';
		out->len += (size_t)k;
		got += (size_t)k;
		if (got > max)
			return fail(c, ERR_TOO_LARGE, "the file is larger than %zu bytes: %s", max, what);
		if (k == 0)
			return ERR_OK;
	}
}

enum err
sandbox_read(struct ctx *c, const char *root, const char *path, size_t n, size_t max, struct buf *out)
{
	struct clean p;
	struct stat st;
	SCOPED_FD dir = -1;
	SCOPED_FD fd = -1;
	enum err e = locate(c, root, path, n, &p, &dir);

	if (e != ERR_OK)
		return e;
	if (*p.leaf == '\0')
		return fail(c, ERR_FORBIDDEN, "this is a directory: .");
	if (fstatat(dir, p.leaf, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail_errno(c, p.all);
	/* looked at before it is opened, for opening a device may do something */
	e = check_regular(c, &st, p.all);
	if (e != ERR_OK)
		return e;
	fd = openat(dir, p.leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return fail_errno(c, p.all);
	e = check_regular(c, &st, p.all);
	if (e != ERR_OK)
		return e;
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return fail(c, ERR_TOO_LARGE, "the file has %jd bytes, more than %zu: %s",
		    (intmax_t)st.st_size, max, p.all);
	return read_all(c, fd, max, out, p.all);
}

/* Is this one of the files, in the root itself or ("**" in front) anywhere, that are not for writing? */
static bool
is_managed(int top, int dir, const char *leaf, const char *const *managed)
{
	struct stat a, b;
	bool at_top = fstat(top, &a) == 0 && fstat(dir, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;

	for (; managed != NULL && *managed != NULL; managed++) {
		bool anywhere = strncmp(*managed, "**/", 3) == 0;

		if ((at_top || anywhere) && strcasecmp(anywhere ? *managed + 3 : *managed, leaf) == 0)
			return true;
	}
	return false;
}

enum err
sandbox_remove(struct ctx *c, const char *root, const char *path, size_t n, const char *const *managed)
{
	struct clean p;
	struct stat st;
	SCOPED_FD top = -1;
	SCOPED_FD dir = -1;
	enum err e = locate(c, root, path, n, &p, &dir);

	if (e == ERR_OK && managed != NULL)
		e = open_root(c, root, &top);
	if (e == ERR_OK && (*p.leaf == '\0' || fstatat(dir, p.leaf, &st, AT_SYMLINK_NOFOLLOW) != 0))
		return *p.leaf == '\0' ? fail(c, ERR_FORBIDDEN, "this is a directory: .") : fail_errno(c, p.all);
	if (e == ERR_OK)
		e = check_regular(c, &st, p.all);
	if (e == ERR_OK && is_managed(top, dir, p.leaf, managed))
		e = fail(c, ERR_FORBIDDEN, "this file is managed by the system: %s", p.all);
	if (e == ERR_OK && unlinkat(dir, p.leaf, 0) != 0)
		e = fail_errno(c, p.all);
	return e;
}

static bool
is_elsewhere(void)
{
	return errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ELOOP;
}

bool
sandbox_stamp(const char *root, const char *path, struct sandbox_stamp *ret)
{
	SCOPED_FD top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SCOPED_FD dir = -1;
	const char *slash = strrchr(path, '/');
	char parent[SANDBOX_NAME_MAX] = "";
	struct stat st;

	*ret = (struct sandbox_stamp){ 0 };
	if (top < 0)
		return is_elsewhere();
	if (slash != NULL && (size_t)(slash - path) >= sizeof(parent))
		return true;
	if (slash != NULL)
		memcpy(parent, path, (size_t)(slash - path));
	dir = open_dir(top, parent);
	if (dir < 0 || fstatat(dir, slash != NULL ? slash + 1 : path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return is_elsewhere();
	if (!S_ISREG(st.st_mode))
		return true;
	ret->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	ret->size = st.st_size;
	ret->ino = st.st_ino;
	return true;
}

/* --- writing -------------------------------------------------------------- */

/* Open a directory below root, making what is missing. */
static int
make_dirs(int root, char *rel)
{
	int fd = open_dir(root, rel);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	for (char *p = rel; p != NULL;) {
		SCOPED_FD parent = -1;
		char *end = strchr(p, '/');
		char *name;

		if (end != NULL)
			*end = '\0';
		fd = open_dir(root, rel);
		if (fd < 0 && errno == ENOENT) {
			name = strrchr(rel, '/');
			if (name != NULL)
				*name = '\0';
			parent = open_dir(root, name != NULL ? rel : "");
			if (name != NULL)
				*name = '/';
			if (parent >= 0 && (mkdirat(parent, name != NULL ? name + 1 : rel, 0700) == 0 ||
			    errno == EEXIST))
				fd = open_dir(root, rel);
			/* made, and still not there: a dangling link to somewhere */
			if (parent >= 0 && fd < 0 && errno == ENOENT)
				errno = EXDEV;
		}
		if (end == NULL)
			return fd;
		if (fd < 0)
			return -1;
		close(fd);
		*end = '/';
		p = end + 1;
	}
	return -1;
}

/* Temporary file in one directory, bytes, fsync, rename; errno when false, and then nothing is left behind. */
static bool
replace_from(int top, int dir, const char *leaf, mode_t mode, const void *bytes, size_t size)
{
	char tmp[FILE_TEMP_NAME];
	SCOPED_FD fd = -1;
	int err;

	file_temp_name(tmp);
	fd = openat(top, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	if (fchmod(fd, mode) == 0 && file_write(fd, bytes, size) && fsync(fd) == 0 &&
	    renameat(top, tmp, dir, leaf) == 0) {
		(void)fsync(dir);       /* the file is whole either way; this only dates the rename */
		return true;
	}
	err = errno;
	unlinkat(top, tmp, 0);
	errno = err;
	return false;
}

/* It is written in the root, where a start finds what is left of it; what cannot be moved from there is written beside the file. */
static bool
replace_at(int top, int dir, const char *leaf, mode_t mode, const void *bytes, size_t size)
{
	return replace_from(top, dir, leaf, mode, bytes, size) ||
	    ((errno == EXDEV || errno == EACCES || errno == EROFS) && replace_from(dir, dir, leaf, mode, bytes, size));
}

enum err
sandbox_write(struct ctx *c, const char *root, const char *path, size_t n,
    const void *bytes, size_t size, const char *const *managed)
{
	struct clean p;
	struct stat st;
	mode_t mode = 0600;
	SCOPED_FD top = -1;
	SCOPED_FD dir = -1;
	enum err e = clean_path(c, root, path, n, &p);

	if (e == ERR_OK)
		e = open_root(c, root, &top);
	if (e != ERR_OK)
		return e;
	if (*p.leaf == '\0')
		return fail(c, ERR_FORBIDDEN, "this is a directory: .");
	dir = make_dirs(top, p.dir);
	if (dir < 0)
		return fail_errno(c, p.all);
	if (is_managed(top, dir, p.leaf, managed))
		return fail(c, ERR_FORBIDDEN, "this file is managed by the system: %s", p.all);
	if (fstatat(dir, p.leaf, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		e = check_regular(c, &st, p.all);
		if (e != ERR_OK)
			return e;
		mode = st.st_mode & 0777;
	} else if (errno != ENOENT) {
		return fail_errno(c, p.all);
	}
	return replace_at(top, dir, p.leaf, mode, bytes, size) ? ERR_OK : fail_errno(c, p.all);
}

/* --- listing -------------------------------------------------------------- */

struct names { char **v; size_t n, cap; };

static void
names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static void
dir_done(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

static bool
add_name(struct names *l, const char *name, bool is_dir)
{
	size_t k = strlen(name);
	char *s;

	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		char **v = realloc(l->v, cap * sizeof(*v));

		if (v == NULL)
			return false;
		l->v = v;
		l->cap = cap;
	}
	s = malloc(k + 2);
	if (s == NULL)
		return false;
	memcpy(s, name, k);
	s[k] = is_dir ? '/' : '\0';
	s[k + is_dir] = '\0';
	l->v[l->n++] = s;
	return true;
}

static int
by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum err
collect(struct ctx *c, DIR *d, struct names *l)
{
	for (;;) {
		struct dirent *de = readdir(d);
		struct stat st;
		bool is_dir;

		if (de == NULL)
			return ERR_OK;
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 || file_is_temp(de->d_name))
			continue;
		is_dir = de->d_type == DT_DIR;
		if (de->d_type == DT_UNKNOWN)
			is_dir = fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
		if (l->n >= LIST_MAX)
			return fail(c, ERR_TOO_LARGE, "the directory has more than %d names", LIST_MAX);
		if (!add_name(l, de->d_name, is_dir))
			return fail(c, ERR_NOMEM, "out of memory");
	}
}

/* A name as text: whatever is no printable UTF-8 becomes '?'. */
static void
add_line(struct buf *out, const char *name)
{
	bool text = utf8_ok(name, strlen(name));

	for (; *name != '\0'; name++) {
		unsigned char ch = (unsigned char)*name;

		buf_ch(out, ch < 0x20 || ch == 0x7f || (ch >= 0x80 && !text) ? '?' : *name);
	}
	buf_ch(out, '\n');
}

enum err
sandbox_list(struct ctx *c, const char *root, const char *path, size_t n,
    size_t offset, size_t limit, struct buf *out, size_t *ret_total)
{
	struct clean p;
	struct stat st;
	SCOPED_FD dir = -1;
	__attribute__((cleanup(dir_done))) DIR *d = NULL;
	__attribute__((cleanup(names_done))) struct names l = { 0 };
	enum err e = locate(c, root, path, n, &p, &dir);
	int fd;

	if (e != ERR_OK)
		return e;
	if (*p.leaf != '\0' && fstatat(dir, p.leaf, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		return fail(c, ERR_FORBIDDEN, "Symlink leaf denied: %s", p.all);
	fd = openat(dir, *p.leaf != '\0' ? p.leaf : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_errno(c, p.all);
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return fail(c, ERR_NOMEM, "out of memory");
	}
	e = collect(c, d, &l);
	if (e != ERR_OK)
		return e;
	qsort(l.v, l.n, sizeof(*l.v), by_bytes);
	for (size_t i = offset; i < l.n && i - offset < limit; i++)
		add_line(out, l.v[i]);
	*ret_total = l.n;
	return ERR_OK;
}
