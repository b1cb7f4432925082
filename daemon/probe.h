/*
 * Asking providers whether they are there, whether they take the key, and what
 * models they have. What is found out becomes rows, which everybody reads.
 */
#ifndef LF_PROBE_H
#define LF_PROBE_H
#include "lib/base/buf.h"
#include "lib/llm/llm.h"
#include "lib/svc/catalog.h"

/* Whom to ask, and where. Lives as long as the job. */
struct probe {
	const char *id, *format, *base_url, *proxy, *key;       /* key "": none */
	bool local, cli, custom, key_required, discovers;
	bool lists;                     /* its models are wanted, where that is another question than whether the key is good */
};

struct probed {
	bool forbidden;                 /* its name leads where no request of ours may go */
	bool answered;                  /* by HTTP, whatever the status */
	bool google;                    /* it was Google's server of tokens */
	long status;
	int64_t latency_ms;
	enum llm_error error;           /* LLM_OK: it is there and took the key */
	char why[300];                  /* a sentence, when it is not */
	const char *live;               /* JSON array of its models; NULL: it told none */
};

/* An id of the catalog or of the configuration's URLs. NOT_FOUND. */
enum err probe_whom(struct ctx *, const char *id, struct probe *ret) MUST_CHECK;
/* One question; c holds no connection to the store meanwhile. */
void probe_ask(struct ctx *, const struct probe *, struct probed *ret);
/* The same, or what else shows whether the key is good: Google's credentials are tried for a token. */
void probe_key(struct ctx *, const struct probe *, struct probed *ret);
/* What was found, as rows. auth: whether the key is good counts, too. */
enum err probe_note(struct ctx *, const struct probe *, const struct probed *, bool auth) MUST_CHECK;
/* Ask in the background, note it, tell everybody. */
void probe_later(struct ctx *, const char *id);

/* The loop's thread: probe those on this machine and those that are asked for their models, now and then. */
void probes_start(void);
/* Models that somebody's server lists, as [{name, ...}]; NULL: it is no such list. lists: "models" of Ollama, "data" of OpenAI. */
const char *probe_models(struct ctx *, const char *text, size_t n);
#endif
