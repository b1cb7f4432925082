/*
 * Time, random bytes and UUIDs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/util.h"

int64_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static char *
digits(char *p, unsigned v, int n)
{
	for (int i = n - 1; i >= 0; i--, v /= 10)
		p[i] = (char)('0' + v % 10);
	return p + n;
}

void
time_rfc3339(int64_t ms, char out[static 25])
{
	time_t sec = (time_t)(ms / 1000 - (ms % 1000 < 0));
	unsigned milli = (unsigned)((ms % 1000 + 1000) % 1000);
	struct tm tm;
	char *p = out;

	gmtime_r(&sec, &tm);
	p = digits(p, (unsigned)(tm.tm_year + 1900), 4);
	*p++ = '-';
	p = digits(p, (unsigned)tm.tm_mon + 1, 2);
	*p++ = '-';
	p = digits(p, (unsigned)tm.tm_mday, 2);
	*p++ = 'T';
	p = digits(p, (unsigned)tm.tm_hour, 2);
	*p++ = ':';
	p = digits(p, (unsigned)tm.tm_min, 2);
	*p++ = ':';
	p = digits(p, (unsigned)tm.tm_sec, 2);
	*p++ = '.';
	p = digits(p, milli, 3);
	*p++ = 'Z';
	*p = '\0';
}

/* That many digits as a number; -1: others. */
static int
number(const char **p, int n)
{
	int v = 0;

	for (; n > 0; n--, ++*p) {
		if (**p < '0' || **p > '9')
			return -1;
		v = v * 10 + **p - '0';
	}
	return v;
}

static bool
skip(const char **p, const char *one_of)
{
	if (**p == '\0' || strchr(one_of, **p) == NULL)
		return false;
	++*p;
	return true;
}

/* "Z" or "+01:30" in minutes; false: neither. */
static bool
offset_of(const char **p, int *ret)
{
	int sign = **p == '-' ? -1 : 1, h, m;

	*ret = 0;
	if (skip(p, "zZ"))
		return true;
	if (!skip(p, "+-") || (h = number(p, 2)) < 0 || h > 23 || !skip(p, ":") || (m = number(p, 2)) < 0 || m > 59)
		return false;
	*ret = sign * (h * 60 + m);
	return true;
}

int64_t
time_parse(const char *s)
{
	struct tm tm = { 0 }, is;
	int milli = 0, unit = 100, offset;
	time_t t;

	if ((tm.tm_year = number(&s, 4)) < 1970 || !skip(&s, "-") || (tm.tm_mon = number(&s, 2)) < 1 || !skip(&s, "-") ||
	    (tm.tm_mday = number(&s, 2)) < 1 || !skip(&s, "tT ") || (tm.tm_hour = number(&s, 2)) < 0 || !skip(&s, ":") ||
	    (tm.tm_min = number(&s, 2)) < 0 || !skip(&s, ":") || (tm.tm_sec = number(&s, 2)) < 0)
		return -1;
	if (skip(&s, "."))
		for (; *s >= '0' && *s <= '9'; s++, unit /= 10)
			milli += (*s - '0') * unit;
	if (!offset_of(&s, &offset) || *s != '\0' || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return -1;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	is = tm;
	t = timegm(&is);
	if (is.tm_mon != tm.tm_mon || (is.tm_mday != tm.tm_mday && tm.tm_sec < 60))
		return -1;              /* the 31st of a month that has 30 days */
	return (int64_t)t * 1000 + milli - (int64_t)offset * 60000;
}

/* A small reserve per thread, so that an id seldom waits for the kernel; a child after fork() draws its own. */
void
random_bytes(void *out, size_t n)
{
	static _Thread_local struct { unsigned char b[256]; size_t left; pid_t pid; } pool;
	unsigned char *p = out;

	if (n > sizeof(pool.b) / 2) {
		while (n > 0) {
			ssize_t k = getrandom(p, n, 0);

			if (k > 0) {
				p += k;
				n -= (size_t)k;
			} else if (errno != EINTR) {
				abort();        /* a kernel without randomness cannot keep secrets */
			}
		}
		return;
	}
	if (pool.left < n || pool.pid != getpid()) {
		pool.left = 0;
		pool.pid = getpid();
		while (getrandom(pool.b, sizeof(pool.b), 0) != (ssize_t)sizeof(pool.b))
			if (errno != EINTR)
				abort();
		pool.left = sizeof(pool.b);
	}
	pool.left -= n;
	memcpy(p, pool.b + pool.left, n);
	zero_bytes(pool.b + pool.left, n);
}

static void
uuid_text(const unsigned char b[16], char out[static 37])
{
	static const char hex[] = "0123456789abcdef";
	char *p = out;

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[b[i] >> 4];
		*p++ = hex[b[i] & 15];
	}
	*p = '\0';
}

void
uuid4(char out[static 37])
{
	unsigned char b[16];

	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	uuid_text(b, out);
}

void
uuid7(char out[static 37])
{
	uint64_t ms = (uint64_t)clock_ms();
	unsigned char b[16];

	random_bytes(b + 6, sizeof(b) - 6);
	for (int i = 5; i >= 0; i--, ms >>= 8)
		b[i] = (unsigned char)ms;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	uuid_text(b, out);
}

static bool
uuid_bytes(const char *s, unsigned char b[16])
{
	char hex[33];
	size_t n = 0, len = strlen(s);

	for (size_t i = 0; i < len; i++) {
		if (len == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) {
			if (s[i] != '-')
				return false;
			continue;
		}
		if (n == 32)
			return false;
		hex[n++] = s[i];
	}
	hex[n] = '\0';
	return n == 32 && hex_to(hex, b, 16);
}

bool
uuid_parse(const char *s, char out[static 37])
{
	unsigned char b[16];

	if (strnlen(s, 37) > 36 || !uuid_bytes(s, b))
		return false;
	uuid_text(b, out);
	return true;
}

bool
uuid_from_hex(const char *s, char out[static 37])
{
	unsigned char b[16];

	if (strnlen(s, 37) > 36 || !uuid_bytes(s, b))
		return false;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	uuid_text(b, out);
	return true;
}
