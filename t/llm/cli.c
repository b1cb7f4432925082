/* Command-line programs as providers: small scripts play them. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <pthread.h>

#include "lib/base/util.h"
#include "lib/llm/cli.h"
#include "lib/llm/cli_profile.h"
#include "t/llm/wire.h"

static char dir[] = "/tmp/lf-cli-test-XXXXXX";
static struct llm_answer a;
static char seen[65536], all[65536];

static void
program(const char *name, const char *script)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fprintf(f, "#!/bin/sh\n%s\n", script);
	fclose(f);
	chmod(path, 0755);
}

static const char *
slurp(const char *name)
{
	static char text[65536];
	char path[256];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void s_add(void *arg, const char *p, size_t n) { (void)arg; snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s|", (int)n, p); }

static enum err
call(struct llm_request *rq)
{
	struct message said[] = { { .role = BY_USER, .text = "\"hi \\\"you\\\"\"", .n = 12 }, { .role = BY_ASSISTANT, .text = "\"yes\"", .n = 5 },
		{ .role = BY_USER, .text = "\"and now?\"", .n = 10 } };
	struct history h = { said, 3, 3 };
	const struct llm_sink sink = { .text = s_add };
	enum err e;

	seen[0] = '\0';
	rq->messages = &h;
	if (rq->timeout_ms == 0)
		rq->timeout_ms = 60000;
	e = llm_call(rq, &sink, 3, &a);
	rq->messages = NULL;
	snprintf(all, sizeof(all), "%s", a.content ? json_object_to_json_string_ext(a.content, JSON_C_TO_STRING_PLAIN) : "");
	llm_answer_done(&a);
	return e;
}

#define RQ(f, p, m) { .provider = p, .model = m, .format = f, .system = "Be kind.", .agent_id = "agent-1", .api_key = "" }

static void
claude(void)
{
	struct llm_request rq = RQ("cli_claude_code", "claude-code", "claude-code/opus");

	program("claude", "cat > \"$0.in\"; echo \"$@\" > \"$0.args\"; env > \"$0.env\"; pwd > \"$0.pwd\"; echo noise >&2\n"
	    "echo '{\"type\":\"result\",\"is_error\":false,\"result\":\"Hello.\",\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":4,\"output_tokens\":5}}'");
	is_int(call(&rq), ERR_OK, "claude answers");
	is_str(all, "[{\"type\":\"text\",\"text\":\"Hello.\"}]", "in one text");
	ok(a.usage_known && a.input_tokens == 7 && a.output_tokens == 5 && a.cache_read_tokens == 4, "with what it took");
	is_str(slurp("claude.args"), "-p --output-format json --model opus\n", "it was asked as it must be");
	is_str(slurp("claude.in"), "[System]\nBe kind.\n\n[User]\nhi \"you\"\n\n[Assistant]\nyes\n\n[User]\nand now?", "with the conversation as its input");
	ok(strstr(slurp("claude.env"), "LIBREFANG_AGENT_ID=agent-1\n") && strstr(slurp("claude.env"), "CLAUDE_CONFIG_DIR=/x\n"), "it gets ids, and what is its own");
	ok(strstr(slurp("claude.env"), "canary") == NULL, "and no secret of ours");
	ok(strncmp(slurp("claude.pwd"), "/tmp/librefang-cli-", 19) == 0, "it runs in a directory of its own");
	ok(access(slurp("claude.pwd"), F_OK) != 0, "which is gone afterwards");
	rq.stream = true;
	program("claude", "cat >/dev/null; echo '{\"type\":\"system\"}'; echo '{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"One.\"}]}}'\n"
	    "echo '{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Two.\"}]}}'; echo '{\"type\":\"result\",\"result\":\"Two.\"}'; sleep 60");
	is_int(call(&rq), ERR_OK, "a stream");
	is_str(seen, "One.|\n\n|Two.|", "comes as it is said, and ends when it has said so");
	program("claude", "cat >/dev/null; echo '{\"type\":\"result\",\"is_error\":true,\"result\":\"Invalid API key \\u00b7 Please run /login sk-ant-canary123456\"}'; exit 1");
	is_int(call(&rq), ERR_UPSTREAM, "one that is not logged in");
	ok(a.error == LLM_AUTH && a.http_status == 401 && strstr(a.why, "canary") == NULL, "is a refused key");
	program("claude", "cat >/dev/null; echo \"You've hit your limit, resets 3am (UTC)\" >&2; exit 1");
	is_int(call(&rq), ERR_UPSTREAM, "one that has no more for today");
	ok(a.error == LLM_RATE_LIMITED && a.retry_after_s > 300 && a.retry_after_s <= 86700, "is limited until it says");
}

static void
profiles(void)
{
	struct llm_request rq = RQ("cli_claude_code", "claude-code", "opus");
	const int64_t noon = 1767268800000;     /* 2026-01-01T12:00:00Z */

	is_int(cli_reset_s("You've hit your limit - resets 3pm (UTC)", noon), 3 * 3600 + 300, "an hour of the day");
	is_int(cli_reset_s("resets at 3:30am (UTC)", noon), 15 * 3600 + 1800 + 300, "of the next one, with minutes");
	is_int(cli_reset_s("resets 12am UTC", noon), 12 * 3600 + 300, "midnight");
	is_int(cli_reset_s("resets soon", noon), 300, "none");
	rq.settings = json_tokener_parse("{\"cli_profile_dirs\":[\"/p/one\",\"/p/two\",\"relative\"]}");
	program("claude", "cat >/dev/null; echo $CLAUDE_CONFIG_DIR >> \"$0.dirs\"; case $CLAUDE_CONFIG_DIR in\n"
	    "/p/one) echo 'hit your limit' >&2; exit 1;; esac\necho \"{\\\"result\\\":\\\"$CLAUDE_CONFIG_DIR\\\"}\"");
	for (int i = 0; i < 4; i++) {
		is_int(call(&rq), ERR_OK, "with two profiles of which one has no more");
		ok(strstr(all, "two") != NULL, "the other answers");
	}
	{
		unsigned one = 0;

		for (const char *p = slurp("claude.dirs"); (p = strstr(p, "/p/one")) != NULL; p++)
			one++;
		is_int(one, 1, "and the one that rests is asked no more");
	}
	program("claude", "cat >/dev/null; echo 'hit your limit' >&2; exit 1");
	is_int(call(&rq), ERR_UPSTREAM, "when none has any more");
	ok(a.error == LLM_RATE_LIMITED && a.retry_after_s > 0 && a.retry_after_s <= 300, "it is said how long");
	json_object_put(rq.settings);
	rq.settings = json_tokener_parse("{\"cli_profile_dirs\":[\"/q/one\",\"/q/two\"]}");
	program("claude", "cat >/dev/null; [ $CLAUDE_CONFIG_DIR = /q/two ] && { echo '{\"result\":\"two\"}'; exit; }\n"
	    "echo '{\"type\":\"result\",\"is_error\":true,\"result\":\"API Error: 529 overloaded_error\"}'");
	for (int i = 0; i < 2; i++)
		is_int(call(&rq), ERR_OK, "one that is overloaded is passed over for a moment");
	program("claude", "cat >/dev/null; echo '{\"type\":\"result\",\"is_error\":true,\"result\":\"API Error: 529 overloaded_error\"}'");
	is_int(call(&rq), ERR_UPSTREAM, "when all are");
	is_int(a.error, LLM_OVERLOADED, "it is said");
	json_object_put(rq.settings);
}

