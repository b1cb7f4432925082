#!/usr/bin/perl
# The dashboard's login: a name and a password become a session that is a key on every way in, in every process, for thirty
# days, through crashes, until the password is another one. Guessing is slow, and nothing that is kept tells the password.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex sha256_hex);
use LF;
use LF::Refuse;
use LF::WS;
use Test::More;
use Time::HiRes qw(time);

# made by LibreFang itself
my ($PASS, $HASH) = ('longenough1', '$argon2id$v=19$m=19456,t=2,p=1$lHhg1UJ4zPOO8sgFJjGtoQ$4OD/jh5Wz73K2rHBQhZYGu3DclcQekvNTZhJVLliEJE');
my $CANARY = 'hush ' . LF::random_key();
my $api;

sub as { my ($t) = @_; return { Authorization => defined $t ? "Bearer $t" : undef } }
sub enter {
    my ($user, $pass, $status, %more) = @_;
    local $LF::Level = 1;
    return $api->post('/api/auth/dashboard-login', { username => $user, password => $pass, %more }, $status, as(undef));
}
sub mode { return $api->get('/api/auth/dashboard-check', 200, as(undef))->{mode} }
sub counted { return $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_active_sessions (\d+)$/m ? $1 : 'none' }
# Everywhere: whichever worker answers, and the daemon.
sub holds { my ($t, $status) = @_; local $LF::Level = 1; $api->get('/api/status', $status, as($t)) for 1 .. 8; $api->get('/api/agents/bulk', 405, as($t)) if $status == 200; return }
sub config {
    my ($from, $to) = @_;
    my $file = $api->home . '/config.toml';
    my $text = LF::slurp($file);
    $text =~ s/$from/$to/m or die "$file has no $from";
    open my $fh, '>', $file or die "$file: $!";
    print $fh $text;
    close $fh or die "$file: $!";
    return;
}

$api = LF->start(top => qq(dashboard_user = " admin "\ndashboard_pass_hash = '$HASH'\n), config => qq([[users]]\nname = "ursula"\nrole = "user"\napi_key_hash = ") . sha256_hash('ursula-key') . qq("\n));
my ($agent) = map { $_->{id} } @{ $api->get('/api/agents', 200)->{items} };
my $session;

subtest 'what the page asks before' => sub {
    is_deeply $api->get('/api/auth/dashboard-check', 200, as(undef)), { mode => 'hybrid', username => '' }, 'name and password, or a key; the name is not told';
    $api->get('/api/v1/auth/dashboard-check', 200, as(undef));
    $api->post('/api/auth/dashboard-check', undef, 405, as($api->key));
    $api->get('/api/auth/dashboard-check', 200, as('wrong'));
};

subtest 'a name and a password become a session' => sub {
    my $in = enter('admin', $PASS, 200, totp_code => '123456', remember => JSON::PP::true());
    $session = $in->{token};
    is $in->{ok}, JSON::PP::true(), 'that goes well';
    like $session, qr/^[0-9a-f]{64}$/, 'there is a token';
    is $in->{expires_at} - $in->{created_at}, 30 * 86400, 'for thirty days';
    cmp_ok abs($in->{created_at} - time), '<', 100, 'from now on';
    is $api->last->{headers}{'set-cookie'}, "librefang_session=$session; Path=/dashboard; HttpOnly; SameSite=Lax; Max-Age=2592000", 'and a cookie';
    isnt enter('admin', $PASS, 200)->{token}, $session, 'each has one of its own';
    is counted(), 2, 'they are counted';
    my $w = $api->get('/api/authz/whoami', 200, as($session));
    is_deeply [ @$w{qw(name role user_id)} ], [ 'admin', 'owner', 'c8440f27-ab56-56c5-9af7-6b5c61aee5c3' ], 'it is the owner, by the name of the login';
};

