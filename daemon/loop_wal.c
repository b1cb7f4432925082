/*
 * Keeping the write-ahead log short without looking at it all the time.
 *
 * While nobody writes, a one-shot watch sleeps on the file. The first write
 * wakes us; then we look five times a second (or more, while it grows fast), fold when the log is long, and
 * fold once more, cut its file and go back to sleep when it has been quiet for five looks. Folding runs on a thread.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/conn.h"
#include "daemon/threads.h"

enum { LOOK_US = 200000, SOON_US = 50000, QUIET_LOOKS = 5, LONG_BYTES = 8 << 20 };

static struct {
	char path[4096 + 64];
	struct source watch;
	void (*fold)(bool quiet);
	int64_t (*bytes)(void);
	void (*on_commit)(void);
	lws_sorted_usec_list_t timer;
	struct timespec changed;
	off_t size;
	unsigned quiet;
	_Atomic bool folding;
	bool cut;
} wal;

/* false: no file yet, or no inotify: look again later. */
static bool
sleep_on_it(void)
{
	return wal.watch.wsi != NULL && inotify_add_watch((int)lws_get_socket_fd(wal.watch.wsi),
	    wal.path, IN_MODIFY | IN_ONESHOT) >= 0;
}

static void
fold_job(void *unused)
{
	(void)unused;
	wal.fold(wal.cut);
	atomic_store(&wal.folding, false);
}

static void
fold(bool quiet)
{
	if (atomic_exchange(&wal.folding, true))
		return;
	wal.cut = quiet;
	if (threads_run_now(fold_job, NULL) != 0)
		atomic_store(&wal.folding, false);      /* busy: at the next look */
}

static bool
changed_since_last_look(void)
{
	struct stat st;
	bool changed;

	if (stat(wal.path, &st) != 0)
		return false;
	changed = st.st_size != wal.size || st.st_mtim.tv_sec != wal.changed.tv_sec ||
	    st.st_mtim.tv_nsec != wal.changed.tv_nsec;
	wal.size = st.st_size;
	wal.changed = st.st_mtim;
	return changed;
}

/* Not while it is folded, when the one connection for this is in use. */
static bool
grown_long(void)
{
	return wal.size > LONG_BYTES && !atomic_load(&wal.folding) && wal.bytes() > LONG_BYTES;
}

static void
look(lws_sorted_usec_list_t *sul)
{
	wal.quiet = changed_since_last_look() ? 0 : wal.quiet + 1;
	if (wal.quiet >= QUIET_LOOKS) {
		if (wal.quiet == QUIET_LOOKS)
			fold(true);
		if (!sleep_on_it())
			lws_sul_schedule(loop_context(), 0, sul, look, QUIET_LOOKS * LOOK_US);
		return;
	}
	if (wal.quiet == 0 && wal.on_commit != NULL)
		wal.on_commit();
	if (wal.quiet == 0 && grown_long())
		fold(false);
	lws_sul_schedule(loop_context(), 0, sul, look, wal.size > LONG_BYTES ? SOON_US : LOOK_US);
}

void
wal_touched(void)
{
	char events[512];

	while (read((int)lws_get_socket_fd(wal.watch.wsi), events, sizeof(events)) > 0)
		;
	wal.quiet = 0;
	if (lws_dll2_is_detached(&wal.timer.list))
		lws_sul_schedule(loop_context(), 0, &wal.timer, look, LOOK_US);
}

void
wal_start(const char *path, void (*fold_back)(bool), int64_t (*bytes)(void), void (*on_commit)(void))
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	snprintf(wal.path, sizeof(wal.path), "%s", path);
	wal.fold = fold_back;
	wal.bytes = bytes;
	wal.on_commit = on_commit;
	if (fd >= 0)
		(void)loop_watch(&wal.watch, SRC_WAL, fd);      /* without it the first look still comes */
	lws_sul_schedule(loop_context(), 0, &wal.timer, look, LOOK_US);
}

void
wal_stop(void)
{
	lws_sul_cancel(&wal.timer);
}
