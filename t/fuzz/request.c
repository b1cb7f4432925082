/*
 * Fuzz: a request as the pool's worker gets it, through all rows that run there: variables ("NAME=value", as FastCGI has them) one a
 * line, an empty line, the body. Whatever comes, the answer is HTTP, never says that the program failed, says truly how long it is,
 * and is JSON where it says so.
 * sources: lib/base/*.c db/*.c lib/svc/[abd-u]*.c lib/svc/caller.c lib/svc/catalog*.c lib/svc/chat_command*.c lib/svc/config.c lib/svc/config_budget.c lib/svc/conversation.c lib/svc/vectors.c lib/api/[a-q]*.c lib/api/reply.c lib/api/[s-z]*.c handlers/*.c fcgi/params.c fcgi/routes.c fcgi/serve.c
 * libs: sqlite3 zlib
 * link: -liniparser
 */
#include "fcgi/worker.h"
#include "lib/svc/catalog.h"
#include "lib/svc/kv.h"
#include "lib/svc/upload.h"
#include "t/fuzz/place.h"
#include "t/svc/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

enum { VARS_MAX = 64, FILE_BYTES = 1000, STALE = 2000 };

#define FILE_ID "ffffffff-1111-4111-8111-111111111111"
#define KEY "k"

static struct shm segment;
static char key_hex[65];
static struct config cfg = {
	.generation = 1, .provider = "offline", .model = "offline", .home = place, .data_dir = place, .workspaces_dir = place,
	.listen = "127.0.0.1:4545", .listen_host = "127.0.0.1", .listen_port = 4545, .log_level = "off", .config_exists = true,
	.max_body_bytes = 8 << 20, .api_requests_per_minute = 4000000000u, .retry_after_s = 60, .key_sha256 = key_hex,
	.budget.alert_threshold = 0.8,
};
static struct worker w;
static bool was_head;

/* --- the store ----------------------------------------------------------------------------- */

static void
fill(struct ctx *c)
{
	SCOPED_UPLOAD u = UPLOAD_NEW;
	struct upload about = { .filename = "a.txt", .content_type = "text/plain", .bytes = FILE_BYTES };
	char bytes[FILE_BYTES];

	store_agent(c, ADA, "ada", "root", NULL, "{\"name\":\"ada\",\"model\":{\"provider\":\"openai\",\"model\":\"gpt-4o\"}}");
	store_agent(c, BEA, "bea", "zoe", ADA, "{\"name\":\"bea\"}");
	store_session(c, ADA_SESSION, ADA, "first", 1000);
	store_message(c, ADA_SESSION, 1, "user", "\"hello\"");
	store_message(c, ADA_SESSION, 2, "assistant", "[{\"type\":\"text\",\"text\":\"hi\"}]");
	store_usage(c, ADA, c->now_ms, 12345);
	MUST(kv_put(c, ADA, "k", 1, "{\"a\":1}", 7) == ERR_OK);
	memset(bytes, 'x', sizeof(bytes));
	MUST(upload_begin(c, &u, FILE_ID, FILE_BYTES) == ERR_OK && upload_write(c, &u, bytes, FILE_BYTES) == ERR_OK);
	about.id = u.id;
	about.created_ms = c->now_ms;
	MUST(upload_commit(c, &u, &about) == ERR_OK);
}

/* From nothing, so that what many requests have left does not grow. */
static void
store_anew(void)
{
	struct ctx *c = &w.c;
	char why[200];

	if (c->db != NULL)
		db_close(c->db);
	place_clear();
	MUST(db_open(&c->db, place_of("x.db"), true) == ERR_OK && db_migrate(c->db, why, sizeof(why)) == ERR_OK);
	c->cfg = &cfg;
	c->who = &root;
	c->now_ms = clock_ms();
	fill(c);
	arena_reset(c->arena);
}

static void
begin(void)
{
	uint8_t sum[32];

	place_begin();
	sha256(KEY, strlen(KEY), sum);
	hex_of(sum, 32, key_hex);
	log_open("fuzz", LOG_OFF);
	shm = &segment;
	atomic_store(&shm->generation, 1);
	atomic_store(&shm->schema_version, 1);
	cfg.raw = json_object_new_object();
	cfg.warnings = json_object_new_array();
	w = (struct worker){ .cfg = &cfg, .generation = 1, .schema_version = 1, .out = BUF_INIT(1 << 20), .body = BUF_INIT(1 << 30) };
	MUST((w.c.arena = arena_new(64 * 1024)) != NULL);
	catalog_init();
	routes_init();
}

