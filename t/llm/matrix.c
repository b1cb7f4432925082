/*
 * Every driver and every way to fail: a status, a reset, silence, nonsense, half an answer. Each has its class, is
 * tried again as often as it may, hands out nothing, and repeats nothing of what the provider echoes of our key.
 */
#include <stdlib.h>
#include <time.h>

#include <gnutls/x509.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/llm/llm.h"
#include "t/net/httpd.h"
#include "t/tap.h"

static struct httpd srv;
static const char *const formats[] = { "openai", "anthropic", "gemini", "ollama", "cohere", "bedrock_converse", "azure_openai", "openai_responses",
	"chatgpt_responses", "copilot", "vertex_ai" };
/* The key: canary, or a service account with a key of its own; and where tokens come from. */
static char account[8192], token_url[128];

/* Our whole head comes back as what the provider has to say. */
static bool
echo(int fd, int status, const struct seen *rq)
{
	SCOPED_BUF b = BUF_INIT(65536);
	struct jw w = JW_INIT(&b);

	jw_object(&w, NULL);
	jw_object(&w, "error");
	jw_str(&w, "message", rq->head);
	jw_end(&w);
	jw_end(&w);
	return httpd_answer(fd, status, "", b.p);
}

/* /<how>/…: a status, or a way. */
static bool
serve(int fd, const struct seen *rq, void *arg)
{
	const char *how = rq->path + 1;
	int status = atoi(how);

	(void)arg;
	if (strcmp(how, "token") == 0) {        /* for Copilot and for Vertex; it is none of the calls that are counted */
		atomic_fetch_sub(&srv.requests, 1);
		return httpd_answer(fd, 200, "", "{\"token\":\"tid=canary-token-77\",\"expires_at\":9999999999,\"access_token\":\"canary-token-77\",\"expires_in\":3600}");
	}
	if (status >= 400)
		return echo(fd, status, rq);
	if (strncmp(how, "wait/", 5) == 0)
		return httpd_answer(fd, 429, "Retry-After: 600\r\n", "{}");
	if (strncmp(how, "reset/", 6) == 0)
		return false;
	if (strncmp(how, "stall/", 6) == 0) {
		(void)httpd_say(fd, "HTTP/1.1 200 X\r\nContent-Length: 500\r\n\r\n");
		httpd_silence(fd);
		return false;
	}
	if (strncmp(how, "cut/", 4) == 0)
		return httpd_say(fd, "HTTP/1.1 200 X\r\nContent-Length: 5000\r\n\r\n{\"choices\":[{\"message\":{\"con") && false;
	return httpd_answer(fd, 200, "", strncmp(how, "html/", 5) == 0 ? "<!doctype html><p>Sorry</p>" : strncmp(how, "empty/", 6) == 0 ? "" :
	    strncmp(how, "other/", 6) == 0 ? "{\"ok\":true}" : "{{{\xff\xfe");
}

static const struct trouble { const char *how; enum llm_error e; unsigned asked; } faults[] = {
	{ "400", LLM_FORMAT, 1 }, { "401", LLM_AUTH, 1 }, { "402", LLM_BILLING, 1 }, { "403", LLM_AUTH, 1 }, { "404", LLM_MODEL_NOT_FOUND, 1 },
	{ "408", LLM_TIMEOUT, 1 }, { "413", LLM_CONTEXT_OVERFLOW, 1 }, { "422", LLM_FORMAT, 1 }, { "429", LLM_RATE_LIMITED, 3 },
	{ "wait", LLM_RATE_LIMITED, 1 }, { "500", LLM_UPSTREAM, 1 }, { "502", LLM_UPSTREAM, 1 }, { "503", LLM_OVERLOADED, 3 },
	{ "504", LLM_TIMEOUT, 1 }, { "529", LLM_OVERLOADED, 3 }, { "reset", LLM_UPSTREAM, 3 }, { "stall", LLM_TIMEOUT, 1 },
	{ "cut", LLM_UPSTREAM, 3 }, { "html", LLM_BROKEN_STREAM, 3 }, { "empty", LLM_BROKEN_STREAM, 3 }, { "other", LLM_BROKEN_STREAM, 3 },
	{ "nonsense", LLM_BROKEN_STREAM, 3 },
};

