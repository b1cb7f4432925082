/* What counts as a secret or as personal data, and what does not. */
#include "lib/agent/taint.h"
#include "t/tap.h"

static void
finds(const char *s, const char *want)
{
	is_str(taint_find(s, strlen(s), TAINT_SECRET | TAINT_PII), want, "%s: %s", want != NULL ? want : "harmless", s);
}

static void
url(const char *s, const char *want)
{
	is_str(taint_url(s, TAINT_SECRET | TAINT_PII), want, "%s: %s", want != NULL ? want : "harmless", s);
}

int
main(void)
{
	finds("Authorization: Basic x", "authorization_literal");
	finds("the password=hunter2 is", "key_value_secret");
	finds("{\"api_key\": \"abcd1234\"}", "key_value_secret");
	finds("token : abcdef", "key_value_secret");
	finds("my token is lost, and the secret of it", NULL);
	finds("password: ", NULL);
	finds("sk-abcdefghijklmnop", "well_known_prefix");
	finds("use ghp_0123456789abcdefghij now", "well_known_prefix");
	finds("AKIAIOSFODNN7EXAMPLE", "well_known_prefix");
	finds("task-list and risk-abcdefghijklmnopq", NULL);
	finds("Zx81kQpm29dkfjW0aa9sLLq7Pz3vTT6b", "opaque_token");
	finds("0123456789abcdef0123456789abcdef0123456789abcdef", NULL);
	finds("abcdefghijklmnopqrstuvwxyzabcdefghijkl", NULL);
	finds("report-2026-01-02-final-version-number-7z", NULL);
	finds("a/very/long/path/of/directories/number1/x", NULL);
	finds("an ordinary sentence that is long enough to hold 32 characters", NULL);
	finds("write to ada@example.org please", "pii_email");
	finds("user@host and @name and a@b", NULL);
	finds("call +49 170 1234567", "pii_phone");
	finds("card 4111 1111 1111 1111", "pii_credit_card");
	finds("number 4111 1111 1111 1112", NULL);
	finds("ssn 123-45-6789", "pii_ssn");
	finds("in 2026-01-02 there were 1234567 of 10,000,000", NULL);
	finds("", NULL);
	is_str(taint_find("a@b.org", 7, TAINT_SECRET), NULL, "only what is asked for is looked at");
	url("https://e.org/?q=weather+in+berlin&lang=de", NULL);
	url("https://e.org/?api_key=1", "sensitive_key_name");
	url("https://e.org/?API%5FKEY=1", "sensitive_key_name");
	url("https://e.org/?q=sk%2Dabcdefghijklmnopqrst", "well_known_prefix");
	url("https://e.org/?q=ada%40example.org", "pii_email");
	url("https://e.org/?x=1&t=Zx81kQpm29dkfjW0aa9sLLq7Pz3vTT6b", "opaque_token");
	url("https://e.org/token=x", NULL);
	url("https://e.org/?%", NULL);
	url("https://e.org/?=&&=#?", NULL);
	ok(taint_header("Authorization") && taint_header("COOKIE") && !taint_header("Accept"), "headers that carry credentials");
	return done();
}
