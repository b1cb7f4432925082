#!/usr/bin/perl
# Turns over HTTP: the answer at once and as it comes, tools, the session
# that a turn lands in, what is kept of it, and what happens when the
# provider fails, is silent, or the client does not want to wait.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use Test::More;
use Time::HiRes ();

my $half = 'These words were cut in the middle of what they wanted to say';
my $up = LF->mock(
    when => [
        [ 'CUT-HERE'   => { text => $half, cut => 4 } ],
        [ 'BE-SILENT'  => { text => 'NO_REPLY' } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'FAIL-500'   => { status => 500 } ],
        [ 'GARBAGE'    => { garbage => '<html>not what was asked for</html>' } ],
        [ 'BAD-KEY'    => { status => 401, body => { error => { message => 'Incorrect API key provided: sk-mock-upstream', code => 'invalid_api_key' } } } ],
        [ 'TOO-LONG'   => { status => 400, body => { error => { message => 'maximum context length exceeded', code => 'context_length_exceeded' } } } ],
        [ 'ALWAYS-429' => { status => 429, headers => { 'Retry-After' => 0 } } ],
        [ 'call_still' => { hang => 1 } ],
        [ 'STILL-AT-IT' => { tool_calls => [ { id => 'call_still', name => 'memory_recall', arguments => { key => 'k' } } ] } ],
        [ 'SLOW-ONE'   => { text => 'slow answer', delay => 0.4 } ],
        [ 'THINK-FIRST' => { text => 'thought', reasoning => 'let me see' } ],
        # what was called is in the next request by its id, so the last ones come first
        [ 'call_escape_2' => { text => 'both were refused' } ],
        [ 'ESCAPE-NOW'    => { tool_calls => [ { id => 'call_escape_1', name => 'file_read', arguments => { path => '../agent.toml' } },
            { id => 'call_escape_2', name => 'file_write', arguments => { path => '/etc/lf-escape', content => 'x' } } ] } ],
        [ 'call_file_2' => { text => 'file done' } ],
        [ 'call_file_1' => { tool_calls => [ { id => 'call_file_2', name => 'file_read', arguments => { path => 'notes/a.txt' } } ] } ],
        [ 'WRITE-FILE'  => { text => 'I write it down.', tool_calls => [ { id => 'call_file_1', name => 'file_write',
            arguments => { path => 'notes/a.txt', content => "first line\n" } } ] } ],
        [ 'call_unknown_1' => { text => 'no such tool' } ],
        [ 'UNKNOWN-TOOL'   => { tool_calls => [ { id => 'call_unknown_1', name => 'launch_rockets', arguments => {} } ] } ],
        [ 'call_broken_1'  => { text => 'arguments were broken' } ],
        [ 'BROKEN-ARGS'    => { tool_calls => [ { id => 'call_broken_1', name => 'memory_store', arguments => '{"key":' } ] } ],
        # alice asks bob, bob asks alice back
        [ 'call_alice_1' => { text => 'Bob was asked.' } ],
        [ 'call_bob_1'   => { text => 'I may not ask Alice.' } ],
        [ 'PING-BACK'    => { tool_calls => [ { id => 'call_bob_1', name => 'agent_send', arguments => { agent_id => 'alice', message => 'and you?', async => JSON::PP::false } } ] } ],
        [ 'ASK-BOB'      => { tool_calls => [ { id => 'call_alice_1', name => 'agent_send', arguments => { agent_id => 'bob', message => 'PING-BACK', async => JSON::PP::false } } ] } ],
    ],
    answers => [ { status => 429, headers => { 'Retry-After' => 1 } }, { text => 'after the wait' } ],
    default => { text => 'Hello from the mock.' },
);
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 20, LF_LLM_TEST_KEY => 'k' });
my $null = JSON::PP::null;
my $n = 0;