subtest 'on every way in' => sub {
    holds($session, 200);
    is $api->get('/api/status', 200, { Authorization => undef, 'X-API-Key' => $session })->{status}, 'running', 'as an API key';
    ok length $api->post("/api/agents/$agent/message", { message => 'hello' }, 200, as($session))->{response}, 'REST in the daemon';
    my $s = $api->stream("/api/agents/$agent/message/stream", { message => 'hello' }, headers => as($session));
    is $s->status, 200, 'an event stream';
    my $ws = LF::WS->open($api, "/api/agents/$agent/ws", headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => "bearer.$session" });
    is $ws->status, 101, 'a WebSocket';
    $ws->say({ type => 'ping' });
    ok $ws->until('pong'), 'that talks';
    ok $api->get('/v1/models', 200, as($session))->{data}, '/v1 in the pool';
    ok $api->post('/v1/chat/completions', { model => 'offline', messages => [ { role => 'user', content => 'hi' } ] }, 200, as($session))->{choices}, 'and in the daemon';
    $api->get("/api/status?token=$session", 401, as(undef));
    $api->get('/api/status', 401, { Authorization => undef, Cookie => "librefang_session=$session" });
    $api->get('/api/status', 401, as(substr($session, 1) . 'g'));
    $api->get('/api/status', 401, as(uc $session)) if $session =~ /[a-f]/;
};

subtest 'what is no login' => sub {
    my $e = enter('admin', "$PASS ", 401);
    is_deeply [ @$e{qw(ok error code)} ], [ JSON::PP::false(), 'Invalid username or password', 'unauthorized' ], 'a wrong password';
    is enter('Admin', $PASS, 401)->{error}, $e->{error}, 'a wrong name is told the same';
    ok !exists $api->last->{headers}{'set-cookie'}, 'there is no cookie';
    enter($_->[0], $_->[1], 401) for [ '', '' ], [ 'admin', '' ], [ 'admin', $HASH ], [ "admin'--", $PASS ], [ 'x' x 1024, 'y' x 4096 ];
    my $path = '/api/auth/dashboard-login';
    $api->post($path, {}, 401, as(undef));
    $api->post($path, {}, 401);
    for my $bad ([ '{', 400 ], [ '', 400 ], [ '[]', 422 ], [ 'null', 422 ], [ '{"username":5}', 422 ], [ '{"password":["x"]}', 422 ], [ '{"username":"\u0000"}', 422 ],
        [ '{"password":"' . 'x' x 4097 . '"}', 422 ], [ '{"username":"' . "\xff" . '"}', 400 ], [ '{"totp_code":123456}', 422 ]) {
        $api->post($path, $bad->[0], $bad->[1], { Authorization => undef, 'Content-Type' => 'application/json' });
    }
    $api->post($path, 'username=admin', 415, { Authorization => undef, 'Content-Type' => 'application/x-www-form-urlencoded' });
    $api->post($path, undef, 415, as(undef));
    $api->get($path, 405);
    is counted(), 2, 'nobody came in';
    cmp_ok $api->get('/api/security', 200)->{monitoring}{audit_trail}{entry_count}, '>=', 11, 'and each try is in the audit log';
};

