/*
 * What is read where it need not be there, or need not be JSON, while the n-th allocation is refused, for n = 1, 2, 3 until none
 * is: it is found, or memory was short, and that is told; never is it taken for what is not there.
 */
#include "daemon/probe.h"
#include "daemon/ws_frame.h"
#include "lib/agent/manifest.h"
#include "lib/agent/prompt.h"
#include "lib/agent/recover.h"
#include "lib/base/file.h"
#include "lib/svc/kv.h"
#include "t/refuse.h"
#include "t/svc/store.h"

#if defined(__SANITIZE_ADDRESS__)
int
main(void)
{
	printf("1..0 # SKIP the sanitizer has its own allocator\n");
	return 0;
}
#else

static struct config cfg = { .provider = "offline", .model = "offline" };
static struct ctx ctx;
static char work[] = "/tmp/lf-starve-XXXXXX";

/* try: 1: as usual; 0: it says that memory is short; -1: something else. */
static void
each(int (*try)(void), const char *name)
{
	unsigned wrong = 0;
	long n = 0;
	int at = 0;

	ok(try() == 1, "%s", name);
	do {
		refusals = 0;
		memory_short = false;
		ctx.fault = (struct fault){ 0 };
		until_memory = ++n;
		at = try();
		until_memory = 0;
		wrong += at < 0 || (at == 0 && refusals == 0);
		memory_short = false;
		wrong += try() != 1;            /* nothing of it stays */
	} while (refusals > 0);
	is_int(wrong, 0, "or memory is short, in each of %ld places", n - 1);
}

/* --- texts that may be JSON ---------------------------------------------------------------- */

static int
a_list(void)
{
	static const char text[] = "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-5\",\"object\":\"model\"},{\"id\":\"gpt-5-mini\"}]}";
	const char *s = probe_models(&ctx, text, sizeof(text) - 1);

	if (s == NULL || memory_short)
		return memory_short ? 0 : -1;
	return strcmp(s, "[{\"name\":\"gpt-5\"},{\"name\":\"gpt-5-mini\"}]") == 0 ? 1 : -1;
}

static const char *
known(void *unused, const char *name)
{
	(void)unused;
	return strcmp(name, "file_read") == 0 ? "file_read" : NULL;
}

static int
a_call(void)
{
	struct recovered v[RECOVERED_MAX];
	const char *rest;
	size_t n = recover_calls(&ctx, "I look.\n<tool_call>{\"name\":\"file_read\",\"arguments\":{\"path\":\"a.txt\"}}</tool_call>", known, NULL, v, &rest);

	return memory_short ? 0 : n == 1 && strcmp(js_str_or(v[0].input, "path", ""), "a.txt") == 0 ? 1 : -1;
}

static bool
no_command(const char *s, size_t n)
{
	(void)s;
	(void)n;
	return false;
}

static int
a_ping(void)
{
	struct ws_frame f;

	ws_frame_sort(&ctx, "{\"type\":\"ping\"}", 15, no_command, &f);
	return memory_short ? 0 : f.kind == WS_PING ? 1 : -1;
}

static int
a_message(void)
{
	struct json_object *frame;
	const char *s = ws_frame_content(&ctx, "{\"type\":\"message\",\"content\":\"{\\\"content\\\":\\\"hello\\\"}\"}", &frame);

	return memory_short ? 0 : s != NULL && strcmp(s, "hello") == 0 ? 1 : -1;
}

static int
an_envelope(void)
{
	enum err e = manifest_signed(&ctx, "{\"manifest\":\"\",\"content_hash\":\"\"}", "");

	return e == ERR_NOMEM ? 0 : strstr(ctx.fault.msg, "the envelope is not whole") != NULL ? 1 : -1;
}

/* --- files of a workspace ------------------------------------------------------------------ */

static int
a_prompt(void)
{
	static struct json_object *manifest;
	SCOPED_BUF out = BUF_INIT(1 << 20);
	struct agent a = { .id = ADA, .name = "ada", .manifest = manifest };
	long until = until_memory;
	enum err e;

	until_memory = 0;
	if (manifest == NULL && manifest_parse(&ctx, "name = \"ada\"", 12, &manifest) != ERR_OK)
		return -1;
	a.manifest = manifest;
	if (until != 0)
		prompt_forget(work);            /* else what is kept from the time before is looked at */
	until_memory = until;
	e = prompt_system(&ctx, &a, work, 0, false, NULL, &out);
	if (e != ERR_OK || memory_short)
		return e == ERR_NOMEM || memory_short ? 0 : -1;
	return strstr(out.p, "Calm and precise.") != NULL && strstr(out.p, "Zoe") != NULL && strstr(out.p, "First conversation") == NULL ? 1 : -1;
}

static void
files(void)
{
	char path[64];

	if (mkdtemp(work) == NULL)
		exit(1);
	snprintf(path, sizeof(path), "%s/SOUL.md", work);
	if (file_replace(path, "Calm and precise.\n", 18, 0600) != ERR_OK || kv_put(&ctx, ADA, "user_name", 9, "\"Zoe\"", 5) != ERR_OK)
		exit(1);
	each(a_prompt, "a prompt has the workspace's files and the user's name");
	unlink(path);
	rmdir(work);
}

int
main(void)
{
	store_open(&ctx);
	ctx.cfg = &cfg;
	each(a_list, "a list of models is one");
	each(a_call, "a call in a text is one");
	each(a_ping, "a frame is of its kind");
	each(a_message, "what a frame says is found");
	each(an_envelope, "a signed manifest is read");
	files();
	store_close(&ctx);
	return done();
}
#endif
