/*
 * What the house needs once an hour: old rows of the ledger go, uploads of yesterday, and what nobody came back for.
 */
#ifndef LF_KEEP_H
#define LF_KEEP_H

/* The loop's thread: begin now, and again every hour, on threads of the pool. */
void keep_start(void);
void keep_stop(void);
#endif
