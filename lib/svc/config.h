/*
 * The configuration as the programs use it.
 *
 * The supervisor reads config.toml (lib/toml), checks it, and publishes a
 * snapshot: JSON at <run>/config.json (0600), whose generation stands in shared
 * memory. Pool and daemon load the snapshot; none of them parses TOML for it.
 * Secrets in the snapshot are digests.
 */
#ifndef LF_CONFIG_H
#define LF_CONFIG_H
#include "lib/base/json.h"
#include "lib/base/base.h"

struct config_user {
	const char *name, *role;                /* role: owner admin user viewer */
	const char *key_hash;                   /* $sha256$hex or Argon2id PHC; NULL */
};

/* The dashboard's login. One of the three has the password: Argon2id, hex of its SHA-256, or its name in the vault (its digest: shm.h). */
struct config_dashboard {
	const char *user;                       /* NULL: nobody logs in so */
	const char *pass_hash, *pass_sha256, *pass_vault;
	const char *token_sha256;               /* of the token that LibreFang made of it once; NULL */
};

/* What may be spent in a window; 0: as much as one likes. */
enum budget_span { BUDGET_HOUR, BUDGET_DAY, BUDGET_MONTH, BUDGET_SPANS };
struct budget_caps { int64_t nanousd[BUDGET_SPANS], tokens[BUDGET_SPANS]; };
struct budget_named { const char *name; struct budget_caps caps; double alert_threshold; };

#define BUDGET_ALERT 0.8        /* share of a cap from which on it is told, when nobody says another */
/* [budget], and what [[users]] say of it. Dollars are nano-dollars. */
struct config_budget {
	struct budget_caps all;
	struct budget_named *providers; size_t n_providers;
	struct budget_named *users; size_t n_users;             /* those with a budget, by name */
	double alert_threshold;
	int64_t agent_tokens_hour;                              /* of an agent that says nothing of it */
	double burst_ratio;                                     /* of an agent that says nothing of it; 0: 0.2 */
	int64_t unpriced_input_nanousd, unpriced_output_nanousd; /* a million tokens of a model without a known price */
	int64_t unknown_max_output;                             /* tokens that a model of unknown limits is taken to write at most */
};

struct config {
	uint32_t generation;
	const char *home, *data_dir, *db_path, *workspaces_dir, *config_path;
	const char *listen;                     /* "127.0.0.1:4545" */
	const char *listen_host; int listen_port;
	bool config_exists;

	/* who may come in */
	const char *key_sha256;                 /* hex of the plaintext master key's SHA-256; NULL: none */
	const char *key_hash;                   /* api_key_hash: $sha256$… or PHC; NULL */
	const char *key_vault;                  /* the vault's name of the master key (its digest: shm.h); NULL: none */
	struct config_user *users; size_t n_users;
	struct config_dashboard dashboard;
	bool open_mode;                         /* no credential configured at all */
	bool allow_no_auth;                     /* LIBREFANG_ALLOW_NO_AUTH */
	bool reads_open;                        /* require_auth_for_reads=false and external_auth_proxy=true, or open_mode */
	const char *const *cors_origins; size_t n_cors;
	bool trust_forwarded; const char *const *trusted_proxies; size_t n_proxies;

	/* limits */
	uint64_t api_requests_per_minute; unsigned retry_after_s;
	unsigned logins_per_ip;                 /* in 15 minutes; 0: no bound */
	unsigned max_ws_per_ip, ws_messages_per_minute, ws_idle_s, ws_debounce_ms, ws_debounce_chars;
	size_t max_body_bytes;
	uint64_t max_upload_bytes; unsigned max_uploads;        /* of one file; at once */

	/* models */
	const char *provider, *model;           /* resolved default: "offline"/"offline" at worst */
	const char *provider_cfg;               /* as written: "auto" … */
	const char *api_key_env, *base_url;     /* of [default_model], NULL */
	unsigned message_timeout_s;
	struct json_object *provider_urls;      /* id → url, or NULL */
	struct json_object *provider_key_env;   /* id → env name, or NULL */
	struct json_object *provider_retries, *provider_timeouts;       /* id → number, seconds; or NULL */
	struct json_object *extra_params;       /* of [default_model], or NULL */
	bool fallback_healthiest;               /* who does best is asked first, not who stands first */
	struct json_object *fallback_providers; /* array of {provider, model, api_key_env, base_url}, or NULL */
	struct json_object *providers;          /* id → {"key_present":bool,"alt":bool}: what the environment holds */
	struct config_budget budget;

	/* turns */
	unsigned agent_max_iterations, max_history_messages, tool_timeout_s, max_agent_call_depth;
	unsigned max_rate_limits;               /* [background]: slots in a row; 0: no bound */
	unsigned heartbeat_interval_s, heartbeat_timeout_s;
	bool on_disconnect_cancel;              /* [turn] on_disconnect = "cancel" */
	struct json_object *tool_timeouts;      /* tool or pattern → seconds, or NULL */
	unsigned turn_threads;
	unsigned stream_idle_s;                 /* a streamed answer that says nothing for so long is ended */
	struct json_object *ssrf_allowed_hosts; /* array or NULL */
	uint64_t web_max_bytes; unsigned web_timeout_s;

	bool durability_power;                  /* durability = "power" */
	bool network_enabled, proactive_memory;
	const char *log_level, *mode, *language;
	struct json_object *raw;                /* the whole file as JSON, secrets redacted */
	struct json_object *warnings;           /* array of text */
};

/*
 * Snapshot JSON → struct. The struct, its strings and json objects live
 * until config_free(). ERR_BAD_REQUEST when the text is no snapshot.
 */
enum err config_load(const char *json, size_t n, struct config **ret) MUST_CHECK;
enum err config_load_file(const char *path, struct config **ret) MUST_CHECK;
void config_free(struct config *);
/* raw: the whole file. The lists come from c's arena, names from raw. false: out of memory. */
bool config_load_budget(struct ctx *, struct json_object *raw, struct config_budget *ret);
/* Dollars as written to nano-dollars, up; what is more than 0 stays more than 0. */
int64_t config_money(const struct json_object *, const char *key);

/* Where things are, from flag/environment/ini. All absolute. */
struct run_paths {
	char home[4096];
	char config[4096];              /* config.toml */
	char run[108 - 20];             /* directory of sockets, short enough for sun_path */
	char shm[64];                   /* "/librefang-<hash>-<version>" */
	char fcgi_sock[108], front_sock[108], control_sock[108], snapshot[128], lock[4096 + 16];
};
/*
 * home: NULL → LIBREFANG_HOME → ~/.librefang. Makes home and run directories (0700) if make. The run
 * directory: LIBREFANG_RUN_DIR (what the supervisor tells its children), librefang.ini, else
 * by user and home. msg: what went wrong. Errors: INVALID, IO.
 */
enum err run_paths_init(struct run_paths *, const char *home, bool make, char *msg, size_t cap) MUST_CHECK;
/*
 * A deployment setting from [librefang] of <home>/librefang.ini, else /etc/librefang/librefang.ini:
 * run_dir, pool_size, user, nginx. false: not set (or cap too small).
 */
bool ini_get(const struct run_paths *, const char *key, char *out, size_t cap);
/* "NFS" or "CIFS" if the file system there is one; NULL: no, or nothing is there. */
const char *path_network_fs(const char *path);
#endif
