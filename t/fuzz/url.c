/*
 * Fuzz: addresses that are to be asked, and the guard. The first line is an address, the second a list as no_proxy is written, the
 * third what the address redirects to. What is taken is written in one spelling that says the same; how an address is spelled
 * changes nothing of whether it may be asked.
 * sources: lib/base/*.c lib/net/*.c
 * libs: libcurl
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "lib/base/arena.h"
#include "lib/base/json.h"
#include "lib/net/guard.h"
#include "lib/net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MUST(x) do { if (!(x)) abort(); } while (0)

/* IPv4 alone, by the plainest of rules: nobody outside may be meant. */
static bool
is_inside(const char *ip)
{
	struct in_addr a;
	uint32_t n;

	if (inet_pton(AF_INET, ip, &a) != 1)
		return false;
	n = ntohl(a.s_addr);
	return n >> 24 == 10 || n >> 24 == 127 || n >> 24 == 0 || n >> 16 == 0xc0a8 || n >> 16 == 0xa9fe || n >> 20 == 0xac1 || n >> 28 >= 14;
}

static void
address(const char *text)
{
	char canon[46], again[46], wrapped[64];

	if (!addr_canonical(text, canon))
		return;
	MUST(addr_canonical(canon, again) && strcmp(canon, again) == 0);
	MUST(!is_inside(canon) || addr_classify(canon) != ADDR_PUBLIC);
	MUST(addr_secret(text) == addr_secret(canon));
	if (strchr(canon, ':') != NULL)
		return;
	snprintf(wrapped, sizeof(wrapped), "[::ffff:%s]", canon);
	MUST(addr_canonical(wrapped, again) && addr_classify(again) == addr_classify(canon));
	snprintf(wrapped, sizeof(wrapped), "64:ff9b::%s", canon);
	MUST(addr_canonical(wrapped, again) && addr_classify(again) == addr_classify(canon));
}

/* What libcurl reads in the address that is written. */
static void
as_written(const struct target *t, bool strict)
{
	CURLU *u = curl_url();
	struct target again;
	char why[200] = "", *host = NULL, bare[HOST_MAX + 2];

	MUST(u != NULL && curl_url_set(u, CURLUPART_URL, t->url, 0) == CURLUE_OK && curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK);
	snprintf(bare, sizeof(bare), strchr(t->host, ':') != NULL ? "[%s]" : "%s", t->host);
	MUST(t->zone || strcmp(host, bare) == 0);
	curl_free(host);
	MUST(curl_url_get(u, CURLUPART_USER, &host, 0) != CURLUE_OK && curl_url_get(u, CURLUPART_FRAGMENT, &host, 0) != CURLUE_OK);
	MUST(target_of(u, strict, &again, why, sizeof(why)) == ERR_OK);
	MUST(strcmp(again.url, t->url) == 0 && same_origin(&again, t) && again.numeric == t->numeric && again.userpwd == NULL);
	target_done(&again);
	curl_url_cleanup(u);
}

static void
target(const char *text, const char *next, bool strict)
{
	CURLU *u = curl_url();
	struct target t;
	char why[200] = "";
	enum err e;

	MUST(u != NULL);
	if (curl_url_set(u, CURLUPART_URL, text, CURLU_URLENCODE) == CURLUE_OK) {
		e = target_of(u, strict, &t, why, sizeof(why));
		MUST(e == ERR_OK ? t.url != NULL : why[0] != '\0');
		if (e == ERR_OK) {
			MUST(t.host[0] != '\0' && t.port > 0 && t.port < 65536);
			MUST(!strict || (t.userpwd == NULL && !t.zone && strpbrk(t.host, "/@?#% \\") == NULL));
			as_written(&t, strict);
			if (t.numeric)
				address(t.host);
		}
		target_done(&t);
		if (e == ERR_OK && next[0] != '\0' && curl_url_set(u, CURLUPART_URL, next, CURLU_URLENCODE) == CURLUE_OK) {
			e = target_of(u, strict, &t, why, sizeof(why));
			if (e == ERR_OK)
				as_written(&t, strict);
			target_done(&t);
		}
	}
	curl_url_cleanup(u);
}

static void
lists(struct ctx *c, const char *host, const char *list)
{
	struct json_object *allow = json_keep(c, json_object_new_array());
	struct addrs a = { .n = 1 };
	char why[200] = "", canon[46];

	json_object_array_add(allow, json_object_new_string(list));
	if (host_listed("", host))
		abort();
	(void)host_listed(list, host);
	(void)host_refused(host, allow);
	if (!addr_canonical(host, canon))
		return;
	memcpy(a.text[0], canon, sizeof(canon));
	if (addr_classify(canon) == ADDR_SECRET)
		MUST(guard_check("x.example", &a, allow, why, sizeof(why)) == ERR_FORBIDDEN && guard_secrets("x.example", &a, why, sizeof(why)) == ERR_FORBIDDEN);
	if (is_inside(canon))
		MUST(guard_check("x.example", &a, NULL, why, sizeof(why)) == ERR_FORBIDDEN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };
	char *text = ctx_strndup(&c, (const char *)data, n), *list = text + strcspn(text, "\n"), *next;

	if (*list != '\0')
		*list++ = '\0';
	next = list + strcspn(list, "\n");
	if (*next != '\0')
		*next++ = '\0';
	target(text, next, true);
	target(text, next, false);
	address(text);
	lists(&c, text, list);
	lists(&c, next, list);
	arena_free(c.arena);
	return 0;
}
