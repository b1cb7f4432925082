#!/usr/bin/perl
# Users: entries of [[users]] in config.toml, made and changed over HTTP. The file keeps its comments; a key
# is shown once, opens what its role may, and ends in every process at the moment it is replaced; policies and keys of providers
# hold for what is done for their user.
use strict;
use warnings;
use utf8;
use Digest::SHA ();
use LF;
use LF::WS;
use Test::More;
use Time::HiRes qw(time);

my $up = LF->mock(
    when => [
        [ 'call_1' => { text => 'done' } ],
        [ 'LIST-IT' => { tool_calls => [ { id => 'call_1', name => 'file_list', arguments => { path => '.' } } ] } ],
    ],
    default => { text => 'Hello from the mock.' },
);
my @server = (model => $up, env => { OPENAI_API_KEY => 'sk-everybody' },
    config => qq(# all of us\n[provider_urls]\nopenai = "@{[ $up->url ]}"\n\n[[users]]\nname = "zoe"   # the first\nrole = "user"\n[users.budget]\nmax_daily_usd = 5\n\n[[groups]]\nname = "team"\nmembers = ["Zoe", "yan"]\n\n[[tool_policy.groups]]\nname = "readers"\ntools = ["file_r*"]\n));
my $api = LF->start(@server);
my $file = $api->home . '/config.toml';
my ($TRUE, $FALSE) = (JSON::PP::true(), JSON::PP::false());

sub bearer { my ($k) = @_; return (Authorization => "Bearer $k") }
sub key_of { my ($name) = @_; local $LF::Level = 0; return $api->post("/api/users/$name/rotate-key", undef, 200)->{new_api_key} }
sub names { return [ map { $_->{name} } @{ $api->get('/api/users', 200) } ] }
sub audited { my ($what) = @_; return scalar grep { /\Q$what\E/ } map { $_->{detail} // '' } @{ $api->get('/api/agents/assistant/logs', 200)->{logs} // [] } }

subtest 'a life' => sub {
    is_deeply names(), ['zoe'], 'who stands in the file is listed';
    my $u = $api->get('/api/users/zoe', 200);
    is_deeply $u, { name => 'zoe', role => 'user', channel_bindings => {}, has_api_key => $FALSE, has_policy => $FALSE, has_memory_access => $FALSE, has_budget => $TRUE }, 'and shown';
    $u = $api->post('/api/users', { name => 'ann', role => 'viewer', channel_bindings => { telegram => '42' } }, 201);
    is_deeply $u->{channel_bindings}, { telegram => '42' }, 'another is made';
    is_deeply names(), [ 'zoe', 'ann' ], 'behind the others';
    like LF::slurp($file), qr/^name = "zoe"   # the first\n.*^\[\[users\]\]\nname = "ann"\nrole = "viewer"\nchannel_bindings = \{ "telegram" = "42" \}\n\z/ms, 'in the file, which keeps its comments';
    is +(stat $file)[2] & 0777, 0600, 'and its mode';
    $u = $api->put('/api/users/ann', { name => 'anna' }, 200);
    is_deeply [ @$u{qw(name role)}, $u->{channel_bindings} ], [ 'anna', 'user', {} ], 'a name changes, and what was left out is as at first';
    $api->get('/api/users/ann', 404);
    is $api->last->{json}{status}, 'error', 'errors say so in their status too';
    $u = $api->put('/api/users/zoe', { name => 'zoe', role => 'admin' }, 200);
    is $u->{has_budget}, $TRUE, 'a budget stays';
    $api->put('/api/users/zoe', { name => 'zoe' }, 200);
    $api->del('/api/users/anna', 204);
    $api->del('/api/users/anna', 404);
    is_deeply names(), ['zoe'], 'and goes';
    unlike LF::slurp($file), qr/anna|telegram/, 'from the file too';
    is_deeply $api->get('/api/users/zoe/groups', 200), { name => 'zoe', groups => ['team'], roles => [] }, 'groups list her';
    $api->get('/api/users/nobody/groups', 404);
};

subtest 'odd names' => sub {
    for my $name ('a b', 'a/b', 'A "quoted" \\ one', "ä中", '%2e', 'x' x 128) {
        utf8::encode(my $bytes = $name);
        my $path = '/api/users/' . ($bytes =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger);
        $api->post('/api/users', { name => $name }, 201);
        is $api->get($path, 200)->{name}, $name, substr $bytes, 0, 30;
        my $key = $api->post("$path/rotate-key", undef, 200)->{new_api_key};
        is $api->call(GET => '/api/authz/whoami', undef, 200, { bearer($key) })->{name}, $name, 'comes in as that';
        $api->del($path, 204);
    }
    for my $bad ('', '   ', ' ann', 'ann ', "a\nb", "a\x7fb", 'y' x 129, 'root', 'System', 'import') {
        $api->post('/api/users', { name => $bad }, 400);
    }
    $api->post('/api/users', { name => 'ZOE' }, 409);
    is_deeply names(), ['zoe'], 'nothing has changed';
};

subtest 'what is refused' => sub {
    my $before = LF::slurp($file);
    $api->post('/api/users', { name => 'bob', role => 'king' }, 400);
    like $api->last->{json}{error}, qr/^invalid role 'king' — expected one of: owner, admin, user, viewer$/, 'a role that is none, in words';
    $api->post('/api/users', { name => 'bob', role => 'Admin' }, 400);
    $api->post('/api/users', { name => 'zoe' }, 409);
    like $api->last->{json}{error}, qr/user 'zoe' already exists/, 'a name in use';
    $api->post('/api/users', {}, 422);
    $api->post('/api/users', { name => 'bob', bogus => 1 }, 422);
    $api->post('/api/users', { name => 'bob', channel_bindings => { telegram => 42 } }, 422);
    $api->post('/api/users', { name => 'bob', channel_bindings => { 'tele gram' => '42' } }, 400);
    $api->post('/api/users', { name => 'bob', channel_bindings => { telegram => ' ' } }, 400);
    for my $hash ('xx', '$argon2id$', '$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA', '$argon2i$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA', '$sha256$zz') {
        $api->post('/api/users', { name => 'bob', api_key_hash => $hash }, 400);
    }
    $api->put('/api/users/nobody', { name => 'x' }, 404);
    $api->post('/api/users/nobody/rotate-key', undef, 404);
    $api->raw('POST', '/api/users', { headers => { 'Content-Type' => 'application/json' }, content => '[]' })->{status} =~ /^4/ or fail 'no object';
    is LF::slurp($file), $before, 'nothing is written';
    $api->post('/api/users', { name => 'bob', channel_bindings => { telegram => '7' } }, 201);
    $api->post('/api/users', { name => 'cyd', channel_bindings => { telegram => '7' } }, 409);
    $api->put('/api/users/bob', { name => 'bob', channel_bindings => { telegram => '7', slack => 'U1' } }, 200);
    $api->put('/api/users/bob', { name => 'zoe' }, 409);
    $api->put('/api/users/zoe', { name => 'zoe', channel_bindings => { slack => 'U1' } }, 409);
    $api->del('/api/users/bob', 204);
};

subtest 'keys and roles' => sub {
    my %key;
    for my $role (qw(viewer user admin owner)) {
        $api->post('/api/users', { name => "r-$role", role => $role }, 201);
        like $key{$role} = key_of("r-$role"), qr/^[0-9a-f]{64}$/, "$role has a key";
        is $api->call(GET => '/api/authz/whoami', undef, 200, { bearer($key{$role}) })->{role}, $role, 'that lets in as that';
        $api->call(GET => '/api/users', undef, 200, { bearer($key{$role}) });
        my $may = $role eq 'owner';
        $api->call(POST => '/api/users', { name => 'nina' }, $may ? 201 : 403, { bearer($key{$role}) });
        $api->call(GET => '/api/users/zoe/provider-keys', undef, $may ? 200 : 403, { bearer($key{$role}) });
        $api->call(POST => '/api/users/zoe/rotate-key', undef, $may ? 200 : 403, { bearer($key{$role}) });
    }
    $api->del('/api/users/nina', 204);
    unlike LF::slurp($file), qr/$key{viewer}/, 'the file has no key';
    like LF::slurp($file), qr/^api_key_hash = "\$sha256\$@{[ Digest::SHA::sha256_hex($key{viewer}) ]}"$/m, 'but its hash';
    my $whole = join '', map { LF::slurp($_) } grep { -f } glob($api->home . '/{logs,data,backups}/*');
    unlike $whole, qr/$key{owner}|$key{user}/, 'nor has log or store';
    # at once, in the daemon and in every worker
    my $new = key_of('r-user');
    my %seen = map { $api->raw('GET', $_ % 2 ? '/api/status' : '/api/vault', { headers => { bearer($key{user}) } })->{status} => 1 } 1 .. 40;
    is_deeply [ keys %seen ], [401], 'the old key ends at once in all processes';
    is $api->raw('GET', '/api/status', { headers => { bearer($new) } })->{status}, 200, 'the new one holds';
    my $hash = '$sha256$' . Digest::SHA::sha256_hex('made elsewhere');
    $api->put('/api/users/r-user', { name => 'r-user', api_key_hash => $hash }, 200);
    is $api->raw('GET', '/api/status', { headers => { bearer('made elsewhere') } })->{status}, 200, 'a hash brings a key of its own';
    is $api->raw('GET', '/api/status', { headers => { bearer($new) } })->{status}, 401, 'in place of the other';
    $api->put('/api/users/r-user', { name => 'r-user' }, 200);
    is $api->raw('GET', '/api/status', { headers => { bearer('made elsewhere') } })->{status}, 401, 'without one there is none';
    $api->del("/api/users/r-$_", 204) for qw(viewer admin owner user);
    is $api->raw('GET', '/api/status', { headers => { bearer($key{admin}) } })->{status}, 401, 'who is gone comes in no more';
    cmp_ok scalar(() = LF::slurp($api->home . '/logs/librefang.log') =~ /$key{admin}/g), '==', 0, 'and the log names no key';
};

subtest 'what is open ends with its key' => sub {
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "of-wim"\nauthor = "wim"\n) }, 201)->{agent_id};
    $api->post('/api/users', { name => 'wim' }, 201);
    my $key = key_of('wim');
    my $ws = LF::WS->open($api, "/api/agents/$id/ws", headers => { bearer($key) });
    my $session = $api->get("/api/agents/$id/session", 200)->{session_id};
    my $sse = $api->later("/api/agents/$id/sessions/$session/stream", undef, method => 'GET', headers => { bearer($key) });
    $sse->read_head;
    is $sse->status, 200, 'a socket and a stream are open';
    my $owner = LF::WS->open($api, "/api/agents/$id/ws");
    is $api->post('/api/users/wim/rotate-key', undef, 200)->{sessions_invalidated}, 2, 'both are counted';
    $ws->until("never");
    my $code = $ws->code;
    is $code, 4401, "the socket is closed, with the word for it";
    $sse->rest;
    ok !$sse->timed_out, "the stream ends";
    my @m = $owner->turn({ type => 'message', content => 'hello' });
    is $m[-1]{type}, 'response', 'others stay open' or diag explain \@m;
    $owner->close;
    $api->del('/api/users/wim', 204);
};

subtest 'a new name keeps what is theirs' => sub {
    $api->post('/api/users', { name => 'old-name' }, 201);
    my $key = key_of('old-name');
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "kept"\nauthor = "old-name"\n) }, 201)->{agent_id};
    $api->put('/api/users/old-name/provider-keys/openai', { api_key => 'sk-own' }, 200);
    $api->put('/api/users/old-name', { name => 'new-name', api_key_hash => '$sha256$' . Digest::SHA::sha256_hex($key) }, 200);
    $api->call(GET => "/api/agents/$id", undef, 200, { bearer($key) });
    is_deeply $api->get('/api/users/new-name/provider-keys', 200)->{providers}, ['openai'], 'agents and keys of providers follow';
    $api->put('/api/users/new-name', { name => 'New-Name', api_key_hash => '$sha256$' . Digest::SHA::sha256_hex($key) }, 200);
    is_deeply $api->get('/api/users/new-name/provider-keys', 200)->{providers}, ['openai'], 'in another letter case, too';
    $api->call(GET => "/api/agents/$id", undef, 200, { bearer($key) });
    $api->post('/api/users', { name => 'old-name' }, 201);
    is_deeply $api->get('/api/users/old-name/provider-keys', 200)->{providers}, [], 'who takes the old name has nothing of it';
    $api->call(GET => "/api/agents/$id", undef, 404, { bearer(key_of('old-name')) });
    $api->del("/api/users/$_", 204) for qw(old-name new-name);
    is_deeply [ grep { /^user\./ } @{ $api->get('/api/vault', 200)->{names} } ], [], 'whoever goes leaves no secret behind';
};

