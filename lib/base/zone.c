/*
 * Time zones from the system's zoneinfo files (TZif, RFC 9636), by name.
 *
 * The C library knows one zone per process; here each schedule may name its own. A file holds the changes
 * of the past and of some decades, and a rule (a POSIX TZ string) for all time after them.
 */
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cron.h"

enum { FILE_MAX = 256 << 10, NAME_CAP = 64, DAY_S = 86400 };

/* "M3.2.0/2", "J60", "59": a moment of each year. */
struct rule { char kind; int month, week, day; int64_t s; };

struct zone {
	struct zone *next;
	char name[NAME_CAP];
	size_t n;
	int64_t *at;                    /* n changes, ascending */
	int32_t *offset;                /* n + 1: before the first, after each */
	int64_t std, dst;               /* of the rule, seconds east */
	bool has_dst;
	struct rule begin, end;
};

static struct zone utc;
static struct { pthread_mutex_t mu; struct zone *all; } zones = { .mu = PTHREAD_MUTEX_INITIALIZER };

/* --- reading a file ------------------------------------------------------------------ */

struct input { const unsigned char *p; size_t left; };

static int64_t
big_endian(struct input *in, int bytes)
{
	uint64_t v = 0;

	if (in->left < (size_t)bytes) {
		in->left = 0;
		return 0;
	}
	for (int i = 0; i < bytes; i++)
		v = v << 8 | in->p[i];
	in->p += bytes;
	in->left -= (size_t)bytes;
	return bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v;
}

static bool
skip(struct input *in, size_t n)
{
	if (in->left < n)
		return false;
	in->p += n;
	in->left -= n;
	return true;
}

struct counts { size_t isut, isstd, leap, time, type, chars; };

static bool
header(struct input *in, struct counts *k)
{
	size_t *const each[] = { &k->isut, &k->isstd, &k->leap, &k->time, &k->type, &k->chars };

	if (in->left < 44 || memcmp(in->p, "TZif", 4) != 0 || in->p[4] < '2')
		return false;
	(void)skip(in, 20);
	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		int64_t v = big_endian(in, 4);

		if (v < 0 || v > FILE_MAX)
			return false;
		*each[i] = (size_t)v;
	}
	return k->type > 0 && k->type <= 256;
}

static bool
changes(struct input *in, const struct counts *k, struct zone *z)
{
	const unsigned char *index;
	int32_t types[256];

	z->at = calloc(k->time + 1, sizeof(*z->at));
	z->offset = calloc(k->time + 1, sizeof(*z->offset));
	if (z->at == NULL || z->offset == NULL)
		return false;
	for (z->n = 0; z->n < k->time; z->n++) {
		z->at[z->n] = big_endian(in, 8);
		if (z->n > 0 && z->at[z->n] <= z->at[z->n - 1])
			return false;
	}
	index = in->p;
	if (!skip(in, k->time))
		return false;
	for (size_t i = 0; i < k->type; i++) {
		types[i] = (int32_t)big_endian(in, 4);
		if (!skip(in, 2) || types[i] <= -2 * DAY_S || types[i] >= 2 * DAY_S)
			return false;
	}
	z->offset[0] = types[0];
	for (size_t i = 0; i < k->time; i++) {
		if (index[i] >= k->type)
			return false;
		z->offset[i + 1] = types[index[i]];
	}
	return skip(in, k->chars + k->leap * 12 + k->isstd + k->isut);
}

/* --- the rule at its end -------------------------------------------------------------- */

static bool
digits(const char **p, int *ret)
{
	int v = 0, n = 0;

	for (; isdigit((unsigned char)**p) && n < 4; ++*p, n++)
		v = v * 10 + **p - '0';
	*ret = v;
	return n > 0;
}

/* "[+-]h[h][:mm[:ss]]" in seconds */
static bool
clock_time(const char **p, int64_t *ret)
{
	int sign = **p == '-' ? -1 : 1, part[3] = { 0 };

	*p += **p == '-' || **p == '+';
	if (!digits(p, &part[0]))
		return false;
	for (int i = 1; i < 3 && **p == ':'; i++) {
		++*p;
		if (!digits(p, &part[i]))
			return false;
	}
	*ret = sign * ((int64_t)part[0] * 3600 + part[1] * 60 + part[2]);
	return part[0] <= 167 && part[1] < 60 && part[2] < 60;
}

static bool
zone_word(const char **p)
{
	const char *from = *p;

	if (**p == '<') {
		*p += strcspn(*p, ">");
		return *(*p) == '>' && ++*p - from > 2;
	}
	while (isalpha((unsigned char)**p))
		++*p;
	return *p - from >= 3;
}

static bool
moment(const char **p, struct rule *r)
{
	*r = (struct rule){ .kind = **p == 'M' || **p == 'J' ? **p : 'N', .s = 7200 };
	*p += r->kind != 'N';
	if (r->kind == 'M') {
		if (!digits(p, &r->month) || *(*p)++ != '.' || !digits(p, &r->week) || *(*p)++ != '.' || !digits(p, &r->day) ||
		    r->month < 1 || r->month > 12 || r->week < 1 || r->week > 5 || r->day > 6)
			return false;
	} else if (!digits(p, &r->day) || r->day > 365 || (r->kind == 'J' && r->day < 1)) {
		return false;
	}
	if (**p != '/')
		return true;
	++*p;
	return clock_time(p, &r->s);
}

