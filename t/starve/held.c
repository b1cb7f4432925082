/*
 * Loaded before our programs (LD_PRELOAD): who waits for the disk while it has the store's write lock is written into the file
 * LF_HELD. LF_HELD_DB: the store, whose own files and directory count not: it begins its log anew under its lock. The lock is the byte 120 of the store's "-shm" (SQLite, "WAL-mode File
 * Format", 2.3.1); another thread that has it lets it go while this one looks, and then it was not this one. /proc/locks may leave out a
 * line while others change, so it must be missing several times.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_BYTE = 120, LOOKS = 1000, FREE_LOOKS = 10, LOOK_US = 2000 };

static bool
is_locked(unsigned long inode)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256], end[32];
	unsigned long at, from;
	bool held = false;
	int pid;

	while (f != NULL && !held && fgets(line, sizeof(line), f) != NULL)
		held = sscanf(line, "%*s POSIX %*s WRITE %d %*x:%*x:%lu %lu %31s", &pid, &at, &from, end) == 4 && pid == getpid() &&
		    at == inode && from <= WRITE_BYTE && (strcmp(end, "EOF") == 0 || strtoul(end, NULL, 10) >= WRITE_BYTE);
	if (f != NULL)
		fclose(f);
	return held;
}

static bool
never_free(unsigned long inode)
{
	int missing = 0;

	for (int i = 0; missing < FREE_LOOKS && i < LOOKS; i++) {
		missing = is_locked(inode) ? 0 : missing + 1;
		usleep(LOOK_US);
	}
	return missing < FREE_LOOKS;
}

static void
look(const char *call, int fd)
{
	const char *db = getenv("LF_HELD_DB"), *to = getenv("LF_HELD");
	char name[64], path[4096] = "", shm[4200];
	bool held;
	struct stat st;
	ssize_t n;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	if (db == NULL || to == NULL || n <= 0 || strncmp(path, db, strlen(db)) == 0 ||
	    (strncmp(path, db, (size_t)n) == 0 && db[n] == '/'))
		return;
	snprintf(shm, sizeof(shm), "%s-shm", db);
	held = stat(shm, &st) == 0 && never_free(st.st_ino);
	f = fopen(to, "ae");
	if (f != NULL) {
		fprintf(f, "%s %s %s\n", held ? "held" : "free", call, path);
		fclose(f);
	}
}

#define LOOKED(name) \
int name(int fd) \
{ \
	static int (*real)(int); \
	if (real == NULL) \
		real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
	look(#name, fd); \
	return real(fd); \
}

LOOKED(fsync)
LOOKED(fdatasync)
