#!/usr/bin/perl
# Rules of agents, sessions and OpenAI's endpoints that hold for all rows, or that no other test looks at: sizes at their ends, words that are
# passed over, what is left out.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::WS;
use MIME::Base64 qw(encode_base64);
use Test::More;

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $up = LF->mock(when => [ [ 'call_t20' => { text => 'all read' } ], [ 'TWENTY' => { tool_calls => [ map { { id => "call_t$_", name => 'memory_recall', arguments => { key => "k$_" } } } 1 .. 20 ] } ], [ 'THINK' => { text => 'Thought.', reasoning => 'hm' } ], [ 'NEVER-EVER' => { hang => 1 } ] ], default => { text => 'fine', chunks => 3 });
my $api = LF->start(model => $up, timeout => 60, limits => "ws_messages_per_minute = 100\nws_idle_timeout_secs = 2\n");
my $nobody = '00000000-0000-4000-8000-000000000000';
my ($N, $JSON) = (0, 'application/json');
sub agent { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "ruled-' . ++$N . "\"\n" . ($more // '') }, 201)->{agent_id} }
sub last_asked { return $up->chats->[-1]{json}{messages}[-1] }
sub says { my ($r, $what, $name) = @_; return is $r->{error}, $what, $name }

# Nothing is said here until the end of the file: what comes is the comment that keeps a line open.
my $quiet = do { my $id = agent(); my $s = $api->later("/api/agents/$id/sessions/" . $api->get("/api/agents/$id", 200)->{session_id} . '/stream', '', method => 'GET'); $s->read_head; $s };

subtest 'every request' => sub {
    my $id = agent();
    my $deep = '{"message":' . '[' x 40 . ']' x 40 . '}';
    my $e = $api->post("/api/agents/$id/message", $deep, 400);
    is "$e->{code}: $e->{error}", 'validation_error: JSON nesting depth exceeds maximum of 32', 'is not nested deeper than 32';
    my %type = ('Content-Type' => $JSON);
    for my $r ([ GET => "/api/agents/$id" ], [ POST => "/api/agents/$id/stop" ], [ PUT => "/api/agents/$id/suspend" ], [ PUT => "/api/agents/$id/resume" ], [ GET => '/v1/models' ]) {
        is $api->raw(@$r, { headers => {%type} })->{status}, 200, "$r->[0] $r->[1]: a media type without a body is passed over";
        is $api->raw(@$r, { headers => {%type}, content => '{}' })->{status}, 200, '  and so is a body that is not wanted' if $r->[0] ne 'GET';
    }
    my $r = $api->raw(GET => '/api/agents', { headers => { 'Accept-Language' => 'de', 'X-Request-Id' => 'mine' } });
    is $r->{headers}{'content-language'}, 'en', 'is answered in English';
    isnt $r->{headers}{'x-request-id'}, 'mine', 'under an id of ours';
    $r = $api->raw(GET => '/api/agents', { headers => { Authorization => undef } });
    is_deeply [ $r->{headers}{'www-authenticate'}, $r->{json}{error} ], [ 'Bearer', 'Missing Authorization: Bearer <api_key> header' ], 'without a key it is said what is missing';
    $r = $api->raw(GET => '/v1/models', { headers => { Authorization => 'Bearer x' } });
    is_deeply [ $r->{headers}{'www-authenticate'}, $r->{json}{error}{message} ], [ 'Bearer', 'Invalid API key' ], '  with a wrong one that it is wrong';
    $r = $api->raw(GET => '/v1/models', { headers => { Authorization => undef, 'X-API-Key' => $api->key } });
    is $r->{status}, 200, '  it may come as X-API-Key';
};

subtest 'pages' => sub {
    agent() for 1 .. 3;
    for my $p ('/api/agents', '/api/sessions') {
        my $all = $api->get($p, 200);
        my $total = $all->{total};
        is $api->get("$p?limit=99999", 200)->{limit}, 500, "$p: a limit that is too large is the largest";
        is_deeply [ @{ $api->get("$p?limit=0", 200) }{qw(items total)} ], [ [], $total ], '  none is an empty page';
        is_deeply $api->get("$p?offset=" . ($total + 5), 200)->{items}, [], '  beyond the end there is nothing';
        is_deeply [ map { $_->{id} // $_->{session_id} } @{ $api->get("$p?offset=1&limit=2", 200)->{items} } ], [ map { $_->{id} // $_->{session_id} } @{ $all->{items} }[ 1, 2 ] ], '  a part of it';
        $api->get("$p?$_", 400) for 'limit=x', 'offset=-1', 'limit=1.5', 'offset=';
    }
    is $api->get('/api/sessions', 200)->{limit}, 50, 'fifty sessions are a page';
    says $api->get('/api/agents?sort=size', 400), "Invalid sort field 'size'. Valid fields: [\"name\", \"created_at\", \"last_active\", \"state\"]", 'an order by nothing that there is';
    is_deeply [ map { $_->{name} } @{ $api->get('/api/agents?order=sideways', 200)->{items} } ], [ map { $_->{name} } @{ $api->get('/api/agents', 200)->{items} } ], 'an unknown direction is the usual one';
    $api->get("/api/agents?include_hands=maybe", 400);
    $api->del('/api/agents/' . agent() . '?confirm=1', 400);
};

subtest 'a socket that says nothing' => sub {
    my $ws = LF::WS->open($api, '/api/agents/' . agent() . '/ws');
    my @all;
    while (my $m = $ws->next) { push @all, $m }
    is_deeply $all[-1], { type => 'error', content => 'Connection closed due to inactivity (2s timeout)' }, 'is told why';
    is $ws->code, 1000, 'and closed';
};

subtest 'begun anew over a socket' => sub {
    my $id = agent();
    my $ws = LF::WS->open($api, "/api/agents/$id/ws");
    $ws->turn('hello');
    $ws->say({ type => 'command', command => 'reboot' });
    is_deeply [ @{ ($ws->until('command_result'))[-1] }{qw(command message)} ], [ 'reboot', 'Session rebooted. Context cleared.' ], 'reboot';
    is $api->get("/api/agents/$id/session", 200)->{message_count}, 0, '  clears the history';
    is_deeply $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs}, [], '  and keeps nothing of it';
    $ws->turn('hello');
    $ws->say({ type => 'command', command => 'usage' });
    like +($ws->until('command_result'))[-1]{message}, qr/^Session usage: ~\d+ in \/ ~\d+ out \(~\d+ total\)(?: \| \$\d+\.\d{4})?$/, 'usage';
    $ws->say({ type => 'command', command => 'model', args => '' });
    like +($ws->until('command_result'))[-1]{message}, qr/^Current model: mock-model \(provider: openai\)$/, 'model';
    $ws->say({ type => 'command', args => 'x' });
    is +($ws->until('error'))[-1]{content}, 'Unknown command: ', 'no command';
    $ws->close;
};

subtest "OpenAI's messages" => sub {
    agent("[capabilities]\ntools = []\n");
    my $name = "ruled-$N";
    my $chat = sub { my ($messages, %more) = @_; return $api->post('/v1/chat/completions', { model => "librefang:$name", messages => $messages, %more }, 200) };
    my $r = $chat->([ { role => 'user', content => 'one' }, { role => 'assistant', content => 'x' }, { role => 'user', content => 'two' }, { role => 'assistant', content => 'y' } ]);
    is last_asked()->{content}, 'two', 'of several the latest of the user counts';
    is_deeply [ sort keys %$r ], [qw(choices created id model object usage)], 'the answer has what it is to have';
    is_deeply [ @$r{qw(object model)}, $r->{choices} ], [ 'chat.completion', $name, [ { index => 0, message => { role => 'assistant', content => 'fine' }, finish_reason => 'stop' } ] ], '  in its words';
    like $r->{id}, qr/^chatcmpl-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/, '  under an id';
    is $r->{usage}{total_tokens}, $r->{usage}{prompt_tokens} + $r->{usage}{completion_tokens}, '  with a sum';
    $chat->([ { role => 'user', content => [ { type => 'text', text => 'put ' }, { type => 'input_audio', input_audio => {} }, { type => 'text', text => 'together' } ] } ]);
    is last_asked()->{content}, 'put together', 'parts of text are one, unknown ones passed over';
    $chat->([ { role => 'critic', content => 'as if it were a user' } ]);
    is last_asked()->{content}, 'as if it were a user', 'an unknown role is the user';
    my $png = sub { my ($n) = @_; return 'data:image/png;base64,' . encode_base64("\x89PNG\r\n\x1a\n" . 'x' x ($n - 8), '') };
    my $images = sub { my $c = last_asked()->{content}; return ref $c ? scalar grep { $_->{type} eq 'image_url' } @$c : 0 };
    my $with = sub { my ($url) = @_; $chat->([ { role => 'user', content => [ { type => 'text', text => 'look' }, { type => 'image_url', image_url => { url => $url } } ] } ]); return $images->() };
    is $with->($png->(100)), 1, 'a picture is seen';
    is $with->($_), 0, '  not ' . substr $_, 0, 30 for 'https://example.com/a.png', 'data:image/svg+xml;base64,PHN2Zy8+', 'data:image/png;base64,%%%', 'data:text/plain;base64,eA==', $png->(5 * 1024 * 1024 + 1);
    my $models = $api->get('/v1/models', 200);
    my ($m) = grep { $_->{id} eq "librefang:$name" } @{ $models->{data} };
    is_deeply [ $models->{object}, @$m{qw(object owned_by)} ], [ 'list', 'model', 'librefang' ], 'the agent is one of the models';
    like $m->{created}, qr/^\d{10}$/, '  made at some time';
};

subtest 'an agent of a hand' => sub {
    my $id = agent("tags = [\"hand:news\", \"daily\"]\n");
    is scalar(grep { $_->{id} eq $id } @{ $api->get('/api/agents', 200)->{items} }), 0, 'is not in the list';
    my ($me) = grep { $_->{id} eq $id } @{ $api->get('/api/agents?include_hands=true', 200)->{items} };
    is $me->{is_hand}, $yes, '  unless it is asked for';
    is $api->del("/api/agents/$id?confirm=true", 409)->{code}, 'hand_agent_delete_denied', 'is not deleted by itself';
    my $r = $api->del('/api/agents/bulk', { agent_ids => [ $id, 'x', $nobody ] }, 200);
    is_deeply [ map { $_->{error} } @{ $r->{results} } ], [ 'Cannot delete a hand-spawned agent directly; deactivate or uninstall the owning hand instead.', 'Invalid agent ID', 'Agent not found' ], '  nor among others';
    is_deeply [ @$r{qw(total succeeded failed)} ], [ 3, 0, 3 ], '  which is counted';
    is $api->get("/api/agents/$id", 200)->{is_hand}, $yes, '  it is still there';
    my $copy = $api->post("/api/agents/$id/clone", { new_name => 'copied' }, 201)->{agent_id};
    is_deeply [ @{ $api->get("/api/agents/$copy", 200) }{qw(is_hand tags)} ], [ $no, ['daily'] ], 'a copy of it is nobody\'s';
    is scalar(grep { $_->{id} eq "librefang:ruled-$N" } @{ $api->get('/v1/models', 200)->{data} }), 1, 'and one may talk to it';
};

subtest 'many at once' => sub {
    says $api->post('/api/agents/bulk', { agents => [] }, 400), 'bulk array is empty', 'none';
    says $api->post('/api/agents/bulk', { agents => [ map { { manifest_toml => "name = \"b-$_\"" } } 1 .. 51 ] }, 400), 'bulk array size 51 exceeds maximum 50', 'too many';
    says $api->del('/api/agents/bulk', { agent_ids => [] }, 400), 'bulk array is empty', 'none to delete';
    $api->raw(DELETE => '/api/agents/bulk', { headers => { 'Content-Type' => $JSON } });
    is $api->last->{status}, 400, 'nor with no body at all';
    is_deeply [ map { $_->{message} } @{ $api->post('/api/agents/bulk/stop', { agent_ids => [ $nobody ] }, 200)->{results} } ], ['No active run'], 'stopping who is not there succeeds';
    is_deeply [ map { $_->{error} } @{ $api->post('/api/agents/bulk/start', { agent_ids => [ $nobody ] }, 200)->{results} } ], ['Agent not found'], 'starting does not';
    my $r = $api->post('/api/agents/bulk', { agents => [ map { { manifest_toml => 'name = "twice"' } } 1 .. 2 ] }, 200);
    is_deeply [ map { $_->{success} ? 1 : 0 } @{ $r->{results} } ], [ 1, 0 ], 'a name counts against those after it';
};

subtest 'what is made of a body' => sub {
    is $api->post('/api/agents', $_, 400)->{code}, 'invalid_json', "no agent from $_" for '{"manifest_toml":null}', '{"other":1}', '[]', 'x', '{"manifest_toml":"name = \"a\"","template":null}';
    is $api->call(POST => '/api/agents', '{"manifest_toml":"name = \"of-any-type\""}', 201, { 'Content-Type' => 'text/plain' })->{name}, 'of-any-type', 'whatever its media type';
    is $api->post('/api/agents', { manifest_toml => '# ' . 'x' x (1 << 20) }, 413)->{code}, 'manifest_too_large', 'not of more than a MiB';
    says $api->post('/api/agents', {}, 400), "Either 'manifest_toml' or 'template' is required", 'nor of nothing';
    says $api->post('/api/agents', { template => '../x' }, 400), 'Invalid template name', 'nor of a path';
    says $api->post('/api/agents', { template => 'no-such' }, 404), "Template 'no-such' not found", 'nor of what is not there';
    says $api->post('/api/agents', { manifest_toml => 'name = "twice"' }, 409), 'Agent error: Agent already exists: twice', 'nor under a name that is taken';
    is $api->post('/api/agents', { manifest_toml => 'name = "x"', name => '  trimmed  ' }, 201)->{name}, 'trimmed', 'the name beside it counts, without blanks around';
};

subtest 'what a manifest may say' => sub {
    my $try = sub { my ($toml, $status) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "said-' . ++$N . "\"\n$toml\n" }, $status) };
    $try->($_, 201) for 'skills = "x"', 'tags = 5', 'tool_allowlist = { a = 1 }', "[capabilities]\ntools = 1", 'tools = 5', "[tools.x]\nparams = 5", 'metadata = 5', 'fallback_models = 5', 'unknown_key = 1',
        "[unknown.table]\nx = 1", 'schedule = { continuous = {} }', 'max_history_messages = 0', 'max_concurrent_invocations = 0', 'response_format = { type = "json_schema", name = "n", schema = {} }',
        'exec_policy = "restricted"', "[exec_policy]\nmode = \"full\"\ntimeout_secs = 5", "[workspaces.w]\npath = \"shared/w\"\nmode = \"rw\"", "[channel_overrides]\ndm_policy = \"respond\"\nallowed_commands = 5",
        "[skill_workshop]\nreview_mode = \"none\"", "[context_engine]\nengine = \"default\"\nplugin_stack_weights = [1.5]\n[context_engine.hooks]\ningest = \"x.py\"", "[[context_injection]]\nname = \"a\"\ncontent = \"b\"";
    my @bad = (
        [ 'priority = "low"' => 'priority' ], [ 'session_mode = "New"' => 'session_mode' ], [ 'profile = "x"' => 'profile' ], [ 'enabled = "yes"' => 'enabled' ], [ 'version = 1' => 'version' ],
        (map { [ qq(module = "$_") => 'module' ] } 'python:../x', 'wasm:/abs', 'other:x', 'python:', 'wasm:C:x'), (map { [ qq(workspace = "$_") => 'workspace' ] } '../x', '/etc'),
        [ "[capabilities]\nagent_spawn = \"x\"" => 'capabilities.agent_spawn' ], [ "[[fallback_models]]\nprovider = 5" => 'fallback_models[0].provider' ], [ 'tool_exec_backend = "docker"' => 'tool_exec_backend' ],
        [ 'exec_policy = "maybe"' => 'exec_policy' ], [ "[exec_policy]\nmode = \"x\"" => 'exec_policy' ], [ "[exec_policy]\ntimeout_secs = \"x\"" => 'exec_policy.timeout_secs' ],
        [ "[workspaces.w]\npath = \"w\"\nmode = \"x\"" => 'workspaces.w' ], [ "[workspaces.w]\npath = \"../x\"" => 'workspaces.w' ], [ "[workspaces.w]\nmount = \"x\"" => 'workspaces.w' ], [ 'workspaces = 5' => 'workspaces' ], [ "[workspaces]\nw = 5" => 'workspaces.w' ],
        [ "[channel_overrides]\ndm_policy = \"x\"" => 'channel_overrides.dm_policy' ], [ "[channel_overrides]\nrate_limit_per_user = \"x\"" => 'channel_overrides.rate_limit_per_user' ],
        [ "[skill_workshop]\nmax_pending = -1" => 'skill_workshop.max_pending' ], [ "[context_engine]\nengine = 5" => 'context_engine.engine' ], [ 'response_format = { type = "json_schema" }' => 'response_format' ],
        [ 'response_format = { type = "x" }' => 'response_format.type' ], [ "[[context_injection]]\nname = \"a\"" => 'context_injection' ], [ "[model]\nmax_tokens = -5" => 'model.max_tokens' ],
        [ 'schedule = "x"' => 'schedule' ], [ "[autonomous]\nquiet_hours = \"25:00-26:00\"" => 'autonomous.quiet_hours' ],
    );
    for my $b (@bad) {
        my $e = $try->($b->[0], 400);
        like "$e->{code} $e->{error}", qr/^invalid_manifest Invalid manifest: (?:line \d+: )?\Q$b->[1]\E: /, "$b->[1] is named: $e->{error}";
    }
};

subtest 'its settings' => sub {
    my $id = agent();
    my $c = "/api/agents/$id/config";
    $api->patch($c, { $_->[0] => 'x' x $_->[1] }, 200) for [ name => 256 ], [ description => 4096 ], [ system_prompt => 65536 ];
    $api->patch($c, { $_->[0] => 'x' x $_->[1] }, 413) for [ name => 257 ], [ description => 4097 ], [ system_prompt => 65537 ];
    my $name = $api->get("/api/agents/$id", 200)->{name};
    $api->patch($c, { name => '', model => '', provider => '' }, 200);
    is $api->get("/api/agents/$id", 200)->{name}, $name, 'an empty name is passed over';
    says $api->patch($c, { temperature => $_ }, 400), 'temperature must be between 0.0 and 2.0', "temperature $_" for -0.1, 2.1;
    says $api->patch($c, { max_tokens => 0 }, 400), 'max_tokens must be greater than 0', 'no tokens';
    $api->patch($c, $_, 400) for { top_p => 1.1 }, { frequency_penalty => -2.1 }, { presence_penalty => 2.1 };
    $api->patch($c, { temperature => 0.1, top_p => 1, frequency_penalty => -2, presence_penalty => 2, max_tokens => 1 }, 200);
    my $m = $api->get("/api/agents/$id", 200)->{model};
    is_deeply [ @$m{qw(temperature top_p frequency_penalty presence_penalty max_tokens)} ], [ 0.1, 1, -2, 2, 1 ], 'at their ends they hold';
    $api->patch($c, { temperature => undef, top_p => undef }, 200);
    is $api->get("/api/agents/$id", 200)->{model}{temperature}, 0.1, 'null keeps what is there';
    $api->patch($c, { description => 'new', temperature => 9 }, 400);
    isnt $api->get("/api/agents/$id", 200)->{description}, 'new', 'of what is refused nothing is taken';
    $api->patch("/api/agents/$id/identity", { color => 'red' }, 400);
    $api->patch("/api/agents/$id/identity", { avatar_url => 'ftp://x' }, 400);
    $api->patch("/api/agents/$id/identity", { color => '', avatar_url => '' }, 200);
    $api->put("/api/agents/$id/mode", { mode => $_ }, 422) for 'x', 1, undef;
    says $api->put("/api/agents/$id/model", {}, 400), "Missing 'model' field", 'a model that is not named';
    $api->put("/api/agents/$id/tools", $_, 400) for {}, { disabled => undef };
    is $api->post("/api/agents/$id/clone", $_->[0], $_->[1])->{code} ne '', 1, "clone: $_->[1]" for [ { new_name => 'x' x 257 }, 413 ], [ { new_name => '  ' }, 400 ], [ {}, 422 ];
};

subtest 'its files' => sub {
    my $id = agent();
    my $f = "/api/agents/$id/files";
    is_deeply [ map { $_->{name} } @{ $api->get($f, 200)->{files} } ], [qw(SOUL.md IDENTITY.md USER.md TOOLS.md MEMORY.md AGENTS.md BOOTSTRAP.md HEARTBEAT.md)], 'are eight, in their order';
    is_deeply $api->put("$f/SOUL.md", { content => 'x' x 32768 }, 200), { status => 'ok', name => 'SOUL.md', size_bytes => 32768 }, 'of 32 KiB at most';
    says $api->put("$f/SOUL.md", { content => 'x' x 32769 }, 413), 'File content too large (max 32KB)', '  not more';
    says $api->get("$f/other.md", 400), 'File is not in whitelist', 'no others';
    $api->put("$f/SOUL.md", $_, 422) for {}, { content => 'x', other => 1 };
    is_deeply $api->del("$f/SOUL.md", 200), { status => 'ok', name => 'SOUL.md' }, 'they may go';
    says $api->get("$f/SOUL.md", 404), 'File not found', '  and are gone';
};

subtest 'what is sent to it' => sub {
    my $id = agent();
    my $u = "/api/agents/$id/upload";
    my $send = sub { my ($body, $type, $status) = @_; return $api->call(POST => $u, $body, $status, { 'Content-Type' => $type, 'X-Filename' => 'f' }) };
    says $send->('x', $_, 400), 'Unsupported content type. Allowed: image/*, text/*, audio/*, application/pdf', "not $_" for qw(text/html text/xml application/zip image/svg+xml video/mp4 audio/midi);
    is $send->('x', $_, 201)->{content_type}, $_, $_ for 'text/markdown; charset=utf-8', 'Application/JSON', 'audio/x-wav', 'application/x-ipynb+json';
    says $send->('', 'text/plain', 400), 'Empty file body', 'nothing is no file';
    my $e = $send->('x' x (10 * 1024 * 1024 + 1), 'text/plain', 413);
    is_deeply [ @$e{qw(error max_upload_size_bytes declared_bytes)} ], [ 'upload exceeds max_upload_size_bytes', 10485760, 10485761 ], 'one that is too large is refused by its length';
    $api->post("/api/agents/$nobody/upload", 'x', 404, { 'Content-Type' => 'text/plain' });
    says $api->get('/api/uploads/x', 400), 'Invalid file ID', 'an id that is none';
};

subtest 'its sessions' => sub {
    my $id = agent();
    my $long = 'one  two ' . 'word ' x 30;
    my $r = $api->post("/api/agents/$id/message", { message => $long }, 200);
    my ($s) = grep { $_->{session_id} eq $r->{session_id} } @{ $api->get('/api/sessions?limit=500', 200)->{items} };
    is $s->{label}, substr('one two ' . 'word ' x 30, 0, 60) . "\x{2026}", 'without a label one shows the first words, sixty signs of them';
    is $api->get("/api/agents/$id/sessions", 200)->{sessions}[0]{label}, undef, '  where only labels are shown it has none';
    is $api->get("/api/sessions/$s->{session_id}", 200)->{duration_ms} =~ /^\d+$/, 1, 'from the first message to the last';
    my $empty = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    is_deeply [ @{ $api->get("/api/sessions/$empty", 200) }{qw(duration_ms label message_count)} ], [ undef, undef, 0 ], 'an empty one takes no time';
    $api->put("/api/sessions/$empty/label", { label => 'x' x 128 }, 200);
    $api->put("/api/sessions/$empty/label", { label => $_ }, 400) for 'x' x 129, '   ', 'a/b', '';
    is $api->put("/api/sessions/$empty/label", { label => " Gr\x{fc}\x{df}e_an-2 " }, 200)->{label}, "Gr\x{fc}\x{df}e_an-2", 'a label has letters of any script, and no blanks around';
    is $api->put("/api/sessions/$empty/label", {}, 200)->{label}, undef, '  and goes';
    $api->del("/api/sessions/$empty", 204);
    $api->del("/api/sessions/$empty", 204);
    is $api->get("/api/agents/$id", 200)->{session_id}, $empty, 'the current one that is deleted is begun anew';
    is $api->get("/api/agents/$id/session", 200)->{message_count}, 0, '  empty';
    my $x = $api->get("/api/agents/$id/sessions/$r->{session_id}/export", 200);
    is_deeply [ sort keys %$x ], [qw(agent_id agent_name context_window_tokens exported_at label messages metadata session_id version)], 'an export has what it is to have';
    $api->patch("/api/sessions/$r->{session_id}/model", $_, 400) for {}, { model_override => '' }, { model_override => 5 }, { model_override => 'a/' }, { model_override => '/b' };
    is $api->patch("/api/sessions/$r->{session_id}/model", { model_override => undef }, 200)->{model_override}, undef, 'no model of its own';
};

subtest 'what is told of it' => sub {
    my $id = agent();
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200) for 1 .. 2;
    my $l = $api->get("/api/agents/$id/logs?n=x&offset=y", 200);
    is_deeply [ @$l{qw(count offset)} ], [ scalar @{ $l->{logs} }, 0 ], 'numbers that are none are the usual ones';
    ok $l->{logs}[0]{seq} > $l->{logs}[-1]{seq}, 'the newest first';
    is scalar @{ $api->get("/api/agents/$id/logs?n=1", 200)->{logs} }, 1, 'as many as one wants';
    is scalar(grep { lc $_->{outcome} ne 'ok' } @{ $api->get("/api/agents/$id/logs?level=OK", 200)->{logs} }), 0, 'of one outcome';
    is_deeply $api->get("/api/agents/ruled-$N/deliveries?limit=x", 200), { agent_id => $id, count => 0, receipts => [] }, 'what was delivered, by its name';
    is scalar @{ $api->get("/api/agents/$id/events?limit=1", 200)->{events} }, 1, 'calls of models';
    is_deeply [ sort keys %{ $api->get("/api/agents/$id/events", 200)->{events}[0] } ], [qw(cost_usd input_tokens latency_ms model output_tokens provider timestamp tool_calls)], '  each with what it took';
    says $api->get('/api/agents/x/events', 400), 'Invalid agent ID', 'of an id that is none';
    my $st = $api->get("/api/agents/$id/stats", 200);
    is_deeply [ @$st{qw(sessions_24h active_now samples)}, sort keys %{ $st->{prev} } ], [ 1, 1, 2, qw(cost_24h p95_latency_ms sessions_24h) ], 'its day';
    my $ctx = $api->get("/api/agents/$id/session/context", 200);
    is_deeply [ sort keys %$ctx ], [qw(max_context_tokens max_context_tokens_assumed max_context_tokens_source model pct pressure used_tokens)], 'how full its window is';
    is $api->get("/api/agents/$id/session/context?session_id=$nobody", 404)->{code}, 'session_agent_mismatch', '  of its own sessions';
    is_deeply $api->get("/api/agents/$id/traces", 200), { traces => [] }, 'no tool was used';
    says $api->post("/api/agents/$id/push", { channel => 'x', recipient => '', message => 'y' }, 400), 'channel, recipient, and message are required', 'to nobody nothing is sent';
    is $api->post("/api/agents/$id/inject", { message => 'x' x 16384, session_id => '' }, 200)->{injected}, $no, 'nothing runs that one could speak into';
    says $api->post("/api/agents/$id/inject", { message => 'x' x 16385 }, 413), 'injection message too large', '  least of all at length';
    says $api->post('/api/agents/identities/ruled-1/reset', undef, 409), $api->last->{json}{message}, 'an identity is not forgotten by mistake';
    says $api->post('/api/agents/identities/no-such/reset?confirm=true', undef, 404), "no canonical UUID recorded for agent name 'no-such'", '  nor one that is not known';
};

