/* The generator: documents made from the route table at build time. */
#ifndef LF_GEN_H
#define LF_GEN_H
#include "lib/api/api.h"

void gen_openapi(struct buf *out);
void gen_reference(struct buf *out);
void gen_endpoints(struct buf *out);
#endif
