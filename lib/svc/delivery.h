/* Receipts of what agents sent out through channels. */
#ifndef LF_DELIVERY_H
#define LF_DELIVERY_H
#include "lib/base/json.h"

/* Newest first, as objects into the open array. *ret_n: how many. */
enum err deliveries_write(struct ctx *, const char *agent_id, int64_t limit, struct jw *, int64_t *ret_n) MUST_CHECK;
#endif
