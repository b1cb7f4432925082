/*
 * What the configurations of command-line programs say of their models.
 */
#ifndef LF_PROGRAMS_H
#define LF_PROGRAMS_H
#include "lib/base/base.h"

/*
 * Read the model that each of them has set (~/.claude/settings.json, ~/.codex/config.toml, ~/.gemini/settings.json,
 * ~/.qwen/settings.json, or where CLAUDE_CONFIG_DIR and CODEX_HOME say) into the catalog's rows, where it is another one than the last
 * time. One that cannot be read names none. c has the store.
 */
void programs_take(struct ctx *c);
#endif
