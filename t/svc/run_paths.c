/* Where a home and its run directory are. */
#include "lib/base/file.h"
#include "t/svc/home.h"

static struct home h;
static struct run_paths p;

static enum err
find(const char *home, bool make)
{
	return run_paths_init(&p, home, make, h.msg, sizeof(h.msg));
}

static void
homes(void)
{
	char hash[64], link[256], want[256];

	is_int(find(h.dir, true), ERR_OK, "a home is made where the command line says");
	is_str(p.home, h.dir, "... and nowhere else");
	snprintf(want, sizeof(want), "%s/config.toml", h.dir);
	is_str(p.config, want, "its configuration is config.toml");
	snprintf(hash, sizeof(hash), "%s", p.shm);
	ok(strncmp(p.shm, "/librefang-", 11) == 0 && strlen(p.shm) < 32, "shared memory is named after the home");
	snprintf(link, sizeof(link), "%s/link", h.top);
	ok(symlink(h.dir, link) == 0 && find(link, false) == ERR_OK, "a link to the home is followed");
	is_str(p.shm, hash, "... to the same shared memory");
	setenv("LIBREFANG_HOME", h.dir, 1);
	ok(find(NULL, false) == ERR_OK, "the environment names the home");
	is_str(p.home, h.dir, "... when the command line does not");
	unsetenv("LIBREFANG_HOME");
	snprintf(want, sizeof(want), "%s/.librefang", h.top);
	ok(find(NULL, false) == ERR_OK, "without either there is a default");
	is_str(p.home, want, "... below the user's own directory");
	ok(strcmp(p.shm, hash) != 0, "two homes have two names");
	ok(access(want, F_OK) != 0, "looking makes nothing");
	setenv("LIBREFANG_CONFIG_PATH", "/some/where.toml", 1);
	ok(find(h.dir, false) == ERR_OK, "the configuration may be elsewhere");
	is_str(p.config, "/some/where.toml", "... where the environment says");
	unsetenv("LIBREFANG_CONFIG_PATH");
}

static void
bad_homes(void)
{
	char file[256], *deep = malloc(5001);

	snprintf(file, sizeof(file), "%s/file", h.top);
	ok(file_replace(file, "x", 1, 0600) == ERR_OK, "(a file)");
	ok(find(file, false) == ERR_INVALID, "a file is no home");
	ok(strstr(h.msg, "not a directory") != NULL, "... and that is said");
	ok(find(file, true) != ERR_OK, "... nor can it be made one");
	memset(deep, 'a', 5000);
	deep[0] = '/';
	deep[5000] = '\0';
	is_int(find(deep, false), ERR_INVALID, "a path without end is refused");
	deep[4000] = '\0';
	ok(find(deep, false) == ERR_INVALID, "... also one that leaves no room for names");
	free(deep);
}

static void
run_dirs(void)
{
	char dir[256], text[512];
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/run", h.top);
	snprintf(text, sizeof(text), "[librefang]\nrun_dir = %s\npool_size = 3\n", dir);
	unsetenv("LIBREFANG_RUN_DIR");
	home_write(&h, "librefang.ini", text);
	is_int(find(h.dir, true), ERR_OK, "librefang.ini names the run directory");
	is_str(p.run, dir, "... and it is taken");
	ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "... for us alone");
	ok(strlen(p.control_sock) < 107 && strncmp(p.control_sock, dir, strlen(dir)) == 0, "its sockets are in it");
	ok(ini_get(&p, "pool_size", text, sizeof(text)), "other settings are found");
	is_str(text, "3", "... as they are written");
	ok(!ini_get(&p, "user", text, sizeof(text)), "a setting that is not there is not found");
	ok(!ini_get(&p, "run_dir", text, 4), "... nor one that does not fit");

	ok(chmod(dir, 0777) == 0 && find(h.dir, false) == ERR_INVALID, "a run directory open to others is refused");
	ok(strstr(h.msg, "0700") != NULL, "... with the mode that it needs");
	ok(rmdir(dir) == 0 && symlink(h.top, dir) == 0 && find(h.dir, true) == ERR_INVALID, "a link in its place is refused");
	ok(unlink(dir) == 0 && find(h.dir, false) == ERR_OK, "before it is made, its place is known");
	if (geteuid() == 0) {
		ok(mkdir(dir, 0700) == 0 && chown(dir, 12345, 12345) == 0 && find(h.dir, true) == ERR_INVALID,
		    "a run directory of somebody else is refused");
		rmdir(dir);
	}
}

static void
bad_ini(void)
{
	char text[512], deep[200];

	home_write(&h, "librefang.ini", "[librefang]\npool_size = 3\nwhat is this\n");
	is_int(find(h.dir, false), ERR_INVALID, "a broken librefang.ini is refused");
	ok(strstr(h.msg, "librefang.ini:3:") != NULL, "... with the line");
	home_write(&h, "librefang.ini", "[librefang]\nrun_dir = relative/path\n");
	is_int(find(h.dir, false), ERR_INVALID, "a relative run directory is refused");
	memset(deep, 'r', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	snprintf(text, sizeof(text), "[librefang]\nrun_dir = /tmp/%s\n", deep);
	home_write(&h, "librefang.ini", text);
	is_int(find(h.dir, false), ERR_INVALID, "a run directory too deep for sockets is refused");
	home_write(&h, "librefang.ini", "");
	is_int(find(h.dir, false), ERR_OK, "an empty librefang.ini says nothing");
}

/* Without a setting, as an ordinary user: $XDG_RUNTIME_DIR, then /tmp. */
static void
defaults(void)
{
	char want[128];

	if (geteuid() == 0 && (chown(h.top, 65534, 65534) != 0 || seteuid(65534) != 0))
		return;
	setenv("XDG_RUNTIME_DIR", h.top, 1);
	ok(find("/nowhere/at/all", false) == ERR_OK, "a user has a runtime directory");
	snprintf(want, sizeof(want), "%s/librefang-", h.top);
	ok(strncmp(p.run, want, strlen(want)) == 0, "... and it is used");
	setenv("XDG_RUNTIME_DIR", "/root/nothing", 1);
	ok(find("/nowhere/at/all", false) == ERR_OK, "one that is not there is not");
	snprintf(want, sizeof(want), "/tmp/librefang-%u-", (unsigned)geteuid());
	ok(strncmp(p.run, want, strlen(want)) == 0, "... then it is in /tmp, named by user and home");
}

int
main(void)
{
	home_new(&h);
	homes();
	bad_homes();
	run_dirs();
	bad_ini();
	defaults();
	if (getuid() == 0 && seteuid(0) != 0)
		return 1;
	home_done(&h);
	return done();
}
