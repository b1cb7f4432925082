#!/usr/bin/perl
# The WebChat's page of one agent: what can be set, seen and done there.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $long = join ' ', map {"word$_"} 1 .. 400;
my $api = LF::Page->start(when => [ [ 'SLOWLY' => { text => $long, chunks => 300, stall => 40 } ] ]);
LF::Page::browse($api, 'agent.mjs', LF_CHANGING => LF::Page::agent($api, 'changing', 'offline'), LF_AGENT => LF::Page::agent($api, 'offline-one', 'offline'), LF_SLOW => LF::Page::agent($api, 'slow-one', 'default'));
done_testing;
