#!/usr/bin/perl
# The kernel says no: strace makes system calls of the running programs fail while they
# work. Each answer is right or a clean error of ours; when the kernel is kind again,
# everything serves within a second without anybody's help; what was acknowledged is there,
# and what was refused is not.
use strict;
use warnings;
use File::Temp ();
use HTTP::Tiny;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $SOON = 1;                   # seconds the product promises
my $LATE = 30;                  # a slow machine is no failure, this is
my $KV = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';

LF::needed();
my ($strace) = grep { -x } map {"$_/strace"} split /:/, $ENV{PATH};
plan skip_all => 'strace is not installed' unless $strace;

# --- strace -------------------------------------------------------------------------

my (%tracer, $traces);

# Let calls fail: (\@pids, calls => 'read,write', how => 'error=EINTR:when=3+5'). undef: it may not be done here.
sub inject {
    my ($pids, @rules) = @_;
    my $dir = $traces //= File::Temp->newdir('lf-inject-XXXXXXXX', TMPDIR => 1);
    my $log = "$dir/" . ++$tracer{n};
    my @args = ('-f', '-qqq', '-o', $log, '-e', 'trace=' . join(',', map { $_->[0] } @rules), '-e', 'signal=none',
        map { ('-e', "inject=$_->[0]:$_->[1]") } @rules);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$log.err";
        exec { $strace } 'strace', @args, map { ('-p', $_) } @$pids or POSIX::_exit(127);
    }
    my $end = time + 60;
    until (LF::traced(@$pids)) {
        local $?;
        if (waitpid($pid, POSIX::WNOHANG()) == $pid || time > $end) {
            kill 'KILL', $pid;
            return;
        }
        sleep 0.01;
    }
    $tracer{$pid} = 1;
    return { pid => $pid, log => $log };
}

# The kernel is kind again; how many calls failed, and when that ended.
sub relent {
    my ($t) = @_;
    local $?;
    kill 'INT', $t->{pid};
    waitpid $t->{pid}, 0;
    delete $tracer{ $t->{pid} };
    return scalar(() = LF::slurp($t->{log}) =~ /INJECTED/g);
}

END { delete $tracer{n}; kill 'KILL', keys %tracer if %tracer }

{
    my $pid = fork // die "fork: $!";
    if (!$pid) { sleep 60; POSIX::_exit(0) }
    my $t = inject([$pid], [ 'read', 'error=EINTR' ]);
    relent($t) if $t;
    kill 'KILL', $pid;
    { local $?; waitpid $pid, 0; }
    plan skip_all => 'ptrace is not permitted here' unless $t;
}

# --- a server, and what is asked of it ------------------------------------------------

