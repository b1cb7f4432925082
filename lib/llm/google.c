/*
 * Who asks at Google Cloud: a service account, which fetches tokens with statements that it has signed (RFC 7523, RS256); a
 * user's login, which has a token to fetch tokens with; an identity of elsewhere (google_external.c); or the program gcloud, which
 * has a login of its own.
 */
#include "lib/llm/google.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <nettle/base64.h>

#include "lib/base/util.h"
#include "lib/llm/child.h"
#include "lib/llm/errors.h"
#include "lib/svc/catalog.h"

#define TOKEN_URL "https://oauth2.googleapis.com/token"
#define GRANT "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

enum { TOKEN_TIMEOUT_MS = 15000, TOKEN_S = 3600, GCLOUD_S = 3000, FILE_MAX = 65536, PROGRAM_TOKEN_MAX = 16384 };

/* --- who ----------------------------------------------------------------- */

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
}

static bool
is_account(struct json_object *o)
{
	const char *type = js_str_or(o, "type", "");

	if (strcmp(type, "external_account") == 0)
		return external_ok(o);
	if (strcmp(type, "service_account") == 0)
		return js_str(o, "private_key") != NULL && js_str(o, "client_email") != NULL;
	return strcmp(type, "authorized_user") == 0 && js_str(o, "client_id") != NULL && js_str(o, "client_secret") != NULL &&
	    js_str(o, "refresh_token") != NULL;
}

/* The text is JSON, or the path of a file with it. */
static struct json_object *
account_in(const char *text)
{
	struct buf b = BUF_INIT(FILE_MAX);
	struct json_object *o = NULL;

	if (text[strspn(text, " \t\r\n")] == '{')
		buf_str(&b, text);
	else if (buf_read_file(&b, text) != ERR_OK)
		buf_clear(&b);
	if (b.len > 0 && json_check(b.p, b.len, JSON_DEPTH_MAX, NULL) == ERR_OK)
		o = json_parse(b.p, b.len);
	buf_zero_done(&b);
	if (is_account(o))
		return o;
	json_object_put(o);
	return NULL;
}

/* What nobody named is looked for only when nothing is named: a path that is wrong is to be told of. */
bool
google_who(const struct llm_request *rq, struct google_who *ret)
{
	const char *const places[] = { js_str(rq->settings, "credentials_path"), rq->api_key, env("VERTEX_AI_SERVICE_ACCOUNT_JSON"),
		env("GOOGLE_APPLICATION_CREDENTIALS") };
	char path[4096];
	bool named = false;

	*ret = (struct google_who){ .account = NULL };
	for (size_t i = 0; ret->account == NULL && i < ARRAY_LEN(places); i++)
		if (places[i] != NULL && places[i][0] != '\0') {
			ret->account = account_in(places[i]);
			named = true;
		}
	if (!named && catalog_google_login(path, sizeof(path)))
		ret->account = account_in(path);
	if (ret->account != NULL) {
		const char *secret = js_str(ret->account, "private_key");

		ret->external = strcmp(js_str_or(ret->account, "type", ""), "external_account") == 0;
		if (ret->external)      /* what shows who it is changes all the time: the whole configuration stands for it */
			secret = json_object_to_json_string_ext(ret->account, JSON_C_TO_STRING_PLAIN);
		ret->key = token_key(js_str_or(ret->account, "client_email", js_str_or(ret->account, "client_id", "vertex")),
		    secret != NULL ? secret : js_str_or(ret->account, "refresh_token", ""));
		return true;
	}
	ret->gcloud = !named && path_find("gcloud", path, sizeof(path));
	ret->key = token_key("gcloud", "");
	return ret->gcloud;
}

void
google_done(struct google_who *who)
{
	json_object_put(who->account);
	who->account = NULL;
}

/* --- a service account's statement ----------------------------------------- */

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
	jw_str(&w, "aud", js_str_or(account, "token_uri", TOKEN_URL));
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

/* --- the token ----------------------------------------------------------- */

void
form_add(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "&%s=", name);
	for (const unsigned char *s = (const unsigned char *)value; *s != '\0'; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("-_.~", *s) != NULL)
			buf_ch(b, (char)*s);
		else
			buf_printf(b, "%%%02X", *s);
}

