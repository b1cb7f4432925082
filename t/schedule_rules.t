#!/usr/bin/perl
# What the configuration says of all agents that act by themselves: how often at once, for how long, and how many refusals are enough.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
our $api;
sub agent {
    my ($prompt, $schedule, $top) = @_;
    (my $name = lc $prompt) =~ s/\W+/-/g;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\nschedule = $schedule\n" . ($top // '') . "[model]\nsystem_prompt = \"$prompt\"\n" }, 201)->{agent_id};
}
sub most { my ($for, @at) = @_; my $most = 0; for my $t (@at) { my $k = grep { $_ <= $t && $_ > $t - $for } @at; $most = $k if $k > $most } return $most }
my $second = '{ periodic = { cron = "* * * * * *" } }';

subtest 'at once, and how long' => sub {
    my $stuck = LF->mock(when => [ [ 'SLOWLY' => { text => 'done slowly', delay => 2.2 } ], [ 'WAKES' => { hang => 1 } ] ]);
    $api = LF->start(model => $stuck, timeout => 60, config => "[queue.concurrency]\ndefault_per_agent = 2\ntrigger_fire_timeout_secs = 1\n");
    my $id = agent('TWICE SLOWLY', '{ continuous = { check_interval_secs = 1 } }', "session_mode = \"new\"\n");
    my $woken = agent('WAKES', '{ proactive = { conditions = ["memory:plan/*"] } }');
    $api->put("/api/memory/agents/$id/kv/plan%2Fa", { value => 1 }, 200);
    my $at = sub { map { $_->{at} } grep { $_->{json}{messages}[0]{content} =~ /^TWICE\b/ } @{ $stuck->chats } };
    ok $api->wait_for(sub { $at->() >= 4 }, 20), 'an agent of the background acts';
    is most(2, $at->()), 2, '  default_per_agent at a time';
    ok $api->wait_for(sub { $api->log_text =~ /agent=$woken what=tick err=timeout/ }, 20), 'what an event led to is ended after trigger_fire_timeout_secs' or diag $api->log_tail(10);
    $api->finish;
};

subtest 'eight that are woken at once' => sub {
    my $slow = LF->mock(default => { text => 'NO_REPLY', delay => 2.2 });
    $api = LF->start(model => $slow, timeout => 60);
    my @id = map { agent("EIGHT-$_", '{ proactive = { conditions = ["memory:plan/*"] } }') } 1 .. 8;
    my $other = agent('OTHER', '"reactive"');
    $api->put("/api/memory/agents/$other/kv/plan%2Fa", { value => 1 }, 200);
    ok $api->wait_for(sub { @{ $slow->chats } >= 8 }, 30), 'all of them act';
    my @at = map { $_->{at} } @{ $slow->chats };
    is most(2, @at), 5, '  but no more than five models are asked at a time' or diag "@at";
    $api->finish;
};

subtest 'limits in a row' => sub {
    my @do = (429, 0, 429, 0, 429, 429);
    my $limits = LF->mock(answers => [ map { $_ ? { status => $_, headers => { 'Retry-After' => 1 } } : { text => 'Done.' } } @do ]);
    $api = LF->start(model => $limits, timeout => 60, env => { LF_REST_SECOND_MS => 0 }, config => "[background]\nmax_consecutive_rate_limits = 2\n[provider_max_retries]\nopenai = 0\n");
    my $id = agent('NOW-AND-THEN', $second);
    ok $api->wait_for(sub { $api->log_text =~ /agent=$id what="rate limits stop its loop" in_a_row=2/ }), 'as many as background.max_consecutive_rate_limits says stop it';
    is scalar @{ $limits->chats }, 6, 'an answer in between begins the count anew';
    $api->finish;
};

done_testing;
