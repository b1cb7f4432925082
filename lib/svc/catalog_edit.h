/*
 * Rows over the catalog: names, models and settings that people add, and what
 * is known of providers. All of it is written by the daemon, which says
 * catalog_changed() afterwards. Errors: the store's, and those that are named.
 */
#ifndef LF_CATALOG_EDIT_H
#define LF_CATALOG_EDIT_H
#include "lib/svc/catalog.h"

/* folded: in small letters. model_id "": a shipped alias is taken away. */
enum err alias_put(struct ctx *, const char *folded, const char *model_id) MUST_CHECK;
enum err alias_drop(struct ctx *, const char *folded) MUST_CHECK;
/* All rows, as {"alias": "model id"}; an empty id: taken away. */
enum err alias_rows(struct ctx *, struct json_object **ret) MUST_CHECK;
enum err alias_clear(struct ctx *) MUST_CHECK;

/* facts: a row as in share/models.json. */
enum err custom_put(struct ctx *, const char *id, const char *provider, const char *facts) MUST_CHECK;
enum err custom_drop(struct ctx *, const char *id) MUST_CHECK;         /* NOT_FOUND */
/* settings: a JSON object; NULL or "{}": none. */
enum err settings_put(struct ctx *, const char *key, const char *settings) MUST_CHECK;

enum err provider_key_noted(struct ctx *, const char *id, bool set, bool suppressed) MUST_CHECK;
enum err provider_enable(struct ctx *, const char *id) MUST_CHECK;
enum err provider_discover(struct ctx *, const char *id, bool on) MUST_CHECK;
enum err provider_auth(struct ctx *, const char *id, const char *auth) MUST_CHECK;       /* NULL: nobody knows */
/* What the configuration of a command-line program names; NULL: nothing. */
enum err provider_program_model(struct ctx *, const char *id, const char *model) MUST_CHECK;
/* The outcome of a test or probe. live: JSON array of what it told; NULL: keep what is known. */
enum err provider_probed(struct ctx *, const char *id, bool reachable, int64_t latency_ms, const char *error,
    const char *live) MUST_CHECK;

/* When the catalog was last fetched; 0: never. */
enum err catalog_synced(struct ctx *, int64_t *ret_ms) MUST_CHECK;
enum err catalog_set_synced(struct ctx *, int64_t ms) MUST_CHECK;
#endif
