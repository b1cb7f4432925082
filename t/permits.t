#!/usr/bin/perl
# One permit for everything, one turn at a time: who waits for another agent gives its place back, so that the other one can
# answer; in the background, and for somebody who waits.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;

LF::needed();
my $no = JSON::PP::false;
sub call { my ($id, $to, $words) = @_; return { tool_calls => [ { id => $id, name => 'agent_send', arguments => { agent_id => $to, message => $words, async => $no } } ] } }

my $up = LF->mock(
    when => [
        [ 'call_top' => { text => 'I know it now.' } ], [ 'call_middle' => { text => 'The middle knows it.' } ],
        [ 'ASK-DOWN' => call('call_middle', 'bottom', 'the question') ], [ 'BY-ITSELF' => call('call_top', 'middle', 'ASK-DOWN') ],
        [ 'ASK-BOTH' => call('call_top', 'middle', 'ASK-DOWN') ],
    ],
    default => { text => 'The bottom knows it.' });
my $api = LF->start(model => $up, timeout => 60,
    config => "[queue.concurrency]\nmain_lane = 1\ncron_lane = 1\nsubagent_lane = 1\ntrigger_lane = 1\n[turn]\nmax_threads = 1\n");

sub agent { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') }, 201)->{agent_id} }
sub said { my ($id) = @_; return join ' | ', map { $_->{content} } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }

my ($middle, $bottom, $top) = (agent('middle'), agent('bottom'), agent('top'));

subtest 'somebody waits' => sub {
    my $r = $api->post("/api/agents/$top/message", { message => 'ASK-BOTH' }, 200);
    is $r->{response}, 'I know it now.', 'the only place is enough for three agents in a row';
    is $r->{decision_traces}[0]{output_summary}, 'The middle knows it.', '  each with the answer of the next';
    like said($bottom), qr/the question \| The bottom knows it\.$/, '  down to the last';
};

subtest 'nobody does' => sub {
    $api->del("/api/agents/$_/history", 200) for $middle, $bottom;
    my $id = agent('alone', "schedule = { continuous = { check_interval_secs = 1 } }\n[model]\nsystem_prompt = \"BY-ITSELF\"\n");
    ok $api->wait_for(sub { said($id) =~ /I know it now\./ }), 'an agent of the background is answered through the only permit' or diag said($id);
    like said($bottom), qr/the question \| The bottom knows it\.$/, '  by all that it needs';
    $api->put("/api/agents/$id/suspend", {}, 200);
    is $api->post("/api/agents/$top/message", { message => 'hello' }, 200)->{response}, 'I know it now.', 'and the place of those who wait is free again';
    like $api->raw('GET', '/api/metrics')->{content}, qr/librefang_queue_wait_seconds_count\{lane="subagent"\} [2-9]/, 'its permits were counted';
};

$api->finish;
done_testing;
