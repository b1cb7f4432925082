/* Tasks that agents handed to each other (lib/svc/delegation.h): worked on, and their answers brought back. */
#ifndef LF_DELEGATE_H
#define LF_DELEGATE_H

/* Any thread: a task was handed over, or an answer is there. */
void delegate_look(void);
#endif
