/*
 * Lines with libedit's readline interface, loaded at run time.
 *
 * The difficult thing: the supervisor is this same program and must stay small, so libedit is
 * not in the link line. The types are those of its header; only the addresses are looked up.
 */
#include <dlfcn.h>
#include <editline/readline.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/line.h"
#include "lib/base/buf.h"

enum { HISTORY_LINES = 1000, LINE_MAX_BYTES = 262144 };

static struct {
	__typeof__(&readline) read;
	__typeof__(&add_history) add;
	__typeof__(&read_history) load;
	__typeof__(&write_history) save;
	__typeof__(&stifle_history) stifle;
	__typeof__(&rl_completion_matches) matches;
	const char *history;
	const char *const *words;
} ed;

static char *
next_word(const char *begun, int state)
{
	static size_t at;

	at = state == 0 ? 0 : at;
	while (ed.words[at] != NULL) {
		const char *w = ed.words[at++];

		if (strncmp(w, begun, strlen(begun)) == 0)
			return strdup(w);
	}
	return NULL;
}

static char **
complete(const char *begun, int from, int to)
{
	(void)to;
	return from == 0 && begun[0] == '/' ? ed.matches(begun, next_word) : NULL;
}

/* 0600 from the start, whatever the umask. */
static bool
private_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

void
line_open(const char *history, const char *const *words)
{
	void *lib = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
	rl_completion_func_t **completion;
	const char **name, **breaks;

	if (lib == NULL)
		return;
#define FIND(member, symbol) (ed.member = (__typeof__(ed.member))dlsym(lib, symbol))
	if (!FIND(read, "readline") || !FIND(add, "add_history") || !FIND(load, "read_history") ||
	    !FIND(save, "write_history") || !FIND(stifle, "stifle_history") ||
	    !FIND(matches, "rl_completion_matches")) {
		ed.read = NULL;
		return;
	}
	name = dlsym(lib, "rl_readline_name");
	if (name != NULL)
		*name = "librefang";
	breaks = dlsym(lib, "rl_completer_word_break_characters");
	if (breaks != NULL)
		*breaks = " \t";
	completion = dlsym(lib, "rl_attempted_completion_function");
	ed.words = words;
	if (completion != NULL)
		*completion = (rl_completion_func_t *)complete;
	ed.stifle(HISTORY_LINES);
	if (history != NULL && private_file(history)) {
		ed.history = history;
		(void)ed.load(history);         /* an empty one is no history yet */
	}
}

static void
remember(const char *line)
{
	static char *last;

	if (ed.add == NULL || line[0] == '\0' || (last != NULL && strcmp(last, line) == 0))
		return;
	free(last);
	last = strdup(line);
	ed.add(line);
	if (ed.history != NULL)
		(void)ed.save(ed.history);      /* a history that is lost is no harm */
}

static char *
plain(const char *prompt)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	fputs(prompt, stdout);
	fflush(stdout);
	n = getline(&line, &cap, stdin);
	if (n < 0) {
		free(line);
		return NULL;
	}
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		line[--n] = '\0';
	return line;
}

char *
line_read(const char *prompt)
{
	struct buf all = BUF_INIT(LINE_MAX_BYTES);
	char *part;

	while ((part = ed.read != NULL ? ed.read(prompt) : plain(prompt)) != NULL) {
		size_t n = strlen(part);
		bool more = n > 0 && part[n - 1] == '\\';

		remember(part);
		buf_add(&all, part, more ? n - 1 : n);
		free(part);
		if (!more)
			return all.failed ? (buf_done(&all), strdup("")) : all.p;
		buf_ch(&all, '\n');
		prompt = "  ";
	}
	buf_done(&all);
	return NULL;
}
