/*
 * The command: options, commands, and asking the daemon over control.sock.
 */
#ifndef LF_CLI_H
#define LF_CLI_H
#include <json-c/json.h>
#include <stdio.h>
#include "cli/settings.h"
#include "lib/base/buf.h"

/* Exit codes, also stated by --help. */
enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DOWN = 3, EXIT_REFUSED = 4 };

struct cli {
	const char *home;               /* --home or NULL */
	bool json;                      /* --json: the answer as it came */
	bool tty;                       /* standard output is a terminal */
	bool located;                   /* set and paths are filled */
	struct settings set;
	struct run_paths paths;
};

typedef int (*command_fn)(struct cli *, int argc, char **argv);

int cmd_init(struct cli *, int, char **);
int cmd_start(struct cli *, int, char **);
int cmd_stop(struct cli *, int, char **);
int cmd_restart(struct cli *, int, char **);
int cmd_status(struct cli *, int, char **);
int cmd_login(struct cli *, int, char **);
int cmd_hash_password(struct cli *, int, char **);
int cmd_doctor(struct cli *, int, char **);
int cmd_chat(struct cli *, int, char **);
int cmd_message(struct cli *, int, char **);
int cmd_agent(struct cli *, int, char **);
int cmd_sessions(struct cli *, int, char **);
int cmd_config(struct cli *, int, char **);
int cmd_nginx_conf(struct cli *, int, char **);
int cmd_apache_conf(struct cli *, int, char **);
int cmd_lighttpd_conf(struct cli *, int, char **);
int cmd_backup(struct cli *, int, char **);
int cmd_restore(struct cli *, int, char **);
int cmd_logs(struct cli *, int, char **);
int cmd_openapi(struct cli *, int, char **);
int cmd_models(struct cli *, int, char **);
int cmd_provider(struct cli *, int, char **);
int cmd_vault(struct cli *, int, char **);
int cmd_usage(struct cli *, int, char **);
int cmd_budget(struct cli *, int, char **);
int cmd_version(struct cli *, int, char **);

/* Fill set and paths; false after a message. */
bool cli_locate(struct cli *, bool make);
int usage(const char *fmt, ...) PRINTF(1, 2);           /* message, EXIT_USAGE */
int complain(int code, const char *fmt, ...) PRINTF(2, 3);
/* Take "--name VALUE" or "--name=VALUE" out of argv; NULL: not there; "" value is kept. */
const char *option_value(int *argc, char **argv, const char *name);
bool option_flag(int *argc, char **argv, const char *name);
/* What is left must be words: an unknown option is a mistake. "--" ends options and is taken out. */
int only_words(int *argc, char **argv);
/* UTF-8, each of them (NULL: none): EXIT_GOOD or EXIT_FAILED after a message. */
int only_text(const char *, const char *);

/* --- subcommand.c: commands whose first word says what is to be done ---------------------- */

enum { SUB_PARSES = -1 };              /* as most: the verb looks at its words and options itself */

struct subcommand {
	const char *name;
	command_fn run;                 /* argv[0] is the verb */
	int least, most;                /* words after it */
};

/* The verb that argv[1] names; none, or too few words, is a mistake that names those there are. */
int run_subcommand(struct cli *, const struct subcommand *, size_t n, int argc, char **argv);

/* --- call.c -------------------------------------------------------------------- */

struct answer {
	int status;                     /* 0: no answer */
	struct buf body;
	struct json_object *json;       /* NULL: not JSON */
};

enum { SLOW = 0, QUICK_MS = 30000 };

/*
 * Ask. body: JSON text or NULL. EXIT_GOOD with *a filled, or the code to exit
 * with after a message on stderr (in JSON mode an error's body goes to stdout as it is).
 */
int call(struct cli *, const char *verb, const char *target, const char *body, unsigned timeout_ms,
    struct answer *a) MUST_CHECK;
