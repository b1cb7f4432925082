/*
 * Manifests: what an agent is, as TOML from people and as JSON inside; and
 * the agent's workspace directory.
 *
 * The JSON form has every list and switch that this program looks at filled
 * in. What tells "not set" from "set" stays absent: model.max_tokens (use
 * MANIFEST_MAX_TOKENS), model.temperature (MANIFEST_TEMPERATURE), profile,
 * fallback_models, max_history_messages and other optional ones. Members nobody knows
 * are kept.
 */
#ifndef LF_MANIFEST_H
#define LF_MANIFEST_H
#include "lib/base/json.h"

enum { MANIFEST_BYTES_MAX = 1 << 20, MANIFEST_NAME_MAX = 256, MANIFEST_MAX_TOKENS = 4096, MANIFEST_MAX_ITERATIONS = 50,
	MANIFEST_TOOLS_PER_MINUTE = 60 };
#define MANIFEST_TEMPERATURE 0.7

/*
 * TOML text to the JSON form, kept by c's arena. Errors: TOO_LARGE manifest_too_large; BAD_REQUEST
 * invalid_manifest "Invalid manifest: line 3: model.max_tokens: a whole number is expected".
 */
enum err manifest_parse(struct ctx *, const char *toml, size_t n, struct json_object **ret) MUST_CHECK;
/*
 * Is that envelope (JSON) a manifest signed by a key of trusted_manifest_signers, and the same text as toml (NULL: none)?
 * FORBIDDEN signature_invalid; BAD_REQUEST invalid_manifest: it is another text.
 */
enum err manifest_signed(struct ctx *, const char *envelope, const char *toml) MUST_CHECK;
/* The rules for a name alone (rename, clone); the same errors. */
enum err manifest_check_name(struct ctx *, const char *name, size_t n) MUST_CHECK;
/* The JSON form as TOML in a readable order, without what is the default anyway. In the arena; NULL: out of memory. */
char *manifest_to_toml(struct ctx *, struct json_object *manifest);

/* --- workspaces ------------------------------------------------------------- */

/*
 * The agent's directory, absolute, in the arena: the manifest's `workspace`, else agents/<name reduced to
 * [A-Za-z0-9_-]>, else agents/<id>. Where letters were lost the id's start is added, so that no two names meet in
 * one directory. The path follows the name: a rename must write the old one into `workspace`.
 */
const char *manifest_workspace(struct ctx *, struct json_object *manifest, const char *id);
/* May a manifest name that directory? Inside the workspaces, and neither all of them nor one that holds those of agents. */
bool manifest_is_place(const struct ctx *, const char *path);
/*
 * Make the directory, its sub-directories and identity files as far as they are missing, and write
 * agent.toml. toml: its text; NULL: leave that alone. Errors: IO.
 */
enum err workspace_make(struct ctx *, const char *dir, struct json_object *manifest, const char *toml) MUST_CHECK;
/* Write agent.toml anew (0600, at once). Errors: IO. */
enum err workspace_save_manifest(struct ctx *, const char *dir, const char *toml) MUST_CHECK;
/*
 * Remove a directory with everything in it. Nothing happens unless dir lies strictly below root; no symlink is
 * followed, no file system left. Two agents may name the same `workspace`: ask that first.
 */
void workspace_remove(const char *dir, const char *root);
/* Give it another name in root, at once, so that a new one may take its place. NULL: there is none, or it cannot be. */
const char *workspace_set_aside(struct ctx *, const char *dir, const char *root);
/* Could workspace_remove() ever remove it? false: it does not lie below root, or a symlink is on the way. */
bool workspace_removable(const char *dir, const char *root);
/* A name in root that nobody has, for a directory that will be a workspace. NULL: no memory. */
const char *workspace_coming(struct ctx *, const char *root);
/* Remove what was set aside, or what never became a workspace, and is still there. false: something is left. */
bool workspaces_sweep(const char *root, bool coming);
/* What writers of files left who were killed before that moment (file.h), in the root's own workspaces. */
void workspaces_sweep_files(const char *root, int64_t before_ms);
/* The identity files' names, in the API's order, NULL-ended. */
extern const char *const workspace_identity_files[];

/* --- templates ----------------------------------------------------------------- */

/* A shipped template's TOML; NULL: none of that name. */
const char *template_text(const char *name, size_t *n);
/* Names of the shipped ones, sorted. */
size_t template_names(const char *const **ret);
/*
 * By name: <home>/agent-types/<name>.toml, <home>/agent-types/<name>/agent.toml, the shipped ones, <home>/workspaces/agents/<name>/agent.toml.
 * Text in the arena. Errors: BAD_REQUEST invalid_manifest "Invalid template name"; NOT_FOUND template_not_found.
 */
enum err template_load(struct ctx *, const char *name, const char **toml, size_t *n) MUST_CHECK;
/* The same without workspaces: what is listed. *ret_own: it lies in the home. NOT_FOUND template_not_found. */
enum err template_find(struct ctx *, const char *name, const char **toml, size_t *n, bool *ret_own) MUST_CHECK;
bool is_template_name(const char *);
/* Names of all that template_find() finds, sorted. */
enum err templates_all(struct ctx *, const char ***ret, size_t *ret_n) MUST_CHECK;
/* Where one of the home is, <home>/agent-types/<name>.toml. NULL: no memory. */
const char *template_path(struct ctx *, const char *name);
/* The directory of it is there. IO. */
enum err template_dir_make(struct ctx *) MUST_CHECK;
/* IO; NOT_FOUND template_not_found. */
enum err template_remove(struct ctx *, const char *name) MUST_CHECK;
#endif
