noinst_LIBRARIES += libnet.a
libnet_a_SOURCES = \
	lib/net/guard.c \
	lib/net/http.c \
	lib/net/late_curl.c \
	lib/net/late_gnutls.c \
	lib/net/line.c \
	lib/net/near.c \
	lib/net/resolve.c \
	lib/net/sigv4.c \
	lib/net/tls.c \
	lib/net/transfer.c \
	lib/net/url.c
