#!/usr/bin/perl
# The WebChat sends files with a message, and shows them later.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start(when => [ [ 'QUICKLY' => { text => 'Seen.', chunks => 2 } ] ]);
LF::Page::browse($api, 'files.mjs', LF_AGENT => LF::Page::agent($api, 'seer', 'default'));
like $api->{mock}->chats->[0]{body} // '', qr/image_url/, 'the model was shown the picture';
done_testing;
