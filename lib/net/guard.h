/*
 * The guard against requests that others aim at our own network (SSRF).
 *
 * Used for addresses that come from models, pages, users or configuration
 * written by less trusted people. Exceptions ("allow") are an array of host, *.suffix,
 * IP and IPv4 CIDR; they open private ranges and loopback, and never the
 * addresses where clouds keep their secrets.
 */
#ifndef LF_GUARD_H
#define LF_GUARD_H
#include "lib/net/resolve.h"

enum addr_kind {
	ADDR_PUBLIC,
	ADDR_PRIVATE,           /* loopback, private use, test nets: allow may open it */
	ADDR_NEVER,             /* metadata, link-local, multicast, reserved, unspecified */
};

/*
 * Every spelling of an IPv4 address that the C library takes (decimal, octal,
 * hexadecimal, short forms), and IPv6 with or without brackets. out: as inet_ntop writes it;
 * false: not an address. IPv6 with a zone is no address here.
 */
bool addr_canonical(const char *host, char out[static 46]);

enum addr_kind addr_classify(const char *ip);

/* Is the name itself refused (localhost and its like, metadata services)? */
bool host_refused(const char *host, struct json_object *allow);

/* FORBIDDEN if the name or any of the addresses is refused, or there is none; why[cap] says it. */
enum err guard_check(const char *host, const struct addrs *, struct json_object *allow,
    char *why, size_t cap) MUST_CHECK;
#endif
