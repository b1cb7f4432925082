/*
 * AWS Signature Version 4 (docs.aws.amazon.com, "Signature Version 4 signing process"), for
 * services other than S3: the path is encoded once more than it is sent.
 */
#ifndef LF_SIGV4_H
#define LF_SIGV4_H
#include "lib/base/buf.h"

struct sigv4 {
	const char *method, *host;      /* host with its port, if it is not the usual one */
	const char *path;               /* as it is sent, beginning with a slash */
	const char *query;              /* as it is sent, "name=value&…"; NULL: none */
	const char *const *headers;     /* "Name: value" of further headers that are signed, NULL-ended; NULL: none */
	const void *body; size_t body_bytes;
	const char *key_id, *secret, *token;    /* token NULL: none */
	const char *region, *service;
	int64_t now_ms;
};

/*
 * Append the value of the Authorization header to auth; date: that of X-Amz-Date. The token, if there is one, is
 * signed as X-Amz-Security-Token: send it too. INVALID: too many headers or parameters; NOMEM.
 */
enum err sigv4_sign(const struct sigv4 *, struct buf *auth, char date[static 17]) MUST_CHECK;
#endif
