/*
 * Credentials that are exchanged for tokens: Copilot, Vertex, a ChatGPT session; and Azure, which is
 * asked like OpenAI elsewhere. Against a small server that hands out tokens and looks at them.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <nettle/base64.h>

#include "lib/base/json.h"
#include "lib/base/util.h"
#include "lib/llm/llm.h"
#include "lib/llm/openai.h"
#include "lib/llm/token.h"
#include "t/llm/asked.h"
#include "t/net/httpd.h"
#include "t/tap.h"

static struct httpd srv;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char told[16384];                /* to whoever hands out a subject's token */
static char head[16384], path[1024], said[65536];       /* of the last request for an answer; of the last for a token */
static _Atomic unsigned tokens, answers_;
static _Atomic int live_s = 3600;

#define OA_ANSWER "{\"choices\":[{\"message\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}]}"
#define G_ANSWER "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]},\"finishReason\":\"STOP\"}]}"
#define R_ANSWER "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n"

static bool
give_token(int fd, const struct seen *rq)
{
	char body[512];
	unsigned n = atomic_fetch_add(&tokens, 1) + 1;

	pthread_mutex_lock(&lock);
	snprintf(said, sizeof(said), "%s", rq->body_bytes > 0 ? rq->body : rq->head);
	pthread_mutex_unlock(&lock);
	if (strstr(rq->path, "refused") != NULL)
		return httpd_answer(fd, 401, "", "{\"error\":\"invalid_grant\",\"error_description\":\"ghp_canary_canary is wrong\"}");
	snprintf(body, sizeof(body), "{\"token\":\"tok-%u\",\"access_token\":\"tok-%u\",\"expires_in\":%d,\"expires_at\":%lld,\"accessToken\":\"as-%u\",\"expireTime\":\"2099-01-01T00:00:00Z\"}", n, n, atomic_load(&live_s),
	    (long long)(clock_ms() / 1000 + atomic_load(&live_s)), n);
	return httpd_answer(fd, 200, "Content-Type: application/json\r\n", body);
}

/* /stale/: the first token is refused, as one that was taken back. */
static bool
serve(int fd, const struct seen *rq, void *arg)
{
	(void)arg;
	if (strstr(rq->path, "/token") != NULL)
		return give_token(fd, rq);
	if (strcmp(rq->path, "/subject") == 0) {
		snprintf(told, sizeof(told), "%s", rq->head);
		return httpd_answer(fd, 200, "", "{\"the_token\":\"subject-2\",\"access_token\":\"x\"}");
	}
	atomic_fetch_add(&answers_, 1);
	pthread_mutex_lock(&lock);
	snprintf(head, sizeof(head), "%s", rq->head);
	snprintf(path, sizeof(path), "%s", rq->path);
	pthread_mutex_unlock(&lock);
	if (strncmp(rq->path, "/refuse/", 8) == 0)
		return httpd_answer(fd, 401, "", "{}");
	if (strncmp(rq->path, "/noplan/", 8) == 0)
		return httpd_answer(fd, 403, "", "{\"error\":{\"message\":\"You do not have access to the model m-1\"}}");
	if (strncmp(rq->path, "/stale/", 7) == 0 && (strstr(rq->head, "Bearer tok-1\r\n") || strstr(rq->head, "Bearer session\r\n")))
		return httpd_answer(fd, 401, "", "{\"error\":{\"message\":\"expired\"}}");
	return httpd_answer(fd, 200, "", strstr(rq->path, "generateContent") ? G_ANSWER : strstr(rq->path, "responses") ? R_ANSWER : OA_ANSWER);
}

static struct llm_answer a;
static char base[256], settings_text[1024];

static enum err
call(const char *format, const char *key, const char *place, const char *settings)
{
	struct message hi = { .role = BY_USER, .text = "\"hi\"", .n = 4 };
	struct history h = { &hi, 1, 1 };
	struct llm_request rq = { .provider = "test", .model = "m-1", .format = format, .api_key = key, .base_url = base, .timeout_ms = 5000, .messages = &h,
	    .settings = json_tokener_parse(settings) };
	enum err e;

	snprintf(base, sizeof(base), "http://127.0.0.1:%u%s", srv.port, place);
	e = llm_call(&rq, NULL, 0, &a);
	json_object_put(rq.settings);
	llm_answer_done(&a);
	return e;
}

