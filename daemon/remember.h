/* What was said becomes memories, memories get vectors and sessions titles, while nobody waits for it. */
#ifndef LF_REMEMBER_H
#define LF_REMEMBER_H
/* Any thread: the store is quiet after something was written. */
void remember_look(void);
#endif
