/*
 * The table without handlers, for programs that only read it: the generator
 * and the command.
 */
#define HANDLER_POOL(h) NULL
#define HANDLER_LIVE(h) NULL
#include "lib/api/table.inc"
