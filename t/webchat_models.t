#!/usr/bin/perl
# The WebChat's page of providers and models.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start;
LF::Page::browse($api, 'models.mjs');
done_testing;
