/*
 * What stands before each question to a model, of a session with 1,000 messages (every fourth calls a tool or answers
 * a call): read from the store, repaired, and the system prompt made. Prints on its last line the median and the slowest
 * of 200 in microseconds: of all, of prompt and repair alone.
 */
#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/repair.h"
#include "lib/agent/tool.h"
#include "lib/svc/config.h"
#include "lib/svc/history.h"
#include "t/svc/store.h"

enum { MESSAGES = 1000, ROUNDS = 200 };

static const char toml[] = "name = 'ada'\n[model]\nsystem_prompt = 'You are kind.'\n";
static const char text[] = "\"An ordinary message of a conversation, of the length that one has when a person types it: two lines perhaps, "
    "with a question at their end, and now and then a number such as 42.\"";

static void
fill(struct ctx *c)
{
	SCOPED_TX tx = { 0 };
	char call[400];
	enum err e = tx_begin(c, &tx);

	for (int i = 1; e == ERR_OK && i <= MESSAGES; i++) {
		bool calls = i % 8 == 4, answers = i % 8 == 5;

		snprintf(call, sizeof(call), calls
		    ? "[{\"type\":\"text\",\"text\":\"Let me look.\"},{\"type\":\"tool_use\",\"id\":\"call-%d\",\"name\":\"file_read\",\"input\":{\"path\":\"notes.txt\"}}]"
		    : "[{\"type\":\"tool_result\",\"tool_use_id\":\"call-%d\",\"content\":\"what stands in the file\",\"is_error\":false}]", calls ? i : i - 1);
		e = calls || answers ? message_append(c, ADA_SESSION, calls ? "assistant" : "user", call, strlen(call), NULL)
		    : message_append(c, ADA_SESSION, i % 2 ? "user" : "assistant", text, sizeof(text) - 1, NULL);
	}
	if (e != ERR_OK || tx_commit(c, &tx) != ERR_OK)
		exit(1);
}

static int64_t
one(struct ctx *c, const struct agent *a, const char *work, int64_t *ret_all)
{
	struct buf out = BUF_INIT(1 << 20);
	int64_t began = clock_mono_us(), loaded;
	const struct history *h;
	struct history all;

	if (messages_load(c, ADA_SESSION, MESSAGES, &all) != ERR_OK)
		exit(1);
	loaded = clock_mono_us();
	h = session_repair(c, &all, NULL);
	if (h == NULL || h->n < MESSAGES - 10 ||
	    prompt_system(c, a, work, 0, false, tools_for(c, a->manifest, "full"), &out) != ERR_OK)
		exit(1);
	*ret_all = clock_mono_us() - began;
	buf_done(&out);
	return clock_mono_us() - loaded;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(void)
{
	char work[] = "/tmp/lf-assembly-XXXXXX", rm[64];
	struct config cfg = { 0 };
	struct ctx c = { .cfg = &cfg, 0 }, d;
	struct agent a = { .id = ADA, .name = "ada" };
	static int64_t part[ROUNDS], all[ROUNDS];

	store_open(&c);
	store_agent(&c, ADA, "ada", "root", NULL, "{}");
	store_session(&c, ADA_SESSION, ADA, NULL, 1);
	if (mkdtemp(work) == NULL || manifest_parse(&c, toml, sizeof(toml) - 1, &a.manifest) != ERR_OK ||
	    workspace_make(&c, work, a.manifest, toml) != ERR_OK)
		return 1;
	fill(&c);
	d = c;
	d.arena = arena_new(4096);
	for (int i = 0; i < ROUNDS; i++) {
		part[i] = one(&d, &a, work, &all[i]);
		arena_reset(d.arena);
	}
	qsort(part, ROUNDS, sizeof(part[0]), by_size);
	qsort(all, ROUNDS, sizeof(all[0]), by_size);
	printf("%lld %lld %lld %lld\n", (long long)all[ROUNDS / 2], (long long)all[ROUNDS - 1],
	    (long long)part[ROUNDS / 2], (long long)part[ROUNDS - 1]);
	arena_free(d.arena);
	store_close(&c);
	snprintf(rm, sizeof(rm), "rm -rf %s", work);
	return system(rm) == 0 ? 0 : 1;
}
