bin_PROGRAMS += librefang-backup
librefang_backup_SOURCES = \
	backup/main.c \
	backup/make.c \
	backup/open.c
librefang_backup_CPPFLAGS = $(AM_CPPFLAGS) $(ARCHIVE_CFLAGS)
librefang_backup_LDADD = libdb.a $(BASE_LIBS) $(SQLITE_LIBS) $(ARCHIVE_LIBS)
