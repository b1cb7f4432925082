#!/usr/bin/perl
# How many turns of one kind run at once where nothing is configured: what agents do by themselves by the clock and on
# events, and what they do for each other; and how many of those ask a model at one moment. Who is asked by somebody is none of it.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep);

LF::needed();
sub give { my ($to) = @_; return { tool_calls => [ { id => "call_$to", name => 'agent_send', arguments => { agent_id => $to, message => 'WORK' } } ] } }
my $up = LF->mock(
    when => [
        [ 'has answered' => { text => 'Good.' } ], (map { [ "call_help-$_" => { text => "I gave it to $_." } ], [ "GIVE-TO-$_\." => give("help-$_") ] } 1 .. 4),
        [ 'HELD-' => { text => 'Done.', hang => 1, until => 'go' } ],
    ],
    default => { text => 'Hello.' });
my $api = LF->start(model => $up, timeout => 60);

sub agent { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') . "[model]\nsystem_prompt = \"HELD-$name\"\n" }, 201)->{agent_id} }
sub running { return scalar grep { @{ $api->get("/api/agents/$_/runtime", 200) } } @_ }
sub asked { return scalar grep { $_->{body} =~ /HELD-/ } @{ $up->chats } }

# So many of them run, and however often one looks no more do; then they may end.
sub at_most {
    my ($n, $what, @id) = @_;
    my ($most, $before) = (0, asked());
    ok $api->wait_for(sub { running(@id) == $n }), "$n $what run at once" or diag running(@id);
    for (1 .. 15) { my $now = running(@id); $most = $now if $now > $most; sleep 0.1 }
    is $most, $n, '  and no more';
    return;
}

sub over {
    my (@id) = @_;
    $api->put("/api/agents/$_/suspend", {}, 200) for @id;
    $up->let('go');
    ok $api->wait_for(sub { !running(@id) }), '  they end';
    $api->del("/api/agents/$_?confirm=true", 200) for @id;
    $up->shut('go');
    return;
}

subtest 'continuous agents' => sub {
    my @id = map { agent("main-$_", "schedule = { continuous = { check_interval_secs = 1 } }\n") } 1 .. 5;
    at_most(3, 'of five', @id);
    my $somebody = $api->post('/api/agents', { manifest_toml => 'name = "somebody"' }, 201)->{agent_id};
    is $api->post("/api/agents/$somebody/message", { message => 'hello' }, 200)->{response}, 'Hello.', 'who is asked by somebody answers all the same';
    over(@id);
};

subtest 'periodic agents' => sub {
    my @id = map { agent("cron-$_", "schedule = { periodic = { cron = \"every 1s\" } }\n") } 1 .. 4;
    at_most(2, 'of four', @id);
    over(@id);
};

subtest 'tasks of other agents' => sub {
    my @help = map { agent("help-$_") } 1 .. 4;
    my @giver = map { $api->post('/api/agents', { manifest_toml => "name = \"giver-$_\"\n" }, 201)->{agent_id} } 1 .. 4;
    $api->post("/api/agents/$giver[$_ - 1]/message", { message => "GIVE-TO-$_." }, 200) for 1 .. 4;
    at_most(3, 'of four', @help);
    $up->let('go');
    ok $api->wait_for(sub { !grep { $LF::JSON->encode($api->get("/api/agents/$_/session", 200)->{messages}) !~ /has answered/ } @giver }), '  all are answered in the end';
    $up->shut('go');
    $api->del("/api/agents/$_?confirm=true", 200) for @help, @giver;
};

subtest 'agents that wait for events' => sub {
    my $before = asked();
    my @id = map { agent("event-$_", "schedule = { proactive = { conditions = [\"event:agent_spawned\"] } }\n") } 1 .. 10;
    $api->post('/api/agents', { manifest_toml => 'name = "the-event"' }, 201);
    at_most(8, 'of ten', @id);
    is asked() - $before, 5, 'five of those ask a model at one moment';
    over(@id);
};

$api->finish;
done_testing;
