/*
 * The loop over real sockets: requests, streams, WebSocket, clients that leave.
 * `loop serve DIR` only serves, for measuring.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/dbpool.h"
#include "daemon/loop.h"
#include "daemon/threads.h"
#include "db/db.h"
#include "lib/base/shm.h"
#include "lib/base/util.h"
#include "t/daemon/loop_client.h"
#include "t/daemon/loop_world.h"
#include "t/tap.h"

/* --- what is tested -------------------------------------------------------------------------- */

static void
test_requests(void)
{
	int fd = dial(front);
	static char large[9000];

	say(fd, "GET", "/api/hello?x=%zz/../y", "", "");
	is_int(hear(fd), 200, "a request is answered, whatever its query looks like");
	ok(strstr(got, "\"hello\":\"10.0.0.9\"") != NULL, "with the peer that the front server saw");
	ok(strstr(got, "X-Request-Id: 01234567-89ab-4def-8123-456789abcdef") != NULL ||
	    strstr(got, "X-Request-Id: 01234567-89ab-") != NULL, "and its request id");
	say(fd, "POST", "/api/echo", "Content-Length: 5\r\n", "abcde");
	is_int(hear(fd), 200, "the connection is kept for a second request");
	ok(strcmp(got + got_n - 5, "abcde") == 0, "whose body arrives");
	say(fd, "DELETE", "/api/echo", "Content-Length: 3\r\n", "abc");
	is_int(hear(fd), 200, "a third, with a body on DELETE");
	say(fd, "POST", "/api/echo", "Content-Length: 0\r\n", "");
	is_int(hear(fd), 200, "a fourth, with an empty body");
	say(fd, "HEAD", "/api/hello", "", "");
	usleep(50000);
	got_n = (size_t)read(fd, got, sizeof(got) - 1);
	got[got_n] = '\0';
	ok(strncmp(got, "HTTP/1.1 200", 12) == 0 && strcmp(got + got_n - 4, "\r\n\r\n") == 0 &&
	    strstr(got, "Content-Length: ") != NULL, "HEAD has the length but no body");
	say(fd, "GET", "/api/big", "", "");
	is_int(hear(fd), 200, "three megabytes come");
	ok(got_n > 3 << 20, "whole");
	say(fd, "GET", "/api/nothing", "", "");
	is_int(hear(fd), 401, "an unknown path inside the API asks who is there first");
	memset(large, 'a', sizeof(large) - 1);
	memcpy(large, "Authorization: Bearer ", 22);
	memcpy(large + sizeof(large) - 3, "\r\n", 2);
	say(fd, "GET", "/api/hello", large, "");
	is_int(hear(fd), 200, "a token of nine thousand bytes is no hindrance");
	close(fd);
}