sub agent {
    my (%o) = @_;
    my $name = $o{name} // 'agent-' . ++$n;
    my $model = $o{model} ? "[model]\n" . join '', map {"$_ = \"$o{model}{$_}\"\n"} sort keys %{ $o{model} } : '';
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n$model" . ($o{more} // '')
        . "\n[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id} // die "no agent can be made\n";
}
sub offline { my (%o) = @_; return agent(%o, model => { provider => 'offline', model => 'offline' }) }
sub say_to { my ($id, $text, $status, %more) = @_; local $LF::Level = 0; return $api->post("/api/agents/$id/message", { message => $text, %more }, $status // 200) }
sub history { my ($id, $s) = @_; return $api->get("/api/agents/$id/session" . ($s ? "?session_id=$s" : ''), 200)->{messages} }
sub said { return join ' | ', map {"$_->{role}: $_->{content}"} @{ history(@_) } }

subtest 'a 429 with Retry-After is waited out' => sub {
    my $id = agent();
    my $since = Time::HiRes::time();
    my $r = say_to($id, 'hello');
    is $r->{response}, 'after the wait', 'then comes the answer';
    cmp_ok Time::HiRes::time() - $since, '>=', 1, 'not before the second that was asked for';
    is scalar @{ $up->chats }, 2, 'after two requests';
    is said($id), 'User: hello | Assistant: after the wait', 'and the history knows of one';
};

subtest 'an answer at once' => sub {
    my $id = agent();
    my $r = say_to($id, 'hello there');
    is $r->{response}, 'Hello from the mock.', 'is what the model said';
    is_deeply [ @$r{qw(input_tokens output_tokens iterations)} ], [ 12, 7, 1 ], 'with what it took';
    is $r->{session_id}, $api->get("/api/agents/$id", 200)->{session_id}, 'and the session it landed in';
    my $q = $up->chats->[-1]{json};
    is $q->{model}, 'mock-model', 'the provider was asked for the default model';
    is $q->{messages}[0]{role}, 'system', 'with the system prompt first';
    is_deeply $q->{messages}[-1], { role => 'user', content => 'hello there' }, 'and the question last';
    is $up->chats->[-1]{headers}{authorization}, 'Bearer sk-mock-upstream', 'with its key';
    say_to($id, 'and again');
    is join(' ', map { $_->{role} } @{ $up->chats->[-1]{json}{messages} }), 'system user assistant user', 'the next question comes with the history';
    is say_to($id, 'THINK-FIRST')->{thinking}, 'let me see', 'reasoning is told apart';
    is say_to(agent(), 'THINK-FIRST', 200, show_thinking => JSON::PP::false)->{thinking}, undef, 'unless it is not wanted';
};

subtest 'the built-in provider' => sub {
    my $id = offline();
    my $r = say_to($id, 'hello');
    ok length $r->{response}, 'answers without any key';
    is $r->{cost_usd}, 0, 'and costs nothing';
    like say_to($id, 'remember colour = blue')->{response}, qr/memory_store/, 'a phrase is a tool call';
    is $api->get("/api/memory/agents/$id/kv/colour", 200)->{value}, 'blue', 'whose effect is there';
    like say_to($id, 'what do you know about colour?')->{response}, qr/blue/, 'and read again';
    like say_to($id, 'write file a.txt: some text')->{response}, qr/file_write/, 'files can be written';
    like say_to($id, 'read file a.txt')->{response}, qr/some text/, 'and read';
    like say_to($id, 'read file ../../config.toml')->{response}, qr/failed/, 'not outside the workspace';
    unlike $api->last->{content}, qr/api_key/, 'of which nothing is told';
    like say_to($id, 'read file /etc/passwd')->{response}, qr/failed/, 'nor by an absolute path';
};

subtest 'an answer as it comes' => sub {
    my $id = agent();
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'tell me' });
    is $s->status, 200, 'is a stream';
    like $s->headers->{'content-type'}, qr{^text/event-stream}, 'of events';
    is $s->headers->{'content-encoding'}, undef, 'that is not compressed';
    my @e = $s->all;
    ok $s->whole, 'which ends as it should';
    is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), 'Hello from the mock.', 'its chunks are the text';
    cmp_ok scalar(grep { $_->{event} eq 'chunk' } @e), '>', 1, 'in several parts';
    is scalar(grep { !defined $_->{json}{done} || $_->{json}{done} } grep { $_->{event} eq 'chunk' } @e), 0, 'none of which is done';
    is scalar(grep { $_->{event} eq 'done' } @e), 1, 'there is one done';
    is $e[-1]{event}, 'done', 'the last of all';
    is_deeply $e[-1]{json}, { done => JSON::PP::true, usage => { input_tokens => 12, output_tokens => 7 } }, 'with what it took';
    my @phases = map { $_->{json}{phase} } grep { $_->{event} eq 'phase' } @e;
    is $phases[0], 'streaming', 'the first phase is streaming';
    is $phases[-1], 'done', 'the last one done';
    is scalar(grep { exists $_->{json}{detail} } grep { $_->{event} eq 'phase' } @e), scalar @phases, 'each with its detail';
    is said($id), 'User: tell me | Assistant: Hello from the mock.', 'and the history is whole';
};

