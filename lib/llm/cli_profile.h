/*
 * Profiles of command-line programs: several logins of one program, each in a directory of its own,
 * taken in turn. One that has no more for a while rests.
 */
#ifndef LF_LLM_CLI_PROFILE_H
#define LF_LLM_CLI_PROFILE_H
#include "lib/base/json.h"

#include "lib/base/base.h"

enum { CLI_PROFILES_MAX = 16 };

/*
 * The next directory that does not rest; NULL: all do, or there is none (*ret_wait_s: how long until the first is
 * awake, 0 when there is none). list: array of paths, may be NULL.
 */
const char *cli_profile_next(const char *program, struct json_object *list, int64_t *ret_wait_s);
/* It is left alone for so long. */
void cli_profile_rest(const char *program, const char *dir, int64_t seconds);
/* Of one that has no more: seconds from now_ms until five minutes behind the hour that its words name ("resets 3am (UTC)"); 300: they name none. */
int64_t cli_reset_s(const char *words, int64_t now_ms);
#endif