static const char *
token_at(const char *where, const char *more)
{
	snprintf(settings_text, sizeof(settings_text), "{\"token_url\":\"http://127.0.0.1:%u/%s\"%s}", srv.port, where, more);
	return settings_text;
}

static void
copilot(void)
{
	atomic_store(&tokens, 0);
	is_int(call("copilot", "ghp_1", "", token_at("token", "")), ERR_OK, "Copilot answers");
	ok(strstr(said, "Authorization: token ghp_1\r\n") != NULL, "GitHub's token is shown to GitHub");
	ok(strstr(head, "Authorization: Bearer tok-1\r\n") && strstr(head, "Copilot-Integration-Id: vscode-chat\r\n") && !strstr(head, "ghp_1"), "and only its exchange to Copilot");
	is_int(call("copilot", "ghp_1", "", token_at("token", "")), ERR_OK, "again");
	is_int(atomic_load(&tokens), 1, "with the same token");
	atomic_store(&live_s, 60);
	is_int(call("copilot", "ghp_2", "", token_at("token", "")), ERR_OK, "another account");
	is_int(call("copilot", "ghp_2", "", token_at("token", "")), ERR_OK, "whose token ends soon");
	is_int(atomic_load(&tokens), 3, "fetches one each time");
	atomic_store(&live_s, 3600);
	atomic_store(&tokens, 0);
	is_int(call("copilot", "ghp_3", "/stale", token_at("token", "")), ERR_OK, "a token that was taken back");
	is_int(atomic_load(&tokens), 2, "is fetched anew, once");
	is_int(call("copilot", "ghp_canary_canary", "", token_at("token-refused", "")), ERR_UPSTREAM, "an account that is refused");
	ok(a.error == LLM_AUTH && strstr(a.why, "canary") == NULL, "is a key that is refused, in words without it");
	is_int(call("copilot", "", "", token_at("token", "")), ERR_UPSTREAM, "no account");
	is_int(a.error, LLM_AUTH, "too");
}

/* A token may say whose API it is for. */
static void
copilot_places(void)
{
	static const struct { const char *token, *url; } all[] = {
		{ "tid=1;exp=2", "https://api.githubcopilot.com/chat/completions" },
		{ "tid=1;proxy-ep=proxy.business.example;exp=2", "https://api.business.example/chat/completions" },
		{ "tid=1;proxy-ep=https://own.example", "https://own.example/chat/completions" },
		{ "tid=1;proxy-ep=http://plain.example;exp=2", "https://api.githubcopilot.com/chat/completions" },
		{ "tid=1;proxy-ep=own.example/x@y;exp=2", "https://api.githubcopilot.com/chat/completions" },
		{ "tid=1;not-proxy-ep=own.example", "https://api.githubcopilot.com/chat/completions" },
	};
	char key[16];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct llm_request rq = { .provider = "github-copilot", .model = "m", .base_url = "https://api.githubcopilot.com", .api_key = key };
		struct token_key k;

		snprintf(key, sizeof(key), "ghp_place_%zu", i);
		k = token_key("copilot", key);
		token_put(&k, all[i].token, clock_ms() + 3600000);
		is_int(asked(&copilot_driver, &rq, "[{\"role\":\"user\",\"content\":\"hi\"}]"), ERR_OK, "%s", all[i].token);
		is_str(asked_url, all[i].url, "is asked there");
	}
	asked_done();
}

static void
session(void)
{
	unsetenv("CHATGPT_REFRESH_TOKEN");
	is_int(call("chatgpt_responses", "session", "/stale", token_at("token", "")), ERR_UPSTREAM, "a ChatGPT session that is over");
	is_int(a.error, LLM_AUTH, "is refused");
	setenv("CHATGPT_REFRESH_TOKEN", "refresh-1", 1);
	atomic_store(&tokens, 1);       /* the next is tok-2 */
	is_int(call("chatgpt_responses", "session", "/stale", token_at("token", "")), ERR_OK, "with what refreshes it");
	ok(strstr(said, "\"refresh_token\":\"refresh-1\"") != NULL && strstr(head, "Bearer tok-2\r\n") != NULL, "it goes on");
	is_int(call("chatgpt_responses", "session", "/stale", token_at("token", "")), ERR_OK, "the next call");
	is_int(atomic_load(&tokens), 2, "needs no more of it");
	is_int(call("chatgpt_responses", "session", "/noplan", token_at("token", "")), ERR_UPSTREAM, "a model that its plan has not");
	ok(a.error == LLM_MODEL_NOT_FOUND && atomic_load(&tokens) == 2, "is no session that is over");
}

