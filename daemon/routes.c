/*
 * The route table with every handler: the daemon serves its own rows to the
 * front server, and all rows to the command on control.sock.
 */
#define HANDLER_POOL(h) h
#define HANDLER_LIVE(h) h
#include "lib/api/table.inc"
