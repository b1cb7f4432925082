/*
 * Fuzz: an archive that is restored. The first byte says whether the rest is the archive, or what one is made of: entries of a kind,
 * a length and a name, a length and bytes. Nothing outside the home is touched; what is refused leaves the home as it was, and
 * what is taken leaves the old things aside.
 * sources: lib/base/*.c db/*.c backup/open.c
 * libs: sqlite3 libarchive
 */
#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backup/backup.h"
#include "lib/base/util.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { ENTRIES = 16 };

static const char manifest[] = "{\"version\":1,\"components\":[]}";
static char zip[128], home[128];

/* --- what backup/main.c has, without its words ---------------------------------------- */

int
broken(const char *what, const char *why)
{
	MUST(what != NULL);
	(void)why;
	return 1;
}

bool
is_of_home(const char *name)
{
	return strcmp(name, "backups") != 0 && strcmp(name, PENDING_NAME) != 0 && strncmp(name, ".restore-", 9) != 0;
}

void
stamp(char out[static 20])
{
	strcpy(out, "20261124_104401");
}

void
path_in(char out[static PATH_BYTES], const char *dir, const char *name)
{
	snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

void
remove_tree(const char *dir)
{
	MUST(strncmp(dir, home, strlen(home)) == 0);
	(void)nftw(dir, place_drop, 16, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(dir);
}

/* --- an archive of entries -------------------------------------------------------------- */

static size_t
piece(const uint8_t **p, size_t *n, char out[static 256])
{
	size_t k = *n > 0 ? **p : 0;

	if (*n > 0) {
		++*p;
		--*n;
	}
	k = k < *n ? k : *n;
	memcpy(out, *p, k);
	out[k] = '\0';
	*p += k;
	*n -= k;
	return k;
}

static void
add(struct archive *a, int kind, const char *name, const char *bytes, size_t n)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, kind == 1 ? AE_IFDIR : kind == 2 ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(e, kind == 3 ? 06777 : 0644);
	if (kind == 2)
		archive_entry_set_symlink(e, bytes);
	else
		archive_entry_set_size(e, kind == 1 ? 0 : (la_int64_t)n);
	if (archive_write_header(a, e) == ARCHIVE_OK && kind != 1 && kind != 2)
		(void)archive_write_data(a, bytes, n);
	archive_entry_free(e);
}

static void
make(const uint8_t *p, size_t n)
{
	struct archive *a = archive_write_new();
	char name[256], bytes[256];

	MUST(a != NULL && archive_write_set_format_zip(a) == ARCHIVE_OK && archive_write_open_filename(a, zip) == ARCHIVE_OK);
	add(a, 0, MANIFEST_NAME, manifest, strlen(manifest));
	for (int i = 0; i < ENTRIES && n > 0; i++) {
		int kind = *p % 4;
		size_t k;

		p++;
		n--;
		(void)piece(&p, &n, name);
		k = piece(&p, &n, bytes);
		add(a, kind, name, bytes, k);
	}
	archive_write_close(a);
	archive_write_free(a);
}

/* --- before and after --------------------------------------------------------------------- */

static unsigned
names_in(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	MUST(d != NULL);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void
set_up(void)
{
	place_clear();
	MUST(mkdir(place_of("home"), 0700) == 0 && mkdir(place_of("home/data"), 0700) == 0);
	place_put("home/config.toml", "old", 3);
	place_put("home/data/x", "y", 1);
	place_put("outside", "out", 3);
}

static void
look(int rc)
{
	struct stat st;

	MUST(place_holds("outside", "out", 3) && names_in(place) == 3 && lstat(place_of("home"), &st) == 0 && S_ISDIR(st.st_mode));
	if (rc != 0) {
		MUST(place_holds("home/config.toml", "old", 3) && place_holds("home/data/x", "y", 1) && names_in(home) == 2);
		return;
	}
	MUST(place_holds("home/backups/before-restore_20261124_104401_1/config.toml", "old", 3));
	MUST(place_holds("home/backups/before-restore_20261124_104401_1/data/x", "y", 1));
	MUST(access(place_of("home/" PENDING_NAME), F_OK) != 0 && access(place_of("home/" MANIFEST_NAME), F_OK) != 0);
}

pid_t
getpid(void)
{
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (place[0] == '\0') {
		place_begin();
		snprintf(zip, sizeof(zip), "%s/a.zip", place);
		snprintf(home, sizeof(home), "%s/home", place);
		MUST(freopen("/dev/null", "w", stdout) != NULL);
	}
	if (n == 0)
		return 0;
	set_up();
	if (data[0] % 2 == 0)
		place_put("a.zip", data + 1, n - 1);
	else
		make(data + 1, n - 1);
	look(backup_open(zip, home));
	MUST(chdir("/") == 0);
	return 0;
}