/* "CET-1CEST,M3.5.0,M10.5.0/3"; the sign is that of POSIX, west is positive. */
static bool
footer(const char *p, struct zone *z)
{
	int64_t west;

	if (!zone_word(&p) || !clock_time(&p, &west))
		return false;
	z->std = -west;
	z->has_dst = *p != '\0';
	if (!z->has_dst)
		return true;
	z->dst = z->std + 3600;
	if (!zone_word(&p))
		return false;
	if (*p != ',') {
		if (!clock_time(&p, &west))
			return false;
		z->dst = -west;
	}
	return *p++ == ',' && moment(&p, &z->begin) && *p++ == ',' && moment(&p, &z->end) && *p == '\0';
}

static bool
parse(struct input in, struct zone *z)
{
	struct counts k;
	char rule[128];
	size_t n;

	if (!header(&in, &k) || !skip(&in, k.time * 5 + k.type * 6 + k.chars + k.leap * 8 + k.isstd + k.isut) ||
	    !header(&in, &k) || !changes(&in, &k, z) || in.left < 2 || in.p[0] != '\n')
		return false;
	(void)skip(&in, 1);
	for (n = 0; n < in.left && in.p[n] != '\n'; n++)
		;
	if (n == in.left || n >= sizeof(rule))
		return false;
	if (n == 0) {                   /* no rule: as after the last change, for ever */
		z->std = z->offset[z->n];
		return true;
	}
	memcpy(rule, in.p, n);
	rule[n] = '\0';
	return footer(rule, z);
}

/* --- finding one ------------------------------------------------------------------------ */

static bool
is_name(const char *s)
{
	if (*s == '/' || strlen(s) >= NAME_CAP || strstr(s, "..") != NULL)
		return false;
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("_+-/", *s) == NULL)
			return false;
	return true;
}

static void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	free(z->at);
	free(z->offset);
	free(z);
}

static struct zone *
load(const char *name)
{
	char path[NAME_CAP + 32];
	struct zone *z = calloc(1, sizeof(*z));
	unsigned char *bytes = malloc(FILE_MAX);
	ssize_t n = -1;
	SCOPED_FD fd = -1;

	snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (z != NULL && bytes != NULL && fd >= 0)
		n = read(fd, bytes, FILE_MAX);
	if (n <= 0 || !parse((struct input){ bytes, (size_t)n }, z)) {
		memory_short |= z == NULL || bytes == NULL;
		zone_free(z);
		z = NULL;
	}
	free(bytes);
	if (z != NULL)
		memcpy(z->name, name, strlen(name) + 1);
	return z;
}

const struct zone *
zone_find(const char *name)
{
	struct zone *z;

	if (name == NULL || name[0] == '\0' || strcmp(name, "UTC") == 0)
		return &utc;
	if (!is_name(name))
		return NULL;
	pthread_mutex_lock(&zones.mu);
	for (z = zones.all; z != NULL && strcmp(z->name, name) != 0; z = z->next)
		;
	if (z == NULL && (z = load(name)) != NULL) {
		z->next = zones.all;
		zones.all = z;
	}
	pthread_mutex_unlock(&zones.mu);
	return z;
}

/* --- asking it ---------------------------------------------------------------------------- */

static bool
leap_year(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days from 1970 to the first of January. */
static int64_t
year_day(int64_t y)
{
	y--;
	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* That moment of the year as seconds of a clock that knows no zone. */
static int64_t
moment_in(const struct rule *r, int64_t year)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t day = year_day(year);
	bool leap = leap_year(year);

	if (r->kind == 'J') {
		day += r->day - 1 + (leap && r->day > 59);
	} else if (r->kind == 'N') {
		day += r->day;
	} else {
		int m = r->month - 1, first, d;

		day += before[m] + (leap && m > 1);
		first = (int)((day + 4) % 7);           /* its weekday */
		d = (r->day - first + 7) % 7 + (r->week - 1) * 7;
		if (d >= length[m] + (leap && m == 1))
			d -= 7;
		day += d;
	}
	return day * DAY_S + r->s;
}

static struct zone_span
by_rule(const struct zone *z, int64_t t)
{
	int64_t from = z->n > 0 ? z->at[z->n - 1] : INT64_MIN, year = 1970 + t / (366 * DAY_S);
	struct zone_span s = { from, INT64_MAX, z->std };

	if (!z->has_dst)
		return s;
	while ((year_day(year + 1)) * DAY_S <= t)
		year++;
	/* of the changes around t: the last one before it, the first one after */
	for (int64_t y = year - 1; y <= year + 1; y++) {
		const struct { int64_t at, to; } each[] = {
			{ moment_in(&z->begin, y) - z->std, z->dst }, { moment_in(&z->end, y) - z->dst, z->std },
		};

		for (int i = 0; i < 2; i++) {
			if (each[i].at <= t && each[i].at >= s.from) {
				s.from = each[i].at;
				s.offset = each[i].to;
			} else if (each[i].at > t && each[i].at < s.until) {
				s.until = each[i].at;
			}
		}
	}
	if (s.from == from && z->n > 0)         /* the file's last change still holds */
		s.offset = z->offset[z->n];
	return s;
}

struct zone_span
zone_at(const struct zone *z, int64_t t)
{
	size_t lo = 0, hi = z->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (z->at[mid] <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == z->n && t >= 0)
		return by_rule(z, t);
	return (struct zone_span){
		.from = lo == 0 ? INT64_MIN : z->at[lo - 1], .until = lo == z->n ? INT64_MAX : z->at[lo],
		.offset = z->offset == NULL ? 0 : z->offset[lo],
	};
}
