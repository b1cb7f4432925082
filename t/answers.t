#!/usr/bin/perl
# What counts as an answer: directives and words of silence never reach a reader, however the stream is cut; calls that a
# model wrote as text are made; an answer that is none is asked for once more; what a provider withholds is an error.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::WS;
use Test::More;

my $call = '<tool_call>{"name":"memory_store","arguments":{"key":"colour","value":"blue"}}</tool_call>';
my $up = LF->mock(when => [
        [ qr/"role":"tool".*stored|"tool_call_id"/ => { text => 'It is kept now.' } ],
        [ 'AS-TEXT' => { text => "I keep it.\n$call", chunks => 30 } ],
        [ 'DIRECTED' => { text => 'Hello [[reply:42]]there, [[@current]]friend.', chunks => 44 } ],
        [ 'SILENT-LAST' => { text => "I looked at it.\nNO_REPLY", chunks => 24 } ],
        [ 'SILENT-ALL' => { text => 'NO_REPLY', chunks => 8 } ],
        [ 'LEAKING' => { text => "Well.\n<|im_end|>\n<|im_start|>user\nMY-SECRET-WORDS", chunks => 20 } ],
        [ 'No tool was called, so nothing' => { text => 'It was not done.' } ],
        [ 'CLAIMING' => { text => 'I have saved the file for you.' } ],
        [ 'You said that you are at it' => { text => 'Here it is.' } ],
        [ 'GOING-ON' => { text => 'Let me look that up...' } ],
        [ 'WITHHELD' => { text => 'The first half', finish => 'content_filter' } ],
        [ 'TOO-LONG' => { text => 'As far as it', finish => 'length' } ],
        [ 'CUT-CALLS' => { text => 'again', tool_calls => [ { id => 'call_cut', name => 'memory_store', arguments => '{"key":"a","val' } ], finish => 'length' } ],
    ], default => { text => 'fine' });
my $api = LF->start(model => $up);
my $n = 0;

sub spawn { return $api->post('/api/agents', { manifest_toml => 'name = "answers-' . ++$n . '"' }, 201)->{agent_id} }
sub say_to { my ($id, $text, $status) = @_; local $LF::Level = 0; return $api->post("/api/agents/$id/message", { message => $text }, $status // 200) }
sub shown {
    my ($id, $text) = @_;
    my @e = $api->stream("/api/agents/$id/message/stream", { message => $text })->all;
    is $e[-1]{event}, 'done', 'the stream ends well';
    return (join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), @e);
}
sub said { my ($id) = @_; return map { $_->{content} } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }
sub kv { my ($id) = @_; return scalar @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} } }

subtest 'a call that is written as text' => sub {
    my $id = spawn();
    my $r = say_to($id, 'AS-TEXT please');
    is $r->{response}, 'It is kept now.', 'the turn goes on';
    is kv($id), 1, 'it was made';
    is $r->{decision_traces}[0]{recovered_from_text}, JSON::PP::true, 'the trace says how';
    my $other = spawn();
    my ($text, @e) = shown($other, 'AS-TEXT please');
    ok scalar(grep { $_->{event} eq 'tool_use' } @e), 'a watcher sees the call';
    is kv($other), 1, 'made once';
    my ($m) = grep { $_->{role} eq 'Assistant' && @{ $_->{tools} // [] } } @{ $api->get("/api/agents/$id/session", 200)->{messages} };
    is $m->{content}, 'I keep it.', 'the session has the words without it';
};

subtest 'directives' => sub {
    my $id = spawn();
    is say_to($id, 'DIRECTED')->{response}, 'Hello there, friend.', 'are not shown';
    my ($text) = shown($id, 'DIRECTED again');
    is $text, 'Hello there, friend.', 'nor in a stream that is cut at every character';
};

subtest 'silence' => sub {
    my $id = spawn();
    my $r = say_to($id, 'SILENT-LAST');
    is_deeply [ @{$r}{qw(response silent)} ], [ '', JSON::PP::true ], 'the last line decides';
    my ($text) = shown($id, 'SILENT-LAST too');
    unlike $text, qr/NO_REPLY/, 'the word itself is never streamed';
    $id = spawn();
    is +(shown($id, 'SILENT-ALL'))[0], '', 'nothing at all is';
    my $ws = LF::WS->open($api, "/api/agents/$id/ws");
    $ws->next for 1, 2;
    $ws->say({ type => 'message', content => 'SILENT-ALL' });
    my @f;
    push @f, $ws->next while !@f || $f[-1]{type} !~ /complete|response|error/;
    is $f[-1]{type}, 'silent_complete', 'a socket is told so';
    ok !(grep { $_->{type} eq 'text_delta' } @f), 'without a word';
    $ws->close;
};

subtest 'scaffolding' => sub {
    my $id = spawn();
    my $r = say_to($id, 'LEAKING');
    is_deeply [ @{$r}{qw(response silent)} ], [ '', JSON::PP::true ], 'is no answer';
    my ($text) = shown($id, 'LEAKING again');
    unlike $text, qr/MY-SECRET-WORDS/, 'a stream ends before it';
    ok !(grep { /MY-SECRET/ } said($id)), 'and the session does not keep it';
};

subtest 'once more' => sub {
    my $id = spawn();
    is say_to($id, 'CLAIMING')->{response}, 'It was not done.', 'a deed without a tool is asked about';
    is_deeply [ said($id) ], [ 'CLAIMING', 'It was not done.' ], 'which is not part of the conversation';
    $id = spawn();
    my $before = @{ $up->chats };
    is +(shown($id, 'CLAIMING'))[0], 'I have saved the file for you.', 'but not when it was read already';
    is @{ $up->chats } - $before, 1, 'then nobody asks';
    is say_to(spawn(), 'GOING-ON')->{response}, 'Here it is.', 'an announcement is no answer either';
};

subtest 'no whole answer' => sub {
    my $id = spawn();
    my $r = say_to($id, 'WITHHELD', 500);
    is $r->{code}, 'content_filtered', 'what is withheld is an error';
    is_deeply [ said($id) ], [ 'WITHHELD', 'The first half' ], 'and what came before it is kept';
    is say_to(spawn(), 'TOO-LONG')->{response}, 'As far as it', 'what is too long comes as far as it got';
    $id = spawn();
    my $before = @{ $up->chats };
    my $up2 = $api->raw('POST', "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => '{"message":"CUT-CALLS"}' });
    is $up2->{status}, 200, 'calls that are cut off again and again end too';
    is kv($id), 0, 'and never run';
    is scalar(grep { !defined $_->{result} } map { @{ $_->{tools} // [] } } @{ $api->get("/api/agents/$id/session", 200)->{messages} }), 0, 'each has its answer';
};

$api->finish;
done_testing;
