/*
 * What the guard refuses.
 *
 * The difficult thing is that one address has many spellings: 127.0.0.1 is
 * also 127.1, 0x7f000001, 017700000001, ::ffff:127.0.0.1, 64:ff9b::7f00:1 and more. So text is
 * made canonical first, IPv4 inside IPv6 is taken out, and only then looked up
 * in the tables. Of IPv6 only 2000::/3 is public at all.
 */
#include "lib/net/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include "lib/base/json.h"

struct v4_range { uint32_t base; unsigned bits; enum addr_kind kind; };

#define V4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct v4_range v4_ranges[] = {
	{ V4(0, 0, 0, 0), 8, ADDR_NEVER },
	{ V4(10, 0, 0, 0), 8, ADDR_PRIVATE },
	{ V4(100, 100, 100, 200), 32, ADDR_SECRET },    /* a cloud's metadata */
	{ V4(100, 64, 0, 0), 10, ADDR_NEVER },          /* carrier NAT */
	{ V4(127, 0, 0, 0), 8, ADDR_PRIVATE },
	{ V4(168, 63, 129, 16), 32, ADDR_SECRET },      /* a cloud's agent of the host */
	{ V4(169, 254, 0, 0), 16, ADDR_SECRET },
	{ V4(172, 16, 0, 0), 12, ADDR_PRIVATE },
	{ V4(192, 0, 0, 192), 32, ADDR_SECRET },        /* a cloud's metadata */
	{ V4(192, 0, 0, 0), 24, ADDR_NEVER },
	{ V4(192, 0, 2, 0), 24, ADDR_PRIVATE },
	{ V4(192, 88, 99, 0), 24, ADDR_NEVER },         /* 6to4 relays, retired */
	{ V4(192, 168, 0, 0), 16, ADDR_PRIVATE },
	{ V4(198, 18, 0, 0), 15, ADDR_PRIVATE },
	{ V4(198, 51, 100, 0), 24, ADDR_PRIVATE },
	{ V4(203, 0, 113, 0), 24, ADDR_PRIVATE },
	{ V4(224, 0, 0, 0), 3, ADDR_NEVER },            /* multicast, reserved, broadcast */
};

struct v6_range { uint8_t base[16]; unsigned bits; enum addr_kind kind; };

static const struct v6_range v6_ranges[] = {
	{ { [15] = 1 }, 128, ADDR_PRIVATE },                                    /* ::1 */
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, ADDR_SECRET },                        /* metadata, fd00:ec2::254 */
	{ { 0xfd, 0x20, 0x00, 0xce }, 32, ADDR_SECRET },                        /* metadata, fd20:ce::254 */
	{ { 0xfc }, 7, ADDR_PRIVATE },
	{ { 0xfe, 0x80 }, 10, ADDR_SECRET },                                    /* link-local */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDR_PRIVATE },                       /* documentation */
	{ { 0x3f, 0xff }, 20, ADDR_PRIVATE },
	{ { 0x20, 0x01, 0x00, 0x02 }, 48, ADDR_PRIVATE },                       /* benchmarks */
	{ { 0x20, 0x01, 0x00, 0x10 }, 28, ADDR_NEVER },                         /* ORCHID */
	{ { 0x20, 0x01, 0x00, 0x20 }, 28, ADDR_NEVER },
	{ { 0x20 }, 3, ADDR_PUBLIC },
};

static const char *const names_never[] = {
	"metadata.google.internal", "metadata.aws.internal", "instance-data", "metadata",
	"metadata.goog", "instance-data.ec2.internal",
};
static const char *const names_local[] = {
	"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "*.localhost",
};

bool
addr_canonical(const char *host, char out[static 46])
{
	struct in6_addr six;
	struct in_addr four;
	char bare[64];
	size_t n = strlen(host);

	if (n > 2 && n < sizeof(bare) && host[0] == '[' && host[n - 1] == ']') {
		memcpy(bare, host + 1, n - 2);
		bare[n - 2] = '\0';
		host = bare;
	}
	if (inet_pton(AF_INET6, host, &six) == 1)
		return inet_ntop(AF_INET6, &six, out, 46) != NULL;
	if (strpbrk(host, " \t\r\n\v\f") == NULL && inet_aton(host, &four) != 0)
		return inet_ntop(AF_INET, &four, out, 46) != NULL;
	return false;
}

