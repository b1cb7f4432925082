#!/usr/bin/perl
# The dashboard's name and password, changed by who knows the password: the file has a hash and keeps its comments, the
# old ones open nothing from then on, whatever happens in between, and all sessions are over.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my $path = '/api/auth/change-password';
my ($FALSE, $TRUE) = (JSON::PP::false(), JSON::PP::true());
my $pass = 'first words';
my $api = LF->start(top => qq(dashboard_user = "admin"   # who\ndashboard_pass = "$pass"\n), config => qq([[users]]\nname = "adam"\nrole = "admin"\napi_key_hash = ") . sha256_hash('adam-key') . qq("\n));
my $file = $api->home . '/config.toml';

sub as { my ($t) = @_; return { Authorization => "Bearer $t" } }
sub enter { my ($user, $with, $status) = @_; local $LF::Level = 1; return $api->post('/api/auth/dashboard-login', { username => $user, password => $with }, $status, { Authorization => undef })->{token} }
sub change { my ($in, $status, $h) = @_; local $LF::Level = 1; return $api->post($path, $in, $status, $h) }

subtest 'what is no change' => sub {
    my $before = LF::slurp($file);
    my $e = change({ current_password => 'wrong words', new_password => 'second words' }, 401);
    is_deeply [ @$e{qw(ok error)} ], [ $FALSE, 'Current password is incorrect' ], 'who does not know the password changes nothing';
    is change({ current_password => $pass }, 400)->{error}, 'Provide at least a new password or new username', 'nothing is no change';
    is change({ current_password => $pass, new_password => "sh\x{f6}rt12" }, 400)->{error}, 'Password must be at least 8 characters', 'a short password is none, counted in characters';
    is change({ current_password => $pass, new_username => ' a ' }, 400)->{error}, 'Username must be at least 2 characters', 'nor is a short name';
    change($_, 422) for { new_password => 'second words' }, { current_password => 5, new_password => 'second words' }, { current_password => $pass, new_password => ['second words'] },
        { current_password => $pass, new_password => 'second words', more => 1 }, { current_password => $pass, new_password => 'x' x 4097 };
    change({ current_password => $pass, new_password => 'second words' }, 403, as('adam-key'));
    change({ current_password => $pass, new_password => 'second words' }, 401, { Authorization => undef });
    $api->get($path, 405);
    is LF::slurp($file), $before, 'the file is as it was';
    change({ current_password => 'wrong', new_password => 'second words' }, 401) for 1 .. 9;
    is change({ current_password => $pass, new_password => 'second words' }, 429)->{ok}, $FALSE, 'ten guesses are enough for a minute';
};
$api->restart;

subtest 'another password' => sub {
    my $mine = enter('admin', $pass, 200);
    my ($link) = ($api->command('login'))[1] =~ /#link=(\w+)/;
    my $linked = $api->post('/api/auth/link', { token => $link }, 200, { Authorization => undef })->{token};
    is_deeply change({ current_password => $pass, new_password => 'second words' }, 200, as($mine)), { ok => $TRUE, message => 'Credentials changed successfully' }, 'by a session';
    $api->get('/api/status', 401, as($_)) for ($mine, $linked) x 4;
    enter('admin', $pass, 401);
    my $text = LF::slurp($file);
    like $text, qr/^dashboard_user = "admin"   # who\n.*^dashboard_pass_hash = "\$argon2id\$v=19\$m=19456,t=2,p=1\$/ms, 'the file has its hash, and its comments';
    unlike $text, qr/dashboard_pass =|second words/, 'and no password';
    like LF::slurp($api->home . '/backups/config.toml.prev'), qr/^dashboard_pass = /m, 'the one before is kept';
    unlike $api->log_text, qr/second words|first words/, 'the log has none';
    $api->get('/api/status', 200, as(enter('admin', 'second words', 200)));
    $api->get('/api/status', 200);
};

subtest 'another name' => sub {
    my $mine = enter('admin', 'second words', 200);
    change({ current_password => 'second words', new_username => '  ada "l" ', new_password => undef }, 200);
    enter('admin', 'second words', 401);
    $api->get('/api/status', 401, as($mine));
    is $api->get('/api/authz/whoami', 200, as(enter('ada "l"', 'second words', 200)))->{name}, 'ada "l"', 'with the same password';
    change({ current_password => 'second words', new_username => 'bob', new_password => 'third words' }, 200);
    enter('bob', 'third words', 200);
};

subtest 'two at once' => sub {
    my @both = map { $api->later($path, { current_password => 'third words', new_password => "fourth words $_" }) } 1 .. 4;
    $_->read_head for @both;
    my @won = grep { $both[ $_ - 1 ]->status == 200 } 1 .. 4;
    is scalar @won, 1, 'one of them has changed it' or diag join ' ', map { $_->status } @both;
    enter('bob', "fourth words $won[0]", 200);
    $pass = "fourth words $won[0]";
};

subtest 'killed on the way' => sub {
    my $t = enter('bob', $pass, 200);
    my $s = $api->later($path, { current_password => $pass, new_password => 'fifth words' });
    select undef, undef, undef, 0.04;
    kill 'KILL', map {@$_} @{ $api->processes }{qw(librefangd librefang-fcgi)};
    ok $api->wait_for(sub { $api->raw('GET', '/api/ready')->{status} == 200 }), 'and back';
    $api->restart;
    my %in = map { my $p = $_; $p => $api->raw('POST', '/api/auth/dashboard-login', { headers => { Authorization => undef, 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ username => 'bob', password => $p }) })->{status} } $pass, 'fifth words';
    is join(' ', sort values %in), '200 401', 'one of the two is the password';
    is $api->raw('GET', '/api/status', { headers => as($t) })->{status}, $in{$pass} == 200 ? 200 : 401, 'and sessions belong to the one that is';
};
$api->finish;

subtest 'where it cannot be' => sub {
    $api = LF->start;
    for my $bad ([ "short\n" ], [ '' ], [ "\xff\xfe in latin\n" ], [ "long enough\n", 'long enough' ]) {
        my ($code, $out) = $api->command(\$bad->[0], 'hash-password', @$bad[ 1 .. $#$bad ]);
        is $code, 2, 'no password, no hash' or diag $out;
    }
    my ($code, $hash) = $api->command(\"pass of the day\n", 'hash-password');
    chomp $hash;
    like $hash, qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+\/]+\$[\w+\/]+$/, 'the command makes one';
    is(($api->command('config', 'set', $_->[0], $_->[1]))[0], 0, "$_->[0] is set") for [ dashboard_user => 'cmd' ], [ dashboard_pass_hash => $hash ];
    $api->restart;
    enter('cmd', 'pass of the day', 200);
    $api->finish;
    $api = LF->start;
    is change({ current_password => 'x', new_password => 'longenough1' }, 400)->{error}, 'Password authentication is not configured', 'there is none';
    $api->finish;
    $api = LF->start(env => { LIBREFANG_DASHBOARD_USER => 'eve', LIBREFANG_DASHBOARD_PASS => 'from outside' });
    change({ current_password => 'from outside', new_username => 'adam' }, 409);
    change({ current_password => 'from outside', new_password => 'from inside' }, 200);
    enter('eve', 'from inside', 200);
    enter('eve', 'from outside', 401);
    $api->finish;
    $api = LF->start(env => { LIBREFANG_CONFIG_MODE => 'managed' }, top => qq(dashboard_user = "admin"\ndashboard_pass = "words of old"\n));
    is change({ current_password => 'words of old', new_password => 'words of new' }, 423)->{code}, 'config_managed', 'others manage the file';
    enter('admin', 'words of old', 200);
    $api->finish;
};

done_testing;
