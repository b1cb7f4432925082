/*
 * The heartbeat: agents that act by themselves and are not heard of after a slot. Said once when they fall silent, once when they
 * are heard of again; nothing is restarted.
 */
#ifndef LF_HEARTBEAT_H
#define LF_HEARTBEAT_H

/* Any thread: look now. Looks come again by themselves while there is anybody to look after. */
void heartbeat_look(void);
#endif
