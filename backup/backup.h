/* A home as one file, and back. Each word of the program returns an exit code and has said why on standard error. */
#ifndef LF_BACKUP_H
#define LF_BACKUP_H
#include "lib/base/base.h"

enum { NAME_MAX_BYTES = 4000, PATH_BYTES = 2 * NAME_MAX_BYTES, PART_BYTES = 65536 };

/* The store's place within a home, and within an archive. */
#define STORE_NAME "data/librefang-c.db"
#define MANIFEST_NAME "manifest.json"
/* Stands in a home while a restore puts things in place; no server starts then. */
#define PENDING_NAME "restore.pending"

/*
 * A new archive of the home (0600), complete or not there at all. db: its store. file: a name that is
 * free, or a directory. Others may write meanwhile: the store in it is that of one moment.
 */
int backup_make(const char *home, const char *db, const char *file) MUST_CHECK;
/*
 * Put an archive in place of what a home holds, which goes to backups/before-restore_<time>. Nobody may use the
 * home. Nothing is changed when the archive is not whole, or not for this version.
 */
int backup_open(const char *file, const char *home) MUST_CHECK;

/* --- what they share ------------------------------------------------------------ */

/* Say it; returns 1. why may be NULL. */
int broken(const char *what, const char *why);
/* May a thing of that name, relative to the home, go into an archive or be put aside? Made anew at each start, or kept elsewhere: not. */
bool is_of_home(const char *name);
/* 20261124_104401 */
void stamp(char out[static 20]);
/* "dir/name"; both are shorter than NAME_MAX_BYTES. */
void path_in(char out[static PATH_BYTES], const char *dir, const char *name);
/* Remove a directory with everything in it; no link is followed. */
void remove_tree(const char *dir);
#endif
