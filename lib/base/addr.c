/*
 * IP addresses and networks. All are compared as IPv6, where IPv4 has its place behind
 * 96 fixed bits; so there is one comparison.
 */
#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

bool
address_of(const char *text, struct address *ret)
{
	struct address a;

	memcpy(a.b, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, a.b + sizeof(mapped)) != 1 && inet_pton(AF_INET6, text, a.b) != 1)
		return false;
	*ret = a;
	return true;
}

const char *
address_text(const struct address *a, char out[static ADDRESS_TEXT])
{
	bool v4 = memcmp(a->b, mapped, sizeof(mapped)) == 0;

	return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->b + sizeof(mapped) : a->b, out, ADDRESS_TEXT);
}

/* Digits up to 128; -1: none. */
static int
length_of(const char *s)
{
	int v = 0;

	if (*s == '\0' || strlen(s) > 3 || s[strspn(s, "0123456789")] != '\0')
		return -1;
	for (; *s != '\0'; s++)
		v = v * 10 + (*s - '0');
	return v;
}

static bool
network_of(const char *net, struct address *ret, unsigned *bits)
{
	char text[ADDRESS_TEXT];
	size_t n = strcspn(net, "/");
	int most, v;

	if (n >= sizeof(text))
		return false;
	memcpy(text, net, n);
	text[n] = '\0';
	if (!address_of(text, ret))
		return false;
	most = strchr(text, ':') != NULL ? 128 : 32;
	v = net[n] == '\0' ? most : length_of(net + n + 1);
	if (v < 0 || v > most)
		return false;
	*bits = (unsigned)v + (most == 32 ? MAPPED_BITS : 0);
	return true;
}

bool
network_ok(const char *net)
{
	struct address a;
	unsigned bits;

	return network_of(net, &a, &bits);
}

bool
network_has(const char *net, const struct address *a)
{
	struct address b;
	unsigned bits;

	if (!network_of(net, &b, &bits) || memcmp(a->b, b.b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a->b[bits / 8] ^ b.b[bits / 8]) >> (8 - bits % 8) == 0;
}