/* --- the answer ------------------------------------------------------------------------------ */

/* A header's value, NULL: there is none. The head ends with an empty line. */
static const char *
value_of(struct ctx *c, const char *head, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = head; *p != '\r'; p = strstr(p, "\r\n") + 2)
		if (strncasecmp(p, name, n) == 0 && p[n] == ':')
			return ctx_strndup(c, p + n + 2, (size_t)(strstr(p, "\r\n") - p) - n - 2);
	return NULL;
}

/* Each line is a name, a colon, and text. */
static void
well_formed(const char *head)
{
	for (const char *p = head; *p != '\r'; p = strstr(p, "\r\n") + 2) {
		size_t n = strcspn(p, "\r\n"), name = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");

		MUST(p[n] == '\r' && p[n + 1] == '\n' && name > 0 && name < n && p[name] == ':' && p[name + 1] == ' ');
		for (size_t i = name; i < n; i++)
			MUST((unsigned char)p[i] >= ' ' && p[i] != 0x7f);
	}
}

static void
look(struct ctx *c, const struct buf *out)
{
	const char *end = memmem(out->p, out->len, "\r\n\r\n", 4), *head, *media, *length, *range;
	size_t n = end != NULL ? (size_t)(end + 4 - out->p) : 0, body = out->len - n;
	int status;

	MUST(n > 0);
	head = ctx_strndup(c, out->p, n);
	MUST(strlen(head) == n);
	well_formed(head);
	MUST(sscanf(head, "Status: %d ", &status) == 1 && (status < 500 || status == 503 || status == 501));
	media = value_of(c, head, "Content-Type");
	length = value_of(c, head, "Content-Length");
	range = value_of(c, head, "Content-Range");
	MUST((length == NULL) == (status == 204 || status == 304));
	MUST(length == NULL || was_head || (size_t)atoll(length) == body);
	if (range != NULL && status == 206) {
		long long from, to;

		MUST(sscanf(range, "bytes %lld-%lld/", &from, &to) == 2 && from >= 0 && from <= to && to < FILE_BYTES &&
		    (was_head || (size_t)(to - from + 1) == body));
	}
	if (media != NULL && strncmp(media, "application/json", 16) == 0 && body > 0 && value_of(c, head, "Content-Encoding") == NULL)
		MUST(json_check(out->p + n, body, 64, NULL) == ERR_OK);
}

/* --- the request ------------------------------------------------------------------------------- */

struct io { const char *body; size_t n; struct buf out; };

static ssize_t
give(struct backend *b, void *to, size_t n)
{
	struct io *io = b->from;

	n = n < io->n ? n : io->n;
	memcpy(to, io->body, n);
	io->body += n;
	io->n -= n;
	return (ssize_t)n;
}

static bool
take(struct backend *b, const void *bytes, size_t n)
{
	buf_add(&((struct io *)b->from)->out, bytes, n);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static unsigned runs;
	struct ctx c = { .arena = arena_new(4096) };
	struct io io = { .body = "", .out = BUF_INIT(64 << 20) };
	char *vars[VARS_MAX + 3], length[40], *text = ctx_strndup(&c, (const char *)data, n), *next;
	struct backend b = { .envp = vars, .from = &io, .read = give, .write = take };
	size_t k = 0;
	bool key = false;

	if (place[0] == '\0')
		begin();
	if (runs++ % STALE == 0)
		store_anew();
	was_head = false;
	for (char *line = text; line != NULL && k < VARS_MAX; line = next) {
		next = memchr(line, '\n', n - (size_t)(line - text));
		if (next != NULL)
			*next++ = '\0';
		if (*line == '\0' && next != NULL) {
			io.body = next;
			io.n = n - (size_t)(next - text);
			break;
		}
		if (strncmp(line, "CONTENT_LENGTH=", 15) == 0 && line[15] == '\0')      /* the true one */
			continue;
		was_head |= strcmp(line, "REQUEST_METHOD=HEAD") == 0;
		key |= strncmp(line, "HTTP_AUTHORIZATION=", 19) == 0 || strncmp(line, "HTTP_X_API_KEY=", 15) == 0;
		vars[k++] = line;
	}
	if (!key)
		vars[k++] = (char[]){ "HTTP_X_API_KEY=" KEY };
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", io.n);
	vars[k++] = length;             /* the first of a name counts: there may be another before it */
	vars[k] = NULL;
	MUST(worker_serve(&w, &b) && !io.out.failed);
	look(&c, &io.out);
	buf_done(&io.out);
	arena_free(c.arena);
	return 0;
}
