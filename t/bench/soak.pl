#!/usr/bin/perl
# A long time of it: clients that read, write and talk while processes are killed and the configuration is
# reloaded. LF_SOAK says how many seconds (3,600). At the end nothing that was answered is lost or
# there twice, memory is where it was, and the store's log never grew beyond its bound.
use strict;
use warnings;
use File::Temp ();
use LF;
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $SECONDS = $ENV{LF_SOAK} || 3600;
my $CLIENTS = 8;
my $WAL_MAX = 32 << 20;
my $MESSAGES = 150;             # of one session before it is looked through and begun anew

LF::needed();
my $dir = File::Temp->newdir('lf-soak-XXXXXXXX', TMPDIR => 1);
my $mock_pid = do {
    system($ENV{CC} // 'cc', '-O2', '-D_GNU_SOURCE', '-o', "$dir/model", LF::srcdir() . '/t/bench/model.c') == 0 or plan skip_all => 'no compiler for the instant model';
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) { open STDOUT, '>&', $to; exec "$dir/model", 0, 2, 0 or POSIX::_exit(127) }
    close $to;
    chomp(our $port = <$from> // '');
    $pid;
};
END { if ($mock_pid) { local $?; kill 'TERM', $mock_pid; waitpid $mock_pid, 0 } }
my $api = LF->start(timeout => 30, config => "[compaction]\nthreshold_messages = 100000\n", env => { OPENAI_API_KEY => 'sk-x' },
    model => { provider => 'openai', model => 'gpt-4o-mini', base_url => "http://127.0.0.1:$main::port/v1", api_key_env => 'LF_MOCK_KEY' });
my @agents = map { $api->post('/api/agents', { manifest_toml => "name = \"soak-$_\"\n" }, 201)->{agent_id} } 1 .. $CLIENTS;

# One client: what it was told is done must be so. Prints what is wrong, and how much it did.
sub client {
    my ($me, $out) = @_;
    my ($kv, $agent) = ("/api/memory/agents/$agents[$me]/kv", $agents[$me]);
    my (%known, %said, %count);
    my $i = 0;
    my $ask = sub { my ($verb, $path, $body) = @_; return eval { $api->raw($verb, $path, { defined $body ? (headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode($body)) : () }) } // { status => 599 } };
    my $surely = sub { my @a = @_; my $r; for (1 .. 200) { $r = $ask->(@a); last if $r->{status} < 500; sleep 0.05 } return $r };
    my $end = time + $SECONDS;
    my $look = sub {
        my $r = $surely->(GET => "/api/agents/$agent/session");
        my %there;
        $there{ $_->{content} }++ for grep { $_->{role} eq 'User' } @{ $r->{json}{messages} // [] };
        print $out "client $me: $_ was answered and is there " . ($there{$_} // 0) . " times\n" for grep { ($there{$_} // 0) != 1 } keys %said;
        $count{lookups}++;
        %said = ();
        $surely->(DELETE => "/api/agents/$agent/history");
    };
    while (time < $end) {
        $i++;
        if ($i % 3 == 0) {
            my $k = 'k' . $i % 40;
            my $r = $ask->(PUT => "$kv/$k", { value => $i });
            if ($r->{status} == 200) { $known{$k} = $i; $count{writes}++ } else { delete $known{$k} }
            print $out "client $me: PUT says $r->{status}\n" if $r->{status} < 500 && $r->{status} != 200;
        } elsif ($i % 3 == 1) {
            my ($k) = keys %known;
            next if !defined $k;
            my $r = $ask->(GET => "$kv/$k");
            print $out "client $me: $k is $r->{status} " . ($r->{json}{value} // '-') . ", not $known{$k}\n" if $r->{status} < 500 && ($r->{json}{value} // '') ne $known{$k};
            $count{reads}++;
        } else {
            my $r = $ask->(POST => "/api/agents/$agent/message", { message => "m-$me-$i" });
            if ($r->{status} == 200) { $said{"m-$me-$i"} = 1; $count{turns}++ } else { $count{refused}++ }
            print $out "client $me: message says $r->{status} $r->{content}\n" if $r->{status} < 500 && $r->{status} != 200 && $r->{status} != 429;
            $look->() if keys %said >= $MESSAGES;
        }
    }
    $look->();
    print $out "did: $_ $count{$_}\n" for sort keys %count;
    return;
}

sub pss { my ($sum, $p) = (0, $api->processes); for my $pid ($api->supervisor, map {@$_} values %$p) { my $t = eval { LF::slurp("/proc/$pid/smaps_rollup") } // ''; $sum += $1 if $t =~ /^Pss:\s+(\d+)/m } return $sum }

my @kids;
for my $me (0 .. $CLIENTS - 1) {
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) { close $from; client($me, $to); close $to; POSIX::_exit(0) }
    close $to;
    push @kids, [ $pid, $from ];
}
my (%killed, @memory, $wal);
my $started = time;
my ($kill_at, $hup_at) = ($started + 5, $started + 12);
$wal = 0;
while (time < $started + $SECONDS) {
    sleep 0.5;
    $wal = max($wal, -s $api->home . '/data/librefang-c.db-wal' // 0);
    push @memory, [ time - $started, pss() ] if int(time) % 5 == 0;
    if (time > $kill_at) {
        my $p = $api->processes;
        my @names = sort keys %$p;
        my $name = $names[ rand @names ];
        my @pids = @{ $p->{$name} };
        kill 'KILL', $pids[ rand @pids ];
        $killed{$name}++;
        $kill_at = time + 3 + rand 10;
    }
    if (time > $hup_at) { kill 'HUP', $api->supervisor; $killed{reloads}++; $hup_at = time + 20 + rand 20 }
}
my (@wrong, %did);
for my $k (@kids) {
    my $f = $k->[1];
    while (<$f>) { if (/^did: (\w+) (\d+)/) { $did{$1} += $2 } else { push @wrong, $_ } }
    local $?;
    waitpid $k->[0], 0;
}
is_deeply [ @wrong[ 0 .. ($#wrong > 19 ? 19 : $#wrong) ] ], [], 'what was answered is there, once';
cmp_ok $did{turns} // 0, '>', $SECONDS, 'turns were run';
cmp_ok $did{writes} // 0, '>', $SECONDS, 'values were written';
cmp_ok $wal, '<', $WAL_MAX, 'the log of the store kept its bound';
sleep 3;
my @early = map { $_->[1] } grep { $_->[0] > $SECONDS * 0.1 && $_->[0] < $SECONDS * 0.4 } @memory;
my @late = map { $_->[1] } grep { $_->[0] > $SECONDS * 0.7 } @memory;
my ($most_early, $most_late) = (max(@early, 0), max(@late, 0));
cmp_ok $most_late, '<', $most_early * 1.1 + 4096, 'memory is where it was';
is $api->get('/api/health', 200)->{status}, 'ok', 'all is well';
diag sprintf '%d s: %s; %s; WAL at most %.1f MB; PSS at most %d KB early, %d KB late', $SECONDS,
    join(', ', map {"$did{$_} $_"} sort keys %did), join(', ', map {"$killed{$_} $_"} sort keys %killed), $wal / 1e6, $most_early, $most_late;
$api->finish;
done_testing;