my $api = LF->start(config => "[compaction]\nthreshold_messages = 100000\n", files => { 'librefang.ini' => "[librefang]\npool_size = 2\n" });
my $agent = $api->post('/api/agents', { manifest_toml => "name = \"steady\"\n[model]\nprovider = \"offline\"\nmodel = \"offline\"\n[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id};
my $n = 0;
my (%acked, %refused);          # keys, by what we were told
my (%said, %unsaid);            # messages that were answered; those refused before they could be kept
my $nothing_kept = 0;           # no write can have succeeded

sub workers { return @{ $api->processes->{'librefang-fcgi'} // [] } }
sub daemon  { return @{ $api->processes->{librefangd} // [] } }
sub fronts  { return grep { LF::slurp("/proc/$_/cmdline") =~ /worker/ } @{ $api->processes->{nginx} // [] } }

sub ask {
    my ($method, $path, $body) = @_;
    my $http = HTTP::Tiny->new(timeout => 60);
    my %h = (Authorization => 'Bearer ' . $api->key);
    $h{'Content-Type'} = 'application/json' if defined $body;
    my $r = $http->request($method, $api->base . $path, { headers => \%h, defined $body ? (content => $LF::JSON->encode($body)) : () });
    $r->{content} //= '';
    $r->{json} = eval { $LF::JSON->decode($r->{content}) };
    @$r{qw(method path)} = ($method, $path);
    return $r;
}

# What is wrong with an answer, if it is neither right nor a clean 5xx.
my $failures;                   # clean ones
sub wrong {
    my ($r, $right) = @_;
    $failures++ if $r->{status} >= 500;
    return () if $r->{status} == 200 || $r->{status} == 201 ? $right : 0;
    return "$r->{method} $r->{path}: $r->{status} with the wrong content: " . substr $r->{content}, 0, 200 if $r->{status} < 500;
    return "$r->{method} $r->{path}: no answer: $r->{content}" if $r->{status} == 599;
    my @f = $api->faults($r, $r->{status});
    return @f ? "$r->{method} $r->{path}: $r->{status} of the wrong form: @f: " . substr($r->{content}, 0, 200) : ();
}

sub put_one {
    my $key = 'k' . ++$n;
    my $r = ask('PUT', "$KV/$key", { value => "value-$key" });
    $acked{$key} = 1 if $r->{status} == 200;
    $refused{$key} = 1 if $r->{status} == 503 && ref $r->{json} && ($r->{headers}{'retry-after'} // '') ne '';
    return wrong($r, 1);
}
sub get_one {
    my ($key) = keys %acked;
    my $r = ask('GET', defined $key ? "$KV/$key" : '/api/agents');
    return wrong($r, ref $r->{json} && (!defined $key || ($r->{json}{value} // '') eq "value-$key"));
}
sub list_one { my $r = ask('GET', '/api/agents'); return wrong($r, ref $r->{json} && @{ $r->{json}{items} // [] } > 0) }
sub turn_one {
    my $word = 'w' . ++$n;
    my $r = ask('POST', "/api/agents/$agent/message", { message => "remember $word = said-$word" });
    $said{"remember $word = said-$word"} = 1 if $r->{status} == 200;
    $unsaid{"remember $word = said-$word"} = 1 if $r->{status} != 200 && $nothing_kept;
    return wrong($r, ref $r->{json} && ($r->{json}{response} // '') =~ /\w/);
}
sub stream_one {
    my $s = eval { $api->stream("/api/agents/$agent/message/stream", { message => 'hello ' . ++$n }) } // return "stream: $@";
    if ($s->status == 200) {
        my @e = $s->all;
        return () if @e && ($e[-1]{event} eq 'done' || ($e[-1]{json}{phase} // '') eq 'error');
        return 'a stream that was cut: ' . join ' ', map { $_->{data} } @e;
    }
    my $r = { status => $s->status, headers => $s->headers, content => $s->rest, method => 'POST', path => '/message/stream' };
    $r->{json} = eval { $LF::JSON->decode($r->{content}) };
    return wrong($r, 0);
}
sub spawn_one {
    my $r = ask('POST', '/api/agents', { manifest_toml => 'name = "short-' . ++$n . "\"\n" });
    my @w = wrong($r, ref $r->{json} && $r->{json}{agent_id});
    push @w, wrong(ask('DELETE', "/api/agents/$r->{json}{agent_id}?confirm=true"), 1) if !@w && $r->{status} == 201;
    return @w;
}

# More turns at once than ever before need more threads, and those need memory.
sub many_at_once {
    my @s = map { $api->later("/api/agents/$agent/message", { message => "hello $_" }) } 1 .. 40;
    return map {
        $_->read_head;
        my $r = { status => $_->status || 599, headers => $_->headers, content => $_->rest, method => 'POST', path => '/message (many)' };
        $r->{json} = eval { $LF::JSON->decode($r->{content}) };
        wrong($r, $r->{json} && $r->{json}{response});
    } @s;
}

my %kinds = (put => \&put_one, get => \&get_one, list => \&list_one, turn => \&turn_one, stream => \&stream_one, spawn => \&spawn_one);

# Everything serves: seconds until each kind was answered with success.
sub recovered {
    my ($since) = @_;
    my $end = $since + 40;
    for my $try ([ 'GET', "$KV" ], [ 'PUT', "$KV/again", { value => 1 } ], [ 'GET', '/api/agents' ], [ 'GET', '/api/ready' ],
        [ 'POST', "/api/agents/$agent/message", { message => 'hello' } ]) {
        while (1) {
            my $r = ask(@$try);
            last if $r->{status} == 200;
            return "$try->[0] $try->[1]: $r->{status} $r->{content}" if time > $end;
            sleep 0.02;
        }
    }
    return time - $since;
}

# One fault: (name, [pids], [rules], {kind => times}, options). during, after: what else is done; during returns what was
# wrong. no_harm: no request may fail of it. nothing_kept: no write can succeed. may_miss: perhaps no such call is made.
sub suffer {
    my ($name, $pids, $rules, $load, %o) = @_;
    return subtest $name => sub {
        ok scalar(@$pids), 'somebody to do it to' or return;
        my $t = inject($pids, @$rules);
        ok $t, 'the fault is set' or return;
        my @wrong;
        ($failures, $nothing_kept) = (0, $o{nothing_kept});
        my $begun = time;
        push @wrong, $o{during}->() if $o{during};
        for my $kind (map { ($_) x $load->{$_} } sort keys %$load) {
            last if time - $begun > 20;
            push @wrong, $kinds{$kind}->();
        }
        $api->wait_for(sub { LF::slurp($t->{log}) =~ /INJECTED/ }) if !$o{may_miss};
        my $met = relent($t);
        my $since = time;
        $nothing_kept = 0;
        my $took = recovered($since);
        is_deeply \@wrong, [], 'every answer is right, or a clean error';
        cmp_ok $met, '>', 0, 'the fault was met' if !$o{may_miss};
        is $failures, 0, 'and none was refused' if $o{no_harm};
        ok $took =~ /^[\d.e-]+$/ && $took <= $LATE, 'all serves again at once' or diag $took;
        diag "$name: $took s" if $took =~ /^[\d.e-]+$/ && $took > $SOON;
        note sprintf '%d calls failed, %.2f s, serves after %s s', $met, $since - $begun, $took;
        $o{after}->() if $o{after};
    };
}

# What we were told is so.
sub nothing_lost {
    my ($name) = @_;
    my %there = map { $_->{key} => $_->{value} } @{ $api->get($KV, 200)->{kv_pairs} };
    is_deeply [ grep { ref $there{$_} ? ($there{$_}{value} // '') ne "value-$_" : ($there{$_} // '') ne "value-$_" } sort keys %acked ], [], "$name: every acknowledged write is there";
    is_deeply [ grep { exists $there{$_} } sort keys %refused ], [], "$name: no refused write is";
    my (%times, $open);
    for my $m (@{ $api->get("/api/agents/$agent/session", 200)->{messages} }) {
        if ($m->{role} eq 'User') { $times{ $open = $m->{content} }{asked}++ }
        elsif (defined $open) { $times{$open}{answered} = 1 }
    }
    is_deeply [ grep { ($times{$_}{asked} // 0) != 1 || !$times{$_}{answered} } sort keys %said ], [], "$name: every answered message is in the history, once";
    is_deeply [ grep { $times{$_} } sort keys %unsaid ], [], "$name: no message that was refused for want of space is";
    return;
}

# What a signal, or being stopped and continued, may break off. Signals are blocked but where the programs sleep, and
# sockets are never waited for in a read or write.
my $INTERRUPTED = 'accept4,epoll_pwait,epoll_wait,poll,ppoll,pread64,pwrite64,clock_nanosleep';

my %short = (put => 6, get => 4, list => 2);
my %long  = (turn => 3, stream => 2, spawn => 2);

# --- the pool -------------------------------------------------------------------------

is_deeply [ map { $kinds{$_}->() } sort keys %kinds ], [], 'without faults every answer is right';

suffer('a pool worker: no space to write', [ workers() ], [ [ 'pwrite64', 'error=ENOSPC' ] ], \%short,
    after => sub { ok %refused > 0, 'writes were refused as such' });
suffer('a pool worker: reads fail', [ workers() ], [ [ 'pread64', 'error=EIO' ] ], { put => 3, get => 3, list => 6 });
suffer('a pool worker: every third read fails', [ workers() ], [ [ 'pread64', 'error=EIO:when=2+3' ] ], \%short);
suffer('a pool worker: half of the writes fail', [ workers() ], [ [ 'pwrite64', 'error=EIO:when=2+2' ] ], { put => 12, get => 2 });
suffer('a pool worker: interrupted all the time', [ workers() ],
    [ [ $INTERRUPTED, 'error=EINTR:when=2+3' ] ], \%short,
    no_harm => 1);
suffer('a pool worker: no more descriptors', [ workers() ], [ [ 'accept4', 'error=EMFILE:when=2+3' ] ], \%short);
suffer('a pool worker: no memory', [ workers() ], [ [ 'mmap,brk,mremap', 'error=ENOMEM' ] ],
    { put => 4, list => 4 }, during => sub { return wrong(ask('PUT', "$KV/large", { value => 'x' x 400_000 }), 1) });
nothing_lost('pool');

# --- the daemon -----------------------------------------------------------------------

suffer('the daemon: no space to write', [ daemon() ], [ [ 'pwrite64', 'error=ENOSPC' ] ], { %long, put => 2 }, nothing_kept => 1,
    after => sub { ok %unsaid > 0, 'messages were refused' });
suffer('the daemon: half of the writes fail', [ daemon() ], [ [ 'pwrite64', 'error=EIO:when=3+2' ] ], { turn => 6, spawn => 3 });
suffer('the daemon: reads fail', [ daemon() ], [ [ 'pread64', 'error=EIO' ] ], { %long, put => 3 }, during => sub { put_one() });
suffer('the daemon: some reads fail', [ daemon() ], [ [ 'pread64', 'error=EIO:when=2+3' ] ], { %long, put => 3 }, may_miss => 1, during => sub { put_one() });
suffer('the daemon: syncs fail', [ daemon() ], [ [ 'fdatasync,fsync', 'error=EIO' ] ], { %long, put => 20 }, may_miss => 1);
suffer('the daemon: interrupted all the time', [ daemon() ],
    [ [ $INTERRUPTED, 'error=EINTR:when=2+3' ] ], \%long, no_harm => 1);
suffer('the daemon: clients take nothing at first', [ daemon() ], [ [ 'sendto,sendmsg', 'error=EAGAIN:when=1+2' ] ], { %long, turn => 6 }, no_harm => 1);
suffer('the daemon: no more descriptors', [ daemon() ], [ [ 'accept4', 'error=EMFILE:when=1..40' ] ], { turn => 2, stream => 1 });
suffer('the daemon: no files and sockets', [ daemon() ], [ [ 'openat,socket,eventfd2,epoll_create1', 'error=EMFILE' ] ], { turn => 3, spawn => 2 });
suffer('the daemon: no memory', [ daemon() ], [ [ 'mmap,brk,mremap', 'error=ENOMEM' ] ], { turn => 4, stream => 2, spawn => 2 },
    during => \&many_at_once);
nothing_lost('daemon');

subtest 'stopped and continued' => sub {
    for my $who ([ 'the pool', workers() ], [ 'the daemon', daemon() ], [ 'nginx', fronts() ], [ 'the supervisor', $api->supervisor ]) {
        my ($name, @pids) = @$who;
        my $done = fork // die "fork: $!";
        if (!$done) {
            for (1 .. 60) { kill 'STOP', @pids; sleep 0.004; kill 'CONT', @pids; sleep 0.006 }
            POSIX::_exit(0);
        }
        $failures = 0;
        is_deeply [ map { $kinds{$_}->() } (sort keys %kinds) x 4 ], [], "$name: every answer is right";
        is $failures, 0, '  and none was refused';
        local $?;
        waitpid $done, 0;
    }
};

# --- the supervisor and nginx -----------------------------------------------------------

my $sup = $api->supervisor;
suffer('the supervisor: interrupted, and without descriptors, while a worker dies', [$sup],
    [ [ 'openat,socket,pipe2,accept4', 'error=EMFILE:when=1+2' ], [ 'read,write,epoll_wait,epoll_pwait,poll,ppoll,waitid,wait4', 'error=EINTR:when=2+3' ] ], { list => 3 },
    during => sub { kill 'KILL', (workers())[0]; sleep 0.3; return });
suffer('the supervisor: cannot fork while the pool dies', [$sup], [ [ 'clone,clone3,fork,vfork', 'error=EAGAIN:when=1..6' ] ], { list => 3, put => 2 },
    during => sub { kill 'KILL', workers(); sleep 0.2; return });
suffer('the supervisor: no space at a reload', [$sup], [ [ 'write,pwrite64,rename,renameat', 'error=ENOSPC' ] ], { list => 2, put => 2 },
    during => sub { kill 'HUP', $sup; sleep 0.3; return });
is $api->supervisor, $sup, 'it is the same supervisor';
cmp_ok scalar(workers()), '==', 2, 'the pool is whole';
my $before = () = $api->log_text =~ /msg="configuration loaded"/g;
kill 'HUP', $sup;
ok $api->wait_for(sub { (() = $api->log_text =~ /msg="configuration loaded"/g) > $before }), 'the next reload is taken';

suffer('nginx: no more descriptors', [ fronts() ], [ [ 'accept4', 'error=EMFILE:when=1..3' ] ], { %short, turn => 1 });
suffer('nginx: cannot reach the pool', [ fronts() ], [ [ 'socket', 'error=EMFILE:when=1+2' ] ], { %short, turn => 2, stream => 2 });
suffer('nginx: no space for a large body', [ fronts() ], [ [ 'openat,pwrite64,pwritev', 'error=ENOSPC' ] ], { list => 2, put => 2 },
    during => sub { my $r = ask('PUT', "$KV/body", { value => 'x' x 3_000_000 }); cmp_ok $r->{status}, '>=', 400, 'it cannot be taken'; return wrong($r, 0) });
suffer('nginx: interrupted all the time', [ fronts() ], [ [ 'recv,recvfrom,read,readv,writev,write,sendfile,epoll_wait,accept4', 'error=EINTR:when=2+3' ] ], { %short, turn => 1, stream => 1 }, no_harm => 1);
nothing_lost('all');

# --- what is left ---------------------------------------------------------------------

my @pids = (workers(), daemon(), fronts());
is_deeply [ grep { LF::slurp("/proc/$_/status") !~ /^TracerPid:\s*0$/m } @pids ], [], 'nobody is watched any more';
my @history = @{ $api->get("/api/agents/$agent/session", 200)->{messages} };
is_deeply [ grep { !defined $_->{result} || $_->{running} } map { @{ $_->{tools} // [] } } @history ], [], 'no tool use is without its result';
my ($file) = glob($api->home . '/data/*.db');
$api->restart;
nothing_lost('after a restart');
$api->down;
SKIP: {
    skip 'python3 is not installed', 2 unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
    open my $py, '-|', 'python3', '-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); print(c.execute("PRAGMA integrity_check").fetchall(), c.execute("PRAGMA foreign_key_check").fetchall())', $file or die "python3: $!";
    my $said = <$py> // '';
    close $py;
    like $said, qr/^\[\('ok',\)\] \[\]$/, 'the database is sound';
}
done_testing;