subtest 'how it is shown' => sub {
    my $item = sub { my ($id) = @_; return (grep { $_->{id} eq $id } @{ $api->get('/api/agents', 200)->{items} })[0] };
    my %plan = ('' => 'manual', "schedule = { periodic = { cron = \"0 9 1 1 *\" } }\n" => '0 9 1 1 *', "schedule = { proactive = { conditions = [\"memory:x\"] } }\n" => 'proactive',
        "schedule = { continuous = { check_interval_secs = 86400 } }\n" => "continuous \x{b7} 86400s");
    for my $plan (sort keys %plan) {
        my $id = agent($plan);
        is $item->($id)->{schedule}, $plan{$plan}, "$plan{$plan}: in the list";
        is $api->get("/api/agents/$id", 200)->{schedule}, $plan{$plan}, '  and by itself';
    }
    my $modes = sub { my $a = $api->get('/api/agents/' . agent($_[0]), 200); return "$a->{skills_mode} $a->{mcp_servers_mode}" };
    is $modes->(''), 'all none', 'without a word: all skills, no servers';
    is $modes->("skills = [\"a\"]\nmcp_servers = [\"b\"]\n"), 'allowlist allowlist', 'with names: those';
    is $modes->("skills = [\"a\"]\nskills_disabled = true\nmcp_servers = [\"b\", \"*\"]\n"), 'none all', 'none, and all';
    my $id = agent();
    is_deeply [ @{ $item->($id) }{qw(state mode ready sessions_24h is_hand profile source_template force_session_wipe children)} ], [ 'Running', 'full', $yes, 1, $no, undef, undef, $no, [] ], 'a new one';
    $api->put("/api/agents/$id/suspend", undef, 200);
    is_deeply [ @{ $item->($id) }{qw(state ready)} ], [ 'Suspended', $no ], 'one at rest is not ready';
    is $item->(agent("[model]\nprovider = \"anthropic\"\nmodel = \"claude-sonnet-4-20250514\"\n"))->{ready}, $no, 'nor is one whose provider has no key';
    is $item->(agent())->{model_name}, 'mock-model', 'the model is the one that answers';
};

