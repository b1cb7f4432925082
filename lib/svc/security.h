/*
 * What protects this installation: LibreFang's sixteen systems, and which of them this program has. What is
 * not there is told to be off; what a setting decides is told by the setting.
 */
#ifndef LF_SECURITY_H
#define LF_SECURITY_H
#include "lib/base/json.h"

/* Write the report as one value. DB, BUSY. */
enum err security_write(struct ctx *, struct jw *) MUST_CHECK;
#endif
