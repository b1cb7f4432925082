#!/usr/bin/perl
# The installation: health, readiness, status, versions, metrics, the
# description, and what the front door refuses.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my $api = LF->start;
my ($h, $json);

subtest 'health' => sub {
    my $r = $api->raw('GET', '/api/health', { headers => { Authorization => undef } });
    is $r->{status}, 200, 'it needs no key';
    $h = $api->get('/api/health', 200);
    is $h->{status}, 'ok', 'all is well';
    my %check = map { $_->{name} => $_->{status} } @{ $h->{checks} };
    is $check{database}, 'ok', 'the database too';
    $h = $api->get('/api/health/detail', 200);
    is $h->{database}, 'connected', 'the detail says so';
    ok exists $h->{$_}, "and has $_" for qw(uptime_seconds panic_count restart_count agent_count memory config_warnings event_bus budget llm);
    is $h->{budget}{hourly_spend_percent}, undef, 'a percentage of no limit is none';
    is $api->get('/api/v1/health', 200)->{status}, 'ok', 'each path is also served below /api/v1';
    is length $api->raw('HEAD', '/api/health')->{content}, 0, 'HEAD has no body';
    is $api->last->{headers}{'content-type'}, 'application/json', 'but its type';
};

subtest 'readiness' => sub {
    my $r = $api->get('/api/ready', 200);
    is ref $r, 'HASH', 'the server can take work';
};

subtest 'status' => sub {
    my $s = $api->get('/api/status', 200);
    is $s->{status}, 'running', 'it runs';
    is $s->{api_listen}, '127.0.0.1:' . $api->port, 'where it was told to';
    is $s->{default_provider}, 'offline', 'with the provider it was given';
    is $s->{config_exists} ? 1 : 0, 1, 'from a configuration';
    is scalar(@{ $s->{agents} }), $s->{agent_count}, 'it lists its agents';
    ok + (grep { $_->{name} eq 'assistant' && $_->{state} eq 'Running' } @{ $s->{agents} }), 'the assistant of the first start among them';
    unlike $LF::JSON->encode($s), qr/\Q@{[$api->key]}\E/, 'and not its key';
};

