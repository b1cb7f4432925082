/* The workspace's files that go into the prompt, read at most every 30 seconds. */
#ifndef LF_PROMPT_FILES_H
#define LF_PROMPT_FILES_H
#include "lib/base/base.h"

enum prompt_file { PF_AGENTS, PF_TOOLS, PF_SOUL, PF_USER, PF_MEMORY, PF_IDENTITY, PF_HEARTBEAT, PF_BOOTSTRAP,
	PF_CONTEXT, PF_COUNT };

struct prompt_files {
	const char *text[PF_COUNT];     /* cut, without remarks; NULL: nothing to say. In c's arena */
	bool user_named;                /* USER.md has a line "Name: somebody" */
};

/* false: out of memory. A workspace that cannot be read has no files. */
bool prompt_files_load(struct ctx *, const char *workspace, struct prompt_files *ret) MUST_CHECK;
#endif
