/*
 * Files of workspaces, kept ready for prompts.
 *
 * A small table for the whole process holds, per workspace, the texts as they go into
 * the prompt. An entry serves for 30 seconds without a look at the disk; context.md, which
 * may be live, is looked at every time and read when its time or size changed. Reading
 * happens outside the lock: two threads may read the same files, the later one wins.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/agent/prompt.h"
#include "lib/agent/prompt_files.h"
#include "lib/agent/sandbox.h"
#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/base/util.h"

enum { SLOTS = 256, READ_MAX = 1 << 20, FILE_CAP = 32768 };
static const int64_t fresh_us = 30 * INT64_C(1000000);

static const struct { const char *name; size_t max; } files[PF_COUNT] = {
	[PF_AGENTS] = { "AGENTS.md", 2000 }, [PF_TOOLS] = { "TOOLS.md", 2000 }, [PF_SOUL] = { "SOUL.md", 2000 },
	[PF_USER] = { "USER.md", 2000 }, [PF_MEMORY] = { "MEMORY.md", 2000 }, [PF_IDENTITY] = { "IDENTITY.md", 2000 },
	[PF_HEARTBEAT] = { "HEARTBEAT.md", 1000 }, [PF_BOOTSTRAP] = { "BOOTSTRAP.md", 1500 },
	[PF_CONTEXT] = { "context.md", 8000 },
};

struct slot {
	char *workspace;                /* NULL: free */
	int64_t read_us, used_us;
	struct sandbox_stamp context;
	char *text[PF_COUNT];
	bool user_named;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct slot slots[SLOTS];

/* --- texts --------------------------------------------------------------------- */

/* Take out <!-- remarks -->. */
static size_t
strip_remarks(char *s, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n;) {
		const char *end;

		if (n - i < 4 || memcmp(s + i, "<!--", 4) != 0) {
			s[to++] = s[i++];
			continue;
		}
		end = memmem(s + i, n - i, "-->", 3);
		i = end != NULL ? (size_t)(end - s) + 3 : n;
	}
	return to;
}

/* Is there a line that is neither empty, nor a heading, nor a field left blank ("Name:")? */
static bool
says_something(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t k = nl != NULL ? (size_t)(nl - s) - i : n - i, from = i, to = i + k;

		while (from < to && strchr(" \t\r-*", s[from]) != NULL)
			from++;
		while (to > from && strchr(" \t\r", s[to - 1]) != NULL)
			to--;
		if (to > from && s[from] != '#' && s[to - 1] != ':')
			return true;
		i += k + 1;
	}
	return false;
}

static bool
names_user(const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *nl = memchr(s + i, '\n', n - i);
		size_t end = nl != NULL ? (size_t)(nl - s) : n;

		while (i < end && strchr(" \t-*", s[i]) != NULL)
			i++;
		if (end - i > 5 && strncasecmp(s + i, "name:", 5) == 0)
			for (size_t k = i + 5; k < end; k++)
				if (strchr(" \t\r*", s[k]) == NULL)
					return true;
		i = end + 1;
	}
	return false;
}

/* At most max characters. */
static size_t
cut_chars(const char *s, size_t n, size_t max)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80 && max-- == 0)
			return i;
	return n;
}

static char *
kept(char *s)
{
	memory_short |= s == NULL;
	return s;
}

/* One file, from .identity/ or the workspace itself, as it goes into the prompt; NULL: nothing. */
static char *
read_one(struct ctx *c, const char *workspace, enum prompt_file which, bool *ret_named)
{
	SCOPED_BUF b = BUF_INIT(READ_MAX + 131072);
	char path[64] = ".identity/";
	size_t n = strlen(path), max = files[which].max;
	enum err e = ERR_NOT_FOUND;

	memcpy(path + n, files[which].name, strlen(files[which].name) + 1);
	if (which != PF_CONTEXT)
		e = sandbox_read(c, workspace, path, strlen(path), READ_MAX, &b);
	if (e == ERR_NOT_FOUND)
		e = sandbox_read(c, workspace, path + n, strlen(path + n), READ_MAX, &b);
	if (e == ERR_OK && b.len > FILE_CAP)
		b.len = utf8_cut(b.p, b.len, FILE_CAP);
	memory_short |= e == ERR_NOMEM;
	if (e != ERR_OK || b.len == 0 || memchr(b.p, '\0', b.len) != NULL || !utf8_ok(b.p, b.len))
		return NULL;
	b.len = strip_remarks(b.p, b.len);
	if (which == PF_USER)
		*ret_named = names_user(b.p, b.len);
	if (!says_something(b.p, b.len))
		return NULL;
	n = cut_chars(b.p, b.len, max);
	while (n > 0 && strchr(" \t\r\n", b.p[n - 1]) != NULL)
		n--;
	return kept(strndup(b.p, n));
}

