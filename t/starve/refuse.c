/*
 * Loaded before librefangd (LD_PRELOAD; LF_REFUSE_PROGRAM: before another one): the n-th call of a kind is refused, as t/starve.t says in a file that
 * both map. Or the first call from a place that was never refused yet; a place is the last NEAR functions of the daemon
 * that lead to it, and the name of what they ask for. Any other program stays as it
 * is. Of the kind "kills" are writes and removals: there the daemon dies.
 *
 * Counted is what could fail of a machine's want: memory; reading and writing of files; connections; threads and
 * the loop's own descriptors. A call on a pipe or an eventfd is not, these do not fail so.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MEMORY = 1, READS = 2, WRITES = 4, SOCKETS = 8, THREADS = 16, REMOVALS = 32, KILLS = 64, PLACES = 1 << 17, MET = 1 << 13, NEAR = 6 };

/* The file. Perl writes the first three, n last. */
struct ask {
	_Atomic int64_t n;              /* the call to refuse; 0: none */
	_Atomic uint32_t kinds, all;    /* all: those after it too, so many milliseconds long */
	_Atomic uint32_t refused, pid;
	_Atomic uint32_t tell, len;     /* tell: write down who was refused */
	char who[8000];
	_Atomic uint32_t places, deep;  /* places: refuse by place, n is 1; deep: so many calls from a place in one try are as many places */
	_Atomic uint64_t tried;         /* counts the tries */
	_Atomic uint64_t known[PLACES]; /* the places that were refused */
};

static struct ask *ask;
static uintptr_t program, program_end;
static _Atomic uint64_t met[MET];       /* the places of this try, each with how often in its last byte */
static _Atomic uint64_t met_in;
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

static void
tell(const char *name)
{
	void *at[40];
	int n, len;
	Dl_info of;

	inside = true;
	n = backtrace(at, 40);
	len = snprintf(ask->who, sizeof(ask->who), "%s", name);
	for (int i = 2; i < n && len < (int)sizeof(ask->who) - 200; i++)
		if (dladdr(at[i], &of) != 0)
			len += snprintf(ask->who + len, sizeof(ask->who) - (size_t)len, "\n%.120s+0x%zx", of.dli_fname,
			    (size_t)((char *)at[i] - (char *)of.dli_fbase));
	atomic_store(&ask->len, (uint32_t)len);
	inside = false;
}

/* --- places -------------------------------------------------------------------------- */

static int
of_program(struct dl_phdr_info *i, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int k = 0; k < i->dlpi_phnum; k++) {
		if (i->dlpi_phdr[k].p_type != PT_LOAD || (i->dlpi_phdr[k].p_flags & PF_X) == 0)
			continue;
		program = i->dlpi_addr + i->dlpi_phdr[k].p_vaddr;
		program_end = program + i->dlpi_phdr[k].p_memsz;
	}
	return 1;
}

static uint64_t
mixed(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9E3779B97F4A7C15u;
	return h ^ h >> 29;
}

static uint64_t
place_of(const char *name)
{
	uint64_t h = (atomic_load(&ask->kinds) & KILLS) != 0 ? 3 : atomic_load(&ask->all) ? 2 : 1;
	void *at[64];
	int n = backtrace(at, 64);

	for (; *name != '\0'; name++)
		h = mixed(h, (unsigned char)*name);
	for (int i = 0, ours = 0; i < n && ours < NEAR; i++) {
		if ((uintptr_t)at[i] < program || (uintptr_t)at[i] >= program_end)
			continue;
		h = mixed(h, (uintptr_t)at[i] - program);
		ours++;
	}
	return h & ~(uint64_t)0xFF;
}

