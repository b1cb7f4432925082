/*
 * Whole files, written at once. What is being written has a name of ours beside the file, ".lf-tmp-" and sixteen hexadecimal digits,
 * until it takes the file's name: whoever dies meanwhile leaves it there, and files_sweep() takes it away.
 */
#ifndef LF_FILE_H
#define LF_FILE_H
#include "lib/base/base.h"

enum { FILE_TEMP_NAME = 8 + 16 + 1 };

/* A new name of that kind; is this one? */
void file_temp_name(char out[static FILE_TEMP_NAME]);
bool file_is_temp(const char *name);

/* All of it; false: errno says why. */
bool file_write(int fd, const void *bytes, size_t n) MUST_CHECK;
/* Write a file anew, at once: its text, flushed, under such a name, then renamed. ERR_IO, errno says why. */
enum err file_replace(const char *path, const void *bytes, size_t n, mode_t mode) MUST_CHECK;
/* The same for what an answer promises to keep: afterwards its name is flushed, too. */
enum err file_keep(const char *path, const void *bytes, size_t n, mode_t mode) MUST_CHECK;
/*
 * The directory of that file is flushed, after a name in it changed. A disk that cannot do it is no error: the new file is in force,
 * and who is told that it failed would do it again (SQLite holds it the same way).
 */
void file_settle(const char *path);

/*
 * Take away what writers who died left in a directory: regular files of such a name, ours, last written before that moment (clock_ms()).
 * Nothing else is touched. How many went.
 */
unsigned files_sweep(const char *dir, int64_t before_ms);
#endif
