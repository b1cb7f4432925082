/*
 * Inside the drivers for command-line programs.
 */
#ifndef LF_LLM_CLI_H
#define LF_LLM_CLI_H
#include "lib/llm/driver.h"

/* How they answer: claude's and qwen's messages, codex's items, one object. */
extern const struct driver cli_claude_lines, cli_codex_lines, cli_object;

/* Does this text of a program speak of a login or a limit? Then the answer is blamed: true. */
bool cli_blame(struct intake *, const char *text);
#endif
