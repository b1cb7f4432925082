/*
 * The vault's master key: where it is looked for, and how it is written.
 */
#include "lib/svc/vault_key.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/file.h"
#include "lib/base/util.h"

static char home[4096];

void
vault_at(const char *dir)
{
	snprintf(home, sizeof(home), "%s", dir);
}

const char *
vault_home(void)
{
	return home;
}

void
vault_path(const char *name, char out[static 4352])
{
	snprintf(out, 4352, "%s/%s", home, name);
}

enum err
vault_locked(struct ctx *c, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	(void)fail_code(c, ERR_CONFLICT, "vault_locked", "The vault is locked: %s", why);
	c->fault.status = 423;
	return ERR_CONFLICT;
}

enum err
vault_no_io(struct ctx *c, const char *what)
{
	return fail_code(c, ERR_INTERNAL, "vault_io", "%s: %s", what, strerror(errno));
}

static enum err
unread(struct ctx *c, const char *name)
{
	return fail_code(c, ERR_INTERNAL, "vault_io", "%s cannot be read: %s", name, strerror(errno));
}

static int
digit64(char ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch - 'A' : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26 :
	    ch >= '0' && ch <= '9' ? ch - '0' + 52 : ch == '+' || ch == '-' ? 62 : ch == '/' || ch == '_' ? 63 : -1;
}

/* 64 hex digits, or 43 or 44 characters of base64 (RFC 4648, either alphabet). */
static bool
master_of(const char *s, size_t n, uint8_t out[static MASTER])
{
	uint32_t bits = 0, have = 0, k = 0;
	char hex[65];

	while (n > 0 && isspace((unsigned char)*s))
		s++, n--;
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		n--;
	if (n == 64) {
		bool good;

		memcpy(hex, s, 64);
		hex[64] = '\0';
		good = hex_to(hex, out, MASTER);
		zero_bytes(hex, sizeof(hex));
		return good;
	}
	if (n == 44 && s[43] == '=')
		n = 43;
	if (n != 43)
		return false;
	for (size_t i = 0; i < n; i++) {
		int d = digit64(s[i]);

		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8 && k < MASTER) {
			have -= 8;
			out[k++] = (uint8_t)(bits >> have);
		}
	}
	zero_bytes(&bits, sizeof(bits));
	return k == MASTER;
}

/* NOT_FOUND: no such file. */
static enum err
master_file(struct ctx *c, const char *path, bool strict, uint8_t out[static MASTER])
{
	struct buf b = BUF_INIT(4096);
	const char *name = strrchr(path, '/') + 1;
	struct stat st;
	enum err e;

	if (stat(path, &st) != 0)
		return errno == ENOENT ? ERR_NOT_FOUND : unread(c, name);
	if (strict && ((st.st_mode & 077) != 0 || (st.st_uid != geteuid() && st.st_uid != 0)))
		return vault_locked(c, "vault.key can be read by others: its mode must be 0600");
	e = buf_read_file(&b, path);
	if (e == ERR_NOMEM)
		e = fail(c, e, "out of memory");
	else if (e == ERR_IO)
		e = unread(c, name);
	else if (e == ERR_TOO_LARGE || (e == ERR_OK && (b.p == NULL || !master_of(b.p, b.len, out))))
		e = vault_locked(c, "%s holds no key of 32 bytes (base64 or 64 hex digits)", name);
	buf_zero_done(&b);
	return e;
}

const char *
vault_key_from(void)
{
	const char *s = getenv("LIBREFANG_VAULT_KEY"), *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[4352];

	if (s != NULL && *s != '\0')
		return "environment";
	if (dir != NULL && strlen(dir) < 4096) {
		snprintf(path, sizeof(path), "%s/librefang-vault-key", dir);
		if (access(path, F_OK) == 0)
			return "credential";
	}
	vault_path("vault.key", path);
	return access(path, F_OK) == 0 ? "file" : "none";
}

enum err
vault_master(struct ctx *c, const char *file, uint8_t out[static MASTER])
{
	const char *from = vault_key_from(), *s = getenv("LIBREFANG_VAULT_KEY");
	char path[4352];

	if (strcmp(from, "environment") == 0)
		return master_of(s, strlen(s), out) ? ERR_OK :
		    vault_locked(c, "LIBREFANG_VAULT_KEY is no key of 32 bytes (base64 or 64 hex digits)");
	if (strcmp(from, "credential") == 0) {
		snprintf(path, sizeof(path), "%s/librefang-vault-key", getenv("CREDENTIALS_DIRECTORY"));
		return master_file(c, path, false, out);
	}
	vault_path(file, path);
	return master_file(c, path, true, out);
}

enum err
vault_master_new(struct ctx *c, const char *file)
{
	uint8_t bytes[MASTER];
	char text[2 * MASTER + 2], path[4352];
	enum err e;

	random_bytes(bytes, sizeof(bytes));
	hex_of(bytes, sizeof(bytes), text);
	text[2 * MASTER] = '\n';
	vault_path(file, path);
	e = file_keep(path, text, 2 * MASTER + 1, 0600);
	zero_bytes(bytes, sizeof(bytes));
	zero_bytes(text, sizeof(text));
	return e == ERR_OK ? e : vault_no_io(c, "vault.key cannot be written");
}
