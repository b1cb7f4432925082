/*
 * The API: routes, requests, replies, and the one dispatch both programs use.
 *
 * lib/api/routes/<group>.def holds rows; lib/api/schemas.c the shapes. Each program
 * compiles the table with its own handlers filled in (routes_table.inc).
 */
#ifndef LF_API_H
#define LF_API_H
#include "lib/api/schema.h"
#include "lib/base/base.h"
#include "lib/base/json.h"
#include "lib/svc/caller.h"

enum verb { GET, POST, PUT, PATCH, DELETE, VERB_COUNT };
extern const char *const verb_names[VERB_COUNT];

extern const char *const role_names[];            /* "public", "viewer", ... */

enum runs { POOL, LIVE };                         /* librefang-fcgi or librefangd */

enum route_flags {
	RT_IDEMPOTENT = 1,      /* honours Idempotency-Key */
	RT_OPTIONAL_BODY = 2,   /* an empty body counts as {}, and so does null */
	RT_SHAPE_400 = 4,       /* wrong JSON or shape is 400 invalid_json, the media type is not looked at */
	RT_READS = 8,           /* "dashboard read": open when reads are open */
	RT_NO_ALIAS = 16,       /* no /api/v1 twin */
	RT_STREAM = 32,         /* may answer with an event stream */
	RT_SOCKET = 64,         /* WebSocket upgrade */
	RT_UPLOAD = 256,        /* LIVE: the body is a file; read with live_read(), rq->body_bytes is what was declared */
	RT_FIELDS_400 = 512,    /* wrong members are 400 instead of 422 */
	RT_ALSO_SOCKET = 1024,  /* the same over a WebSocket, by an upgrade */
	RT_LOGIN = 2048,        /* somebody tries to come in: so often a quarter of an hour (login_limit_check) */
	RT_OWN_USER = 128,      /* a user below admin may call it on agents of their own */
};

struct request;
struct reply;
typedef struct reply (*handler_fn)(struct ctx *, const struct request *);

struct route {
	enum verb verb;
	const char *path;               /* "/api/agents/{id}"; "{rest*}" takes the rest with slashes */
	enum role role;
	unsigned cost;                  /* GCRA tokens */
	enum runs runs;
	unsigned flags;
	const struct schema *query;     /* NULL: none */
	const struct schema *body;      /* NULL: body and media type ignored */
	const struct schema *reply;     /* NULL in all programs but the generator */
	handler_fn handler;             /* NULL in the other program */
	const char *summary;
	const char *group;              /* tag in OpenAPI, chapter in the reference */
	const char *name;               /* the handler's name: operationId in OpenAPI */
};

extern const struct route routes[];
extern const size_t n_routes;

enum { PATH_ARGS_MAX = 4 };

struct path_arg {
	const char *name;
	const char *value;              /* percent-decoded, NUL-terminated, may hold NULs */
	size_t n;
};

/* Raw headers that anything here looks at; NULL when absent. */
struct headers {
	const char *host, *origin, *authorization, *x_api_key, *content_type, *accept,
	    *idempotency_key, *if_none_match, *accept_encoding, *ws_protocol, *fetch_site,
	    *acr_method, *last_event_id, *traceparent, *tracestate, *x_filename, *range, *if_range,
	    *cookie,
	    *x_forwarded_for, *forwarded, *x_real_ip, *cf_connecting_ip,     /* peer_resolve() alone believes them */
	    *x_forwarded_proto;                                              /* a trusted proxy's only */
};

struct live;                            /* the daemon's end of a streaming connection */

/* A request, filled by a backend (FastCGI, CGI, the daemon) before dispatch. */
struct request {
	/* from the backend */
	const char *method;             /* as sent */
	const char *target;             /* raw request target with query */
	const char *peer;               /* client address text; by dispatch: the client behind a trusted proxy */
	bool control;                   /* came over control.sock */
	struct headers h;
	const char *body;               /* raw bytes */
	size_t body_bytes;
	struct live *live;              /* daemon: where to stream; NULL in the pool */
	/* from dispatch */
	const char *front_peer;         /* peer as the backend saw it */
	bool local;                     /* from this machine, and no header speaks of another */
	const struct route *route;
	bool head;                      /* HTTP HEAD: body is not sent */
	struct path_arg args[PATH_ARGS_MAX];
	unsigned n_args;
	const char *query_raw;          /* after '?', "" if none */
	const void *query;              /* decoded struct, if the row has a query schema */
	const void *body_struct;        /* decoded struct, if the body schema has fields */
	struct json_object *json;       /* parsed body, if the row has a body schema */
	bool by_role;                   /* the caller's role is too low for the row; refusal_of() */
};

