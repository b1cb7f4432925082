/*
 * The model that makes vectors of texts, as [memory] names it, and calls of it: metered, within budgets, and left alone for a
 * while after a failure.
 */
#ifndef LF_EMBEDDING_H
#define LF_EMBEDDING_H
#include "lib/llm/embed.h"
#include "lib/svc/agent.h"

struct embedding {
	const char *provider, *model, *format, *base_url, *api_key, *proxy;
	const char *name;               /* provider/model, with the dimensions if they are set: vectors of one name fit each other */
	unsigned dims;                  /* 0: the model's own */
};

/*
 * false: texts are to be found by their words (memory.fts_only, embedding_provider = "none", or no provider that has a key), or the
 * last call failed a moment ago. Nothing of it is an error.
 */
bool embedding_of(struct ctx *, struct embedding *ret);
/* Who it is, to whoever shows the server's state (lib/svc/vectors.h). After the configuration or a key changed. */
void embedding_tell(struct ctx *);
void embedding_tell_later(void);         /* on a thread of its own: the vault may take its time to open */
/*
 * n texts to vectors; embed_done(ret). a: whose budget it is on, or NULL. query: they are looked for. Gives c->db back. Errors: those of
 * embed_call(); RATE_LIMITED budget_exceeded. After any of them embedding_of() says no for a minute, after several in a row up to an hour.
 */
enum err embedding_call(struct ctx *, const struct embedding *, const struct agent *a, const char *const *texts, size_t n, bool query,
    unsigned timeout_ms, struct cancel *, struct embed_answer *ret) MUST_CHECK;
/* How long it does; 0: it does not. */
int64_t embedding_rest_ms(void);
#endif
