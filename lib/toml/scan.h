/*
 * Where things stand in a TOML text: the places of keys and values, for
 * edits that leave everything else alone. Only for texts that toml_parse() accepted.
 */
#ifndef LF_TOML_SCAN_H
#define LF_TOML_SCAN_H
#include "lib/base/buf.h"

enum place_kind {
	PLACE_HEADER,           /* [a.b] or [[a.b]] */
	PLACE_PAIR,             /* key = value, on lines of its own */
	PLACE_INNER,            /* the same inside { } */
	PLACE_ELEMENT,          /* a member of [ ] */
};

/* Byte offsets. path: canonical, `a.b[0]."c d"`, its first head_n bytes are the header's. */
struct place {
	enum place_kind kind;
	const char *path;
	size_t head_n;
	size_t from;                    /* the key, or the element */
	size_t value, value_end;        /* not for headers */
	size_t line, line_end;          /* whole lines, with the last newline; headers and pairs only */
};

/* Visit all places in order, inner ones before the pair around them. false: not a TOML text, or no memory. */
bool toml_scan(const char *text, size_t n, void (*visit)(void *, const struct place *), void *arg) MUST_CHECK;

/* One part of a dotted path. key is replaced by the decoded name. */
enum path_part { PART_END, PART_KEY, PART_INDEX, PART_BAD };
enum path_part path_next(const char **p, struct buf *key, size_t *index);
/* Append a part in canonical form. */
void path_add_key(struct buf *path, const char *key);
void path_add_index(struct buf *path, size_t index);
#endif
