/*
 * Looking at processes through /proc: who is alive, whose child is it.
 * A zombie counts as dead: where nobody reaps, it may stay for ever.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/sup.h"

struct stat_line { char state; int ppid, pgrp; };

static bool
read_stat(const char *pid, struct stat_line *st)
{
	char path[300], line[512];
	SCOPED_FD fd = -1;
	char *p;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (n <= 0)
		return false;
	line[n] = '\0';
	p = strrchr(line, ')');         /* the name before it may hold anything */
	return p != NULL && sscanf(p + 1, " %c %d %d", &st->state, &st->ppid, &st->pgrp) == 3 &&
	    st->state != 'Z' && st->state != 'X';
}

bool
pid_alive(pid_t pid)
{
	struct stat_line st;
	char text[16];

	snprintf(text, sizeof(text), "%d", (int)pid);
	return pid > 1 && read_stat(text, &st);
}

/* Call for each living process; on() returns false to end. */
static void
each_process(bool (*on)(void *, pid_t, const struct stat_line *), void *arg)
{
	DIR *proc = opendir("/proc");
	struct stat_line st;
	struct dirent *d;

	if (proc == NULL)
		return;
	while ((d = readdir(proc)) != NULL)
		if (isdigit((unsigned char)d->d_name[0]) && read_stat(d->d_name, &st) &&
		    !on(arg, (pid_t)atol(d->d_name), &st))
			break;
	closedir(proc);
}

struct search { pid_t group; bool found; };

static bool
in_group(void *arg, pid_t pid, const struct stat_line *st)
{
	struct search *s = arg;

	(void)pid;
	s->found = st->pgrp == s->group;
	return !s->found;
}

bool
group_alive(pid_t group)
{
	struct search s = { .group = group };

	each_process(in_group, &s);
	return s.found;
}

static bool
kill_if_orphan(void *arg, pid_t pid, const struct stat_line *st)
{
	const struct sup *s = arg;

	if (st->ppid == getpid() && !sup_knows(s, pid))
		kill(pid, SIGKILL);
	return true;
}

/*
 * Children of a child that died are ours now (subreaper). nginx's workers without
 * their master would serve on with the old configuration; kill what we did not start.
 */
void
kill_orphans(struct sup *s)
{
	each_process(kill_if_orphan, s);
}
