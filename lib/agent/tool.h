/*
 * Tools: what an agent can do. Names, descriptions and input schemas are
 * data (share/tools.json, also shown by GET /api/tools); this is their running side.
 */
#ifndef LF_TOOL_H
#define LF_TOOL_H
#include "lib/base/json.h"
#include "lib/net/http.h"

struct config;
struct turn;

/* agent_send */
struct agent_question {
	const char *agent_id, *message;
	const char *key;                /* names a conversation of the two; NULL: the other's usual one */
	bool async;                     /* the answer comes later */
};

/* What a tool may know of the turn that calls it. */
struct tool_env {
	struct ctx *c;                  /* c->db is NULL: borrow with tool_db() */
	const char *agent_id, *agent_name, *session_id, *turn_id;
	const char *workspace;          /* absolute directory of the agent */
	const struct shared_dir *shared;        /* that it shares with others (shared.h) */
	size_t n_shared;
	const char *sender_id;          /* who spoke to the agent; NULL: nobody is named */
	unsigned depth;                 /* of nested agent calls; 0: asked from outside */
	unsigned event_depth;           /* of what this call makes happen (event.h) */
	bool incognito;                 /* nothing of the turn is to be remembered */
	struct cancel *cancel;
	int64_t deadline_us;            /* monotonic: when the time for this call is over; 0: never */
	struct turn *turn;              /* for agent_send; opaque here */
	struct json_object *granted;    /* the tools that it may use, as tools_for() gives them */
	void (*load_tool)(struct tool_env *, const char *name);         /* its schema is sent from now on; NULL: not here */
	/* borrow and give back a database connection; hold none while waiting */
	struct db *(*db_get)(struct tool_env *);
	void (*db_put)(struct tool_env *, struct db *);
	/*
	 * Other agents; NULL: not from here. What is for the model, an answer or why there is none, goes to out. ask: its answer, or
	 * that it works on it. spawn: a child with that manifest; FORBIDDEN when it could more than its parent. end: a child.
	 */
	enum err (*ask_agent)(struct tool_env *, const struct agent_question *, struct buf *out);
	enum err (*spawn_agent)(struct tool_env *, const char *toml, struct buf *out);
	enum err (*end_agent)(struct tool_env *, const char *id, struct buf *out);
	void (*task_given)(void);       /* a task for some agent is on the board; NULL: nobody wants to know */
};

/*
 * Text for the model goes to out. ERR_OK: success. INVALID: wrong parameters (soft error, out says what to mend);
 * FORBIDDEN, NOT_FOUND: refused (soft); TIMEOUT; CANCELLED; others: hard error. out holds the sentence.
 */
typedef enum err (*tool_fn)(struct tool_env *, struct json_object *input, struct buf *out);

/* What it may run beside. */
enum tool_way {
	TOOL_ALONE,                     /* nothing */
	TOOL_READS,                     /* others that only read */
	TOOL_WRITES_ITS,                /* others of its kind, with another `path` */
};

struct tool {
	const char *name;
	tool_fn run;
	bool read_only;                 /* may be run again after a crash */
	enum tool_way way;
	bool always;                    /* sent with its schema even when others are loaded when they are wanted */
};

const struct tool *tool_find(const char *name);         /* NULL: no such tool here */
/* Seconds that a call of it may take: [tool_timeouts] by name, by its longest pattern, or tool_timeout_secs. */
unsigned tool_timeout(const struct config *, const char *name);
/* The embedded list: JSON array of {name, description, input_schema, group, read_only}; process-wide. */
struct json_object *tool_catalog(void);
/* Text that says what was asked: is this name granted to an agent of that manifest and mode? */
bool tool_granted(struct json_object *manifest, const char *mode, const char *name);
/* Is that one of the lists of tools_for() that stay as they are until the process ends? */
bool tools_last(const struct json_object *list);
/* As tokens_of_json(); of those lists counted once. */
int64_t tools_tokens(const struct json_object *list);
/*
 * The tools of an agent, as arrays for llm_request.tools; shared by all threads: read them, take no reference. An agent that may load tools
 * (it may use any, and its metadata.lazy_tools is not false) is sent the usual ones and those of `loaded`, the sum of their tool_bit(); then
 * tool_load and tool_search are among them. Others are sent all that are granted. NULL: no memory.
 */
struct toolset { struct json_object *granted, *sent; };
struct toolset tools_of(struct ctx *, struct json_object *manifest, const char *mode, bool may_load, uint64_t loaded);
uint64_t tool_bit(const char *name);
/* All that are granted. */
struct json_object *tools_for(struct ctx *, struct json_object *manifest, const char *mode);
#endif
