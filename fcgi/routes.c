/*
 * The route table with the pool's handlers; rows of the daemon are known
 * here, and answered elsewhere.
 */
#define HANDLER_POOL(h) h
#define HANDLER_LIVE(h) NULL
#include "lib/api/table.inc"
