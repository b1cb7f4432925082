#!/usr/bin/perl
# The private nginx: routes by the table, passes on what it must, and its own
# error pages look like all others.
use strict;
use warnings;
use JSON::PP ();
use Test::More;
use LF;

my $api = LF->start;
my $j = JSON::PP->new->utf8;
my $uuid4 = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

sub page {
    my ($want, $name, $bytes) = @_;
    my ($status, $h, $body) = $api->wire($bytes);
    my $e = eval { $j->decode($body) } // {};
    subtest $name => sub {
        is $status, $want, "status $want";
        like $h->{'x-request-id'} // '', $uuid4, 'a request id of version 4';
        is $e->{request_id}, $h->{'x-request-id'}, '... the same in the body';
        is $h->{'x-content-type-options'}, 'nosniff', 'the security headers are there';
        is $h->{'x-frame-options'}, 'DENY', '... all of them';
        is $h->{'x-api-version'}, 'v1', '... and the API\'s version';
        ok defined $e->{error}, 'the body is an error';
        is $e->{error}, $e->{message}, 'error and message say the same' if !ref $e->{error};
    } or diag "$status\n$body";
    return ($e, $h);
}

my $end = "Host: localhost\r\nConnection: close\r\n\r\n";
page(400, 'a request without Host', "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
page(400, 'a NUL in the path', "GET /%00 HTTP/1.1\r\n$end");
page(400, 'a path above the root', "GET /../x HTTP/1.1\r\n$end");
page(400, 'a length that is none', "POST /api/agents HTTP/1.1\r\nContent-Length: abc\r\n$end");
page(405, 'TRACE', "TRACE / HTTP/1.1\r\n$end");
page(413, 'a body far too large', "POST /api/agents HTTP/1.1\r\nContent-Length: 99999999999\r\n$end");
page(414, 'a target too long', 'GET /' . 'a' x 20000 . " HTTP/1.1\r\n$end");
page(431, 'a header too long', "GET / HTTP/1.1\r\nX-Long: " . 'a' x 20000 . "\r\n$end");
page(505, 'another HTTP', "GET / HTTP/3.1\r\n$end");
page(404, 'nginx\'s inner places', "GET /_lf/live HTTP/1.1\r\n$end");
my ($e) = page(413, 'for OpenAI\'s clients', "POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n$end");
is ref $e->{error}, 'HASH', '... the error is OpenAI\'s object';

subtest 'a body a little too large is refused by the program itself' => sub {
    my $r = $api->raw('POST', '/api/agents', { content => 'x' x (8 * 1024 * 1024 + 10),
        headers => { 'Content-Type' => 'application/json' } });
    is $r->{status}, 413, 'too large';
    is $r->{json}{request_id}, $r->{headers}{'x-request-id'}, 'with the request id';
};

subtest 'who one is cannot be said by headers' => sub {
    my $key = 'Authorization: Bearer wrong';
    for my $row ('GET /api/status', 'POST /api/agents') {
        my ($status) = $api->wire("$row HTTP/1.1\r\n$key\r\nX-LF-Peer: 127.0.0.1\r\nX-LF-Target: /api/health\r\n"
            . "X-LF-Control: 1\r\nX-LF-Request-Id: 1\r\nContent-Length: 0\r\n$end");
        is $status, 401, "$row with X-LF headers and a wrong key";
    }
    my (undef, $h) = $api->wire("POST /api/agents HTTP/1.1\r\nX-LF-Request-Id: 00000000-0000-4000-8000-000000000000\r\n"
        . "Content-Length: 0\r\n$end");
    isnt $h->{'x-request-id'}, '00000000-0000-4000-8000-000000000000', 'a request id is ours alone';
};

subtest 'rows of both programs' => sub {
    $api->get('/api/health');
    $api->head('/api/health');
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "bea"\nversion = "1.0.0"\n) }, 201)->{agent_id};
    $api->get("/api/agents/$id");
    $api->get("/api/v1/agents/$id");
    ok length $api->post("/api/v1/agents/$id/message", { message => 'hello' })->{response}, 'a live row under its other name';
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'hello' });
    is $s->status, 200, 'an event stream passes';
    like $s->rest, qr/"done":true/, '... to its end';
    my (undef, $h, $body) = $api->wire("GET /api/models HTTP/1.1\r\nAuthorization: Bearer @{[ $api->key ]}\r\n"
        . "Accept-Encoding: gzip\r\n$end");
    is $h->{'content-encoding'}, 'gzip', 'long answers are compressed for who can read that';
};

subtest 'the access log' => sub {
    $api->wire("GET /api/health?token=geheim HTTP/1.1\r\n$end");
    my $log = $api->home . '/logs/access.log';
    ok $api->wait_for(sub { LF::slurp($log) =~ m{"GET /api/health" 200} }), 'has a line per request';
    unlike LF::slurp($log), qr/geheim/, 'without the query';
};

$api->down;
done_testing;
