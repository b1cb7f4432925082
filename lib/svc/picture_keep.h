/*
 * Pictures that a session keeps: out of blocks with their bytes, or of uploads, into files.
 */
#ifndef LF_PICTURE_KEEP_H
#define LF_PICTURE_KEEP_H
#include "lib/base/json.h"

/* An image_file block of the contract, its path being the id of an upload. New; NULL: out of memory. */
struct json_object *image_file_block(const char *id, const char *media_type, const char *filename);
/*
 * Blocks with every picture made one of that session: image blocks become files, image_file blocks of uploads that the
 * caller may read become pictures of their own. What cannot is a text. Each is committed for itself, in no transaction of the caller's.
 * *ret: the same array if nothing had to change, else a new one kept by c.
 */
enum err pictures_keep(struct ctx *, const char *session_id, struct json_object *blocks,
    struct json_object **ret) MUST_CHECK;
/* The other way, for an export: image_file blocks become image blocks with their bytes. The same rules for *ret. */
enum err pictures_inline(struct ctx *, struct json_object *blocks, struct json_object **ret) MUST_CHECK;
#endif