subtest 'everything at once' => sub {
    my ($s, $status, $list) = ($api->get('/api/dashboard/snapshot', 200), map { $api->get($_, 200) } '/api/status', '/api/agents?sort=last_active&order=desc&include_hands=true');
    is $s->{health}{status}, 'ok', 'how it is';
    is_deeply [ map { $_->{name} } @{ $s->{health}{checks} } ], [ map { $_->{name} } @{ $api->get('/api/health', 200)->{checks} } ], 'by the same checks';
    is_deeply [ grep { ($s->{status}{$_} // '') ne ($status->{$_} // '') } qw(version agent_count active_agent_count session_count default_provider default_model api_listen home_dir data_dir log_level hostname network_enabled terminal_enabled config_exists) ], [], 'what the status says';
    is_deeply $s->{agents}, $list->{items}, 'the list of agents, who was active last first';
    is_deeply $s->{providers}, $api->get('/api/providers', 200)->{providers}, 'the list of providers';
    is_deeply [ @$s{qw(channels skillCount workflowCount)}, $s->{webSearchAvailable} ? 1 : 0 ], [ [], 0, 0, 0 ], 'and nothing of what is not there';
    my $id = $api->post('/api/agents', { manifest_toml => 'name = "newer"' }, 201)->{agent_id};
    is + (map { $_->{agents}[0]{id} } $api->get('/api/dashboard/snapshot', 200))[0], $id, 'a new agent is in the next one';
    $api->call(DELETE => "/api/agents/$id?confirm=true", undef, 200);
    ok !(grep { $_->{id} eq $id } @{ $api->get('/api/dashboard/snapshot', 200)->{agents} }), 'one that is gone is not';
    $api->get('/api/dashboard/snapshot', 401, { Authorization => undef });
    $api->post('/api/dashboard/snapshot', {}, 405);
};

subtest 'slash commands' => sub {
    my $all = $api->get('/api/commands', 200)->{commands};
    is_deeply [ map { $_->{cmd} } @$all ], [ map {"/$_"} qw(agents new reset reboot compact model stop usage think verbose info status goal budget context queue peers a2a help clear exit) ], 'in the order in which pages show them';
    is_deeply [ grep { !!$_->{no_args} == exists $_->{args_hint} } @$all ], [], 'who takes arguments says which';
    is_deeply [ map { $_->{cmd} } grep { $_->{desc_key} ne 'cmd_' . substr $_->{cmd}, 1 } @$all ], [], 'each has its key for a page\'s own words';
    is_deeply $api->get("/api/commands/$_", 200), $all->[18], "one alone, as $_" for 'help', '%2Fhelp', 'HELP', '%2FHelp';
    is $api->get('/api/commands/quit', 200)->{cmd}, '/exit', 'another name for one';
    is $api->get('/api/commands/nobody', 404)->{error}, q(Command '/nobody' not found), 'an unknown one is not found';
    is $api->get('/api/commands/%2Fnobody', 404)->{error}, q(Command '/nobody' not found), 'whether the slash is said or not';
    $api->get("/api/commands/$_", 404) for '%2F', '%2F%2Fhelp', '%20', 'help%20', 'x' x 4000;
    $api->get('/api/commands/%ff', 400);
    my $r = $api->raw(GET => '/api/commands');
    is $api->raw(GET => '/api/commands', { headers => { 'If-None-Match' => $r->{headers}{etag} } })->{status}, 304, 'who has the list gets no other';
    $api->get('/api/commands', 401, { Authorization => undef });
};

subtest 'versions' => sub {
    my $v = $api->get('/api/version', 200);
    is $v->{name}, 'librefang', 'clients know it by its name';
    like $v->{version}, qr/^\d+\.\d+\.\d+/, 'it has a version';
    is $v->{compat}, '2026.9.14', 'and says whose clients it serves';
    is $v->{api}{current}, 'v1', 'and the version of the API';
    my $all = $api->get('/api/versions', 200);
    is_deeply $all->{supported}, ['v1'], 'which is the only one';
    is $all->{details}[0]{url_prefix}, '/api/v1', 'with its prefix';
    $api->get('/api/v1/versions', 404);
    $api->get('/api/v1/openapi.json', 404);
    $api->get('/api/v2/health', 404);
    my $e = $api->get('/api/health', 406, { Accept => 'application/vnd.librefang.v7+json' });
    is_deeply $e->{available}, ['v1'], 'another one is refused with what there is';
    is $e->{error}, 'Unsupported API version: v7', 'and named';
    $api->get('/api/health', 200, { Accept => 'application/vnd.librefang.v1+json' });
};

subtest 'metrics' => sub {
    $api->get('/api/agents/nobody', 400);
    my $r = $api->raw('GET', '/api/metrics');
    is $r->{status}, 200, 'there are metrics';
    is $r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'in the format of Prometheus';
    like $r->{content}, qr/^\Q$_\E(?:\{[^}]*\})? [0-9.e+-]+$/m, "with $_" for qw(librefang_uptime_seconds librefang_agents_active
        librefang_agents_total librefang_panics_total librefang_restarts_total librefang_info librefang_active_sessions
        librefang_cost_usd_today);
    like $r->{content}, qr/^librefang_http_requests_total\{[^}]*path="\/api\/health"[^}]*\} \d+$/m, 'requests are counted by row';
    like $r->{content}, qr/path="\/api\/agents\/\{id\}"[^}]*status="400"/, 'and by status';
    unlike $r->{content}, qr/nobody/, 'but not by what was asked for';
    SKIP: {
        skip 'promtool is not installed', 1 if system('promtool --version >/dev/null 2>&1') != 0;
        open my $p, '|-', "promtool check metrics >'$api->{dir}/promtool' 2>&1" or die "promtool: $!";
        print $p $r->{content};
        close $p;
        # lint of names (no unit, gauges that end in _total) is LibreFang's naming
        ok $? == 0 || $? >> 8 == 3, 'promtool reads them' or diag LF::slurp("$api->{dir}/promtool");
    }
};

