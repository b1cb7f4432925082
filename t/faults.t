#!/usr/bin/perl
# What goes wrong around a server: its processes are killed under load, its
# database is locked by a stranger, its disk is full, its configuration is
# replaced while it works. What was acknowledged is there afterwards.
use strict;
use warnings;
use File::Temp ();
use HTTP::Tiny;
use IO::Handle;
use IO::Socket::INET;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $SOON = 1;                   # seconds the product promises
my $LATE = 30;                  # a slow machine is no failure, this is

my $api = LF->start;
my $kv  = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';
my $assistant = $api->get('/api/agents', 200)->{items}[0]{id};

# One connection per question; the status, 0: no answer.
sub ask {
    my ($server, $method, $path, $body) = @_;
    my $http = HTTP::Tiny->new(timeout => 60);
    my %o = (headers => { Authorization => 'Bearer ' . $server->key, 'Content-Type' => 'application/json' });
    $o{content} = $body if defined $body;
    my $r = $http->request($method, $server->base . $path, \%o);
    return $r->{status} == 599 ? 0 : $r->{status};
}

# A child that PUTs distinct keys until it is told to end, and writes down what
# became of each.
sub load_begin {
    my ($server, $name) = @_;
    my $log = File::Temp->new(TEMPLATE => 'lf-load-XXXXXXXX', TMPDIR => 1);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my ($stop, $n) = (0, 0);
        local $SIG{TERM} = sub { $stop = 1 };
        until ($stop) {
            my $t0 = time;
            my $key = "$name-" . $n++;
            my $status = ask($server, 'PUT', "$kv/$key", qq({"value":"$key"}));
            syswrite $log, sprintf "%.6f %.6f %d %s\n", $t0, time, $status, $key;
            sleep 0.002;
        }
        POSIX::_exit(0);
    }
    return { pid => $pid, log => $log };
}

sub load_so_far { my ($load) = @_; return map { my %r; @r{qw(from to status key)} = split; \%r } split /(?<=\n)/, LF::slurp($load->{log}->filename) }

# Until that many writes were acknowledged.
sub load_runs { my ($load, $n) = @_; return $api->wait_for(sub { $n <= grep { $_->{status} == 200 } load_so_far($load) }) }

sub load_end {
    my ($load) = @_;
    kill 'TERM', $load->{pid};
    local $?;
    waitpid $load->{pid}, 0;
    return load_so_far($load);
}

# Seconds from then to the end of the first success after which nothing failed.
sub outage {
    my ($then, @asked) = @_;
    my @after = grep { $_->{to} > $then } @asked;
    my ($last_bad) = grep { $_->{status} != 200 } reverse @after;
    my $since = $last_bad ? $last_bad->{to} : $then;
    my ($good) = grep { $_->{status} == 200 && $_->{from} >= $since } @after;
    return $good ? $good->{to} - $then : 99;
}

sub in_time {
    my ($seconds, $what) = @_;
    diag sprintf '%s: %.3f s', $what, $seconds if $seconds > $SOON;
    note sprintf '%s: %.3f s', $what, $seconds;
    return ok $seconds <= $LATE, $what;
}

