/*
 * The worker: one process, one thread, one request at a time.
 *
 * A backend is where a request comes from and its answer goes to: FastCGI or
 * the environment and standard streams of plain CGI.
 */
#ifndef LF_WORKER_H
#define LF_WORKER_H
#include "lib/api/api.h"
#include "lib/base/buf.h"
#include "lib/base/shm.h"
#include "lib/svc/config.h"

struct backend {
	char **envp;            /* "NAME=value" of this request, ends with NULL */
	bool cgi;               /* plain CGI: target and peer stand in CGI's own variables */
	void *from;             /* what read and write work on */
	/* up to n bytes of the body; 0: its end, -1: broken off */
	ssize_t (*read)(struct backend *, void *, size_t n);
	bool (*write)(struct backend *, const void *, size_t n);
};

struct worker {
	struct ctx c;
	struct run_paths paths;         /* CGI only needs them all */
	char snapshot[4096], shm_name[64];
	struct config *cfg;
	uint32_t catalog; bool catalog_read;    /* the generation of the catalog that was read */
	uint32_t generation, schema_version;    /* what cfg and the connection belong to */
	struct buf out;                 /* status and header lines, reused */
	struct buf body;                /* of the request, reused */
	bool ready;                     /* configuration and shared memory are there */
};

/* Environment, shared memory, configuration; what is not there yet is tried again with each request. */
enum err worker_init(struct worker *) MUST_CHECK;
void worker_done(struct worker *);

/* One request from reading to the log line. false: the client is gone. */
bool worker_serve(struct worker *, struct backend *);

/* Nobody asks: give back what was kept for the next request. */
void worker_rest(struct worker *);

/* What a backend's variables say, besides what goes straight into the request. */
struct params {
	const char *content_length, *rid, *script_name, *path_info, *query, *request_uri,
	    *lf_target, *lf_peer, *remote_addr;
};

/* One walk over the variables. */
void params_read(char **envp, struct request *, struct params *);

/* Run until asked to end; the listening socket is fd 0. */
int fcgi_loop(struct worker *);
/* One request from the environment. */
int cgi_once(struct worker *);

#endif
