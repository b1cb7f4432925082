/*
 * Where a home and its run directory are.
 *
 * All processes of one home must come to the same answer, and two homes never
 * to the same: so what is not in the home is named by a hash of its path. The
 * run directory may stand in /tmp, where others can put things first;
 * what is there is used only when it is a directory of ours.
 */
#include <ctype.h>
#include <errno.h>
#include <iniparser/iniparser.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "lib/svc/config.h"

enum { HOME_BYTES_MAX = 3900, HASH_DIGITS = 12 };

static const char system_ini[] = "/etc/librefang/librefang.ini";

/* What went wrong, for the user. */
static enum err __attribute__((format(printf, 4, 5)))
say(enum err e, char *msg, size_t cap, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(msg, cap, fmt, ap);
	va_end(ap);
	return e;
}

static bool MUST_CHECK __attribute__((format(printf, 3, 4)))
put(char *out, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, cap, fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < cap;
}

static const char *
env(const char *name)
{
	const char *s = getenv(name);

	return s != NULL && *s != '\0' ? s : NULL;
}

/* The user's own directory. */
static const char *
user_home(void)
{
	const char *s = env("HOME");
	const struct passwd *pw;

	if (s != NULL && s[0] == '/')
		return s;
	pw = getpwuid(geteuid());
	return pw != NULL && pw->pw_dir != NULL && pw->pw_dir[0] == '/' ? pw->pw_dir : NULL;
}

/* Network file systems do not keep SQLite's locks and shared memory together. */
const char *
path_network_fs(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return NULL;
	switch ((uint32_t)fs.f_type) {
	case NFS_SUPER_MAGIC:
		return "NFS";
	case SMB_SUPER_MAGIC:
	case 0xff534d42:                /* CIFS */
	case 0xfe534d42:                /* SMB 2 and later */
		return "CIFS";
	default:
		return NULL;
	}
}

static enum err
refuse_network(const char *what, const char *path, char *msg, size_t cap)
{
	const char *fs = path_network_fs(path);

	if (fs == NULL)
		return ERR_OK;
	return say(ERR_INVALID, msg, cap, "%s %s is on a network file system (%s), which cannot hold"
	    " the database and its shared memory: choose one on a local disk", what, path, fs);
}

static void
cut_slashes(char *path)
{
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
}

