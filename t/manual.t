#!/usr/bin/perl
# The manual: every page is well formed, and librefang(1) names every command.
use strict;
use warnings;
use LF;
use Test::More;

my $src = LF::srcdir();
my @pages = glob "$src/doc/*.[158]";
cmp_ok scalar(@pages), '>=', 3, 'there are pages';

SKIP: {
    my ($man) = grep { -x } map {"$_/man"} split /:/, $ENV{PATH};
    skip 'no man here', scalar @pages if !$man;
    for my $page (@pages) {
        local $ENV{LC_ALL} = 'C.UTF-8';
        local $ENV{MANWIDTH} = 100;
        my $said = qx{$man --warnings -l "$page" 2>&1 >/dev/null};
        is $said, '', "$page has no faults";
    }
}

SKIP: {
    my $program = LF::builddir() . '/librefang';
    skip 'librefang is not built here', 1 if !-x $program;
    my $text = LF::slurp("$src/doc/librefang.1");
    my @commands = qx{$program --help} =~ /^  ([a-z][a-z-]+) /mg;
    cmp_ok scalar(@commands), '>', 10, 'the command has commands';
    is join(' ', grep { $text !~ /^\.It Cm \Q$_\E\b/m } @commands), '', 'librefang(1) has each of them';
}

done_testing;