static void
others(void)
{
	struct llm_request codex = RQ("cli_codex", "codex-cli", "codex-cli/gpt-5.5"), gemini = RQ("cli_gemini", "gemini-cli", "gemini-2.5-pro"),
	    qwen = RQ("cli_qwen_code", "qwen-code", "default"), whale = RQ("cli_codewhale", "codewhale", "m");

	program("codex", "cat > \"$0.in\"; echo \"$@\" > \"$0.args\"; echo '{\"type\":\"thread.started\"}'\n"
	    "echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Looking.\"}}'; echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"reasoning\",\"text\":\"x\"}}'\n"
	    "echo '{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\",\"text\":\"Done.\"}}'; echo '{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":9,\"cached_input_tokens\":4,\"output_tokens\":2}}'");
	is_int(call(&codex), ERR_OK, "codex answers");
	is_str(all, "[{\"type\":\"thinking\",\"thinking\":\"Looking.\"},{\"type\":\"text\",\"text\":\"Done.\"}]", "with its last message");
	is_str(slurp("codex.args"), "exec --json --skip-git-repo-check --model gpt-5.5 -\n", "it was asked as it must be");
	ok(a.input_tokens == 9 && a.cache_read_tokens == 4, "with what it took");
	program("codex", "cat >/dev/null; echo '{\"type\":\"turn.failed\",\"error\":{\"message\":\"stream error: 401 Unauthorized\"}}'");
	is_int(call(&codex), ERR_UPSTREAM, "a turn that failed");
	is_int(a.error, LLM_AUTH, "for want of a login");
	program("gemini", "cat >/dev/null; printf '{\\n \"response\": \"Hi.\",\\n \"stats\": {\"models\":{\"m\":{\"tokens\":{\"prompt\":5,\"candidates\":2,\"thoughts\":1,\"cached\":1}}}}\\n}\\n'");
	is_int(call(&gemini), ERR_OK, "gemini answers");
	ok(strstr(all, "Hi.") && a.input_tokens == 5 && a.output_tokens == 3, "over several lines");
	program("qwen", "cat >/dev/null; echo \"$@\" > \"$0.args\"; echo '[{\"type\":\"system\"},{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Q.\"}]}},{\"type\":\"result\",\"result\":\"Q.\"}]'");
	is_int(call(&qwen), ERR_OK, "qwen answers");
	is_str(all, "[{\"type\":\"text\",\"text\":\"Q.\"}]", "with a list, and its text is taken once");
	is_str(slurp("qwen.args"), "--output-format json\n", "its own model when none is named");
	qwen.stream = true;
	program("qwen", "cat >/dev/null; for t in a b; do echo \"{\\\"type\\\":\\\"stream_event\\\",\\\"event\\\":{\\\"delta\\\":{\\\"type\\\":\\\"text_delta\\\",\\\"text\\\":\\\"$t\\\"}}}\"; done\n"
	    "echo '{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"ab\"}]}}'; echo '{\"type\":\"result\",\"result\":\"ab\"}'");
	is_int(call(&qwen), ERR_OK, "qwen in parts");
	is_str(seen, "a|b|", "each once");
	program("codewhale", "for x; do :; done; printf '%s' \"$x\" > \"$0.last\"; echo '{\"result\":\"W.\"}'");
	is_int(call(&whale), ERR_OK, "codewhale answers");
	ok(strncmp(slurp("codewhale.last"), "[System]\nBe kind.", 17) == 0, "to its argument");
}

