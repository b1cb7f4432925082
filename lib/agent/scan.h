/*
 * Does a text from outside try to instruct the model? A look for some hundred phrases of twelve kinds, in one pass: whatever the letter case,
 * blanks and what cannot be seen. It is a filter by pattern, no proof.
 */
#ifndef LF_SCAN_H
#define LF_SCAN_H
#include "lib/base/base.h"

enum scan_level { SCAN_NONE, SCAN_INFO, SCAN_WARNING, SCAN_CRITICAL };

enum scan_kind {
	SCAN_OVERRIDE, SCAN_PERSONA, SCAN_PROMPT, SCAN_SECRECY, SCAN_EXFILTRATION, SCAN_CREDENTIALS, SCAN_REVERSE_SHELL, SCAN_SUPPLY_CHAIN,
	SCAN_SHELL, SCAN_DESTRUCTION, SCAN_TOOLS, SCAN_INVISIBLE, SCAN_KINDS,
};

struct scan {
	enum scan_level level;          /* the worst of what was found */
	unsigned kinds;                 /* a bit for each that is a warning or worse */
	unsigned hits;                  /* phrases found, each once */
};

struct scan scan_text(const char *s, size_t n);
const char *scan_kind_name(enum scan_kind);
unsigned scan_patterns(void);           /* how many there are */
#endif
