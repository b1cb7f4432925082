/*
 * CGI variables into a request.
 *
 * A worker answers thousands of requests a second and each brings some
 * twenty variables, so they are walked once, by their first letter, and
 * nothing is copied: the strings live until the request is finished.
 */
#include <string.h>

#include "fcgi/worker.h"

struct name {
	const char *name;       /* without HTTP_ for headers, with '=' */
	size_t n, off;
};

#define NAME(text, s, member) { text "=", sizeof(text), offsetof(s, member) }

static const struct name header_names[] = {
	NAME("ACCEPT", struct headers, accept),
	NAME("ACCEPT_ENCODING", struct headers, accept_encoding),
	NAME("ACCESS_CONTROL_REQUEST_METHOD", struct headers, acr_method),
	NAME("AUTHORIZATION", struct headers, authorization),
	NAME("CF_CONNECTING_IP", struct headers, cf_connecting_ip),
	NAME("COOKIE", struct headers, cookie),
	NAME("FORWARDED", struct headers, forwarded),
	NAME("HOST", struct headers, host),
	NAME("IDEMPOTENCY_KEY", struct headers, idempotency_key),
	NAME("IF_NONE_MATCH", struct headers, if_none_match),
	NAME("IF_RANGE", struct headers, if_range),
	NAME("LAST_EVENT_ID", struct headers, last_event_id),
	NAME("ORIGIN", struct headers, origin),
	NAME("RANGE", struct headers, range),
	NAME("SEC_FETCH_SITE", struct headers, fetch_site),
	NAME("SEC_WEBSOCKET_PROTOCOL", struct headers, ws_protocol),
	NAME("X_API_KEY", struct headers, x_api_key),
	NAME("X_FORWARDED_FOR", struct headers, x_forwarded_for),
	NAME("X_FORWARDED_PROTO", struct headers, x_forwarded_proto),
	NAME("X_REAL_IP", struct headers, x_real_ip),
};

static const struct name param_names[] = {
	NAME("CONTENT_LENGTH", struct params, content_length),
	NAME("LF_PEER", struct params, lf_peer),
	NAME("LF_RID", struct params, rid),
	NAME("LF_TARGET", struct params, lf_target),
	NAME("PATH_INFO", struct params, path_info),
	NAME("QUERY_STRING", struct params, query),
	NAME("REMOTE_ADDR", struct params, remote_addr),
	NAME("REQUEST_URI", struct params, request_uri),
	NAME("SCRIPT_NAME", struct params, script_name),
};

/* The first of a name counts; names are looked at only when the letter fits. */
static void
put(const struct name *names, size_t n_names, void *where, const char *s)
{
	for (size_t i = 0; i < n_names; i++) {
		const char **at;

		if (names[i].name[0] != s[0] || strncmp(names[i].name, s, names[i].n) != 0)
			continue;
		at = (const char **)(void *)((char *)where + names[i].off);
		if (*at == NULL)
			*at = s + names[i].n;
		return;
	}
}

void
params_read(char **envp, struct request *rq, struct params *p)
{
	static const char redirected[] = "REDIRECT_HTTP_AUTHORIZATION=";

	for (; *envp != NULL; envp++) {
		const char *s = *envp;

		switch (s[0]) {
		case 'H':
			if (strncmp(s, "HTTP_", 5) == 0)
				put(header_names, ARRAY_LEN(header_names), &rq->h, s + 5);
			break;
		case 'C':
			if (strncmp(s, "CONTENT_TYPE=", 13) == 0) {
				if (s[13] != '\0')
					rq->h.content_type = s + 13;
				break;
			}
			put(param_names, ARRAY_LEN(param_names), p, s);
			break;
		case 'R':
			if (strncmp(s, "REQUEST_METHOD=", 15) == 0)
				rq->method = s + 15;
			else if (strncmp(s, redirected, sizeof(redirected) - 1) == 0 &&
			    rq->h.authorization == NULL)
				rq->h.authorization = s + sizeof(redirected) - 1;
			else
				put(param_names, ARRAY_LEN(param_names), p, s);
			break;
		case 'L': case 'P': case 'Q': case 'S':
			put(param_names, ARRAY_LEN(param_names), p, s);
			break;
		}
	}
}
