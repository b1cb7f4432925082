/* Agents are woken for tasks of the board that were given to them (lib/svc/task.h). */
#ifndef LF_ASSIGNED_H
#define LF_ASSIGNED_H

/* Any thread: a task was put up. */
void assigned_look(void);
#endif
