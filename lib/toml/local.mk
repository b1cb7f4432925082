noinst_LIBRARIES += libtoml.a
libtoml_a_SOURCES = \
	lib/toml/append.c \
	lib/toml/edit.c \
	lib/toml/scan.c \
	lib/toml/toml.cc
