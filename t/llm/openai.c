/* The driver against a small server: streams, cut streams, retries, healing, cancel. */
#include <json-c/json.h>
#include <time.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/llm/llm.h"
#include "t/net/httpd.h"
#include "t/tap.h"

static struct httpd srv;
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_body[65536], last_head[16384];

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

static bool
chunk(int fd, const char *text)
{
	return httpd_say(fd, "%zx\r\n%s\r\n", strlen(text), text);
}

static bool
delta(int fd, const char *text)
{
	char t[512];

	snprintf(t, sizeof(t), "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"}}]}\n\n", text);
	return chunk(fd, t);
}

static bool
end(int fd)
{
	return chunk(fd, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],"
	    "\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2}}\n\n") && chunk(fd, "data: [DONE]\n\n");
}

static bool
hello(int fd)
{
	return httpd_say(fd, SSE) && delta(fd, "Hel") && delta(fd, "lo") && end(fd) && httpd_say(fd, "0\r\n\r\n");
}

static bool
refuse(int fd, int status, const char *extra, const char *body)
{
	return httpd_answer(fd, status, extra, body);
}

/* The path's first part says how to behave. */
static bool
serve(int fd, const struct seen *rq, void *arg)
{
	const char *p = rq->path + 1;

	(void)arg;
	pthread_mutex_lock(&last_lock);
	snprintf(last_body, sizeof(last_body), "%s", rq->body);
	snprintf(last_head, sizeof(last_head), "%s", rq->head);
	pthread_mutex_unlock(&last_lock);
	if (strncmp(p, "hello/", 6) == 0)
		return hello(fd);
	if (strncmp(p, "api/", 4) == 0)
		return httpd_answer(fd, 200, "Content-Type: application/x-ndjson\r\n",
		    "{\"message\":{\"content\":\"Hel\"}}\n{\"message\":{\"content\":\"lo\"},\"done\":true}\n");
	if (strncmp(p, "whole/", 6) == 0)
		return httpd_answer(fd, 200, "Content-Type: application/json\r\n",
		    "{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"stop\"}]}");
	if (strncmp(p, "busy/", 5) == 0)
		return rq->nth % 3 != 0 ? refuse(fd, 429, "Retry-After: 0\r\n", "{\"error\":{\"message\":\"slow\"}}") : hello(fd);
	if (strncmp(p, "full/", 5) == 0)
		return refuse(fd, 503, "", "");
	if (strncmp(p, "later/", 6) == 0)
		return refuse(fd, 429, "Retry-After: 30\r\n", "");
	if (strncmp(p, "hour/", 5) == 0)        /* it is long until it will serve */
		return refuse(fd, 429, "x-ratelimit-remaining-requests-1h: 0\r\nx-ratelimit-reset-requests-1h: 1800\r\n", "");
	if (strncmp(p, "auth/", 5) == 0)
		return refuse(fd, 401, "", "{\"error\":{\"message\":\"Incorrect API key provided: sk-very-secret\"}}");
	if (strncmp(p, "boom/", 5) == 0)
		return refuse(fd, 500, "", "boom");
	if (strncmp(p, "drop/", 5) == 0)        /* twice nothing at all, then an answer */
		return rq->nth % 3 != 0 ? false : hello(fd);
	if (strncmp(p, "cut/", 4) == 0)
		return httpd_say(fd, SSE) && delta(fd, "Hel") && false;
	if (strncmp(p, "clean/", 6) == 0)       /* the body ends well, the answer does not */
		return httpd_say(fd, SSE) && delta(fd, "Hel") && httpd_say(fd, "0\r\n\r\n");
	if (strncmp(p, "tail/", 5) == 0)        /* all was said, then the connection breaks */
		return httpd_say(fd, SSE) && delta(fd, "Hello") && end(fd) && false;
	if (strncmp(p, "linger/", 7) == 0) {    /* all was said, and the server keeps the body open */
		(void)(httpd_say(fd, SSE) && delta(fd, "Hello") && end(fd));
		httpd_silence(fd);
		return false;
	}
	if (strncmp(p, "error/", 6) == 0)
		return httpd_say(fd, SSE) && delta(fd, "Hel") &&
		    chunk(fd, "data: {\"error\":{\"message\":\"went away\",\"type\":\"overloaded_error\"}}\n\n") && false;
	if (strncmp(p, "early/", 6) == 0)       /* an error frame before any output, then success */
		return rq->nth % 2 != 0 ? httpd_say(fd, SSE) && chunk(fd, "data: {\"error\":{\"code\":503}}\n\n") && false : hello(fd);
	if (strncmp(p, "temp/", 5) == 0)
		return strstr(rq->body, "temperature") ? refuse(fd, 400, "",
		    "{\"error\":{\"message\":\"Unsupported parameter: 'temperature'\",\"code\":\"unsupported_parameter\"}}") : hello(fd);
	if (strncmp(p, "maxtok/", 7) == 0)
		return strstr(rq->body, "\"max_tokens\"") ? refuse(fd, 400, "", "{\"error\":{\"message\":\"Unsupported parameter: "
		    "'max_tokens'. Use 'max_completion_tokens' instead.\",\"code\":\"unsupported_parameter\"}}") : hello(fd);
	if (strncmp(p, "limit/", 6) == 0)
		return strstr(rq->body, "\"max_tokens\":4096") ? hello(fd) : refuse(fd, 400, "",
		    "{\"error\":{\"message\":\"max_tokens must be less than or equal to `4096`\"}}");
	if (strncmp(p, "opts/", 5) == 0)
		return strstr(rq->body, "stream_options") ? refuse(fd, 400, "", "{\"error\":\"unknown field stream_options\"}") : hello(fd);
	if (strncmp(p, "notools/", 8) == 0)
		return strstr(rq->body, "\"tools\"") ? refuse(fd, 400, "", "{\"error\":\"m does not support tools\"}") : hello(fd);
	if (strncmp(p, "effort/", 7) == 0)
		return strstr(rq->body, "reasoning_effort") ? refuse(fd, 400, "", "{\"error\":{\"message\":\"Unrecognized request argument supplied: reasoning_effort\"}}") : hello(fd);
	if (strncmp(p, "groq/", 5) == 0)
		return refuse(fd, 400, "", "{\"error\":{\"message\":\"Failed to call a function.\",\"code\":\"tool_use_failed\",\"failed_generation\":"
		    "\"So. <function=get_x{\\\"a\\\": \\\"}\\\"}</function> <function=get_y>{}</function><function=bad\"}}");
	if (strncmp(p, "groqtext/", 9) == 0)
		return refuse(fd, 400, "", "{\"error\":{\"code\":\"tool_use_failed\",\"failed_generation\":\"I just talk.\"}}");
	if (strncmp(p, "groqonce/", 9) == 0)
		return rq->nth % 2 != 0 ? refuse(fd, 400, "", "{\"error\":{\"code\":\"tool_use_failed\"}}") : hello(fd);
	httpd_silence(fd);
	return false;
}

