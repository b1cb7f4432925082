#!/usr/bin/perl
# Agents that act by themselves: when they are due, once for each slot, whatever dies in between; never in quiet hours, never
# against a provider that has had enough; and those without a schedule never.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();

my $up = LF->mock(
    when => [ [ 'ALWAYS-LIMITED' => { status => 429, headers => { 'Retry-After' => 0 } } ], 
        (map { [ $_ => { text => "done $_", hang => 1, until => $_ } ] } qw(BUSY CROWD KILLED)), [ 'NOTHING-TO-DO' => { text => 'NO_REPLY' } ] ],
    default => { text => 'Done.' });
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0 });
my $n = 0;

sub agent {
    my ($schedule, %o) = @_;
    my $name = $o{name} // 'auto-' . ++$n;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($schedule ? "schedule = $schedule\n" : '') . ($o{top} // '')
        . "[model]\nsystem_prompt = \"" . ($o{prompt} // $name) . "\"\n" . ($o{more} // '') }, $o{status} // 201)->{agent_id};
}
# What the model was asked in the name of that prompt.
sub asked { my ($prompt, $u) = @_; return [ grep { $_->{json}{messages}[0]{content} =~ /^\Q$prompt\E\b/ } @{ ($u // $up)->chats } ] }
sub said { my ($id) = @_; return [ map { $_->{content} } grep { lc $_->{role} eq 'user' } @{ $api->get("/api/agents/$id/session", 200)->{messages} } ] }
sub agents { return { map { $_->{id} => $_ } @{ $api->get('/api/agents?limit=500', 200)->{items} } } }

# What had begun has ended.
sub rests { my ($id) = @_; return $api->wait_for(sub { sleep 0.2; !@{ $api->get("/api/agents/$id/runtime", 200) } }) }

# Looked at further below, when seconds have gone by.
my $limited = agent('{ periodic = { cron = "* * * * * *" } }', prompt => 'ALWAYS-LIMITED');
my $busy = agent('{ continuous = { check_interval_secs = 1 } }', prompt => 'BUSY');
my $said_to_busy = $api->later("/api/agents/$busy/message", { message => 'and you?' });
my ($id, $before);

subtest 'a continuous agent' => sub {
    $id = agent('{ continuous = { check_interval_secs = 1 } }', prompt => 'CONT');
    is agents()->{$id}{schedule}, "continuous \x{b7} 1s", 'is shown as one';
    ok $api->wait_for(sub { @{ asked('CONT') } >= 2 }), 'acts every second';
    like said($id)->[0], qr/^\[autonomous\] .*\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/, 'is told that nobody asked, and what time it is';
    is agents()->{$id}{has_processed_message}, JSON::PP::true, 'and counts as one that has worked';
    $api->put("/api/agents/$id/suspend", {}, 200);
    rests($id);
    $before = @{ asked('CONT') };
    like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_agent_ticks_total\{agent="auto-\d+",outcome="ok"\} \d+$/m, 'each time is counted';
};

subtest 'a periodic agent' => sub {                # two seconds
    my $id = agent('{ periodic = { cron = "* * * * * *" } }', prompt => 'CRON');
    ok $api->wait_for(sub { @{ asked('CRON') } >= 2 }), 'six fields: each second';
    my @slots = map { /due at (\S+?)\. / ? $1 : '?' } @{ said($id) };
    is_deeply [ grep { !/T\d\d:\d\d:\d\d\.000Z$/ } @slots ], [], 'at the whole second' or diag "@slots";
    $api->del("/api/agents/$id?confirm=true", 200);
    $id = agent('{ periodic = { cron = "every 1s" } }', prompt => 'EVERY');
    ok $api->wait_for(sub { @{ asked('EVERY') } >= 1 }), 'every 1s';
    $api->del("/api/agents/$id?confirm=true", 200);
    $id = agent('{ periodic = { cron = "0 0 1 1 *" } }', prompt => 'YEARLY', more => "[autonomous]\nquiet_hours = \"22:00-06:00\"\n");
    is agents()->{$id}{schedule}, '0 0 1 1 *', 'one that is never due now is kept';
    for my $bad ('{ periodic = { cron = "now and then" } }', '{ periodic = { cron = "61 * * * *" } }', '{ periodic = { cron = "0 9 * * *", tz = "Mars/Olympus" } }',
        '{ periodic = { cron = "0 9 * * *", tz = "../../etc/passwd" } }', '{ periodic = { cron = "every 0s" } }') {
        agent($bad, status => 400);
        like $api->last->{json}{error}, qr/Invalid manifest: .*schedule/, "$bad is refused";
    }
    agent('"reactive"', status => 400, more => "[autonomous]\nquiet_hours = \"late\"\n");
    like $api->last->{json}{error}, qr/quiet_hours/, 'so are quiet hours that are none';
    $api->patch("/api/agents/$id", { schedule => { periodic => { cron => 'soon' } } }, 400);
    is agents()->{$id}{schedule}, '0 0 1 1 *', 'and a change to such a schedule';
};

subtest 'the continuous agent again' => sub {
    is scalar @{ asked('CONT') }, $before, 'suspended it has not acted';
    $api->put("/api/agents/$id/resume", {}, 200);
    ok $api->wait_for(sub { @{ asked('CONT') } > $before }), 'resumed it does again';
    $api->patch("/api/agents/$id", { schedule => 'reactive' }, 200);
    rests($id);
    $before = @{ asked('CONT') };
};

subtest 'who is busy is not asked again' => sub {
    $api->wait_for(sub { @{ asked('BUSY') } });
    is scalar @{ asked('BUSY') }, 1, 'its turns have not piled up, for seconds';
    $up->let('BUSY');
    $said_to_busy->read_head;
    is $said_to_busy->status, 200, 'whoever waits is answered';
    $api->del("/api/agents/$busy?confirm=true", 200);
};

my $calls;
subtest 'a provider that has had enough' => sub {
    ok $api->wait_for(sub { $api->log_text =~ /agent=$limited what="rate limits stop its loop" in_a_row=5/ }), 'five slots in a row, and the loop stops';
    $calls = @{ asked('ALWAYS-LIMITED') };
};

subtest 'a lane bounds what goes on by itself, and nobody who waits' => sub {
    my @ids = map { agent('{ continuous = { check_interval_secs = 1 } }', prompt => 'CROWD') } 1 .. 6;
    $api->wait_for(sub { @{ asked('CROWD') } >= 3 });
    is $api->post('/api/agents/' . agent() . '/message', { message => 'quick' }, 200)->{response}, 'Done.', 'somebody who asks is answered meanwhile';
    sleep 1.2;
    is scalar @{ asked('CROWD') }, 3, 'three of them at a time';
    $up->let('CROWD');
    ok $api->wait_for(sub { @{ asked('CROWD') } >= 6 }), 'then the others';
    $api->del("/api/agents/$_?confirm=true", 200) for @ids;
};

subtest 'more than a second later' => sub {
    is scalar @{ asked('CONT') }, $before, 'an agent whose schedule was taken away does no more';
    is scalar @{ asked('ALWAYS-LIMITED') }, $calls, 'nor does one whose provider has had enough';
    $api->put("/api/agents/$limited/suspend", {}, 200);
    $api->put("/api/agents/$limited/resume", {}, 200);
    ok $api->wait_for(sub { @{ asked('ALWAYS-LIMITED') } > $calls }), '  until somebody resumes it';
    $api->del("/api/agents/$limited?confirm=true", 200);
};

subtest 'kill -9' => sub {
    my $id = agent('{ periodic = { cron = "* * * * * *" } }', prompt => 'KILLED');
    my $asked = 0;
    for my $i (1 .. 3) {
        $api->wait_for(sub { @{ asked('KILLED') } > $asked });
        if ($i == 2) {          # this time when it is answered, or about to be
            $up->let('KILLED');
            $api->wait_for(sub { grep { lc $_->{role} eq 'assistant' } @{ $api->get("/api/agents/$id/session", 200)->{messages} } });
            $up->shut('KILLED');
        }
        my $pid = $api->processes->{librefangd}[0];
        $asked = @{ asked('KILLED') };
        kill 'KILL', $pid;
        $api->wait_for(sub { my $p = $api->processes->{librefangd} // []; @$p && $p->[0] != $pid && $api->raw('GET', '/api/ready')->{status} == 200 });
    }
    $up->let('KILLED');
    $api->wait_for(sub { 2 <= grep { lc $_->{role} eq 'user' } @{ $api->get("/api/agents/$id/session", 200)->{messages} } });
    $api->patch("/api/agents/$id", { schedule => 'reactive' }, 200);
    $api->wait_for(sub { !@{ $api->get("/api/agents/$id/runtime", 200) } });
    my $m = $api->get("/api/agents/$id/session", 200)->{messages};
    my %slots;
    $slots{$_}++ for map { $_->{content} =~ /due at (\S+?)\. / ? $1 : '?' } grep { lc $_->{role} eq 'user' } @$m;
    cmp_ok scalar(keys %slots), '>=', 2, 'it acted between';
    is_deeply [ grep { $slots{$_} > 1 } keys %slots ], [], 'once for each slot';
    is scalar(grep { lc $_->{role} eq 'assistant' } @$m), scalar(keys %slots), 'and each that was begun was answered';
    like $api->log_text, qr/resumed=yes/, 'some after the daemon was gone';
};
$api->down;

done_testing;
