#!/usr/bin/perl
# t/kills.t again and again, each time with other moments, until the daemon was killed LF_SOAK_KILLS (10,000) times.
# A failure names the seed that repeats its moments, as far as a machine repeats itself.
use strict;
use warnings;
use Test::More;

my $kills = $ENV{LF_SOAK_KILLS} // 10_000;
my $each  = 50;
my $src   = $ENV{LF_SRCDIR} // '.';
my $bad   = 0;

for (my $done = 0; $done < $kills && $bad < 3; $done += $each) {
    local $ENV{LF_KILLS} = $each;
    local $ENV{LF_SEED}  = int rand 2**31;
    my $out = qx($^X -I'$src/t/lib' '$src/t/kills.t' 2>&1);
    next if $? == 0;
    $bad++;
    diag "LF_SEED=$ENV{LF_SEED}\n$out";
}
is $bad, 0, "$kills kills: what was accepted is answered once, and no effect is there twice";
done_testing;