/* The same place again within one try: which time is it? */
static uint64_t
times_met(uint64_t place)
{
	uint64_t tried = atomic_load(&ask->tried), was;

	if (atomic_exchange(&met_in, tried) != tried)
		for (size_t i = 0; i < MET; i++)
			atomic_store_explicit(&met[i], 0, memory_order_relaxed);
	for (size_t i = place >> 32, k = 0; k < 64; i++, k++) {
		_Atomic uint64_t *m = &met[i % MET];

		was = 0;
		if (atomic_compare_exchange_strong(m, &was, place | 1))
			return 1;
		if ((was & ~(uint64_t)0xFF) == place)
			return (was & 0xFF) == 0xFF ? 0xFF : (atomic_fetch_add(m, 1) & 0xFF) + 1;
	}
	return 1;
}

/* Was it never refused? Then it is from now on. */
static bool
new_place(const char *name)
{
	uint64_t place, times, deep = atomic_load(&ask->deep), was;
	bool new = false;

	inside = true;
	place = place_of(name);
	times = deep > 1 ? times_met(place) : 1;
	place |= times < deep ? times : deep;
	for (size_t i = place % 1000003, k = 0; k < PLACES; i++, k++) {
		was = 0;
		if (atomic_compare_exchange_strong(&ask->known[i % PLACES], &was, place))
			new = true;
		if (new || was == place)
			break;
	}
	inside = false;
	return new;
}

