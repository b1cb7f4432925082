/*
 * Gemini at Google Cloud: addresses by project and region, and a token that a service account
 * fetches with a statement it has signed (RFC 7523, RS256).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <nettle/base64.h>

#include "lib/base/util.h"
#include "lib/llm/errors.h"
#include "lib/llm/gemini.h"
#include "lib/llm/token.h"

#define USUAL_HOST "-aiplatform.googleapis.com"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

enum { TOKEN_TIMEOUT_MS = 15000, TOKEN_S = 3600, FILE_MAX = 65536 };

/* --- the account --------------------------------------------------------- */

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

/* The text is JSON, or the path of a file with it. */
static struct json_object *
account_in(const char *text)
{
	struct buf b = BUF_INIT(FILE_MAX);
	struct json_object *o = NULL;

	if (text == NULL || text[0] == '\0')
		return NULL;
	if (text[strspn(text, " \t\r\n")] == '{')
		buf_str(&b, text);
	else if (buf_read_file(&b, text) != ERR_OK)
		buf_clear(&b);
	if (b.len > 0 && json_check(b.p, b.len, JSON_DEPTH_MAX, NULL) == ERR_OK)
		o = json_parse(b.p, b.len);
	buf_zero_done(&b);
	if (strcmp(js_str_or(o, "type", ""), "service_account") == 0 && js_str(o, "private_key") != NULL && js_str(o, "client_email") != NULL)
		return o;
	json_object_put(o);
	return NULL;
}

/* By the first place that has one; NULL: none. The caller puts it. */
static struct json_object *
account_of(const struct llm_request *rq)
{
	const char *const places[] = { js_str(rq->settings, "credentials_path"), rq->api_key, env("VERTEX_AI_SERVICE_ACCOUNT_JSON"),
		env("GOOGLE_APPLICATION_CREDENTIALS") };
	struct json_object *o = NULL;

	for (size_t i = 0; o == NULL && i < ARRAY_LEN(places); i++)
		o = account_in(places[i]);
	return o;
}

/* --- the token ----------------------------------------------------------- */

static void
add_base64url(struct buf *b, const void *p, size_t n)
{
	size_t from = b->len;
	char *room = buf_room(b, BASE64_ENCODE_RAW_LENGTH(n));

	if (room == NULL)
		return;
	base64_encode_raw(room, n, p);
	b->len += BASE64_ENCODE_RAW_LENGTH(n);
	while (b->len > from && b->p[b->len - 1] == '=')
		b->len--;
	for (size_t i = from; i < b->len; i++)
		b->p[i] = b->p[i] == '+' ? '-' : b->p[i] == '/' ? '_' : b->p[i];
	b->p[b->len] = '\0';
}

static bool
add_signature(struct buf *b, const char *pem)
{
	gnutls_datum_t key = { (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
	gnutls_datum_t text = { (unsigned char *)b->p, (unsigned)b->len }, sig = { NULL, 0 };
	gnutls_privkey_t k;
	bool good;

	if (gnutls_privkey_init(&k) != 0)
		return false;
	good = gnutls_privkey_import_x509_raw(k, &key, GNUTLS_X509_FMT_PEM, NULL, 0) == 0 &&
	    gnutls_privkey_get_pk_algorithm(k, NULL) == GNUTLS_PK_RSA &&
	    gnutls_privkey_sign_data(k, GNUTLS_DIG_SHA256, 0, &text, &sig) == 0;
	gnutls_privkey_deinit(k);
	if (good) {
		buf_ch(b, '.');
		add_base64url(b, sig.data, sig.size);
	}
	gnutls_free(sig.data);
	return good;
}

/* {"alg":"RS256"}.{claims}.signature appended. false: the key cannot sign. */
static bool
add_statement(struct buf *b, struct json_object *account)
{
	static const char head[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
	SCOPED_BUF jwt = BUF_INIT(FILE_MAX);
	SCOPED_BUF claims = BUF_INIT(8192);
	struct jw w = JW_INIT(&claims);
	int64_t now_s = clock_ms() / 1000;

	jw_object(&w, NULL);
	jw_str(&w, "iss", js_str(account, "client_email"));
	jw_str(&w, "scope", "https://www.googleapis.com/auth/cloud-platform");
	jw_str(&w, "aud", js_str_or(account, "token_uri", "https://oauth2.googleapis.com/token"));
	jw_i64(&w, "iat", now_s);
	jw_i64(&w, "exp", now_s + TOKEN_S);
	jw_end(&w);
	add_base64url(&jwt, head, sizeof(head) - 1);
	buf_ch(&jwt, '.');
	add_base64url(&jwt, claims.p, claims.len);
	if (claims.failed || jwt.failed || !add_signature(&jwt, js_str(account, "private_key")))
		return false;
	buf_add(b, jwt.p, jwt.len);
	return !b->failed && !jwt.failed;
}

static enum err
fetch(struct outgoing *o, struct json_object *account, const struct token_key *key, struct llm_answer *a, struct buf *token)
{
	const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL };
	struct buf body = BUF_INIT(FILE_MAX);
	struct http_call call = { .method = "POST", .url = js_str_or(account, "token_uri", "https://oauth2.googleapis.com/token"),
	    .proxy = o->rq->proxy, .headers = headers, .timeout_ms = TOKEN_TIMEOUT_MS, .max_bytes = 1 << 20, .cancel = o->rq->cancel };
	struct json_object *got = NULL;
	enum err e;

	buf_str(&body, GRANT);
	if (!add_statement(&body, account)) {
		buf_zero_done(&body);
		o->why = "the private key of its service account cannot sign";
		return ERR_FORBIDDEN;
	}
	call.body = body.p;
	call.body_bytes = body.len;
	e = token_fetch(o->rq, &call, a, &got);
	buf_zero_done(&body);
	if (e == ERR_OK && js_str(got, "access_token") != NULL) {
		buf_str(token, js_str(got, "access_token"));
		token_put(key, js_str(got, "access_token"), clock_ms() + 1000 * js_i64(got, "expires_in", TOKEN_S));
	}
	json_object_put(got);
	if (e != ERR_OK || token->len > 0)
		return e;
	llm_blame(a, o->rq, LLM_AUTH, 0, NULL);
	return ERR_UPSTREAM;
}

static struct token_key
key_of(struct json_object *account)
{
	return token_key(js_str_or(account, "client_email", "vertex"), js_str_or(account, "private_key", ""));
}

/* --- where to ------------------------------------------------------------ */

/* Letters, digits and what else is in the names of projects and regions. */
static bool
is_name(const char *s, size_t n)
{
	return n > 0 && n < 128 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:") >= n && s[0] != '.';
}

static size_t
project_of(const struct outgoing *o, struct json_object *account, const char **ret)
{
	const char *base = o->rq->base_url != NULL ? o->rq->base_url : "", *in = strstr(base, "/projects/");
	const char *const places[] = { js_str(o->rq->settings, "project_id"), env("VERTEX_AI_PROJECT_ID"), env("GOOGLE_CLOUD_PROJECT"),
		env("GCLOUD_PROJECT") };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] != NULL && places[i][0] != '\0') {
			*ret = places[i];
			return strlen(places[i]);
		}
	if (in != NULL) {
		*ret = in + 10;
		return strcspn(in + 10, "/");
	}
	*ret = js_str_or(account, "project_id", "");
	return strlen(*ret);
}

