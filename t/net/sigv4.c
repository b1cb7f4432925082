/* AWS's published test vectors for Signature Version 4. */
#include <string.h>

#include "lib/net/sigv4.h"
#include "t/tap.h"

#define STS "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4" \
    "IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4" \
    "rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static const struct vector {
	const char *name, *method, *path, *query, *headers[4], *body, *token, *signed_names, *signature;
} vectors[] = {
	{ "get-vanilla", "GET", "/", NULL, { NULL }, "", NULL, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ "post-vanilla", "POST", "/", NULL, { NULL }, "", NULL, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ "get-header-key-duplicate", "GET", "/", NULL, { "My-Header1:value2,value2,value1" }, "", NULL, "host;my-header1;x-amz-date",
	    "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ "get-header-value-order", "GET", "/", NULL, { "My-Header1:value4,value1,value3,value2" }, "", NULL, "host;my-header1;x-amz-date",
	    "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
	{ "get-header-value-trim", "GET", "/", NULL, { "My-Header1: value1", "My-Header2:  \"a   b   c\" " }, "", NULL, "host;my-header1;my-header2;x-amz-date",
	    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ "get-unreserved", "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", NULL, { NULL }, "", NULL, "host;x-amz-date",
	    "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ "get-utf8", "GET", "/\xe1\x88\xb4", NULL, { NULL }, "", NULL, "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ "get-vanilla-empty-query-key", "GET", "/", "Param1=value1", { NULL }, "", NULL, "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
	{ "get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", { NULL }, "", NULL, "host;x-amz-date",
	    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ "get-vanilla-utf8-query", "GET", "/", "%E1%88%B4=bar", { NULL }, "", NULL, "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
	{ "post-header-key-sort", "POST", "/", NULL, { "My-Header1:value1" }, "", NULL, "host;my-header1;x-amz-date", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
	{ "post-header-value-case", "POST", "/", NULL, { "My-Header1:VALUE1" }, "", NULL, "host;my-header1;x-amz-date", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
	{ "post-vanilla-query", "POST", "/", "Param1=value1", { NULL }, "", NULL, "host;x-amz-date", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11" },
	{ "post-vanilla-query-space", "POST", "/", "p", { NULL }, "", NULL, "host;x-amz-date", "e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b" },
	{ "post-x-www-form-urlencoded", "POST", "/", NULL, { "Content-Type:application/x-www-form-urlencoded" }, "Param1=value1", NULL, "content-type;host;x-amz-date",
	    "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
	{ "post-x-www-form-urlencoded-parameters", "POST", "/", NULL, { "Content-Type:application/x-www-form-urlencoded; charset=utf8" }, "Param1=value1", NULL,
	    "content-type;host;x-amz-date", "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe" },
	{ "post-sts-header-before", "POST", "/", NULL, { NULL }, "", STS, "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
};

static void
judge(const struct vector *v)
{
	struct sigv4 s = { .method = v->method, .host = "example.amazonaws.com", .path = v->path, .query = v->query, .headers = v->headers,
	    .body = v->body, .body_bytes = strlen(v->body), .token = v->token, .key_id = "AKIDEXAMPLE",
	    .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", .region = "us-east-1", .service = "service", .now_ms = 1440938160000 };
	SCOPED_BUF auth = BUF_INIT(4096);
	char want[512], date[17];

	snprintf(want, sizeof(want), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=%s, Signature=%s",
	    v->signed_names, v->signature);
	is_int(sigv4_sign(&s, &auth, date), ERR_OK, "%s is signed", v->name);
	is_str(auth.p, want, "as AWS signs it");
	is_str(date, "20150830T123600Z", "at its time");
}

int
main(void)
{
	const char *const headers[] = { "Content-Type: application/x-www-form-urlencoded; charset=utf-8", NULL };
	struct sigv4 s = { .method = "GET", .host = "iam.amazonaws.com", .path = "/", .query = "Action=ListUsers&Version=2010-05-08", .headers = headers,
	    .key_id = "AKIDEXAMPLE", .secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", .region = "us-east-1", .service = "iam", .now_ms = 1440938160000 };
	SCOPED_BUF auth = BUF_INIT(4096);
	char date[17];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++)
		judge(&vectors[i]);
	is_int(sigv4_sign(&s, &auth, date), ERR_OK, "the example of the guide");
	ok(strstr(auth.p, "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7") != NULL, "has its signature");
	s.headers = (const char *const[]){ "no colon", NULL };
	is_int(sigv4_sign(&s, &auth, date), ERR_INVALID, "what is no header is refused");
	return done();
}
