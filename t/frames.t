#!/usr/bin/perl
# What a turn tells while it runs, row by row: the events of its stream, the frames of its chat socket, and what
# those see who are attached to its session, each with all of its members, in order. At the end of the file every
# kind of event and frame has been seen.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::WS;
use Test::More;

sub calls { my ($text, @calls) = @_; return { text => $text, tool_calls => [ map { { id => $_->[0], name => $_->[1], arguments => $_->[2] } } @calls ] } }
my $silent = LF->mock(default => { hang => 1 });
my $up = LF->mock(
    when => [
        # results come before what asked for them
        [ 'call_two_b' => { text => 'Both are there.' } ], [ 'call_one' => { text => 'The list is empty.' } ], [ 'call_bad' => { text => 'It is not there.' } ],
        [ 'call_for_ever' => calls('', [ 'call_for_ever', 'system_time', {} ]) ],
        [ 'THINK-FIRST' => { text => 'thought about', reasoning => 'let me see' } ],
        [ 'ONE-TOOL'    => calls('I look. ', [ 'call_one', 'file_list', { path => '.' } ]) ],
        [ 'BAD-TOOL'    => calls(undef, [ 'call_bad', 'file_read', { path => 'no-such-file' } ]) ],
        [ 'TWO-TOOLS'   => calls(undef, [ 'call_two_a', 'file_list', { path => '.' } ], [ 'call_two_b', 'system_time', {} ]) ],
        [ 'AND-ON'      => calls(undef, [ 'call_for_ever', 'system_time', {} ]) ],
        [ 'BE-SILENT'   => { text => 'NO_REPLY' } ],
        [ 'SAY-NOTHING' => { text => '' } ],
        [ 'REFUSED'     => { status => 400, body => { error => { message => 'no' } } } ],
        [ 'WITHHELD'    => { text => 'Half of it', finish => 'content_filter' } ],
        [ 'CUT-OFF'     => { text => 'as far as it goes', finish => 'length' } ],
        [ 'BROKEN-OFF'  => { text => 'these words were cut in the middle of what they wanted to say', cut => 4 } ],
        [ 'HALF-FULL'   => { text => 'a', usage => { prompt_tokens => 100_001 + 2000 } } ], [ 'NEARLY-FULL' => { text => 'b', usage => { prompt_tokens => 150_000 } } ],
        [ 'QUITE-FULL'  => { text => 'c', usage => { prompt_tokens => 190_000 } } ],
        [ 'NO-MONEY'    => { status => 402 } ], [ 'NO-KEY' => { status => 401 } ], [ 'NO-MODEL' => { status => 404 } ], [ 'NO-SERVER' => { status => 502 } ],
        [ 'TOO-OFTEN'   => { status => 429, headers => { 'Retry-After' => 77 } } ], [ 'TOO-LONG' => { status => 400, body => { error => { message => 'maximum context length exceeded' } } } ],
        [ 'WAIT-HERE'   => { hang => 1 } ], [ 'FETCH-SLOW' => calls(undef, [ 'call_slow', 'web_fetch', { url => $silent->url . '/chat/completions' } ]) ],
        [ 'call_read' => { text => 'I read it.' } ], [ 'READ-LONG' => calls(undef, [ 'call_read', 'file_read', { path => '.identity/SOUL.md' } ]) ],
        [ 'call_write' => { text => 'I wrote it.' } ], [ 'WRITE-LONG' => calls(undef, [ 'call_write', 'file_write', { path => 'long.txt', content => 'words ' x 200 } ]) ],
    ],
    default => { text => 'Hello from the mock.', chunks => 6 });
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 5 }, limits => "max_ws_per_ip = 100\nws_messages_per_minute = 1000\n",
    config => "[proactive_memory]\nenabled = false\n[provider_max_retries]\nopenai = 0\n[web.fetch]\nssrf_allowed_hosts = [\"127.0.0.1\"]\n");

# --- the members of each, and what they are -----------------------------------------------

