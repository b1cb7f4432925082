/*
 * libcurl, loaded with the first call that goes out (lib/base/late.h). Each function of it that lib/net calls stands
 * here once; a new one that does not, is missing when the program is linked.
 */
#include "config.h"

#include <stdarg.h>

#include <curl/curl.h>

#include "lib/base/late.h"
#include "lib/net/late.h"

static struct late_lib curl = { .soname = LF_CURL_SO };

bool
late_curl(void)
{
	return late_load(&curl);
}

LATE(curl, CURLcode, CURLE_FAILED_INIT, curl_global_init, (long flags), (flags))
LATE_VOID(curl, curl_global_cleanup, (void), ())
LATE_VOID(curl, curl_free, (void *p), (p))
LATE(curl, time_t, -1, curl_getdate, (const char *text, const time_t *unused), (text, unused))

LATE(curl, CURL *, NULL, curl_easy_init, (void), ())
LATE_VOID(curl, curl_easy_cleanup, (CURL *e), (e))
LATE(curl, const char *, "", curl_easy_strerror, (CURLcode code), (code))

LATE(curl, CURLM *, NULL, curl_multi_init, (void), ())
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_cleanup, (CURLM *m), (m))
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_add_handle, (CURLM *m, CURL *e), (m, e))
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_remove_handle, (CURLM *m, CURL *e), (m, e))
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_perform, (CURLM *m, int *running), (m, running))
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_poll, (CURLM *m, struct curl_waitfd *fds, unsigned n, int timeout_ms, int *ret),
    (m, fds, n, timeout_ms, ret))
LATE(curl, CURLMcode, CURLM_INTERNAL_ERROR, curl_multi_wakeup, (CURLM *m), (m))
LATE(curl, CURLMsg *, NULL, curl_multi_info_read, (CURLM *m, int *left), (m, left))

LATE(curl, struct curl_slist *, NULL, curl_slist_append, (struct curl_slist *list, const char *line), (list, line))
LATE_VOID(curl, curl_slist_free_all, (struct curl_slist *list), (list))

LATE(curl, CURLU *, NULL, curl_url, (void), ())
LATE_VOID(curl, curl_url_cleanup, (CURLU *u), (u))
LATE(curl, CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_get, (CURLU *u, CURLUPart what, char **part, unsigned flags), (u, what, part, flags))
LATE(curl, CURLUcode, CURLUE_OUT_OF_MEMORY, curl_url_set, (CURLU *u, CURLUPart what, const char *part, unsigned flags), (u, what, part, flags))

/* --- what takes anything: each option's number says what its value is ---------------- */

typedef CURLcode easy_fn(CURL *, unsigned, ...);
typedef CURLMcode multi_fn(CURLM *, unsigned, ...);

static _Atomic(void *) easy_setopt, easy_getinfo, multi_setopt;

static void *
found(_Atomic(void *) *where, const char *name)
{
	void *f = atomic_load(where);

	if (f == NULL) {
		f = late_symbol(&curl, name);
		atomic_store(where, f);
	}
	return f;
}

static bool
is_long(unsigned option)
{
	return option < CURLOPTTYPE_OBJECTPOINT;
}

static bool
is_off(unsigned option)
{
	return option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB;
}

CURLcode
(curl_easy_setopt)(CURL *e, CURLoption option, ...)
{
	easy_fn *f = (easy_fn *)found(&easy_setopt, "curl_easy_setopt");
	CURLcode code;
	va_list ap;

	if (f == NULL)
		return CURLE_FAILED_INIT;
	va_start(ap, option);
	code = is_long(option) ? f(e, option, va_arg(ap, long)) :
	    is_off(option) ? f(e, option, va_arg(ap, curl_off_t)) : f(e, option, va_arg(ap, void *));
	va_end(ap);
	return code;
}

CURLMcode
(curl_multi_setopt)(CURLM *m, CURLMoption option, ...)
{
	multi_fn *f = (multi_fn *)found(&multi_setopt, "curl_multi_setopt");
	CURLMcode code;
	va_list ap;

	if (f == NULL)
		return CURLM_INTERNAL_ERROR;
	va_start(ap, option);
	code = is_long(option) ? f(m, option, va_arg(ap, long)) :
	    is_off(option) ? f(m, option, va_arg(ap, curl_off_t)) : f(m, option, va_arg(ap, void *));
	va_end(ap);
	return code;
}

CURLcode
(curl_easy_getinfo)(CURL *e, CURLINFO what, ...)
{
	easy_fn *f = (easy_fn *)found(&easy_getinfo, "curl_easy_getinfo");
	CURLcode code;
	va_list ap;

	if (f == NULL)
		return CURLE_FAILED_INIT;
	va_start(ap, what);
	code = f(e, what, va_arg(ap, void *));
	va_end(ap);
	return code;
}