/* There is enough again. */
static bool
over(void)
{
	static _Atomic int64_t since_ms;
	uint32_t ms = atomic_load(&ask->all);
	struct timespec t;
	int64_t now;

	if (ms == 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = t.tv_sec * 1000ll + t.tv_nsec / 1000000;
	if (atomic_load(&ask->refused) == 0)
		atomic_store(&since_ms, now);
	if (now - atomic_load(&since_ms) < ms)
		return false;
	atomic_store(&ask->n, 0);
	return true;
}

static bool
no(uint32_t kind, const char *name)
{
	uint32_t kinds = ask == NULL || inside ? 0 : atomic_load_explicit(&ask->kinds, memory_order_relaxed);
	bool kills = (kinds & KILLS) != 0 && (kind & (WRITES | REMOVALS)) != 0;
	int64_t n;

	if ((kinds & kind) == 0 && !kills)
		return false;
	if (atomic_load(&ask->places) && (atomic_load(&ask->n) <= 0 || (atomic_load(&ask->refused) == 0 && !new_place(name))))
		return false;
	do {
		n = atomic_load(&ask->n);
		if (n <= 0)
			return false;
	} while (!atomic_compare_exchange_weak(&ask->n, &n, n == 1 && atomic_load(&ask->all) ? 1 : n - 1));
	if (n != 1 || over())
		return false;
	if (atomic_fetch_add(&ask->refused, 1) == 0 && atomic_load(&ask->tell))
		tell(name);
	if (kills) {
		kill(getpid(), SIGKILL);
		pause();
	}
	return true;
}

#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
		real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* name(args) of that kind; with this errno and value when it is refused. */
#define REFUSE(kind, type, name, params, args, error, value) \
type name params \
{ \
	REAL(name); \
	if (!no(kind, #name)) \
		return real args; \
	errno = error; \
	return value; \
}

static bool
is_a(int fd, mode_t kind)
{
	struct stat st;
	bool was = inside, yes;

	inside = true;
	yes = fd > 2 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
	inside = was;
	return yes;
}

/* Where the daemon died, if LF_REFUSE_TRACE names a file; read with addr2line. */
static void
died(int sig)
{
	const char *path = getenv("LF_REFUSE_TRACE");
	void *at[60];
	int n = backtrace(at, 60);
	int fd = path == NULL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	inside = true;
	if (fd >= 0)
		backtrace_symbols_fd(at, n, fd);
	signal(sig, SIG_DFL);
	raise(sig);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("LF_REFUSE"), *whom = getenv("LF_REFUSE_PROGRAM");
	void *p[4];
	int fd;

	if (path == NULL || strcmp(program_invocation_short_name, whom != NULL ? whom : "librefangd") != 0)
		return;
	(void)backtrace(p, 4);          /* loads what it needs now */
	(void)dl_iterate_phdr(of_program, NULL);
	if (getenv("LF_REFUSE_TRACE") != NULL) {
		signal(SIGSEGV, died);
		signal(SIGABRT, died);
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	ask = mmap(NULL, sizeof(*ask), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ask == MAP_FAILED)
		ask = NULL;
	else
		atomic_store(&ask->pid, (uint32_t)getpid());
	syscall(SYS_close, fd);
}

/* --- memory ------------------------------------------------------------------------ */

REFUSE(MEMORY, void *, malloc, (size_t n), (n), ENOMEM, NULL)
REFUSE(MEMORY, void *, realloc, (void *p, size_t n), (p, n), ENOMEM, NULL)
REFUSE(MEMORY, void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size), ENOMEM, NULL)
REFUSE(MEMORY, void *, aligned_alloc, (size_t to, size_t n), (to, n), ENOMEM, NULL)
REFUSE(MEMORY, int, posix_memalign, (void **p, size_t to, size_t n), (p, to, n), ENOMEM, ENOMEM)

/* dlsym() may ask for some itself. */
void *
calloc(size_t n, size_t size)
{
	static void *(*real)(size_t, size_t);
	static _Alignas(16) char first[4096];
	static size_t used;
	static bool looking;

	if (real == NULL && looking) {
		void *p = first + used;

		used += (n * size + 15) & ~(size_t)15;
		return used <= sizeof(first) ? p : NULL;
	}
	if (real == NULL) {
		looking = true;
		real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
		looking = false;
	}
	if (!no(MEMORY, "calloc"))
		return real(n, size);
	errno = ENOMEM;
	return NULL;
}

/* As ours, so that it does not count twice. */
char *
strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	bool was = inside;
	char *to = NULL;

	if (no(MEMORY, "strdup")) {
		errno = ENOMEM;
		return NULL;
	}
	inside = true;
	to = malloc(n);
	inside = was;
	return to == NULL ? NULL : memcpy(to, s, n);
}

/* --- files ------------------------------------------------------------------------- */

#define OPENS(name, first, pass) \
int name(first const char *path, int flags, ...) \
{ \
	REAL(name); \
	mode_t mode = 0; \
	va_list ap; \
	if ((flags & (O_CREAT | O_TMPFILE)) != 0) { \
		va_start(ap, flags); \
		mode = va_arg(ap, mode_t); \
		va_end(ap); \
	} \
	if (no((flags & O_CREAT) != 0 ? WRITES : READS, #name)) { \
		errno = (flags & O_CREAT) != 0 ? ENOSPC : EMFILE; \
		return -1; \
	} \
	return real(pass path, flags, mode); \
}
#define AT int dir,
#define DIR_AND dir,
#define NONE
OPENS(open, NONE, NONE)
OPENS(open64, NONE, NONE)
OPENS(openat, AT, DIR_AND)
OPENS(openat64, AT, DIR_AND)

long
syscall(long what, ...)
{
	REAL(syscall);
	long a[6];
	va_list ap;

	va_start(ap, what);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (what != SYS_openat2 || !no(READS, "openat2"))
		return real(what, a[0], a[1], a[2], a[3], a[4], a[5]);
	errno = EMFILE;
	return -1;
}

REFUSE(READS, FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
REFUSE(READS, FILE *, fopen64, (const char *path, const char *mode), (path, mode), EMFILE, NULL)
REFUSE(READS, DIR *, opendir, (const char *path), (path), EMFILE, NULL)
REFUSE(READS, DIR *, fdopendir, (int fd), (fd), ENOMEM, NULL)
REFUSE(READS, ssize_t, pread64, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at), EIO, -1)
REFUSE(READS, ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), EIO, -1)
REFUSE(WRITES, ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at), ENOSPC, -1)
REFUSE(WRITES, ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), ENOSPC, -1)
REFUSE(WRITES, int, fsync, (int fd), (fd), EIO, -1)
REFUSE(WRITES, int, fdatasync, (int fd), (fd), EIO, -1)
REFUSE(WRITES, int, ftruncate, (int fd, off_t n), (fd, n), EIO, -1)
REFUSE(WRITES, int, ftruncate64, (int fd, off64_t n), (fd, n), EIO, -1)
REFUSE(WRITES, int, rename, (const char *a, const char *b), (a, b), ENOSPC, -1)
REFUSE(WRITES, int, renameat, (int x, const char *a, int y, const char *b), (x, a, y, b), ENOSPC, -1)
REFUSE(WRITES, int, renameat2, (int x, const char *a, int y, const char *b, unsigned f), (x, a, y, b, f), ENOSPC, -1)
REFUSE(WRITES, int, link, (const char *a, const char *b), (a, b), ENOSPC, -1)
REFUSE(WRITES, int, mkdir, (const char *a, mode_t m), (a, m), ENOSPC, -1)
REFUSE(WRITES, int, mkdirat, (int d, const char *a, mode_t m), (d, a, m), ENOSPC, -1)
REFUSE(WRITES, int, mkostemp, (char *a, int flags), (a, flags), ENOSPC, -1)
REFUSE(WRITES, int, mkostemp64, (char *a, int flags), (a, flags), ENOSPC, -1)
REFUSE(WRITES, char *, mkdtemp, (char *a), (a), ENOSPC, NULL)
REFUSE(REMOVALS, int, unlink, (const char *a), (a), EIO, -1)
REFUSE(REMOVALS, int, unlinkat, (int d, const char *a, int flags), (d, a, flags), EIO, -1)
REFUSE(REMOVALS, int, rmdir, (const char *a), (a), EIO, -1)
REFUSE(WRITES, ssize_t, copy_file_range, (int a, off64_t *x, int b, off64_t *y, size_t n, unsigned f), (a, x, b, y, n, f), ENOSPC, -1)