void answer_done(struct answer *);
#define SCOPED_ANSWER __attribute__((cleanup(answer_done))) struct answer
/* The same with a target of parts that need no percent-encoding, within QUICK_MS. */
int callf(struct cli *, const char *verb, const char *body, struct answer *, const char *fmt, ...)
    PRINTF(5, 6) MUST_CHECK;

struct stream {
	bool (*on)(void *, const char *event, const char *data, size_t n);      /* false ends */
	void (*interrupt)(void *);      /* perhaps SIGINT came: before each wait, and when it ends one; NULL: go on sleeping */
	void *arg;
};
/* POST, and an event stream is the answer. */
int call_stream(struct cli *, const char *target, const char *body, const struct stream *) MUST_CHECK;
/* GET; the body goes to out as it comes. */
int call_copy(struct cli *, const char *target, FILE *out) MUST_CHECK;
/* JSON mode: print the body as it came; true if that was all. */
bool print_raw(const struct cli *, const struct answer *);
/* Percent-encode a path segment. */
void buf_segment(struct buf *, const char *);
/* ?name=value or &name=value, percent-encoded; NULL adds nothing. */
void buf_parameter(struct buf *target, const char *name, const char *value);
/* The list in a page with "items", or, from older servers, the bare array. */
struct json_object *items_of(struct json_object *);
size_t js_len(struct json_object *array);               /* NULL: 0 */

/* One line of standard input; what is typed is not shown. false: there is none, or it is too long. Wipe it: buf_zero_done(). */
bool secret_line(const char *prompt, struct buf *out) MUST_CHECK;
/*
 * {"member": line} from one line of standard input, which is asked for, and typed unseen, on a terminal; body is
 * the caller's to wipe. EXIT_GOOD or the code to exit with after a message.
 */
int secret_body(const char *member, const char *prompt, struct buf *body) MUST_CHECK;

/* --- table.c -------------------------------------------------------------------- */

/*
 * Rows of text: aligned columns with a heading on a terminal, tabs in a pipe. Cells are
 * copied; control characters in them become blanks.
 */
struct table { unsigned columns; struct buf cells; size_t n; bool headed; };
/* heads: NULL for none. */
void table_begin(struct table *, unsigned columns, const char *const *heads);
void table_cell(struct table *, const char *);
void table_pair(struct table *, const char *name, const char *value);  /* a row of two */
void table_list(struct table *, const char *name, struct json_object *array_of_texts);
void table_print(struct table *, bool tty);             /* and frees */

/* A number of that object; dollars have two places, six when they are few. (cmd_usage.c) */
void count_cell(struct table *, struct json_object *, const char *key);
void dollars_cell(struct table *, struct json_object *, const char *key);
const char *dollars(struct json_object *, const char *key, char out[static 32]);

/* Text of others (UTF-8) onto the terminal: control characters but newline and tab are dropped, C1 ones too. */
void print_text(const char *, size_t);

/* --- cmd_backup.c ------------------------------------------------------------------ */

/* Run librefang-backup with these words; what it prints goes to out. Its exit code, or -1. */
int helper_run(const char *const *argv, struct buf *out) MUST_CHECK;
/* Where the store is, as the configuration says; in the home when it cannot be read. */
void store_path(const struct run_paths *, char *out, size_t cap);

/* --- agents ------------------------------------------------------------------------ */

enum { MESSAGE_MAX = 262144 };          /* bytes of what is said at once */

/*
 * {"message": text} for POST /api/agents/ID<more>; both buffers are the caller's, body with room for
 * MESSAGE_MAX * 6 + 64. EXIT_GOOD or the exit code after a message.
 */
int message_body(struct buf *body, struct buf *target, const char *id, const char *text, size_t n,
    const char *more) MUST_CHECK;
/* Id of an agent by name or id; EXIT_GOOD or the exit code after a message. */
int agent_find(struct cli *, const char *who, char id[static 64]) MUST_CHECK;
#endif