/* --- the table -------------------------------------------------------------------- */

static void
drop(struct slot *s)
{
	free(s->workspace);
	for (size_t i = 0; i < PF_COUNT; i++)
		free(s->text[i]);
	*s = (struct slot){ 0 };
}

static struct slot *
find(const char *workspace)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (slots[i].workspace != NULL && strcmp(slots[i].workspace, workspace) == 0)
			return &slots[i];
	return NULL;
}

/* Put s into the table, in place of what is there of that workspace or was not used for the longest time. */
static void
store(struct slot *s)
{
	struct slot *to = find(s->workspace);

	for (size_t i = 0; to == NULL && i < SLOTS; i++)
		if (slots[i].workspace == NULL)
			to = &slots[i];
	if (to == NULL) {
		to = slots;
		for (size_t i = 1; i < SLOTS; i++)
			if (slots[i].used_us < to->used_us)
				to = &slots[i];
	}
	drop(to);
	*to = *s;
}

static bool
copy_out(struct ctx *c, const struct slot *s, struct prompt_files *ret)
{
	ret->user_named = s->user_named;
	for (size_t i = 0; i < PF_COUNT; i++) {
		ret->text[i] = ctx_strdup(c, s->text[i]);
		if (ret->text[i] == NULL && s->text[i] != NULL)
			return false;
	}
	return true;
}

static bool
same_stamp(const struct sandbox_stamp *a, const struct sandbox_stamp *b)
{
	return a->mtime_ns == b->mtime_ns && a->size == b->size && a->ino == b->ino;
}

static bool
read_all(struct ctx *c, const char *workspace, const struct sandbox_stamp *context, struct slot *s)
{
	struct fault was = c->fault;
	struct arena *mine = c->arena;

	*s = (struct slot){ .workspace = kept(strdup(workspace)), .context = *context };
	s->read_us = s->used_us = clock_mono_us();
	/* the sentences about files that are not there need not stay */
	c->arena = arena_new(4096);
	for (size_t i = 0; c->arena != NULL && i < PF_COUNT; i++)
		s->text[i] = read_one(c, workspace, (enum prompt_file)i, &s->user_named);
	memory_short |= c->arena == NULL;
	arena_free(c->arena);
	c->arena = mine;
	c->fault = was;
	return !memory_short;           /* one that could not be read would be missing for long */
}

bool
prompt_files_load(struct ctx *c, const char *workspace, struct prompt_files *ret)
{
	struct sandbox_stamp context;
	struct slot s, *have;
	bool good = false, found = false;

	if (!sandbox_stamp(workspace, files[PF_CONTEXT].name, &context))
		return false;
	pthread_mutex_lock(&lock);
	have = find(workspace);
	if (have != NULL && clock_mono_us() - have->read_us < fresh_us && same_stamp(&have->context, &context)) {
		have->used_us = clock_mono_us();
		good = copy_out(c, have, ret);
		found = true;
	}
	pthread_mutex_unlock(&lock);
	if (found)
		return good;
	if (!read_all(c, workspace, &context, &s)) {
		drop(&s);
		return false;
	}
	good = copy_out(c, &s, ret);
	pthread_mutex_lock(&lock);
	store(&s);
	pthread_mutex_unlock(&lock);
	return good;
}

void
prompt_forget(const char *workspace)
{
	struct slot *s;

	pthread_mutex_lock(&lock);
	s = find(workspace);
	if (s != NULL)
		drop(s);
	pthread_mutex_unlock(&lock);
}