static enum err
absolute(const char *path, char out[static 4096], char *msg, size_t cap)
{
	char cwd[4096];

	if (path[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return say(ERR_IO, msg, cap, "the current directory is gone");
	if (!put(out, 4096, "%s%s%s", path[0] == '/' ? "" : cwd, path[0] == '/' ? "" : "/", path))
		return say(ERR_INVALID, msg, cap, "the home's path is too long");
	cut_slashes(out);
	return ERR_OK;
}

static enum err
find_home(struct run_paths *p, const char *arg, bool make, char *msg, size_t cap)
{
	const char *from = arg != NULL && *arg != '\0' ? arg : env("LIBREFANG_HOME");
	char *real, plain[4096];
	struct stat st;
	enum err e;

	if (from == NULL) {
		const char *own = user_home();

		if (own == NULL)
			return say(ERR_INVALID, msg, cap, "no home: set LIBREFANG_HOME");
		if (!put(plain, sizeof(plain), "%s/.librefang", own))
			return say(ERR_INVALID, msg, cap, "the home's path is too long");
		from = plain;
	}
	e = absolute(from, p->home, msg, cap);
	if (e != ERR_OK)
		return e;
	if (make && !dir_make(p->home, 0700))
		return say(ERR_IO, msg, cap, "cannot make the home %s: %s", p->home, strerror(errno));
	real = realpath(p->home, NULL);
	if (real != NULL) {
		bool fits = put(p->home, sizeof(p->home), "%s", real);

		free(real);
		if (!fits)
			return say(ERR_INVALID, msg, cap, "the home's path is too long");
	}
	if (strlen(p->home) > HOME_BYTES_MAX)
		return say(ERR_INVALID, msg, cap, "the home's path is too long");
	if (stat(p->home, &st) == 0 && !S_ISDIR(st.st_mode))
		return say(ERR_INVALID, msg, cap, "the home %s is not a directory", p->home);
	return refuse_network("the home", p->home, msg, cap);
}

static _Thread_local int ini_bad_line;

/* iniparser says "... file (line):" on its way; only the line is kept. */
static int
ini_complaint(const char *fmt, ...)
{
	char text[8192];
	const char *at;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	at = strstr(text, "):\n");
	while (at != NULL && at > text && isdigit((unsigned char)at[-1]))
		at--;
	if (ini_bad_line == 0 && at != NULL)
		ini_bad_line = atoi(at);
	return 0;
}

/* The ini file that counts, or NULL: none, or broken, then *broken is its path. */
static dictionary *
ini_open(const struct run_paths *p, char path[static 4096], bool *broken)
{
	struct stat st;
	dictionary *d;

	*broken = false;
	if (!put(path, 4096, "%s/librefang.ini", p->home) || stat(path, &st) != 0)
		memcpy(path, system_ini, sizeof(system_ini));
	if (stat(path, &st) != 0)
		return NULL;
	ini_bad_line = 0;
	iniparser_set_error_callback(ini_complaint);
	d = S_ISREG(st.st_mode) ? iniparser_load(path) : NULL;
	*broken = d == NULL;
	return d;
}

bool
ini_get(const struct run_paths *p, const char *key, char *out, size_t cap)
{
	char path[4096], full[128];
	const char *s;
	bool broken, set;
	dictionary *d = ini_open(p, path, &broken);

	if (d == NULL)
		return false;
	s = put(full, sizeof(full), "librefang:%s", key) ? iniparser_getstring(d, full, NULL) : NULL;
	set = s != NULL && *s != '\0' && put(out, cap, "%s", s);
	iniparser_freedict(d);
	return set;
}

static enum err
check_ini(const struct run_paths *p, char *msg, size_t cap)
{
	char path[4096];
	bool broken;
	dictionary *d = ini_open(p, path, &broken);

	if (d != NULL)
		iniparser_freedict(d);
	if (!broken)
		return ERR_OK;
	return say(ERR_INVALID, msg, cap, "%s:%d: not a line of an ini file", path, ini_bad_line);
}

/* Is this the home that the user gets without asking? Then the plain name is its. */
static bool
is_default_home(const struct run_paths *p)
{
	const char *own = user_home();
	char path[4096], *real;
	bool same;

	if (own == NULL || !put(path, sizeof(path), "%s/.librefang", own))
		return false;
	real = realpath(path, NULL);
	same = strcmp(real != NULL ? real : path, p->home) == 0;
	free(real);
	return same;
}

static bool
is_own_dir(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid() && access(path, W_OK | X_OK) == 0;
}

static bool
choose_run(struct run_paths *p, const char *hash)
{
	const char *told = env("LIBREFANG_RUN_DIR"), *xdg = env("XDG_RUNTIME_DIR");
	char named[4096];

	if (told != NULL)
		return put(p->run, sizeof(p->run), "%s", told);
	if (ini_get(p, "run_dir", named, sizeof(named)))
		return put(p->run, sizeof(p->run), "%s", named);
	if (geteuid() == 0 && access("/run", W_OK) == 0)
		return put(p->run, sizeof(p->run), "/run/librefang%s%s",
		    is_default_home(p) ? "" : "-", is_default_home(p) ? "" : hash);
	if (xdg != NULL && is_own_dir(xdg) && put(p->run, sizeof(p->run), "%s/librefang-%s", xdg, hash))
		return true;
	return put(p->run, sizeof(p->run), "/tmp/librefang-%lu-%s", (unsigned long)geteuid(), hash);
}

/* A directory, not a link to one, of ours or of root, that nobody else may write to. */
static enum err
check_run(const char *run, bool make, char *msg, size_t cap)
{
	struct stat st;

	if (run[0] != '/')
		return say(ERR_INVALID, msg, cap, "run_dir %s is not an absolute path", run);
	if (make && mkdir(run, 0700) != 0 && errno != EEXIST && !dir_make(run, 0700))
		return say(ERR_IO, msg, cap, "cannot make the run directory %s: %s", run, strerror(errno));
	if (lstat(run, &st) != 0) {
		if (!make && errno == ENOENT)
			return ERR_OK;
		return say(ERR_IO, msg, cap, "the run directory %s: %s", run, strerror(errno));
	}
	if (!S_ISDIR(st.st_mode))
		return say(ERR_INVALID, msg, cap, "the run directory %s is not a directory", run);
	if (st.st_uid != geteuid() && (make || st.st_uid != 0))
		return say(ERR_INVALID, msg, cap, "the run directory %s belongs to somebody else", run);
	if ((st.st_mode & 022) != 0)
		return say(ERR_INVALID, msg, cap, "the run directory %s is open to others: its mode must be 0700", run);
	return refuse_network("the run directory", run, msg, cap);
}

static bool
name_files(struct run_paths *p, const char *hash)
{
	const char *own = env("LIBREFANG_CONFIG_PATH");
	char cwd[4096] = "";

	if (own != NULL && own[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
		return false;
	if (own != NULL ? !put(p->config, sizeof(p->config), "%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", own)
	    : !put(p->config, sizeof(p->config), "%s/config.toml", p->home))
		return false;
	return put(p->shm, sizeof(p->shm), "/librefang-%s-%d", hash, SHM_VERSION) &&
	    put(p->fcgi_sock, sizeof(p->fcgi_sock), "%s/fcgi.sock", p->run) &&
	    put(p->front_sock, sizeof(p->front_sock), "%s/front.sock", p->run) &&
	    put(p->control_sock, sizeof(p->control_sock), "%s/control.sock", p->run) &&
	    put(p->snapshot, sizeof(p->snapshot), "%s/config.json", p->run) &&
	    put(p->lock, sizeof(p->lock), "%s/librefang.lock", p->home);
}

enum err
run_paths_init(struct run_paths *p, const char *home, bool make, char *msg, size_t cap)
{
	uint8_t sum[32];
	char hash[65];
	enum err e;

	*p = (struct run_paths){ .home = "" };
	if (cap > 0)
		msg[0] = '\0';
	e = find_home(p, home, make, msg, cap);
	if (e == ERR_OK)
		e = check_ini(p, msg, cap);
	if (e != ERR_OK)
		return e;
	sha256(p->home, strlen(p->home), sum);
	hex_of(sum, sizeof(sum), hash);
	hash[HASH_DIGITS] = '\0';
	if (!choose_run(p, hash))
		return say(ERR_INVALID, msg, cap, "the run directory's path is longer than %zu bytes",
		    sizeof(p->run) - 1);
	cut_slashes(p->run);
	e = check_run(p->run, make, msg, cap);
	if (e != ERR_OK)
		return e;
	if (!name_files(p, hash))
		return say(ERR_INVALID, msg, cap, "a path is too long");
	return ERR_OK;
}
