/*
 * Whom we trust: one list of authorities for the whole process.
 *
 * libcurl with GnuTLS reads the system's certificates anew for each
 * connection (24 ms and 3 MB each); so it is told to verify nothing, and this is asked
 * after the handshake, before the first byte of a request is sent.
 */
#ifndef LF_TLS_H
#define LF_TLS_H
#include <stdbool.h>

/*
 * Does this gnutls_session_t's peer prove that it is host (a name or an
 * address), through the system's authorities or those in the file SSL_CERT_FILE? Asked
 * again for the same session, it answers at once.
 */
bool tls_trusts(void *session, const char *host);
void tls_done(void);            /* forget the list; it is read again when needed */
#endif