my ($any, $text, $uint, $bool) = (qr//, qr/./s, qr/^\d+$/, qr/^[01]$/);
my $uuid = qr/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
my %event = (
    chunk => { content => $text, done => $bool }, tool_use => { tool => $text }, tool_result => { tool => $text, input => $any },
    phase => { phase => $text, detail => $any }, done => { done => $bool, usage => $any },
);
my %frame = (
    connected => { agent_id => $uuid }, agents_updated => { agents => $any }, 'typing:start' => { state => $text }, 'typing:stop' => { state => $text },
    'typing:tool' => { state => $text, tool => $text }, text_delta => { content => $text }, thinking_delta => { content => $text },
    tool_start => { id => $text, tool => $text }, tool_end => { id => $text, tool => $text, input => $text },
    tool_result => { tool => $text, is_error => $bool, 'result?' => $text }, phase => { phase => $text, detail => $any },
    response => { content => $text, input_tokens => $uint, output_tokens => $uint, iterations => $uint, cost_usd => $any, context_pressure => qr/^(?:low|medium|high|critical)$/,
        'memories_saved?' => $any, 'memories_used?' => $any, 'thinking?' => $text, 'session_id?' => $uuid, 'message_id?' => $text },
    silent_complete => { input_tokens => $uint, output_tokens => $uint, 'message_id?' => $text },
    error => { content => $text, 'code?' => qr/^[a-z_]+$/, 'message_id?' => $text }, command_result => { 'command?' => $text, message => $text, map { ("$_?" => $text) } qw(session_id model provider context_pressure) },
    'compaction:started' => { command => $text, message => $text }, 'compaction:complete' => { command => $text, message => $text }, 'compaction:error' => { command => $text, content => $text },
    pong => {},
);
my %seen;

# Hold one against its row; its short name, with what tells it from others of its kind.
sub held {
    my ($where, $rows, $type, $o) = @_;
    my $key = $type eq 'typing' ? "typing:$o->{state}" : $type;
    my $row = $rows->{$key} // do { fail "$where: nothing like $key is known"; return $key };
    my %left = %$o;
    delete $left{type} if $rows == \%frame || $where eq 'attached socket';
    for my $name (sort keys %$row) {
        my $is = $name =~ s/\?$//r;
        fail "$where: $key has $is" if $is eq $name && !exists $left{$is};
        next if !exists $left{$is};
        my $v = delete $left{$is};
        fail "$where: $is of $key is as it must be" and diag explain $o if $row->{$name} != $any && ($v // '') !~ $row->{$name};
    }
    is join(' ', sort keys %left), '', "$where: $key has nothing else" if %left;
    $seen{ $rows == \%frame ? 'frame' : 'event' }{$key}++;
    return "phase:$o->{phase}" . (defined $o->{detail} ? "($o->{detail})" : '') if $type eq 'phase';
    return "$key($o->{tool})" if $key =~ /^(?:typing:tool|tool_)/;
    return $key;
}

# The parts of a text are one: how many there are is nobody's business.
sub line { my $l = join ' ', @_; $l =~ s/\b(chunk|text_delta|thinking_delta)(?: \1)+/$1/g; return $l }
sub of_stream { my ($where, @e) = @_; return line(map { held($where, \%event, $_->{event}, $_->{json}) } grep { !defined $_->{comment} } @e) }
sub of_socket { return line(map { held('socket', \%frame, $_->{type}, $_) } @_) }
sub of_watcher { return line(map { held('attached socket', \%event, $_->{type}, $_) } @_) }

my $n = 0;
sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "framed-' . ++$n . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
sub chat { my ($id) = @_; my $ws = LF::WS->open($api, "/api/agents/$id/ws"); of_socket($ws->next, $ws->next); return $ws }
sub frames { my ($ws) = @_; my @all; while (my $m = $ws->next) { push @all, $m if $m->{type} ne 'agents_updated' } return @all }
sub turn { my ($ws, $what) = @_; return grep { $_->{type} ne 'agents_updated' } $ws->turn($what) }

# --- turns --------------------------------------------------------------------------------

my @rows = (
    # what is asked, the manifest, the stream, the chat socket
    [ 'HELLO', '', 'phase:streaming chunk phase:done done', 'typing:start phase:streaming text_delta typing:stop phase:done response' ],
    [ 'THINK-FIRST', '', 'phase:streaming chunk phase:done done', 'typing:start phase:streaming thinking_delta text_delta typing:stop phase:done response' ],
    [ 'ONE-TOOL', '', 'phase:streaming chunk tool_use(file_list) tool_result(file_list) phase:tool_use(file_list) phase:thinking chunk phase:done done',
        'typing:start phase:streaming text_delta typing:tool(file_list) tool_start(file_list) tool_end(file_list) phase:tool_use(file_list) tool_result(file_list)'
        . ' phase:thinking text_delta typing:stop phase:done response' ],
    [ 'BAD-TOOL', '', 'phase:streaming tool_use(file_read) tool_result(file_read) phase:tool_use(file_read) phase:thinking chunk phase:done done',
        'typing:start phase:streaming typing:tool(file_read) tool_start(file_read) tool_end(file_read) phase:tool_use(file_read) tool_result(file_read)'
        . ' phase:thinking text_delta typing:stop phase:done response' ],
    [ 'TWO-TOOLS', '', 'phase:streaming tool_use(file_list) tool_use(system_time) tool_result(file_list) tool_result(system_time)'
        . ' phase:tool_use(file_list) phase:tool_use(system_time) phase:thinking chunk phase:done done',
        'typing:start phase:streaming typing:tool(file_list) tool_start(file_list) typing:tool(system_time) tool_start(system_time) tool_end(file_list) tool_end(system_time)'
        . ' phase:tool_use(file_list) tool_result(file_list) phase:tool_use(system_time) tool_result(system_time) phase:thinking text_delta typing:stop phase:done response' ],
    [ 'BE-SILENT', '', 'phase:streaming phase:done done', 'typing:start phase:streaming typing:stop phase:done silent_complete' ],
    [ 'SAY-NOTHING', '', 'phase:streaming phase:thinking chunk phase:done done', 'typing:start phase:streaming phase:thinking text_delta typing:stop phase:done response' ],
    [ 'CUT-OFF', '', 'phase:streaming chunk phase:done done', 'typing:start phase:streaming text_delta typing:stop phase:done response' ],
    [ 'WITHHELD', '', 'phase:streaming chunk phase:error', 'typing:start phase:streaming text_delta typing:stop phase:error error' ],
    [ 'REFUSED', '', 'phase:streaming phase:error', 'typing:start phase:streaming typing:stop phase:error error' ],
    [ 'BROKEN-OFF', '', 'phase:streaming chunk phase:error', 'typing:start phase:streaming text_delta typing:stop phase:error error' ],
    [ 'AND-ON', "[autonomous]\nmax_iterations = 2\n", 'phase:streaming tool_use(system_time) tool_result(system_time) phase:tool_use(system_time)'
        . ' phase:thinking tool_use(system_time) tool_result(system_time) phase:tool_use(system_time) phase:error',
        'typing:start phase:streaming typing:tool(system_time) tool_start(system_time) tool_end(system_time) phase:tool_use(system_time) tool_result(system_time)'
        . ' phase:thinking typing:tool(system_time) tool_start(system_time) tool_end(system_time) phase:tool_use(system_time) tool_result(system_time) typing:stop phase:error error' ],
);

for my $row (@rows) {
    my ($ask, $manifest, $stream, $socket) = @$row;
    subtest $ask => sub {
        my $id = agent($manifest);
        my $path = "/api/agents/$id/sessions/" . $api->get("/api/agents/$id", 200)->{session_id} . '/stream';
        my $watch = $api->later($path, '', method => 'GET');
        $watch->read_head;
        my $eye = LF::WS->open($api, $path);
        is of_stream('stream', $api->stream("/api/agents/$id/message/stream", { message => $ask })->all), $stream, 'the stream';
        my $seen = $stream =~ s/phase:done done$/done/r;
        is of_stream('attached stream', $watch->all), $seen, 'who is attached sees the same, with one end';
        is of_watcher(frames($eye)), $seen, '  over a WebSocket too';
        my $ws = chat(agent($manifest));
        is of_socket(turn($ws, $ask)), $socket, 'the chat socket';
        $ws->close;
    };
}

subtest 'a window that is full' => sub {
    my $long = 'word ' x 4000;
    my $manifest = "tools_disabled = true\n[model]\ncontext_window = 2000\n";
    my @e = $api->stream('/api/agents/' . agent($manifest) . '/message/stream', { message => $long })->all;
    my ($w) = grep { ($_->{json}{phase} // '') eq 'context_warning' } @e;
    like $w->{json}{detail}, qr/\w+ \w+/, 'is told in words';
    is of_stream('stream', @e) =~ s/(context_warning)\([^)]*\)/$1/r, 'phase:streaming phase:context_warning chunk phase:done done', 'once' or diag explain \@e;
    my $ws = chat(agent($manifest));
    like of_socket(turn($ws, $long)), qr/^typing:start phase:streaming phase:context_warning\(.*\) text_delta typing:stop phase:done response$/, 'on the socket too';
    $ws->close;
};

subtest 'an agent at rest' => sub {
    my $id = agent();
    $api->put("/api/agents/$id/suspend", undef, 200);
    is of_stream('stream', $api->stream("/api/agents/$id/message/stream", { message => 'HELLO' })->all), 'done', 'has nothing to tell but the end';
    my $ws = chat($id);
    is of_socket(turn($ws, 'HELLO')), 'typing:start typing:stop response', 'nor on the socket';
    $ws->close;
};

subtest 'stopped' => sub {
    my ($id, $before) = (agent(), scalar @{ $up->chats });
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'WAIT-HERE' });
    $up->wait_chats($before + 1);
    $api->post("/api/agents/$id/stop", undef, 200);
    is of_stream('stream', $s->all), 'phase:streaming phase:error', 'a stream ends without done';
    my $ws = chat($id = agent());
    $ws->say('WAIT-HERE');
    $up->wait_chats($before + 2);
    $api->post("/api/agents/$id/stop", undef, 200);
    is of_socket(grep { $_->{type} ne 'agents_updated' } $ws->until('error')), 'typing:start phase:streaming typing:stop phase:error error', 'a socket with an error';
    $ws->close;
    my $tool = agent();
    my ($session, $was) = ($api->get("/api/agents/$tool", 200)->{session_id}, scalar @{ $silent->requests });
    $s = $api->stream("/api/agents/$tool/message/stream", { message => 'FETCH-SLOW' });
    ok $api->wait_for(sub { @{ $silent->requests } > $was }), 'a tool that takes long';
    is $api->post("/api/agents/$tool/sessions/$session/stop", undef, 200)->{stopped}, JSON::PP::true, '  is stopped with its session';
    is of_stream('stream', $s->all), 'phase:streaming tool_use(web_fetch) tool_result(web_fetch) phase:tool_use(web_fetch) phase:error', '  and its turn ends';
    is $api->post("/api/agents/$tool/sessions/$session/stop", undef, 200)->{stopped}, JSON::PP::false, 'nothing runs there then';
    is $api->post("/api/agents/$tool/stop", undef, 200)->{message}, 'No active run', 'nor for the agent';
};

# --- the members' values ------------------------------------------------------------------

subtest 'how full it was' => sub {
    for my $p ([ 'HELLO' => 'low' ], [ 'HALF-FULL' => 'medium' ], [ 'NEARLY-FULL' => 'high' ], [ 'QUITE-FULL' => 'critical' ]) {
        my $ws = chat(agent());
        is +(turn($ws, $p->[0]))[-1]{context_pressure}, $p->[1], "$p->[0]: $p->[1]";
        $ws->close;
    }
};

subtest 'an answer without words' => sub {
    my $ws = chat(agent());
    my $r = (turn($ws, { type => 'message', content => 'SAY-NOTHING', message_id => 'x' x 128 }))[-1];
    is $r->{content}, '[The agent completed processing but returned no text response. (24 in / 14 out | 2 iter)]', 'is told as one';
    is $r->{message_id}, 'x' x 128, 'whose it is';
    is +(turn($ws, { type => 'message', content => 'HELLO', message_id => 'x' x 129 }))[-1]{message_id}, undef, 'an id that is too long is none';
    is +(turn($ws, { type => 'message', content => 'HELLO', message_id => 7 }))[-1]{message_id}, undef, 'nor is a number';
    $ws->close;
    $ws = chat(agent());
    is +(turn($ws, { type => 'message', content => 'BE-SILENT', message_id => 'm' }))[-1]{message_id}, 'm', 'silence has it too';
    is +(turn($ws, { type => 'message', content => 'REFUSED', message_id => 'm' }))[-1]{message_id}, 'm', 'and failure';
    is +(turn($ws, { type => 'message', message_id => 'm' }))[-1]{message_id}, 'm', 'and what is no message';
    $ws->close;
};

subtest 'how much of a tool is shown' => sub {
    for my $l ([ full => 500, 300 ], [ on => 100, 200 ]) {
        my ($verbose, $in, $out) = @$l;
        my $id = agent();
        $api->put("/api/agents/$id/files/SOUL.md", { content => 'words ' x 200 }, 200);
        my $ws = chat($id);
        $ws->say({ type => 'command', command => 'verbose', args => $verbose });
        is of_socket($ws->next), 'command_result', $verbose;
        my ($end, $res) = ((grep { $_->{type} eq 'tool_end' } turn($ws, 'WRITE-LONG'))[0], (grep { $_->{type} eq 'tool_result' } turn($ws, 'READ-LONG'))[0]);
        is length $end->{input}, $in, "  $in characters of its input";
        is length $res->{result}, $out, "  $out of its result";
        $ws->close;
    }
};

subtest 'why it failed' => sub {
    my @codes = (
        [ 'NO-MONEY' => 'billing_error', qr/no credit/ ], [ 'NO-KEY' => 'auth_error', qr/refused the key/ ], [ 'NO-MODEL' => 'model_not_found', qr/no model/ ],
        [ 'REFUSED' => 'format_error', qr/refused the request/ ], [ 'NO-SERVER' => 'llm_error', qr/HTTP 502/ ],
        [ 'TOO-LONG' => 'context_length_exceeded', qr{^Context is full\. Try /compact or /new\.$} ],
        [ 'TOO-OFTEN' => 'rate_limited', qr/^Rate limited\. Wait ~\d+s and try again\.$/ ],
    );
    my $other = LF->start(model => $up, env => { LF_LLM_RETRY_MS => 5 }, config => "[provider_max_retries]\nopenai = 0\n", limits => "ws_messages_per_minute = 100\n");
    for my $c (@codes) {                        # the one that asks for a pause comes last
        my $id = $other->post('/api/agents', { manifest_toml => "name = \"\L$c->[0]\"" }, 201)->{agent_id};
        my $ws = LF::WS->open($other, "/api/agents/$id/ws");
        my $e = ($ws->turn($c->[0]))[-1];
        is "$e->{type} " . ($e->{code} // ''), "error $c->[1]", "$c->[0]: $c->[1]";
        like $e->{content}, $c->[2], '  in words';
        $ws->close;
    }
    $other->finish;
    my $ws = chat(agent("[model]\nprovider = \"anthropic\"\nmodel = \"claude-sonnet-4-20250514\"\n"));
    my $e = (turn($ws, 'HELLO'))[-1];
    is $e->{content}, "API key not configured for provider 'anthropic'. Set it in Settings > Providers.", 'without a key it is said whose';
    is $e->{code}, undef, '  with no code';
    $ws->close;
    my $id = agent();
    $ws = chat($id);
    $api->del("/api/agents/$id?confirm=true", 200);
    is of_socket($e = (turn($ws, 'HELLO'))[-1]), 'error', 'an agent that is gone';
    is $e->{code}, 'agent_not_found', '  is not found';
    $ws->close;
    $api->put('/api/budget', { max_hourly_usd => 0.000001 }, 200);
    $ws = chat(agent());
    is +(turn($ws, 'HELLO'))[-1]{code}, 'budget_exceeded', 'a budget that is used up';
    $ws->close;
    $api->put('/api/budget', { max_hourly_usd => 0 }, 200);
};

subtest 'what is no turn' => sub {
    my $id = agent();
    my $ws = chat($id);
    $ws->say({ type => 'ping' });
    is of_socket($ws->next), 'pong', 'a ping';
    turn($ws, "number $_") for 1 .. 7;
    $ws->say({ type => 'command', command => 'compact' });
    is of_socket(grep { $_->{type} ne 'agents_updated' } $ws->until('compaction:complete')), 'compaction:started compaction:complete', 'a compaction';
    my $none = LF->mock(default => { status => 400 });
    $api->patch("/api/agents/$id/config", { base_url => $none->url, api_key_env => 'LF_MOCK_KEY' }, 200);
    turn($ws, "number $_") for 8 .. 20;
    $ws->say({ type => 'command', command => 'compact' });
    is of_socket(grep { $_->{type} ne 'agents_updated' } $ws->until('compaction:error')), 'compaction:started compaction:error', 'one that fails';
    $ws->close;
};

my %ends = map { $_ => 1 } $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_agent_loop_exits_total\{.*?reason="(\w+)"\} [1-9]/mg;
is_deeply [ sort keys %ends ], [qw(cancelled completed content_filtered error max_iterations)], 'how turns ended is counted';

# canvas and owner_notice belong to tools that are not there (doc/compatibility.md).
is_deeply [ sort keys %{ $seen{event} } ], [ sort keys %event ], 'every kind of event has been seen';
is_deeply [ sort keys %{ $seen{frame} } ], [ sort keys %frame ], 'and every kind of frame';

$api->finish;
done_testing;
