/*
 * Who rests until when: a short table under one lock, by the digest of program and directory.
 */
#include "lib/llm/cli_profile.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/json.h"
#include "lib/base/util.h"

enum { RESTING_MAX = 64, REST_S = 300, DAY_S = 24 * 3600 };

static struct {
	pthread_mutex_t mu;
	struct { uint8_t who[32]; int64_t until_ms; } all[RESTING_MAX];
} resting = { .mu = PTHREAD_MUTEX_INITIALIZER };
static _Atomic unsigned turn;

static void
who_is(const char *program, const char *dir, uint8_t out[static 32])
{
	hmac_sha256(program, strlen(program), dir, strlen(dir), out);
}

/* Seconds that it still rests. */
static int64_t
rests_s(const char *program, const char *dir)
{
	int64_t left = 0;
	uint8_t who[32];

	who_is(program, dir, who);
	pthread_mutex_lock(&resting.mu);
	for (size_t i = 0; i < RESTING_MAX; i++)
		if (memcmp(resting.all[i].who, who, sizeof(who)) == 0)
			left = resting.all[i].until_ms - clock_ms();
	pthread_mutex_unlock(&resting.mu);
	return left > 0 ? (left + 999) / 1000 : 0;
}

const char *
cli_profile_next(const char *program, struct json_object *list, int64_t *ret_wait_s)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	unsigned from = n > 0 ? atomic_fetch_add(&turn, 1) : 0;

	*ret_wait_s = 0;
	if (n > CLI_PROFILES_MAX)
		n = CLI_PROFILES_MAX;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, (from + i) % n);
		const char *dir = json_object_is_type(o, json_type_string) ? json_object_get_string(o) : "";
		int64_t wait;

		if (dir[0] != '/')
			continue;
		wait = rests_s(program, dir);
		if (wait == 0)
			return dir;
		if (*ret_wait_s == 0 || wait < *ret_wait_s)
			*ret_wait_s = wait;
	}
	return NULL;
}

int64_t
cli_reset_s(const char *words, int64_t now_ms)
{
	const char *p = strcasestr(words, "resets ");
	int64_t of_day = now_ms / 1000 % DAY_S, at;
	long hour;
	char *end;

	if (p == NULL || strcasestr(p, "utc") == NULL)
		return REST_S;
	p += 7;
	if (strncasecmp(p, "at ", 3) == 0)
		p += 3;
	hour = strtol(p, &end, 10);
	if (end == p || hour < 0 || hour > 23)
		return REST_S;
	at = hour * 3600;
	if (*end == ':' && isdigit((unsigned char)end[1]))
		at += strtol(end + 1, &end, 10) % 60 * 60;
	while (*end == ' ')
		end++;
	if (strncasecmp(end, "pm", 2) == 0 && hour < 12)
		at += 12 * 3600;
	else if (strncasecmp(end, "am", 2) == 0 && hour == 12)
		at -= 12 * 3600;
	return (at - of_day + DAY_S) % DAY_S + REST_S;
}

void
cli_profile_rest(const char *program, const char *dir, int64_t seconds)
{
	int64_t until = clock_ms() + 1000 * seconds;
	size_t at = 0;
	uint8_t who[32];

	who_is(program, dir, who);
	pthread_mutex_lock(&resting.mu);
	for (size_t i = 0; i < RESTING_MAX; i++) {
		if (memcmp(resting.all[i].who, who, sizeof(who)) == 0) {
			at = i;
			break;
		}
		if (resting.all[i].until_ms < resting.all[at].until_ms)
			at = i;
	}
	memcpy(resting.all[at].who, who, sizeof(who));
	resting.all[at].until_ms = until;
	pthread_mutex_unlock(&resting.mu);
}