subtest 'the description' => sub {
    my $r = $api->raw('GET', '/api/openapi.json');
    is $r->{status}, 200, 'the server describes itself';
    like $r->{json}{openapi}, qr/^3\.1/, 'in OpenAPI 3.1';
    ok $r->{json}{paths}{'/api/agents'}{get}, 'with its rows';
    my $tag = $r->{headers}{etag};
    ok $tag, 'it has a tag';
    is $r->{headers}{'cache-control'}, 'private, no-cache', 'and may be kept';
    my $again = $api->raw('GET', '/api/openapi.json', { headers => { 'If-None-Match' => $tag } });
    is $again->{status}, 304, 'who has it is told so';
    is length $again->{content}, 0, 'in few words';
    is $api->raw('GET', '/api/openapi.json', { headers => { 'If-None-Match' => '"other"' } })->{status}, 200, 'another tag gets it all';
    is $api->raw('GET', '/api/openapi.json', { headers => { 'Accept-Encoding' => 'gzip' } })->{headers}{'content-encoding'}, 'gzip',
        'it travels small';
};

subtest 'headers of every answer' => sub {
    for my $path ('/api/health', '/api/agents', '/api/none', '/none') {
        my $r = $api->raw('GET', $path);
        is $r->{headers}{'x-api-version'}, 'v1', "$path tells the version";
        is $r->{headers}{'x-frame-options'}, 'DENY', '  cannot be framed';
        is $r->{headers}{'referrer-policy'}, 'strict-origin-when-cross-origin', '  tells no other site';
        like $r->{headers}{'content-security-policy'} // '', qr/default-src 'self'/, '  has a policy';
        unlike $r->{headers}{'content-security-policy'} // '', qr/unsafe-inline|https?:/, '  that lets no foreign script in';
        like $r->{headers}{'strict-transport-security'} // '', qr/max-age/, '  asks for TLS';
        like $r->{headers}{'cache-control'}, qr/no-store/, '  and is not kept';
        unlike $r->{headers}{server} // '', qr/\d/, '  the server names no version';
    }
    my %seen;
    $seen{ $api->raw('GET', '/api/health', { headers => { 'X-Request-Id' => 'mine' } })->{headers}{'x-request-id'} }++ for 1 .. 20;
    is scalar(keys %seen), 20, 'every request has an id of its own';
    ok !$seen{mine}, 'which no client chooses';
};

subtest 'other origins' => sub {
    my $ask = sub { my ($verb, %h) = @_; return $api->raw($verb, '/api/agents', { headers => \%h })->{headers} };
    is $ask->('GET', Origin => 'http://localhost:3000')->{'access-control-allow-origin'}, 'http://localhost:3000', 'one that is allowed is named';
    is $ask->('GET', Origin => 'https://evil.example')->{'access-control-allow-origin'}, undef, 'another is not';
    my $r = $api->raw('OPTIONS', '/api/agents', { headers => { Authorization => undef, Origin => 'http://localhost:3000',
        'Access-Control-Request-Method' => 'POST' } });
    is $r->{status}, 200, 'a preflight needs no key';
    like $r->{headers}{'access-control-allow-methods'}, qr/POST/, 'and learns the verbs';
    like $r->{headers}{'access-control-allow-headers'}, qr/Authorization/, 'and the headers';
};

