#!/usr/bin/perl
# librefang-COMMAND(1): the paragraph of librefang(1) about one command, as a page.
use strict;
use warnings;

my ($file, $command) = @ARGV;
open my $fh, '<', $file or die "$file: $!\n";
my $text = do { local $/; <$fh> };
my ($args, $about) = $text =~ /^\.It Cm \Q$command\E\b([^\n]*)\n((?:^\.Bl.*?^\.El\n|^(?!\.It Cm|\.El).*?\n)*)/ms or die "$file: nothing about $command\n";
my ($exit) = $text =~ /^\.Sh EXIT STATUS\n(.*?)^\.Sh/ms;
my ($date) = $text =~ /^(\.Dd .*)$/m;
my $what = join ' ', grep { !/^\.(?:Fl|Op)/ } split /\n/, $about =~ s/^\.Bl.*//msr =~ s/^\.\w\w //mgr;
($what) = $what =~ /^(.*?)[.:](?: |$)/;
$what = lcfirst $what =~ s{ [(].*|; .*}{}sr;
$what =~ s{\s+$}{};
$what =~ s/ *,/,/g;
$args =~ s/^ +//;

print "$date\n.Dt LIBREFANG-\U$command\E 1\n.Os\n.Sh NAME\n.Nm librefang-$command\n.Nd $what\n.Sh SYNOPSIS\n";
print ".Nm librefang\n.Op Fl Fl home Ar dir\n.Op Fl Fl json\n.Cm $command", length $args ? " $args" : '', "\n.Sh DESCRIPTION\n$about";
print ".Sh EXIT STATUS\n$exit.Sh SEE ALSO\n.Xr librefang 1\n";
