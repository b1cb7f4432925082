#!/usr/bin/perl
# Who may do what, by every way in: each row of the table over HTTP, commands and messages over
# the chat socket, event streams, and OpenAI's door. The table says the role; a role below it is
# refused everywhere, and what belongs to somebody else does not exist.
use strict;
use warnings;
use LF;
use LF::Refuse;
use LF::WS;
use Test::More;

my @ladder = qw(viewer user admin owner);
my %rank = (public => -1, map { $ladder[$_] => $_ } 0 .. $#ladder);
my %key = map { $_ => "the-key-of-$_-0123456789" } @ladder;
my $users = join '', map { qq([[users]]\nname = "$_"\nrole = "$_"\napi_key_hash = ") . sha256_hash($key{$_}) . qq("\n) } @ladder;
my $up = LF->mock(when => [ [ 'NEVER-EVER' => { hang => 1 } ], [ 'device' => { status => 404, body => {} } ] ], default => { text => 'Hello from the mock.' });
my $api = LF->start(model => $up, config => $users, env => { LF_GITHUB_URL => $up->base }, limits => "max_ws_per_ip = 100\nws_messages_per_minute = 1000\n");
my $NOBODY = '99999999-9999-4999-8999-999999999999';
my $n = 0;

my @rows = map { my %r; @r{qw(verb path role cost runs)} = split /\t/; \%r } split /\n/, qx('@{[ LF::builddir() ]}/lf-gen' endpoints);
cmp_ok scalar(@rows), '>', 80, 'there are rows';

# An agent of that author.
sub agent {
    my ($author) = @_;
    return $api->post('/api/agents', { manifest_toml => 'name = "role-' . ++$n . qq("\nauthor = "$author"\n) }, 201)->{agent_id};
}

sub as { my ($role) = @_; return (Authorization => "Bearer $key{$role}") }

sub path {
    my ($r, $agent) = @_;
    my $session = $r->{path} =~ /session_id|sessions\/\{id\}/ ? $api->get("/api/agents/$agent/session", 200)->{session_id} : $NOBODY;
    my $id = $r->{path} =~ m{/sessions/\{id\}} ? $session : $r->{path} =~ m{/agents/\{id\}} ? $agent : 'gpt-4o';
    my %in = (id => $id, session_id => $session, name => 'none-of-that-name', key => 'k', label => 'none', filename => 'SOUL.md');
    return $r->{path} =~ s/\{(\w+)\*?\}/$in{$1} \/\/ $NOBODY/ger;
}

# Status of a call whose body is wrong on purpose: roles are looked at before bodies.
sub ask {
    my ($r, $role, $path) = @_;
    my $body = $r->{verb} eq 'GET' ? undef : '{"none of this": ';
    return $api->raw($r->{verb}, $path, { headers => { as($role), defined $body ? ('Content-Type' => 'application/json') : () }, content => $body });
}

subtest 'every row, every role' => sub {
    for my $r (grep { $_->{role} ne 'public' } @rows) {
        my $name = "$r->{verb} $r->{path}";
        my $nobodys = agent('nobody');
        my $path = path($r, $nobodys);
        for my $role (grep { $rank{$_} < $rank{ $r->{role} } } @ladder) {
            my $a = ask($r, $role, $path);
            is $a->{status}, 403, "$name refuses the role $role" or diag $a->{content};
            my @f = LF::error_faults($a, $a->{headers}{'x-request-id'} // '');
            is "@f", '', '... in the standard shape' if $path !~ m{^/v1/};
        }
        next if $r->{path} =~ m{/shutdown$|/ws$|/stream$};
        my $a = ask($r, $r->{role}, path($r, agent($r->{role})));
        unlike $a->{status}, qr/^(?:401|403|405|5\d\d)$/, "$name lets the role $r->{role} in" or diag "$a->{status} $a->{content}";
    }
};

subtest "what is somebody else's does not exist" => sub {
    my $nobodys = agent('nobody');
    for my $r (grep { $_->{path} =~ m{^/api/agents/\{id\}} && $rank{ $_->{role} } <= $rank{user} } @rows) {
        my $path = path($r, $nobodys);
        next if $path =~ m{/ws$};
        my $body = $path =~ m{/message} ? '{"message":"hello"}' : $path =~ /clone$/ ? '{"new_name":"x"}' : '{}';
        my $a = $api->raw($r->{verb}, $path, { headers => { as('user'), 'Content-Type' => 'application/json' }, content => $r->{verb} eq 'GET' ? undef : $body });
        my $right = $path =~ m{/stop$} ? 200 : 404;     # where there is nobody nothing runs
        is $a->{status}, $right, "$r->{verb} $r->{path}" or diag $a->{content};
    }
    my $s = $api->get("/api/agents/$nobodys/session", 200)->{session_id};
    my $turn = $api->later("/api/agents/$nobodys/message", { message => 'NEVER-EVER' });
    ok $api->wait_for(sub { @{ $api->get("/api/agents/$nobodys/runtime", 200) } }), 'a turn runs in it';
    $api->raw('POST', "/api/agents/$nobodys/$_", { headers => { as('user') } }) for 'stop', "sessions/$s/stop";
    is scalar(@{ $api->get("/api/agents/$nobodys/runtime", 200) }), 1, '... and nobody else stops it';
    $api->post("/api/agents/$nobodys/stop", undef, 200);
    is $api->raw('GET', '/api/agents', { headers => { as('user') } })->{json}{total},
        scalar(grep { $_->{id} && $api->raw('GET', "/api/agents/$_->{id}", { headers => { as('user') } })->{status} == 200 } @{ $api->get('/api/agents', 200)->{items} }),
        'the list has what can be looked at, and no more';
};

# --- the chat socket ---------------------------------------------------------------------

sub socket_as { my ($role, $id) = @_; return LF::WS->open($api, "/api/agents/$id/ws", headers => { as($role) }) }

# command => the row over HTTP that does the same
my %twin = (new => 'POST /api/agents/{id}/sessions', reset => 'POST /api/agents/{id}/session/reset', reboot => 'POST /api/agents/{id}/session/reboot',
    compact => 'POST /api/agents/{id}/session/compact', stop => 'POST /api/agents/{id}/stop', 'model gpt-4o' => 'PUT /api/agents/{id}/model');
my %role = map { ("$_->{verb} $_->{path}" => $_->{role}) } @rows;

subtest 'over the chat socket' => sub {
    my $id = agent('user');
    my $v = socket_as('viewer', $id);
    is $v->status, 403, 'a viewer does not chat';
    is socket_as('user', agent('nobody'))->status, 404, "somebody else's agent is not there";
    for my $role (qw(user admin)) {
        my $ws = socket_as($role, agent($role));
        is $ws->status, 101, "the role $role does";
        $ws->next for 1 .. 2;
        for my $said (sort keys %twin) {
            my ($command, $args) = split / /, $said;
            ok $role{ $twin{$said} }, "$twin{$said} is a row";
            my $least = $role{ $twin{$said} } // 'owner';
            $ws->say({ type => 'command', command => $command, args => $args // '' });
            my $a = $ws->next;
            $a = $ws->next while $a && $a->{type} eq 'agents_updated';
            if ($rank{$role} < $rank{$least}) {
                is $a->{type}, 'error', "$role may not say $said";
                like $a->{content}, qr/Role '$role' is not allowed/, '... and is told why';
            } else {
                like $a->{type}, qr/^(?:command_result|compaction:)/, "$role may say $said" or diag explain $a;
                if ($command eq 'compact') { $ws->next }
            }
        }
        $ws->say({ type => 'command', command => 'model' });
        my $a = $ws->next;
        $a = $ws->next while $a && $a->{type} eq 'agents_updated';
        is $a->{type}, 'command_result', "$role may ask which model it is";
        $ws->close;
    }
};

# --- event streams -------------------------------------------------------------------------

subtest 'over event streams' => sub {
    my $id = agent('user');
    my $s = $api->get("/api/agents/$id/session", 200)->{session_id};
    my $head = sub { my ($role, $verb, $path, $body) = @_; return $api->raw($verb, $path, { headers => { as($role), $body ? ('Content-Type' => 'application/json') : () }, content => $body }) };
    is $head->('viewer', 'POST', "/api/agents/$id/message/stream", '{"message":"hello"}')->{status}, 403, 'a viewer does not begin a turn';
    like $head->('user', 'POST', "/api/agents/$id/message/stream", '{"message":"hello"}')->{content}, qr/^event: done$/m, 'a user does';
    is $head->('user', 'GET', "/api/agents/" . agent('nobody') . "/sessions/$s/stream")->{status}, 404, "nobody watches somebody else's";
};

# --- OpenAI's door --------------------------------------------------------------------------

subtest "over OpenAI's endpoints" => sub {
    my $id = agent('user');
    my $ask = sub {
        my ($role, $model) = @_;
        return $api->raw('POST', '/v1/chat/completions', { headers => { as($role), 'Content-Type' => 'application/json' },
            content => $LF::JSON->encode({ model => $model, messages => [ { role => 'user', content => 'hello' } ] }) });
    };
    my $r = $ask->('viewer', "librefang:$id");
    is $r->{status}, 403, 'a viewer does not ask';
    ok ref $r->{json}{error}, "... and is told in OpenAI's words";
    is $ask->('user', "librefang:$id")->{status}, 200, 'a user asks an agent of his own';
    is $ask->('user', 'librefang:' . agent('nobody'))->{status}, 404, "somebody else's is not there";
    is $ask->('user', 'openai/gpt-4o')->{status}, 200, 'a user asks a model';
    my @models = map { $_->{id} } @{ $api->raw('GET', '/v1/models', { headers => { as('user') } })->{json}{data} };
    is scalar(grep {/^librefang:role-/} @models), scalar(@{ $api->raw('GET', '/api/agents', { headers => { as('user') } })->{json}{items} }),
        'the list of models has the agents that are his';
};

# --- and it is written down -------------------------------------------------------------------

SKIP: {
    my ($sqlite) = grep { -x } map {"$_/sqlite3"} split /:/, $ENV{PATH};
    skip 'there is no sqlite3', 1 if !$sqlite;
    subtest 'who tried what they may not is in the audit log' => sub {
        my ($db) = glob $api->home . '/data/*.db';
        my $rows = sub { open my $p, '-|', $sqlite, '-separator', "\t", $db, "SELECT detail, outcome, channel, user_id IS NOT NULL FROM audit_entries WHERE action = 'PermissionDenied' $_[0]" or die; my @r = <$p>; close $p; return @r };
        is_deeply [ $rows->("AND detail = 'PUT /api/agents/$NOBODY/x'") ], [], 'not what is no row';
        is scalar(my @before = $rows->("AND detail = 'GET /api/budget/users'")), 2, 'every refusal by its role (viewer and user asked above)';
        $api->raw('GET', '/api/budget/users?limit=3', { headers => { as('user') } });
        is_deeply [ $rows->("AND detail LIKE 'GET /api/budget/users%' AND outcome = 'role=user' ORDER BY seq DESC LIMIT 1") ], ["GET /api/budget/users\trole=user\tapi\t1\n"], 'what was asked for, by whom; no query';
        is_deeply [ $rows->("AND detail LIKE 'WS /model' AND outcome = 'role=user' LIMIT 1") ], ["WS /model\trole=user\tapi\t1\n"], 'over the socket too';
        ok $api->wait_for(sub { $rows->("AND detail LIKE 'GET /api/agents/%/ws' AND outcome = 'role=viewer' LIMIT 1") }), 'and who may not open one';
        is $api->raw('GET', '/api/budget/users', { headers => { as('admin') } })->{status}, 200, 'who may is served';
        is_deeply [ $rows->("AND outcome = 'role=owner'") ], [], 'and nobody is written down who may';
    };
}

done_testing;
