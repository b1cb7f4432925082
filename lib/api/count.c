/*
 * What every edge does once a request is answered: count it in shared
 * memory, and say a line about it when somebody should know.
 */
#include <stdio.h>
#include <string.h>

#include "lib/api/api.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"

static void
one_more(_Atomic uint64_t *n, uint64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

void
metrics_count(const struct route *r, int status, uint64_t us)
{
	size_t i = SHM_ROUTES_MAX - 1, cls = (size_t)status / 100, k = 0;

	if (shm == NULL)
		return;
	if (r != NULL && (size_t)(r - routes) < i)
		i = (size_t)(r - routes);
	if (cls >= SHM_STATUS_CLASSES)
		cls = 0;
	while (k < SHM_LAT_BUCKETS - 1 && (double)us > shm_lat_bounds_s[k] * 1e6)
		k++;
	one_more(&shm->route[i].by_status[cls], 1);
	one_more(&shm->route[i].by_code[shm_code_index(status)], 1);
	one_more(&shm->route[i].lat[k], 1);
	one_more(&shm->route[i].lat_sum_us, us);
	one_more(&shm->route[i].lat_n, 1);
}

void
request_note(const struct ctx *c, const struct request *rq, const struct reply *r, uint64_t us)
{
	enum log_level level = r->status >= 500 ? LOG_WARN : LOG_DEBUG;
	char quoted[256], peer[80], path[200];

	if (!log_wants(level))
		return;
	if (rq->route != NULL)
		snprintf(path, sizeof(path), "%s %s", verb_names[rq->route->verb], rq->route->path);
	else
		snprintf(path, sizeof(path), "%.16s %.*s", rq->method,
		    (int)strcspn(rq->target, "?"), rq->target);
	log_line(level, "rid=%s route=%s status=%d err=%s peer=%s ms=%llu.%03llu", c->rid,
	    log_quote(path, quoted, sizeof(quoted)), r->status, err_code(r->err),
	    log_quote(rq->peer != NULL ? rq->peer : "", peer, sizeof(peer)),
	    (unsigned long long)us / 1000, (unsigned long long)us % 1000);
}

const char *
status_phrase(int status)
{
	static const struct { int status; const char *phrase; } all[] = {
		{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
		{ 206, "Partial Content" }, { 304, "Not Modified" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 406, "Not Acceptable" }, { 409, "Conflict" },
		{ 410, "Gone" }, { 411, "Length Required" }, { 412, "Precondition Failed" },
		{ 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" }, { 423, "Locked" }, { 426, "Upgrade Required" },
		{ 429, "Too Many Requests" }, { 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i].status == status)
			return all[i].phrase;
	return "Status";
}
