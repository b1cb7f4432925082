# Data that is read from disk goes to $(pkgdatadir), its path kept below share/;
# data embedded with .incbin needs no line here.
