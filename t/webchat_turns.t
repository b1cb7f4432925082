#!/usr/bin/perl
# The WebChat when turns do not go straight: what a model may write, stopping, asking
# again, failing, commands.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $long = join ' ', map {"word$_"} 1 .. 120;
my $api = LF::Page->start(when => [     # the last words may stand in a conversation that has the others too
    [ 'QUICKLY'  => { text => 'Hello from the mock.', chunks => 4 } ],
    [ 'SLOWLY'   => { text => $long, chunks => 60, stall => 30 } ],
    [ 'BROKEN'   => { status => 401 } ],
    [ 'MARKDOWN' => { text => LF::slurp(LF::srcdir() . '/t/webchat/sample.md'), chunks => 30 } ],
]);
LF::Page::browse($api, 'turns.mjs', LF_AGENT => LF::Page::agent($api, 'slow-one', 'default'));
done_testing;
