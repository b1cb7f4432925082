#!/usr/bin/perl
# The API behind other front servers: the private nginx, the machine's nginx with TLS,
# lighttpd, Apache, plain CGI, cgi-fcgi. Each gets the site that the command prints, and the same questions.
use strict;
use warnings;
use LF;
use LF::Front;
use LF::WS;
use Test::More;
use Time::HiRes ();

my $uuid = qr/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/;
my $mock = LF->mock(default => { text => 'word ' x 60, chunks => 12, stall => 6, until => 'rest' });
$mock->let('rest');
my $api = LF->start(model => $mock, timeout => 60, files => { 'librefang.ini' => "[librefang]\nsocket_mode = 0666\n" });
my %once = ('x-content-type-options' => 'nosniff', 'x-frame-options' => 'DENY', 'x-api-version' => 'v1',
    'referrer-policy' => 'strict-origin-when-cross-origin', 'strict-transport-security' => 'max-age=63072000; includeSubDomains');
my $n = 0;

# An answer as all have it; errors in their shape.
sub shaped {
    my ($r, $status, $name) = @_;
    my @faults;
    push @faults, "status $r->{status}, not $status" if $r->{status} !~ /^(?:$status)$/;
    push @faults, 'no request id' if ($r->{h}{'x-request-id'} // '') !~ $uuid;
    for my $k (sort keys %once) {
        push @faults, "$k: " . ($r->{h}{$k} // 'none') if ($r->{h}{$k} // '') ne $once{$k};
    }
    if ($r->{status} >= 400) {
        my $e = $r->{json} // {};
        push @faults, 'no error in JSON' if !defined $e->{error};
        push @faults, 'another request id in the body' if ($e->{request_id} // '') ne ($r->{h}{'x-request-id'} // '');
        push @faults, 'error and message differ' if !ref $e->{error} && ($e->{error} // '') ne ($e->{message} // '');
    }
    ok !@faults, $name or diag join("\n", @faults), "\n", substr $r->{body}, 0, 400;
    return $r->{json};
}

sub short_rows {
    my ($f) = @_;
    is shaped($f->ask('GET', '/api/health', headers => { Authorization => undef }), 200, 'health needs no key')->{status}, 'ok', 'and is well';
    shaped($f->ask('GET', '/api/agents', headers => { Authorization => undef }), 401, 'the agents need one');
    shaped($f->ask('GET', '/api/agents', headers => { Authorization => 'Bearer wrong' }), 401, 'and the right one');
    shaped($f->ask('GET', '/api/status', headers => { Authorization => 'Bearer wrong', 'X-LF-Peer' => '127.0.0.1',
        'X-LF-Target' => '/api/health', 'X-LF-Request-Id' => 'x' }), 401, 'headers of a front server give nobody anything');
    shaped($f->ask('GET', '/api/nothing'), 404, 'an unknown row is not found');
    my $r = $f->ask('DELETE', '/api/health');
    shaped($r, 405, 'a wrong verb is told');
    like $r->{h}{allow} // '', qr/GET/, 'with the right ones';
    $r = $f->ask('HEAD', '/api/health');
    shaped({ %$r, json => {} }, 200, 'HEAD is answered');
    is $r->{body}, '', 'without a body';
    ok ref shaped($f->ask('GET', '/api/agents?limit=1&offset=0'), 200, 'a query arrives')->{items} || ref $r->{json}, 'a list comes';
    shaped($f->ask('GET', '/api/agents?limit=many'), '400|422', 'and is checked');
    my $kv = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';
    shaped($f->ask('PUT', "$kv/a%2Fb", body => { value => $f->name }), 200, 'a key may hold an encoded slash');
    is shaped($f->ask('GET', "$kv/a%2Fb"), 200, 'by which it is found')->{value}, $f->name, 'with its value';
    shaped($f->ask('GET', "$kv/a/b"), 404, 'a real slash is another path');
    shaped($f->ask('PUT', "$kv/n", body => '{"value":'), 400, 'half a body is refused');
    shaped($f->ask('PUT', "$kv/n", body => '', headers => { 'Content-Length' => 99_999_999 }), 413, 'one too large too');
    shaped($f->ask('GET', '/api/x/../agents'), 400, 'dots in a path are no way');
    return;
}

sub early_pages {
    my ($f) = @_;
    shaped($f->ask('GET', '/api/' . 'a' x 70000), '400|414|431', 'a target too long gets our error page');
    shaped($f->ask('GET', '/api/health', headers => { 'X-Long' => 'a' x 70000 }), '400|431', 'a header too long too');
    my $e = shaped($f->ask('POST', '/v1/chat/completions', body => '', headers => { 'Content-Length' => 99_999_999 }), 413, "OpenAI's clients");
    is ref $e->{error}, 'HASH', 'get their own shape';
    return;
}

sub live_rows {
    my ($f) = @_;
    my $id = shaped($f->ask('POST', '/api/agents', body => { manifest_toml => 'name = "front-' . ++$n . "\"\n" }), 201, 'an agent is made')->{agent_id};
    like $f->ask('GET', '/api/agents')->{body}, qr/\Q$id\E/, 'and listed';
    my $text = shaped($f->ask('POST', "/api/agents/$id/message", body => { message => 'hello' }), 200, 'it answers')->{response};
    like $text, qr/^word word/, 'what the model said';
    shaped($f->ask('POST', "/api/v1/agents/$id/message?x=%2F", body => { message => 'chunks' }, chunks => 1), 200, 'a body in chunks is one');
    shaped($f->ask('POST', '/api/agents', body => {}, headers => { Authorization => 'Bearer wrong', 'X-LF-Control' => 1 }), 401, 'a wrong key is none');
    shaped($f->ask('POST', "/api/agents/$id/message", body => 'x' x 9_000_000), 413, 'a large message is refused');
    my $file = join '', map { sprintf "%09d\n", $_ } 1 .. ($f->{cgi} ? 100_000 : 900_000);
    my $up = shaped($f->ask('POST', "/api/agents/$id/upload", body => $file, headers => { 'Content-Type' => 'text/plain', 'X-Filename' => 'big.txt' }), 201, 'a file goes up');
    my $down = $f->ask('GET', "/api/uploads/$up->{file_id}");
    ok $down->{status} == 200 && $down->{body} eq $file, 'and comes down' or diag "$down->{status}, " . length $down->{body};
    $down = $f->ask('GET', "/api/uploads/$up->{file_id}", headers => { Range => 'bytes=10-18' });
    is "$down->{status} $down->{body}", '206 000000002', 'in parts too';
    $mock->shut('rest');
    my $s = $f->stream("/api/agents/$id/message/stream", { message => 'talk' });
    is $s->status, 200, 'a stream begins';
    my $e = $s->next;
    $e = $s->next while $e && $e->{event} ne 'chunk';
    like +($e // {})->{data}, qr/word/, 'what is said comes when it is said, not at the end';
    $mock->let('rest');
    my @e = $s->all;
    like $e[-1]{data} // '', qr/"done":true/, 'which comes too';
    is join(', ', grep { defined } $s->headers->{'x-frame-options'}), 'DENY', 'with its headers once';
    return $id;
}

sub chat_socket {
    my ($f, $id) = @_;
    my $ws = LF::WS->open($f, "/api/agents/$id/ws", headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'bearer.' . $f->key });
    is $ws->status, 101, 'a WebSocket opens' or return diag $ws->body;
    is $ws->headers->{'sec-websocket-protocol'}, 'bearer.' . $f->key, 'the key as a sub-protocol is echoed';
    $ws->next;
    $ws->next;
    $ws->say({ type => 'ping' });
    is +($ws->next // {})->{type}, 'pong', 'and it talks';
    $ws->close;
    my $no = LF::WS->open($f, "/api/agents/$id/ws", headers => { Authorization => 'Bearer wrong' });
    is $no->status, 401, 'not with everybody';
    return;
}

sub suite {
    my ($f) = @_;
    short_rows($f);
    early_pages($f) if !$f->{bridge};
    my $id = $f->{live} ? live_rows($f) : undef;
    chat_socket($f, $id) if $f->{ws};
    return;
}

my @fronts = ([ own => 'the private nginx' ], [ nginx => "the machine's nginx with TLS", tls => 1 ], [ lighttpd => 'lighttpd' ],
    [ apache => 'Apache' ], [ lighttpd => 'CGI under lighttpd', cgi => 1 ], [ bridge => 'cgi-fcgi' ]);
my @up;
for my $what (@fronts) {
    my ($make, $name, @o) = @$what;
    SKIP: {
        my $f = LF::Front->$make($api, @o);
        skip "$name: it, or a module of it, is not installed", 1 if !$f;
        subtest $name => sub { suite($f) };
        push @up, $f if $make ne 'own' && $make ne 'bridge';
    }
}

subtest 'HTTP/2' => sub {
    my ($f) = grep { $_->{tls} } @up;
    my $curl = LF::Front::program('curl');
    plan skip_all => 'no curl that speaks it, or no nginx with TLS' if !$f || !$curl || `curl --version` !~ /HTTP2/;
    my $url = 'https://localhost:' . $f->port;
    my $out = `curl -sS --http2 --cacert '$f->{dir}/cert.pem' -D - '$url/api/health' 2>&1`;
    like $out, qr{^HTTP/2 200}, 'the machine\'s nginx speaks it';
    like $out, qr/"status":"ok"/, 'to the pool';
    my $key = $f->key;
    $out = `curl -sS --http2 --cacert '$f->{dir}/cert.pem' -H 'Authorization: Bearer $key' -d '{"manifest_toml":"name=\\"h2\\""}' -H 'Content-Type: application/json' '$url/api/agents' 2>&1`;
    like $out, qr/"agent_id"/, 'and to the daemon';
    $out = `curl -sS --tls-max 1.1 --cacert '$f->{dir}/cert.pem' '$url/api/health' 2>&1`;
    unlike $out, qr/"status"/, 'TLS 1.1 is over';
};

subtest 'nothing runs' => sub {
    $api->down;
    plan skip_all => 'no other front server is installed' if !@up;
    for my $f (@up) {
        shaped($f->ask('GET', '/api/agents'), 503, $f->name . ': a short row is unavailable');
        my $r = $f->ask('POST', '/api/agents', body => {});
        my $e = shaped($r, 503, $f->name . ': a live row too');
        is $e->{code}, 'daemon_unavailable', 'which is said' if !$f->{cgi};
        like $r->{h}{'retry-after'} // '', qr/^\d+$/, 'with a hope';
    }
    $_->stop for @up;
};

subtest 'without the private nginx' => sub {
    my $own = LF->start(files => { 'librefang.ini' => "[librefang]\nprivate_nginx = no\nsocket_mode = 0666\n" });
    like $own->{said}, qr/sockets in (\S+)/, 'the start says where the sockets are';
    my ($run) = $own->{said} =~ /sockets in (\S+)/;
    ok !$own->processes->{nginx}, 'no nginx runs';
    ok !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $own->port), 'nobody listens';
    is sprintf('%o', (stat "$run/$_->[0]")[2] & 0777), $_->[1], "$_->[0] has its mode" for [ 'fcgi.sock', 666 ], [ 'front.sock', 666 ], [ 'control.sock', 600 ];
    is sprintf('%o', (stat $run)[2] & 0777), '711', 'the directory lets pass';
    my ($rc, $out) = $own->command('status');
    is $rc, 0, 'status finds it' or diag $out;
    kill 'HUP', $own->supervisor;
    ok $own->wait_for(sub { $own->log_text =~ /configuration loaded/ }), 'it reloads';
    SKIP: {
        my $f = LF::Front->nginx($own) or skip 'no nginx', 1;
        shaped($f->ask('GET', '/api/agents'), 200, "the machine's nginx serves it");
        shaped($f->ask('POST', '/api/agents', body => { manifest_toml => qq(name = "bea"\n) }), 201, 'whole');
    }
    $own->down;
    for (['socket_mode = 0777', qr/socket_mode: 0600, 0660 or 0666/], [ 'socket_group = no-such-group', qr/no group no-such-group/ ]) {
        LF::Front::write_file($own->home . '/librefang.ini', "[librefang]\n$_->[0]\n");
        ($rc, $out) = $own->command('start');
        isnt $rc, 0, "$_->[0]: no start";
        like $out, $_->[1], 'and why';
    }
};

subtest 'what the command refuses' => sub {
    for ([ ['nginx-conf'], qr/--server-name NAME is needed/ ], [ [qw(nginx-conf --server-name a;b)], qr/a name like/ ],
        [ [qw(nginx-conf --server-name a --cert x)], qr/go together/ ], [ [qw(apache-conf --plain --cert x --key y)], qr/without TLS/ ],
        [ [ 'nginx-conf', '--plain', '--listen', '80; evil' ], qr/ADDRESS:PORT/ ], [ [qw(nginx-conf --server-name a --cert a";x --key y)], qr/character/ ],
        [ [qw(lighttpd-conf --plain more)], qr/what is "more"/ ], [ [qw(apache-conf --cgi --plain)], qr/no option --cgi/ ]) {
        my ($rc, $out) = $api->command(@{ $_->[0] });
        isnt $rc, 0, "@{ $_->[0] }";
        like $out, $_->[1], 'says why';
    }
    my (undef, $out) = $api->command(qw(nginx-conf --server-name agents.example));
    like $out, qr{ssl_certificate "/etc/letsencrypt/live/agents.example/fullchain.pem"}, 'certificates are where the usual client puts them';
    like $out, qr/return 301 https/, 'and plain HTTP is sent there';
};

done_testing;
