/* Clock, random bytes, UUIDs, hashes, log quoting, percent escapes, directories. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "t/tap.h"

static void
test_time(void)
{
	static const struct { int64_t ms; const char *text; } all[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 1767323045678, "2026-01-02T03:04:05.678Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
	};
	char out[25];
	int64_t a = clock_mono_us(), b = clock_mono_us();

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		time_rfc3339(all[i].ms, out);
		is_str(out, all[i].text, "time %zu is told as RFC 3339", i);
	}
	time_rfc3339(INT64_MAX, out);
	time_rfc3339(INT64_MIN, out);
	ok(strlen(out) == 24, "even a senseless time fits");
	ok(b >= a && a > 0, "the monotonic clock does not go back");
	ok(clock_ms() > 1600000000000, "the other clock tells the date");
}

static void
test_uuid(void)
{
	char a[37], b[37];

	uuid4(a);
	uuid4(b);
	ok(strlen(a) == 36 && a[14] == '4' && strchr("89ab", a[19]) != NULL, "a new UUID is of version 4");
	ok(strcmp(a, b) != 0, "two are never alike");
	ok(uuid_parse("6BA7B810-9DAD-11D1-80B4-00C04FD430C8", a), "capitals are understood");
	is_str(a, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "and made small");
	ok(uuid_parse("6ba7b8109dad11d180b400c04fd430c8", b), "a UUID may lack its dashes");
	is_str(b, a, "and means the same");
	ok(!uuid_parse("", b) && !uuid_parse("x", b), "a short text is none");
	ok(!uuid_parse("6ba7b810-9dad-11d1-80b4-00c04fd430c", b), "nor is one with a digit too few");
	ok(!uuid_parse("6ba7b810-9dad-11d1-80b4-00c04fd430c88", b), "nor one with a digit too many");
	ok(!uuid_parse("6ba7b810-9dad-11d1-80b4-00c04fd430g8", b), "nor one with another letter");
	ok(!uuid_parse("6ba7b8109dad-11d1-80b4-00c04fd430c8", b), "nor one that lacks a dash");
	ok(!uuid_parse("6ba7b810----9dad11d180b400c04fd430c8", b), "nor one with its dashes in a heap");
	ok(!uuid_parse("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", b), "nor one in braces");
	ok(uuid_from_hex("00000000000000000000000000000000", b), "32 digits become a request id");
	is_str(b, "00000000-0000-4000-8000-000000000000", "with version and variant put in");
	ok(!uuid_from_hex("0000", b), "fewer digits do not");
	uuid5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "www.example.com", 15, b);
	is_str(b, "2ed6657d-e927-568b-95e1-2665a8aea6a2", "a name gives the UUID that RFC 9562 says");
}

static void
test_fork(void)
{
	char mine[37], theirs[37] = "";
	int p[2], status = 1;
	pid_t pid;

	uuid4(mine);                            /* fills the reserve that a child would share */
	if (pipe(p) != 0)
		return;
	pid = fork();
	if (pid == 0) {
		uuid4(mine);
		_exit(write(p[1], mine, 37) == 37 ? 0 : 1);
	}
	uuid4(mine);
	ok(read(p[0], theirs, 37) == 37 && waitpid(pid, &status, 0) == pid && status == 0, "a child makes a UUID");
	ok(strcmp(mine, theirs) != 0, "that is not its parent's next one");
	close(p[0]);
	close(p[1]);
}

