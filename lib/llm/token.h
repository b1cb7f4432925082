/*
 * Tokens that live for a while, fetched with a credential that lasts: kept in memory for
 * all threads until shortly before their end.
 */
#ifndef LF_LLM_TOKEN_H
#define LF_LLM_TOKEN_H
#include "lib/llm/llm.h"

enum { TOKEN_EARLY_S = 300 };           /* so long before its end a token is fetched anew */

/* What a token is kept under: a digest of kind and credential. */
struct token_key { uint8_t digest[32]; };
struct token_key token_key(const char *kind, const char *credential);

/* Append the token kept there to out. false: none, or it ends soon. */
bool token_get(const struct token_key *, struct buf *out);
void token_put(const struct token_key *, const char *token, int64_t expires_ms);
void token_drop(const struct token_key *);

/*
 * Fetch JSON for a token: url with method, headers and body of the call, at most timeout_ms of it. ret: a new object, the
 * caller puts it. UPSTREAM, CANCELLED: the answer is blamed; nothing of the credential is in it.
 */
enum err token_fetch(const struct llm_request *, const struct http_call *, struct llm_answer *, struct json_object **ret) MUST_CHECK;
#endif
