#!/usr/bin/perl
# The supervisor: nothing that dies stays dead, nothing that is replaced loses a request.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep time);
use LF;

my $api = LF->start(env => { ACME_API_KEY => 'sk-acme', PLAIN_WORD => 'yes' });

# One new connection per question: keep-alive would hide who is not there.
sub answers {
    my ($path) = @_;
    my ($status) = eval { $api->wire("GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 30) };
    return ($status // 0) == 200;
}

sub back_within {
    my ($seconds, $who, $what) = @_;
    my $t0 = time;
    my $ok = $api->wait_for($what);
    ok $ok, "after kill -9 of $who it serves again" or diag $api->log_tail(10);
    diag sprintf '%s: %.2f s', $who, time - $t0 if time - $t0 > $seconds;      # what is meant, and a slow machine does not keep
    return;
}

subtest 'what children get' => sub {
    my %p = %{ $api->processes };
    my ($worker) = map { LF::slurp("/proc/$_/environ") } $p{'librefang-fcgi'}[0];
    my ($front)  = map { LF::slurp("/proc/$_/environ") } $p{nginx}[0];
    unlike "$worker$front", qr/sk-acme|sk-mock/, 'workers and nginx hold no provider key';
    like $worker, qr/PLAIN_WORD=yes/, '... but the rest of the environment';
    unlike LF::slurp("/proc/$p{librefangd}[0]/environ"), qr/sk-acme|sk-mock/, 'nor does one look at that of the daemon, which has them';
    my @open = map { s{.*/}{}r } glob "/proc/$p{'librefang-fcgi'}[0]/fd/*";
    ok @open < 16, 'a worker has few descriptors' or diag "@open";
    my ($run) = $worker =~ /(?:^|\0)LF_RUN=([^\0]+)/;
    is((stat "$run/$_.sock")[2] & 0777, 0600, "$_.sock is the owner's") for qw(fcgi front control);
};

subtest 'kill -9 of each child' => sub {
    my $p = $api->processes;
    kill 'KILL', $p->{'librefang-fcgi'}[0];
    back_within(1, 'a worker', sub { answers('/api/health') });
    kill 'KILL', @{ $p->{'librefang-fcgi'} };
    back_within(1, 'all workers', sub { answers('/api/health') });
    my $master = (grep { LF::slurp("/proc/$_/cmdline") =~ /master/ } @{ $p->{nginx} })[0];
    kill 'KILL', $master;
    back_within(1, 'nginx\'s master', sub { answers('/api/health') });
    ok $api->wait_for(sub { !grep { -e "/proc/$_/exe" && readlink "/proc/$_/exe" } @{ $p->{nginx} } }),
        'its old workers are gone';
    my @workers = grep { LF::slurp("/proc/$_/cmdline") =~ /worker/ } @{ $api->processes->{nginx} };
    kill 'KILL', @workers;
    back_within(1, 'nginx\'s worker', sub { answers('/api/health') });
    my ($daemon) = @{ $api->processes->{librefangd} };
    kill 'KILL', $daemon;
    back_within(1, 'the daemon', sub { ($api->command('agent', 'list'))[0] == 0 });
    my ($watcher) = @{ $api->processes->{'librefang-watch'} };
    kill 'KILL', $watcher;
    ok $api->wait_for(sub { my $w = $api->processes->{'librefang-watch'}; $w && grep { $_ != $watcher } @$w }),
        'a killed watcher has a successor';
};

subtest 'reload loses nothing' => sub {
    my ($n, $bad, $sup) = (0, 0, $api->supervisor);
    my %before = map { $_ => 1 } @{ $api->processes->{'librefang-fcgi'} };
    for my $round (1 .. 6) {
        kill 'HUP', $sup;
        for (1 .. 60) { $n++; $bad++ unless answers('/api/health') }
    }
    is $bad, 0, "none of $n requests failed while the configuration was loaded six times";
    ok $api->wait_for(sub { !grep { $before{$_} } @{ $api->processes->{'librefang-fcgi'} } }), 'all workers are new';
};

subtest 'what is set over the API is taken by the workers that run' => sub {
    my @before;
    $api->put('/api/budget', { max_hourly_usd => 2 }, 200);     # what HUP asked for before is done
    $api->wait_for(sub { @before = sort @{ $api->processes->{'librefang-fcgi'} // [] }; @before == 4 });     # who was replaced is gone
    for my $limit (3, 4) {
        $api->put('/api/budget', { max_hourly_usd => $limit }, 200);
        is $api->get('/api/budget', 200)->{hourly_limit}, $limit, "$limit dollars";
    }
    is_deeply [ sort @{ $api->processes->{'librefang-fcgi'} } ], \@before, 'they are the same';
};

subtest 'a broken configuration' => sub {
    my $path = $api->home . '/config.toml';
    my $good = LF::slurp($path);
    open my $fh, '>>', $path or die;
    print $fh "\nrate_limit = 3 3\n";
    close $fh;
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $api->log_text =~ /configuration not taken.*config\.toml:\d+/ }), 'the log names file and line';
    ok answers('/api/health'), '... and the last good one serves on';
    open $fh, '>', $path or die;
    print $fh $good;
    close $fh;
};

subtest 'a configuration that is edited' => sub {
    my $path = $api->home . '/config.toml';
    my $good = LF::slurp($path);
    my $loaded = sub { my @n = $api->log_text =~ /configuration loaded/g; return scalar @n };
    my $put = sub {
        my ($text, $file) = ($_[0], $_[1] ? "$path.new" : $path);
        open my $fh, '>', $file or die;
        print $fh $text;
        close $fh;
        rename $file, $path or die if $file ne $path;
    };
    my $n = $loaded->();
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $loaded->() > $n }), 'it was loaded as it is';
    $api->wait_for(sub { my $was = $n; $n = $loaded->(); sleep 1.5 if $n != $was; $n == $was && $loaded->() == $n });      # what was written before was, too
    $put->("$good\n[reload]\ndebounce_ms = 300\n");
    ok $api->wait_for(sub { $loaded->() == $n + 1 }), 'is taken without being asked for';
    $put->("$good\n[reload]\ndebounce_ms = 300\n# more\n", 1);
    ok $api->wait_for(sub { $loaded->() == $n + 2 }), 'by whatever way an editor writes it';
    $put->("$good\n[reload]\ndebounce_ms = 300\nmode = \"often\"\n");
    ok $api->wait_for(sub { my @m = $api->log_text =~ /configuration not taken.*reload\.mode/g; @m == 1 }), 'a wrong one is told of' or diag $api->log_tail(5);
    $put->("$good\n[reload]\ndebounce_ms = 300\n");
    ok $api->wait_for(sub { $loaded->() == $n + 3 }), 'one that is mended is taken';
    is(($api->command('config', 'set', 'log_level', 'info'))[0], 0, 'a command that changes it');
    ok $api->wait_for(sub { $loaded->() == $n + 4 }), '  asks for that itself';
    sleep 1;
    is $loaded->(), $n + 4, '  once';
    $n++;
    $put->("$good\n[reload]\nmode = \"off\"\n");
    ok $api->wait_for(sub { $loaded->() == $n + 4 }), 'and so is what is edited after it';
    $n++;
    $put->("$good\n[reload]\nmode = \"off\"\n# not now\n");
    sleep 1;
    is $loaded->(), $n + 3, 'reload.mode = "off": not before somebody asks';
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $loaded->() == $n + 4 }), 'then it is';
    $put->($good);
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $loaded->() == $n + 5 }), 'each time once';
};

