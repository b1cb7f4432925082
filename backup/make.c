/*
 * A home into an archive. What is not a plain copy (the manifest, the store) is laid down in a directory of
 * our own first and goes in first; then the home, without those. The archive gets its name when it is whole and
 * on the disk.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/backup.h"
#include "db/db.h"
#include "lib/base/file.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "version.h"

struct making {
	struct archive *out;
	struct stat self;               /* the archive itself, should it be in the home */
	const char *extra;              /* what we laid down */
};

/* --- what goes in ------------------------------------------------------------------ */

static bool
is_store(const char *name)
{
	size_t n = strlen(STORE_NAME);

	return strncmp(name, STORE_NAME, n) == 0 &&
	    (name[n] == '\0' || strcmp(name + n, "-wal") == 0 || strcmp(name + n, "-shm") == 0);
}

static bool
wanted(const struct making *m, struct archive_entry *e, const char *name, bool home)
{
	mode_t type = archive_entry_filetype(e);

	if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
		return false;
	if (archive_entry_ino64(e) == (la_int64_t)m->self.st_ino && archive_entry_dev(e) == m->self.st_dev)
		return false;
	return !home || (is_of_home(name) && !is_store(name) && strcmp(name, MANIFEST_NAME) != 0);
}

static int
put_data(struct making *m, struct archive *disk)
{
	char part[PART_BYTES];
	ssize_t n;

	while ((n = archive_read_data(disk, part, sizeof(part))) > 0)
		if (archive_write_data(m->out, part, (size_t)n) < 0)
			return broken("writing the archive", archive_error_string(m->out));
	return 0;
}

static int
put_entry(struct making *m, struct archive *disk, struct archive_entry *e, bool home)
{
	const char *path = archive_entry_pathname(e);
	char name[NAME_MAX_BYTES];

	if (strcmp(path, ".") == 0) {
		(void)archive_read_disk_descend(disk);
		return 0;
	}
	if (snprintf(name, sizeof(name), "%s", strncmp(path, "./", 2) == 0 ? path + 2 : path) >= NAME_MAX_BYTES)
		return broken(path, "the name is too long");
	if (!wanted(m, e, name, home))
		return 0;
	if (archive_entry_filetype(e) == AE_IFDIR && archive_read_disk_descend(disk) != ARCHIVE_OK)
		return 0;                       /* gone meanwhile */
	if (home && strcmp(name, "data") == 0)  /* of ours already */
		return 0;
	archive_entry_copy_pathname(e, name);
	if (archive_write_header(m->out, e) < ARCHIVE_WARN)
		return broken("writing the archive", archive_error_string(m->out));
	return archive_entry_filetype(e) == AE_IFREG ? put_data(m, disk) : 0;
}

/* ARCHIVE_FAILED is one entry's trouble, a file that vanished say; FATAL is everybody's. */
static int
put_tree(struct making *m, const char *dir, bool home)
{
	struct archive *disk = archive_read_disk_new();
	struct archive_entry *e = archive_entry_new();
	int rc = 0, got;

	if (disk == NULL || e == NULL || chdir(dir) != 0 ||
	    archive_read_disk_set_symlink_physical(disk) != ARCHIVE_OK ||
	    archive_read_disk_set_behavior(disk, ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS | ARCHIVE_READDISK_NO_XATTR |
	        ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_FFLAGS) != ARCHIVE_OK ||
	    archive_read_disk_open(disk, ".") != ARCHIVE_OK)
		rc = broken(dir, strerror(errno));
	while (rc == 0 && (got = archive_read_next_header2(disk, e)) != ARCHIVE_EOF) {
		if (got == ARCHIVE_FATAL)
			rc = broken(dir, archive_error_string(disk));
		else if (got != ARCHIVE_FAILED)
			rc = put_entry(m, disk, e, home);
		archive_entry_clear(e);
	}
	archive_entry_free(e);
	archive_read_free(disk);
	return rc;
}

static int
put_all(int fd, const char *home, const char *extra)
{
	struct making m = { .out = archive_write_new(), .extra = extra };
	int rc;

	if (m.out == NULL || fstat(fd, &m.self) != 0 || archive_write_set_format_zip(m.out) != ARCHIVE_OK ||
	    archive_write_open_fd(m.out, fd) != ARCHIVE_OK)
		rc = broken("the archive", "it cannot be begun");
	else if ((rc = put_tree(&m, extra, false)) == 0)
		rc = put_tree(&m, home, true);
	if (m.out != NULL && archive_write_close(m.out) != ARCHIVE_OK && rc == 0)
		rc = broken("writing the archive", archive_error_string(m.out));
	archive_write_free(m.out);
	return rc;
}

/* --- what is laid down first ------------------------------------------------------- */

static void
write_components(struct jw *w, const char *home)
{
	static const struct { const char *name, *path; } parts[] = {
		{ "config", "config.toml" }, { "cron_jobs", "cron_jobs.json" }, { "hand_state", "hand_state.json" },
		{ "custom_models", "custom_models.json" }, { "agents", "workspaces/agents" }, { "skills", "skills" },
		{ "workflows", "workflows" }, { "data", "data" },
	};
	char path[PATH_BYTES];

	jw_array(w, "components");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		path_in(path, home, parts[i].path);
		if (access(path, F_OK) == 0)
			jw_str(w, NULL, parts[i].name);
	}
	jw_end(w);
}

