/*
 * W3C trace context: who asks whom for what, told in a header "traceparent" (https://www.w3.org/TR/trace-context/).
 */
#ifndef LF_TRACE_H
#define LF_TRACE_H
#include <stdbool.h>

enum { TRACEPARENT = 55 };              /* its length in version 00, which is what is written */

/* Is it one, of this or a later version? Anything else is to be taken for none. */
bool trace_ok(const char *traceparent);
/* A new span of that trace, with its flags. NULL: it was none. */
const char *trace_child(const char *traceparent, char out[static TRACEPARENT + 1]);
/* A trace whose id is that UUID, sampled; NULL: it is no UUID. */
const char *trace_of_uuid(const char *uuid, char out[static TRACEPARENT + 1]);
#endif
