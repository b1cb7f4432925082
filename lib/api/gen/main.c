/*
 * lf-gen WORD: print the OpenAPI document, the endpoint reference or the
 * plain list of rows, all from the route table.
 */
#include <stdio.h>
#include <string.h>

#include "lib/api/gen/gen.h"

int
main(int argc, char **argv)
{
	static const struct {
		const char *word;
		void (*run)(struct buf *);
	} words[] = {
		{ "openapi", gen_openapi },
		{ "reference", gen_reference },
		{ "endpoints", gen_endpoints },
	};
	struct buf out = BUF_INIT(16 << 20);
	int rc = 2;

	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(words); i++) {
		if (strcmp(argv[1], words[i].word) != 0)
			continue;
		words[i].run(&out);
		rc = out.failed || fwrite(out.p, 1, out.len, stdout) != out.len ? 1 : 0;
	}
	if (rc == 2)
		fputs("usage: lf-gen openapi | reference | endpoints\n", stderr);
	buf_done(&out);
	return rc;
}
