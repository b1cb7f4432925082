/* TLS: a peer must prove who it is before anything is sent to it. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <time.h>

#include "lib/net/http.h"
#include "lib/net/resolve.h"
#include "t/net/httpd.h"
#include "t/tap.h"

/* --- authorities and certificates, made here ----------------------------- */

struct pair { gnutls_x509_privkey_t key; gnutls_x509_crt_t crt; };

static void
must(int rc)
{
	if (rc < 0) {
		printf("Bail out! %s\n", gnutls_strerror(rc));
		exit(1);
	}
}

/* by: NULL makes an authority. */
static void
make(struct pair *p, const struct pair *by, const char *name, long begins, long ends)
{
	static unsigned char serial;
	time_t now = time(NULL);

	must(gnutls_x509_privkey_init(&p->key));
	must(gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	must(gnutls_x509_crt_init(&p->crt));
	must(gnutls_x509_crt_set_version(p->crt, 3));
	serial++;
	must(gnutls_x509_crt_set_serial(p->crt, &serial, 1));
	must(gnutls_x509_crt_set_activation_time(p->crt, now + begins));
	must(gnutls_x509_crt_set_expiration_time(p->crt, now + ends));
	must(gnutls_x509_crt_set_key(p->crt, p->key));
	must(gnutls_x509_crt_set_dn_by_oid(p->crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name)));
	must(gnutls_x509_crt_set_basic_constraints(p->crt, by == NULL, -1));
	if (by == NULL) {
		must(gnutls_x509_crt_set_key_usage(p->crt, GNUTLS_KEY_KEY_CERT_SIGN));
	} else {
		must(gnutls_x509_crt_set_subject_alt_name(p->crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET));
		must(gnutls_x509_crt_set_key_purpose_oid(p->crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	}
	must(gnutls_x509_crt_sign2(p->crt, by ? by->crt : p->crt, by ? by->key : p->key, GNUTLS_DIG_SHA256, 0));
}

static void
unmake(struct pair *p)
{
	gnutls_x509_crt_deinit(p->crt);
	gnutls_x509_privkey_deinit(p->key);
}

/* --- a server that speaks TLS with one certificate ----------------------- */

struct tlsd {
	int fd;
	unsigned port, conns;
	_Atomic unsigned requests;
	pthread_t thread;
	gnutls_certificate_credentials_t cred;
};

static void
talk(struct tlsd *d, gnutls_session_t s)
{
	char t[4096];
	ssize_t n;

	while ((n = gnutls_record_recv(s, t, sizeof(t))) > 0) {
		static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";

		atomic_fetch_add(&d->requests, 1);
		gnutls_record_send(s, ok, sizeof(ok) - 1);
	}
}

static void *
serve(void *arg)
{
	struct tlsd *d = arg;
	int fd;

	while ((fd = accept(d->fd, NULL, NULL)) >= 0) {
		gnutls_session_t s;
		int rc;

		d->conns++;
		must(gnutls_init(&s, GNUTLS_SERVER | GNUTLS_NO_SIGNAL));
		must(gnutls_set_default_priority(s));
		must(gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, d->cred));
		gnutls_transport_set_int(s, fd);
		do
			rc = gnutls_handshake(s);
		while (rc < 0 && !gnutls_error_is_fatal(rc));
		if (rc == 0)
			talk(d, s);
		gnutls_deinit(s);
		close(fd);
	}
	return NULL;
}

static void
start(struct tlsd *d, struct pair *p)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	memset(d, 0, sizeof(*d));
	must(gnutls_certificate_allocate_credentials(&d->cred));
	must(gnutls_certificate_set_x509_key(d->cred, &p->crt, 1, p->key));
	d->fd = socket(AF_INET, SOCK_STREAM, 0);
	must(bind(d->fd, (struct sockaddr *)&a, n));
	must(listen(d->fd, 8));
	must(getsockname(d->fd, (struct sockaddr *)&a, &n));
	d->port = ntohs(a.sin_port);
	pthread_create(&d->thread, NULL, serve, d);
}

static void
stop(struct tlsd *d)
{
	shutdown(d->fd, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->fd);
	gnutls_certificate_free_credentials(d->cred);
}

/* ------------------------------------------------------------------------- */

static int
here(const char *host, struct addrs *a)
{
	(void)host;
	a->n = 1;
	snprintf(a->text[0], sizeof(a->text[0]), "127.0.0.1");
	return 0;
}

static void
refused(struct pair *p, const char *host, const char *what)
{
	struct tlsd d;
	struct http_answer a;
	char url[128];

	start(&d, p);
	snprintf(url, sizeof(url), "https://%s:%u/", host, d.port);
	is_int(http_do(&(struct http_call){ .url = url, .timeout_ms = 5000 }, &a), ERR_UPSTREAM, "%s is refused", what);
	ok(strstr(a.why, "certificate is not trusted") != NULL || strstr(a.why, "TLS") != NULL, "and the reason says so");
	buf_done(&a.body);
	stop(&d);
	is_int(atomic_load(&d.requests), 0, "before a request was sent");
}

static void
trusted(struct pair *p)
{
	struct tlsd d;
	struct http_answer a;
	char url[128];

	start(&d, p);
	snprintf(url, sizeof(url), "https://good.example:%u/", d.port);
	for (int i = 0; i < 3; i++) {
		is_int(http_do(&(struct http_call){ .url = url, .timeout_ms = 5000 }, &a), ERR_OK, "a trusted peer answers");
		is_str(a.body.p, "secret", "what was asked");
		buf_done(&a.body);
	}
	is_int(d.conns, 1, "on one connection");
	http_done();            /* closes the kept connection, so that the server ends */
	stop(&d);
}

int
main(void)
{
	char file[] = "/tmp/lf-tls-XXXXXX";
	struct pair ca, other, good, foreign, old, young;
	gnutls_datum_t pem;
	int fd = mkstemp(file);

	make(&ca, NULL, "Test authority", -3600, 86400);
	make(&other, NULL, "Another authority", -3600, 86400);
	make(&good, &ca, "good.example", -3600, 86400);
	make(&foreign, &other, "good.example", -3600, 86400);
	make(&old, &ca, "good.example", -7200, -3600);
	make(&young, &ca, "good.example", 3600, 7200);
	must(gnutls_x509_crt_export2(ca.crt, GNUTLS_X509_FMT_PEM, &pem));
	if (fd < 0 || write(fd, pem.data, pem.size) != (ssize_t)pem.size)
		return 1;
	close(fd);
	gnutls_free(pem.data);
	setenv("SSL_CERT_FILE", file, 1);

	resolve_with(here);
	trusted(&good);
	refused(&good, "bad.example", "a certificate for another name");
	refused(&good, "127.0.0.1", "a name's certificate for an address");
	refused(&foreign, "good.example", "an unknown authority's certificate");
	refused(&other, "good.example", "a certificate that signed itself");
	refused(&old, "good.example", "an expired certificate");
	refused(&young, "good.example", "a certificate of tomorrow");
	http_done();
	setenv("SSL_CERT_FILE", "/nonexistent", 1);
	refused(&good, "good.example", "without authorities everybody");
	http_done();
	unlink(file);
	unmake(&ca);
	unmake(&other);
	unmake(&good);
	unmake(&foreign);
	unmake(&old);
	unmake(&young);
	return done();
}
