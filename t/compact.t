#!/usr/bin/perl
# A session grows shorter: a summary takes the place of what was said first, the newest stays, what
# is pinned stays, no tool result loses its call; a failure changes nothing.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::WS;
use Test::More;

my $up = LF->mock(when => [ [ 'POISON' => { status => 400, body => { error => { message => 'no' } } } ], [ 'keep the memory of a conversation' => { text => 'They talked about cheese.' } ] ], default => { text => 'fine' });
my $api = LF->start(model => $up);
my $nobody = '00000000-0000-4000-8000-000000000000';
my $n = 0;

sub spawn { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "long-' . ++$n . "\"\n" . ($more // '') }, 201)->{agent_id} }
sub compact { my ($id, $status) = @_; return $api->post("/api/agents/$id/session/compact", undef, $status // 200) }
sub session { return $api->get("/api/agents/$_[0]/session", 200) }
# A session of those messages, as the current one.
sub with {
    my ($id, @messages) = @_;
    my $s = $api->post("/api/agents/$id/sessions/import", { version => 1, messages => \@messages }, 200)->{session_id};
    $api->post("/api/agents/$id/sessions/$s/switch", undef, 200);
    return $s;
}
sub talk { return map { ({ role => 'user', content => "question $_" }, { role => 'assistant', content => "answer $_" }) } $_[0] .. $_[1] }
sub models { return scalar grep { $_->{path} =~ /chat/ } @{ $up->requests } }

subtest 'a long one' => sub {
    my $id = spawn();
    my $s = with($id, talk(1, 20));
    my $r = compact($id);
    is $r->{message}, 'Compacted 30 messages into summary (25 chars), kept 10 recent messages. Post-audit: clean.', 'says what it did';
    my $now = session($id);
    is_deeply [ $now->{compacted_summary}, $now->{message_count}, $now->{messages}[0]{content}, $now->{messages}[-1]{content} ], [ 'They talked about cheese.', 10, 'question 16', 'answer 20' ], 'summary, and the newest';
    like((grep { $_->{path} =~ /chat/ } @{ $up->requests })[-1]{body}, qr/question 1\\nAssistant: answer 1\\n.*question 15/, 'the model was shown the rest');
    cmp_ok $api->get("/api/sessions/$s", 200)->{context_window_tokens}, '<', 60, 'it is shorter';
    is $api->post("/api/agents/$id/message", { message => 'and now?' }, 200)->{response}, 'fine', 'it goes on';
    like((grep { $_->{path} =~ /chat/ } @{ $up->requests })[-1]{body}, qr/They talked about cheese\..*question 16/, 'and the model knows what was');
    is session($id)->{message_count}, 12, 'numbered on';
    is_deeply [ map { $_->{cost_usd} > 0 ? 1 : 0 } @{ $api->get("/api/agents/$id/events?limit=2", 200)->{events} } ], [ 1, 1 ], 'what it cost is in the books';
    $api->post("/api/agents/$id/message", { message => "more $_" }, 200) for 1 .. 3;
    compact($id);
    like((grep { $_->{path} =~ /chat/ } @{ $up->requests })[-1]{body}, qr/summary so far:\\nThey talked about cheese/, 'a second time the first summary is part of it');
};

subtest 'a short one' => sub {
    my $id = spawn();
    with($id, talk(1, 3));
    my $before = models();
    like compact($id)->{message}, qr/^Compacted 0 messages into summary \(0 chars\), kept 6 /, 'stays as it is';
    is models(), $before, 'and no model is asked';
    is_deeply [ session($id)->{compacted_summary}, session($id)->{message_count} ], [ '', 6 ], 'its summary is empty';
};

subtest 'tools and pins' => sub {
    my $id = spawn("[compaction]\nkeep_recent = 4\n");
    my $s = with($id, talk(1, 3), { role => 'user', content => 'PINNED', pinned => JSON::PP::true }, { role => 'assistant', content => 'yes' }, { role => 'user', content => 'use it' },
        { role => 'assistant', content => [ { type => 'tool_use', id => 'c1', name => 'system_time', input => {} } ] },
        { role => 'user', content => [ { type => 'tool_result', tool_use_id => 'c1', content => 'noon', is_error => JSON::PP::false } ] },
        { role => 'assistant', content => 'it is noon' }, { role => 'user', content => 'thanks' });
    compact($id);
    my @m = @{ $api->get("/api/sessions/$s", 200)->{messages} };
    is_deeply [ map { ref $_->{content} ? $_->{content}[0]{type} : $_->{content} } @m ], [ 'PINNED', 'use it', 'tool_use', 'tool_result', 'it is noon', 'thanks' ], 'cut at a question, and the pinned one stays';
};

subtest 'piece by piece' => sub {
    my $id = spawn("[compaction]\nmax_chunk_chars = 2000\n");
    with($id, map { ($_ % 2 ? { role => 'user', content => "long $_ " . 'x' x 400 } : { role => 'assistant', content => 'ok' }) } 1 .. 60);
    my $before = models();
    compact($id);
    cmp_ok models() - $before, '>', 3, 'several questions to the model';
    is session($id)->{compacted_summary}, 'They talked about cheese.', 'one summary';
};

subtest 'a failure changes nothing' => sub {
    my $id = spawn();
    with($id, { role => 'user', content => 'POISON' }, { role => 'assistant', content => 'x' }, talk(1, 10));
    my $before = $LF::JSON->encode(session($id));
    compact($id, 500);
    is $LF::JSON->encode(session($id)), $before, 'all is as it was';
    compact($nobody, 404);
    is $api->raw('POST', '/api/agents/none/session/compact')->{status}, 400, 'an id that is none';
};

subtest 'without a model' => sub {
    my $id = spawn("[model]\nprovider = \"offline\"\nmodel = \"offline\"\n");
    with($id, talk(1, 12));
    compact($id);
    like session($id)->{compacted_summary}, qr/^14 earlier messages.*- question 1\n.*- question 7\n\z/s, 'what was asked is listed';
};

subtest 'from a chat socket' => sub {
    my $id = spawn();
    with($id, talk(1, 12));
    my $ws = LF::WS->open($api, "/api/agents/$id/ws");
    is $ws->status, 101, 'open';
    $ws->next for 1, 2;
    $ws->say({ type => 'command', command => 'compact' });
    is_deeply [ @{ $ws->next }{qw(type command message)} ], [ 'compaction:started', 'compact', 'Compaction started.' ], 'it begins';
    is_deeply [ @{ $ws->next }{qw(type message)} ], [ 'compaction:complete', 'Compacted 14 messages into summary (25 chars), kept 10 recent messages.' ], 'and ends';
    with($id, { role => 'user', content => 'POISON' }, { role => 'assistant', content => 'x' }, talk(1, 10));
    $ws->say({ type => 'message', content => '/compact' });
    $ws->next;
    is $ws->next->{type}, 'compaction:error', 'or fails';
    $ws->close;
};

$api->finish;
done_testing;
