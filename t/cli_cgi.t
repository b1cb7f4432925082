#!/usr/bin/perl
# The worker as a plain CGI program, for accounts that know nothing of FastCGI.
use strict;
use warnings;
use IPC::Open3 ();
use JSON::PP ();
use Test::More;
use LF;

my $api = LF->start;
my $j = JSON::PP->new->utf8;

# Returns (status, {headers}, body).
sub cgi {
    my ($method, $uri, $body, %env) = @_;
    my ($path, $query) = split /\?/, $uri, 2;
    my ($pid, $program) = (0, LF::builddir() . '/librefang-fcgi');
    {
        local %ENV = ($api->environment, GATEWAY_INTERFACE => 'CGI/1.1', REQUEST_METHOD => $method, REQUEST_URI => $uri,
            SCRIPT_NAME => '', PATH_INFO => $path, QUERY_STRING => $query // '', REMOTE_ADDR => '192.0.2.7',
            HTTP_HOST => 'example.org', HTTP_AUTHORIZATION => 'Bearer ' . $api->key,
            defined $body ? (CONTENT_LENGTH => length $body, CONTENT_TYPE => 'application/json') : (), %env);
        delete @ENV{ grep { !defined $ENV{$_} } keys %ENV };
        $pid = IPC::Open3::open3(my $in, my $out, '>&STDERR', $program);
        local $SIG{PIPE} = 'IGNORE';       # it may answer without having read
        print $in $body if defined $body;
        close $in;
        local $/;
        my $all = <$out> // '';
        waitpid $pid, 0;
        my ($head, $text) = split /\r\n\r\n/, $all, 2;
        my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } split /\r\n/, $head // '';
        return ((split ' ', $h{status} // '0')[0], \%h, $text // '');
    }
}

subtest 'short rows' => sub {
    my ($status, $h, $body) = cgi('GET', '/api/health');
    is $status, 200, 'health';
    is $h->{'content-length'}, length $body, 'with its length';
    ($status) = cgi('GET', '/api/agents?limit=1');
    is $status, 200, 'a list, with a query';
    ($status, undef, $body) = cgi('GET', '/api/agents', undef, HTTP_AUTHORIZATION => undef);
    is $status, 401, 'without a key: 401';
    ok $j->decode($body)->{request_id}, '... in the usual shape';
    ($status) = cgi('GET', '/api/agents', undef, HTTP_AUTHORIZATION => undef,
        REDIRECT_HTTP_AUTHORIZATION => 'Bearer ' . $api->key);
    is $status, 200, 'Apache\'s other name for the key is known';
    ($status, undef, $body) = cgi('HEAD', '/api/health');
    is "$status $body", '200 ', 'HEAD has no body';
};

subtest 'bodies' => sub {
    is((cgi('PUT', '/api/x', '{}', CONTENT_LENGTH => 'ten'))[0], 400, 'a length that is no number');
    is((cgi('PUT', '/api/x', '{}', CONTENT_LENGTH => 100))[0], 400, 'a body that ends early');
    is((cgi('PUT', '/api/x', undef, CONTENT_LENGTH => 99999999))[0], 413, 'a body too large');
};

# Seconds of processor time of ended children: the clock on the wall tells what else the machine does.
sub spent { my (undef, undef, $user, $system) = times; return $user + $system }

my $id;
subtest 'live rows are relayed' => sub {
    my ($status, undef, $body) = cgi('POST', '/api/agents',
        $j->encode({ manifest_toml => qq(name = "bea"\nversion = "1.0.0"\n) }));
    is $status, 201, 'an agent is made' or diag $body;
    $id = $j->decode($body)->{agent_id};
    ($status, undef, $body) = cgi('POST', "/api/agents/$id/message", '{"message":"hello"}');
    is $status, 200, 'and answers' or diag $body;
    my ($s, $h, $events) = cgi('POST', "/api/agents/$id/message/stream", '{"message":"hello"}');
    like $h->{'content-type'}, qr{^text/event-stream}, 'a stream is a stream';
    like $events, qr/"done":true/, '... to its end';
    unlike $events, qr/^[0-9a-f]+\r$/m, '... without the marks of chunks';
    is((cgi('POST', '/api/agents', '{}', HTTP_AUTHORIZATION => 'Bearer wrong', HTTP_X_LF_CONTROL => 1))[0], 401,
        'a wrong key is refused there too');
};

subtest 'speed' => sub {
    my ($n, $before) = (20, spent());
    cgi('GET', "/api/agents/$id") for 1 .. $n;
    my $ms = (spent() - $before) * 1000 / $n;
    my $sanitized = LF::slurp(LF::builddir() . '/librefang-fcgi') =~ /__asan_init/;
    ok $sanitized || $ms < 100, sprintf('a request takes %.1f ms of the processor', $ms);
};

subtest 'nothing runs' => sub {
    $api->down;
    my ($status, undef, $body) = cgi('GET', '/api/health');
    is $status, 503, 'the service is unavailable';
    is $j->decode($body)->{code}, 'service_unavailable', 'in the usual shape';
};

done_testing;