static struct buf seen = BUF_INIT(65536);
static void on_text(void *a, const char *p, size_t n) { (void)a; buf_add(&seen, p, n); }
static const struct llm_sink sink = { .text = on_text };

static struct llm_answer a;
static char base[128];

static void
prepare(struct llm_request *rq, const char *how)
{
	snprintf(base, sizeof(base), "http://127.0.0.1:%u/%s", srv.port, how);
	*rq = (struct llm_request){ .provider = "test", .model = how, .format = "openai", .base_url = base, .api_key = "sk-very-secret",
	    .stream = true, .timeout_ms = 60000, .agent_id = "agent-1", .session_id = "bad\nvalue" };
	atomic_store(&srv.requests, 0);
	buf_clear(&seen);
}

static enum err
call(struct llm_request *rq, unsigned retries)
{
	struct message hi = { .role = BY_USER, .text = "\"hi\"", .n = 4 };
	struct history h = { &hi, 1, 1 };
	enum err e;

	rq->messages = &h;
	e = llm_call(rq, &sink, retries, &a);
	rq->messages = NULL;
	return e;
}

static enum err
go(const char *how, unsigned retries)
{
	struct llm_request rq;

	prepare(&rq, how);
	return call(&rq, retries);
}

static const char *
text(void)
{
	return a.content ? json_object_to_json_string_ext(a.content, JSON_C_TO_STRING_PLAIN) : "";
}

