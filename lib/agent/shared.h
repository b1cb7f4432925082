/*
 * Directories that agents share: what a manifest names in [workspaces.NAME].
 *
 * `path` lies in the workspaces beside those of agents, and is made when it is missing; `mount` is a directory of the machine
 * under one of the configuration's allowed_mount_roots, outside the home. `mode` says whether the agent may write there.
 */
#ifndef LF_SHARED_H
#define LF_SHARED_H
#include "lib/base/json.h"

struct shared_dir {
	const char *name, *dir;         /* dir: absolute, as tools and models name it */
	bool writable;
};

/*
 * What is wrong with the manifest's [workspaces], apart from where it may mount; *ret_key: with which member. NULL: nothing. Part of
 * manifest_parse().
 */
const char *shared_fault(struct ctx *, struct json_object *manifest, const char **ret_key);
/* May it mount what it names, by the configuration of now? BAD_REQUEST invalid_manifest. */
enum err shared_allowed(struct ctx *, struct json_object *manifest) MUST_CHECK;
/* Those that can be used now, in the arena: who may mount something no more, or names what is not there, has it not. */
size_t shared_dirs(struct ctx *, struct json_object *manifest, const struct shared_dir **ret);
/* Does one of the manifest's paths (not mounts) overlap with that directory? */
bool shared_overlaps(struct ctx *, struct json_object *manifest, const char *dir);

/* The same directory, or one of them in the other; both absolute and tidy. */
bool dirs_overlap(const char *a, const char *b);
#endif