static enum addr_kind
classify_v4(uint32_t ip)
{
	for (size_t i = 0; i < ARRAY_LEN(v4_ranges); i++) {
		const struct v4_range *r = &v4_ranges[i];

		if ((ip ^ r->base) >> (32 - r->bits) == 0)
			return r->kind;
	}
	return ADDR_PUBLIC;
}

static uint32_t
v4_at(const uint8_t *p)
{
	return V4(p[0], p[1], p[2], p[3]);
}

static bool
prefix_is(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

/* Forms that stand for an IPv4 address alone: mapped, compatible, NAT64. */
static bool
v4_inside(const uint8_t a[16], uint32_t *ret)
{
	static const uint8_t zero[12], mapped[12] = { [10] = 0xff, [11] = 0xff },
	    nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (memcmp(a, mapped, 12) != 0 && memcmp(a, nat64, 12) != 0 &&
	    (memcmp(a, zero, 12) != 0 || v4_at(a + 12) <= 1))
		return false;
	*ret = v4_at(a + 12);
	return true;
}

static enum addr_kind
worse(enum addr_kind a, enum addr_kind b)
{
	return a > b ? a : b;
}

/* Translated, or by NAT64 of some network's own: never public, whatever is in it. */
static enum addr_kind
translated(const uint8_t a[16])
{
	static const uint8_t siit[12] = { [8] = 0xff, [9] = 0xff }, own_nat64[6] = { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 };

	if (memcmp(a, siit, 12) != 0 && memcmp(a, own_nat64, 6) != 0)
		return ADDR_NEVER;
	return worse(ADDR_NEVER, classify_v4(v4_at(a + 12)));
}

static enum addr_kind
classify_v6(const uint8_t a[16])
{
	static const uint8_t teredo[4] = { 0x20, 0x01 }, six_to_four[2] = { 0x20, 0x02 };
	uint32_t four;

	if (v4_inside(a, &four))
		return classify_v4(four);
	if (memcmp(a, six_to_four, 2) == 0)
		return classify_v4(v4_at(a + 2));
	if (memcmp(a, teredo, 4) == 0)
		return worse(classify_v4(v4_at(a + 4)), classify_v4(~v4_at(a + 12)));
	for (size_t i = 0; i < ARRAY_LEN(v6_ranges); i++)
		if (prefix_is(a, v6_ranges[i].base, v6_ranges[i].bits))
			return v6_ranges[i].kind;
	return translated(a);
}

enum addr_kind
addr_classify(const char *ip)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, ip, &four) == 1)
		return classify_v4(ntohl(four.s_addr));
	if (inet_pton(AF_INET6, ip, &six) == 1)
		return classify_v6(six.s6_addr);
	return ADDR_NEVER;
}

/* As addr_canonical, and IPv4 taken out of the forms that only wrap it. */
static bool
unwrapped(const char *text, char out[static 46])
{
	struct in6_addr six;
	struct in_addr four;
	uint32_t ip;

	if (!addr_canonical(text, out))
		return false;
	if (inet_pton(AF_INET6, out, &six) != 1 || !v4_inside(six.s6_addr, &ip))
		return true;
	four.s_addr = htonl(ip);
	return inet_ntop(AF_INET, &four, out, 46) != NULL;
}

/* Name against "host" or "*.suffix", without a final dot, letter case aside. */
static bool
host_matches(const char *host, const char *pattern)
{
	size_t hn = strlen(host), pn = strlen(pattern);

	while (hn > 0 && host[hn - 1] == '.')
		hn--;
	while (pn > 0 && pattern[pn - 1] == '.')
		pn--;
	if (pn > 2 && pattern[0] == '*' && pattern[1] == '.') {
		pattern++;
		pn--;
		return hn > pn && strncasecmp(host + hn - pn, pattern, pn) == 0;
	}
	return hn > 0 && hn == pn && strncasecmp(host, pattern, pn) == 0;
}

static bool
cidr_holds(const char *cidr, const char *ip)
{
	const char *slash = strchr(cidr, '/');
	char base[16];
	struct in_addr net, addr;
	unsigned bits = 0;
	size_t n;

	if (slash == NULL || (n = (size_t)(slash - cidr)) >= sizeof(base))
		return false;
	memcpy(base, cidr, n);
	base[n] = '\0';
	if (slash[1] == '\0' || strlen(slash + 1) > 2 || strspn(slash + 1, "0123456789") != strlen(slash + 1))
		return false;
	for (const char *p = slash + 1; *p != '\0'; p++)
		bits = bits * 10 + (unsigned)(*p - '0');
	if (bits > 32 || inet_pton(AF_INET, base, &net) != 1 || inet_pton(AF_INET, ip, &addr) != 1)
		return false;
	return bits == 0 || (ntohl(net.s_addr) ^ ntohl(addr.s_addr)) >> (32 - bits) == 0;
}

