/*
 * librefang-fcgi: answers the short rows of the API.
 *
 * Started by the supervisor with the listening socket as fd 0 (FastCGI), or by any web
 * server as a plain CGI program. It never goes out to the network, never
 * parses TOML, never opens a secret.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/worker.h"
#include "lib/base/util.h"
#include "lib/svc/catalog.h"
#include "version.h"

/* The supervisor says where things are; a CGI program finds out by itself. */
static bool
find_paths(struct worker *w)
{
	const char *snapshot = getenv("LF_SNAPSHOT"), *name = getenv("LF_SHM");
	char msg[512];

	if (snapshot != NULL && name != NULL) {
		snprintf(w->snapshot, sizeof(w->snapshot), "%s", snapshot);
		snprintf(w->shm_name, sizeof(w->shm_name), "%s", name);
		return true;
	}
	if (run_paths_init(&w->paths, NULL, false, msg, sizeof(msg)) != ERR_OK) {
		log_line(LOG_ERROR, "msg=\"no home\"");
		return false;
	}
	snprintf(w->snapshot, sizeof(w->snapshot), "%s", w->paths.snapshot);
	snprintf(w->shm_name, sizeof(w->shm_name), "%s", w->paths.shm);
	return true;
}

static bool
listening(int fd)
{
	int on = 0;
	socklen_t n = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == 0 && on;
}

static const char help[] =
    "\nA worker of LibreFang's pool. `librefang start` runs it with a FastCGI socket as descriptor 0;\n"
    "a web server may run it as a plain CGI program, with LIBREFANG_HOME in its environment.\n";

int
main(int argc, char **argv)
{
	static struct worker w;
	int rc;

	if (asked_only(argc, argv, "librefang-fcgi " LF_VERSION, help))
		return 0;
	log_open("fcgi", LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	if (!find_paths(&w))
		return 1;
	if (worker_init(&w) != ERR_OK) {
		log_line(LOG_ERROR, "what=start why=\"out of memory\"");
		return 1;
	}
	rc = listening(STDIN_FILENO) ? fcgi_loop(&w) : cgi_once(&w);
	worker_done(&w);
	return rc;
}