# Is everything there that was acknowledged?
sub nothing_lost {
    my ($server, @asked) = @_;
    my @acked = map { $_->{key} } grep { $_->{status} == 200 } @asked;
    my %there = map { $_->{key} => $_->{value} } @{ $server->get($kv, 200)->{kv_pairs} };
    my @lost = grep { ($there{$_} // '') ne $_ } @acked;
    ok @acked > 20, 'there was a load' or diag scalar(@acked), ' acknowledged of ', scalar @asked;
    return is_deeply \@lost, [], 'each of ' . @acked . ' acknowledged writes is there';
}

sub nginx_master { return grep { LF::slurp("/proc/$_/cmdline") =~ /master/ } @{ $api->processes->{nginx} } }

subtest 'kill -9 under load' => sub {
    my @kinds = (
        [ 'a pool worker', sub { $api->processes->{'librefang-fcgi'}[0] }, sub { ask($api, 'GET', $kv) == 200 } ],
        [ 'every pool worker', sub { @{ $api->processes->{'librefang-fcgi'} } }, sub { ask($api, 'GET', $kv) == 200 } ],
        [ 'the daemon', sub { $api->processes->{librefangd}[0] },
            sub { ask($api, 'POST', "/api/agents/$assistant/sessions", '{}') =~ /^2/ } ],
        [ "nginx's master", \&nginx_master, sub { ask($api, 'GET', '/api/health') == 200 } ],
    );
    for my $k (@kinds) {
        my ($name, $victims, $works) = @$k;
        my $load = load_begin($api, $name =~ tr/a-z/-/cr);
        load_runs($load, 25);
        my @pids = $victims->();
        ok scalar(@pids), "$name runs";
        my $then = time;
        kill 'KILL', @pids;
        ok $api->wait_for($works), "$name is replaced after kill -9";
        in_time(time - $then, "after kill -9 of $name it serves again");
        $api->wait_for(sub { outage($then, load_so_far($load)) < 99 });
        my @asked = load_end($load);
        in_time(outage($then, @asked), "... and writes");
        nothing_lost($api, @asked);
    }
};

subtest 'kill -9 of the supervisor' => sub {
    my $load = load_begin($api, 'supervisor');
    load_runs($load, 25);
    my @all = ($api->supervisor, map { @$_ } values %{ $api->processes });
    my $then = time;
    kill 'KILL', $all[0];
    my $gone = $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @all });
    in_time($gone ? time - $then : 99, 'every process of the home is gone') or diag "@all";
    my $free = $api->wait_for(sub { IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => $api->port,
        Proto => 'tcp', ReuseAddr => 1) });
    in_time($free ? time - $then : 99, 'the port is free');
    undef $free;
    my @asked = load_end($load);
    $then = time;
    $api->up;
    in_time(time - $then, 'the next start serves');
    nothing_lost($api, @asked);
};

subtest 'two starts of one home' => sub {
    my $sup = $api->supervisor;
    my ($rc, $out) = $api->command('start', '--listen', '127.0.0.1:' . LF::free_port());
    is $rc, 1, 'the second ends with 1';
    like $out, qr/already running \(pid $sup\)/, 'and says who is there';
    is $api->supervisor, $sup, 'the first lives';
    is ask($api, 'GET', $kv), 200, 'and serves';
    my @pids = map {
        my $pid = fork // die "fork: $!";
        if (!$pid) { POSIX::_exit(($api->command('start', '--listen', '127.0.0.1:' . LF::free_port()))[0]) }
        $pid;
    } 1 .. 3;
    my @rc = map { waitpid $_, 0; $? >> 8 } @pids;
    is_deeply \@rc, [ 1, 1, 1 ], 'so do three at once';
    is ask($api, 'GET', $kv), 200, 'it still serves';
};

subtest 'a reload under load' => sub {
    my $load = load_begin($api, 'reload');
    my $loaded = sub { my @n = $api->log_text =~ /msg="configuration loaded"/g; return scalar @n };
    my $before = $loaded->();
    for my $time (1 .. 5) {
        load_runs($load, 25 * $time);
        kill 'HUP', $api->supervisor;
    }
    $api->wait_for(sub { $loaded->() > $before });
    load_runs($load, 175);
    my @asked = load_end($load);
    ok $loaded->() > $before, 'the configuration was loaded';
    is_deeply [ map {"$_->{status} $_->{key}"} grep { $_->{status} != 200 } @asked ], [], 'no request failed';
    nothing_lost($api, @asked);

    my $path = $api->home . '/config.toml';
    my ($old, $new, $text) = ($api->key, LF::random_key(), LF::slurp($path));
    write_file($path, $text =~ s/\Q$old\E/$new/r);
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { ask($api, 'GET', $kv) == 401 }), 'a new api_key: the old one is refused';
    $api->{key} = $new;
    ok $api->wait_for(sub { ask($api, 'GET', $kv) == 200 }), 'and the new one works';
    $api->get($kv, 200);

    write_file($path, ($text =~ s/\Q$old\E/$new/r) . "\n[broken\nx = 1\n");
    my $line = 1 + (() = LF::slurp($path) =~ /\n/g);
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $api->log_text =~ /not taken.*config\.toml:\d+/ }), 'of a broken file the log names file and line'
        or diag $api->log_tail(5);
    my ($at) = $api->log_text =~ /not taken.*config\.toml:(\d+)/;
    ok defined $at && abs($at - $line) <= 3, 'the right one' or diag $at // 'none', " of $line";
    is ask($api, 'PUT', "$kv/after-broken", '1'), 200, 'and the last good one serves on';
    write_file($path, $text =~ s/\Q$old\E/$new/r);
    kill 'HUP', $api->supervisor;
};

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
    return;
}

# --- the database ------------------------------------------------------------------