# What never reaches a row still speaks as the rows do.
subtest 'the front door' => sub {
    my $front = sub {
        my ($what, $head, @want) = @_;
        my ($status, $headers, $body) = $api->wire("$head\r\nConnection: close\r\n\r\n");
        ok + (grep { $_ == $status } @want), "$what is answered with @want" or diag "got $status $body";
        my $r = { status => $status, headers => $headers, path => '/', json => eval { $LF::JSON->decode($body) } };
        is join(', ', LF::error_faults($r, $headers->{'x-request-id'} // '')), '', '  in the standard shape' or diag $body;
        like $headers->{'content-type'} // '', qr{^application/json}, '  as JSON';
    };
    my $k = 'Host: localhost:' . $api->port . "\r\nAuthorization: Bearer " . $api->key;
    $front->('a path with dots', "GET /api/../api/agents HTTP/1.1\r\n$k", 400);
    $front->('a path with escaped dots', "GET /api/%2e%2e/api/agents HTTP/1.1\r\n$k", 400);
    $front->('a path that is not UTF-8', "GET /api/agents/%ff HTTP/1.1\r\n$k", 400);
    $front->('a bad escape', "GET /api/agents/%zz HTTP/1.1\r\n$k", 400);
    $front->('a header of 70 KB', "GET /api/health HTTP/1.1\r\n$k\r\nX-Long: " . 'x' x 70000, 400, 431);
    $front->('a path of 70 KB', 'GET /api/' . 'x' x 70000 . " HTTP/1.1\r\n$k", 414);
    $front->('a verb that is none', "BREW /api/health HTTP/1.1\r\n$k", 405);
    $front->('a verb of small letters', "get /api/health HTTP/1.1\r\n$k", 400, 405);
    $front->('a request without a host', 'GET /api/health HTTP/1.1', 400);
    $front->('a length that is none', "PUT /api/health HTTP/1.1\r\n$k\r\nContent-Length: x", 400);
    $front->('two lengths', "PUT /api/health HTTP/1.1\r\n$k\r\nContent-Length: 1\r\nContent-Length: 2", 400);
    $front->('a forged peer', "GET /api/agents HTTP/1.1\r\nHost: localhost\r\nX-LF-Peer: 127.0.0.1\r\nX-LF-Control: 1\r\nLF-CONTROL: 1", 401);
    $front->('a forged target', "GET /api/agents HTTP/1.1\r\nHost: localhost\r\nX-LF-Target: /api/health\r\nLF-TARGET: /api/health", 401);
    is $api->get('/api/health', 200)->{status}, 'ok', 'after all that it is well';
};

refuses($api, GET => "/api/$_", public => 1) for qw(health version versions);
refuses($api, GET => "/api/$_") for qw(health/detail status metrics openapi.json);
refuses($api, GET => '/api/ready', public => 1);

subtest 'the limit' => sub {
    my $small = LF->start(rate => 10);
    my @all = map { $small->raw('GET', '/api/tools/file_read', { headers => $_ > 3 ? { Authorization => undef } : {} }) } 1 .. 4;
    is $all[2]{status}, 429, 'of a budget of 10 the third request of cost 5 is too much';
    is $all[2]{headers}{'retry-after'}, 60, 'and told when to come back';
    is $all[2]{json}{code}, 'rate_limited', 'in the standard shape';
    is $all[3]{status}, 429, 'before anybody looks at a key';
    my ($rc, $out) = $small->command('status');
    is $rc, 0, 'the command is not limited' or diag $out;
};

subtest 'open mode' => sub {
    my $open = LF->start(key => '');
    my $ask = sub {
        my (@lines) = @_;
        my ($s) = $open->wire(join("\r\n", 'GET /api/agents HTTP/1.1', @lines, 'Connection: close') . "\r\n\r\n");
        return $s;
    };
    my $p = $open->port;
    is $ask->("Host: 127.0.0.1:$p"), 200, 'without a key this host comes in';
    is $ask->("Host: localhost:$p"), 200, 'by its name too';
    is $ask->("Host: rebound.example:$p"), 403, 'a name that was bent to us does not';
    is $ask->("Host: localhost:$p", 'Origin: http://evil.example'), 403, "nor another site's page";
    is $ask->("Host: localhost:$p", 'Sec-Fetch-Site: cross-site'), 403, 'which browsers tell';
    is $ask->("Host: localhost:$p", "Origin: http://localhost:$p", 'Sec-Fetch-Site: same-origin'), 200, 'our own page does';
    like $open->{said} . $open->log_text, qr/warn.*(?:api_key|credential|no key)/i, 'and every start warns of it';
};
done_testing;
