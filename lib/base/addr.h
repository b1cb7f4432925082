/* IP addresses and networks as people write them. */
#ifndef LF_ADDR_H
#define LF_ADDR_H
#include "lib/base/base.h"

enum { ADDRESS_TEXT = 46 };

/* As IPv6; IPv4 is mapped (::ffff:a.b.c.d), so that both spellings of one address are one. */
struct address { unsigned char b[16]; };

/* false: the text is no address (no port, no zone). */
bool address_of(const char *text, struct address *ret);
const char *address_text(const struct address *, char out[static ADDRESS_TEXT]);

/* "10.0.0.0/8", "2001:db8::/32", or one address. Bits behind the length count as 0. */
bool network_ok(const char *net);
/* false also when net is no network. */
bool network_has(const char *net, const struct address *);
#endif
