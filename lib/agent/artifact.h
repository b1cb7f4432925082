/*
 * Artifacts: what is too large for a conversation, kept as a file under the hash of its bytes, <data>/artifacts/<64 hex>.bin.
 * Its handle, "sha256:<64 hex>", is all that the model sees of it; who knows the handle may read it.
 */
#ifndef LF_ARTIFACT_H
#define LF_ARTIFACT_H
#include "lib/base/base.h"
#include "lib/base/buf.h"

enum { ARTIFACT_HANDLE = 72, ARTIFACT_BYTES_MAX = 64 << 20 };

/* Kept once, whole or not at all. Errors: TOO_LARGE, IO. */
enum err artifact_put(struct ctx *, const char *data_dir, const void *, size_t n, char ret_handle[static ARTIFACT_HANDLE]) MUST_CHECK;
/* n bytes at most from offset on, into out; *ret_total: of the whole. Errors: INVALID (no handle), NOT_FOUND, IO. */
enum err artifact_read(struct ctx *, const char *data_dir, const char *handle, int64_t offset, size_t n, struct buf *out,
    int64_t *ret_total) MUST_CHECK;
/* Delete those that nobody has kept again for so long, and files that a crash left half written; how many. */
unsigned artifacts_forget(const char *data_dir, int64_t now_ms, int64_t days);
#endif