subtest 'what a message may be' => sub {
    my $id = agent();
    my $m = "/api/agents/$id/message";
    my $says = sub { my ($more, $status) = @_; return $api->post($m, { message => 'hello', %$more }, $status) };
    $says->($_, 422) for { other => 1 }, { attachments => [ { file_id => $nobody, other => 1 } ] }, { attachments => [ {} ] }, { reasoning_mode => 'some' }, { thinking => 'yes' }, { group_participants => [ { jid => 1 } ] };
    is $says->({ session_id => 'x' }, 400)->{code}, 'invalid_session_id', 'a session is a UUID';
    is $says->({ attachments => [ { file_id => 'x' }, { file_id => $nobody } ] }, 200)->{response}, 'fine', 'files that are not there are passed over';
    $says->({ group_participants => [ { jid => 'a', display_name => 'b' } ], is_group => $yes, was_mentioned => $yes, sender_id => 's', sender_name => 'S', channel_type => 'telegram', reasoning_mode => 'none' }, 200);
    is last_asked()->{content}, '[S]: hello', 'with a name before it';
    $says->({ sender_id => 's2', channel_type => 'telegram' }, 200);
    is last_asked()->{content}, '[s2]: hello', '  or what there is of one';
    my %by = map { $_ => $says->({ sender_id => 's', channel_type => $_ }, 200)->{session_id} } qw(cron ext-cron CRON autonomous ext-autonomous webui);
    is $by{cron}, $by{'ext-cron'}, 'channels that are ours to use are others from outside';
    is $by{CRON}, $by{cron}, '  in any letters';
    is scalar(keys %{ { map { $_ => 1 } @by{qw(cron autonomous webui)} } }), 3, '  each its own';
    my $session = $says->({}, 200)->{session_id};
    is $says->({ session_id => $session }, 200)->{session_id}, undef, 'whoever names the session is not told it';
    is $api->post($m, { message => $_->[1] }, $_->[2])->{code} // 'good', $_->[3], $_->[0] for [ 'a hundred thousand signs' => 'x' x 100_000, 200, 'good' ], [ 'one more' => 'x' x 100_001, 413, 'message_too_large' ],
        [ '256 KiB' => "\x{1f600}" x 65536, 200, 'good' ], [ 'four bytes more' => "\x{1f600}" x 65537, 413, 'message_too_large' ];
    my $busy = agent();
    is $api->post("/api/agents/$busy/message", { message => 'TWENTY' }, 200)->{response}, 'all read', 'twenty tools';
    is scalar @{ $api->get("/api/agents/$busy/traces", 200)->{traces} }, 15, '  of which fifteen are told';
    my ($t) = @{ $api->get("/api/agents/$busy/traces", 200)->{traces} };
    is_deeply [ sort keys %$t ], [qw(execution_ms input is_error iteration output_summary rationale recovered_from_text timestamp tool_name tool_use_id)], '  each with what it is to have';
};

subtest 'a line that is quiet' => sub {
    my $got = '';
    ok $api->wait_for(sub { $quiet->more; $got .= delete($quiet->{in}) // ''; $quiet->{in} = ''; $got =~ /: keep-alive\r?\n\r?\n/ }, 60), 'is kept by a comment' or diag $got;
    $quiet->close;
};

$api->finish;
done_testing;