subtest 'many at once' => sub {
    my @all = map { $api->later('/api/auth/dashboard-login', { username => 'admin', password => $PASS }, headers => { Authorization => undef }) } 1 .. 12;
    $_->read_head for @all;
    my %n;
    $n{ $_->status }++ for @all;
    ok $n{200} && $n{200} + ($n{429} // 0) == 12, 'one Argon2 runs after the other; who finds one waiting comes again' or diag explain \%n;
    my @in = map { $LF::JSON->decode($_->rest)->{token} } grep { $_->status == 200 } @all;
    $api->post('/api/auth/logout', undef, 200, as($_)) for @in;
    is counted(), 2, 'all of them can go again';
};

subtest 'it lasts' => sub {
    my $new = enter('admin', $PASS, 200)->{token};
    kill 'KILL', map {@$_} @{ $api->processes }{qw(librefangd librefang-fcgi)};
    ok $api->wait_for(sub { $api->raw('GET', '/api/ready')->{status} == 200 }), 'all die at once and are back';
    holds($new, 200);
    $api->restart;
    holds($_, 200) for $new, $session;
    is counted(), 3, 'they are counted after a restart';
    is $api->post('/api/auth/logout', undef, 200, as($new))->{ok}, JSON::PP::true(), 'one is ended';
    holds($new, 401);
    my $r = $api->raw('POST', '/auth/logout', { headers => { Authorization => undef, Cookie => 'a=b; librefang_session=' . (my $by = enter('admin', $PASS, 200)->{token}) } });
    is $r->{status}, 200, 'by its cookie, too';
    holds($by, 401);
    my @both = map { enter('admin', $PASS, 200)->{token} } 1 .. 2;
    $api->post('/auth/logout', undef, 200, { Authorization => "Bearer $both[0]", 'X-API-Key' => $both[1] });
    holds($_, 401) for @both;
    holds($session, 200);
};

subtest 'a token that LibreFang made of the password' => sub {
    my $old = hmac_sha256_hex('adminlibrefang-dashboard-session', $HASH);
    is $api->get('/api/authz/whoami', 200, as($old))->{name}, 'root', 'still comes in, as there is a key, too';
    $api->get('/api/status', 401, as(hmac_sha256_hex('adminlibrefang-dashboard-session', $PASS)));
};

subtest 'another password' => sub {
    my $ws = LF::WS->open($api, "/api/agents/$agent/ws", headers => as($session));
    is $ws->status, 101, 'somebody is there';
    config(qr/^dashboard_pass_hash.*$/m, qq(dashboard_pass = "$CANARY"));
    ok $api->wait_for(sub { $api->raw('GET', '/api/status', { headers => as($session) })->{status} == 401 }), 'ends the sessions';
    holds($session, 401);
    $ws->until('never');
    is $ws->code, 4401, 'and what they opened';
    enter('admin', $PASS, 401);
    $session = enter('admin', $CANARY, 200)->{token};
    holds($session, 200);
    ok $api->wait_for(sub { counted() == 1 }), 'one is left';
    $api->restart;
    holds($session, 200);
    config(qr/^dashboard_user.*$/m, 'dashboard_user = "root2"');
    $api->restart;
    holds($session, 401);
    $session = enter('root2', $CANARY, 200)->{token};
    holds($session, 200);
    $api->get('/api/status', 200, as(hmac_sha256_hex('root2librefang-dashboard-session', $CANARY)));
};

subtest 'nothing tells it' => sub {
    my @files = split /\0/, qx(find '@{[$api->home]}' '$api->{dir}/run' -type f -print0);
    my @names = map { s{.*/}{}r } grep { index(LF::slurp($_), $CANARY) >= 0 } @files;
    is "@names", 'config.toml', 'the password stands where it was written, and nowhere else';
    is_deeply [ grep { index(LF::slurp($_), $session) >= 0 } @files ], [], 'the token nowhere';
    my $sha = sha256_hex($CANARY);
    is_deeply [ grep { /librefang-c\.db/ && index(LF::slurp($_), substr $sha, 0, 16) >= 0 } @files ], [], 'nor has the store anything to try guesses on';
    unlike $api->get('/api/config', 200)->{dashboard_pass} // '', qr/hush/, 'nor the configuration' if $api->raw('GET', '/api/config')->{status} == 200;
};
$api->finish;

subtest 'without a key' => sub {
    $api = LF->start(key => '', top => qq(dashboard_user = "admin"\ndashboard_pass = "$CANARY"\n));
    is mode(), 'credentials', 'name and password are all there is';
    $api->get('/api/status', 401, as(undef));
    my $t = enter('admin', $CANARY, 200)->{token};
    is $api->get('/api/security', 200, as($t))->{configurable}{auth}{mode}, 'bearer_token', 'nobody comes in without';
    $api->get('/api/status', 401, as(hmac_sha256_hex('adminlibrefang-dashboard-session', $CANARY)));
    $api->finish;
    $api = LF->start(key => '');
    is mode(), 'none', 'or nothing is';
    is_deeply enter('x', 'y', 200), { ok => JSON::PP::true(), token => '', message => 'No credentials required' }, 'and nobody has to log in';
    is $api->get('/api/security', 200)->{configurable}{auth}{mode}, 'localhost_only', 'from here';
    $api->finish;
    $api = LF->start(env => { LIBREFANG_DASHBOARD_USER => 'eve', LIBREFANG_DASHBOARD_PASS => $CANARY }, top => qq(dashboard_user = "admin"\ndashboard_pass = "other"));
    is mode(), 'hybrid', 'the environment has its say';
    enter('admin', 'other', 401);
    holds(enter('eve', $CANARY, 200)->{token}, 200);
    is_deeply [ grep { index(LF::slurp("/proc/$_/environ"), $CANARY) >= 0 } map {@$_} @{ $api->processes }{qw(librefang-fcgi nginx librefangd)} ], [], 'which is handed to nobody';
    $api->finish;
};

subtest 'a password in the vault' => sub {
    $api = LF->start(top => qq(dashboard_user = "admin"\ndashboard_pass = "vault:DASH"));
    is enter('admin', '', 503)->{code}, 'service_unavailable', 'before it is there nobody comes in';
    $api->put('/api/vault/DASH', { value => $CANARY }, 200);
    my $t = enter('admin', $CANARY, 200)->{token};
    holds($t, 200);
    $api->get('/api/status', 200, as(hmac_sha256_hex('adminlibrefang-dashboard-session', $CANARY)));
    $api->restart;
    holds($t, 200);
    $api->put('/api/vault/DASH', { value => 'another one' }, 200);
    holds($t, 401);
    enter('admin', $CANARY, 401);
    holds(enter('admin', 'another one', 200)->{token}, 200);
    $api->finish;
};

subtest 'guessing' => sub {
    $api = LF->start(top => qq(dashboard_user = "admin"\ndashboard_pass = "$CANARY"\ntrusted_proxies = ["127.0.0.1"]\ntrust_forwarded_for = true), limits => "auth_rate_limit_per_ip = 4\n");
    my $from = sub { my ($ip, $pass) = @_; return $api->raw('POST', '/api/auth/dashboard-login', { headers => { Authorization => undef, 'X-Forwarded-For' => $ip, 'X-Forwarded-Proto' => 'HTTPS, http',
        'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ username => 'admin', password => $pass }) }) };
    is join(' ', map { $from->('192.0.2.1', $_)->{status} } 'a', $CANARY, 'b', 'c', $CANARY), '401 200 401 401 429', 'so many tries there are, good ones too';
    my $r = $api->last;
    is_deeply [ $r->{json}{error}, $r->{json}{code}, $r->{headers}{'retry-after'} ], [ 'Too many login attempts. Please wait before trying again.', 'rate_limited', 900 ], 'then one waits a quarter of an hour';
    $r = $from->('192.0.2.2', $CANARY);
    is $r->{status}, 200, 'others do not';
    like $r->{headers}{'set-cookie'}, qr/; Secure;/, 'over TLS the cookie stays there';
    is $api->raw('POST', '/api/v1/auth/dashboard-login', { headers => { Authorization => undef, 'X-Forwarded-For' => '192.0.2.1' } })->{status}, 429, 'by any path';
    is $api->get('/api/auth/dashboard-check', 200, { Authorization => undef, 'X-Forwarded-For' => '192.0.2.1' })->{mode}, 'hybrid', 'what else there is stays open';
    my ($code, $out) = $api->command('config', 'set', 'dashboard_pass_hash', 'plain');
    isnt $code, 0, 'a hash that is none does not get into the file';
    like $out, qr/dashboard_pass_hash: an Argon2id hash/, 'and it is said why';
    $api->finish;
};

done_testing;