static void
answers(void)
{
	struct llm_request rq;
	unsigned conns = atomic_load(&srv.conns);

	is_int(go("hello", 0), ERR_OK, "a streamed answer");
	is_str(text(), "[{\"type\":\"text\",\"text\":\"Hello\"}]", "is one block of text");
	is_str(seen.p, "Hello", "and reached the sink");
	ok(a.usage_known && a.input_tokens == 4 && a.output_tokens == 2, "with its usage");
	ok(strstr(last_head, "POST /hello/chat/completions ") != NULL, "the address is right");
	ok(strstr(last_head, "Authorization: Bearer sk-very-secret\r\n") != NULL, "the key goes along");
	ok(strstr(last_head, "x-librefang-agent-id: agent-1\r\n") != NULL && strstr(last_head, "session-id") == NULL,
	    "ids too, but none that would break the head");
	llm_answer_done(&a);
	for (int i = 0; i < 5; i++) {
		(void)go("hello", 0);
		llm_answer_done(&a);
	}
	is_int(atomic_load(&srv.conns) - conns, 1, "six streams share one connection");
	is_int(go("whole", 0), ERR_OK, "a provider that does not stream although asked");
	is_str(seen.p, "whole", "is understood");
	llm_answer_done(&a);
	prepare(&rq, "");
	rq.format = "ollama";
	is_int(call(&rq, 0), ERR_OK, "Ollama is spoken to");
	ok(strstr(last_head, "POST /api/chat ") != NULL, "in its own language");
	llm_answer_done(&a);
	prepare(&rq, "x");
	rq.format = "telepathy";
	is_int(call(&rq, 3), ERR_UPSTREAM, "another wire format");
	is_str(a.why, "provider test's wire format is not available in this version", "says so");
	llm_answer_done(&a);
	prepare(&rq, "hello");
	rq.api_key = "sk\r\nX-Evil: 1";
	is_int(call(&rq, 0), ERR_UPSTREAM, "a key with a line end is not sent");
	is_int(a.error, LLM_AUTH, "and is refused as a key");
	llm_answer_done(&a);
	prepare(&rq, "hello");
	rq.base_url = "";
	is_int(call(&rq, 0), ERR_UPSTREAM, "a provider without an address");
	is_int(a.error, LLM_FORMAT, "is a mistake in the request");
	llm_answer_done(&a);
}

static void
broken(void)
{
	is_int(go("cut", 3), ERR_UPSTREAM, "a stream that is cut");
	is_int(a.error, LLM_BROKEN_STREAM, "is broken");
	ok(a.any_output && atomic_load(&srv.requests) == 1, "and not repeated, for words were seen");
	ok(a.content == NULL, "nor taken for an answer");
	llm_answer_done(&a);
	is_int(go("clean", 3), ERR_UPSTREAM, "also when the body ends as if all were well");
	is_int(a.error, LLM_BROKEN_STREAM, "without the provider's word");
	llm_answer_done(&a);
	is_int(go("tail", 0), ERR_OK, "a connection that breaks after the end does no harm");
	llm_answer_done(&a);
	is_int(go("linger", 0), ERR_OK, "nor does one that stays open");
	llm_answer_done(&a);
	is_int(go("error", 3), ERR_UPSTREAM, "an error frame in the middle");
	ok(a.error == LLM_OVERLOADED && a.http_status == 503 && atomic_load(&srv.requests) == 1, "is classed and not repeated");
	is_str(a.why, "provider test is overloaded: went away", "and told");
	llm_answer_done(&a);
}

static void
retries(void)
{
	is_int(go("busy", 3), ERR_OK, "429 twice, then an answer");
	is_int(atomic_load(&srv.requests), 3, "takes three attempts");
	llm_answer_done(&a);
	is_int(go("busy", 1), ERR_UPSTREAM, "one retry is not enough");
	ok(a.error == LLM_RATE_LIMITED && a.http_status == 429 && a.retry_after_s == 0, "and the limit is told");
	llm_answer_done(&a);
	is_int(go("hour", 3), ERR_UPSTREAM, "a limit that lasts half an hour");
	ok(a.error == LLM_RATE_LIMITED && a.retry_after_s == 1800, "which the head alone tells");
	is_int(atomic_load(&srv.requests), 1, "is not waited for");
	llm_answer_done(&a);
	is_int(go("full", 2), ERR_UPSTREAM, "503 to the end");
	ok(a.error == LLM_OVERLOADED && atomic_load(&srv.requests) == 3, "is overload, after three attempts");
	llm_answer_done(&a);
	is_int(go("drop", 3), ERR_OK, "a connection that closes without a word is tried again");
	llm_answer_done(&a);
	is_int(go("early", 3), ERR_OK, "an error frame before any output too");
	llm_answer_done(&a);
	is_int(go("auth", 3), ERR_UPSTREAM, "a refused key");
	is_int(atomic_load(&srv.requests), 1, "is not tried again");
	is_str(a.why, "provider test refused the key", "and not repeated to the user");
	llm_answer_done(&a);
	is_int(go("boom", 3), ERR_UPSTREAM, "500");
	is_int(atomic_load(&srv.requests), 1, "is final");
	llm_answer_done(&a);
}