subtest 'a key of their own for a provider' => sub {
    $api->post('/api/users', { name => 'kim' }, 201);
    my $key = key_of('kim');
    is_deeply $api->get('/api/users/kim/provider-keys', 200), { providers => [] }, 'none at first';
    $api->put('/api/users/kim/provider-keys/openai', { api_key => ' sk-of-kim ' }, 200);
    unlike $api->last->{content} . $api->raw('GET', '/api/users/kim/provider-keys')->{content}, qr/sk-of-kim/, 'it is told by nothing';
    my $ask = sub { my (%h) = @_; $api->call(POST => '/v1/chat/completions', { model => 'openai/mock-model', messages => [ { role => 'user', content => 'hello' } ] }, 200, \%h); return $up->chats->[-1]{headers}{authorization} };
    is $ask->(bearer($key)), 'Bearer sk-of-kim', 'it is used for them';
    isnt $ask->(), 'Bearer sk-of-kim', 'and for nobody else';
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "of-kim"\nauthor = "kim"\n[model]\nprovider = "openai"\nmodel = "mock-model"\n) }, 201)->{agent_id};
    $api->call(POST => "/api/agents/$id/message", { message => 'hello' }, 200, { bearer($key) });
    is $up->chats->[-1]{headers}{authorization}, 'Bearer sk-of-kim', 'in turns too';
    $api->put('/api/users/kim/provider-keys/no-such', { api_key => 'k' }, 400);
    $api->put('/api/users/kim/provider-keys/openai', { api_key => '  ' }, 400);
    $api->put('/api/users/kim/provider-keys/openai', { api_key => "a\nb" }, 400);
    $api->put('/api/users/nobody/provider-keys/openai', { api_key => 'k' }, 404);
    is $api->del('/api/users/kim/provider-keys/openai', 200)->{removed}, $TRUE, 'it goes';
    is $api->del('/api/users/kim/provider-keys/openai', 200)->{removed}, $FALSE, 'once';
    isnt $ask->(bearer($key)), 'Bearer sk-of-kim', 'and is used no more';
    $api->del('/api/users/kim', 204);
    $api->get('/api/users/kim/provider-keys', 404);
};

