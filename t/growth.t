#!/usr/bin/perl
# Nothing grows: many requests of each kind, and afterwards the processes have as much
# memory of their own and as many descriptors as before them. LF_GROWTH says how many of
# each (1,000; `make growth`: 50,000), LF_GROWTH_KINDS which of them (a pattern; all). What takes
# long is done in its share of that, or, if LF_GROWTH_WHOLE is set, until it has taken so many
# requests. A round before them fills what is kept on purpose. What a heap holds goes up and down
# with who met whom; what leaks only goes up: so a process has grown when it has done so three
# times in a row. One worker answers all, because several would not share the work evenly.
use strict;
use warnings;
use File::Temp ();
use IO::Handle;
use LF;
use LF::Kinds;
use List::Util qw(max min);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $TIMES = $ENV{LF_GROWTH} || 1000;
my $KB = 1024;                  # what may be added to 3 % of a process
my $FDS = 8;                    # connections are kept for a while
my $AT_ONCE = 2;
my $WHOLE = $ENV{LF_GROWTH_WHOLE};
my $ROUNDS = 3;
my $QUIET = 15;                 # seconds until what a crowd has left is given back

LF::needed();
plan skip_all => 'no /proc/self/smaps_rollup' unless -r '/proc/self/smaps_rollup';
plan skip_all => 'a sanitizer keeps what was freed' if LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;
my $tools = File::Temp->newdir('lf-growth-XXXXXXXX', TMPDIR => 1);
my ($model_pid, $model_port) = instant_model();
plan skip_all => 'no compiler for the instant model' unless $model_pid;
END { if ($model_pid) { local $?; kill 'TERM', $model_pid; waitpid $model_pid, 0 } }

sub instant_model {
    return if system($ENV{CC} // 'cc', '-O2', '-D_GNU_SOURCE', '-o', "$tools/model", LF::srcdir() . '/t/bench/model.c') != 0;
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>&', $to or POSIX::_exit(126);
        exec "$tools/model", 0, 2, 0 or POSIX::_exit(127);
    }
    close $to;
    chomp(my $port = <$from> // '');
    return ($pid, $port);
}

my $url = "http://127.0.0.1:$model_port/v1";
my $api = LF->start(model => { provider => 'openai', model => 'gpt-4o-mini', base_url => $url, api_key_env => 'LF_MOCK_KEY' },
    env => { OPENAI_API_KEY => 'sk-x', LF_GITHUB_URL => "http://127.0.0.1:$model_port" }, files => { 'librefang.ini' => "[librefang]\npool_size = 1\n" },
    limits => "ws_messages_per_minute = 1000000000\n", config => qq([provider_urls]\nopenai = "$url"\n[registry]\ncatalog_url = "$url/catalog.json"\n[[users]]\nname = "ada"\nrole = "user"\n));
my @agents = map { $api->post('/api/agents', { manifest_toml => "name = \"grow-$_\"\n" }, 201)->{agent_id} } 1 .. $AT_ONCE;
my $all = LF::Kinds->new($api, @agents);
my $only = $ENV{LF_GROWTH_KINDS} // '';
my %kinds = map { ($_ => $all->{kinds}{$_}) } grep {/$only/} keys %{ $all->{kinds} };

# That many of a kind, by several clients; what went wrong.
sub load {
    my ($kind, $times) = @_;
    my ($share, $do) = @{ $kinds{$kind} };
    $times = int $times * $share unless $WHOLE;
    my @kids = map {
        my $me = $_;
        pipe my $from, my $to or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $from;
            my @bad;
            my $done = 0;
            do { push @bad, $do->($me); $done++ } until @bad > 5 || ($WHOLE ? $LF::Kinds::asked : $done) >= $times / $AT_ONCE;
            print $to map {"$_\n"} (map {"row $_"} keys %{ $all->{seen} }), map { s/\n/ /gr } @bad;
            close $to;
            POSIX::_exit(0);
        }
        close $to;
        [ $pid, $from ];
    } 0 .. $AT_ONCE - 1;
    my @bad;
    for my $f (map { $_->[1] } @kids) {
        while (my $l = <$f>) { if ($l =~ /^row (.*)$/) { $all->{seen}{$1} = 1 } else { push @bad, $l } }
    }
    local $?;
    waitpid $_->[0], 0 for @kids;
    return @bad;
}