static void
test_hashes(void)
{
	uint8_t d[32], back[32];
	char hex[65], phc[200], big[300] = "", again[300] = "";

	sha256("abc", 3, d);
	hex_of(d, 32, hex);
	is_str(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "SHA-256 of abc");
	ok(hex_to(hex, back, 32) && same_bytes(d, back, 32), "hexadecimal digits go there and back");
	back[31] ^= 1;
	ok(!same_bytes(d, back, 32) && same_bytes(d, back, 31) && same_bytes(d, back, 0), "one other bit makes bytes differ");
	ok(!hex_to("abc", back, 2) && !hex_to("abcde", back, 2) && !hex_to("abxy", back, 2), "bad digits are refused");
	hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d);
	hex_of(d, 32, hex);
	is_str(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "HMAC as in RFC 4231");
	random_bytes(big, sizeof(big));
	random_bytes(again, sizeof(again));
	ok(memcmp(big, again, sizeof(big)) != 0, "random bytes differ");
	ok(argon2_make("secret", phc, sizeof(phc)), "a password is hashed");
	ok(strncmp(phc, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0, "with the parameters that are told");
	ok(argon2_ok(phc, "secret"), "and known again");
	ok(!argon2_ok(phc, "Secret") && !argon2_ok("$argon2id$rubbish", "secret") && !argon2_ok("", ""), "another one is not");
	ok(!argon2_make("secret", phc, 20), "a hash that does not fit is none");
}

static void
test_quote(void)
{
	char out[64], tiny[8];

	is_str(log_quote("a b", out, sizeof(out)), "\"a b\"", "a text is quoted");
	is_str(log_quote("a\"b\\c", out, sizeof(out)), "\"a\\\"b\\\\c\"", "its quotes are escaped");
	is_str(log_quote("x\nlevel=error\r\x1b[2J\x7f", out, sizeof(out)), "\"x\\x0alevel=error\\x0d\\x1b[2J\\x7f\"",
	    "no text makes a second line");
	is_str(log_quote(NULL, out, sizeof(out)), "\"\"", "an absent text is empty");
	is_str(log_quote("abcdefghijklmnop", tiny, sizeof(tiny)), "\"a\"", "a long one is cut");
	memset(out, '\n', sizeof(out) - 1);
	out[sizeof(out) - 1] = '\0';
	ok(strlen(log_quote(out, tiny, sizeof(tiny))) < sizeof(tiny), "also when each byte becomes four");
	ok(log_level_of("warn") == LOG_WARN && log_level_of("loud") == LOG_INFO && log_level_of(NULL) == LOG_INFO,
	    "a level has a name, an unknown one is info");
}

static void
test_pct(void)
{
	static const struct { const char *in, *out; size_t n; bool plus; } all[] = {
		{ "abc", "abc", 3, false }, { "a%2Fb%20c", "a/b c", 5, false }, { "a+b", "a+b", 3, false },
		{ "a+b", "a b", 3, true }, { "%00x", "", 2, false }, { "%e2%82%ac", "\xE2\x82\xAC", 3, false },
		{ "", "", 0, false }, { "%2525", "%25", 3, false },
	};
	static const char *const bad[] = { "%", "a%2", "%zz", "%2", "%%20", "% 0", "%+1" };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char s[32];
		size_t n = strlen(all[i].in);

		memcpy(s, all[i].in, n + 1);
		ok(pct_decode(s, &n, all[i].plus) && n == all[i].n && strcmp(s, all[i].out) == 0,
		    "'%s' is decoded once", all[i].in);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char s[32];
		size_t n = strlen(bad[i]);

		memcpy(s, bad[i], n + 1);
		ok(!pct_decode(s, &n, true), "'%s' is no escape", bad[i]);
	}
}

static void
test_dirs(void)
{
	char dir[] = "/tmp/lf-dir-XXXXXX", path[64];
	struct stat st = { 0 };

	if (mkdtemp(dir) == NULL)
		return;
	snprintf(path, sizeof(path), "%s/a/b", dir);
	ok(dir_make(path, 0700) && stat(path, &st) == 0 && S_ISDIR(st.st_mode), "directories are made on the way");
	ok(dir_make(path, 0700), "and may be there already");
	ok(!dir_make("", 0700) && !dir_make("/dev/null/x", 0700) && !dir_make("/dev/null", 0700), "what can be none is refused");
	rmdir(path);
	snprintf(path, sizeof(path), "%s/a", dir);
	rmdir(path);
	rmdir(dir);
	ok(has_substr_ci("Hello World", "o wOR") && !has_substr_ci("Hello", "x") && has_substr_ci("x", ""),
	    "a search does not mind letter case");
}

int
main(void)
{
	test_time();
	test_uuid();
	test_fork();
	test_hashes();
	test_quote();
	test_pct();
	test_dirs();
	return done();
}