/* A request held a secret: wipe what came, and the decoded text beside it (NULL: none). */
void request_wipe(const struct request *, const char *text);

const char *path_arg(const struct request *, const char *name);      /* never NULL for a name in the path */
const struct path_arg *path_arg_n(const struct request *, const char *name);

/* The agent that the path argument {id} names. BAD_REQUEST invalid_agent_id; NOT_FOUND agent_not_found. */
struct agent;
enum err request_agent_id(struct ctx *, const struct request *, char ret[static 37]) MUST_CHECK;
enum err request_agent(struct ctx *, const struct request *, struct agent *ret) MUST_CHECK;
/* The session that a path argument, or a text from a query or body, names. BAD_REQUEST invalid_session_id. */
enum err request_session_id(struct ctx *, const struct request *, const char *arg, char ret[static 37]) MUST_CHECK;
enum err session_id_of(struct ctx *, const char *text, char ret[static 37]) MUST_CHECK;

/* The entry of [[users]] that the path argument {name} names. NOT_FOUND. */
struct config_user;
enum err request_user(struct ctx *, const struct request *, const struct config_user **ret) MUST_CHECK;

/*
 * What goes back. Made only by the functions below, so that no path can
 * forget to answer. body points into the job's memory.
 */
/* So many bytes of an open file. The descriptor lives as long as the job. */
struct reply_file { int fd; uint64_t from, n; };

struct reply {
	int status;
	const char *media;              /* NULL: application/json (or none for 204/304) */
	const char *body;
	size_t body_bytes;
	const char *etag;               /* with it: Cache-Control private, no-cache */
	const char *allow;              /* 405 */
	const struct reply_file *file;  /* the body instead of body: sent in pieces, never whole in memory (pool) */
	const char *extra_headers;      /* whole lines, each ended by CRLF, or NULL */
	const char *encoding;           /* Content-Encoding */
	unsigned retry_after_s;
	const char *set_cookie;
	bool www_auth;
	bool streamed;                  /* the handler has sent everything through request->live */
	bool stays;                     /* with streamed: somebody else holds request->live and sends on */
	enum err err;                   /* for the log line */
};

/* A writer for one JSON body; never NULL, without memory what is made of it is reply_fail(). */
struct jw *reply_open(struct ctx *);
struct reply reply_json(struct ctx *, int status, struct jw *);  /* closes nothing: the value must be complete */
struct reply reply_raw(struct ctx *, int status, const char *media, const char *body, size_t n);
struct reply reply_empty(struct ctx *);                    /* 204 */
struct reply reply_fail(struct ctx *);                     /* from c->fault */
struct reply reply_fail_user(struct ctx *);                /* the same, as rows of users say it */
struct reply reply_streamed(struct ctx *);
struct reply reply_open_stream(struct ctx *);
/* {"status":"...", ...}: a short object of strings: name, value, ..., NULL */
struct reply reply_words(struct ctx *, int status, ...) __attribute__((sentinel));

/* --- matching ----------------------------------------------------------- */

/* Built once per process from routes[]. false: no memory. */
bool routes_init(void);
struct match {
	const struct route *route;      /* NULL: see other members */
	bool path_known;                /* some verb exists here: 405 */
	char allow[64];
	bool bad_path;                  /* dot segment, NUL, bad escape or encoding: 400 */
	struct path_arg args[PATH_ARGS_MAX];
	unsigned n_args;
	const char *query_raw;
};
/* Match method and raw target. Arguments are decoded into c's arena. */
void route_match(struct ctx *, const char *method, const char *target, struct match *ret);

/* --- dispatch ------------------------------------------------------------ */

/*
 * Everything from the raw request to the reply: open-mode guard, limiter,
 * authentication, role, negotiation, body rules, handler, error shape.
 * mine: which program this is; a row of the other one answers 503 here.
 * All pointers in the reply live in c's arena.
 */
