#!/usr/bin/perl
# What stays in a session, and what goes: another agent's answer stays in sight when all around it is left out; wake-ups that led to nothing
# go, but for the newest; a child is told what its parent works on, and does not keep it.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;
use Time::HiRes ();

LF::needed();
my $up = LF->mock(
    when => [
        [ 'call_child' => { text => 'Made.' } ],
        [ qr/MAKE-ONE"\}\]/ => { tool_calls => [ { id => 'call_child', name => 'agent_spawn', arguments => { name => 'child', system_prompt => 'I-AM-THE-CHILD', tools => ['system_time'] } } ] } ],
        [ 'I-AM-THE-CHILD' => { text => 'The child says seven.' } ], [ 'I-AM-THE-EXPERT' => { text => 'The expert says forty-two.' } ],
        [ qr/ASK-THEM-ALL-\d+"\}\]/ => { tool_calls => [ { name => 'agent_send', arguments => { agent_id => 'expert', message => 'what is it?', async => JSON::PP::false } } ] } ],
        [ qr/ASK-CHILD"\}\]/ => { tool_calls => [ { name => 'agent_send', arguments => { agent_id => 'child', message => 'how many?', async => JSON::PP::false } } ] } ],
        [ qr/HAND-CHILD"\}\]/ => { tool_calls => [ { name => 'agent_send', arguments => { agent_id => 'child', message => 'how many more?' } } ] } ],
        [ 'keep the memory of a conversation' => { text => 'They spoke.' } ], [ 'PULSE-AGENT' => { text => 'NO_REPLY' } ],
    ],
    default => { text => 'fine' });
my $api = LF->start(model => $up, timeout => 60);

sub agent {
    my ($name, $prompt, $more) = @_;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') . "[model]\nsystem_prompt = \"$prompt\"\n" }, 201)->{agent_id};
}
sub ask { my ($id, $text) = @_; return $api->post("/api/agents/$id/message", { message => $text }, 200) }
sub session { return $api->get("/api/agents/$_[0]/session", 200) }
sub messages { return @{ $api->get('/api/sessions/' . session($_[0])->{session_id}, 200)->{messages} } }
sub shown { return $LF::JSON->encode($up->chats->[-1]{json}{messages}) }

agent('expert', 'I-AM-THE-EXPERT');

subtest 'what another agent answered' => sub {
    my $id = agent('asker', 'I ask.', "max_history_messages = 4\n");
    ask($id, 'ASK-THEM-ALL-0');
    is_deeply [ map { $_->{pinned} ? $_->{content}[0]{tool_name} : () } messages($id) ], ['agent_send'], 'is pinned';
    ask($id, "talk $_") for 1 .. 4;
    like shown(), qr/earlier result of agent_send.*The expert says forty-two/, 'and in sight when its question has gone';
    unlike shown(), qr/ASK-THEM-ALL/, 'as it has';
    $api->post("/api/agents/$id/session/compact", undef, 200);
    ask($id, 'talk 5');
    like shown(), qr/The expert says forty-two/, 'in the store, too';
    my $many = agent('many', 'I ask often.');
    ask($many, "ASK-THEM-ALL-$_") for 1 .. 11;
    is scalar(grep { $_->{pinned} } messages($many)), 10, 'of many the newest ten';
};

subtest 'what the parent works on' => sub {
    my $id = agent('parent', 'I have children.', "description = \"Counts sheep\"\n[capabilities]\nagent_spawn = true\n");
    ask($id, 'MAKE-ONE');
    my $child = (grep { $_->{name} eq 'child' } @{ $api->get('/api/agents?limit=100', 200)->{items} })[0]{id};
    $api->post("/api/agents/$id/session/reset", undef, 200);
    ask($id, 'ASK-CHILD');
    my ($q) = map { $_->{json}{messages}[-1]{content} } grep { $_->{json}{messages}[0]{content} =~ /^I-AM-THE-CHILD/ } @{ $up->chats };
    like $q, qr/^\[You work for the agent parent, which made you: Counts sheep\. It was asked: ASK-CHILD\]\s+how many\?$/, 'the child is told';
    is_deeply [ map { $_->{content} } grep { lc $_->{role} eq 'user' } @{ session($child)->{messages} } ], ['how many?'], 'and keeps what it was asked';
    $api->post("/api/agents/$id/session/reset", undef, 200);
    ask($id, 'HAND-CHILD');
    ok $api->wait_for(sub { grep { $_->{body} =~ /It was asked: HAND-CHILD\]\\n\\nhow many more\?"/ } @{ $up->chats } }), 'with a task that is handed over as well';
    $api->wait_for(sub { !@{ $api->get("/api/agents/$_/runtime", 200) } }) for $id, $child;
    $api->put("/api/agents/$child/update", { manifest_toml => "name = \"child\"\ninherit_parent_context = false\n[model]\nsystem_prompt = \"I-AM-THE-CHILD\"\n" }, 200);
    $api->post("/api/agents/$id/session/reset", undef, 200);
    ask($id, 'ASK-CHILD');
    ($q) = map { $_->{json}{messages}[-1]{content} } grep { $_->{json}{messages}[0]{content} =~ /^I-AM-THE-CHILD/ } reverse @{ $up->chats };
    is $q, 'how many?', 'unless it does not want to know';
    my ($e) = map { $_->{json}{messages}[-1]{content} } grep { $_->{json}{messages}[0]{content} =~ /^I-AM-THE-EXPERT/ } reverse @{ $up->chats };
    is $e, 'what is it?', 'an agent that is no child is not told';
};

subtest 'wake-ups that led to nothing' => sub {
    my $id = agent('pulse', 'PULSE-AGENT', "[schedule.continuous]\ncheck_interval_secs = 1\n[autonomous]\nheartbeat_keep_recent = 2\n");
    my $ticks = sub { scalar grep { $_->{body} =~ /PULSE-AGENT/ } @{ $up->chats } };
    ok $api->wait_for(sub { $ticks->() >= 2 }), 'it wakes up';
    ask($id, 'Are you there?');                 # is answered with silence as well
    my $seen = $ticks->();
    ok $api->wait_for(sub { $ticks->() >= $seen + 4 }), 'again and again';
    $api->put("/api/agents/$id/suspend", {}, 200);
    $api->wait_for(sub { !@{ $api->get("/api/agents/$id/runtime", 200) } });
    my @m = messages($id);
    is scalar(grep { lc $_->{role} eq 'user' && $_->{content} =~ /^\[autonomous\]/ } @m), 2, 'the newest are kept';
    is scalar(grep { $_->{content} eq 'Are you there?' } @m), 1, 'and what people said';
    is $api->get("/api/sessions/" . session($id)->{session_id}, 200)->{message_count}, scalar @m, 'they are counted';
};

$api->finish;
done_testing;
