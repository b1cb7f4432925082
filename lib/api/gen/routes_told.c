/* The table as it is told: with the shapes of replies, without handlers. */
#define HANDLER_POOL(h) NULL
#define HANDLER_LIVE(h) NULL
#define REPLY(y) (y)
#include "lib/api/table.inc"
