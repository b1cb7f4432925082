/*
 * An archive into a home. What comes in may be anybody's: names that lead out of the directory, and everything
 * that is no file, directory or link of a workspace, end it; nothing that the archive says of owners or special
 * modes counts. It is unpacked beside the old things and looked at; only then names are exchanged, with a mark
 * in the home as long as that lasts.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/backup.h"
#include "db/db.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

/* --- unpacking ------------------------------------------------------------------------- */

/* Relative, and no part of it is empty, "." or "..". */
static bool
good_name(const char *name)
{
	size_t len = name != NULL ? strlen(name) : 0;

	if (len == 0 || len >= NAME_MAX_BYTES)
		return false;
	while (*name != '\0') {
		size_t n = strcspn(name, "/");

		if (n == 0 || (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		name += n;
		name += *name == '/';
	}
	return true;
}

static const char *
refusal(struct archive_entry *e)
{
	mode_t type = archive_entry_filetype(e);

	if (!good_name(archive_entry_pathname(e)))
		return "a name leads out of the home: the archive is refused";
	if (archive_entry_hardlink(e) != NULL || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return "neither file, directory nor symbolic link: the archive is refused";
	if (type == AE_IFLNK && strncmp(archive_entry_pathname(e), "workspaces/", 11) != 0)
		return "a link outside of the agents' workspaces: the archive is refused";
	return NULL;
}

static int
take_entry(struct archive *in, struct archive *disk, struct archive_entry *e)
{
	const char *no = refusal(e), *name = archive_entry_pathname(e);
	const void *part;
	size_t n;
	la_int64_t at;
	int got;

	if (no != NULL)
		return broken(name != NULL ? name : "an entry without a name", no);
	archive_entry_set_perm(e, archive_entry_filetype(e) == AE_IFDIR ? 0700 : (archive_entry_perm(e) & 0700) | 0600);
	if (archive_write_header(disk, e) < ARCHIVE_WARN)
		return broken(name, archive_error_string(disk));
	while ((got = archive_read_data_block(in, &part, &n, &at)) == ARCHIVE_OK)
		if (archive_write_data_block(disk, part, n, at) < ARCHIVE_WARN)
			return broken(name, archive_error_string(disk));
	if (got != ARCHIVE_EOF)
		return broken("the archive", archive_error_string(in));
	if (archive_write_finish_entry(disk) < ARCHIVE_WARN)
		return broken(name, archive_error_string(disk));
	return 0;
}

/* The manifest is first, so that a wrong file is refused before anything of it is written. */
static int
take_all(struct archive *in, struct archive *disk)
{
	struct archive_entry *e;
	bool first = true;
	int got, rc = 0;

	for (; rc == 0 && (got = archive_read_next_header(in, &e)) != ARCHIVE_EOF; first = false) {
		const char *name = got >= ARCHIVE_WARN ? archive_entry_pathname(e) : NULL;

		if (got < ARCHIVE_WARN)
			rc = broken("the archive", archive_error_string(in));
		else if (first && (name == NULL || strcmp(name, MANIFEST_NAME) != 0))
			rc = broken("the archive", "it is no backup of LibreFang");
		else
			rc = take_entry(in, disk, e);
	}
	return rc == 0 && first ? broken("the archive", "it is no backup of LibreFang") : rc;
}

static int
unpack(int fd, const char *dir)
{
	struct archive *in = archive_read_new(), *disk = archive_write_disk_new();
	int rc;

	if (in == NULL || disk == NULL || chdir(dir) != 0 || archive_read_support_format_zip(in) != ARCHIVE_OK ||
	    archive_write_disk_set_options(disk, ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_PERM |
	        ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
	        ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS) != ARCHIVE_OK)
		rc = broken(dir, "cannot be written");
	else if (archive_read_open_fd(in, fd, PART_BYTES) != ARCHIVE_OK)
		rc = broken("the archive", "it is no backup of LibreFang");
	else
		rc = take_all(in, disk);
	if (disk != NULL && archive_write_close(disk) != ARCHIVE_OK && rc == 0)
		rc = broken(dir, archive_error_string(disk));
	archive_write_free(disk);
	archive_read_free(in);
	return rc;
}

/* --- is it what it should be? ---------------------------------------------------------------- */

static bool
good_manifest(const char *dir)
{
	SCOPED_BUF b = BUF_INIT(65536);
	char path[PATH_BYTES];
	struct json_object *j = NULL;
	bool good;

	path_in(path, dir, MANIFEST_NAME);
	if (buf_read_file(&b, path) == ERR_OK && b.p != NULL && json_check(b.p, b.len, 8, NULL) == ERR_OK)
		j = json_tokener_parse(b.p);
	good = js_i64(j, "version", 0) == 1 && js_arr(j, "components") != NULL;
	json_object_put(j);
	return good;
}

static int
look(const char *dir)
{
	char path[PATH_BYTES];
	struct db_state s;
	enum err e;

	if (!good_manifest(dir))
		return broken("the archive", "it is no backup of LibreFang, or of another kind");

	path_in(path, dir, STORE_NAME);
	e = db_look(path, true, &s);
	if (e == ERR_NOT_FOUND)
		return 0;
	if (e != ERR_OK)
		return broken("the store in the archive", s.fault[0] != '\0' ? s.fault : err_code(e));
	if (s.min_reader > db_newest_version())
		return broken("the store in the archive", "it was written by a newer version");
	return 0;
}

/* --- in place ----------------------------------------------------------------------------------- */

/* Names of a directory, on the heap; NULL ended. */
static char **
names_in(const char *dir)
{
	DIR *d = opendir(dir);
	char **all = NULL;
	size_t n = 0;
	struct dirent *e;

	if (d == NULL)
		return NULL;
	while ((e = readdir(d)) != NULL) {
		char **more;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		more = realloc(all, (n + 2) * sizeof(*all));
		if (more == NULL || (more[n] = strdup(e->d_name)) == NULL)
			abort();
		all = more;
		all[++n] = NULL;
	}
	closedir(d);
	if (all == NULL)
		all = calloc(1, sizeof(*all));
	return all;
}

/* Move what may be moved from one directory to the other. */
static int
move_all(const char *from, const char *to, bool (*which)(const char *))
{
	char **names = names_in(from), a[PATH_BYTES], b[PATH_BYTES];
	int rc = names == NULL ? broken(from, strerror(errno)) : 0;

	for (char **p = names; p != NULL && *p != NULL; p++) {
		path_in(a, from, *p);
		path_in(b, to, *p);
		if (rc == 0 && which(*p) && rename(a, b) != 0)
			rc = broken(b, strerror(errno));
		free(*p);
	}
	free(names);
	return rc;
}

/* How this machine runs it is not the archive's affair. */
static bool
goes_aside(const char *name)
{
	return is_of_home(name) && strcmp(name, "librefang.ini") != 0;
}

static bool
comes_in(const char *name)
{
	return is_of_home(name) && strcmp(name, MANIFEST_NAME) != 0;
}

static int
mark(const char *pending)
{
	SCOPED_FD fd = open(pending, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || fsync(fd) != 0)
		return broken(pending, strerror(errno));
	return 0;
}

static int
put_in_place(const char *dir, const char *home, char aside[static PATH_BYTES])
{
	char pending[PATH_BYTES], ours[PATH_BYTES], theirs[PATH_BYTES], when[20], name[80];
	SCOPED_FD fd = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	stamp(when);
	path_in(aside, home, "backups");
	if (fd < 0 || !dir_make(aside, 0700))
		return broken(aside, strerror(errno));
	snprintf(name, sizeof(name), "backups/before-restore_%s_%d", when, (int)getpid());
	path_in(aside, home, name);
	if (mkdir(aside, 0700) != 0)
		return broken(aside, strerror(errno));
	path_in(ours, home, "librefang.ini");
	path_in(theirs, dir, "librefang.ini");
	if (access(ours, F_OK) == 0)
		(void)unlink(theirs);
	path_in(pending, home, PENDING_NAME);
	if (syncfs(fd) != 0)
		return broken(home, strerror(errno));
	rc = mark(pending);
	if (rc == 0)
		rc = move_all(home, aside, goes_aside);
	if (rc == 0)
		rc = move_all(dir, home, comes_in);
	if (rc == 0 && syncfs(fd) != 0)
		rc = broken(home, strerror(errno));
	if (rc == 0 && unlink(pending) != 0)
		rc = broken(pending, strerror(errno));
	return rc;
}

static void
say_done(const char *file, const char *aside)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_str(&w, "restored", file);
	jw_str(&w, "previous", aside);
	jw_end(&w);
	printf("%s\n", b.failed ? "{}" : b.p);
}

int
backup_open(const char *file, const char *home)
{
	SCOPED_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	char dir[PATH_BYTES], aside[PATH_BYTES];
	int rc;

	if (fd < 0)
		return broken(file, strerror(errno));
	if (strlen(home) > NAME_MAX_BYTES - 100)
		return broken(home, "the name is too long");
	path_in(dir, home, ".restore-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return broken(dir, strerror(errno));
	rc = unpack(fd, dir);
	if (rc == 0)
		rc = look(dir);
	if (rc == 0)
		rc = put_in_place(dir, home, aside);
	remove_tree(dir);
	if (rc == 0)
		say_done(file, aside);
	return rc;
}
