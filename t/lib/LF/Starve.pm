package LF::Starve;
# A server whose daemon is refused what it asks of the machine: the n-th allocation, read, write, connection or thread;
# or dies before the n-th write or removal (kills).
#
#   my $s = LF::Starve->new(config => ..., model => ...);       # undef: it cannot be done here
#   my $a = $s->ask(POST => "/api/agents", { ... });            # straight to the daemon, as the command does
#   $s->refuse('memory', 7);                                    # the seventh from now; all => 1: and those after it, for a moment
#   ... my $met = $s->relent;                                   # how many were refused
#   $s->look                                                    # what the store and the home hold: {line => how often}
#
# An answer: {status, json, body, events (of a stream), whole}; status 0: the connection ended without a byte, or
# {late}: nothing came in time.
use strict;
use warnings;
use File::Temp ();
use IO::Socket::UNIX;
use IO::Select;
use IPC::Open2 ();
use LF;
use LF::WS;
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

our %KIND = (memory => 1, reads => 2, writes => 4, sockets => 8, threads => 16, removals => 32, kills => 64);
my $PLACES = 32 + 8000;
my $LASTS_MS = 300;             # longer than any question, shorter than what is tried again
my $LATE = 60;                  # seconds: longer than anything waits by itself

# What every such test begins with: whether each place is wanted, and the seed of what is left to chance, which is sown.
sub begins {
    LF::needed();
    Test::More::plan(skip_all => 'python3 is not installed') unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
    my $seed = $ENV{LF_STARVE_SEED} // int rand 1_000_000;
    srand $seed;
    Test::More::note("seed $seed");
    return (($ENV{LF_STARVE} // '') eq 'all', $seed);
}

# Of those kinds the ones that are wanted.
sub kinds { return grep { !$ENV{LF_STARVE_KIND} || m{^(?:$ENV{LF_STARVE_KIND})$} } @_ }

# A try in words: what was refused there, and what was wrong.
sub told {
    my ($self, $kind, $x, @w) = @_;
    my $who = join ' ', map { s{.*/}{}r } grep { !/refuse\.so/ } split /\n/, $self->who;
    return join "\n", "$kind, " . ($x->[0] eq 'new' ? 'a place' : "number $x->[0]") . ($x->[1] ? ' and all after it' : '') . ':', @w, "refused: $who";
}

# --- in parts ------------------------------------------------------------------------

# All rows by so many processes at once; each takes the next one when it is through with one. Returns in each of them, a sub that
# gives the numbers of its rows, one after another; what they say is said by who called, who does not return. Each tells by part_of()
# what there is to do, and by part_takes() what it does.
sub parts {
    my ($n) = @_;
    my $at = 0;
    return sub { return $at++ } if $n < 2;
    pipe my $queue, my $to or die "pipe: $!";
    my (%from, @whole, %done, $s);
    for my $k (1 .. $n) {
        pipe my $out, my $in or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $_ for $to, $out;
            $in->autoflush;
            Test::More->builder->$_($in) for qw(output failure_output todo_output);
            return sub { my $bytes; return sysread($queue, $bytes, 4) ? unpack 'L', $bytes : 1 << 30 };
        }
        close $in;
        $from{ fileno $out } = { k => $k, pid => $pid, out => $out, begun => time, rows => 0, bad => 0, words => '' };
    }
    close $queue;
    $s = IO::Select->new(map { $_->{out} } values %from);
    syswrite $to, pack 'L*', 0 .. 4095;                 # more than there are rows, less than a pipe holds
    close $to;
    while ($s->count) {
        for my $out ($s->can_read) {
            my $p = $from{ fileno $out };
            if (sysread $out, $p->{words}, 65536, length $p->{words}) { part_says($p, \@whole, \%done); next }
            $s->remove($out);
            waitpid $p->{pid}, 0;
            Test::More::ok($? == 0 && $p->{plan}, sprintf 'part %d is through: %d rows, %d checks, %d not ok, %d s', @$p{qw(k rows checks bad)}, time - $p->{begun});
        }
    }
    Test::More::is_deeply([ map {"$_: $done{$_}"} sort keys %done ], [ map {"$_: 1"} sort @whole ], 'each of ' . @whole . ' rows was in one part');
    Test::More::done_testing();
    exit(Test::More->builder->is_passing ? 0 : 1);
}

sub part_of { my (@names) = @_; Test::More::note("of: $_") for @names; return }
sub part_takes { my ($name) = @_; Test::More::note("takes: $name"); return }

sub part_says {
    my ($p, $whole, $done) = @_;
    while ($p->{words} =~ s/^(.*)\n//) {
        my $line = $1;
        if ($line =~ /^# of: (.*)/) { push @$whole, $1 if $p->{k} == 1 }
        elsif ($line =~ /^# takes: (.*)/) { $done->{$1}++; $p->{rows}++ }
        elsif ($line =~ /^1\.\.(\d+)/) { @$p{qw(plan checks)} = (1, $1) }
        elsif ($line =~ /^(not )?ok \d+ - (.*)/) { $p->{bad}++ if $1; Test::More::ok(!$1, "part $p->{k}: $2") }
        else { Test::More::diag($line =~ s/^# ?//r) if $line !~ /^# \d+ s, |^# seed \d+$|^#   (?:at|Failed)/ }
    }
    return;
}

sub build {
    my ($dir) = @_;
    my $so = "$dir/refuse.so";
    my $rc = system(($ENV{CC} // 'cc') . " -O1 -fPIC -shared -D_GNU_SOURCE= -o '$so' '" . LF::srcdir() . "/t/starve/refuse.c' 2>'$dir/cc.log'");
    return $rc == 0 ? $so : undef;
}

# What refuses, without a server: {so} and {file} are for its environment.
sub alone {
    my ($class, %o) = @_;
    my $dir = File::Temp->newdir('lf-starve-XXXXXXXX', TMPDIR => 1);
    my $so = build("$dir") // return;
    my $self = bless { tmp => $dir, so => $so, file => "$dir/ask", tell => $o{tell} }, $class;
    open $self->{ask}, '+>:raw', $self->{file} or die "$self->{file}: $!";
    truncate $self->{ask}, 2 << 20;
    $self->put(24, pack 'L', $o{tell} ? 1 : 0);
    return $self;
}

sub new {
    my ($class, %o) = @_;
    my $self = $class->alone(%o) // return;
    my $asan = LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;
    local $ENV{ASAN_OPTIONS} = 'allocator_may_return_null=1:verify_asan_link_order=0:' . ($ENV{ASAN_OPTIONS} // '') if $asan;
    $self->{api} = LF->start(%o, env => { LD_PRELOAD => $self->{so}, LF_REFUSE => $self->{file}, (map { defined $ENV{$_} ? ($_ => $ENV{$_}) : () } 'LF_REFUSE_TRACE'), %{ $o{env} // {} } });
    $self->{pid} = $self->pid;
    $self->{born} = time;
    $self->{sock} = $self->listener(4);
    $self->{look} = IPC::Open2::open2($self->{look_out}, $self->{look_in}, 'python3', LF::srcdir() . '/t/starve/look.py', $self->{api}->home)
        or die "python3: $!";
    return $self;
}

sub api { return $_[0]{api} }
sub key { return $_[0]{api}->key }
sub port { return $_[0]{api}->port }

sub put { my ($self, $at, $bytes) = @_; sysseek $self->{ask}, $at, 0; syswrite $self->{ask}, $bytes; return }
sub took { my ($self, $at, $n) = @_; my $bytes = ""; sysseek $self->{ask}, $at, 0; sysread $self->{ask}, $bytes, $n; return $bytes }

# A program of ours by hand, refused with %env{LF_REFUSE ...}: its pid. Its words go to that file. fds: what it gets as which.
sub run {
    my ($program, $env, $out, $fds, @words) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    POSIX::dup2(fileno $fds->{$_}, $_) for keys %$fds;
    %ENV = %$env;
    open STDIN, '<', '/dev/null' or POSIX::_exit(126);
    open STDOUT, '>', $out or POSIX::_exit(126);
    open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
    exec {$program} $program =~ s{.*/}{}r, @words or POSIX::_exit(127);
}

# How it ended, as waitpid has it; 'late': it had to be killed after those seconds.
sub ended {
    my ($pid, $seconds) = @_;
    local $?;
    my $end = time + $seconds;
    while (time < $end) {
        return $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
        sleep 0.005;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 'late';
}

sub how { my ($status) = @_; return $status =~ /\D/ ? 'too late' : $status & 127 ? 'by signal ' . ($status & 127) : 'with ' . ($status >> 8) }

# One of each kind refused after the other, until none is new (all), or that often by chance for some seconds. count: how many there
# are of a kind; try: with one refused, the number and whether all after it are: (was one?, what is wrong). Returns tries, and those that met one.
sub tries {
    my ($self, %o) = @_;
    my ($n_tries, $met, $begun, %order) = (0, 0, time, map { ($_ => $o{all} ? $_ : rand) } keys %KIND);
    my $over = sub { return !$o{all} && time - $begun > $o{seconds} };
    for my $kind (kinds(sort { $order{$a} cmp $order{$b} } keys %KIND)) {
        last if $over->();
        my ($n, @bad, %seen) = $o{count}->($kind);
        my @todo = map { my $after = $_; $o{all} ? [ 'new', $after ] : map { [ 1 + int rand $n, $after ] } $n ? 1 .. $o{picks} : () } $kind eq 'kills' ? 0 : (0, 1);
        while (my $x = shift @todo) {
            last if $over->();
            my ($some, @w) = $o{try}->($kind, @$x);
            $n_tries++;
            $met++ if $some;
            unshift @todo, $x if $o{all} && $some;
            next if !@w || $seen{ join ' ', $w[0] =~ s/[0-9a-f-]{8,}|ts=\S+|pid=\d+|\d{4,5}//gr }++;
            push @bad, $self->told($kind, $x, @w);
            Test::More::diag($bad[-1]) if $o{all};
        }
        Test::More::note(sprintf '%d s, %d tries', time - $begun, $n_tries);
        Test::More::ok(!@bad, "$o{name}: $n $kind") or $o{all} or Test::More::diag(join "\n", "seed $o{seed}", @bad);
    }
    return ($n_tries, $met);
}

sub pid { my ($self) = @_; return unpack 'L', $self->took(20, 4) }

# Has the daemon died since somebody looked last? Then the next one is waited for.
sub died {
    my ($self) = @_;
    my $dead = sub { my ($state) = LF::slurp("/proc/$self->{pid}/stat") =~ /\) (\S)/; return !defined $state || $state eq 'Z' };
    return 0 if $self->pid == $self->{pid} && !$dead->();
    $self->{api}->wait_for(sub { $self->pid != $self->{pid} && ($self->ask(GET => '/api/templates')->{status} == 200) }, 15);
    $self->{pid} = $self->pid;
    $self->{born} = time;
    return 1;
}

# A daemon that dies within a second of its start comes back late.
sub grown_up { my ($self) = @_; sleep 0.05 while time - $self->{born} < 1.1; return }

# What config.toml says is in force.
sub in_force {
    my ($self) = @_;
    my $loads = sub { scalar(() = $self->{api}->log_text =~ /msg="configuration loaded"/g) };
    my $n = $loads->();
    kill 'HUP', $self->{api}->supervisor;
    $self->{api}->wait_for(sub { $loads->() > $n }, 15);
    $self->ask(GET => '/api/templates') for 1, 2;       # the loop has heard of it
    return;
}

# Has the server ended within those seconds?
sub gone {
    my ($self, $seconds) = @_;
    return $self->{api}->wait_for(sub { !$self->{api}->supervisor && !-d "/proc/$self->{pid}" }, $seconds) ? 1 : 0;
}

# One that has ended is started again.
sub up {
    my ($self) = @_;
    $self->{api}->up;
    $self->{pid} = $self->pid;
    $self->{born} = time;
    $self->{sock} = $self->listener(4);
    return;
}

# Where the socket is that the daemon has as that descriptor.
sub listener {
    my ($self, $fd) = @_;
    my ($inode) = (readlink "/proc/$self->{pid}/fd/$fd" // '') =~ /(\d+)/;
    my ($path) = LF::slurp('/proc/net/unix') =~ m{\s$inode\s+(/\S+)};
    return $path;
}

# n: 'new' is the first one from a place that was never refused yet; what is asked for a second time in one try is from another
# place than the first one if $self->{deep} is 2. all: 1, or for how many milliseconds.
sub refuse {
    my ($self, $kind, $n, %o) = @_;
    $self->put(8, pack 'LLL', $KIND{$kind}, !$o{all} ? 0 : $o{all} > 1 ? $o{all} : $LASTS_MS, 0);
    $self->put(28, pack 'L', 0);
    $self->put($PLACES, pack 'LLQ', $n eq 'new' ? 1 : 0, $self->{deep} // 1, ++$self->{tries});
    $n = 1 if $n eq 'new';
    $self->put(0, pack 'q', $n);
    return;
}

# Each place is new again.
sub forget_places { my ($self) = @_; $self->put($PLACES + 16, "\0" x (8 << 17)); return }

sub relent {
    my ($self) = @_;
    $self->put(0, pack 'q', 0);
    return unpack 'L', $self->took(16, 4);
}

# Who was refused first: lines "file+0xoffset".
sub who {
    my ($self) = @_;
    my $n = unpack 'L', $self->took(28, 4);
    return $n ? $self->took(32, $n) : '';
}

# --- questions ---------------------------------------------------------------------

sub connect {
    my ($self) = @_;
    return IO::Socket::UNIX->new(Peer => $self->{sock}, Timeout => 5) // die "$self->{sock}: $!\n";
}

sub ask {
    my ($self, $method, $path, $body, %h) = @_;
    my $content = ref $body ? $LF::JSON->encode($body) : $body;
    $h{'Content-Type'} //= 'application/json' if defined $content;
    $h{'Content-Length'} = length $content if defined $content;
    $h{'Content-Length'} //= 0 if $method =~ /^P/;
    my $s = LF::Stream->new($self->connect, $LATE);
    $s->send_bytes("$method $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" . join('', map {"$_: $h{$_}\r\n"} sort keys %h)
        . "\r\n" . ($content // ''));
    my %a = (method => $method, path => $path, status => 0, headers => {}, content => '');
    if (!$s->read_head) {
        $a{late} = 1 if $s->timed_out;
        $a{cut} = 1 if length $s->{in};
        return \%a;
    }
    @a{qw(status headers)} = ($s->status, $s->headers);
    if (($a{headers}{'content-type'} // '') =~ m{^text/event-stream}) { $a{events} = [ $s->all ] }
    else {
        $a{content} = $s->rest;
        $a{cut} = 1 if !$s->whole;
        $a{json} = eval { $LF::JSON->decode($a{content}) } if ($a{headers}{'content-type'} // '') =~ m{^application/json};
    }
    $a{late} = 1 if $s->timed_out;
    return \%a;
}

# What a watcher of that path sees of a turn that a question begins, as an answer: the question's own if it was refused.
sub watch {
    my ($self, $path, @question) = @_;
    my $w = LF::Stream->new($self->connect, $LATE);
    $w->send_bytes("GET $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    my %a = (method => 'GET', path => $path, status => 0, headers => {}, content => '');
    if (!$w->read_head) {
        $a{late} = 1 if $w->timed_out;
        $a{cut} = 1 if length $w->{in};
        return \%a;
    }
    @a{qw(status headers)} = ($w->status, $w->headers);
    if ($a{status} != 200) {
        $a{content} = $w->rest;
        $a{json} = eval { $LF::JSON->decode($a{content}) };
        return \%a;
    }
    my $q = $self->ask(@question);
    return $q if $q->{status} != 200;
    my $end = time + $LATE;             # signs of life come for ever
    while (my $e = time < $end ? $w->next : undef) {
        push @{ $a{events} }, $e;
        last if $e->{event} =~ /^(?:done|error)$/;
    }
    $a{late} = 1 if $w->timed_out || time >= $end;
    return \%a;
}

# A message over a WebSocket, as an answer: events are its messages.
sub chat {
    my ($self, $path, $what) = @_;
    my $ws = LF::WS->open($self, $path, timeout => $LATE);
    my %a = (method => 'WS', path => $path, status => $ws->status, headers => $ws->headers // {}, content => $ws->body, json => scalar $ws->json);
    return \%a if $ws->status != 101;
    my $end = time + $LATE;
    $a{events} = [ $ws->turn($what) ];
    $a{late} = 1 if time > $end - 1;
    $ws->close;
    return \%a;
}

# --- what there is -------------------------------------------------------------------

sub looked {
    my ($self, $what) = @_;
    print { $self->{look_in} } "$what\n";
    $self->{look_in}->flush;
    my $line = readline($self->{look_out}) // die "look.py has ended\n";
    return $LF::JSON->decode($line);
}

sub look { my ($self) = @_; return $self->looked('look') }

# No turn runs, and nothing is put aside for one; false after those seconds.
sub settled {
    my ($self, $seconds) = @_;
    my $open;
    $self->{stuck} //= { turns => 0, holds => 0 };
    $self->{api}->wait_for(sub { $open = $self->looked('open'); !grep { $open->{$_} > $self->{stuck}{$_} } keys %$open }, $seconds // 30) and return 1;
    $self->{stuck} = $open;     # told once
    return 0;
}

sub fds { my ($self) = @_; return scalar(() = glob "/proc/$self->{pid}/fd/*") }

sub finish {
    my ($self) = @_;
    close $self->{look_in} if $self->{look_in};
    local $?;
    waitpid delete $self->{look}, 0 if $self->{look};
    $self->{api}->finish if $self->{api};
    return;
}

sub DESTROY { my ($self) = @_; local ($@, $?, $!); $self->finish if $self->{look}; return }

1;
