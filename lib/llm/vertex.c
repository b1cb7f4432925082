/*
 * Gemini at Google Cloud: addresses by project and region, and a token instead of a key.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/llm/gemini.h"
#include "lib/llm/google.h"

#define USUAL_HOST "-aiplatform.googleapis.com"

static const char *
env(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] != '\0' ? v : NULL;
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
	*ret = js_str_or(account, "project_id", js_str_or(account, "quota_project_id", ""));
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
	struct google_who who;
	struct buf token = BUF_INIT(65536);
	enum err e = ERR_FORBIDDEN;

	if (google_who(o->rq, &who))
		e = address(o, who.account);
	else
		o->why = "no service account's key is set ([vertex_ai] credentials_path), and nobody is logged in with gcloud";
	if (e == ERR_OK)
		e = google_token(o, &who, a, &token);
	if (e == ERR_OK)
		e = out_bearer(o, token.p);
	if (e == ERR_OK)                /* a user's login is no project: whose it is on is to be said */
		e = out_header(o, "x-goog-user-project", js_str(who.account, "quota_project_id"));
	if (e == ERR_OK)
		e = out_usual_headers(o);
	buf_zero_done(&token);
	google_done(&who);
	return e == ERR_OK ? gemini_write_body(o) : e;
}

/* A token that is refused is not used again; the next call fetches one. */
static bool
heal(struct outgoing *o, int status, const char *body)
{
	struct google_who who;

	if (status != 401 && status != 403)
		return gemini_heal(o, status, body);
	if (google_who(o->rq, &who))
		token_drop(&who.key);
	google_done(&who);
	return false;
}

const struct driver vertex_driver = {
	.format = "vertex_ai", .framing = FRAMES_SSE, .busy_wait_s = 5, .stops = gemini_stops,
	.prepare = prepare, .frame = gemini_frame, .heal = heal,
};
