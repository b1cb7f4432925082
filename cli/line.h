/*
 * A line from a person at a terminal: edited, with history and completion, by libedit. It is loaded
 * when a chat begins, so that nothing else that the command does pays for it; where it is not
 * installed, lines are read plainly.
 */
#ifndef LF_LINE_H
#define LF_LINE_H

/*
 * history: a file, made readable for its owner only, the newest 1,000 lines; NULL: none.
 * words: what a line may begin with, for the Tab key, NULL-terminated; stays the caller's.
 */
void line_open(const char *history, const char *const *words);
/* Without its end; the caller frees it. NULL: the input has ended. A last "\" asks for a further line. */
char *line_read(const char *prompt);
#endif
