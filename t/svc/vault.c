/* Secrets come back as they were kept; whatever is wrong with key or file, nothing is overwritten. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "t/svc/home.h"

#include "lib/base/arena.h"
#include "lib/base/file.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/svc/vault.h"

static struct home h;
static struct ctx c;

static char *
path(const char *name)
{
	static char p[5000];

	snprintf(p, sizeof(p), "%s/%s", h.p.home, name);
	return p;
}

static void
job(void)
{
	arena_reset(c.arena);
	c.fault = (struct fault){ 0 };
}

static const char *
get(const char *name)
{
	char *s = NULL;

	job();
	return vault_get(&c, name, &s) == ERR_OK ? s : NULL;
}

static struct buf
slurp(const char *name)
{
	struct buf b = BUF_INIT(1 << 20);

	if (buf_read_file(&b, path(name)) != ERR_OK)
		abort();
	return b;
}

static void
spit(const char *name, const struct buf *b, size_t n)
{
	if (file_replace(path(name), b->p, n, 0600) != ERR_OK)
		abort();
}

static void
life(void)
{
	struct vault_names names;
	struct stat st;
	struct buf b;

	ok(vault_list(&c, &names) == ERR_OK && !names.exists && strcmp(names.key_from, "none") == 0, "there is none at first");
	ok(get("A_KEY") == NULL && c.fault.err == ERR_NOT_FOUND, "so nothing is in it");
	ok(access(path("vault.enc"), F_OK) != 0, "and looking makes none");
	job();
	ok(vault_set(&c, "A_KEY", "sk-canary-1") == ERR_OK, "a secret makes it");
	is_str(get("A_KEY"), "sk-canary-1", "and is told to the daemon");
	ok(vault_init(&c) == ERR_CONFLICT && strcmp(c.fault.code, "vault_exists") == 0, "a second one is refused");
	ok(stat(path("vault.enc"), &st) == 0 && (st.st_mode & 0777) == 0600 && stat(path("vault.key"), &st) == 0 &&
	    (st.st_mode & 0777) == 0600, "only the owner may read file and key");
	b = slurp("vault.enc");
	ok(memmem(b.p, b.len, "canary", 6) == NULL && memmem(b.p, b.len, "A_KEY", 5) == NULL, "neither name nor secret stands in it");
	buf_done(&b);
	ok(vault_set(&c, "B", "two = 2") == ERR_OK && vault_set(&c, "A_KEY", "sk-canary-longer-than-before") == ERR_OK, "more, and another value");
	is_str(get("A_KEY"), "sk-canary-longer-than-before", "the newest counts");
	is_str(get("B"), "two = 2", "the other stays");
	job();
	ok(vault_list(&c, &names) == ERR_OK && names.n == 2 && strcmp(names.name[0], "A_KEY") == 0, "names are listed");
	ok(vault_remove(&c, "A_KEY") == ERR_OK && get("A_KEY") == NULL && get("B") != NULL, "one is removed");
	ok(vault_remove(&c, "A_KEY") == ERR_NOT_FOUND, "once");
	ok(vault_set(&c, "1x", "v") == ERR_BAD_REQUEST && vault_set(&c, "a=b", "v") == ERR_BAD_REQUEST && vault_set(&c, "", "v") == ERR_BAD_REQUEST, "names that are none");
	ok(vault_set(&c, "x", "") == ERR_BAD_REQUEST && vault_set(&c, "x", "a\nB=c") == ERR_BAD_REQUEST, "secrets that are none");
}

/* A file with that in it: the error, and the file as it was. */
static void
refuses(const struct buf *good, size_t n, const char *code, const char *what)
{
	struct buf now;

	spit("vault.enc", good, n);
	bool none = get("B") == NULL;   /* first: it empties the arena in which the last fault's words lie */

	ok(none && c.fault.code != NULL && strcmp(c.fault.code, code) == 0, "%s: %s", what, c.fault.msg);
	ok(vault_set(&c, "NEW", "x") != ERR_OK && vault_remove(&c, "B") != ERR_OK && vault_rotate(&c) != ERR_OK &&
	    vault_init(&c) != ERR_OK, "... nothing is written then");
	now = slurp("vault.enc");
	ok(now.len == n && (n == 0 || memcmp(now.p, good->p, n) == 0), "... and the file is as it was");
	buf_done(&now);
}

