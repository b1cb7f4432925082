#!/usr/bin/perl
# Tasks of the board that are given to somebody: who is woken for them, how often, and who is not.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;

LF::needed();
sub call { my ($id, $name, %args) = @_; return { tool_calls => [ { id => $id, name => $name, arguments => \%args } ] } }
sub give { my ($to) = @_; return [ "GIVE-TO-$to" => call('call_give', 'task_post', title => "count for $to", description => 'Count the files.', assigned_to => $to) ] }

my $up = LF->mock(
    when => [
        [ 'call_give' => { text => 'Given.' } ], [ 'call_done' => { text => 'NO_REPLY' } ],
        [ 'call_take' => sub { my ($r) = @_; my ($id) = $r =~ /\{\\"id\\":\\"([0-9a-f-]{36})/; return call('call_done', 'task_complete', task_id => $id, result => '12') } ],
        (map { give($_) } qw(worker ignorer deaf handless sleeper slow)),
        [ qr/is on the board: ..count for slow/ => { %{ call('call_take', 'task_claim') }, hang => 1, until => 'slow' } ],
        [ qr/is on the board: ..count for worker/ => call('call_take', 'task_claim') ],
    ],
    default => { text => 'NO_REPLY' });
my $api = LF->start(model => $up, timeout => 60, config => "[task_board]\npending_grace_secs = 1\nwake_backoff_max_secs = 2\n");

my $n = 0;
sub agent { my ($name, $top, $more) = @_; return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($top // '') . "\n[model]\nsystem_prompt = \"I am $name.\"\n" . ($more // '') }, 201)->{agent_id} }
sub post_for { my ($who) = @_; return $api->post('/api/agents/' . agent('boss' . ++$n) . '/message', { message => "GIVE-TO-$who" }, 200)->{response} }
sub asked { my ($name) = @_; return grep { $_->{json}{messages}[0]{content} =~ /^I am \Q$name\E\./ } @{ $up->chats } }
sub woken { my ($id) = @_; return grep { !ref $_->{content} && $_->{content} =~ /is on the board/ } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }

subtest 'whoever is given a task is woken for it' => sub {
    my $id = agent('worker');
    is post_for('worker'), 'Given.', 'a task is put on the board';
    ok $api->wait_for(sub { grep { $_->{json}{messages}[-1]{content} =~ /Task [0-9a-f-]{36} is completed/ } asked('worker') }), 'its agent takes it and does it';
    like +(asked('worker'))[0]{json}{messages}[-1]{content}, qr/^\[autonomous\] A task for you is on the board: "count for worker" \([0-9a-f-]{36}\)/, 'it was told which';
};

subtest 'one that does not take it' => sub {
    agent('ignorer');
    post_for('ignorer');
    ok $api->wait_for(sub { asked('ignorer') >= 4 }), 'is woken again';
    my @at = map { $_->{at} } asked('ignorer');
    ok $at[1] - $at[0] >= 0.5 && $at[2] - $at[1] >= 1.3 && $at[3] - $at[2] >= 1.3, 'after a while each time, longer at first, then as long as the bound says' or diag "@at";
    is scalar(grep { $_->{json}{messages}[-1]{role} eq 'user' } asked('worker')), 1, 'a task that was taken has woken nobody meanwhile';
};

subtest 'who is not woken' => sub {
    my %id = (deaf => agent('deaf', 'assignee_wake = false'), handless => agent('handless', '', "[capabilities]\ntools = [\"file_read\"]\n"), sleeper => agent('sleeper'));
    $api->put("/api/agents/$id{sleeper}/suspend", {}, 200);
    post_for($_) for sort keys %id;
    my $seen = asked('ignorer');
    ok $api->wait_for(sub { asked('ignorer') > $seen }), 'others are woken meanwhile';
    is scalar(map { asked($_) } keys %id), 0, 'whose manifest says so, who cannot take tasks, who is at rest';
    $api->put("/api/agents/$id{sleeper}/resume", {}, 200);
    ok $api->wait_for(sub { asked('sleeper') }), 'and when it is up again it is';
};

subtest 'kill -9' => sub {
    my $id = agent('slow');
    post_for('slow');
    ok $api->wait_for(sub { asked('slow') }), 'while it thinks about it';
    kill 'KILL', @{ $api->processes->{librefangd} };
    $up->let('slow');
    ok $api->wait_for(sub { grep { $_->{json}{messages}[-1]{content} =~ /is completed/ } asked('slow') }), 'it does it all the same';
    ok $api->wait_for(sub { ($api->raw('GET', "/api/agents/$id/session")->{status}) == 200 });
    is scalar(woken($id)), 1, 'and was woken once';
};

$api->finish;
done_testing;
