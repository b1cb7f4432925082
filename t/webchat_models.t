#!/usr/bin/perl
# The WebChat's page of providers and models.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start;
LF::Page::browse($api, 'models.mjs', LF_UPSTREAM => $api->{mock}->url, LF_CLOSED => LF::free_port());
done_testing;
