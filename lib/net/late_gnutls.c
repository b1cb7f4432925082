/*
 * GnuTLS, loaded when it is first needed (lib/base/late.h): to judge a peer's certificate, to write a foreign
 * name in ASCII, to sign for an account. It is the one that libcurl brings, so a session of libcurl's can be looked at.
 */
#include "config.h"

#include <stdlib.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "lib/base/late.h"

static struct late_lib gnutls = { .soname = LF_GNUTLS_SO };

gnutls_free_function gnutls_free = free;        /* as the library's own, whose allocators nobody changes */

#define TLS(name, params, args) LATE(gnutls, int, GNUTLS_E_INTERNAL_ERROR, name, params, args)
#define TLS_VOID(name, params, args) LATE_VOID(gnutls, name, params, args)

TLS(gnutls_idna_map, (const char *name, unsigned n, gnutls_datum_t *ret, unsigned flags), (name, n, ret, flags))

LATE(gnutls, void *, NULL, gnutls_session_get_ptr, (gnutls_session_t s), (s))
TLS_VOID(gnutls_session_set_ptr, (gnutls_session_t s, void *ptr), (s, ptr))
LATE(gnutls, gnutls_certificate_type_t, GNUTLS_CRT_UNKNOWN, gnutls_certificate_type_get2, (gnutls_session_t s, gnutls_ctype_target_t whose), (s, whose))
LATE(gnutls, const gnutls_datum_t *, NULL, gnutls_certificate_get_peers, (gnutls_session_t s, unsigned *n), (s, n))

TLS(gnutls_x509_crt_init, (gnutls_x509_crt_t *ret), (ret))
TLS_VOID(gnutls_x509_crt_deinit, (gnutls_x509_crt_t crt), (crt))
TLS(gnutls_x509_crt_import, (gnutls_x509_crt_t crt, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t fmt), (crt, data, fmt))
TLS(gnutls_x509_trust_list_init, (gnutls_x509_trust_list_t *ret, unsigned size), (ret, size))
TLS_VOID(gnutls_x509_trust_list_deinit, (gnutls_x509_trust_list_t list, unsigned all), (list, all))
TLS(gnutls_x509_trust_list_add_system_trust, (gnutls_x509_trust_list_t list, unsigned flags, unsigned verify), (list, flags, verify))
TLS(gnutls_x509_trust_list_add_trust_file, (gnutls_x509_trust_list_t list, const char *ca, const char *crl, gnutls_x509_crt_fmt_t fmt, unsigned flags,
    unsigned verify), (list, ca, crl, fmt, flags, verify))
TLS(gnutls_x509_trust_list_verify_crt2, (gnutls_x509_trust_list_t list, gnutls_x509_crt_t *chain, unsigned n, gnutls_typed_vdata_st *want, unsigned n_want,
    unsigned flags, unsigned *status, gnutls_verify_output_function *told), (list, chain, n, want, n_want, flags, status, told))

TLS(gnutls_privkey_init, (gnutls_privkey_t *ret), (ret))
TLS_VOID(gnutls_privkey_deinit, (gnutls_privkey_t key), (key))
TLS(gnutls_privkey_import_x509_raw, (gnutls_privkey_t key, const gnutls_datum_t *data, gnutls_x509_crt_fmt_t fmt, const char *password, unsigned flags),
    (key, data, fmt, password, flags))
TLS(gnutls_privkey_get_pk_algorithm, (gnutls_privkey_t key, unsigned *bits), (key, bits))
TLS(gnutls_privkey_sign_data, (gnutls_privkey_t key, gnutls_digest_algorithm_t hash, unsigned flags, const gnutls_datum_t *text, gnutls_datum_t *ret),
    (key, hash, flags, text, ret))
