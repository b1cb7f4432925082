#!/usr/bin/perl
# The WebChat's page of agents.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start;
LF::Page::browse($api, 'agents.mjs', LF_AGENT => LF::Page::agent($api, 'offline-one', 'offline'), LF_SLOW => LF::Page::agent($api, 'slow-one', 'default'));
done_testing;
