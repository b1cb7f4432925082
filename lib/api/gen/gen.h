/* The generator: documents made from the route table at build time. */
#ifndef LF_GEN_H
#define LF_GEN_H
#include "lib/api/api.h"

/* What a row's curl line says beyond the row itself. Any member may be NULL. */
struct example {
	enum verb verb;
	const char *path;
	const char *query;              /* "?limit=10" */
	const char *body;               /* JSON without single quotes */
	const char *quoted;             /* or: for between double quotes, with variables */
	const char *key;                /* instead of $KEY */
	const char *words;              /* further words for curl */
};
const struct example *example_of(const struct route *);
/* The row's path with words for its arguments. */
void example_path(struct buf *out, const struct route *);

void gen_openapi(struct buf *out);
void gen_reference(struct buf *out);
void gen_endpoints(struct buf *out);
#endif