static void
test_refusals(void)
{
	int fd = dial(front);
	static char large[10000];
	static const char bare[] = "GET /api/hello HTTP/1.1\r\nHost: x\r\n\r\n";

	ok(write(fd, bare, sizeof(bare) - 1) > 0, "a request without the front server's headers");
	is_int(hear(fd), 400, "is refused on front.sock");
	close(fd);
	fd = dial(control);
	ok(write(fd, bare, sizeof(bare) - 1) > 0, "the same");
	is_int(hear(fd), 200, "is served on control.sock");
	close(fd);
	fd = dial(front);
	say(fd, "POST", "/api/echo", "Content-Length: 2000000\r\n", "");
	is_int(hear(fd), 413, "a body over the limit is refused at its head");
	ok(strstr(got, "\"code\":\"bad_request\"") != NULL, "in the usual shape");
	for (int i = 0; i < 200; i++)
		(void)!write(fd, large, 10000);
	say(fd, "GET", "/api/hello", "", "");
	is_int(hear(fd), 200, "and thrown away, so that the connection can go on");
	close(fd);
	is_int(ask("POST", "/api/echo", "Content-Length: 1x\r\n", ""), 400, "a length that is no number is refused");
	is_int(ask("POST", "/api/echo", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 411, "a body without a length too");
	is_int(ask("POST", "/api/echo", "", ""), 200, "a POST without any body is served");
	ok(strstr(got, "Connection: close") != NULL, "and ends its connection");
	is_int(ask("BREW", "/api/hello", "Authorization: Bearer x\r\n", ""), 401, "an unknown method asks who is there first");
	fd = dial(control);
	say(fd, "BREW", "/api/hello", "", "");
	is_int(hear(fd), 405, "and is 405 for the command");
	ok(strstr(got, "Allow: GET, HEAD\r\n") != NULL, "with the list of those that are known");
	close(fd);
	is_int(ask("CONNECT", "/api/hello", "", ""), 401, "CONNECT is no way around");
	fd = dial(front);
	ok(write(fd, "\x16\x03\x01 nonsense\r\n\r\n", 15) == 15, "nonsense");
	is_int(hear(fd), 400, "is answered with 400");
	close(fd);
	is_int(ask("GET", "/api/hello", "Upgrade: h2c\r\nConnection: upgrade\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", ""), 400,
	    "no upgrade to HTTP/2");
}

static void
test_streams(void)
{
	int fd = dial(front);

	say(fd, "GET", "/api/stream", "", "");
	is_int(hear(fd), 200, "a stream begins");
	ok(strstr(got, "Content-Type: text/event-stream\r\n") != NULL && strstr(got, "Content-Length") == NULL,
	    "as an event stream without a length");
	ok(strstr(got, "\r\n\r\ndata: {\"i\":0}\n\nevent: odd\ndata: {\"i\":1}\n\n") != NULL, "its events have the usual form");
	ok(got_n > 16 && strcmp(got + got_n - 16, "data: {\"i\":19}\n\n") == 0, "the last one comes before the end");
	close(fd);

	fd = dial(front);
	say(fd, "GET", "/api/forever", "", "");
	ok(soon(&streams, 1), "a stream that would last");
	ok(open_soon(1), "is counted");
	close(fd);
	ok(soon(&cancelled_with, CANCEL_GONE), "is cancelled when its client leaves");
	ok(soon(&streams, 0), "and its handler returns");
	ok(open_soon(0), "and it is no longer counted");

	fd = dial(front);
	say(fd, "GET", "/api/flood", "", "");
	ok(soon(&slow_gone, 1), "a client that does not read is dropped, and its handler told");
	close(fd);
	is_int(atomic_load(&shm->event_drops), 1, "which is counted");

	fd = dial(front);
	say(fd, "GET", "/api/pieces", "", "");
	usleep(100000);
	is_int(hear(fd), 200, "a client that begins to read late");
	is_int((long)(got_n - (size_t)(strstr(got, "\r\n\r\n") + 4 - got)), (long)PIECES * PIECE, "misses nothing");
	close(fd);
}

static bool
write_all(int fd, size_t n)
{
	static const char zeros[65536];

	while (n > 0) {
		ssize_t w = write(fd, zeros, n < sizeof(zeros) ? n : sizeof(zeros));

		if (w <= 0)
			return false;
		n -= (size_t)w;
	}
	return true;
}

static void
test_uploads(void)
{
	int fd = dial(front);
	char c;

	say(fd, "POST", "/api/upload", "Content-Length: 5\r\n", "abcde");
	is_int(hear(fd), 200, "a handler may read its body itself");
	ok(strstr(got, "5 of 5") != NULL, "all of it");
	say(fd, "POST", "/api/upload", "Content-Length: 4000000\r\n", "");
	ok(write_all(fd, 4000000), "one that is larger than bodies may be");
	is_int(hear(fd), 200, "comes too, on the same connection");
	ok(strstr(got, "4000000 of 4000000") != NULL, "whole, though it came faster than it was read");
	say(fd, "GET", "/api/hello", "", "");
	is_int(hear(fd), 200, "which goes on");
	say(fd, "POST", "/api/lazy/upload", "Content-Length: 3000000\r\n", "");
	is_int(hear(fd), 400, "one that is refused is answered at once");
	ok(strstr(got, "Connection: close") != NULL, "and ends its connection");
	ok(write_all(fd, 2000000), "which takes what comes until the other end has understood");
	ok(write_all(fd, 1000000) && read(fd, &c, 1) <= 0, "and closes when that is all");
	close(fd);
	fd = dial(front);
	say(fd, "POST", "/api/upload", "Content-Length: 1000\r\n", "");
	ok(write_all(fd, 999), "one that breaks off");
	usleep(50000);
	close(fd);
	for (int i = 0; i < 1500 && atomic_load(&taken) != -1000; i++)
		usleep(20000);
	is_int(atomic_load(&taken), -1000, "is known to have");
	is_int(ask("POST", "/api/upload", "Content-Length: 0\r\n", ""), 200, "an empty one is no body");
}

/* libwebsockets 4.1 mistakes the head of an early request for its body; so none is looked at. */
static void
test_too_early(void)
{
	static const char *const second[] = { "GET / HTTP/1.1\r\n" FRONT "X-LF-Target: /api/stream\r\n\r\n",
	    "POST / HTTP/1.1\r\n" FRONT "X-LF-Target: /api/echo\r\nContent-Length: 4\r\n\r\nabcd" };
	static const char *const first[] = { "GET / HTTP/1.1\r\n" FRONT "X-LF-Target: /api/hello\r\n\r\n",
	    "POST / HTTP/1.1\r\n" FRONT "X-LF-Target: /api/echo\r\nContent-Length: 6\r\n\r\nsingle",
	    "GET / HTTP/1.1\r\n" FRONT "X-LF-Target: /api/big\r\n\r\n" };

	for (int i = 0; i < 6; i++) {
		char two[1024];
		int n = snprintf(two, sizeof(two), "%s%s", first[i % 3], second[i % 2]);
		int fd = dial(front);

		ok(write(fd, two, (size_t)n) == n, "two requests at once");
		is_int(hear(fd), 200, "the first is answered");
		ok(ended(fd), "and the connection ends");
		close(fd);
	}
	is_int(ask("GET", "/api/hello", "", ""), 200, "others are served as before");
}

/* --- WebSocket ---------------------------------------------------------------------------------- */

static void
test_ws_frames(void)
{
	static char large[100000];
	int fd;

	is_int(ws_dial("X-LF-WS-Protocol: bearer.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n", &fd), 101,
	    "a WebSocket opens");
	ok(strstr(got, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != NULL, "with the right accept key");
	ok(strstr(got, "Sec-WebSocket-Protocol: bearer.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n")
	    != NULL, "and the token's sub-protocol echoed exactly, however long");
	ok(ws_hear(fd) == 1 && strcmp(got, "hi") == 0, "the server speaks first");
	ws_send(fd, 1, true, "one", 3);
	ok(ws_hear(fd) == 1 && strcmp(got, "one") == 0, "a message comes and goes");
	ws_send(fd, 1, false, "ab", 2);
	ws_send(fd, 9, true, "ping", 4);
	ws_send(fd, 0, true, "cd", 2);
	ok(ws_hear(fd) == 10 && strcmp(got, "ping") == 0, "a ping amid fragments is answered");
	ok(ws_hear(fd) == 1 && strcmp(got, "abcd") == 0, "and the fragments are one message");
	memset(large, 'z', sizeof(large));
	ws_send(fd, 1, true, large, 65536);
	ok(ws_hear(fd) == 1 && got_n == 65536, "64 KiB are a message");
	ws_send(fd, 1, true, large, 65537);
	ok(ws_hear(fd) == 1 && strcmp(got, "too long: 65537") == 0, "one byte more is told, and the socket stays");
	ws_send(fd, 2, true, large, 3000);
	ws_send(fd, 1, true, "", 0);
	ok(ws_hear(fd) == 1 && got_n == 0, "binary is ignored, an empty message is one");
	is_int(atomic_load(&shm->ws_open), 1, "the socket is counted");
	ws_send(fd, 1, true, "bye", 3);
	ok(ws_hear(fd) == 8 && got_n == 13 && got[0] == (char)(4401 >> 8) && strcmp(got + 2, "as you wish") == 0,
	    "the server closes with code and reason");
	ws_send(fd, 8, true, "\x11\x31", 2);
	ok(ended(fd), "and then the connection");
	close(fd);
	ok(soon(&ws_closed, 1), "the session ends once");
	is_int(atomic_load(&shm->ws_open), 0, "and is no longer counted");
}

static void
test_ws_bursts(void)
{
	int fd, closed = atomic_load(&ws_closed), heard = 0;

	is_int(ws_dial("", &fd), 101, "a socket");
	ok(ws_hear(fd) == 1, "that hears");
	for (int round = 0; round < 5; round++) {
		ws_send(fd, 1, true, "burst", 5);
		for (heard = 0; heard < BURST && ws_hear(fd) == 1; heard++)
			;
		if (heard < BURST)
			break;
	}
	is_int(heard, BURST, "every message of five bursts, the last without another to push it");
	close(fd);
	ok(soon(&ws_closed, closed + 1), "ends");
}

static void
test_ws_refusals(void)
{
	int a, b, fd;

	is_int(ws_dial("", &a), 101, "one socket of a peer");
	is_int(ws_dial("Sec-WebSocket-Protocol: chat, bearer.short\r\n", &b), 101, "a second one, without a front server's help");
	ok(strstr(got, "Sec-WebSocket-Protocol: bearer.short\r\n") != NULL, "has its sub-protocol echoed, too");
	is_int(ws_dial("", &fd), 429, "a third is too many");
	ok(hear(fd) >= 0 && strstr(got, "\"code\":\"rate_limited\"") != NULL, "said as JSON");
	close(fd);
	close(a);
	ok(soon(&ws_closed, 2), "when one has gone");
	is_int(ws_dial("", &fd), 101, "there is room again");
	close(fd);
	close(b);
	ok(soon(&ws_closed, 4), "all end");
	fd = dial(front);
	say(fd, "GET", "/api/other", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "");
	is_int(hear(fd), 404, "what is not admitted gets its reason, not 101");
	close(fd);
	is_int(ask("GET", "/api/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n", ""), 400, "half a handshake is refused");
}

static void
test_ws_idle(void)
{
	int fd, before;
	int64_t since, longest = 1000000;

	is_int(ws_dial("", &fd), 101, "a socket");
	for (int tries = 0; tries < 20 && longest > 400000; tries++) {  /* a machine that does much else may let us be silent */
		ws_send(fd, 9, true, "", 0);
		before = atomic_load(&ws_idles);
		longest = 0;
		for (int i = 0; i < 30; i++) {
			since = clock_mono_us();
			usleep(50000);
			ws_send(fd, 9, true, "", 0);
			longest = clock_mono_us() - since > longest ? clock_mono_us() - since : longest;
		}
	}
	is_int(atomic_load(&ws_idles), before, "that pings is not idle");
	ok(soon(&ws_idles, before + 1), "and is once it has been silent for its time");
	since = clock_mono_us();
	ws_send(fd, 1, true, "talk", 4);        /* for twelve seconds */
	ok(soon(&ws_idles, before + 2) && clock_mono_us() - since < 10000000,
	    "what the server says is no sign of life");
	close(fd);
	ok(soon(&ws_closed, 5), "end");
}

static void *
run(void *arg)
{
	return loop_run() ? arg : NULL;
}

static void
on_signal(int signo)
{
	(void)signo;
	loop_stop(2000);
}

static bool
open_world(void)
{
	struct loop_options o = { .front_fd = -1, .control_fd = -1, .signal_fd = -1, .on_signal = on_signal };
	static char db_path[128];
	struct db *db;
	struct shm *seg;
	sigset_t set;
	char why[256];

	snprintf(front, sizeof(front), "%s/front.sock", dir);
	snprintf(control, sizeof(control), "%s/control.sock", dir);
	snprintf(db_path, sizeof(db_path), "%s/t.db", dir);
	snprintf(why, sizeof(why), "/lf-t-%d", (int)getpid());
	cfg.db_path = db_path;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	o.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (shm_open_segment(why, true, &seg) != ERR_OK)
		return false;
	shm_remove(why);
	if (db_open(&db, db_path, true) != ERR_OK || db_migrate(db, why, sizeof(why)) != ERR_OK)
		return false;
	db_close(db);
	if (dbpool_init(db_path) != ERR_OK)
		return false;
	threads_init(cfg.turn_threads);
	routes_init();
	o.front_fd = loop_listen(front);
	o.control_fd = loop_listen(control);
	return loop_open(&o) == ERR_OK;
}

int
main(int argc, char **argv)
{
	pthread_t id;
	void *clean = NULL;
	int left, last;

	log_open("test", LOG_ERROR);
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		snprintf(dir, sizeof(dir), "%s", argv[2]);
		cfg.ws_idle_s = 1800;
		if (!open_world())
			return 1;
		loop_run();
		_exit(0);
	}
	snprintf(dir, sizeof(dir), "/tmp/lf-loop-XXXXXX");
	if (mkdtemp(dir) == NULL || !ok(open_world(), "the loop opens"))
		return 1;
	pthread_create(&id, NULL, run, &left);
	test_requests();
	test_refusals();
	test_uploads();
	test_too_early();
	test_streams();
	test_ws_frames();
	test_ws_refusals();
	test_ws_idle();
	test_ws_bursts();

	left = dial(front);
	say(left, "POST", "/api/echo", "Content-Length: 3\r\n", "a");
	is_int(ws_dial("", &last), 101, "a socket that is open when the end comes");
	ok(ws_hear(last) == 1, "says hi");
	kill(getpid(), SIGTERM);
	ok(ws_hear(last) == 8, "is told to go");
	close(last);
	ok(write(left, "bc", 2) == 2, "a request under way");
	is_int(hear(left), 503, "is told to come again");
	close(left);
	pthread_join(id, &clean);
	ok(clean != NULL, "the loop ends with nothing left running");
	ok(dial(front) < 0, "and takes nobody any more");
	ok(threads_stop(2000), "all threads end");
	loop_close();
	dbpool_done();
	is_int(dbpool_open_count(), 0, "all database connections too");
	return done();
}