static int
lay_manifest(const char *home, const char *extra)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	char path[PATH_BYTES], now[25], host[256] = "";
	FILE *f;

	time_rfc3339(clock_ms(), now);
	(void)gethostname(host, sizeof(host) - 1);
	jw_object(&w, NULL);
	jw_i64(&w, "version", 1);
	jw_str(&w, "created_at", now);
	jw_str(&w, "hostname", host);
	jw_str(&w, "librefang_version", LF_VERSION);
	write_components(&w, home);
	jw_end(&w);
	path_in(path, extra, MANIFEST_NAME);
	f = fopen(path, "wxe");
	if (f == NULL || b.failed || fwrite(b.p, 1, b.len, f) != b.len || fclose(f) != 0)
		return broken(path, strerror(errno));
	return 0;
}

static int
lay_store(const char *db, const char *extra)
{
	char path[PATH_BYTES], msg[300] = "";
	struct db_state s;
	enum err e;

	path_in(path, extra, "data");
	if (mkdir(path, 0700) != 0)
		return broken(path, strerror(errno));
	path_in(path, extra, STORE_NAME);
	e = db_copy(db, path, msg, sizeof(msg));
	if (e == ERR_NOT_FOUND)                 /* no server has ever run here */
		return 0;
	if (e != ERR_OK)
		return broken(db, msg[0] != '\0' ? msg : err_code(e));
	if (db_look(path, false, &s) != ERR_OK)
		return broken(db, s.fault[0] != '\0' ? s.fault : "the store is damaged");
	return 0;
}

/* --- the file ------------------------------------------------------------------------ */

static int
keep(const char *part, const char *name, int fd)
{
	if (fsync(fd) != 0)
		return broken(name, strerror(errno));
	if (renameat2(AT_FDCWD, part, AT_FDCWD, name, RENAME_NOREPLACE) != 0 &&
	    (errno != EINVAL || access(name, F_OK) == 0 || rename(part, name) != 0))      /* a file system that knows no flags */
		return broken(name, strerror(errno));
	file_settle(name);
	return 0;
}

static void
say_done(const char *name, const char *home)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);
	char copy[PATH_BYTES], now[25];
	struct stat st = { 0 };

	(void)stat(name, &st);
	snprintf(copy, sizeof(copy), "%s", name);
	time_rfc3339(clock_ms(), now);
	jw_object(&w, NULL);
	jw_str(&w, "filename", basename(copy));
	jw_str(&w, "path", name);
	jw_i64(&w, "size_bytes", (int64_t)st.st_size);
	write_components(&w, home);
	jw_str(&w, "created_at", now);
	jw_end(&w);
	printf("%s\n", b.failed ? "{}" : b.p);
}

/* A directory means: a name of our own in it. Absolute, as we walk about. */
static bool
full_name(const char *file, char out[static PATH_BYTES])
{
	char cwd[NAME_MAX_BYTES] = "", when[20];
	struct stat st;
	int n;

	if (file[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return false;
	n = snprintf(out, PATH_BYTES, "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", file);
	if (n >= NAME_MAX_BYTES)
		return false;
	if (stat(out, &st) != 0 || !S_ISDIR(st.st_mode))
		return true;
	stamp(when);
	snprintf(out + n, PATH_BYTES - (size_t)n, "%slibrefang_backup_%s.zip", out[n - 1] == '/' ? "" : "/", when);
	return true;
}

static int
make_in(const char *extra, const char *home, const char *db, const char *name)
{
	char part[PATH_BYTES + 8];
	SCOPED_FD fd = -1;
	int rc = lay_manifest(home, extra);

	if (rc == 0)
		rc = lay_store(db, extra);
	if (rc != 0)
		return rc;
	snprintf(part, sizeof(part), "%s.part", name);
	fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return broken(part, strerror(errno));
	rc = put_all(fd, home, extra);
	if (rc == 0)
		rc = keep(part, name, fd);
	if (rc != 0)
		(void)unlink(part);
	return rc;
}

int
backup_make(const char *home, const char *db, const char *file)
{
	char name[PATH_BYTES], extra[PATH_BYTES];
	int rc;

	if (strlen(home) >= NAME_MAX_BYTES - 100 || strlen(db) >= NAME_MAX_BYTES || !full_name(file, name))
		return broken(file, "the name is too long");
	if (access(name, F_OK) == 0)
		return broken(name, "it exists");
	path_in(extra, home, "backups");
	if (!dir_make(extra, 0700))
		return broken(extra, strerror(errno));
	path_in(extra, home, "backups/.making-XXXXXX");
	if (mkdtemp(extra) == NULL)
		return broken(extra, strerror(errno));
	rc = make_in(extra, home, db, name);
	remove_tree(extra);
	if (rc == 0)
		say_done(name, home);
	return rc;
}
