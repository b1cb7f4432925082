/*
 * The shared-memory segment: hot state that all processes of one home see.
 * Atomics only, and a robust mutex; a process may die at any point without leaving it broken.
 * Created by the supervisor, opened by pool and daemon.
 */
#ifndef LF_SHM_H
#define LF_SHM_H
#include <pthread.h>
#include <stdatomic.h>
#include "lib/base/base.h"

enum {
	SHM_VERSION = 6,
	SHM_GCRA_SLOTS = 65536,
	SHM_WS_SLOTS = 1024,
	SHM_AUTH_SLOTS = 256,
	SHM_TALLY_SLOTS = 1024,
	SHM_ROUTES_MAX = 512,
	SHM_STATUS_CLASSES = 6,         /* 0: other, 1xx..5xx */
	SHM_LAT_BUCKETS = 12,
	SHM_SERIES = 512, SHM_LABELS = 192,
	SHM_STATUS_CODES = 18,          /* those of shm_status_codes, the last: any other */
};

struct gcra_slot { _Atomic uint64_t key; _Atomic uint64_t tat_ns; };
struct ws_slot { _Atomic uint64_t key; _Atomic uint32_t n; };
struct tally { _Atomic uint64_t key, since_n; };        /* when its window began (s, 40 bits), and how often since */
/* SHA-256 of a secret that one process knows and all must recognise. */
struct shm_digest { _Atomic uint64_t word[4]; _Atomic uint32_t known; };

/* One line, or histogram, of /api/metrics (lib/svc/series.h). */
struct series_slot {
	_Atomic uint32_t kind;          /* 0: free; else enum series + 1. Written last, and once */
	char labels[SHM_LABELS];        /* as they stand between the braces */
	_Atomic uint64_t n, sum_us, lat[SHM_LAT_BUCKETS];
};

struct shm {
	_Atomic uint32_t version;
	_Atomic uint32_t generation;            /* of the configuration snapshot */
	_Atomic uint32_t generation_begun;      /* of the newest that was begun: what is in the file later is in a newer one */
	_Atomic int64_t providers_asked_ms;     /* when somebody last looked at the list of providers */
	_Atomic uint32_t catalog_generation;    /* of what the store says of models and providers */
	_Atomic int64_t started_ms;             /* supervisor */
	_Atomic uint32_t restarts, panics;      /* children started again; died by a signal */
	_Atomic uint32_t daemon_ready;          /* 1 while the daemon answers */
	_Atomic uint32_t schema_version;
	uint8_t boot_key[32];                   /* random, for HMACs of verified tokens */
	/* told by the daemon: the master key, the dashboard's password and the token made of it, when the vault has them */
	struct shm_digest vault_key, vault_pass, vault_token;
	pthread_mutex_t argon, argon_next;      /* one Argon2 at a time, and one who waits for it (lib/api/attempts.c) */
	pthread_mutex_t writers;                /* their line (db/line.c); these are robust, shared by processes */
	_Atomic uint32_t logouts;
	struct { _Atomic uint64_t mac[4]; _Atomic uint32_t generation, user; } verified[SHM_AUTH_SLOTS];
	struct tally authfail[SHM_TALLY_SLOTS], logins[SHM_TALLY_SLOTS];
	/* counters for /api/metrics: by row of the route table; last row: unmatched */
	struct {
		_Atomic uint64_t by_status[SHM_STATUS_CLASSES];
		_Atomic uint64_t by_code[SHM_STATUS_CODES];
		_Atomic uint64_t lat[SHM_LAT_BUCKETS], lat_sum_us, lat_n;
	} route[SHM_ROUTES_MAX];
	/* gauges that the daemon zeroes at boot */
	_Atomic int64_t turns_running, sse_open, ws_open;
	_Atomic uint64_t llm_calls, llm_ms_total, llm_ms_max;
	_Atomic uint64_t event_drops;
	_Atomic uint32_t vectors;               /* lib/svc/vectors.h */
	_Atomic int64_t vectors_rest_ms;
	_Atomic uint32_t events_wanted, events_posted;  /* lib/svc/event.h */
	struct series_slot series[SHM_SERIES];
	struct ws_slot ws[SHM_WS_SLOTS];
	struct gcra_slot gcra[SHM_GCRA_SLOTS];
};

extern const double shm_lat_bounds_s[SHM_LAT_BUCKETS - 1];

/* HTTP statuses that are counted each on their own. */
static const uint16_t shm_status_codes[SHM_STATUS_CODES - 1] = {
	200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 500, 503,
};

/* Where a status is counted in route[].by_code. */
static inline unsigned
shm_code_index(int status)
{
	unsigned i = 0;

	while (i < SHM_STATUS_CODES - 1 && shm_status_codes[i] != status)
		i++;
	return i;
}

/* name: as run_paths.shm. create: make and zero it anew. ERR_IO, ERR_NOT_FOUND. */
enum err shm_open_segment(const char *name, bool create, struct shm **ret) MUST_CHECK;
void shm_remove(const char *name);
/* The process's segment; set by shm_open_segment. NULL before: limits then do not apply (tests). */
extern struct shm *shm;

/* NULL: it is known no more. */
void shm_digest_set(struct shm_digest *, const uint8_t sum[32]);
/* In hex; false: nobody has told it. */
bool shm_digest_get(const struct shm_digest *, char ret[static 65]);

/*
 * How often a key was counted in the window of so many seconds that began with its first time; count: once more, which
 * is in the number. Of keys that find no place whose window is open, the oldest loses its own.
 */
uint32_t tally(struct tally slots[static SHM_TALLY_SLOTS], uint64_t key, unsigned window_s, int64_t now_s, bool count);

/* GCRA (generic cell rate algorithm) on the shared slots. true: allowed and counted. */
bool gcra_take(struct shm *, uint64_t key, unsigned cost, uint64_t per_minute, uint64_t now_us);
/* Key of an address text: IPv4 whole, IPv6 by /64, anything else by its bytes. Never 0. */
uint64_t peer_key(const char *addr);
bool addr_is_loopback(const char *addr);
#endif