subtest 'a policy' => sub {
    $api->post('/api/users', { name => 'pol' }, 201);
    my $key = key_of('pol');
    is_deeply $api->get('/api/users/pol/policy', 200), { tool_policy => undef, tool_categories => undef, memory_access => undef, channel_tool_rules => {} }, 'nothing at first';
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "of-pol"\nauthor = "pol"\n[capabilities]\ntools = ["*"]\n) }, 201)->{agent_id};
    my $result = sub {
        $api->post("/api/agents/$id/sessions", {}, 200);
        $api->call(POST => "/api/agents/$id/message", { message => 'LIST-IT' }, 200, { bearer($key) });
        my ($tool) = grep { $_->{role} eq 'tool' } reverse @{ $up->chats->[-1]{json}{messages} };
        return $tool->{content};
    };
    my $set = sub { my ($p) = @_; local $LF::Level = 0; return $api->put('/api/users/pol/policy', $p, 200) };
    unlike $result->(), qr/may not/, 'a tool runs';
    is_deeply $set->({ tool_policy => { denied_tools => ['file_*'] } })->{tool_policy}, { allowed_tools => [], denied_tools => ['file_*'] }, 'what is left out is empty';
    is $api->get('/api/users/pol', 200)->{has_policy}, $TRUE, 'it shows';
    like $result->(), qr/User pol may not use the tool 'file_list'/, 'a denied one does not';
    $set->({ tool_policy => { allowed_tools => ['web_*'] } });
    like $result->(), qr/may not/, 'nor one that is not among those allowed';
    $set->({ tool_policy => { allowed_tools => ['file_list'] }, tool_categories => { denied_groups => ['files'] } });
    like $result->(), qr/may not use tools like/, 'nor one of a denied kind';
    $set->({ tool_categories => { allowed_groups => ['readers'] } });
    like $result->(), qr/may not use tools like/, 'nor one outside a group of the configuration';
    $set->({ tool_categories => undef });
    unlike $result->(), qr/may not/, 'null takes a part away';
    my $p = $set->({ memory_access => { readable_namespaces => [ 'a', 'kv:*' ], writable_namespaces => ['kv:x'], pii_access => $TRUE }, channel_tool_rules => { telegram => { denied_tools => ['file_list'] } } });
    is_deeply $p->{memory_access}, { readable_namespaces => [ 'a', 'kv:*' ], writable_namespaces => ['kv:x'], pii_access => $TRUE, export_allowed => $FALSE, delete_allowed => $FALSE }, 'memory';
    is_deeply $p->{tool_policy}{allowed_tools}, ['file_list'], 'the rest stays';
    is_deeply $set->({ channel_tool_rules => undef })->{channel_tool_rules}, { telegram => { allowed_tools => [], denied_tools => ['file_list'] } }, 'rules of channels stay with null';
    my $kv = "/api/memory/agents/$id/kv";
    $api->put("$kv/x", { value => 1 }, 200);
    my $as = sub { my ($verb, $path, $status, $body) = @_; local $LF::Level = 0; return $api->call($verb, $path, $body, $status, { bearer($key) }) };
    $as->(GET => $kv, 200);
    $as->(GET => "/api/agents/$id/memory/export", 403);
    $set->({ memory_access => { readable_namespaces => ['proactive'] } });
    like $as->(GET => "$kv/x", 403)->{error}, qr/User pol may not read this memory/, 'memory that is not theirs to read';
    $api->put('/api/users/pol', { name => 'pol', role => 'admin', api_key_hash => '$sha256$' . Digest::SHA::sha256_hex($key) }, 200);
    $set->({ memory_access => { readable_namespaces => ['*'], writable_namespaces => ["kv:$id"] } });
    $as->(PUT => "$kv/x", 200, { value => 2 });
    $as->(DELETE => "$kv/x", 403);
    $set->({ memory_access => { readable_namespaces => ['*'], writable_namespaces => [], export_allowed => $TRUE, delete_allowed => $TRUE } });
    $as->(PUT => "$kv/x", 403, { value => 3 });
    $as->(DELETE => "$kv/x", 403);
    $as->(GET => "/api/agents/$id/memory/export", 200);
    is $api->get("$kv/x", 200)->{value}, 2, 'others are not asked';
    is_deeply $set->({ memory_access => $p->{memory_access} })->{memory_access}, $p->{memory_access}, 'memory as before';
    is_deeply $set->({})->{memory_access}, $p->{memory_access}, 'nothing said, nothing changed';
    my $before = LF::slurp($file);
    for my $bad ({ bogus => 1 }, { tool_policy => [] }, { tool_policy => { allowed_tools => 'x' } }, { tool_policy => { allowed_tools => [1] } }, { tool_policy => { allowed_tools => [' '] } },
        { tool_policy => { allowed_tools => [ 'a', 'a' ] } }, { tool_policy => { other => [] } }, { memory_access => { writable_namespaces => ['z'] } }, { memory_access => { pii_access => 1 } },
        { channel_tool_rules => { 'a b' => {} } }, { channel_tool_rules => { a => 1 } }, { tool_policy => { allowed_tools => [ map { "t$_" } 1 .. 300 ] } }) {
        $api->put('/api/users/pol/policy', $bad, 400);
    }
    $api->raw('PUT', '/api/users/pol/policy', { headers => { 'Content-Type' => 'application/json' }, content => '[1]' })->{status} == 400 or fail 'an array';
    is LF::slurp($file), $before, 'what is wrong changes nothing';
    $api->put('/api/users/nobody/policy', {}, 404);
    $api->del('/api/users/pol', 204);
};

