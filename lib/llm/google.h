/*
 * Credentials for Google Cloud, and the tokens that they are worth.
 */
#ifndef LF_LLM_GOOGLE_H
#define LF_LLM_GOOGLE_H
#include "lib/llm/driver.h"
#include "lib/llm/token.h"

struct google_who {
	struct json_object *account;    /* a service account's key, a user's login or an identity of elsewhere; NULL: gcloud's */
	bool external;                  /* the last */
	bool gcloud;
	struct token_key key;           /* where its token is kept */
};

/*
 * The first of: the settings' credentials_path, the request's key (each the JSON, or the path of a file with it),
 * VERTEX_AI_SERVICE_ACCOUNT_JSON, GOOGLE_APPLICATION_CREDENTIALS; if none of these is set what "gcloud auth application-default
 * login" left, else the program gcloud. false: nobody. google_done() in any case.
 */
bool google_who(const struct llm_request *, struct google_who *ret);
void google_done(struct google_who *);
/* Append a token. FORBIDDEN: o->why says what is wrong with the credentials; UPSTREAM, CANCELLED: the answer is blamed; NOMEM. */
enum err google_token(struct outgoing *, const struct google_who *, struct llm_answer *, struct buf *token) MUST_CHECK;
/* Is there a token to be had now? It is fetched anew. Errors as above, all of them blamed. */
enum err google_try(const struct llm_request *, struct llm_answer *) MUST_CHECK;

/* An identity of elsewhere: is that the configuration of one? A token for it; errors as google_token(). */
bool external_ok(struct json_object *);
enum err external_token(struct outgoing *, const struct google_who *, struct llm_answer *, struct buf *token) MUST_CHECK;
/* "&name=value", escaped, of a form. */
void form_add(struct buf *, const char *name, const char *value);
#endif
