#!/usr/bin/perl
# Agents with each other: asked and waited for, handed a task, made and ended. Who waits for whom, who may do what, what a crash leaves.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
sub call { my ($id, $name, %args) = @_; return { tool_calls => [ { id => $id, name => $name, arguments => \%args } ] } }

my $up = LF->mock(
    when => [
        # results come before what asked for them
        [ 'call_give' => { text => 'I gave it away.' } ], [ 'call_wait' => { text => 'I waited.' } ], [ 'call_slow' => { text => 'I waited long.' } ],
        [ 'call_ring_3' => { text => 'C cannot ask.' } ], [ 'call_ring_2' => { text => 'B is done.' } ], [ 'call_ring_1' => { text => 'A is done.' } ],
        [ 'call_kid' => { text => 'Made.' } ], [ 'call_big' => { text => 'Not made.' } ], [ 'call_end' => { text => 'Ended.' } ],
        [ 'call_key' => { text => 'Asked.' } ], [ 'quick has answered: The helper says 42' => { text => 'Now I know.' } ],
        [ 'call_busy_1' => { text => 'Later, then.', hang => 1, until => 'busy' } ],
        [ 'RING-C' => call('call_ring_3', 'agent_send', agent_id => 'ring-a', message => 'and you', async => $no) ],
        [ 'RING-B' => call('call_ring_2', 'agent_send', agent_id => 'ring-c', message => 'RING-C', async => $no) ],
        [ 'RING-A' => call('call_ring_1', 'agent_send', agent_id => 'ring-b', message => 'RING-B', async => $no) ],
        [ 'GIVE-SLOWLY' => call('call_give', 'agent_send', agent_id => 'helper', message => 'SLOW-WORK') ],
        [ 'GIVE-IT' => call('call_give', 'agent_send', agent_id => 'helper', message => 'the task') ],
        [ 'GIVE-REST' => call('call_give', 'agent_send', agent_id => 'sleeper', message => 'the task') ],
        [ 'GIVE-AND-WORK' => { tool_calls => [ { id => 'call_busy_1', name => 'agent_send', arguments => { agent_id => 'quick', message => 'the task' } } ] } ],
        [ 'WAIT-FOR-IT' => call('call_wait', 'agent_send', agent_id => 'helper', message => 'the question', async => $no) ],
        [ 'WAIT-LONG' => call('call_slow', 'agent_send', agent_id => 'helper', message => 'SLOW-WORK', async => $no) ],
        [ 'WITH-KEY' => call('call_key', 'agent_send', agent_id => 'helper', message => 'about taxes', async => $no, conversation_key => 'taxes') ],
        [ 'MAKE-KID' => call('call_kid', 'agent_spawn', name => 'kid', system_prompt => 'You are the kid.', tools => ['file_read']) ],
        [ 'MAKE-BIG' => call('call_big', 'agent_spawn', name => 'big', system_prompt => 'You are big.', tools => [ 'web_fetch', 'memory_store' ]) ],
        [ 'END-KID' => call('call_end', 'agent_kill', agent_id => 'kid') ], [ 'END-HELPER' => call('call_end', 'agent_kill', agent_id => 'helper') ],
        [ 'SLOW-WORK' => { text => 'slow result', hang => 1, until => 'work' } ],
    ],
    default => { text => 'The helper says 42.' });
my $api = LF->start(model => $up, timeout => 60);