# --- what the processes have ---------------------------------------------------------------

sub private_kb { my ($pid) = @_; my ($k, $t) = (0, LF::slurp("/proc/$pid/smaps_rollup")); $k += $1 while $t =~ /^Private_(?:Clean|Dirty):\s+(\d+)/mg; return $k }
sub pss_kb { my ($pid) = @_; return LF::slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+)/m ? $1 : 0 }
sub fds { my ($pid) = @_; my @f = glob "/proc/$pid/fd/*"; return scalar @f }

# {name => {n, private, pss, fds}}: how many processes, and the largest of them
sub measure {
    my $p = $api->processes;
    $p->{supervisor} = [ $api->supervisor ];
    my %m;
    for my $name (keys %$p) {
        my @all = map { { private => private_kb($_), pss => pss_kb($_), fds => fds($_) } } @{ $p->{$name} };
        $m{$name} = { n => scalar @all, map { my $what = $_; ($what => max(map { $_->{$what} } @all)) } qw(private pss fds) };
    }
    return \%m;
}

# After the last client has gone: descriptors settle, and workers with an old configuration leave.
sub settled {
    my ($before) = @_;
    my $m;
    $api->wait_for(sub {
        $m = measure();
        my $names = sub { my ($who) = @_; return join ' ', map {"$_ $who->{$_}{n}"} sort keys %$who };
        return !$before || ($names->($m) eq $names->($before) && !grep { $m->{$_}{fds} > $before->{$_}{fds} + $FDS } keys %$m);
    }, 20);
    return $m;
}

sub in_words { my ($who, $before, $after) = @_; return sprintf '%s: private %d -> %d KB, pss %d -> %d KB, descriptors %d -> %d', $who, map { ($before->{$who}{$_}, $after->{$who}{$_}) } qw(private pss fds) }

# What has more now than it had, in words.
sub grown {
    my ($before, $after) = @_;
    return map { in_words($_, $before, $after) }
        grep { $after->{$_}{private} > $before->{$_}{private} * 1.03 + $KB || $after->{$_}{fds} > $before->{$_}{fds} + $FDS } sort keys %$before;
}

sub same_processes { my ($name, $before, $after) = @_; return is_deeply { map { ($_ => $after->{$_}{n}) } keys %$after }, { map { ($_ => $before->{$_}{n}) } keys %$before }, "$name: the same processes" }

sub do_it {
    my ($kind, $when, $times) = @_;
    my @bad = load($kind, $times);
    return is_deeply [ @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ] ], [], "$kind, $when: every answer is as it must be";
}

my $last;
for my $kind (sort keys %kinds) {
    do_it($kind, 'at first', min($TIMES / 2, 5000));
    $last = settled($last);
}

# What is asked once in a server's life, or is slow on purpose, is not asked so often.
my %rare = map { ($_ => 1) } 'POST /api/shutdown', 'POST /api/vault/init', 'POST /api/vault/rotate-key';
is_deeply [ grep { !$all->{seen}{$_} && !$rare{$_} } @{ $all->{rows} } ], [], 'every row of the table is of some kind' if $only eq '' && $TIMES >= 1000;

# None of the processes grows three times in a row under that load.
sub flat {
    my ($name, $load) = @_;
    my ($before, @grown) = ($last);
    for my $time (1 .. $ROUNDS) {
        my ($since, $was) = (time, $last);
        $load->("again $time");
        my $took = time - $since;
        $last = settled($was);
        @grown = grown($was, $last);
        $api->wait_for(sub { $last = measure(); return !(@grown = grown($was, $last)) }, $QUIET) if @grown && ($WHOLE || $time == $ROUNDS);
        note sprintf '%s: %.1f s', $name, $took;
        note in_words($_, $was, $last) for sort keys %$was;
        last unless @grown;
    }
    same_processes($name, $before, $last);
    return is_deeply [ @grown ], [], "$name: no process has grown, nor left a descriptor open";
}

for my $kind (sort keys %kinds) {
    flat($kind, sub { do_it($kind, $_[0], $TIMES) });
}
keys %kinds > 1 and flat('all together', sub {
    my ($when) = @_;
    do_it($_, "all together, $when", $TIMES / 4) for sort keys %kinds;
});
done_testing;
