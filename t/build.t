#!/usr/bin/perl
# What a build leaves behind: hardened programs that tell the same version and
# were made without looking at the clock.
use strict;
use warnings;
use Test::More;

my $src   = $ENV{LF_SRCDIR}   // '.';
my $build = $ENV{LF_BUILDDIR} // '.';

sub slurp { open my $fh, '<', $_[0] or return ''; local $/; return scalar <$fh> }

my ($want) = slurp("$src/configure.ac") =~ /AC_INIT\(\[librefang\], \[([^\]]+)\]/;
my $header = slurp("$build/version.h");
SKIP: {
    skip 'nothing is built here', 3 if $header eq '';
    like $header, qr/^#define LF_VERSION "\Q$want\E"$/m, 'version.h tells the version of configure.ac';
    like $header, qr/^#define LF_BUILD_DATE "(?:\d{4}-\d\d-\d\d|unknown)"$/m, 'the build date is a day, or is not known';
    like $header, qr/^#define LF_GIT_SHA "(?:[0-9a-f]{7,40}|unknown)"$/m, 'the revision is a commit, or is not known';
}

for my $prog (qw(librefang librefangd librefang-fcgi)) {
    SKIP: {
        skip "$prog is not built here", 4 unless -x "$build/$prog";
        my $head = qx(readelf -hW '$build/$prog' 2>/dev/null);
        skip 'no readelf', 4 if $head eq '';
        my $dyn = qx(readelf -dW '$build/$prog');
        my $seg = qx(readelf -lW '$build/$prog');
        like $head, qr/Type:\s+DYN/, "$prog is loaded at a random address";
        like $seg, qr/GNU_RELRO/, "$prog has its tables read-only once loaded";
        like $dyn, qr/BIND_NOW|Flags:.*\bNOW\b/, "$prog binds everything at start";
        unlike $seg, qr/GNU_STACK\s.*RWE/, "$prog has no executable stack";
    }
}

for my $h (sort glob("$src/{lib/*,db,daemon}/*.{c,h}")) {
    next unless slurp($h) =~ /\b__(?:DATE|TIME)__\b/;
    fail "$h looks at the time of the build";
}
done_testing;