static size_t
region_of(const struct outgoing *o, const char **ret)
{
	const char *base = o->rq->base_url != NULL ? o->rq->base_url : "", *host = strstr(base, "://"), *end = strstr(base, USUAL_HOST);
	const char *const places[] = { js_str(o->rq->settings, "region"), env("VERTEX_AI_REGION"), env("GOOGLE_CLOUD_REGION") };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (places[i] != NULL && places[i][0] != '\0') {
			*ret = places[i];
			return strlen(places[i]);
		}
	*ret = "us-central1";
	if (host == NULL || end == NULL || end <= host + 3)
		return strlen(*ret);
	*ret = host + 3;
	return (size_t)(end - host - 3);
}

/* Google's own address follows the region; any other is as it was given. */
static enum err
address(struct outgoing *o, struct json_object *account)
{
	const char *base, *project, *region, *model = o->rq->model;
	size_t n = out_base(o, &base), np = project_of(o, account, &project), nr = region_of(o, &region);
	const char *path = n > 0 ? strstr(base, "/projects/") : NULL;
	SCOPED_BUF host = BUF_INIT(1024);
	enum err e;

	if (strncmp(model, "vertex-ai/", 10) == 0)
		model += 10;
	if (!is_name(project, np) || !is_name(region, nr)) {
		o->why = "no project is known ([vertex_ai] project_id), or its region can be none";
		return ERR_INVALID;
	}
	if (path != NULL)
		n = (size_t)(path - base);
	if (n > 3 && memcmp(base + n - 3, "/v1", 3) == 0)
		n -= 3;
	if (n == 0 || (strstr(base, USUAL_HOST) != NULL && strstr(base, USUAL_HOST) < base + n))
		buf_printf(&host, nr == 6 && memcmp(region, "global", 6) == 0 ? "https://aiplatform.googleapis.com" : "https://%.*s" USUAL_HOST, (int)nr, region);
	else
		buf_add(&host, base, n);
	e = host.failed ? ERR_NOMEM : out_model(o, model);
	return e != ERR_OK ? e : out_url(o, "%s/v1/projects/%.*s/locations/%.*s/publishers/google/models/%s:%s", host.p, (int)np, project,
	    (int)nr, region, o->model, gemini_verb(o->rq));
}

static enum err
prepare(struct outgoing *o, struct llm_answer *a)
{
	struct json_object *account = account_of(o->rq);
	struct token_key key = key_of(account);
	struct buf token = BUF_INIT(65536);
	enum err e;

	if (account == NULL) {
		o->why = "no service account's key is set ([vertex_ai] credentials_path)";
		return ERR_FORBIDDEN;
	}
	e = address(o, account);
	if (e == ERR_OK && !token_get(&key, &token))
		e = fetch(o, account, &key, a, &token);
	if (e == ERR_OK)
		e = out_bearer(o, token.p);
	if (e == ERR_OK)
		e = out_usual_headers(o);
	buf_zero_done(&token);
	json_object_put(account);
	return e == ERR_OK ? gemini_write_body(o) : e;
}

/* A token that is refused is not used again; the next call fetches one. */
static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct json_object *account;
	struct token_key key;

	if (status != 401 && status != 403)
		return gemini_heal(o, status, body);
	account = account_of(o->rq);
	key = key_of(account);
	token_drop(&key);
	json_object_put(account);
	return false;
}

const struct driver vertex_driver = {
	.format = "vertex_ai", .framing = FRAMES_SSE, .busy_wait_s = 5, .stops = gemini_stops,
	.prepare = prepare, .frame = gemini_frame, .heal = heal,
};
