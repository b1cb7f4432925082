#!/usr/bin/perl
# What is set on agents, many at once, copies, files, and what they have done: each row works, and
# what is refused changes nothing.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use Test::More;

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key');
my $up = LF->mock(when => [ [ '"role":"tool"' => { text => 'noted' } ], [ 'USE-A-TOOL' => { tool_calls => [ { name => 'memory_store', arguments => { key => 'x', value => 'y' } } ], text => 'I shall note that.' } ],
    [ 'NEVER-EVER' => { hang => 1 } ], [ 'BROKEN' => { status => 400, body => { error => { message => 'no' } } } ] ], default => { text => 'fine' });
my $api = LF->start(model => $up, config => join '', "[proactive_memory]\nenabled = false\n", map {
    my ($role) = $keys{$_} =~ /-(\w+)-key$/;
    qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n)
} sort keys %keys);
my ($null, $true, $false) = (undef, JSON::PP::true, JSON::PP::false);
my $nobody = '00000000-0000-4000-8000-000000000000';
my $n = 0;

sub as { return { Authorization => "Bearer $keys{$_[0]}" } }
sub spawn { my ($name, $more) = @_; $name //= 'made-' . ++$n; return $api->post('/api/agents', { manifest_toml => qq(name = "$name"\n) . ($more // '') }, 201)->{agent_id} }
sub show { return $api->get("/api/agents/$_[0]", 200) }
sub total { return $api->get('/api/agents', 200)->{total} }
sub spew { my ($file, $text) = @_; open my $f, '>', $file or die "$file: $!"; print $f $text; close $f or die; return }
sub workspace { return (glob $api->home . "/workspaces/agents/$_[0]*")[0] }

subtest 'what it looks like' => sub {
    my $id = spawn();
    is $api->patch("/api/agents/$id/identity", { emoji => 'x', color => '#123456' }, 200)->{status}, 'ok', 'it is set';
    $api->patch("/api/agents/$id/identity", { emoji => $null, avatar_url => 'https://example.org/a.png', vibe => 'calm' }, 200);
    is_deeply show($id)->{identity}, { emoji => 'x', color => '#123456', avatar_url => 'https://example.org/a.png' }, 'what is not sent stays';
    $api->patch("/api/agents/$id/identity", { color => '' }, 200);
    is show($id)->{identity}{color}, '', 'an empty text clears';
    for my $bad ({ color => 'red' }, { avatar_url => 'javascript:alert(1)' }, { avatar_url => '/x' }) { $api->patch("/api/agents/$id/identity", $bad, 400) }
    for my $bad ({ emoji => 5 }, { colour => '#fff' }, []) { $api->patch("/api/agents/$id/identity", $bad, 422) }
    for my $bad ({ emoji => 'e' x 257 }, { color => '#' . 'f' x 64 }, { avatar_url => 'data:' . 'x' x 65536 }) { $api->patch("/api/agents/$id/identity", $bad, 413) }
    $api->patch("/api/agents/$id/identity", { $_ => 'v' x 4097 }, 413) for qw(archetype vibe greeting_style);
    is show($id)->{identity}{emoji}, 'x', 'and nothing changed';
    $api->patch("/api/agents/$id/identity", { avatar_url => 'HTTPS://example.org/a.png' }, 200);
    is_deeply [ map { $_->{identity}{emoji} } grep { $_->{id} eq $id } @{ $api->get('/api/agents', 200)->{items} } ], ['x'], 'the list shows it';
    $api->patch("/api/agents/$nobody/identity", {}, 404);
};

subtest 'configuration' => sub {
    my ($id, $other) = (spawn('conf'), spawn('conf-other'));
    my $r = $api->patch("/api/agents/$id/config", { name => 'conf', description => 'what for', system_prompt => 'Be brief.', emoji => 'e', model => 'gpt-4o-mini', provider => 'openai',
        max_tokens => 100, temperature => 0.1, top_p => 0.9, frequency_penalty => -1, presence_penalty => 1.5, context_window => 32000, max_output_tokens => 500,
        fallback_models => [ { provider => 'offline', model => 'offline' } ], web_search_augmentation => 'off', api_key_env => ' MY_KEY ', base_url => 'http://127.0.0.1:9/v1' }, 200);
    is_deeply $r, { status => 'ok', agent_id => $id, warnings => [] }, 'all at once';
    my $a = show($id);
    is_deeply [ @{ $a->{model} }{qw(provider model max_tokens temperature top_p frequency_penalty presence_penalty context_window max_output_tokens)} ],
        [ 'openai', 'gpt-4o-mini', 100, 0.1, 0.9, -1, 1.5, 32000, 500 ], 'the model is as it was said';
    is_deeply [ @$a{qw(description system_prompt web_search_augmentation)} ], [ 'what for', 'Be brief.', 'off' ], 'and the rest';
    is $a->{fallback_models}[0]{provider}, 'offline', 'and what is asked else';
    is $a->{identity}{emoji}, 'e', 'and what it looks like';
    like LF::slurp(workspace('conf') . '/agent.toml'), qr/^temperature = 0\.1$/m, 'agent.toml says so too';
    like LF::slurp(workspace('conf') . '/agent.toml'), qr/^api_key_env = "MY_KEY"$/m, 'without the blanks';
    $api->patch("/api/agents/$id/config", { temperature => $null, model => '', name => '', api_key_env => '', base_url => ' ' }, 200);
    is show($id)->{model}{temperature}, 0.1, 'null and empty keep';
    unlike LF::slurp(workspace('conf') . '/agent.toml'), qr/api_key_env|base_url/, 'but an empty name of a key or address clears it';
    my $before = show($id);
    for my $bad ({ temperature => 2.1 }, { temperature => -0.1 }, { top_p => 1.1 }, { frequency_penalty => 3 }, { presence_penalty => -2.5 }, { max_tokens => 0 }, { max_tokens => -5 },
        { context_window => -1 }, { color => 'red', description => 'other' }, { avatar_url => 'x' },
        { base_url => 'ftp://example.org' }, { base_url => 'no address' }, { base_url => 'http://' }, { base_url => 'http://a b' }, { model => "a\nb" }, { provider => "a\tb" }, { model => 'm' x 257 }) { $api->patch("/api/agents/$id/config", $bad, 400) }
    for my $bad ({ name => 'n' x 257 }, { description => 'd' x 4097 }, { system_prompt => 'p' x 65537 }) { $api->patch("/api/agents/$id/config", $bad, 413) }
    for my $bad ({ temperature => 'hot' }, { max_tokens => 1.5 }, { fallback_models => [ { provider => 'x' } ] }, { web_search_augmentation => 'maybe' }, { nonsense => 1 }, []) {
        $api->patch("/api/agents/$id/config", $bad, 422);
    }
    $api->patch("/api/agents/$id/config", { description => 'x', name => 'conf-other' }, 409);
    my $after = show($id);
    delete $_->{last_active} for $before, $after;
    is_deeply $after, $before, 'what is refused changes nothing';
    is $api->patch("/api/agents/$id/config", { name => 'renamed' }, 200)->{status}, 'ok', 'a new name';
    is show($id)->{name}, 'renamed', 'is its name';
};

subtest 'as clients of an older release change it' => sub {
    my $id = spawn('older');
    is $api->put("/api/agents/$id/update", { description => 'd', system_prompt => 's', tags => [ 'a', 'b' ] }, 200)->{status}, 'updated', 'parts of it';
    is_deeply [ @{ show($id) }{qw(description system_prompt)}, @{ show($id)->{tags} } ], [qw(d s a b)], 'are changed';
    $api->put("/api/agents/$id/update", { manifest_toml => qq(name = "z"\ndescription = "new"\n) }, 200);
    is_deeply [ @{ show($id) }{qw(name description)}, @{ show($id)->{tags} } ], [qw(older new a b)], 'a whole manifest: name and tags stay';
    $api->put("/api/agents/$id/update", $_, 400) for { manifest_toml => '[[[' }, { manifest_toml => 5 }, { tags => 'a' }, { tags => [5] }, [];
    is show($id)->{description}, 'new', 'what is refused changes nothing';
};

subtest 'tools' => sub {
    my $id = spawn(undef, "[capabilities]\ntools = [\"file_*\"]\n");
    is_deeply $api->get("/api/agents/$id/tools", 200), { capabilities_tools => ['file_*'], tool_allowlist => [], tool_blocklist => [], disabled => $false }, 'as the manifest says';
    my $r = $api->put("/api/agents/$id/tools", { tool_allowlist => [ 'file_read', 'web_fetch', 'mcp_x_y', 'web_*' ], tool_blocklist => ['file_write'] }, 200);
    is scalar @{ $r->{warnings} }, 1, 'a name that the capabilities leave out is told';
    like $r->{warnings}[0], qr/web_fetch/, 'by name';
    is_deeply $api->get("/api/agents/$id/tools", 200)->{tool_blocklist}, ['file_write'], 'the rest is stored';
    is $api->put("/api/agents/$id/tools", { disabled => $true }, 200)->{disabled}, $true, 'off altogether';
    is show($id)->{tools_disabled}, $true, 'as the agent shows';
    $api->put("/api/agents/$id/tools", { tool_blocklist => [] }, 200);
    is $api->get("/api/agents/$id/tools", 200)->{disabled}, $true, 'that stays until it is sent';
    $api->put("/api/agents/$id/tools", $_, 400) for {}, { disabled => $null, tool_allowlist => $null };
    $api->put("/api/agents/$id/tools", $_, 422) for { tool_allowlist => 'x' }, { tool_allowlist => [5] }, { tools => [] }, [];
    $api->put("/api/agents/$nobody/tools", { disabled => $true }, 404);
};

subtest 'skills, servers, channels' => sub {
    my $id = spawn();
    is $api->get("/api/agents/$id/skills", 200)->{mode}, 'all', 'all skills';
    is $api->get("/api/agents/$id/mcp_servers", 200)->{mode}, 'none', 'no server';
    is $api->get("/api/agents/$id/channels", 200)->{mode}, 'all', 'all channels';
    is_deeply $api->put("/api/agents/$id/skills", { skills => [] }, 200), { status => 'ok', skills => [] }, 'skills are set';
    $api->put("/api/agents/$id/skills", $_, 400) for { skills => ['none-such'] }, { skills => 'x' }, { skills => [1] }, [];
    is_deeply $api->put("/api/agents/$id/mcp_servers", { mcp_servers => ['*'] }, 200), { status => 'ok', mcp_servers => ['*'] }, 'servers too';
    is $api->get("/api/agents/$id/mcp_servers", 200)->{mode}, 'all', 'all of them';
    $api->put("/api/agents/$id/mcp_servers", $_, 400) for { mcp_servers => ['none-such'] }, { mcp_servers => 'x' }, {}, [];
    is_deeply $api->put("/api/agents/$id/channels", { channels => ['telegram'] }, 200), { status => 'ok', channels => ['telegram'] }, 'and channels';
    is_deeply [ @{ $api->get("/api/agents/$id/channels", 200) }{qw(mode assigned)} ], [ 'allowlist', ['telegram'] ], 'only these';
    $api->put("/api/agents/$id/channels", $_, 400) for { channels => 'x' }, {}, [];
    $api->put("/api/agents/$nobody/$_->[0]", { $_->[0] => [] }, 404) for ['skills'], ['mcp_servers'], ['channels'];
};

subtest 'at rest' => sub {
    my $id = spawn('rest');
    my $run = $api->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
    $api->wait_for(sub { @{ $api->get("/api/agents/$id/runtime", 200) } == 1 });
    my $now = $api->get("/api/agents/$id/runtime", 200)->[0];
    is $now->{session_id}, show($id)->{session_id}, 'a turn that runs is told';
    is $now->{state}, 'running', 'as running';
    is_deeply $api->put("/api/agents/$id/suspend", undef, 200), { status => 'suspended', agent_id => $id }, 'put to rest';
    ok $api->wait_for(sub { !@{ $api->get("/api/agents/$id/runtime", 200) } }), 'its turn ends';
    $run->close;
    is show($id)->{state}, 'Suspended', 'and it shows';
    $api->post("/api/agents/$id/session/reboot", undef, 200);
    my $r = $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    is $r->{output_tokens}, 0, 'no model is asked';
    my @e = $api->stream("/api/agents/$id/message/stream", { message => 'hello' })->all;
    is_deeply [ map { [ @$_{qw(event id)} ] } @e ], [ [ 'done', undef ] ], 'a stream ends at once: there is nothing to read on from';
    is show($id)->{state}, 'Suspended', 'and it stays at rest';
    like LF::slurp(workspace('rest') . '/agent.toml'), qr/^enabled = false$/m, 'agent.toml says so';
    $api->put("/api/agents/$id/resume", undef, 200);
    is $api->post("/api/agents/$id/message", { message => 'hello' }, 200)->{response}, 'fine', 'awake it answers';
    $api->put("/api/agents/$nobody/$_", undef, 404) for qw(suspend resume);
};

subtest 'agent.toml read again' => sub {
    my $id = spawn('file', "tags = [\"t\"]\n");
    my $file = workspace('file') . '/agent.toml';
    is $api->post("/api/agents/$id/reload", undef, 200)->{status}, 'reloaded', 'as it was written';
    spew($file, qq(name = "other"\ndescription = "by hand"\n));
    $api->post("/api/agents/$id/reload", undef, 200);
    is_deeply [ @{ show($id) }{qw(name description)}, @{ show($id)->{tags} } ], [ 'file', 'by hand', 't' ], 'as somebody changed it; name and tags stay';
    spew($file, 'name = ');
    $api->post("/api/agents/$id/reload", undef, 400);
    unlink $file;
    $api->post("/api/agents/$id/reload", undef, 404);
    is show($id)->{description}, 'by hand', 'what is refused changes nothing';
};

subtest 'identity files' => sub {
    my $id = spawn('files');
    my $all = $api->get("/api/agents/$id/files", 200)->{files};
    is_deeply [ map { $_->{name} } @$all ], [ map {"$_.md"} qw(SOUL IDENTITY USER TOOLS MEMORY AGENTS BOOTSTRAP HEARTBEAT) ], 'eight of them';
    is scalar(grep { $_->{exists} && $_->{size_bytes} > 0 } @$all), 8, 'all there';
    is_deeply $api->put("/api/agents/$id/files/SOUL.md", { content => "K\x{e4}se" }, 200), { status => 'ok', name => 'SOUL.md', size_bytes => 5 }, 'written';
    is_deeply $api->get("/api/agents/$id/files/SOUL.md", 200), { name => 'SOUL.md', content => "K\x{e4}se", size_bytes => 5 }, 'read';
    is $api->del("/api/agents/$id/files/SOUL.md", 200)->{name}, 'SOUL.md', 'removed';
    $api->get("/api/agents/$id/files/SOUL.md", 404);
    $api->del("/api/agents/$id/files/SOUL.md", 404);
    for my $bad (qw(agent.toml OTHER.md soul.md .identity%2FSOUL.md ..%2F..%2Fconfig.toml SOUL.md%00)) {
        my @s = map { $api->raw($_, "/api/agents/$id/files/$bad", { $_ eq 'PUT' ? (headers => { 'Content-Type' => 'application/json' }, content => '{"content":""}') : () })->{status} } qw(GET PUT DELETE);
        is "@s", '400 400 400', "$bad is none of them";
    }
    $api->put("/api/agents/$id/files/USER.md", { content => 'x' x 32768 }, 200);
    $api->put("/api/agents/$id/files/USER.md", { content => 'x' x 32769 }, 413);
    $api->put("/api/agents/$id/files/USER.md", $_, 422) for {}, { content => 5 }, { content => 'x', more => 1 };
    is $api->get("/api/agents/$id/files/USER.md", 200)->{size_bytes}, 32768, 'what is refused changes nothing';
    my $dir = workspace('files');
    unlink "$dir/.identity/TOOLS.md";
    symlink '/etc/passwd', "$dir/.identity/TOOLS.md";
    $api->get("/api/agents/$id/files/TOOLS.md", 403);
    $api->put("/api/agents/$id/files/TOOLS.md", { content => 'x' }, 403);
    $api->del("/api/agents/$id/files/TOOLS.md", 403);
    system 'rm', '-rf', $dir;
    $api->get("/api/agents/$id/files", 404);
    $api->get("/api/agents/$nobody/files", 404);
};

subtest 'copies' => sub {
    my $id = spawn('model-agent', "tool_allowlist = [\"file_read\"]\nskills = [\"s\"]\n[model]\nsystem_prompt = \"Be kind.\"\n");
    $api->put("/api/agents/$id/files/SOUL.md", { content => 'a soul' }, 200);
    $api->patch("/api/agents/$id/identity", { emoji => 'm' }, 200);
    my $r = $api->post("/api/agents/$id/clone", { new_name => ' copy ' }, 201);
    is_deeply [ @$r{qw(name partial)}, @{ $r->{warnings} } ], [ 'copy', $false ], 'made';
    isnt $r->{agent_id}, $id, 'another agent';
    is_deeply [ show($r->{agent_id})->{system_prompt}, show($r->{agent_id})->{identity}{emoji} ], [ 'Be kind.', 'm' ], 'that is like the first';
    is $api->get("/api/agents/$r->{agent_id}/files/SOUL.md", 200)->{content}, 'a soul', 'with its files';
    $api->put("/api/agents/$r->{agent_id}/files/SOUL.md", { content => 'its own' }, 200);
    is $api->get("/api/agents/$id/files/SOUL.md", 200)->{content}, 'a soul', 'in a place of its own';
    my $bare = $api->post("/api/agents/$id/clone", { new_name => 'bare', include_skills => $false, include_tools => $false }, 201)->{agent_id};
    is_deeply [ @{ show($bare) }{qw(skills_disabled tools_disabled)} ], [ $true, $true ], 'or without tools and skills';
    my $before = total();
    $api->post("/api/agents/$id/clone", { new_name => 'copy' }, 409);
    $api->post("/api/agents/$id/clone", $_, 422) for {}, { new_name => 5 }, { new_name => 'x', more => 1 };
    $api->post("/api/agents/$id/clone", { new_name => ' ' }, 400);
    $api->post("/api/agents/$id/clone", { new_name => 'x' x 257 }, 413);
    $api->post("/api/agents/$nobody/clone", { new_name => 'x' }, 404);
    $api->post("/api/agents/$id/clone", { new_name => 'x' }, 403, as('vera'));
    $api->post("/api/agents/$id/clone", { new_name => 'x' }, 404, as('ursula'));
    is total(), $before, 'what is refused makes nothing';
    my $own = spawn('of-ursula', "author = \"ursula\"\n");
    $api->post("/api/agents/$own/clone", { new_name => 'second of ursula' }, 201, as('ursula'));
};

subtest 'many at once' => sub {
    my $r = $api->post('/api/agents/bulk', { agents => [ { manifest_toml => 'name = "b-1"' }, { manifest_toml => 'name = ' }, { manifest_toml => 'name = "b-1"' }, { template => 'coder', name => 'b-2' } ] }, 200);
    is_deeply [ @$r{qw(total succeeded failed)} ], [ 4, 2, 2 ], 'each for itself';
    is_deeply [ map { $_->{success} ? $_->{name} : 'no' } @{ $r->{results} } ], [qw(b-1 no no b-2)], 'in order';
    like $r->{results}[2]{error}, qr/b-1/, 'with what was wrong';
    is_deeply [ map { $_->{index} } @{ $r->{results} } ], [ 0 .. 3 ], 'and where';
    my @ids = map { $_->{agent_id} } @{ $r->{results} }[ 0, 3 ];
    $api->put("/api/agents/$ids[0]/mode", { mode => 'observe' }, 200);
    $api->put("/api/agents/$ids[0]/suspend", undef, 200);
    $r = $api->post('/api/agents/bulk/start', { agent_ids => [ @ids, $nobody, 'none' ] }, 200);
    is_deeply [ map { $_->{message} // $_->{error} } @{ $r->{results} } ], [ ('Agent set to Full mode') x 2, 'Agent not found', 'Invalid agent ID' ], 'started';
    is_deeply [ @{ show($ids[0]) }{qw(mode state)} ], [qw(full Running)], 'awake, and free to do all';
    my $run = $api->later("/api/agents/$ids[0]/message", { message => 'NEVER-EVER' });
    $api->wait_for(sub { @{ $api->get("/api/agents/$ids[0]/runtime", 200) } == 1 });
    $r = $api->post('/api/agents/bulk/stop', { agent_ids => [ @ids, $nobody, 'none' ] }, 200);
    is_deeply [ map { $_->{message} // $_->{error} } @{ $r->{results} } ], [ 'Run cancelled', 'No active run', 'No active run', 'Invalid agent ID' ], 'stopped';
    $run->close;
    $r = $api->call(DELETE => '/api/agents/bulk', { agent_ids => [ $ids[0], $nobody, 'none', $ids[1] ] }, 200);
    is_deeply [ map { $_->{message} // $_->{error} } @{ $r->{results} } ], [ 'Deleted', 'Agent not found', 'Invalid agent ID', 'Deleted' ], 'deleted';
    $api->get("/api/agents/$_", 404) for @ids;
    is spawn('b-1'), $ids[0], 'a name keeps its id';
    for my $what ([ POST => 'bulk', 'agents', { template => 'coder' } ], [ POST => 'bulk/start', 'agent_ids', $nobody ], [ POST => 'bulk/stop', 'agent_ids', $nobody ], [ DELETE => 'bulk', 'agent_ids', $nobody ]) {
        my ($verb, $path, $key, $one) = @$what;
        like $api->call($verb => "/api/agents/$path", { $key => [] }, 400)->{error}, qr/empty/, "$verb $path: none";
        like $api->call($verb => "/api/agents/$path", { $key => [ ($one) x 51 ] }, 400)->{error}, qr/51 exceeds maximum 50/, '  and too many';
        $api->call($verb => "/api/agents/$path", $_, 422) for {}, { $key => 'x' }, { $key => [5] }, { $key => [$one], more => 1 }, [];
    }
};

subtest 'what it has done' => sub {
    my $id = spawn('busy');
    my $m = $api->get("/api/agents/$id/metrics", 200);
    is_deeply [ @{ $m->{token_usage} }{qw(session_tokens total_tokens)}, $m->{call_count}, $m->{avg_response_time_ms} ], [ 0, 0, 0, undef ], 'nothing yet';
    is_deeply $api->get("/api/agents/$id/traces", 200), { traces => [] }, 'no decision';
    is_deeply $api->get("/api/agents/$id/events", 200), { events => [] }, 'no call';
    $api->post("/api/agents/$id/message", { message => 'USE-A-TOOL' }, 200);
    $m = $api->get("/api/agents/$id/metrics", 200);
    cmp_ok $m->{token_usage}{total_tokens}, '>', 0, 'tokens are counted';
    is $m->{token_usage}{total_tokens}, $m->{token_usage}{session_tokens}, 'in the session too';
    cmp_ok $m->{tool_calls}{total_tool_calls}, '>', 0, 'and tools';
    cmp_ok $m->{message_count}, '>', 2, 'and messages';
    my $t = $api->get("/api/agents/$id/traces", 200)->{traces};
    is_deeply [ @{ $t->[0] }{qw(tool_name rationale is_error iteration)}, $t->[0]{input}{key} ], [ 'memory_store', 'I shall note that.', $false, 1, 'x' ], 'the decision, with what was said to it';
    unlike $t->[0]{output_summary}, qr/^$|is_error/, 'and what came of it';
    my $metrics = $api->raw('GET', '/api/metrics')->{content};
    like $metrics, qr/^librefang_tool_call_total\{agent="busy",tool="memory_store",outcome="success",failure_type="none"\} 1$/m, 'metrics count the tool';
    like $metrics, qr/^librefang_tool_execution_seconds_count\{agent="busy",tool="memory_store"\} 1$/m, 'and its time';
    like $metrics, qr/^librefang_agent_loop_exits_total\{agent="busy",reason="completed"\} 1$/m, 'and how the turn ended';
    like $metrics, qr/^librefang_agent_loop_exits_total\{agent="rest",reason="cancelled"\} 1$/m, 'as that of another did not';
    my $odd = spawn("odd \\\"name\\\\");
    $api->post("/api/agents/$odd/message", { message => 'BROKEN' }, 500);
    like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_llm_provider_errors_total\{provider="openai",status="400"\} 1$/m, 'a provider that fails is counted too';
    SKIP: {
        skip 'promtool is not installed', 1 if system('promtool --version >/dev/null 2>&1') != 0;
        spew("$api->{dir}/metrics", $api->raw('GET', '/api/metrics')->{content});
        local $?;
        system "promtool check metrics <'$api->{dir}/metrics' >'$api->{dir}/promtool' 2>&1";
        ok $? == 0 || $? >> 8 == 3, 'promtool reads them' or diag LF::slurp("$api->{dir}/promtool");
    }
    my $e = $api->get("/api/agents/$id/events?limit=1", 200)->{events};
    is scalar @$e, 1, 'the newest call';
    cmp_ok $e->[0]{input_tokens}, '>', 0, 'with its tokens';
    my $s = $api->get("/api/agents/$id/stats", 200);
    is_deeply [ $s->{active_now}, $s->{samples} > 0, $s->{prev}{sessions_24h} ], [ 1, 1, 0 ], 'and the day';
    $api->get("/api/agents/$nobody/$_", 404) for qw(metrics traces events stats runtime);
    $api->get("/api/agents/none/$_", 400) for qw(metrics traces events stats runtime);
    $api->get("/api/agents/$id/$_", 404, as('ursula')) for qw(metrics traces events stats runtime);
};

subtest 'names and their ids' => sub {
    my $id = spawn('named');
    my ($one) = grep { $_->{name} eq 'named' } @{ $api->get('/api/agents/identities', 200) };
    is $one->{canonical_uuid}, $id, 'a name stands for an id';
    like $one->{created_at}, qr/^20\d\d-/, 'since then';
    is $api->post('/api/agents/identities/named/reset', undef, 409)->{code}, 'reset_identity_unconfirmed', 'only when one is sure';
    is $api->post('/api/agents/identities/nobody/reset?confirm=true', undef, 404)->{code}, 'identity_not_found', 'and it is there';
    is $api->post('/api/agents/identities/named/reset?confirm=true', undef, 200)->{previous_canonical_uuid}, $id, 'forgotten';
    $api->get('/api/agents/identities', 403, as('ursula'));
};

subtest 'memory as a whole' => sub {
    my $id = spawn('memory');
    is_deeply $api->get("/api/agents/$id/memory/export", 200), { agent_id => $id, version => 1, kv => {} }, 'nothing yet';
    my %kv = (a => 1, b => { c => [ 1, 2.5, "\x{20ac}" ] }, 'd/e f' => $null);
    is_deeply $api->post("/api/agents/$id/memory/import", { kv => \%kv, version => 1 }, 200), { status => 'imported', keys_imported => 3 }, 'brought in';
    is_deeply $api->get("/api/agents/$id/memory/export", 200)->{kv}, \%kv, 'taken out';
    my $r = $api->post("/api/agents/$id/memory/import", { kv => { big => 'x' x 300000, small => 1 } }, 200);
    is_deeply $r, { status => 'partial', keys_imported => 1, failed_keys => ['big'] }, 'what is too large is named';
    my $odd = '{"":0,"big":12345678901234567890123,"e\u00e9":[1.10,-0,1e5,9007199254740993]}';
    is_deeply $api->post("/api/agents/$id/memory/import", "{\"clear_existing\":true,\"kv\":$odd}", 200), { status => 'partial', keys_imported => 2, failed_keys => [''] }, 'a key has a name';
    $api->get("/api/agents/$id/memory/export", 200);
    like $api->last->{content}, qr/"kv":\{"big":12345678901234567890123,"e\xc3\xa9":\[1\.10,-0,1e5,9007199254740993\]\}/, 'numbers stay as they were written';
    $api->post("/api/agents/$id/memory/import", '{"kv":{"x":1e999}}', 400);
    $api->post("/api/agents/$id/memory/import", { kv => { only => 1 }, clear_existing => $true }, 200);
    is_deeply $api->get("/api/agents/$id/memory/export", 200)->{kv}, { only => 1 }, 'what was there may go first';
    $api->post("/api/agents/$id/memory/import", $_, 400) for {}, { kv => [] }, { kv => {}, clear_existing => 'yes' }, [];
    is_deeply $api->get("/api/agents/$id/memory/export", 200)->{kv}, { only => 1 }, 'what is refused changes nothing';
    $api->post("/api/agents/$nobody/memory/import", { kv => {} }, 404);
    $api->get("/api/agents/$nobody/memory/export", 404);
};

$api->finish;
done_testing;
