/*
 * The shared-memory segment: making, opening, removing.
 */
#include "lib/base/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/util.h"

struct shm *shm;

const double shm_lat_bounds_s[SHM_LAT_BUCKETS - 1] = {
	0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 30,
};

/* A segment of somebody else's is refused: the name is guessable. */
static bool
is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

static bool
make_line(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;
	bool good = pthread_mutexattr_init(&a) == 0;

	if (!good)
		return false;
	good = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED) == 0 &&
	    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(m, &a) == 0;
	pthread_mutexattr_destroy(&a);
	return good;
}

enum err
shm_open_segment(const char *name, bool create, struct shm **ret)
{
	SCOPED_FD fd = -1;
	struct shm *m;

	if (create)
		(void)shm_unlink(name);         /* one left by a crash; absent is the usual case */
	fd = shm_open(name, O_RDWR | (create ? O_CREAT | O_EXCL : 0), 0600);
	if (fd < 0)
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	if (!is_ours(fd) || (create && ftruncate(fd, sizeof(*m)) != 0))
		return ERR_IO;
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return ERR_IO;
	if (create) {
		if (!make_line(&m->writers) || !make_line(&m->argon) || !make_line(&m->argon_next)) {
			munmap(m, sizeof(*m));
			return ERR_IO;
		}
		random_bytes(m->boot_key, sizeof(m->boot_key));
		atomic_store(&m->started_ms, clock_ms());
		atomic_store(&m->version, SHM_VERSION);
	} else if (atomic_load(&m->version) != SHM_VERSION) {
		munmap(m, sizeof(*m));
		return ERR_IO;
	}
	shm = *ret = m;
	return ERR_OK;
}

void
shm_digest_set(struct shm_digest *d, const uint8_t sum[32])
{
	uint64_t word[4];

	atomic_store(&d->known, 0);
	if (sum == NULL)
		return;
	memcpy(word, sum, sizeof(word));
	for (int i = 0; i < 4; i++)
		atomic_store(&d->word[i], word[i]);
	atomic_store(&d->known, 1);
}

bool
shm_digest_get(const struct shm_digest *d, char ret[static 65])
{
	uint64_t word[4];

	if (atomic_load(&d->known) == 0)
		return false;
	for (int i = 0; i < 4; i++)
		word[i] = atomic_load(&d->word[i]);
	hex_of(word, sizeof(word), ret);
	return atomic_load(&d->known) != 0;
}

void
shm_remove(const char *name)
{
	(void)shm_unlink(name);                 /* absent is as good as removed */
}