static bool
rule_opens(const char *rule, const char *ip, const char *host)
{
	char canon[46];

	if (strchr(rule, '/') != NULL)
		return ip != NULL && cidr_holds(rule, ip);
	if (ip != NULL && unwrapped(rule, canon))
		return strcmp(canon, ip) == 0;
	return host != NULL && host_matches(host, rule);
}

/* ip: unwrapped, or NULL; host: may be NULL. */
static bool
opened(struct json_object *allow, const char *ip, const char *host)
{
	if (!json_object_is_type(allow, json_type_array))
		return false;
	for (size_t i = 0, n = json_object_array_length(allow); i < n; i++) {
		struct json_object *rule = json_object_array_get_idx(allow, i);

		if (json_object_is_type(rule, json_type_string) &&
		    rule_opens(json_object_get_string(rule), ip, host))
			return true;
	}
	return false;
}

static bool
is_metadata_name(const char *host)
{
	for (size_t i = 0; i < ARRAY_LEN(names_never); i++)
		if (host_matches(host, names_never[i]))
			return true;
	return false;
}

bool
host_refused(const char *host, struct json_object *allow)
{
	if (is_metadata_name(host))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names_local); i++)
		if (host_matches(host, names_local[i]))
			return !opened(allow, NULL, host);
	return host[strspn(host, ".")] == '\0';
}

bool
addr_refused(const char *ip, struct json_object *allow, const char *host)
{
	char canon[46];

	if (!unwrapped(ip, canon))
		return true;
	switch (addr_classify(canon)) {
	case ADDR_PUBLIC:
		return false;
	case ADDR_PRIVATE:
		return !opened(allow, canon, host);
	case ADDR_NEVER: case ADDR_SECRET:
		break;
	}
	return true;
}

bool
addr_secret(const char *ip)
{
	char canon[46];

	return unwrapped(ip, canon) && addr_classify(canon) == ADDR_SECRET;
}

/* As no_proxy means it: a name stands for what is below it, too. */
static bool
word_names(const char *word, const char *host)
{
	char canon[46], below[300], ip[46];

	if (strcmp(word, "*") == 0)
		return true;
	if (unwrapped(host, ip))
		return strchr(word, '/') != NULL ? cidr_holds(word, ip) : unwrapped(word, canon) && strcmp(canon, ip) == 0;
	if (word[0] == '*' && word[1] == '.')
		word += 2;
	else if (word[0] == '.')
		word++;
	snprintf(below, sizeof(below), "*.%s", word);
	return host_matches(host, word) || host_matches(host, below);
}

bool
host_listed(const char *list, const char *host)
{
	char word[256];
	size_t n;

	for (list += strspn(list, ", \t"); *list != '\0'; list += n, list += strspn(list, ", \t")) {
		n = strcspn(list, ", \t");
		if (n < sizeof(word)) {
			memcpy(word, list, n);
			word[n] = '\0';
			if (word_names(word, host))
				return true;
		}
	}
	return false;
}

enum err
guard_check(const char *host, const struct addrs *a, struct json_object *allow, char *why, size_t cap)
{
	if (host_refused(host, allow)) {
		snprintf(why, cap, "the host %.100s is not allowed", host);
		return ERR_FORBIDDEN;
	}
	if (a->n == 0) {
		snprintf(why, cap, "the host %.100s has no address", host);
		return ERR_FORBIDDEN;
	}
	for (unsigned i = 0; i < a->n; i++)
		if (addr_refused(a->text[i], allow, host)) {
			snprintf(why, cap, "the host %.100s leads to a private or reserved address", host);
			return ERR_FORBIDDEN;
		}
	return ERR_OK;
}

enum err
guard_secrets(const char *host, const struct addrs *a, char *why, size_t cap)
{
	bool bad = is_metadata_name(host);

	for (unsigned i = 0; !bad && i < a->n; i++)
		bad = addr_secret(a->text[i]);
	if (!bad)
		return ERR_OK;
	snprintf(why, cap, "the host %.100s leads to an address of the cloud's own, or of the link", host);
	return ERR_FORBIDDEN;
}
