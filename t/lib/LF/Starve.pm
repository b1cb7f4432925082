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
use IPC::Open2 ();
use LF;
use LF::WS;
use Time::HiRes qw(sleep time);

our %KIND = (memory => 1, reads => 2, writes => 4, sockets => 8, threads => 16, removals => 32, kills => 64);
my $PLACES = 32 + 8000;
my $LASTS_MS = 300;             # longer than any question, shorter than what is tried again
my $LATE = 60;                  # seconds: longer than anything waits by itself

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
