#!/usr/bin/perl
# What a start finds, the heartbeat, and agents that act when something has happened.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
my $up = LF->mock(
    when => [ [ 'call_publish' => { text => 'published' } ], [ 'PUBLISH-IT' => { tool_calls => [ { id => 'call_publish', name => 'event_publish', arguments => { event_type => 'build.done', payload => { n => 1 } } } ] } ], [ 'LATE-ONE' => { text => 'late', delay => 3 } ], [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'call_keep' => { text => 'kept' } ], [ 'call_link' => { text => 'linked' } ],
        (map { [ "LINK-$_" => { tool_calls => [ { id => 'call_link', name => 'memory_store', arguments => { key => 'link' . ($_ + 1) . '/x', value => 'x' } } ] } ] } 1 .. 8),
        [ 'KEEP-IT' => { tool_calls => [ { id => 'call_keep', name => 'memory_store', arguments => { key => 'plan/today', value => 'x' } } ] } ] ],
    default => { text => 'Done.' });
my $api = LF->start(model => $up, timeout => 60, config => "[heartbeat]\ncheck_interval_secs = 1\n");

sub agent {
    my ($name, $schedule, $more) = @_;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($schedule ? "schedule = $schedule\n" : '')
        . "[model]\nsystem_prompt = \"$name\"\n" . ($more // '') }, 201)->{agent_id};
}
sub asked { my ($name) = @_; return [ grep { $_->{json}{messages}[0]{content} =~ /^\Q$name\E\b/ } @{ $up->chats } ] }
sub told { my ($name) = @_; return join ' | ', map { $_->{json}{messages}[-1]{content} } @{ asked($name) } }
sub state_of { my ($id) = @_; return $api->get("/api/agents/$id", 200)->{state} }
sub file_of { my ($name) = @_; return "$api->{home}/workspaces/agents/$name/agent.toml" }
sub put_file { my ($name, $text) = @_; open my $fh, '>', file_of($name) or die; print $fh $text; close $fh; return }
my $proactive = sub { '{ proactive = { conditions = [' . join(', ', map {"\"$_\""} @_) . '] } }' };

# Whom the heartbeat looks after, which takes seconds.
my $system = agent('ON-SYSTEM', $proactive->('event:system'));
my $late = agent('LATE-ONE', '{ continuous = { check_interval_secs = 1 } }', "[autonomous]\nheartbeat_timeout_secs = 1\n");
my $calm = agent('CALM', '{ periodic = { cron = "every 1s" } }', "[autonomous]\nheartbeat_timeout_secs = 60\n");

subtest 'something has happened' => sub {
    my %id = map { $_->[0] => agent($_->[0], $proactive->(@{ $_->[1] })) } [ 'ON-SPAWN' => ['event:agent_spawned'] ], [ 'ON-END' => ['agent_terminated'] ],
        [ 'ON-LIFE' => ['lifecycle'] ], [ 'ON-KEY' => ['memory:plan/*'] ], [ 'ON-MEMORY' => ['memory_update'] ], [ 'ON-NOTHING' => ['full moon'] ], [ 'ON-ALL' => ['all'] ];
    is $api->get("/api/agents/$id{'ON-KEY'}", 200)->{schedule}, 'proactive', 'such agents are shown as proactive';
    my $other = agent('bystander');
    ok $api->wait_for(sub { told('ON-SPAWN') =~ /agent_spawned: bystander, agent $other/ }), 'an agent was made' or diag told('ON-SPAWN');
    like told('ON-SPAWN'), qr/^\[autonomous\] This has happened: \[/, '  which wakes it with the word of it';
    $api->put("/api/memory/agents/$other/kv/plan%2Fa", { value => 1 }, 200);
    $api->put("/api/memory/agents/$other/kv/other", { value => 1 }, 200);
    ok $api->wait_for(sub { told('ON-KEY') =~ m{memory_update: plan/a} }), 'a key of memory was written, by a client';
    ok $api->wait_for(sub { told('ON-MEMORY') =~ m{memory_update: other} }), 'any key';
    unlike told('ON-KEY'), qr/other/, '  only those that fit';
    $api->post("/api/agents/$other/message", { message => 'PUBLISH-IT' }, 200);
    ok $api->wait_for(sub { told('ON-ALL') =~ m{custom: build\.done .*, agent $other} }), 'an agent told of something' or diag told('ON-ALL');
    like told('ON-ALL'), qr{memory_update: other}, '  who waits for everything hears of everything';
    $api->put("/api/agents/$other/suspend", {}, 200);
    ok $api->wait_for(sub { told('ON-LIFE') =~ /lifecycle: Suspended/ }), 'one was put to rest';
    $api->del("/api/agents/$other?confirm=true", 200);
    ok $api->wait_for(sub { told('ON-END') =~ /agent_terminated: bystander/ }), 'and ended';
    is scalar @{ asked('ON-NOTHING') }, 0, 'a condition that is none never holds';
    my @at = map { $_->{at} } @{ asked('ON-SPAWN') };
    is_deeply [ grep { $at[$_] - $at[ $_ - 1 ] < 3 } 1 .. $#at ], [], 'five seconds lie between two wake-ups';
    $api->del("/api/agents/$_?confirm=true", 200) for values %id;
};

subtest 'the heartbeat' => sub {
    ok $api->wait_for(sub { $api->log_text =~ /agent=$late what=health_check_failed/ }), 'an agent that is not heard of is told of';
    ok $api->wait_for(sub { $api->log_text =~ /agent=$late what=health_check_recovered/ }), 'and when it is heard of again';
    my @said = $api->log_text =~ /agent=$late what=health_check_(\w+)/g;
    is_deeply [ grep { $said[$_] eq $said[ $_ - 1 ] } 1 .. $#said ], [], 'each once, one after the other';
    unlike $api->log_text, qr/agent=$calm what=health_check/, 'one that answers is not spoken of';
    like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_agent_heartbeat_total\{agent="LATE-ONE",outcome="unresponsive"\} \d/m, 'it is counted';
    ok $api->wait_for(sub { told('ON-SYSTEM') =~ /system: health_check_failed, agent $late/ }), 'and wakes who waits for what the system says' or diag told('ON-SYSTEM');
    $api->del("/api/agents/$_?confirm=true", 200) for $late, $calm, $system;
};

subtest 'agents that wake each other' => sub {
    my @id = map { agent("LINK-$_", $proactive->("memory:link$_/*")) } 1 .. 8;
    my $other = agent('first-mover');
    $api->put("/api/memory/agents/$other/kv/link1%2Fx", { value => 1 }, 200);
    ok $api->wait_for(sub { @{ asked('LINK-6') } }), 'what one does wakes the next';
    my $self = agent('KEEP-IT-SELF', $proactive->('memory:plan/*'));
    $api->post("/api/agents/$self/message", { message => 'go' }, 200);
    my $before = @{ asked('KEEP-IT-SELF') };
    sleep 1;
    is scalar @{ asked('KEEP-IT-SELF') }, $before, 'what an agent does itself does not wake it';
    $api->del("/api/agents/$self?confirm=true", 200);
    my @woken = grep { @{ asked("LINK-$_") } } 1 .. 8;
    is "@woken", '1 2 3 4 5 6', 'and so on, but not without an end: five events in a row';
    like told('LINK-6'), qr{memory_update: link6/x}, '  each by what was done before it';
    $api->put("/api/memory/agents/$other/kv/link8%2Fy", { value => 1 }, 200);
    ok $api->wait_for(sub { @{ asked('LINK-8') } }), 'what somebody else does begins a new row';
    $api->del("/api/agents/$_?confirm=true", 200) for @id, $other;
};

subtest 'agent.toml was changed while nobody ran' => sub {
    my ($id, $bad, $off, $same) = map { agent("filed-$_") } qw(good bad off same);
    my $active = $api->get("/api/agents/$same", 200)->{last_active};
    $api->down;
    put_file('filed-good', "# mine\nname = \"filed-good\"\ndescription = \"by hand\"\nfuture_key = 1\n[model]\nsystem_prompt = \"BY-HAND\"\n");
    put_file('filed-bad', "name = \"filed-bad\"\nschedule = 7\n");
    put_file('filed-off', "name = \"filed-off\"\nenabled = false\n");
    $api->up;
    is $api->get("/api/agents/$id", 200)->{description}, 'by hand', 'the file wins';
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    is scalar @{ asked('BY-HAND') }, 1, 'also for the model';
    like LF::slurp(file_of('filed-good')), qr/^# mine\n/, 'its remarks stay';
    is $api->get("/api/agents/$bad", 200)->{system_prompt}, 'filed-bad', 'one that is no manifest changes nothing';
    like $api->log_text, qr/agent=$bad what="agent.toml was changed and cannot be taken" why=".*line 2.*schedule/, '  and the log says why';
    is state_of($off), 'Suspended', 'enabled = false puts it to rest';
    isnt $api->get("/api/agents/$same", 200)->{last_active}, $active, 'who was heard of last counts from the start on';
    unlike $api->log_text, qr/unclean_shutdown/, 'a stop is no crash';
};

subtest 'a crash' => sub {
    my $id = agent('survivor');
    my $rest = agent('resting');
    $api->put("/api/agents/$rest/suspend", {}, 200);
    my $s = $api->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
    $api->wait_for(sub { @{ asked('survivor') } });
    my $pid = $api->processes->{librefangd}[0];
    kill 'KILL', $pid;
    $api->wait_for(sub { my $p = $api->processes->{librefangd} // []; @$p && $p->[0] != $pid && $api->raw('GET', '/api/ready')->{status} == 200 });
    like $api->log_text, qr/what=unclean_shutdown agents=\d+ turns=1/, 'is told of in the log';
    is state_of($id), 'Running', 'who ran runs again';
    is state_of($rest), 'Suspended', 'who rested rests';
};
$api->down;
done_testing;
