/* Events on their way to proactive agents (lib/svc/event.h). */
#ifndef LF_EVENTS_H
#define LF_EVENTS_H

/* Any thread: an event may have been published, or who waits for what has changed. */
void events_look(void);
/* The store was written to, perhaps by another process. Cheap. */
void events_perhaps(void);
#endif
