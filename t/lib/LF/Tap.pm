package LF::Tap;
# Between our server and another on loopback: each request is written down as it came, then passed on, and the
# answer comes back as it is sent.
#
#   my $tap = LF::Tap->start('http://127.0.0.1:4010');
#   ... $tap->url ...
#   my @new = $tap->new_ones;                   # {method, path, headers, body, json} since the last look
use strict;
use warnings;
use Fcntl qw(:flock);
use File::Temp ();
use IO::Socket::INET;
use LF;
use POSIX ();

sub start {
    my ($class, $to) = @_;
    my $dir = File::Temp->newdir('lf-tap-XXXXXXXX', TMPDIR => 1);
    my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp') // die "listen: $!";
    my $self = bless { dir => $dir, log => "$dir/requests", port => $listen->sockport, owner => $$, at => 0,
        to => $to =~ m{^http://([^/]+)} ? $1 : die "no address: $to\n" }, $class;
    open my $fh, '>', $self->{log} or die "$self->{log}: $!";
    close $fh;
    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};
    setpgrp 0, 0;
    $SIG{CHLD} = 'IGNORE';
    $SIG{TERM} = sub { POSIX::_exit(0) };
    while (my $c = $listen->accept) {
        my $pid = fork;
        if (defined $pid && !$pid) { close $listen; eval { $self->pass($c); 1 } or warn $@; POSIX::_exit(0) }
        close $c;
    }
    POSIX::_exit(0);
}

sub url { return "http://127.0.0.1:$_[0]{port}" }

# One request on each connection.
sub pass {
    my ($self, $c) = @_;
    my ($in, $need) = ('', undef);
    while (!defined $need || length $in < $need) {
        sysread($c, $in, 65536, length $in) or return;
        $need = index($in, "\r\n\r\n") + 4 + ($in =~ /^content-length:\s*(\d+)/im ? $1 : 0) if !defined $need && $in =~ /\r\n\r\n/;
    }
    my ($head, $body) = split /\r\n\r\n/, $in, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;
    open my $fh, '>>:raw', $self->{log} or die "$self->{log}: $!";
    flock $fh, LOCK_EX;
    print $fh $LF::JSON->encode({ method => $method, path => $path, body => $body, headers => { map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines } }), "\n";
    close $fh;
    my $up = IO::Socket::INET->new(PeerAddr => $self->{to}, Proto => 'tcp') // return;
    print $up join("\r\n", $line, (grep { !/^connection:/i } @lines), 'Connection: close', '', $body);
    $up->flush;
    my $first = 1;
    while (sysread $up, my $out, 65536) {
        $out =~ s/^connection: *keep-alive\r\n/Connection: close\r\n/im if $first;     # whoever keeps it waits for nobody
        $first = 0;
        syswrite $c, $out or return;
    }
    return;
}

sub new_ones {
    my ($self) = @_;
    open my $fh, '<:raw', $self->{log} or return;
    seek $fh, $self->{at}, 0;
    my @new = map { $LF::JSON->decode($_) } <$fh>;
    $self->{at} = tell $fh;
    $_->{json} = eval { $LF::JSON->decode($_->{body}) } for @new;
    return @new;
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $?, $!);
    if ($self->{pid} && $self->{owner} == $$) { kill 'TERM', -$self->{pid}; waitpid $self->{pid}, 0 }
    return;
}

1;
