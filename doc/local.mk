# Manual pages.

dist_man_MANS = doc/librefang.1 doc/librefangd.8 doc/librefang-backup.8 doc/librefang-fcgi.8
