#!/usr/bin/perl
# The command: what it says, and with which exit code.
use strict;
use warnings;
use File::Temp ();
use IPC::Open3 ();
use JSON::PP ();
use Test::More;
use LF;

my $api = LF->start;
my $j = JSON::PP->new->utf8;

sub says {
    my ($code, $like, @words) = @_;
    my ($rc, $out) = $api->command(@words);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $rc, $code, "librefang @words: exit $code" or diag $out;
    like $out, $like, '... and says so' if $like;
    return $out;
}

# The same with something on standard input.
sub talk {
    my ($input, @words) = @_;
    my $program = LF::builddir() . '/librefang';
    local %ENV = $api->environment;
    my $pid = IPC::Open3::open3(my $in, my $out, undef, $program, @words);
    print $in $input;
    close $in;
    local $/;
    my $text = <$out>;
    waitpid $pid, 0;
    return $text . ($? ? "exit $?" : '');
}

subtest 'help and mistakes' => sub {
    says(0, qr/Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 refused/, '--help');
    says(0, qr/--workers N/, 'start', '--help');
    says(2, qr/no command "dance"/, 'dance');
    says(2, qr/Usage/);
    says(2, qr/there is no option --loud/, 'message', 'x', '--loud');
    says(2, qr/HOST:PORT/, 'start', '--listen', '4545');
    says(2, qr/from 1 to/, 'start', '--workers', '0');
    says(2, qr/empty/, 'message', '');
    is $j->decode(says(0, undef, 'version', '--json'))->{name}, 'librefang', 'the version is JSON when asked';
};

subtest 'status' => sub {
    says(0, qr/^status\trunning$/m, 'status');
    my $s = $j->decode(says(0, undef, 'status', '--json'));
    is $s->{status}, 'running', 'the API\'s own answer with --json';
    says(1, qr/already running \(pid \d+\) on http:/, 'start');
    my $d = $j->decode(LF::slurp($api->home . '/daemon.json'));
    is $d->{listen_addr}, '127.0.0.1:' . $api->port, 'daemon.json tells the address';
    is $d->{pid}, $api->supervisor, '... and the pid';
    is((stat $api->home . '/daemon.json')[2] & 0777, 0600, '... to nobody else');
    is_deeply [ sort keys %$d ], [ qw(listen_addr pid platform started_at version) ], '... the version, the platform and since when too';
    is((stat $api->home . '/data')[2] & 0777, 0700, 'data is for its owner');
    is_deeply [ grep { (stat $_)[2] & 077 } glob $api->home . '/data/*' ], [], '... and all that lies there';
};

subtest 'agents' => sub {
    my $f = File::Temp->new(SUFFIX => '.toml');
    print $f qq(name = "bea"\nversion = "1.0.0"\n);
    close $f;
    says(0, qr/^bea\t[0-9a-f-]{36}$/, 'agent', 'spawn', "$f");
    says(0, qr/^bea\tRunning\t/m, 'agent', 'list');
    says(4, qr/already exists/i, 'agent', 'spawn', "$f");
    says(4, qr/no such file/, 'agent', 'spawn', '/nowhere/x.toml');
    says(0, qr/\S/, 'message', 'hello', '--agent', 'bea');
    ok length $j->decode(says(0, undef, 'message', 'hello', '--agent=bea', '--json'))->{response},
        'a message has an answer';
    says(4, qr/no agent "nobody"/, 'message', 'hello', '--agent', 'nobody');
    says(0, qr/^$/, 'chat', 'bea');
    like talk("hello\n\n/help\nhello again\n/exit\nnever said\n", 'chat', 'bea'), qr/\S.*leaves.*\S/s, 'a chat, line by line';
    like talk("hello", 'message', '-', '--agent', 'bea'), qr/\S/, 'a message from standard input';
    says(0, qr/^killed$/, 'agent', 'kill', 'bea');
    says(4, qr/no agent/, 'agent', 'kill', 'bea');
};

subtest 'configuration' => sub {
    says(0, undef, 'config', 'set', 'log_level', 'debug');
    says(0, qr/^debug$/, 'config', 'get', 'log_level');
    says(4, undef, 'config', 'get', 'no.such.key');
    says(4, qr/api_requests_per_minute/, 'config', 'set', 'rate_limit.api_requests_per_minute', '"many"');
    like LF::slurp($api->home . '/config.toml'), qr/api_requests_per_minute = 4000000000/, '... and the old value stays';
    unlike says(0, qr/log_level/, 'config', 'show'), qr/\Q@{[ $api->key ]}/, 'the key is not shown';
    ok $api->wait_for(sub { $api->log_text =~ /configuration loaded/ }), 'the server has read it again';
};

subtest 'the rest' => sub {
    is $j->decode(says(0, undef, 'openapi'))->{openapi}, '3.1.0', 'the API\'s description';
    my $d = $j->decode(says(0, undef, 'doctor', '--json'));
    ok $d->{all_ok}, 'doctor finds nothing wrong' or diag explain $d;
};

subtest 'after the end' => sub {
    $api->down;
    ok !-e $api->home . '/daemon.json', 'daemon.json is gone';
    says(3, qr/does not run/, 'stop');
    says(3, qr/does not run/, 'status');
    says(3, qr/librefang start/, 'agent', 'list');
    chmod 0755, $api->home;
    says(1, qr/^fail\thome\t/m, 'doctor');
    chmod 0700, $api->home;
};

done_testing;