sub agent {
    my ($name, $more) = @_;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n[model]\nsystem_prompt = \"I am $name.\"\n" . ($more // '') }, 201)->{agent_id};
}
sub ask { my ($id, $text) = @_; return $api->post("/api/agents/$id/message", { message => $text }, 200) }
sub said { my ($id, $s) = @_; return join ' | ', map { ref $_->{content} ? $LF::JSON->encode($_->{content}) : $_->{content} } @{ $api->get("/api/agents/$id/session" . ($s ? "?session_id=$s" : ''), 200)->{messages} } }
# As if nothing had been said before: the mock looks at the whole request.
sub ask_anew { my ($id, $text) = @_; $api->del("/api/agents/$id/history", 200); return ask($id, $text) }
sub trace { my ($r) = @_; return $r->{decision_traces}[0]{output_summary} }
sub detail { return $api->get("/api/agents/$_[0]", 200) }
sub named { my ($n) = @_; return (grep { $_->{name} eq $n } @{ $api->get('/api/agents?limit=500', 200)->{items} })[0] }

my $helper = agent('helper');

subtest 'asked and waited for' => sub {
    my $id = agent('waiter');
    my $r = ask($id, 'WAIT-FOR-IT');
    is trace($r), 'The helper says 42.', 'the answer is the result of the call';
    is $r->{response}, 'I waited.', '  and the asking agent goes on';
    like said($helper), qr/the question \| The helper says 42/, 'the other one remembers it';
    $r = ask(agent('keyed'), 'WITH-KEY');
    is trace($r), 'The helper says 42.', 'in a conversation of their own';
    unlike said($helper), qr/about taxes/, '  which is not its usual one';
    my $n = @{ $api->get("/api/agents/$helper/sessions", 200)->{sessions} };
    ask(named('keyed')->{id}, 'WITH-KEY');
    is scalar @{ $api->get("/api/agents/$helper/sessions", 200)->{sessions} }, $n, '  and the same the next time';
};

subtest 'who waits for whom' => sub {
    my $ra = agent('ring-a');
    agent('ring-b');
    my $rc = agent('ring-c');
    my $r = ask($ra, 'RING-A');
    is $r->{response}, 'A is done.', 'a ring ends';
    my ($last) = grep { $_->{json}{messages}[-1]{role} eq 'tool' && $_->{json}{messages}[-1]{content} =~ /waits/ } @{ $up->chats };
    like $last->{json}{messages}[-1]{content}, qr/ring-a waits for this answer itself: ring-a . ring-b . ring-c . ring-a|ring-a .* ring-b .* ring-c .* ring-a/, '  and who waits for whom is named'
        or diag $LF::JSON->encode($last);
};

subtest 'handed a task' => sub {
    my $id = agent('giver');
    my $r = ask($id, 'GIVE-SLOWLY');
    like trace($r), qr/"status":"delegated"/, 'the call returns at once, not when the work is done';
    $up->let('work');
    ok $api->wait_for(sub { said($id) =~ /\[task [-0-9a-f]{36}\] helper has answered: slow result \| I gave/ }), 'the answer comes as a message, and the agent acts on it'
        or diag said($id);
    is scalar(() = said($id) =~ /has answered/g), 1, '  once';
    my $rest = agent('sleeper');
    $api->put("/api/agents/$rest/suspend", {}, 200);
    my $other = agent('giver-2');
    ask($other, 'GIVE-REST');
    ok $api->wait_for(sub { said($other) =~ /sleeper could not do it: .*at rest/ }), 'who is at rest says so';
};

subtest 'an answer that comes while the asking turn runs' => sub {
    my $id = agent('busy-one');
    my $quick = agent('quick');
    my $s = $api->later("/api/agents/$id/message", { message => 'GIVE-AND-WORK' });
    $api->wait_for(sub { said($quick) =~ /The helper says 42/ });
    sleep 1;                                    # it is on its way, or there
    $up->let('busy');
    $s->read_head;
    my $r = $LF::JSON->decode($s->rest);
    is $r->{response}, 'Now I know.', 'is said into it';
    like said($id), qr/Later, then\. \| \[task [-0-9a-f]{36}\] quick has answered: The helper says 42\. \| Now I know\.$/, '  as a message, once';
    is $r->{iterations}, 3, '  of the same turn';
    sleep 0.5;
    is scalar(() = said($id) =~ /has answered/g), 1, '  and no other follows';
};

subtest 'the lane of sub-agents' => sub {
    my @id = map { agent("many-$_") } 1 .. 3;
    ask($_, 'GIVE-SLOWLY') for @id;             # all to the same helper: one after the other
    ok $api->wait_for(sub { !grep { said($_) !~ /has answered/ } @id }), 'all are done in the end';
};

subtest 'stop' => sub {
    my $id = agent('stopper');
    $up->shut('work');
    my $s = $api->later("/api/agents/$id/message", { message => 'WAIT-LONG' });
    ok $api->wait_for(sub { @{ $api->get("/api/agents/$helper/runtime", 200) } }), 'the other agent works';
    $api->post("/api/agents/$id/stop", {}, 200);
    $s->read_head;
    ok $api->wait_for(sub { !@{ $api->get("/api/agents/$helper/runtime", 200) } }), '  and is stopped with the one that waits';
};

subtest 'made and ended' => sub {
    my $id = agent('parent', "[capabilities]\nagent_spawn = true\ntools = [\"agent_*\", \"file_*\"]\n");
    my $r = ask($id, 'MAKE-KID');
    like trace($r), qr/^Agent kid is there/, 'a child is made';
    my $kid = named('kid');
    is $kid->{parent_agent_id}, $id, 'it knows its parent, in the list';
    is_deeply named('parent')->{children}, [ $kid->{id} ], '  which knows it';
    is detail($kid->{id})->{parent_agent_id}, $id, '  and in the detail';
    is_deeply detail($id)->{children}, [ $kid->{id} ], '  both';
    is_deeply detail($kid->{id})->{capabilities}{tools}, ['file_read'], 'it has the tools that were asked for';
    like $kid->{id}, qr/^.{14}4/, 'its id is a random one';
    like trace(ask_anew($id, 'MAKE-KID')), qr/already exists: kid/, 'a name is not taken twice';
    like trace(ask_anew($id, 'MAKE-BIG')), qr/A child may do no more than you: the tool "web_fetch"/, 'a child that could more is not made';
    ok !named('big'), '  not at all';
    like trace(ask_anew($id, 'END-HELPER')), qr/not made by you/, 'who was not made by it is not ended';
    ok named('helper'), '  and lives';
    like trace(ask_anew($id, 'END-KID')), qr/is ended/, 'its child is';
    ok !named('kid'), '  and gone';
    my $plain = agent('plain');
    like trace(ask($plain, 'MAKE-KID')), qr/no tool named 'agent_spawn'/, 'who may not make agents has not the tool';
};

subtest 'kill -9' => sub {
    my @id = map { agent("crash-$_") } 1 .. 3;
    my $before = grep { lc $_->{role} eq 'user' } @{ $api->get("/api/agents/$helper/session", 200)->{messages} };
    for my $id (@id) {                          # the first dies while the helper works, the others at some moment of it
        my $works = sub { return scalar grep { $_->{body} =~ /I am helper.*SLOW-WORK/s } @{ $up->chats } };
        my $asked = $works->();
        ask($id, 'GIVE-SLOWLY');
        if ($id eq $id[0]) { $api->wait_for(sub { $works->() > $asked }) }
        else { sleep rand 0.5 }
        my $pid = $api->processes->{librefangd}[0];
        kill 'KILL', $pid;
        $api->wait_for(sub { my $p = $api->processes->{librefangd} // []; @$p && $p->[0] != $pid && $api->raw('GET', '/api/ready')->{status} == 200 });
        $up->let('work');
    }
    ok $api->wait_for(sub { !grep { said($_) !~ /has answered: slow result \| I gave/ } @id }), 'each answer comes back'
        or diag join "\n", map { said($_) } @id;
    is_deeply [ map { scalar(() = said($_) =~ /has answered/g) } @id ], [ 1, 1, 1 ], '  once';
    my $n = grep { lc $_->{role} eq 'user' } @{ $api->get("/api/agents/$helper/session", 200)->{messages} };
    is $n - $before, 3, '  the work was begun once each';
};
$api->down;
done_testing;
