/*
 * What went wrong with a provider, for the user: a class, and a sentence that tells no
 * secret, shows no HTML and is short.
 */
#ifndef LF_LLM_ERRORS_H
#define LF_LLM_ERRORS_H
#include "lib/llm/llm.h"

/* status 0: none known. code and text: what the provider said; may be NULL. */
enum llm_error llm_classify(int status, const char *code, const char *text);
/* The status that an error code in a stream stands for; 502: unknown. */
int llm_status_of_code(const char *code, const char *text);

/*
 * Fill error, http_status and why of the answer. detail: the provider's own words or
 * NULL; they are redacted and cut.
 */
void llm_blame(struct llm_answer *, const struct llm_request *, enum llm_error, int status, const char *detail);
/* The same from an answer's body, JSON or not. */
void llm_blame_body(struct llm_answer *, const struct llm_request *, int status, const char *body, size_t n);
/* From an error member: object, string or number. */
void llm_blame_json(struct llm_answer *, const struct llm_request *, int status, struct json_object *error);

/* Blot out in place what looks like a key: sk-…, key-…, Bearer …, and this request's own key. */
void llm_redact(char *text, const char *api_key);
#endif
