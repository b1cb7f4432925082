#!/usr/bin/perl
# Run as a service: readiness told to the service manager, the units and how much they leave open,
# logs that move away.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use LF;
use LF::Front;
use POSIX ();
use Test::More;
use Time::HiRes ();

LF::needed();
my ($build, $src) = (LF::builddir(), LF::srcdir());
my $tool = sub { my ($p) = grep { -x } map {"$_/$_[0]"} split(/:/, $ENV{PATH}), '/usr/sbin'; return $p };

# A server in the foreground, as the service manager starts it.
sub foreground {
    my ($notify, %o) = @_;
    my $api = LF->start;
    $api->down;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        %ENV = ($api->environment, NOTIFY_SOCKET => $notify // '', LIBREFANG_LISTEN => '127.0.0.1:' . $api->port);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        open STDERR, '>', "$api->{dir}/journal" or POSIX::_exit(126);
        open STDOUT, '>&', \*STDERR or POSIX::_exit(126);
        syscall 157, 65, 1, 0, 0, 0 if $o{no_exec_gain};        # prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)
        my @words = (@{ $o{under} // [] }, "$build/librefang", 'start', '--foreground');
        exec { $words[0] } @words or POSIX::_exit(127);
    }
    $api->{foreground} = $pid;
    return $api;
}

# The server's end: (wait status, what it said).
sub ended {
    my ($api) = @_;
    my $end = time + 60;
    my $got;
    while (($got = waitpid $api->{foreground}, POSIX::WNOHANG()) == 0 && time < $end) { Time::HiRes::sleep(0.02) }
    my $status = $?;
    if ($got == 0) { kill 'KILL', $api->{foreground}; waitpid $api->{foreground}, 0; return ('it did not end', '') }
    return ($status, LF::slurp("$api->{dir}/journal"));
}

for my $kind ('a path', 'an abstract name') {
    subtest "told to the service manager at $kind" => sub {
        my $dir = File::Temp->newdir('lf-XXXXXXXX', TMPDIR => 1);
        my $name = $kind eq 'a path' ? "$dir/notify" : "\0lf-test-$$";
        my $s = IO::Socket::UNIX->new(Local => $name, Type => SOCK_DGRAM) or die "notify: $!";
        my $said = sub {
            my ($want, $seconds) = @_;
            my $all = '';
            while (IO::Select->new($s)->can_read($seconds // 60)) {
                defined $s->recv(my $m, 4096) or last;
                $all .= "$m\n";
                return $all if $all =~ $want;
            }
            return $all;
        };
        my $api = foreground($name =~ s/^\0/@/r);
        like $said->(qr/^READY=1$/m), qr/^READY=1$/m, 'READY when requests are answered';
        $api->{http} = HTTP::Tiny->new(timeout => 60);
        is $api->raw('GET', '/api/health')->{status}, 200, 'which they are';
        kill 'HUP', $api->{foreground};
        my $all = $said->(qr/READY=1/);
        like $all, qr/^RELOADING=1\nMONOTONIC_USEC=\d+\n.*^READY=1$/ms, 'RELOADING with the time, then READY again';
        LF::Front::write_file($api->home . '/config.toml', "broken [\n");
        kill 'HUP', $api->{foreground};
        like $said->(qr/READY=1/), qr/RELOADING=1.*READY=1/s, 'so with a configuration that is not taken';
        kill 'TERM', $api->{foreground};
        like $said->(qr/STOPPING=1/), qr/STOPPING=1/, 'STOPPING at the end';
        my ($status, $journal) = ended($api);
        is $status, 0, 'which is a good one';
        like $journal, qr/msg="serving"/, 'the log goes to the journal';
    };
}

subtest 'memory that is written is never executed' => sub {
    plan skip_all => 'the kernel does not know that promise' if do { my $p = fork // die; if (!$p) { POSIX::_exit(syscall(157, 65, 1, 0, 0, 0) == 0 ? 0 : 1) } waitpid $p, 0; $? };
    plan skip_all => 'the sanitizers need it' if LF::slurp("$build/librefang") =~ /__asan_init/;
    my $api = foreground(undef, no_exec_gain => 1);
    $api->{http} = HTTP::Tiny->new(timeout => 60);
    ok $api->wait_for(sub { $api->raw('GET', '/api/health')->{status} == 200 }), 'nginx and the pool run so';
    $api->post('/api/agents', { manifest_toml => qq(name = "bea"\n) }, 201);
    kill 'TERM', $api->{foreground};
    is +(ended($api))[0], 0, 'and the daemon';
};

sub expand {
    my ($analyze, @sets) = @_;
    my %all;
    while (defined(my $set = shift @sets)) {
        if ($set !~ /^@/) { $all{$set} = 1; next }
        push @sets, map { /^\s+(@?[a-z0-9_-]+)$/ ? $1 : () } split /\n/, `$analyze syscall-filter $set 2>/dev/null`;
    }
    return \%all;
}

my @units = (['librefang.service', ''], ['librefang-user.service', '--user ']);
subtest 'the units' => sub {
    my $analyze = $tool->('systemd-analyze') or plan skip_all => 'systemd-analyze is not installed';
    my $dir = File::Temp->newdir('lf-XXXXXXXX', TMPDIR => 1);
    local $ENV{XDG_RUNTIME_DIR} = "$dir";
    for (@units) {
        my ($unit, $user) = @$_;
        my $file = "$build/systemd/$unit";
        ok -s $file, "$unit is made" or next;
        # as installed: its programs must be there for the judge
        my $text = LF::slurp($file);
        $text =~ s{^(ExecStart=)\S+/librefang }{$1/bin/true }m or fail 'it starts librefang';
        $text =~ s/^Documentation=.*\n//m;
        LF::Front::write_file("$dir/$unit", $text);
        my $out = `$analyze ${user}verify '$dir/$unit' 2>&1`;
        is $out, '', 'systemd finds no fault in it';
        $out = `$analyze ${user}security --offline=true --threshold=25 '$dir/$unit' 2>&1`;
        my ($level) = $out =~ /exposure level for \S+: ([\d.]+)/;
        cmp_ok $level // 10, '<=', 2.5, 'and little that it leaves open' or diag $out;
    }
};

subtest 'system calls' => sub {
    my $analyze = $tool->('systemd-analyze') or plan skip_all => 'systemd-analyze is not installed';
    my $strace = $tool->('strace') or plan skip_all => 'strace is not installed';
    plan skip_all => 'the sanitizers have their own' if LF::slurp("$build/librefang") =~ /__asan_init/;
    my @filters = LF::slurp("$src/systemd/hardening") =~ /^SystemCallFilter=(.*)$/mg;
    my %may;
    for my $f (@filters) {
        my $not = $f =~ s/^~//;
        my $set = expand($analyze, split ' ', $f);
        if ($not) { delete @may{ keys %$set } } else { @may{ keys %$set } = (1) x keys %$set }
    }
    plan skip_all => 'this systemd lists no system calls' if keys %may < 100;
    my $sum = File::Temp->new;
    my $api = foreground(undef, under => [ $strace, '-f', '-c', '-qq', '-o', "$sum" ]);
    $api->{http} = HTTP::Tiny->new(timeout => 60);
    plan skip_all => 'processes cannot be traced here' if !$api->wait_for(sub { $api->raw('GET', '/api/health')->{status} == 200 });
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "bea"\n[capabilities]\ntools = ["*"]\n) }, 201)->{agent_id};
    $api->post("/api/agents/$id/message", { message => $_ }) for 'hello', 'list files', 'remember that the sky is blue';
    my ($supervisor) = $api->supervisor;
    kill 'HUP', $supervisor;
    Time::HiRes::sleep(0.5);
    kill 'TERM', $supervisor;
    ended($api);
    my %used = map { /^\s*[\d.]+\s.*\s([a-z0-9_]+)$/ && $1 ne 'total' ? ($1 => 1) : () } split /\n/, LF::slurp("$sum");
    cmp_ok scalar(keys %used), '>', 50, 'of a life with some work are known';
    # refused with EPERM on purpose, and done without: more open files, nginx's processors
    my @more = grep { !$may{$_} && !/^(?:setrlimit|sched_setaffinity|setpriority)$/ && !($> == 0 && /^set(?:groups|uid|gid)$/) } sort keys %used;
    is "@more", '', 'and all of them are allowed by the units';
};

subtest 'logs that move away' => sub {
    my $api = LF->start;
    my $logs = $api->home . '/logs';
    $api->raw('GET', '/api/health');
    ok $api->wait_for(sub { LF::slurp("$logs/access.log") =~ /health/ }), 'the access log has a line';
    rename "$logs/$_", "$logs/$_.1" for qw(access.log librefang.log);
    kill 'USR1', $api->supervisor;
    ok $api->wait_for(sub { -e "$logs/access.log" && -e "$logs/librefang.log" }), 'USR1 makes new ones';
    $api->raw('GET', '/api/version');
    ok $api->wait_for(sub { LF::slurp("$logs/access.log") =~ /version/ }), 'to which the lines go now';
    unlike LF::slurp("$logs/access.log.1"), qr/version/, 'not to the old one';
    $api->down;
    my $snippet = LF::slurp("$src/systemd/logrotate.in");
    like $snippet, qr/signal=USR1 librefang\.service/, 'the snippet for logrotate says so';
    my $rotate = $tool->('logrotate') or return note 'logrotate is not installed: its opinion is not heard';
    my $dir = File::Temp->newdir('lf-XXXXXXXX', TMPDIR => 1);
    (my $text = $snippet) =~ s{/var/lib/librefang}{$dir}g;
    $text =~ s/^\s*(?:su|create) .*\n//mg;
    LF::Front::write_file("$dir/conf", $text);
    chmod 0644, "$dir/conf";
    my $out = `$rotate -d -s '$dir/state' '$dir/conf' 2>&1`;
    unlike $out, qr/error:/i, 'logrotate understands it';
};

done_testing;
