/* libcurl and GnuTLS are loaded when they are first needed: late_curl.c, late_gnutls.c. */
#ifndef LF_NET_LATE_H
#define LF_NET_LATE_H
#include <stdbool.h>

bool late_curl(void);                   /* is it there? loads it */
#endif
