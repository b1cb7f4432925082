/* Forms: however their bytes are cut, the same parts come out. */
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/multipart.h"
#include "t/tap.h"

static struct buf seen = BUF_INIT(65536);

static bool
begin(void *arg, const char *name, const char *filename, const char *type)
{
	(void)arg;
	buf_printf(&seen, "<%s|%s|%s>", name, filename != NULL ? filename : "-", type != NULL ? type : "-");
	return true;
}

static bool
data(void *arg, const char *p, size_t n)
{
	(void)arg;
	buf_add(&seen, p, n);
	return true;
}

static const struct multipart_sink sink = { NULL, begin, data };

/* In pieces of that size; "" when it is malformed. */
static const char *
parsed(const char *form, size_t n, size_t step, bool *done_)
{
	struct multipart m;
	enum err e = ERR_OK;

	buf_clear(&seen);
	multipart_init(&m, "XyZ", &sink);
	for (size_t i = 0; e == ERR_OK && i < n; i += step)
		e = multipart_feed(&m, form + i, n - i < step ? n - i : step);
	*done_ = multipart_done(&m);
	return e == ERR_OK ? seen.p != NULL ? seen.p : "" : "malformed";
}

static void
same(const char *form, const char *want, bool whole, const char *about)
{
	bool got, good = true;

	for (size_t step = 1; step <= strlen(form); step++)
		good = good && strcmp(parsed(form, strlen(form), step, &got), want) == 0 && got == whole;
	is_str(parsed(form, strlen(form), strlen(form), &got), want, "%s", about);
	ok(good, "and so in pieces of every size");
}

static void
boundary(const char *type, const char *want)
{
	char b[MULTIPART_BOUNDARY_MAX + 1];

	is_str(multipart_boundary(type, b) ? b : NULL, want, "the boundary of %s", type);
}

int
main(void)
{
	same("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--XyZ\r\ncontent-type: text/x\r\n"
	    "Content-disposition: form-data; filename=\"q\\\"r;s\"; name=b\r\n\r\n\r\n--XyZ--\r\nafter",
	    "<a|-|->one<b|q\"r;s|text/x>", true, "two parts");
	same("before\r\n--XyZ \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\r\n\r\n-\r\n--XyX\r\n--\r\n--XyZ--",
	    "<a|-|->\r\r\n\r\n-\r\n--XyX\r\n--", true, "what begins like a boundary is data");
	same("--XyZ--", "", true, "no part at all");
	same("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nbroken off", "<a|-|->broken off", false, "one that ends too soon");
	same("--XyZ\r\nX: y\r\n\r\n", "malformed", false, "a part without a name");
	same("--XyZ\r\n\r\n", "malformed", false, "a part without a head");
	same("--XyZ?", "malformed", false, "something behind a boundary");
	same("--XyZ\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n", "malformed", false, "another disposition");
	boundary("multipart/form-data; boundary=abc", "abc");
	boundary("Multipart/Form-Data; charset=\"a;boundary=x\"; boundary=\"a b\"", "a b");
	boundary("multipart/form-data", NULL);
	boundary("multipart/form-data; boundary=", NULL);
	boundary("multipart/form-data; boundary=\"a<\"", NULL);
	boundary("multipart/form-data; boundary=\"abc ", NULL);
	boundary("multipart/mixed; boundary=abc", NULL);
	boundary("multipart/form-data; boundary=12345678901234567890123456789012345678901234567890123456789012345678901", NULL);
	buf_done(&seen);
	return done();
}
