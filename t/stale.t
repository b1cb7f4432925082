#!/usr/bin/perl
# What a crash of everything leaves: daemon.json, a pid in the lock, sockets that nobody listens on. No command believes any of it, not
# even when the pid is somebody else's by now, and the next start makes it good.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use LF;
use Test::More;

LF::needed();
my $api = LF->start;
my $home = $api->home;
my ($run) = LF::slurp('/proc/' . $api->processes->{'librefang-fcgi'}[0] . '/environ') =~ /(?:^|\0)LF_RUN=([^\0]+)/;
my ($lock) = grep { LF::slurp($_) =~ /^\d+$/ } glob "$run/*lock* $home/*lock*";
sub told { return eval { $LF::JSON->decode(LF::slurp("$home/daemon.json")) } // {} }
sub put { my ($path, $text) = @_; open my $fh, '>', $path or die "$path: $!"; print $fh $text; close $fh; return }
sub running { my ($rc, $out) = $api->command('status'); return $rc == 0 }

# No process of the home is spared, the watcher neither.
sub crash {
    my @all = ($api->supervisor, map { @$_ } values %{ $api->processes });
    kill 'STOP', @all;                          # so that none of them sees another one die
    kill 'KILL', @all;
    $api->wait_for(sub { !grep { LF::slurp($_) =~ /\) [^ZX]/ } map { glob "/proc/$_/task/*/stat" } @all });    # their sockets, too, have gone
    $api->{running} = 0;
    return $all[0];
}

# A process that is none of ours, and is to stay.
my $other = fork // die "fork: $!";
if (!$other) { $SIG{$_} = 'DEFAULT' for qw(TERM INT HUP); sleep 300; POSIX::_exit(0) }
END { local $?; kill 'KILL', $other if $other }
sub lives { return waitpid($other, POSIX::WNOHANG()) == 0 }

sub is_down {
    for my $c ([qw(status)], [qw(stop)], [qw(agent list)], [qw(message hello)], [qw(sessions)]) {
        my ($rc, $out) = $api->command(@$c);
        is $rc, 3, "@$c: it does not run" or diag $out;
    }
    my ($rc, $out) = $api->command('doctor');
    like $out, qr/^warn\trunning\tno; \S+daemon\.json is left from a crash/m, 'the doctor knows what daemon.json is';
    ok lives(), 'nobody else was harmed';
    return;
}

sub serves {
    my $was = told()->{pid};
    $api->up;
    is told()->{pid}, $api->supervisor, 'the next start serves, and daemon.json says which';
    is told()->{listen_addr}, '127.0.0.1:' . $api->port, '  and where';
    is $api->get('/api/health', 200)->{status}, 'ok', '  well';
    ok running(), '  and status knows';
    ok lives(), '  nobody else was harmed';
    return;
}

subtest 'a crash of everything' => sub {
    my $pid = crash();
    is told()->{pid}, $pid, 'daemon.json is left';
    ok -e "$run/front.sock", '  a socket';
    is LF::slurp($lock) + 0, $pid, '  and the pid in the lock';
    is_down();
    serves();
};

subtest 'the pid is another process by now' => sub {
    crash();
    my $said = told();
    put("$home/daemon.json", $LF::JSON->encode({ %$said, pid => $other }));
    put($lock, "$other\n");
    is_down();
    serves();
    crash();
    my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');        # and the address another server's
    put("$home/daemon.json", $LF::JSON->encode({ %$said, pid => $other, listen_addr => '127.0.0.1:' . $port->sockport }));
    put($lock, "$other\n");
    is_down();
    my ($rc, $out) = $api->command('start', '--listen', '127.0.0.1:' . $port->sockport);
    is $rc, 1, 'a start where that one listens';
    like $out, qr/in use/, '  says so';
    ok !-e "$home/daemon.json", '  and leaves no word of what was';
    serves();
};

subtest 'daemon.json is no such thing' => sub {
    for my $bad ('', '{"pid":', '[]', '{"pid":"x","listen_addr":7}', "\xff" x 70000, '{"pid":-1}', '{"pid":1}', '{"pid":0}') {
        crash();
        put("$home/daemon.json", $bad);
        put($lock, $bad);
        is(($api->command('status'))[0], 3, 'it does not run: ' . substr $bad, 0, 30);
        is(($api->command('stop'))[0], 3, '  for stop neither');
        $api->up;
        is told()->{pid}, $api->supervisor, '  and is replaced';
    }
};

subtest 'a start that fails' => sub {
    crash();
    my $config = LF::slurp("$home/config.toml");
    put("$home/config.toml", "$config\n[broken\n");
    is(($api->command('start', '--listen', '127.0.0.1:' . LF::free_port()))[0], 1, 'with a broken configuration');
    ok !-e "$home/daemon.json", 'leaves no word of what was before';
    put("$home/config.toml", $config);
    serves();
};

$api->finish;
done_testing;