subtest 'many at once' => sub {
    my $r = $api->post('/api/users/import', { rows => [ { name => 'i-a', role => 'viewer' }, { name => '' }, { name => 'I-A' }, { name => 'i-b', role => 'king' } ], dry_run => $TRUE }, 200);
    is_deeply [ @$r{qw(created updated failed)} ], [ 1, 1, 2 ], 'tried dry';
    is_deeply [ map { $_->{status} } @{ $r->{rows} } ], [qw(created failed updated failed)], 'each row is told of';
    $api->get('/api/users/i-a', 404);
    $r = $api->post('/api/users/import', { rows => [ { name => 'i-a', role => 'viewer', channel_bindings => { slack => 'U9' } }, { name => 'i-b', channel_bindings => { slack => 'U9' } }, { name => 'i-c' } ] }, 200);
    is_deeply [ map { $_->{status} } @{ $r->{rows} } ], [qw(created failed created)], 'an id on a channel is one person\'s';
    my $key = key_of('i-a');
    $api->post('/api/users/import', { rows => [ { name => 'i-a', role => 'admin' } ] }, 200);
    my $u = $api->get('/api/users/i-a', 200);
    is_deeply [ @$u{qw(role has_api_key)}, $u->{channel_bindings} ], [ 'admin', $TRUE, {} ], 'a known name gets role and bindings anew, and keeps the key';
    $api->del("/api/users/$_", 204) for qw(i-a i-c);
    $api->post('/api/users/import', { rows => [] }, 400);
    $api->post('/api/users/import', {}, 400);
    $api->post('/api/users/import', { rows => [ { name => 'x', bogus => 1 } ] }, 422);
    $api->post('/api/users/import', { rows => [ map { { name => "u$_" } } 1 .. 1001 ] }, 400);
    my $since = time;
    $r = $api->post('/api/users/import', { rows => [ map { { name => "many-$_", role => 'viewer' } } 1 .. 60 ] }, 200);
    is $r->{created}, 60, 'many';
    my $made = time - $since;
    $r = $api->post('/api/users/import', { rows => [ map { { name => "many-$_", channel_bindings => { x => "$_" } } } 1 .. 60 ] }, 200);
    is $r->{updated}, 60, 'and again';
    note sprintf 'made in %.1f s, changed in %.1f s', $made, time - $since - $made;
    is scalar @{ names() }, 61, 'all are there';
};
$api->finish;

subtest 'where the file cannot be written' => sub {
    my $m = LF->start(@server, env => { LIBREFANG_CONFIG_MODE => 'managed' });
    is $m->post('/api/users', { name => 'x' }, 423)->{code}, 'config_managed', 'a managed one';
    $m->put('/api/users/zoe', { name => 'zoe' }, 423);
    $m->del('/api/users/zoe', 423);
    $m->post('/api/users/zoe/rotate-key', undef, 423);
    $m->put('/api/users/zoe/policy', { tool_policy => undef }, 423);
    $m->finish;
    $m = LF->start(top => qq(include = ["people.toml"]\n), files => { 'people.toml' => qq([[users]]\nname = "inc"\n) });
    is $m->get('/api/users', 200)->[0]{name}, 'inc', 'users of an included file are there';
    like $m->post('/api/users', { name => 'x' }, 409)->{error}, qr/includes/, 'and are not hidden by others';
    $m->post('/api/users/inc/rotate-key', undef, 404);
    $m->finish;
};
done_testing;
