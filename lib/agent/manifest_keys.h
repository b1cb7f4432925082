/* What stands in a manifest: the table that reading and writing share. */
#ifndef LF_MANIFEST_KEYS_H
#define LF_MANIFEST_KEYS_H
#include "lib/base/base.h"

enum mkind {
	MK_STR, MK_BOOL, MK_UINT, MK_NUM,
	MK_STRS,        /* list of strings; lenient: anything else is the empty list */
	MK_WORD,        /* one of words */
	MK_TABLE,       /* keys inside; dflt "{}": always there */
	MK_TABLES,      /* list of tables */
	MK_MAP,         /* table with free keys; lenient */
	MK_CUSTOM,      /* checked by name in manifest.c */
};

struct mkey {
	const char *name;
	enum mkind kind;
	const char *dflt;               /* as text; NULL: stays absent */
	const char *const *words;       /* NULL-ended */
	const struct mkey *keys;        /* ends with name == NULL */
	bool lenient;                   /* a table of a wrong kind counts as absent */
};

extern const struct mkey manifest_keys[];
/* Inside the table exec_policy. */
extern const struct mkey manifest_exec_keys[];
/* NULL: unknown. */
const struct mkey *mkey_find(const struct mkey *, const char *name);
struct json_object;
/* A new object of the default; NULL: it has none (or no memory). */
struct json_object *mkey_default(const struct mkey *);
#endif