static void
judge(const char *format, const struct trouble *f, bool stream)
{
	struct message hi = { .role = BY_USER, .text = "\"hi\"", .n = 4 };
	struct history h = { &hi, 1, 1 };
	char base[128];
	struct llm_request rq = { .provider = "test", .model = "m", .format = format, .base_url = base, .api_key = "canary-5f2e1d0c9b8a", .stream = stream,
	    .timeout_ms = strcmp(f->how, "stall") == 0 ? 250 : 60000, .messages = &h, .patience_s = 60 };
	struct llm_answer a = { 0 };
	unsigned asked, want = strcmp(format, "bedrock_converse") == 0 && (atoi(f->how) == 502 || atoi(f->how) == 504) ? 3 : f->asked;
	enum err e;

	snprintf(base, sizeof(base), "http://127.0.0.1:%u/%s", srv.port, f->how);
	if (strcmp(format, "copilot") == 0)
		rq.settings = json_tokener_parse(token_url);
	else if (strcmp(format, "vertex_ai") == 0)
		rq.api_key = account;
	do {
		llm_answer_done(&a);
		atomic_store(&srv.requests, 0);
		e = llm_call(&rq, NULL, 2, &a);
		asked = atomic_load(&srv.requests);
	} while (strcmp(f->how, "stall") == 0 && asked == 0 && (rq.timeout_ms *= 4) < 30000);   /* it did not get that far */
	if (strcmp(f->how, "reset") == 0 && asked == want + 1)      /* a line that was kept was dead: it is no attempt */
		asked--;
	if (strcmp(format, "copilot") == 0 && f->e == LLM_AUTH && atoi(f->how) == 401 && asked == 2)    /* with a token fetched anew */
		asked--;
	ok(e == ERR_UPSTREAM && a.error == f->e && asked == want && a.content == NULL && !a.any_output && a.why[0] != '\0' &&
	    utf8_ok(a.why, strlen(a.why)) && strstr(a.why, "canary") == NULL, "%s%s, %s: %s, asked %u times (%s, %u, %s)", format, stream ? " streamed" : "", f->how,
	    llm_error_code(f->e), want, llm_error_code(a.error), asked, a.why);
	llm_answer_done(&a);
	json_object_put(rq.settings);
}

static void
make_account(void)
{
	SCOPED_BUF b = BUF_INIT(sizeof(account));
	struct jw w = JW_INIT(&b);
	gnutls_x509_privkey_t k;
	gnutls_datum_t pem;
	char url[100];

	gnutls_x509_privkey_init(&k);
	gnutls_x509_privkey_generate(k, GNUTLS_PK_RSA, 2048, 0);
	gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/token", srv.port);
	jw_object(&w, NULL);
	jw_str(&w, "type", "service_account");
	jw_str(&w, "project_id", "proj-1");
	jw_str(&w, "client_email", "a@b");
	jw_strn(&w, "private_key", (const char *)pem.data, pem.size);
	jw_str(&w, "token_uri", url);
	jw_end(&w);
	snprintf(account, sizeof(account), "%s", b.p);
	snprintf(token_url, sizeof(token_url), "{\"token_url\":\"%s\"}", url);
	gnutls_free(pem.data);
	gnutls_x509_privkey_deinit(k);
}

int
main(void)
{
	setenv("LF_LLM_RETRY_MS", "1", 1);
	unsetenv("CHATGPT_REFRESH_TOKEN");
	unsetenv("AWS_BEARER_TOKEN_BEDROCK");
	unsetenv("AWS_ACCESS_KEY_ID");
	httpd_start(&srv, serve, NULL);
	make_account();
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		for (size_t k = 0; k < ARRAY_LEN(faults); k++)
			for (int stream = 0; stream < 2; stream++)
				judge(formats[i], &faults[k], stream != 0);
	httpd_stop(&srv);
	http_done();
	return done();
}
