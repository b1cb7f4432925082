#!/usr/bin/perl
# The WebChat on a phone, by keyboard alone, in dark colours, without sign-in, and soon.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $long = join ' ', map {"word$_"} 1 .. 120;
my $api = LF::Page->start(when => [ [ 'SLOWLY' => { text => $long, chunks => 60, stall => 30 } ] ]);
LF::Page::browse($api, 'ways.mjs', LF_AGENT => LF::Page::agent($api, 'offline-one', 'offline'));

my $open = LF->start(key => '');
LF::Page::browse($open, 'open.mjs');
done_testing;
