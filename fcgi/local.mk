# The pool's worker: no libcurl, no Lua, no C++ (t/layers.t looks at the result).
bin_PROGRAMS += librefang-fcgi
librefang_fcgi_SOURCES = \
	fcgi/cgi.c \
	fcgi/fcgi_loop.c \
	fcgi/main.c \
	fcgi/params.c \
	fcgi/routes.c \
	fcgi/serve.c
librefang_fcgi_LDADD = libhandlers.a $(API_LIBS) $(FCGI_LIBS) $(ZLIB_LIBS)
