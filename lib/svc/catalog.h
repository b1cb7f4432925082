/*
 * The model catalog: providers, models, aliases. What is shipped is embedded from
 * share/ (models.json, providers.json, aliases.json), or comes from a newer file in the data directory; over it
 * lie the rows of the store: models and aliases that people added, settings of models, and what the
 * daemon found out about providers. Read into tables, so that a request only looks up and writes.
 */
#ifndef LF_CATALOG_H
#define LF_CATALOG_H
#include "lib/base/json.h"
#include "lib/svc/config.h"

struct provider {
	const char *id, *display_name, *base_url, *api_format, *api_key_env, *alt_api_key_env;
	bool key_required, local, cli;
	bool hidden;                            /* unlisted until the configuration gives it a URL */
	bool custom;                            /* known by its URL in the configuration only */
	struct json_object *media_capabilities, *regions;   /* borrowed */
	unsigned model_count;
};

/* Prices that a model may have of its own, USD per million tokens; those that nobody told follow from its others (price.h). */
enum price { PRICE_CACHE_READ, PRICE_CACHE_WRITE, PRICE_CACHE_HOUR, PRICE_AUDIO_IN, PRICE_AUDIO_OUT, PRICE_IMAGE_IN, PRICE_IMAGE_OUT, PRICES };
extern const char *const price_names[PRICES];           /* "cache_read_cost_per_m" … */

struct model {
	const char *id, *display_name, *provider, *tier, *modality;
	int64_t context_window, max_output_tokens;
	double input_cost_per_m, output_cost_per_m;         /* USD per million tokens */
	double price[PRICES];                               /* below 0: not told */
	double per_call_cost;                               /* USD, of one picture, song …; 0: by tokens */
	bool pricing_known, supports_tools, supports_vision, supports_streaming, supports_thinking;
	bool raw_tools, raw_vision, raw_streaming, raw_thinking;        /* before what a setting of the model says */
	int64_t raw_window, raw_output;                     /* so are these */
	bool custom;                                        /* added by somebody */
	bool found;                                         /* by asking its provider */
	bool of_program;                                    /* in the configuration of a command-line program */
	bool vision_unknown;                                /* nobody said whether it sees */
	struct json_object *aliases;                        /* borrowed array */
	const struct provider *by;                          /* NULL: unknown provider */
};

/* What is known of a provider beyond facts and configuration. */
struct provider_state {
	const char *id;
	bool suppressed;                        /* put away: its key does not count */
	bool key_set;                           /* the vault has its key */
	int discover;                           /* ask it for its models? -1: as the catalog says */
	const char *auth;                       /* what its key, or having none, turned out to be: validated_key, invalid_key; NULL: not tried */
	int64_t tested_ms;                      /* the newest test or probe; 0: none */
	bool reachable;
	int64_t latency_ms;
	const char *error;                      /* of a test that failed; NULL */
	const char *program_model;              /* of a command-line program: what its own configuration names; NULL */
	struct json_object *live;               /* models it told, an array of {name, ...}; NULL: never asked */
	int64_t live_ms;
};

/*
 * A job's view. Between enter and leave this thread looks things up in the newest set of tables, and what it
 * found stays; outside of both, in what is shipped. A set is made by catalog_load(), of rows and files: errors are
 * the store's. The daemon says catalog_changed() after a commit; workers compare generations.
 */
void catalog_enter(void);
void catalog_leave(void);
enum err catalog_load(struct ctx *) MUST_CHECK;         /* and enter it */
enum err catalog_changed(struct ctx *) MUST_CHECK;      /* load, and tell the others */
void catalog_mend(struct ctx *);                        /* load again, if that failed the last time */
uint32_t catalog_generation(void);
void catalog_done(void);
/* Never NULL: all zero, of a provider that nothing is known of. */
const struct provider_state *catalog_state(const char *provider);
/* Settings of the model "provider:id", a JSON object; NULL: none. */
const char *catalog_override(const char *key);
/* The key under which they are kept: "provider:id" as it is, else that of the model which a name alone stands for; NULL: there is none. */
const char *catalog_override_key(struct ctx *, const char *name);

/* Read the embedded facts, a few milliseconds; otherwise the first lookup does. Any thread. false: memory_short; the next lookup tries again. */
bool catalog_init(void);
const struct provider *catalog_provider(const char *id);          /* exact id; NULL */
const struct provider *catalog_provider_alias(const char *name);  /* id or alias; NULL */
/* id (any letter case), display name, then alias; provider may be NULL. NULL: unknown. */
const struct model *catalog_model(const char *provider, const char *name);
size_t catalog_models(const struct model **ret);                  /* in catalog order */
size_t catalog_providers(const struct provider **ret);
/* Default model id of a provider: its first balanced/smart one; NULL: none. */
const char *catalog_default_model(const char *provider);
/* "configured", "missing", "not_required" …, of a provider under this configuration. */
const char *catalog_auth_status(const struct config *, const char *provider);
bool auth_available(const char *status);
/* The program that a command-line format starts; of others the format itself. */
const char *catalog_program(const char *format);
/* Path of what "gcloud auth application-default login" leaves behind, where it can be read. */
bool catalog_google_login(char *out, size_t cap);
/* Environment variable that holds a provider's key under this configuration; never NULL. */
const char *catalog_key_env(const struct config *, const char *provider, char out[static 128]);
/* The same, for keeping a key: never empty. */
const char *catalog_key_name(const struct config *, const char *provider, char out[static 128]);
/* Its address: the configuration's, else the catalog's; NULL: none is known. */
const char *catalog_url(const struct config *, const char *provider);
/* Rows as the API shows them. */
void catalog_write_model(struct jw *, const struct config *, const struct model *);
void catalog_write_provider(struct jw *, const struct config *, const struct provider *, bool with_models);
#endif
