/*
 * Verifying peers against one shared list, as libcurl would have done: the chain,
 * its dates, the purpose, and the name. Whatever cannot be checked is not trusted.
 */
#include "lib/net/tls.h"

#include <pthread.h>
#include <stdlib.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "lib/base/base.h"

enum { CHAIN_MAX = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gnutls_x509_trust_list_t authorities;
static char trusted_mark;               /* its address marks a session that was checked */

static gnutls_x509_trust_list_t
read_authorities(void)
{
	const char *file = getenv("SSL_CERT_FILE");
	gnutls_x509_trust_list_t list;
	int n;

	if (gnutls_x509_trust_list_init(&list, 0) != 0)
		return NULL;
	n = file != NULL && file[0] != '\0' ?
	    gnutls_x509_trust_list_add_trust_file(list, file, NULL, GNUTLS_X509_FMT_PEM, 0, 0) :
	    gnutls_x509_trust_list_add_system_trust(list, 0, 0);
	if (n > 0)
		return list;
	gnutls_x509_trust_list_deinit(list, 1);
	return NULL;
}

/* Only read once it is there, so threads may share it. */
static gnutls_x509_trust_list_t
list_of_process(void)
{
	gnutls_x509_trust_list_t list;

	pthread_mutex_lock(&lock);
	if (authorities == NULL)
		authorities = read_authorities();
	list = authorities;
	pthread_mutex_unlock(&lock);
	return list;
}

static bool
chain_ok(gnutls_x509_crt_t *chain, unsigned n, const char *host)
{
	gnutls_typed_vdata_st want[] = {
		{ .type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *)(uintptr_t)host },
		{ .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER },
	};
	gnutls_x509_trust_list_t list = list_of_process();
	unsigned status = 0;

	return list != NULL &&
	    gnutls_x509_trust_list_verify_crt2(list, chain, n, want, ARRAY_LEN(want), 0, &status, NULL) == 0 &&
	    status == 0;
}

bool
tls_trusts(void *arg, const char *host)
{
	gnutls_session_t session = arg;
	gnutls_x509_crt_t chain[CHAIN_MAX];
	const gnutls_datum_t *raw;
	unsigned sent = 0, n = 0;
	bool good = true;

	if (session == NULL)
		return false;
	if (gnutls_session_get_ptr(session) == &trusted_mark)
		return true;
	if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) != GNUTLS_CRT_X509)
		return false;
	raw = gnutls_certificate_get_peers(session, &sent);
	if (raw == NULL || sent == 0)
		return false;
	for (; good && n < sent && n < CHAIN_MAX; n++) {
		good = gnutls_x509_crt_init(&chain[n]) == 0;
		if (!good)
			break;
		good = gnutls_x509_crt_import(chain[n], &raw[n], GNUTLS_X509_FMT_DER) == 0;
	}
	good = good && chain_ok(chain, n, host);
	while (n > 0)
		gnutls_x509_crt_deinit(chain[--n]);
	if (good)
		gnutls_session_set_ptr(session, &trusted_mark);
	return good;
}

void
tls_done(void)
{
	pthread_mutex_lock(&lock);
	if (authorities != NULL)
		gnutls_x509_trust_list_deinit(authorities, 1);
	authorities = NULL;
	pthread_mutex_unlock(&lock);
}
