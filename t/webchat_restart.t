#!/usr/bin/perl
# The WebChat when the daemon dies in the middle of an answer: the words that nobody will finish go, and those of the
# next attempt come, for who asked and for who looks on.
use strict;
use warnings;
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start(answers => [
    { text => 'These words were said before the crash.', chunks => 6, stall => 4 },
    { text => 'This was said after it.', hang => 1, until => 'again' },
]);
my $id = LF::Page::agent($api, 'slow-one', 'default');
LF::Page::browse($api, 'restart.mjs', LF_AGENT => $id, LF_DAEMON => $api->processes->{librefangd}[0]);
is scalar @{ $api->{mock}->chats }, 2, 'the model was asked once more';
is join(' | ', map { $_->{content} } @{ $api->get("/api/agents/$id/session", 200)->{messages} }), 'tell me | This was said after it.', 'and the conversation has the question and its answer, once';
done_testing;