subtest 'a turn that takes long' => sub {
    my $id = agent();
    my $active = sub { $api->get("/api/agents/$id", 200)->{last_active} };
    my $before = $active->();
    my $run = $api->later("/api/agents/$id/message", { message => 'STILL-AT-IT' });
    ok $api->wait_for(sub { $active->() gt $before }), 'shows that the agent is at work';
    $api->post("/api/agents/$id/stop", undef, 200);
    $run->close;
};

subtest 'a stream with tools' => sub {
    my $id = agent();
    my @e = $api->stream("/api/agents/$id/message/stream", { message => 'WRITE-FILE' })->all;
    is join(' ', map { "$_->{event}:$_->{json}{tool}" } grep { $_->{event} =~ /^tool/ } @e),
        'tool_use:file_write tool_result:file_write tool_use:file_read tool_result:file_read', 'tells which tools run';
    my ($w) = grep { $_->{event} eq 'tool_result' } @e;
    is_deeply $w->{json}{input}, { path => 'notes/a.txt', content => "first line\n" }, 'and with what';
    is scalar(grep { $_->{event} eq 'done' } @e), 1, 'there is still one done';
    is_deeply $e[-1]{json}{usage}, { input_tokens => 36, output_tokens => 21 }, 'with the sum';
    like join(' ', map { $_->{json}{phase} } grep { $_->{event} eq 'phase' } @e), qr/^streaming .*thinking .*done$/, 'and phases in between';
    my $q = $up->chats->[-1]{json};
    my ($answer) = grep { ($_->{tool_call_id} // '') eq 'call_file_2' } @{ $q->{messages} };
    like $answer->{content}, qr/first line/, 'the model read what it wrote';
};

subtest 'tools and the blocking answer' => sub {
    my $id = agent();
    my $r = say_to($id, 'WRITE-FILE');
    is $r->{response}, 'file done', 'the last text is the answer';
    is $r->{iterations}, 3, 'after three calls of the model';
    is_deeply [ map { $_->{tool_name} } @{ $r->{decision_traces} } ], [qw(file_write file_read)], 'with a trace of each tool';
    my ($h) = grep { $_->{tools} } @{ history($id) };
    is $h->{tools}[0]{name}, 'file_write', 'the history shows the call';
    is $h->{tools}[0]{is_error}, JSON::PP::false, 'and how it went';
    $r = say_to($id, 'ESCAPE-NOW');
    is_deeply [ map { $_->{is_error} ? 1 : 0 } @{ $r->{decision_traces} } ], [ 1, 1 ], 'a way out of the workspace is refused';
    ok !-e '/etc/lf-escape', 'and nothing was written';
    unlike $LF::JSON->encode($up->chats->[-1]{json}{messages}), qr/name = \\"agent/, 'or read';
    is say_to(agent(), 'UNKNOWN-TOOL')->{response}, 'no such tool', 'an unknown tool is answered with an error, and the turn goes on';
    is say_to(agent(), 'BROKEN-ARGS')->{response}, 'arguments were broken', 'arguments that are no JSON too';
};

subtest 'the session of a turn' => sub {
    my $id = agent();
    my $other = agent();
    my $mine = say_to($id, 'one')->{session_id};
    my $s = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    my $r = say_to($id, 'two', 200, session_id => $mine);
    is $r->{session_id}, undef, 'a named session is not told again';
    is scalar @{ history($id, $mine) }, 4, 'the turn landed there';
    is scalar @{ history($id, $s) }, 0, 'not in the current one';
    my $new = '0f0e0d0c-1111-4222-8333-444455556666';
    say_to($id, 'three', 200, session_id => uc $new);
    is said($id, $new), 'User: three | Assistant: Hello from the mock.', 'an unknown one is made with that id';
    isnt $api->get("/api/agents/$id", 200)->{session_id}, $new, 'and is not the current one';
    is say_to($other, 'four', 400, session_id => $mine)->{code}, 'session_agent_mismatch', "another agent's is refused";
    is scalar @{ history($id, $mine) }, 4, 'and untouched';
    is say_to($id, 'five', 400, session_id => 'x')->{code}, 'invalid_session_id', 'a bad id is none';
    my $e = $api->post("/api/agents/$other/message/stream", { message => 'x', session_id => $mine }, 400);
    is $e->{code}, 'session_agent_mismatch', 'a stream refuses before it begins';
    my $from = say_to($id, 'hi', 200, sender_id => '4711', sender_name => 'Carla', channel_type => 'telegram')->{session_id};
    isnt $from, $s, 'a sender has a session of its own';
    is say_to($id, 'hi', 200, sender_id => '4711', channel_type => 'telegram')->{session_id}, $from, 'always the same';
    like said($id, $from), qr/^User: \[Carla\]: hi/, 'that says who spoke';
    my $fresh = agent(more => "session_mode = \"new\"\n");
    isnt say_to($fresh, 'a')->{session_id}, say_to($fresh, 'b')->{session_id}, 'an agent may begin anew each time';
};

subtest 'beside the conversation' => sub {
    my $id = agent();
    say_to($id, 'kept');
    my $before = $api->get("/api/agents/$id/sessions", 200);
    my $r = say_to($id, '/btw what time is it');
    is $r->{response}, 'Hello from the mock.', 'a side question is answered';
    my $q = $up->chats->[-1]{json};
    is $q->{messages}[-1]{content}, 'what time is it', 'without its prefix';
    ok !$q->{tools} || !@{ $q->{tools} }, 'and without tools';
    say_to($id, 'also beside', 200, ephemeral => JSON::PP::true);
    is said($id), 'User: kept | Assistant: Hello from the mock.', 'nothing of it is kept';
    is_deeply $api->get("/api/agents/$id/sessions", 200), $before, 'and no session was made';
    say_to($id, 'in the dark', 200, incognito => JSON::PP::true);
    is said($id), 'User: kept | Assistant: Hello from the mock.', 'an incognito turn leaves nothing either';
    ok @{ $up->chats->[-1]{json}{tools} }, 'though it has tools';
    my $asked = @{ $up->chats };
    say_to($id, $_, 400) for '/btw ', "/btw  \n";
    is scalar @{ $up->chats }, $asked, 'a side question without a question is none';
};

subtest 'silence' => sub {
    my $id = agent();
    my $r = say_to($id, 'BE-SILENT');
    is $r->{response}, '', 'an agent may say nothing';
    is $r->{silent}, JSON::PP::true, 'which is said';
    my @e = $api->stream("/api/agents/$id/message/stream", { message => 'BE-SILENT' })->all;
    is scalar(grep { $_->{event} eq 'chunk' } @e), 0, 'in a stream there is no chunk';
    is $e[-1]{event}, 'done', 'only the end';
};

subtest 'agents that ask agents' => sub {
    my $alice = agent(name => 'alice');
    my $bob = agent(name => 'bob');
    my $r = say_to($alice, 'ASK-BOB');
    is $r->{response}, 'Bob was asked.', 'one asks another';
    is $r->{decision_traces}[0]{is_error}, JSON::PP::false, 'and has the answer';
    my ($asked) = grep { $LF::JSON->encode($_->{json}{messages}[-1]) =~ /call_bob_1/ } @{ $up->chats };
    like $asked->{json}{messages}[-1]{content}, qr/wait|circle|cycle|already/i, 'the way back is refused, not waited for for ever';
    my ($told) = grep { ($_->{json}{messages}[-1]{tool_call_id} // '') eq 'call_alice_1' } @{ $up->chats };
    like $told->{json}{messages}[-1]{content}, qr/I may not ask Alice/, 'what the other said came back';
};

subtest 'a provider that fails' => sub {
    my $id = agent();
    for my $f ([ 'FAIL-500', 500, qr/^(llm_error|overloaded)$/ ], [ 'GARBAGE', 500, qr/^\w+$/ ], [ 'BAD-KEY', 500, qr/^auth_error$/ ],
        [ 'TOO-LONG', 500, qr/^context_overflow$/ ], [ 'ALWAYS-429', 429, qr/^rate_limited$/ ]) {
        my ($word, $status, $code) = @$f;
        my $e = say_to($id, $word, $status);
        like $e->{code}, $code, "$word is an error with a word of its own";
        isnt $e->{error}, 'Internal server error', '  and a useful sentence';
        unlike $api->last->{content}, qr/sk-mock|<html>/, '  without secrets or the page itself';
        $api->post("/api/agents/$id/session/reset", {}, 200);
        my $s = $api->stream("/api/agents/$id/message/stream", { message => $word });
        my @e = $s->all;
        is scalar(grep { $_->{event} eq 'done' } @e), 0, '  a stream of it is never done';
        is $e[-1]{json}{phase}, 'error', '  its last phase is error' if $s->status == 200;
        is said($id), "User: $word", '  the history holds the question, and no answer';
        $api->post("/api/agents/$id/session/reset", {}, 200);
    }
    is say_to($id, 'hello again')->{response}, 'Hello from the mock.', 'afterwards all is well';
};

subtest 'an answer cut in the middle' => sub {
    my $id = agent();
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'CUT-HERE' });
    my @e = $s->all;
    my $text = join '', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e;
    ok length $text && $half =~ /^\Q$text\E/, 'what came was passed on';
    isnt $text, $half, 'as far as it went';
    is scalar(grep { $_->{event} eq 'done' } @e), 0, 'it is never called done';
    is $e[-1]{json}{phase}, 'error', 'the last phase is error';
    is said($id), 'User: CUT-HERE', 'and no half answer is kept';
    $api->post("/api/agents/$id/session/reset", {}, 200);
    like say_to($id, 'CUT-HERE', 500)->{code}, qr/^(broken_stream|llm_error)$/, 'a blocking turn says so';
    is said($id), 'User: CUT-HERE', 'and keeps none either';
};

subtest 'no key, no address, no such model' => sub {
    my $id = agent(model => { provider => 'anthropic', model => 'claude-sonnet-4-20250514' });
    my $before = @{ $up->chats };
    my $e = say_to($id, 'hello', 412);
    is $e->{code}, 'provider_auth_missing', 'a provider without its key is said before anything else';
    like $e->{error}, qr/anthropic/, 'by name';
    is $api->post("/api/agents/$id/message/stream", { message => 'hello' }, 412)->{code}, 'provider_auth_missing', 'on the stream too';
    is said($id), '', 'nothing is kept of it';
    is scalar @{ $up->chats }, $before, 'and nobody was asked';
    my $odd = agent(model => { provider => 'nobody-knows-it', model => 'x' });
    is say_to($odd, 'hello', 412)->{code}, 'provider_not_configured', 'a provider without an address is said too';
    my $any = agent(model => { provider => 'openai', model => 'a-model-nobody-knows' });
    say_to($any, 'hello');
    is $up->chats->[-1]{json}{model}, 'a-model-nobody-knows', 'a model that no catalog knows is asked for as it is';
};

subtest 'stopped while the provider is silent' => sub {
    my $id = agent();
    is $api->post("/api/agents/$id/stop", {}, 200)->{message}, 'No active run', 'there may be nothing to stop';
    for my $how (qw(message message/stream)) {
        my $before = @{ $up->chats };
        my $s = $api->later("/api/agents/$id/$how", { message => 'NEVER-EVER' });
        ok $up->wait_chats($before + 1), "$how: the provider was asked";
        my $since = Time::HiRes::time();
        is $api->post("/api/agents/$id/stop", {}, 200)->{message}, 'Run cancelled', '  stop is heard';
        $s->read_head;
        if ($how eq 'message') {
            my $e = eval { $LF::JSON->decode($s->rest) };
            cmp_ok $s->status, '>=', 400, '  the turn answers with an error';
            is $e->{code}, 'cancelled', '  that says why';
        } else {
            my @e = $s->all;
            is scalar(grep { $_->{event} eq 'done' } @e), 0, '  the stream ends without done';
        }
        cmp_ok Time::HiRes::time() - $since, '<', 30, '  at once';
        is $api->post("/api/agents/$id/stop", {}, 200)->{message}, 'No active run', '  and is gone';
    }
    is $api->post('/api/agents/00000000-0000-4000-8000-000000000000/stop', {}, 200)->{message}, 'No active run', 'nobody runs nowhere';
    is $api->post('/api/agents/x/stop', {}, 400)->{code}, 'invalid_agent_id', 'a bad id is none';
};

subtest 'one turn at a time in a session' => sub {
    my $id = agent();
    my $before = @{ $up->chats };
    my @s = map { $api->later("/api/agents/$id/message", { message => "SLOW-ONE $_" }) } 1, 2, 3;
    is scalar(grep { $_->read_head && $_->status == 200 && $LF::JSON->decode($_->rest)->{response} eq 'slow answer' } @s), 3,
        'three questions at once are all answered';
    my @q = @{ $up->chats }[ $before .. $before + 2 ];
    cmp_ok $q[$_]{at} - $q[ $_ - 1 ]{at}, '>=', 0.39, 'one after the other' for 1, 2;
    is_deeply [ map { scalar @{ $_->{json}{messages} } } @q ], [ 2, 4, 6 ], 'each with what came before it';
    is join(' ', map { $_->{role} } @{ history($id) }), 'User Assistant ' x 2 . 'User Assistant', 'and the history in order';
    $before = @{ $up->chats };
    my $held = $api->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
    ok $up->wait_chats($before + 1), 'while one never ends';
    is say_to(agent(), 'hello')->{response}, 'Hello from the mock.', 'other sessions do not wait';
    is $api->post("/api/agents/$id/stop", {}, 200)->{message}, 'Run cancelled', 'it had not ended';
    $held->read_head;
};

subtest 'a client that goes away' => sub {
    my $id = agent();
    my $before = @{ $up->chats };
    my $s = $api->later("/api/agents/$id/message/stream", { message => 'SLOW-ONE' });
    $up->wait_chats($before + 1);
    $s->close;
    ok $api->wait_for(sub { said($id) eq 'User: SLOW-ONE | Assistant: slow answer' }), 'the turn ends all the same';
};

subtest 'what is no message' => sub {
    my $id = offline();
    for my $row (qw(message message/stream)) {
        my $to = "/api/agents/$id/$row";
        for my $bad ({}, { message => 1 }, { message => $null }, { message => ['x'] }, { message => 'x', colour => 'red' },
            { message => 'x', ephemeral => 'yes' }, { message => 'x', session_id => 7 }, { message => 'x', attachments => {} },
            { message => 'x', reasoning_mode => 'wild' }, []) {
            $api->post($to, $bad, 422);
        }
        $api->post($to, { message => $_ }, 400) for '', '  ', "\n\t";
        is $api->post($to, { message => 'x' x 262145 }, 413)->{code}, 'message_too_large', 'a message has a largest size';
        $api->post($to, { message => 'x' x 100001 }, 413);
        is $api->post('/api/agents/x/' . $row, { message => 'x' }, 400)->{code}, 'invalid_agent_id', 'a bad id is none';
        is $api->post("/api/agents/00000000-0000-4000-8000-000000000000/$row", { message => 'x' }, 404)->{code}, 'agent_not_found',
            'an unknown agent is not found';
    }
    is said($id), '', 'nothing of all that is kept';
    say_to($id, "\x{1f600} " . 'x' x 99990);
    ok $api->post("/api/v1/agents/$id/message", { message => 'hello' }, 200)->{response}, 'below /api/v1 it is the same';
};

my $id = offline();
refuses($api, POST => "/api/agents/$id/message", body => { message => 'hello' });
refuses($api, POST => "/api/agents/$id/message/stream", body => { message => 'hello' });
refuses($api, POST => "/api/agents/$id/stop");
done_testing;
