#!/usr/bin/perl
# Browsers come in by a one-time link: it works once, for a quarter of an hour,
# and what it gives is a session that ends with a logout or another api_key.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my $api = LF->start(config => qq([[users]]\nname = "ursula"\nrole = "user"\napi_key_hash = ") . sha256_hash('ursula-key') . qq("\n));

# A fresh link's token, as the command prints it.
sub token {
    my ($code, $out) = $api->command('login');
    is $code, 0, 'librefang login prints a link' or diag $out;
    my $base = quotemeta $api->base;
    like $out, qr{^$base/\#link=[0-9a-f]{64}$}m, 'to this server, the token where no log sees it';
    return $out =~ /link=([0-9a-f]{64})/ ? $1 : '';
}

sub take { my ($t, $status) = @_; local $LF::Level = 1; return $api->post('/api/auth/link', { token => $t }, $status, { Authorization => undef }) }
sub counted { return $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_active_sessions (\d+)$/m ? $1 : 'none' }
sub as { my ($t) = @_; return { Authorization => "Bearer $t" } }

my $session;
subtest 'a link becomes a session' => sub {
    my $t = token();
    my $in = take($t, 200);
    $session = $in->{token};
    is counted(), 1, 'and is counted';
    like $session, qr/^[0-9a-f]{64}$/, 'which has a token of its own';
    isnt $session, $t, 'another one';
    cmp_ok $in->{expires_at} - $in->{created_at}, '==', 30 * 86400, 'for thirty days';
    is take($t, 401)->{code}, 'unauthorized', 'the link works once';
    is $api->get('/api/status', 200, as($session))->{status}, 'running', 'the session is a key, in the pool';
    my $id = $api->get('/api/agents', 200, as($session))->{items}[0]{id};
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200, as($session));
    $api->get('/api/status', 200, as($session)) for 1 .. 20;
    my @kept = glob $api->home . '/links/*';
    is scalar(grep { LF::slurp($_) ne '' || m{/\Q$t\E$} } @kept), 0, 'nothing of a token is kept';
    unlike $api->log_text, qr/\Q$t\E|\Q$session\E/, 'nor logged';
};

subtest 'what is no link' => sub {
    take($_, 401) for '', 'x', '0' x 64, 'F' x 64, $session, '../../config.toml';
    $api->post('/api/auth/link', {}, 422);
    $api->post('/api/auth/link', { token => 5 }, 422);
    $api->post('/api/auth/link', { token => 'x' x 200 }, 422);
    $api->get('/api/auth/link', 405);
    $api->raw('POST', '/api/auth/link', { headers => { 'Content-Type' => 'application/json' }, content => '{"token":"no"}' }) for 1 .. 10;
    is take('0' x 64, 429)->{code}, 'rate_limited', 'ten wrong ones are enough for a minute';
    is take(token(), 429)->{code}, 'rate_limited', 'even before a good one';
    $api->get('/api/status', 200);
};
$api->restart;

subtest 'in time' => sub {
    my $t = token();
    utime time - 16 * 60, time - 16 * 60, glob $api->home . '/links/*';
    take($t, 401);
    my $second = token();
    is scalar(my @left = glob $api->home . '/links/*'), 1, 'old ones are cleared away';
    utime time - 14 * 60, time - 14 * 60, $left[0];
    ok take($second, 200)->{token}, 'fourteen minutes are soon enough';
};

subtest 'two take the same link at once' => sub {
    my $t = token();
    my @both = map { $api->later('/api/auth/link', { token => $t }, headers => { Authorization => undef }) } 1 .. 8;
    $_->read_head for @both;
    is scalar(grep { $_->status == 200 } @both), 1, 'one of them gets in';
};

subtest 'it lasts, and ends' => sub {
    $api->get('/api/status', 200, as($session));
    my $other = take(token(), 200)->{token};
    my $before = counted();
    my $r = $api->raw('POST', '/api/auth/logout', { headers => as($other) });
    is $r->{status}, 200, 'logging out';
    is counted(), $before - 1, 'is counted too';
    like $r->{headers}{'set-cookie'} // '', qr/^librefang_session=;.*Max-Age=0/, 'clears the cookie too';
    for my $n (1 .. 12) {       # whichever process answers
        $api->get('/api/status', 401, as($other));
    }
    $api->get('/api/status', 200, as($session));
    $api->post('/api/auth/logout', undef, 401, as($other));
    $api->post('/auth/logout', undef, 200, as($other));
    $api->post('/api/auth/logout', undef, 200);
    $api->get('/api/status', 200);
    pass 'the api_key itself stays';
};

subtest 'who one is' => sub {
    my $root = $api->get('/api/authz/whoami', 200);
    is "$root->{name} $root->{role}", 'root owner', 'the api_key is the owner';
    is $api->get('/api/authz/whoami', 200, as($session))->{role}, 'owner', 'and so is a session of its links';
    my $u = $api->get('/api/authz/whoami', 200, as('ursula-key'));
    is "$u->{name} $u->{role}", 'ursula user', 'a user has the role that was given';
    isnt $u->{user_id}, $root->{user_id}, 'and an id of her own';
    is $api->get('/api/authz/whoami', 401, { Authorization => undef })->{code}, 'unauthorized', 'nobody is nobody';
};

subtest 'another api_key ends all sessions' => sub {
    $api->get('/api/status', 200, as($session));
    my ($code) = $api->command('config', 'set', 'api_key', 'another-key-altogether-123');
    is $code, 0, 'the key is changed';
    $api->restart;
    $api->get('/api/status', 401, as($session));
    $api->get('/api/status', 200, as('another-key-altogether-123'));
};

subtest 'nobody is there' => sub {
    $api->finish;
    my ($code, $out) = $api->command('login');
    is $code, 3, 'without a server there is no link' or diag $out;
};

done_testing;
