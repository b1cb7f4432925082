/*
 * The OpenAPI document that the build made from the rows, inside the program: packed, as it is fourteen times smaller so.
 */
#include "handlers/handlers.h"

#include <zlib.h>

#include "lib/base/buf.h"
#include "lib/base/embed.h"

EMBED(openapi_gz, "openapi.json.gz");

enum { GZIP = 16, PIECE = 65536 };

enum err
openapi_text(struct ctx *c, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)openapi_gz, .avail_in = (uInt)EMBED_SIZE(openapi_gz) };
	int rc = inflateInit2(&z, MAX_WBITS + GZIP);

	for (char *p; rc == Z_OK && (p = buf_room(out, PIECE)) != NULL;) {
		z.next_out = (Bytef *)p;
		z.avail_out = PIECE;
		rc = inflate(&z, Z_NO_FLUSH);
		p[PIECE - z.avail_out] = '\0';
		out->len += PIECE - z.avail_out;
	}
	inflateEnd(&z);
	return rc == Z_STREAM_END ? ERR_OK : fail(c, ERR_NOMEM, "out of memory");
}