subtest 'USR1 opens the logs again' => sub {
    my $log = $api->home . '/logs/librefang.log';
    rename $log, "$log.1" or die;
    kill 'USR1', $api->supervisor;
    ok $api->wait_for(sub { -e $log }), 'the log is there anew';
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $api->log_text =~ /configuration loaded/ }), '... and written to';
    ok answers('/api/health'), 'and it serves';
};

subtest 'kill -9 of the supervisor' => sub {
    my $sup = $api->supervisor;
    my @all = map { @$_ } values %{ $api->processes };
    kill 'KILL', $sup;
    my $free = $api->wait_for(sub { !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $api->port) });
    ok $free, 'the port is free';
    ok $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @all }), 'no process is left';
    $api->up;
    ok answers('/api/health'), 'it does';
};

subtest 'what stands in the way of a start' => sub {
    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    my $port = $taken->sockport;
    $api->down;
    my ($rc, $out) = $api->command('start', '--listen', "127.0.0.1:$port");
    is $rc, 1, 'a port in use: exit 1';
    like $out, qr/127\.0\.0\.1:$port is in use/, '... and it is named';
    ok !$api->supervisor, 'nothing is left running';
    ($rc, $out) = $api->command('stop');
    is $rc, 3, '... as stop says';
};

subtest 'in the foreground, for systemd' => sub {
    my $path = "$api->{dir}/notify";
    my $sock = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "notify: $!";
    my $port = LF::free_port();
    my $program = LF::builddir() . '/librefang';
    my $pid = fork // die;
    if (!$pid) {
        %ENV = ($api->environment, NOTIFY_SOCKET => $path);
        open STDERR, '>', "$api->{dir}/foreground.err";
        exec { $program } 'librefang', 'start', '--foreground', '--listen', "127.0.0.1:$port"
            or POSIX::_exit(127);
    }
    my $said = '';
    my $end = time + 60;
    while ($said !~ /READY=1/ && time < $end) {
        next unless IO::Select->new($sock)->can_read(0.1);
        $sock->recv(my $text, 512);
        $said .= $text;
    }
    like $said, qr/READY=1/, 'it says when it is ready';
    kill 'TERM', $pid;
    waitpid $pid, 0;
    is $?, 0, 'and ends well when asked';
    ok !-e $api->home . '/daemon.json', 'leaving nothing behind';
};

done_testing;
