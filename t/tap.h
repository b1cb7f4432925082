/*
 * TAP for C tests: ok(), is_str(), is_int(), skip(), and done() at the end of main.
 */
#ifndef LF_TAP_H
#define LF_TAP_H
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned tap_n, tap_bad;

static inline bool __attribute__((format(printf, 2, 3)))
ok(bool good, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u - ", good ? "" : "not ", ++tap_n);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!good)
		tap_bad++;
	fflush(stdout);
	return good;
}

#define is_str(got, want, ...) do { \
	const char *g_ = (got), *w_ = (want); \
	bool same_ = g_ == w_ || (g_ != NULL && w_ != NULL && strcmp(g_, w_) == 0); \
	if (!ok(same_, __VA_ARGS__)) \
		printf("#   got: %s\n#  want: %s\n", g_ ? g_ : "(null)", w_ ? w_ : "(null)"); \
} while (0)

#define is_int(got, want, ...) do { \
	long long g_ = (long long)(got), w_ = (long long)(want); \
	if (!ok(g_ == w_, __VA_ARGS__)) \
		printf("#   got: %lld\n#  want: %lld\n", g_, w_); \
} while (0)

static inline int
done(void)
{
	printf("1..%u\n", tap_n);
	return tap_bad != 0;
}
#endif
