/*
 * Files below one directory, and nothing else.
 *
 * Every path comes from a model or a client. The kernel keeps the walk inside
 * the root (openat2 with RESOLVE_BENEATH); no decision rests on the text of a path alone.
 * Directory symlinks that stay inside are followed, a symlink as the last
 * component never is. Only regular files are read or replaced.
 *
 * root is an absolute directory; path (n bytes) is relative to it, or
 * absolute below it. Errors, with a sentence in c->fault:
 *   INVALID    a path that can be none: empty, NUL, control characters, bad UTF-8, too long
 *   FORBIDDEN  "Path traversal denied", "Symlink leaf denied", "... resolves outside workspace", not a regular file
 *   NOT_FOUND  nothing there
 *   TOO_LARGE  beyond the limit
 *   IO         the disk failed or is full
 */
#ifndef LF_SANDBOX_H
#define LF_SANDBOX_H
#include "lib/base/buf.h"

enum { SANDBOX_PATH_MAX = 4096, SANDBOX_NAME_MAX = 255 };

/* Append a whole file of at most max bytes to out. */
enum err sandbox_read(struct ctx *, const char *root, const char *path, size_t n,
    size_t max, struct buf *out) MUST_CHECK;

/*
 * Replace or make a file (0600, an old one keeps its mode) at once: a temporary file (file.h) in the root, fsync, rename. Missing
 * directories are made (0700). managed: names of files directly in root, or with "**" and a slash in front anywhere in
 * it, that may not be written, NULL-ended; NULL: none.
 */
enum err sandbox_write(struct ctx *, const char *root, const char *path, size_t n,
    const void *bytes, size_t size, const char *const *managed) MUST_CHECK;

/* Remove a regular file; managed as above. */
enum err sandbox_remove(struct ctx *, const char *root, const char *path, size_t n, const char *const *managed) MUST_CHECK;

/*
 * Names in a directory, one a line, sorted by bytes, directories with a
 * slash, appended to out. ret_total: how many there are in all.
 */
enum err sandbox_list(struct ctx *, const char *root, const char *path, size_t n,
    size_t offset, size_t limit, struct buf *out, size_t *ret_total) MUST_CHECK;

/*
 * What a file looks like now, to see whether it changed; all 0 when it is not there or no regular file.
 * false: it cannot be known (errno).
 */
struct sandbox_stamp { int64_t mtime_ns, size; uint64_t ino; };
bool sandbox_stamp(const char *root, const char *path, struct sandbox_stamp *ret) MUST_CHECK;

/* How many bytes of an absolute path name the root, as it is written or as it really is; 0: it lies elsewhere. */
size_t sandbox_holds(const char *root, const char *path, size_t n);

/* Tests: behave as on a kernel that has no openat2. */
extern bool sandbox_portable;
#endif
