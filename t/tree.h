/*
 * A directory that a test has made, taken away with all that is in it; links are not followed. What stays is in /tmp.
 */
#ifndef LF_TREE_H
#define LF_TREE_H
#include <ftw.h>
#include <stdio.h>

static int
tree_drop(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void
tree_remove(const char *top)
{
	(void)nftw(top, tree_drop, 16, FTW_DEPTH | FTW_PHYS);
}
#endif
