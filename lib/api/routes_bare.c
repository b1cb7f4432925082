/*
 * The table without handlers, for programs that only read it: the command. (The generator has
 * one with replies.)
 */
#define HANDLER_POOL(h) NULL
#define HANDLER_LIVE(h) NULL
#include "lib/api/table.inc"