void *
mmap(void *to, size_t n, int prot, int flags, int fd, off_t at)
{
	REAL(mmap);

	if (fd < 0 || !no(READS, "mmap"))
		return real(to, n, prot, flags, fd, at);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* --- what may be a file or a connection --------------------------------------------- */

ssize_t
read(int fd, void *p, size_t n)
{
	REAL(read);

	if (ask == NULL || atomic_load(&ask->n) <= 0 || !is_a(fd, S_IFREG) || !no(READS, "read"))
		return real(fd, p, n);
	errno = EIO;
	return -1;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	REAL(write);

	if (ask == NULL || atomic_load(&ask->n) <= 0 || !is_a(fd, S_IFREG) || !no(WRITES, "write"))
		return real(fd, p, n);
	errno = ENOSPC;
	return -1;
}

/* --- connections ---------------------------------------------------------------------- */

REFUSE(SOCKETS, int, socket, (int a, int b, int c), (a, b, c), EMFILE, -1)
REFUSE(SOCKETS, int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), ECONNREFUSED, -1)
REFUSE(SOCKETS, ssize_t, recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags), ECONNRESET, -1)
REFUSE(SOCKETS, ssize_t, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags), EPIPE, -1)
REFUSE(SOCKETS, ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags), EPIPE, -1)
REFUSE(SOCKETS, int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags), EMFILE, -1)

/* --- threads, the loop ---------------------------------------------------------------- */

REFUSE(THREADS, int, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *p), (t, a, fn, p), EAGAIN, EAGAIN)
REFUSE(THREADS, int, pipe2, (int p[2], int flags), (p, flags), EMFILE, -1)
REFUSE(THREADS, int, eventfd, (unsigned n, int flags), (n, flags), EMFILE, -1)
REFUSE(THREADS, int, epoll_create1, (int flags), (flags), EMFILE, -1)
REFUSE(THREADS, int, epoll_ctl, (int a, int op, int fd, struct epoll_event *e), (a, op, fd, e), ENOMEM, -1)
REFUSE(THREADS, int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE, -1)
REFUSE(THREADS, int, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask), ENOSPC, -1)
REFUSE(THREADS, pid_t, fork, (void), (), EAGAIN, -1)
