/*
 * Fuzz: the vault's file, its key's, and a life of changes. The first byte says which:
 *	0 the rest is the file; 1 what is sealed in it; 2 the key's file; 3 a key, in each way that keys are written;
 *	4 changes, one after another, against a table that knows what should be there.
 * What cannot be opened is left as it was.
 * sources: lib/base/*.c lib/svc/vault.c lib/svc/vault_key.c
 */
#include <nettle/base64.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/secret.h"
#include "lib/base/util.h"
#include "lib/svc/vault.h"
#include "t/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* As lib/svc/vault.h says; the least memory and passes, so that it is quick. */
enum { HEAD = 60, AT_SALT = 16, AT_FITS = 32, AT_NONCE = 48, MEMORY_KIB = 8, NAMES = 6 };

static const uint8_t master[32] = "0123456789abcdefghijklmnopqrstu";
static const char key_text[] = "303132333435363738396162636465666768696a6b6c6d6e6f70717273747500\n";

static void
file(const char *name, const void *bytes, size_t n)
{
	unlink(place_of(name));         /* a new inode: the vault sees that it is another file */
	place_put(name, bytes, n);
}

static void
sealed(const uint8_t *text, size_t n)
{
	uint8_t *p = calloc(1, HEAD + n + SEAL_TAG), both[64], sum[32];

	MUST(p != NULL);
	memcpy(p, "LFVAULT1", 8);
	p[8] = MEMORY_KIB;
	p[12] = 1;
	memset(p + AT_SALT, 's', 16);
	MUST(argon2_stretch(master, 32, p + AT_SALT, MEMORY_KIB, 1, both, 64));
	sha256(both + 32, 32, sum);
	memcpy(p + AT_FITS, sum, 16);
	seal(both, p + AT_NONCE, p, HEAD, text, n, p + HEAD);
	file("vault.enc", p, HEAD + n + SEAL_TAG);
	free(p);
}

static enum err
list(struct ctx *c)
{
	struct vault_names v;
	enum err e = vault_list(c, &v);

	MUST(e == ERR_OK || (c->fault.msg != NULL && c->fault.msg[0] != '\0'));
	for (size_t i = 0; e == ERR_OK && i < v.n; i++) {
		char *s = NULL;

		(void)vault_get(c, v.name[i], &s);
	}
	return e;
}

static void
any_file(struct ctx *c, const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n + 1);
	char *s = NULL;

	MUST(copy != NULL);
	memcpy(copy, data, n);
	if (n >= 16) {                  /* stays quick */
		memset(copy + 9, 0, 3);
		memset(copy + 13, 0, 3);
		copy[12] %= 3;
	}
	file("vault.enc", copy, n);
	if (list(c) != ERR_OK)
		MUST(vault_set(c, "A", "x") != ERR_OK && vault_get(c, "A", &s) != ERR_OK && vault_rotate(c) != ERR_OK && vault_init(c) != ERR_OK &&
		    place_holds("vault.enc", copy, n));
	free(copy);
}

static void
any_key(struct ctx *c, const uint8_t *data, size_t n)
{
	sealed((const uint8_t *)"A=x\n", 4);
	file("vault.key", data, n);
	(void)list(c);
	MUST(place_holds("vault.key", data, n));
}

/* In hex, in base64 of both alphabets, with and without its sign at the end, blanks around. */
static void
each_way(struct ctx *c, const uint8_t *data, size_t n)
{
	char text[5][80] = { "", "", "", "", "" };
	uint8_t key[32] = { 0 }, *p;
	SCOPED_BUF b = BUF_INIT(4096);

	memcpy(key, data, n < 32 ? n : 32);
	hex_of(key, 32, text[0]);
	base64_encode_raw(text[1], 32, key);
	snprintf(text[2], sizeof(text[2]), " \t%.43s\r\n", text[1]);
	for (size_t i = 0; text[1][i] != '\0'; i++)
		text[3][i] = text[1][i] == '+' ? '-' : text[1][i] == '/' ? '_' : text[1][i];
	for (size_t i = 0; text[0][i] != '\0'; i++)
		text[4][i] = text[0][i] >= 'a' ? (char)(text[0][i] - 32) : text[0][i];
	sealed((const uint8_t *)"A=x\n", 4);
	MUST(buf_read_file(&b, place_of("vault.enc")) == ERR_OK);
	p = (uint8_t *)b.p;
	{
		uint8_t both[64], sum[32];

		MUST(argon2_stretch(key, 32, p + AT_SALT, MEMORY_KIB, 1, both, 64));
		sha256(both + 32, 32, sum);
		memcpy(p + AT_FITS, sum, 16);
		seal(both, p + AT_NONCE, p, HEAD, "A=x\n", 4, p + HEAD);
	}
	for (int i = 0; i < 5; i++) {
		char *s = NULL;

		file("vault.enc", b.p, b.len);
		file("vault.key", text[i], strlen(text[i]));
		MUST(vault_get(c, "A", &s) == ERR_OK && strcmp(s, "x") == 0);
	}
}

/* "which, value's length, value": a length of 0 takes it away. */
static void
changes(struct ctx *c, const uint8_t *p, size_t n)
{
	static const char *const names[NAMES] = { "A", "AB", "B", "A.b", "_", "a" };
	const char *want[NAMES] = { NULL };
	size_t there = 0, k;

	sealed((const uint8_t *)"", 0);
	for (; n >= 2; p += 2 + k, n -= 2 + k) {
		size_t i = p[0] % NAMES;
		char *value;

		k = p[1] < n - 2 ? p[1] : n - 2;
		value = ctx_strndup(c, (const char *)p + 2, k);
		if (k == 0) {
			MUST(vault_remove(c, names[i]) == (want[i] != NULL ? ERR_OK : ERR_NOT_FOUND));
			want[i] = NULL;
		} else if (vault_set(c, names[i], value) == ERR_OK) {
			MUST(value[0] != '\0' && strpbrk(value, "\r\n") == NULL);
			want[i] = value;
		} else {
			MUST(value[0] == '\0' || strpbrk(value, "\r\n") != NULL);
		}
	}
	for (size_t i = 0; i < NAMES; i++) {
		struct vault_names v;
		char *s = NULL;

		there += want[i] != NULL;
		MUST(vault_get(c, names[i], &s) == (want[i] != NULL ? ERR_OK : ERR_NOT_FOUND));
		MUST(want[i] == NULL || strcmp(s, want[i]) == 0);
		MUST(vault_list(c, &v) == ERR_OK && (i + 1 < NAMES || v.n == there));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct ctx c = { .arena = arena_new(4096) };

	if (place[0] == '\0') {
		place_begin();
		clearenv();
		vault_at(place);
	}
	file("vault.key", key_text, sizeof(key_text) - 1);
	switch (n > 0 ? data[0] % 5 : -1) {
	case 0:
		any_file(&c, data + 1, n - 1);
		break;
	case 1:
		sealed(data + 1, n - 1);
		MUST(list(&c) == ERR_OK);
		break;
	case 2:
		any_key(&c, data + 1, n - 1);
		break;
	case 3:
		each_way(&c, data + 1, n - 1);
		break;
	case 4:
		changes(&c, data + 1, n - 1);
		break;
	}
	arena_free(c.arena);
	return 0;
}
