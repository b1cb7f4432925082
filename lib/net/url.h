/* Addresses of requests: taken apart, made canonical, and hops from one to the next. */
#ifndef LF_URL_H
#define LF_URL_H
#include <curl/curl.h>

#include "lib/net/resolve.h"

struct target {
	char *url;                      /* canonical, without userinfo and fragment; by curl_free */
	char host[HOST_MAX];            /* without brackets and final dots, IDN as xn-- */
	unsigned port;
	bool https;
	bool numeric;                   /* host is an address; host_addr says which */
	char host_addr[46];
	bool zone;                      /* an IPv6 zone stands in the url */
	char *userpwd;                  /* "user:password", or NULL; target_done() wipes it */
};

/*
 * Take apart what u holds. strict: the guard's rules, which refuse user information, zones
 * and odd bytes. Errors: BAD_REQUEST or (strict) FORBIDDEN with why[cap]; NOMEM. target_done() in any case.
 */
enum err target_of(CURLU *u, bool strict, struct target *ret, char *why, size_t cap) MUST_CHECK;
void target_done(struct target *);
bool same_origin(const struct target *, const struct target *);
/* "https://host:port" */
void target_origin(const struct target *, struct buf *);
#endif
