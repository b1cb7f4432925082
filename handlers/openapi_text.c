/*
 * The OpenAPI document that the build made from the rows, inside the program.
 */
#include "handlers/handlers.h"

#include <string.h>

#include "lib/base/embed.h"

EMBED(openapi_json, "openapi.json");

const char *
openapi_text(size_t *n)
{
	*n = strlen(openapi_json);
	return openapi_json;
}
