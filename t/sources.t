#!/usr/bin/perl
# Every source file is in some room's list, and every list names files that
# are there: a file that nobody compiles is not a part of the product.
use strict;
use warnings;
use File::Find;
use Test::More;

my $src = $ENV{LF_SRCDIR} // '.';
my @rooms = qw(lib db handlers fcgi daemon cli backup t);

my %listed;
my @mk;
find({ no_chdir => 1, wanted => sub {
    $File::Find::prune = 1, return if -d && m{/node_modules$};
    push @mk, $_ if m{/local\.mk$};
} }, map {"$src/$_"} grep { -d "$src/$_" } @rooms);

for my $mk (@mk) {
    open my $fh, '<', $mk or die "$mk: $!";
    local $/;
    my $text = <$fh>;
    $text =~ s/^\s*#.*$//mg;
    $text =~ s/\\\n/ /g;
    for my $line (split /\n/, $text) {
        next unless $line =~ /^(\w+)\s*\+?=(.*)/;
        my ($var, @words) = ($1, split ' ', $2);
        if ($var eq 'check_PROGRAMS') { $listed{"$_.c"} = $mk for @words }
        elsif ($var =~ /_SOURCES$/)   { $listed{$_} = $mk for @words }
    }
}

my @there;
find({ no_chdir => 1, wanted => sub {
    $File::Find::prune = 1, return if -d && m{/(?:node_modules|fuzz|bench|starve)$};
    push @there, substr($_, length("$src/")) if -f && /\.(?:c|cc)$/;
} }, map {"$src/$_"} grep { -d "$src/$_" } @rooms);

my @lost = grep { !$listed{$_} } sort @there;
is "@lost", '', 'every source file is compiled into something';

# a C test with its own _SOURCES need not have the default name
my @ghosts = grep { /\.(?:c|cc)$/ && !-f "$src/$_" } sort keys %listed;
@ghosts = grep { !m{^t/} } @ghosts;
is "@ghosts", '', 'every listed source file is there';

# An embedded file is compiled in again when it changes only if make knows.
my $rules = join "\n", map { open my $fh, '<', $_ or die; local $/; <$fh> } @mk;
$rules =~ s/\\\n/ /g;
my @unknown;
for my $c (@there) {
    open my $fh, '<', "$src/$c" or die "$c: $!";
    (my $object = $c) =~ s/\.c$/.\$(OBJEXT)/;
    my ($line) = $rules =~ /^\Q$object\E:(.*)/m;
    while (<$fh>) {
        next unless /EMBED\w*\(\w+,\s*"([^"]+)"\)/;
        my $data = $1;
        push @unknown, "$c: $data" unless grep { $_ eq $data } split ' ', $line // '';
    }
}
is "@unknown", '', 'an object depends on the files embedded in it';

done_testing;
