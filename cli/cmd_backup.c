/*
 * backup and restore.
 *
 * The archive and the store's engine are another program's, librefang-backup; its answer is one line of JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sup.h"
#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/svc/config_file.h"

enum { SAID_MAX = 1 << 20 };

/* --- the other program ----------------------------------------------------------- */

static _Noreturn void
become(const char *const *argv, int out)
{
	char path[4352];

	if (!sup_programs(path, sizeof(path) - 32) || dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	memcpy(path + strlen(path), "/librefang-backup", sizeof("/librefang-backup"));
	signal(SIGPIPE, SIG_DFL);
	execv(path, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	_exit(127);
}

int
helper_run(const char *const *argv, struct buf *out)
{
	char part[4096];
	int p[2], status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	if (pipe2(p, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become(argv, p[1]);
	close(p[1]);
	while (pid > 0 && ((n = read(p[0], part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			buf_add(out, part, (size_t)n);
	close(p[0]);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Run it; its JSON goes to standard output, or one member of it into a sentence. */
static int
helper_tell(const struct cli *cli, const char *const *argv, const char *sentence, const char *member)
{
	SCOPED_BUF out = BUF_INIT(SAID_MAX);
	struct json_object *j;
	int rc = helper_run(argv, &out);

	if (rc != 0)
		return rc == 1 ? EXIT_FAILED : complain(EXIT_FAILED, "librefang-backup cannot be run");
	if (out.p == NULL)
		return complain(EXIT_FAILED, "librefang-backup said nothing");
	if (cli->json) {
		fwrite(out.p, 1, out.len, stdout);
		return EXIT_GOOD;
	}
	j = json_parse(out.p, out.len);
	printf("%s%s\n", sentence, js_str_or(j, member, "?"));
	json_object_put(j);
	return EXIT_GOOD;
}

/* --- backup, restore ------------------------------------------------------------------- */

/* Where the store is, as the configuration says; in the home when it cannot be read. */
void
store_path(const struct run_paths *p, char *out, size_t cap)
{
	SCOPED_BUF snap = BUF_INIT(16 << 20);
	struct config_over over = { 0 };
	struct config *cfg = NULL;
	char msg[600];

	snprintf(out, cap, "%s/data/librefang-c.db", p->home);
	if (config_file_snapshot(p, &over, 0, &snap, msg, sizeof(msg)) != ERR_OK ||
	    config_load(snap.p, snap.len, &cfg) != ERR_OK)
		return;
	snprintf(out, cap, "%s", cfg->db_path);
	config_free(cfg);
}

int
cmd_backup(struct cli *cli, int argc, char **argv)
{
	char dir[4352], db[4352];
	struct stat st;
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc > 2)
		return usage("backup: what is \"%s\"?", argv[2]);
	if (!cli_locate(cli, false))
		return EXIT_FAILED;
	if (stat(cli->paths.home, &st) != 0)
		return complain(EXIT_FAILED, "%s: %s", cli->paths.home, strerror(errno));
	snprintf(dir, sizeof(dir), "%s/backups", cli->paths.home);
	if (argc < 2 && !dir_make(dir, 0700))
		return complain(EXIT_FAILED, "%s: %s", dir, strerror(errno));
	store_path(&cli->paths, db, sizeof(db));
	return helper_tell(cli, (const char *const[]){ "librefang-backup", "create", cli->paths.home, db,
	    argc == 2 ? argv[1] : dir, NULL }, "", "path");
}

int
cmd_restore(struct cli *cli, int argc, char **argv)
{
	SCOPED_FD lock = -1;
	char db[4352], usual[4352];
	int rc = only_words(&argc, argv);

	if (rc != EXIT_GOOD)
		return rc;
	if (argc != 2)
		return usage("restore: the file of a backup is expected");
	if (access(argv[1], R_OK) != 0)
		return complain(EXIT_FAILED, "%s: %s", argv[1], strerror(errno));
	umask(077);
	if (!cli_locate(cli, true))
		return EXIT_FAILED;
	lock = open(cli->paths.lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0)
		return complain(EXIT_FAILED, "%s: %s", cli->paths.lock, strerror(errno));
	if (flock(lock, LOCK_EX | LOCK_NB) != 0)
		return complain(EXIT_REFUSED, "it is running: \"librefang stop\" first");
	rc = helper_tell(cli, (const char *const[]){ "librefang-backup", "restore", argv[1], cli->paths.home, NULL },
	    "Restored. What was there is in ", "previous");
	store_path(&cli->paths, db, sizeof(db));
	snprintf(usual, sizeof(usual), "%s/data/librefang-c.db", cli->paths.home);
	if (rc == EXIT_GOOD && strcmp(db, usual) != 0)
		fprintf(stderr, "librefang: the configuration wants the store at %s; it is at %s: move it there\n", db, usual);
	return rc;
}