static void
healing(void)
{
	struct llm_request rq;

	prepare(&rq, "temp");
	rq.has_temperature = true;
	is_int(call(&rq, 0), ERR_OK, "a model without temperature is asked without");
	ok(atomic_load(&srv.requests) == 2 && strstr(last_body, "temperature") == NULL, "at the second attempt");
	llm_answer_done(&a);
	is_int(call(&rq, 0), ERR_OK, "the next call");
	is_int(atomic_load(&srv.requests), 3, "remembers");
	llm_answer_done(&a);
	prepare(&rq, "maxtok");
	rq.max_tokens = 100;
	is_int(call(&rq, 0), ERR_OK, "max_tokens by its other name");
	ok(strstr(last_body, "\"max_completion_tokens\":100") != NULL, "is sent");
	llm_answer_done(&a);
	prepare(&rq, "limit");
	rq.max_tokens = 99999;
	is_int(call(&rq, 0), ERR_OK, "a limit that the refusal quotes is kept");
	llm_answer_done(&a);
	is_int(go("opts", 0), ERR_OK, "stream_options can be left out");
	llm_answer_done(&a);
	prepare(&rq, "notools");
	rq.tools = json_tokener_parse("[{\"name\":\"f\",\"input_schema\":{}}]");
	is_int(call(&rq, 0), ERR_OK, "tools too");
	llm_answer_done(&a);
	json_object_put(rq.tools);
}

static void
rescue(void)
{
	struct llm_request rq;

	prepare(&rq, "effort");
	rq.thinking_budget = 8000;
	is_int(call(&rq, 0), ERR_OK, "a model that knows no effort is asked without");
	llm_answer_done(&a);
	is_int(go("groq", 0), ERR_OK, "calls that a server refused to pass on");
	is_str(text(), "[{\"type\":\"tool_use\",\"id\":\"groq_recovered_0\",\"name\":\"get_x\",\"input\":{\"a\":\"}\"}},"
	    "{\"type\":\"tool_use\",\"id\":\"groq_recovered_1\",\"name\":\"get_y\",\"input\":{}}]", "are read from what it refused");
	is_int(a.stop, LLM_TOOL_USE, "and wanted");
	llm_answer_done(&a);
	is_int(go("groqtext", 0), ERR_OK, "words that it took for a call");
	is_str(seen.p, "I just talk.", "are the answer");
	llm_answer_done(&a);
	atomic_store(&srv.requests, 0);
	prepare(&rq, "groqonce");
	ok(call(&rq, 0) == ERR_OK || call(&rq, 0) == ERR_OK, "without them it is asked once more");
	llm_answer_done(&a);
}

static void *
stop_later(void *k)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	cancel_now(k, CANCEL_USER);
	return NULL;
}

static void
cancel_in(const char *how, const char *what)
{
	struct cancel k = { 0 };
	struct llm_request rq;
	pthread_t t;
	int64_t from = clock_mono_us(), took;

	prepare(&rq, how);
	rq.cancel = &k;
	pthread_create(&t, NULL, stop_later, &k);
	is_int(call(&rq, 3), ERR_CANCELLED, "cancel while %s", what);
	took = clock_mono_us() - from;
	is_int(a.error, LLM_CANCELLED, "says so");
	ok(took < 20000000, "soon (%d ms)", (int)(took / 1000 - 100));
	pthread_join(t, NULL);
	llm_answer_done(&a);
}

int
main(void)
{
	setenv("LF_LLM_RETRY_MS", "10", 1);
	httpd_start(&srv, serve, NULL);
	answers();
	broken();
	retries();
	healing();
	rescue();
	cancel_in("silent", "the model thinks");
	cancel_in("later", "waiting for another attempt");
	httpd_stop(&srv);
	http_done();
	buf_done(&seen);
	return done();
}
