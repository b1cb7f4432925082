/*
 * The guard against requests that others aim at our own network (SSRF).
 *
 * Used for addresses that come from models, pages, users or configuration
 * written by less trusted people. Exceptions ("allow") are an array of host, *.suffix,
 * IP and IPv4 CIDR; they open private ranges and loopback, and never the
 * addresses where clouds keep their secrets. Those are refused in any case, also where the
 * configuration of the operator says whom to ask, and everybody's names lead (guard_secrets).
 */
#ifndef LF_GUARD_H
#define LF_GUARD_H
#include "lib/net/resolve.h"

enum addr_kind {
	ADDR_PUBLIC,
	ADDR_PRIVATE,           /* loopback, private use, test nets: allow may open it */
	ADDR_NEVER,             /* multicast, reserved, unspecified, carriers' own */
	ADDR_SECRET,            /* link-local, and where clouds keep their secrets: refused to operators too */
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

/* Is the host one of a list as no_proxy is written: names (and what is below them), *.suffix, addresses, IPv4 CIDR; "*" is all. */
bool host_listed(const char *list, const char *host);

/* FORBIDDEN if the name or any of the addresses is refused, or there is none; why[cap] says it. */
enum err guard_check(const char *host, const struct addrs *, struct json_object *allow,
    char *why, size_t cap) MUST_CHECK;
/* The same for a call that the operator aims: only ADDR_SECRET and names of metadata services. No address is fine. */
enum err guard_secrets(const char *host, const struct addrs *, char *why, size_t cap) MUST_CHECK;
/* Is this address, in any spelling, one of ADDR_SECRET? */
bool addr_secret(const char *ip);
#endif