static void
broken(void)
{
	struct buf good = slurp("vault.enc"), key = slurp("vault.key"), bad = BUF_INIT(1 << 20);
	static const size_t cuts[] = { 0, 1, 8, 40, 59, 60, 75 };
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		refuses(&good, cuts[i], "vault_crypto", "cut short");
	refuses(&good, good.len - 1, "vault_crypto", "cut by a byte");
	for (size_t i = 0; i < good.len; i += i < 24 ? 4 : 9) {         /* any byte */
		buf_clear(&bad);
		buf_add(&bad, good.p, good.len);
		bad.p[i] ^= 1;
		spit("vault.enc", &bad, bad.len);
		wrong += get("B") != NULL;
	}
	is_int(wrong, 0, "no changed byte goes unseen");
	spit("vault.enc", &good, good.len);
	is_str(get("B"), "two = 2", "the good one is read again");
	setenv("LIBREFANG_VAULT_KEY", "0000000000000000000000000000000000000000000000000000000000000000", 1);
	refuses(&good, good.len, "vault_locked", "another key");
	setenv("LIBREFANG_VAULT_KEY", "short", 1);
	refuses(&good, good.len, "vault_locked", "no key");
	unsetenv("LIBREFANG_VAULT_KEY");
	unlink(path("vault.key"));
	refuses(&good, good.len, "vault_locked", "the key is gone");
	ok(access(path("vault.key"), F_OK) != 0, "no new key is made over an old vault");
	spit("vault.key", &key, key.len);
	chmod(path("vault.key"), 0644);
	refuses(&good, good.len, "vault_locked", "a key that others can read");
	chmod(path("vault.key"), 0600);
	is_str(get("B"), "two = 2", "with its key it opens");
	buf_done(&good);
	buf_done(&key);
	buf_done(&bad);
}

static void
rotation(void)
{
	struct buf old = slurp("vault.key"), new, sealed;

	ok(vault_rotate(&c) == ERR_OK, "a new key");
	new = slurp("vault.key");
	ok(new.len == old.len && memcmp(new.p, old.p, old.len) != 0, "is another one");
	is_str(get("B"), "two = 2", "and opens the same");
	ok(access(path("vault.key.new"), F_OK) != 0, "nothing of it stays");
	/* killed after the file and before the key took its name */
	sealed = slurp("vault.enc");
	spit("vault.key.new", &new, new.len);
	spit("vault.key", &old, old.len);
	spit("vault.enc", &sealed, sealed.len);
	is_str(get("B"), "two = 2", "an interrupted rotation is finished");
	buf_done(&old);
	old = slurp("vault.key");
	ok(memcmp(new.p, old.p, old.len) == 0 && access(path("vault.key.new"), F_OK) != 0, "its key is the key now");
	buf_done(&old);
	buf_done(&new);
	buf_done(&sealed);
}

static void
environment(void)
{
	char hex[2 * 32 + 2] = "";
	struct buf key = slurp("vault.key");

	memcpy(hex, key.p, 64);
	setenv("LIBREFANG_VAULT_KEY", hex, 1);
	unlink(path("vault.key"));
	is_str(get("B"), "two = 2", "the key may come from the environment");
	ok(vault_rotate(&c) == ERR_CONFLICT, "and cannot be rotated then");
	unsetenv("LIBREFANG_VAULT_KEY");
	home_write(&h, "librefang-vault-key", hex);
	setenv("CREDENTIALS_DIRECTORY", h.p.home, 1);
	is_str(get("B"), "two = 2", "or be systemd's credential");
	unsetenv("CREDENTIALS_DIRECTORY");
	unlink(path("librefang-vault-key"));
	unlink(path("vault.enc"));
	setenv("LIBREFANG_VAULT_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1);
	ok(vault_set(&c, "X", "y") == ERR_OK, "base64 as well");
	setenv("LIBREFANG_VAULT_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1);
	home_write(&h, "again", "");
	unlink(path("again"));
	is_str(get("X"), "y", "the same 32 bytes");
	ok(access(path("vault.key"), F_OK) != 0, "no key file is made then");
	unsetenv("LIBREFANG_VAULT_KEY");
	buf_zero_done(&key);
}

/* Of many writers that are killed, each leaves a vault that opens, with the last that was acknowledged. */
static void
killed(void)
{
	unsigned whole = 0;

	setenv("LIBREFANG_VAULT_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 1);
	ok(vault_set(&c, "X", "first") == ERR_OK, "there is one");
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (unsigned n = 0;; n++) {
				char v[32];

				snprintf(v, sizeof(v), "%u", n);
				if (vault_set(&c, "X", v) != ERR_OK)
					_exit(1);
			}
		usleep(60000 + (useconds_t)i * 3700);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		whole += get("X") != NULL;
	}
	is_int(whole, 10, "a writer that is killed leaves a whole vault");
	unsetenv("LIBREFANG_VAULT_KEY");
}

static bool
dumped(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool here = false, out = true;
	unsigned long from, to;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			out = strstr(line, " dd") == NULL;
	}
	if (f != NULL)
		fclose(f);
	return out;
}

static void
memory(void)
{
	char *p = secret_alloc(100);

	ok(p != NULL && !dumped(p), "secret memory goes into no core");
	secret_free(p);
	setenv("SOME_KEY", "value", 1);
	secret_process();
	is_str(getenv("SOME_KEY"), "value", "variables can still be read");
#ifndef __SANITIZE_ADDRESS__
	is_int(prctl(PR_GET_DUMPABLE), 0, "and the process leaves no core");
#endif
}

int
main(void)
{
	home_new(&h);
	c.arena = arena_new(4096);
	vault_at(h.p.home);
	life();
	broken();
	rotation();
	environment();
	killed();
	memory();
	arena_free(c.arena);
	home_done(&h);
	return done();
}