/* --- Vertex -------------------------------------------------------------- */

static gnutls_privkey_t rsa;
static char pem_json[8192];             /* the key, fit for a JSON string */

static void
make_key(void)
{
	gnutls_x509_privkey_t k;
	gnutls_datum_t pem;
	size_t n = 0;

	gnutls_x509_privkey_init(&k);
	gnutls_x509_privkey_generate(k, GNUTLS_PK_RSA, 2048, 0);
	gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	for (unsigned i = 0; i < pem.size && n < sizeof(pem_json) - 3; i++) {
		if (pem.data[i] == '\n')
			pem_json[n++] = '\\';
		pem_json[n++] = pem.data[i] == '\n' ? 'n' : (char)pem.data[i];
	}
	gnutls_privkey_init(&rsa);
	gnutls_privkey_import_x509(rsa, k, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	gnutls_free(pem.data);
}

/* Is what was said to the token's server a statement that this key signed? */
static bool
is_signed(void)
{
	char *jwt = strstr(said, "assertion="), *dot;
	unsigned char sig[512];
	size_t n = sizeof(sig), len;
	struct base64_decode_ctx d;
	gnutls_pubkey_t pub;
	gnutls_datum_t text, s;
	bool good;

	if (jwt == NULL || (dot = strrchr(jwt, '.')) == NULL)
		return false;
	jwt += 10;
	for (char *p = dot; *p != '\0'; p++)
		*p = *p == '-' ? '+' : *p == '_' ? '/' : *p;
	base64_decode_init(&d);
	len = strlen(dot + 1);
	if (!base64_decode_update(&d, &n, sig, len, dot + 1))
		return false;
	text = (gnutls_datum_t){ (unsigned char *)jwt, (unsigned)(dot - jwt) };
	s = (gnutls_datum_t){ sig, (unsigned)n };
	gnutls_pubkey_init(&pub);
	gnutls_pubkey_import_privkey(pub, rsa, 0, 0);
	good = gnutls_pubkey_verify_data2(pub, GNUTLS_SIGN_RSA_SHA256, 0, &text, &s) == 0;
	gnutls_pubkey_deinit(pub);
	return good;
}

static void
vertex(void)
{
	char account[10000];

	unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
	unsetenv("VERTEX_AI_SERVICE_ACCOUNT_JSON");
	unsetenv("GOOGLE_CLOUD_PROJECT");
	make_key();
	snprintf(account, sizeof(account), "{\"type\":\"service_account\",\"project_id\":\"proj-1\",\"client_email\":\"a@proj-1.iam\",\"private_key\":\"%s\","
	    "\"token_uri\":\"http://127.0.0.1:%u/token\"}", pem_json, srv.port);
	atomic_store(&tokens, 0);
	is_int(call("vertex_ai", account, "", "{\"region\":\"europe-west4\"}"), ERR_OK, "Vertex answers");
	ok(is_signed(), "its account signed for the token");
	ok(strncmp(said, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=", 75) == 0, "as the standard says");
	is_str(path, "/v1/projects/proj-1/locations/europe-west4/publishers/google/models/m-1:generateContent", "the address names project and region");
	ok(strstr(head, "Authorization: Bearer tok-1\r\n") != NULL, "the token goes along");
	is_int(call("vertex_ai", account, "", "{\"project_id\":\"other\"}"), ERR_OK, "again");
	is_int(atomic_load(&tokens), 1, "with the same token");
	is_str(path, "/v1/projects/other/locations/us-central1/publishers/google/models/m-1:generateContent", "a project that is set goes first");
	setenv("GCLOUD_PROJECT", "third", 1);
	setenv("GOOGLE_CLOUD_REGION", "eu-2", 1);
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "by the environment");
	is_str(path, "/v1/projects/third/locations/eu-2/publishers/google/models/m-1:generateContent", "it is another project and region");
	setenv("GOOGLE_CLOUD_PROJECT", "second", 1);
	is_int(call("vertex_ai", account, "/v1/projects/fourth", "{}"), ERR_OK, "by more of it");
	is_str(path, "/v1/projects/second/locations/eu-2/publishers/google/models/m-1:generateContent", "before what the address says");
	setenv("VERTEX_AI_PROJECT_ID", "first", 1);
	setenv("VERTEX_AI_REGION", "eu-1", 1);
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "by its own variables");
	is_str(path, "/v1/projects/first/locations/eu-1/publishers/google/models/m-1:generateContent", "before all");
	for (const char *const *v = (const char *const[]){ "GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT", "VERTEX_AI_PROJECT_ID", "GOOGLE_CLOUD_REGION", "VERTEX_AI_REGION", NULL }; *v != NULL; v++)
		unsetenv(*v);
	is_int(call("vertex_ai", account, "/v1/projects/fourth/x", "{}"), ERR_OK, "by its address");
	is_str(path, "/v1/projects/fourth/locations/us-central1/publishers/google/models/m-1:generateContent", "before its key");
	is_int(call("vertex_ai", account, "/stale", "{}"), ERR_UPSTREAM, "a token that is refused");
	is_int(a.error, LLM_AUTH, "is an error of keys");
	is_int(call("vertex_ai", account, "/stale", "{}"), ERR_OK, "and is dropped: the next call fetches another");
	is_int(call("vertex_ai", account, "", "{\"project_id\":\"../x\"}"), ERR_UPSTREAM, "a project that would leave its place");
	is_int(a.error, LLM_FORMAT, "is refused");
	is_int(call("vertex_ai", "/nonexistent/key.json", "", "{}"), ERR_UPSTREAM, "a key that is not there");
	ok(a.error == LLM_AUTH && strstr(a.why, "credentials_path") != NULL, "is told");
	is_int(call("vertex_ai", "{\"type\":\"service_account\",\"client_email\":\"x\",\"project_id\":\"p\",\"private_key\":\"no key\"}", "", "{}"), ERR_UPSTREAM, "a key that is none");
	ok(a.error == LLM_AUTH && strstr(a.why, "no key") == NULL, "too");
	gnutls_privkey_deinit(rsa);
}

static char place[] = "/tmp/lf-tokens-XXXXXX";

static void
write_in(const char *name, const char *text, mode_t mode)
{
	char file[256];
	FILE *f;

	snprintf(file, sizeof(file), "%s/%s", place, name);
	f = fopen(file, "w");
	fputs(text, f);
	fclose(f);
	chmod(file, mode);
}

/* A user's login, as gcloud keeps it, and gcloud itself. */
static void
vertex_users(void)
{
	char login[512], file[256], paths[8192];

	if (mkdtemp(place) == NULL)
		exit(1);
	snprintf(login, sizeof(login), "{\"type\":\"authorized_user\",\"client_id\":\"id 1\",\"client_secret\":\"s&cret\",\"refresh_token\":\"1//r\","
	    "\"quota_project_id\":\"quota-1\",\"token_uri\":\"http://127.0.0.1:%u/token\"}", srv.port);
	setenv("CLOUDSDK_CONFIG", place, 1);
	setenv("PATH", place, 1);
	is_int(call("vertex_ai", "", "", "{\"project_id\":\"p\"}"), ERR_UPSTREAM, "nobody who is logged in");
	ok(a.error == LLM_AUTH && strstr(a.why, "gcloud") != NULL, "is told");
	write_in("application_default_credentials.json", login, 0600);
	atomic_store(&tokens, 0);
	is_int(call("vertex_ai", "", "", "{}"), ERR_OK, "a login that gcloud left is found");
	is_str(said, "grant_type=refresh_token&client_id=id%201&client_secret=s%26cret&refresh_token=1%2F%2Fr", "and has a token fetched for it");
	ok(strstr(head, "Authorization: Bearer tok-1\r\n") && strstr(head, "x-goog-user-project: quota-1\r\n"), "which goes along with whose account it is on");
	is_str(path, "/v1/projects/quota-1/locations/us-central1/publishers/google/models/m-1:generateContent", "and is that project's");
	is_int(call("vertex_ai", "", "", "{}"), ERR_OK, "again");
	is_int(atomic_load(&tokens), 1, "with the same token");
	is_int(call("vertex_ai", "", "", "{\"credentials_path\":\"/nonexistent\"}"), ERR_UPSTREAM, "another file that is named and not there");
	ok(a.error == LLM_AUTH, "is no reason to take this one");
	snprintf(file, sizeof(file), "%s/application_default_credentials.json", place);
	is_int(call("vertex_ai", file, "", "{}"), ERR_OK, "the file may be named, too");
	unlink(file);

	snprintf(paths, sizeof(paths), "#!/bin/sh\necho \"$@\" >> %s/asked\n[ -e %s/out ] && { echo secret-canary >&2; exit 1; }\n"
	    "[ \"$LF_SECRET\" = \"\" ] && echo ya29.from-gcloud\n", place, place);
	setenv("LF_SECRET", "x", 1);
	write_in("gcloud", paths, 0755);
	is_int(call("vertex_ai", "", "", "{\"project_id\":\"p\"}"), ERR_OK, "gcloud is asked for a token");
	ok(strstr(head, "Authorization: Bearer ya29.from-gcloud\r\n") && !strstr(head, "x-goog-user-project"), "which goes along, and it sees no secret of ours");
	is_int(call("vertex_ai", "", "/stale", "{\"project_id\":\"p\"}"), ERR_OK, "again");
	snprintf(file, sizeof(file), "%s/asked", place);
	{
		SCOPED_BUF b = BUF_INIT(4096);

		ok(buf_read_file(&b, file) == ERR_OK && strcmp(b.p, "auth print-access-token --quiet\n") == 0, "with the same token");
	}
	is_int(call("vertex_ai", "", "/refuse", "{\"project_id\":\"p\"}"), ERR_UPSTREAM, "one that is refused");
	write_in("out", "", 0600);
	is_int(call("vertex_ai", "", "", "{\"project_id\":\"p\"}"), ERR_UPSTREAM, "is asked for anew, of one who is logged out");
	ok(a.error == LLM_AUTH && strstr(a.why, "gcloud auth login") != NULL && strstr(a.why, "canary") == NULL, "which is told");
	for (const char *const *f = (const char *const[]){ "out", "asked", "gcloud", NULL }; *f != NULL; f++) {
		snprintf(file, sizeof(file), "%s/%s", place, *f);
		unlink(file);
	}
	rmdir(place);
}

/* An identity of elsewhere, exchanged. */
static void
vertex_external(void)
{
	static char dir[] = "/tmp/lf-external-XXXXXX";
	char account[2048], file[256];
	const char *common = "{\"type\":\"external_account\",\"audience\":\"//iam/pool/x y\",\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
	    "\"token_url\":\"http://127.0.0.1:%u/exchange/token\",\"quota_project_id\":\"quota-2\",";

	if (mkdtemp(dir) == NULL)
		exit(1);
	snprintf(file, sizeof(file), "%s/subject", dir);
	{
		FILE *f = fopen(file, "w");

		fputs("subject-token-1\n", f);
		fclose(f);
	}
	snprintf(account, sizeof(account), common, srv.port);
	snprintf(account + strlen(account), sizeof(account) - strlen(account), "\"credential_source\":{\"file\":\"%s\"}}", file);
	atomic_store(&tokens, 0);
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "a federated identity is taken");
	is_str(said, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&audience=%2F%2Fiam%2Fpool%2Fx%20y"
	    "&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
	    "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=subject-token-1", "its token of a file is exchanged as RFC 8693 says");
	ok(strstr(head, "Authorization: Bearer tok-1\r\n") && strstr(head, "x-goog-user-project: quota-2\r\n"), "and what it is worth goes along");
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "again");
	is_int(atomic_load(&tokens), 1, "with the same token");
	unlink(file);
	is_int(call("vertex_ai", account, "/stale", "{}"), ERR_UPSTREAM, "a token that is refused is dropped");
	is_int(call("vertex_ai", account, "", "{}"), ERR_UPSTREAM, "without the file");
	ok(a.error == LLM_AUTH && strstr(a.why, "credential_source") != NULL, "there is no other, which is told");
	rmdir(dir);

	snprintf(account, sizeof(account), common, srv.port);
	snprintf(account + strlen(account), sizeof(account) - strlen(account), "\"service_account_impersonation_url\":\"http://127.0.0.1:%u/as/token\","
	    "\"service_account_impersonation\":{\"token_lifetime_seconds\":600},"
	    "\"credential_source\":{\"url\":\"http://127.0.0.1:%u/subject\",\"headers\":{\"Metadata\":\"yes\"},\"format\":{\"type\":\"json\","
	    "\"subject_token_field_name\":\"the_token\"}}}", srv.port, srv.port);
	atomic_store(&tokens, 0);
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "one whose token is at an address, and that acts for a service account");
	ok(strstr(told, "Metadata: yes\r\n") != NULL, "is asked there as the configuration says");
	is_str(said, "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"],\"lifetime\":\"600s\"}", "the account's token is asked for");
	ok(strstr(head, "Authorization: Bearer as-2\r\n") != NULL, "and goes along");
	is_int(call("vertex_ai", account, "", "{}"), ERR_OK, "again");
	is_int(atomic_load(&tokens), 2, "with the same");

	snprintf(account, sizeof(account), common, srv.port);
	snprintf(account + strlen(account), sizeof(account) - strlen(account), "\"credential_source\":{\"url\":\"http://169.254.169.254/x\"}}");
	atomic_store(&tokens, 0);
	is_int(call("vertex_ai", account, "", "{}"), ERR_UPSTREAM, "where clouds keep their secrets");
	ok(a.error == LLM_AUTH && atomic_load(&tokens) == 0, "nobody is asked");
	snprintf(account, sizeof(account), common, srv.port);
	snprintf(account + strlen(account), sizeof(account) - strlen(account), "\"credential_source\":{\"executable\":{\"command\":\"/bin/true\"}}}");
	is_int(call("vertex_ai", account, "", "{}"), ERR_UPSTREAM, "a program that prints the token");
	ok(a.error == LLM_AUTH, "is not run");
	snprintf(account, sizeof(account), common, srv.port);
	snprintf(account + strlen(account), sizeof(account) - strlen(account), "\"credential_source\":{\"url\":\"http://127.0.0.1:%u/subject\"}}", srv.port);
	memcpy(strstr(account, "/exchange/token"), "/refused/./token", 15);
	is_int(call("vertex_ai", account, "", "{}"), ERR_UPSTREAM, "an exchange that is refused");
	ok(a.error == LLM_AUTH && strstr(a.why, "canary") == NULL, "is an error of credentials that tells nothing of them");
}

static void
azure(void)
{
	unsetenv("AZURE_OPENAI_DEPLOYMENT");
	is_int(call("azure_openai", "az-key", "/", "{}"), ERR_OK, "Azure answers");
	is_str(path, "/openai/deployments/m-1/chat/completions?api-version=2024-02-01", "the model is the deployment");
	ok(strstr(head, "api-key: az-key\r\n") != NULL && strstr(head, "Authorization") == NULL, "the key has a header of its own");
	is_int(call("azure_openai", "az-key", "", "{\"deployment\":\"my dep\",\"api_version\":\"2025-01-01-preview\"}"), ERR_OK, "as it is set");
	is_str(path, "/openai/deployments/my%20dep/chat/completions?api-version=2025-01-01-preview", "so it is asked");
	is_int(call("azure_openai", "az-key", "", "{\"api_version\":\"1&x=y\"}"), ERR_UPSTREAM, "a version that says more than that");
	is_int(a.error, LLM_FORMAT, "is refused");
}

int
main(void)
{
	httpd_start(&srv, serve, NULL);
	copilot();
	copilot_places();
	session();
	vertex();
	vertex_users();
	vertex_external();
	azure();
	httpd_stop(&srv);
	http_done();
	return done();
}
