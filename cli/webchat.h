/* Where the WebChat's files are: beside this program in a build tree, else installed. */
#ifndef LF_WEBCHAT_H
#define LF_WEBCHAT_H
#include <stddef.h>

enum { WEBCHAT_PATH_MAX = 4352 };

/* Always a path, in buf: the front server looks whether a page is there. */
const char *webchat_find(char *buf, size_t cap);
#endif
