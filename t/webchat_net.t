#!/usr/bin/perl
# The WebChat on a bad line: a reload during a turn, another conversation meanwhile, no network
# for a while, no WebSocket at all.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $long = join ' ', map {"word$_"} 1 .. 120;
my $api = LF::Page->start(when => [
    [ 'QUICKLY' => { text => 'Hello from the mock.', chunks => 4 } ],
    [ 'SLOWLY'  => { text => $long, chunks => 60, stall => 30, until => 'slowly' } ],
    [ 'LATER'   => { text => 'The answer that came later.', hang => 1, until => 'later' } ],
]);
LF::Page::browse($api, 'net.mjs', LF_AGENT => LF::Page::agent($api, 'slow-one', 'default'));
done_testing;