struct reply dispatch(struct ctx *, struct request *, enum runs mine);
/*
 * What the audit log is told of that: dispatch() does, whoever says dispatch_admit() must. Texts in c's arena.
 */
struct audit;
struct audit refusal_of(struct ctx *, const struct request *);
/*
 * Only the questions that come before a handler: limiter, authentication, existence, role,
 * version, query. For upgrades to WebSocket, which have no reply.
 */
enum err dispatch_admit(struct ctx *, struct request *) MUST_CHECK;
/* Called for a LIVE row in the pool (plain CGI relays it); NULL: 503. */
extern struct reply (*dispatch_other)(struct ctx *, struct request *);

/* Header lines of a reply, "Name: value\r\n" each, without status line and Content-Length. */
void reply_headers(struct ctx *, const struct request *, const struct reply *, struct buf *out);
/* A refusal as this request's client reads it: OpenAI's read OpenAI's error object. */
struct reply reply_shaped(struct ctx *, const struct request *, struct reply);
/* The body of an error, in the standard shape or OpenAI's. */
void error_body(struct ctx *, bool openai, struct buf *out);

/* --- authentication and limits ------------------------------------------- */

/* UNAUTHORIZED with the sentence to send; else *ret filled (arena). */
/* The token that a request presents, or NULL. */
const char *auth_token(struct ctx *, const struct request *);
/* May this peer try to log in now? RATE_LIMITED after ten failures in a minute. */
enum err auth_attempt(struct ctx *, const char *peer) MUST_CHECK;
/* It failed: counted against the peer. UNAUTHORIZED with that sentence. */
enum err auth_failed(struct ctx *, const char *peer, const char *why) MUST_CHECK;
/* One more try to log in. RATE_LIMITED after rate_limit.auth_rate_limit_per_ip in 15 minutes, whether they went well or not. */
enum err login_limit_check(struct ctx *, const char *peer) MUST_CHECK;
/*
 * Is that the dashboard's name and password? Takes as long for a wrong name; user NULL: the password alone.
 * RATE_LIMITED: others try just now, come again; UNAVAILABLE: the daemon has not read the vault yet.
 */
enum err dashboard_verify(struct ctx *, const char *peer, const char *user, const char *pass, bool *ret) MUST_CHECK;
enum err auth_check(struct ctx *, const struct request *, struct caller *ret) MUST_CHECK;
/*
 * Fill front_peer and local, and put the client that a trusted proxy speaks for in the place of
 * peer (trust_forwarded_for, trusted_proxies). Whatever an untrusted peer claims changes no peer.
 */
void peer_resolve(struct ctx *, struct request *);
/* Is that address in trusted_proxies? */
bool peer_is_proxy(const struct config *, const char *peer);
/* The open-mode guard: Host loopback, Origin and Sec-Fetch-Site same-origin. */
enum err open_mode_check(struct ctx *, const struct request *) MUST_CHECK;
/*
 * A number for what lets this caller in: another one once the key, the role or the name is. 0: nothing that could change.
 */
uint64_t auth_mark(const struct config *, const struct caller *);
/* Origin that CORS names as allowed. */
bool cors_allowed(const struct config *, const char *origin);
/* RATE_LIMITED when the peer's bucket is empty. */
enum err limit_check(struct ctx *, const char *peer, unsigned cost) MUST_CHECK;
/* May this caller touch an agent of that author? Else the agent does not exist for them. */
/* Who a [[users]] entry is when it has proved itself. */
struct config_user;
void caller_of_user(struct caller *, const struct config_user *);
bool caller_owns(const struct caller *, const char *author);

/* --- idempotency (a row with RT_IDEMPOTENT) -------------------------------- */

enum idem { IDEM_RUN, IDEM_REPLAY, IDEM_FAIL };
enum idem idem_begin(struct ctx *, const struct request *, int64_t *ret_id, struct reply *ret_replay);
void idem_finish(struct ctx *, int64_t id, const struct reply *);

/* --- at the edge, after the answer (lib/api/count.c) ------------------------ */

/* One more request of that row (NULL: of none) in the counters of shared memory. */
void metrics_count(const struct route *, int status, uint64_t us);
/* The request's log line: failures of ours always, all of them at debug level. */
void request_note(const struct ctx *, const struct request *, const struct reply *, uint64_t us);
/* "Not Found" for 404. */
const char *status_phrase(int status);
#endif