static void *
stop_later(void *k)
{
	while (slurp("claude.pid")[0] == '\0')  /* it runs */
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	cancel_now(k, CANCEL_USER);
	return NULL;
}

static bool
is_gone(const char *file)
{
	pid_t pid = atoi(slurp(file));

	for (int i = 0; i < 1500 && pid > 0 && kill(pid, 0) == 0; i++) {
		char path[64], state[256] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		fd = open(path, O_RDONLY);
		if (fd < 0 || read(fd, state, sizeof(state) - 1) <= 0 || strstr(state, ") Z ") != NULL) {
			if (fd >= 0)
				close(fd);
			return true;            /* a corpse that somebody else buries */
		}
		close(fd);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	}
	return pid > 0 && kill(pid, 0) != 0;
}

static void
trouble(void)
{
	struct llm_request rq = RQ("cli_claude_code", "claude-code", "opus");
	struct cancel k = { 0 };
	char path[256];
	int64_t from;
	pthread_t t;

	program("claude", "sleep 300 & echo $! > \"$0.pid\"; cat >/dev/null; sleep 300");
	rq.timeout_ms = 1500;
	from = clock_mono_us();
	is_int(call(&rq), ERR_UPSTREAM, "one that takes too long");
	ok(a.error == LLM_TIMEOUT && clock_mono_us() - from < 60000000, "is stopped at its time");
	ok(is_gone("claude.pid"), "with whatever it has started");
	rq.timeout_ms = 100000;
	rq.cancel = &k;
	snprintf(path, sizeof(path), "%s/claude.pid", dir);
	unlink(path);
	pthread_create(&t, NULL, stop_later, &k);
	from = clock_mono_us();
	is_int(call(&rq), ERR_CANCELLED, "a cancel");
	ok(clock_mono_us() - from < 60000000, "ends it at once (%d ms)", (int)((clock_mono_us() - from) / 1000));
	ok(is_gone("claude.pid"), "wholly");
	pthread_join(t, NULL);
	rq.cancel = NULL;
	program("claude", "exit 3");
	is_int(call(&rq), ERR_UPSTREAM, "one that does not even read");
	is_str(a.why, "provider claude-code: claude ended with code 3 and no answer", "is told");
	program("claude", "cat >/dev/null; printf '{\"type\":\"result\",\"result\":\"Hel'");
	is_int(call(&rq), ERR_UPSTREAM, "half an answer is none");
	program("claude", "cat >/dev/null; yes nonsense | head -c 80000000");
	is_int(call(&rq), ERR_UPSTREAM, "one that writes without end");
	ok(a.error == LLM_UPSTREAM, "is stopped");
	rq.model = "--dangerous";
	program("claude", "cat >/dev/null; echo \"$@\" > \"$0.args\"; echo '{\"result\":\"x\"}'");
	is_int(call(&rq), ERR_OK, "a model's name that would be an option");
	is_str(slurp("claude.args"), "-p --output-format json\n", "is left out");
	unlink("/nonexistent");
	setenv("PATH", "/nonexistent", 1);
	is_int(call(&rq), ERR_UPSTREAM, "a program that is not there");
	is_str(a.why, "provider claude-code: the program claude is not installed", "is told");
}

int
main(void)
{
	char path[4096];

	if (mkdtemp(dir) == NULL)
		return 1;
	signal(SIGPIPE, SIG_IGN);       /* as the daemon does: a program may end without having read */
	snprintf(path, sizeof(path), "%s:%s", dir, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("ANTHROPIC_API_KEY", "canary-1", 1);
	setenv("OPENAI_API_KEY", "canary-2", 1);
	setenv("MY_PASSWORD", "canary-3", 1);
	setenv("CLAUDE_CONFIG_DIR", "/x", 1);
	setenv("LF_LLM_RETRY_MS", "10", 1);
	claude();
	others();
	profiles();
	trouble();
	snprintf(path, sizeof(path), "/bin/rm -rf %s", dir);
	return system(path) == 0 ? done() : 1;
}
