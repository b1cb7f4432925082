/*
 * From a raw target to a row: literals before arguments, arguments decoded
 * once, and no way to spell a path that two programs read differently.
 */
#include "lib/api/api.h"
#include "lib/base/arena.h"
#include "t/tap.h"

#define ROW(v, p, ...) { .verb = v, .path = p, .name = #v " " p, __VA_ARGS__ }

const struct route routes[] = {
	ROW(GET, "/api/things"),
	ROW(POST, "/api/things"),
	ROW(GET, "/api/things/{id}"),
	ROW(DELETE, "/api/things/{id}"),
	ROW(GET, "/api/things/special"),
	ROW(GET, "/api/things/{id}/parts/{part}"),
	ROW(PUT, "/api/things/{id}/parts/{part}"),
	ROW(GET, "/api/files/{path*}"),
	ROW(GET, "/api/files/index"),
	ROW(GET, "/api/files/index/of/{x}"),
	ROW(GET, "/api/single", .flags = RT_NO_ALIAS),
	ROW(GET, "/v1/models"),
	ROW(GET, "/"),
	ROW(POST, "/api/{a}/{b}/{c}/{d}/{e}/too-many"),
};
const size_t n_routes = ARRAY_LEN(routes);

static struct ctx c;
static struct match m;

static const char *
row(const char *method, const char *target)
{
	route_match(&c, method, target, &m);
	return m.bad_path ? "bad" : m.route != NULL ? m.route->name : m.path_known ? m.allow : "unknown";
}

static void
test_rows(void)
{
	is_str(row("GET", "/api/things"), "GET /api/things", "a row is found by its path");
	is_str(row("POST", "/api/things?x=1"), "POST /api/things", "and its verb, whatever the query");
	is_str(m.query_raw, "x=1", "which is handed on");
	is_str(row("GET", "/api/things/special"), "GET /api/things/special", "a literal wins over an argument");
	is_str(row("GET", "/api/things/speciall"), "GET /api/things/{id}", "just the whole of it");
	is_str(row("GET", "/api/things/special/parts/x"), "GET /api/things/{id}/parts/{part}", "an argument may be like a literal");
	is_str(row("GET", "/"), "GET /", "the root is a row");
	is_str(row("GET", "/v1/models"), "GET /v1/models", "so are rows outside of /api");
	is_str(row("HEAD", "/api/things"), "GET /api/things", "HEAD is the row of GET");
	is_str(row("GET", "/api/v1/things/x"), "GET /api/things/{id}", "each row is also found below /api/v1");
	is_str(row("GET", "/api/v1/single"), "unknown", "save those that are not");
	is_str(row("GET", "/v1/v1/models"), "unknown", "and those outside of /api");
}

static void
test_unknown(void)
{
	static const char *const none[] = {
		"/api", "/api/", "/api/thing", "/api/thingss", "/api/things/", "/api//things", "//api/things",
		"/api/things/x/", "/api/things/x/parts", "/api/things/x/parts/", "/api/things/x/parts/y/z", "/API/things",
		"/api/files", "/api/files/", "/%61pi/things", "/api/th%69ngs", "/api/things%3Fx", "/api/%zz",
	};

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		is_str(row("GET", none[i]), "unknown", "%s is nothing", none[i]);
	is_str(row("PUT", "/api/things"), "GET, HEAD, POST", "a wrong verb learns the right ones");
	is_str(row("PATCH", "/api/v1/things/x"), "GET, HEAD, DELETE", "below /api/v1 too");
	is_str(row("get", "/api/single"), "GET, HEAD", "verbs are capitals");
	is_str(row("HEAD", "/api/a/b/c/d/e/too-many"), "bad", "more arguments than there is room for are refused");
}

static void
test_args(void)
{
	struct request rq = { 0 };

	is_str(row("GET", "/api/things/a%2Fb%20c+d/parts/%E2%82%AC"), "GET /api/things/{id}/parts/{part}", "arguments are found");
	memcpy(rq.args, m.args, sizeof(m.args));
	rq.n_args = m.n_args;
	is_str(path_arg(&rq, "id"), "a/b c+d", "decoded once, a plus stays");
	is_str(path_arg(&rq, "part"), "\xE2\x82\xAC", "each by its name");
	is_str(path_arg(&rq, "par"), "", "no other name finds them");
	is_str(row("GET", "/api/files/a/b%2fc/d"), "GET /api/files/{path*}", "the rest of a path is one argument");
	is_str(m.args[0].value, "a/b/c/d", "slashes and all");
	is_str(row("GET", "/api/files/index"), "GET /api/files/index", "unless a literal is meant");
	is_str(row("GET", "/api/files/index/of"), "GET /api/files/{path*}", "or no row is there for the literals");
	is_str(m.args[0].value, "index/of", "and nothing of the way there is left");
	is_str(row("GET", "/api/things/a%00b"), "GET /api/things/{id}", "a NUL may stand in an argument");
	is_int(m.args[0].n, 3, "whose length tells so");
	is_str(row("GET", "/api/things/%252e"), "GET /api/things/{id}", "nothing is decoded twice");
	is_str(m.args[0].value, "%2e", "so it stays as it is");
	is_str(row("GET", "/api/things/x#y"), "GET /api/things/{id}", "a fragment is cut off");
	is_str(m.args[0].value, "x", "with its sign");
	is_str(m.query_raw, "", "and is no query");
}

static void
test_bad(void)
{
	static const char *const bad[] = {
		"", "x", "api/things", "http://h/api/things", "*", "/api/./things", "/api/../things", "/..", "/.",
		"/api/things/..", "/api/things/.", "/api/%2e%2E/things", "/api/.%2e/things", "/api/things/%2e",
		"/api/files/a/../b", "/api/files/..", "/api/things/%", "/api/things/%4", "/api/things/%zz",
		"/api/things/%ff", "/api/things/%c0%af", "/api/things/%ed%a0%80", "/api/files/x/%ff", "/api/things/\xff",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		is_str(row("GET", bad[i]), "bad", "'%zu %.12s' is refused", i, bad[i][0] > 0 ? bad[i] : "");
	is_str(row("GET", "/api/things/..."), "GET /api/things/{id}", "three dots are a name");
	is_str(row("GET", "/api/things/.x"), "GET /api/things/{id}", "so is one that begins with a dot");
	is_str(row("GET", "/api/things/x?/../y"), "GET /api/things/{id}", "a query may hold dots");
}

int
main(void)
{
	c.arena = arena_new(4096);
	routes_init();
	routes_init();
	test_rows();
	test_unknown();
	test_args();
	test_bad();
	arena_free(c.arena);
	return done();
}