subtest 'a locked database' => sub {
    is ask($api, 'PUT', "$kv/locked", '"before"'), 200, 'before';
    my $release = $api->lock_store or return plan skip_all => 'neither sqlite3 nor a compiler';
    my $then = time;
    my $r = $api->raw('PUT', "$kv/locked", { headers => { 'Content-Type' => 'application/json' }, content => '"during"' });
    my $took = time - $then;
    is $r->{status}, 503, 'a write is refused' or diag $r->{content};
    is_deeply [ $api->faults($r, 503) ], [], 'as the API says it';
    like $r->{headers}{'retry-after'} // '', qr/^[1-9]\d*$/, 'with the time to try again';
    ok $took > 1 && $took < 50, 'after a while, not at once and not never' or diag "$took s";
    is $api->get("$kv/locked", 200)->{value}, 'before', 'reads work, and nothing changed';
    is ask($api, 'GET', '/api/health'), 200, 'and so does the rest';
    $release->();
    is $api->get("$kv/locked", 200)->{value}, 'before', 'nothing came later';
    $api->put("$kv/locked", '"after"', 200);
    is $api->get("$kv/locked", 200)->{value}, 'after', 'released, it is written again';
};

# --- the disk -----------------------------------------------------------------------

my ($mounted, $owner) = (undef, $$);
END { system 'umount', '-l', $mounted if $mounted && $$ == $owner }

sub fill {
    my ($path) = @_;
    open my $fh, '>:raw', $path or return;
    for my $size (65536, 4096, 1) {
        1 while defined syswrite $fh, 'x' x $size;
    }
    close $fh;
    return;
}

subtest 'a full disk' => sub {
    plan skip_all => 'only root may mount' if $> != 0;
    my $dir = File::Temp->newdir('lf-disk-XXXXXXXX', TMPDIR => 1);
    plan skip_all => 'no mount here'
        if system(qq(mount -t tmpfs -o size=16m,mode=0700 tmpfs "$dir" 2>/dev/null)) != 0;
    $mounted = "$dir";
    my $small = LF->start(home => "$dir/home", config => "[budget]\nmax_daily_usd = 5\n");
    $small->put("$kv/kept", '"kept"', 200);
    fill("$dir/filler");
    my (%status, @acked, $refused);
    for my $i (1 .. 80) {                       # what the log of the database already owns may be used up
        my $r = $small->raw('PUT', "$kv/k$i", { headers => { 'Content-Type' => 'application/json' },
            content => '"' . "$i-" . 'x' x 200_000 . '"' });
        $status{ $r->{status} }++;
        push @acked, $i if $r->{status} == 200;
        $refused = $r if $r->{status} != 200;
        last if ($status{503} // 0) >= 5 || keys %status > 2;
    }
    is_deeply [ sort grep { $_ != 200 } keys %status ], [503], 'a write is refused with 503'
        or diag explain \%status, $refused->{content};
    is_deeply [ $small->faults($refused, 503) ], [], 'as the API says it' if $refused;
    ok $refused && ($refused->{headers}{'retry-after'} // '') =~ /^\d+$/, 'with the time to try again';
    is $small->get("$kv/kept", 200)->{value}, 'kept', 'reads work';
    is ask($small, 'POST', '/v1/chat/completions', '{"model":"offline","messages":[{"role":"user","content":"hello"}]}'), 503,
        'a call that a budget cannot hold is not made';
    is ask($small, 'GET', '/api/health'), 200, 'and health answers';
    unlink "$dir/filler" or die "filler: $!";
    $small->put("$kv/later", '"later"', 200);
    like $small->raw('GET', '/api/metrics')->{content}, qr/^librefang_budget_held_calls 0$/m, 'nothing of it stays put aside';
    is ask($small, 'POST', '/v1/chat/completions', '{"model":"offline","messages":[{"role":"user","content":"hello"}]}'), 200, 'and it is made again';
    is $small->get("$kv/later", 200)->{value}, 'later', 'with room again it is written';
    my @lost = grep { my $v = $small->get("$kv/k$_", 200); ($v->{value} // '') !~ /^$_-/ } @acked;
    is_deeply \@lost, [], 'what was acknowledged is there';
    $small->restart;
    is $small->get("$kv/kept", 200)->{value}, 'kept', 'after a restart too';
    $small->down;
    system('umount', $mounted) == 0 and undef $mounted;
};

undef $api;                     # stopped while everything else is still there
done_testing;