/* What is said to the token's server. false: the key cannot sign. */
static bool
add_claim(struct buf *b, struct json_object *account)
{
	if (js_str(account, "private_key") != NULL) {
		buf_str(b, GRANT);
		return add_statement(b, account);
	}
	buf_str(b, "grant_type=refresh_token");
	form_add(b, "client_id", js_str(account, "client_id"));
	form_add(b, "client_secret", js_str(account, "client_secret"));
	form_add(b, "refresh_token", js_str(account, "refresh_token"));
	return !b->failed;
}

static enum err
from_server(struct outgoing *o, const struct google_who *who, struct llm_answer *a, struct buf *token)
{
	const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL };
	struct buf body = BUF_INIT(FILE_MAX);
	struct http_call call = { .method = "POST", .url = js_str_or(who->account, "token_uri", TOKEN_URL),
	    .proxy = o->rq->proxy, .headers = headers, .timeout_ms = TOKEN_TIMEOUT_MS, .max_bytes = 1 << 20, .cancel = o->rq->cancel };
	struct json_object *got = NULL;
	enum err e;

	if (!add_claim(&body, who->account)) {
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
		token_put(&who->key, js_str(got, "access_token"), clock_ms() + 1000 * js_i64(got, "expires_in", TOKEN_S));
	}
	json_object_put(got);
	if (e != ERR_OK || token->len > 0)
		return e;
	llm_blame(a, o->rq, LLM_AUTH, 0, NULL);
	return ERR_UPSTREAM;
}

static bool
on_bytes(void *arg, const char *p, size_t n)
{
	struct buf *b = arg;

	buf_add(b, p, n);
	return !b->failed;
}

/* It says the token and nothing of its age: fifty minutes are sure. */
static enum err
from_gcloud(struct outgoing *o, const struct google_who *who, struct llm_answer *a, struct buf *token)
{
	const char *const argv[] = { "gcloud", "auth", "print-access-token", "--quiet", NULL };
	char path[4096];
	struct child_env vars;
	struct child c = { .path = path, .argv = argv, .envp = vars.v, .dir = "/", .timeout_ms = TOKEN_TIMEOUT_MS, .max_bytes = PROGRAM_TOKEN_MAX,
	    .cancel = o->rq->cancel, .on_bytes = on_bytes, .arg = token };
	enum err e;

	if (!path_find("gcloud", path, sizeof(path)))
		return ERR_FORBIDDEN;
	child_env(&vars, "CLOUDSDK_");
	e = child_run(&c);
	buf_done(&c.said);
	if (e == ERR_CANCELLED)
		return driver_blame(o->rq, a, e, NULL);
	while (token->len > 0 && strchr(" \t\r\n", token->p[token->len - 1]) != NULL)
		token->p[--token->len] = '\0';
	if (e == ERR_OK && c.exit_code == 0 && token->len > 0 && is_header_text(token->p) && strpbrk(token->p, " \t") == NULL) {
		token_put(&who->key, token->p, clock_ms() + 1000 * (GCLOUD_S + TOKEN_EARLY_S));
		return ERR_OK;
	}
	o->why = "gcloud has no token for it (gcloud auth login)";
	return ERR_FORBIDDEN;
}

enum err
google_token(struct outgoing *o, const struct google_who *who, struct llm_answer *a, struct buf *token)
{
	if (token_get(&who->key, token))
		return ERR_OK;
	if (who->external)
		return external_token(o, who, a, token);
	return who->gcloud ? from_gcloud(o, who, a, token) : from_server(o, who, a, token);
}

enum err
google_try(const struct llm_request *rq, struct llm_answer *a)
{
	struct outgoing o = { .rq = rq };
	struct buf token = BUF_INIT(65536);
	struct google_who who;
	enum err e = ERR_FORBIDDEN;

	*a = (struct llm_answer){ .retry_after_s = -1 };
	if (google_who(rq, &who)) {
		token_drop(&who.key);           /* one that was fetched before proves nothing of today */
		e = google_token(&o, &who, a, &token);
	} else {
		o.why = "no credentials are set for it";
	}
	if (e == ERR_FORBIDDEN) {
		llm_blame(a, rq, LLM_AUTH, 0, NULL);
		snprintf(a->why, sizeof(a->why), "provider %.60s: %s", rq->provider, o.why);
	} else if (e == ERR_NOMEM) {
		llm_blame(a, rq, LLM_UPSTREAM, 0, "out of memory");
	}
	buf_zero_done(&token);
	google_done(&who);
	out_done(&o);
	return e;
}
