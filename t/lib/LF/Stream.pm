package LF::Stream;
# One HTTP answer read as it comes: its head, its body (chunked or not), and
# the events in it.
#
#   my $s = $api->stream("/api/agents/$id/message/stream", { message => 'hello' });
#   while (my $e = $s->next) { ... $e->{event}, $e->{data}, $e->{json}, $e->{id}, $e->{at} }
#   $s->close                                   # a client that goes away
use strict;
use warnings;
use IO::Select;
use JSON::PP ();
use Time::HiRes ();

my $JSON = JSON::PP->new->utf8->allow_nonref;

sub new {
    my ($class, $socket, $seconds) = @_;
    $socket->blocking(1);
    return bless { s => $socket, sel => IO::Select->new($socket), seconds => $seconds, in => '', text => '',
        left => 0, mode => 'close', events => [] }, $class;
}

sub send_bytes {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $self->{s}, $bytes, length($bytes) - $at, $at;
        last unless defined $n;                 # the other side may answer and close early
        $at += $n;
    }
    return $at;
}

# More bytes; false at the end, at an error, or after the time.
sub more {
    my ($self) = @_;
    return 0 if $self->{eof};
    if (!$self->{sel}->can_read($self->{seconds})) { $self->{timed_out} = 1; return 0 }
    my $n = sysread $self->{s}, $self->{in}, 65536, length $self->{in};
    return 1 if $n;
    $self->{eof} = 1;
    return 0;
}

sub read_head {
    my ($self) = @_;
    while ($self->{in} !~ /\r\n\r\n/) { $self->more or return 0 }
    $self->{in} =~ s/^(.*?)\r\n\r\n//s or return 0;
    my ($line, @lines) = split /\r\n/, $1;
    ($self->{status}) = $line =~ m{^HTTP/1\.[01] (\d+)} or return 0;
    for (@lines) {
        my ($k, $v) = /^([^:]+):\s*(.*?)\s*$/ or next;
        $k = lc $k;
        $self->{headers}{$k} = exists $self->{headers}{$k} ? "$self->{headers}{$k}, $v" : $v;
    }
    return $self->read_head if $self->{status} == 100;
    if (($self->{headers}{'transfer-encoding'} // '') =~ /chunked/i) { $self->{mode} = 'chunked' }
    elsif (defined $self->{headers}{'content-length'}) {
        $self->{mode} = 'length';
        $self->{left} = $self->{headers}{'content-length'};
    }
    $self->{mode} = 'none' if $self->{status} == 204 || $self->{status} == 304 || $self->{status} == 101;
    return 1;
}

sub status  { return $_[0]{status} // 0 }
sub headers { return $_[0]{headers} // {} }
sub timed_out { return $_[0]{timed_out} }
sub socket  { return $_[0]{s} }
sub whole   { return $_[0]{whole} }             # did the body end as it should?

# Move what is there of the body into text; false: nothing more will come.
sub body_part {
    my ($self) = @_;
    return 0 if $self->{whole};
    if ($self->{mode} eq 'none') { $self->{whole} = 1; return 0 }
    if ($self->{mode} eq 'close') {
        if (!length $self->{in} && !$self->more) { $self->{whole} = 1 if $self->{eof}; return 0 }
        $self->{text} .= $self->{in};
        $self->{in} = '';
        return 1;
    }
    if ($self->{mode} eq 'chunked' && $self->{left} == 0) {
        while ($self->{in} !~ /^(?:\r\n)?([0-9a-fA-F]+)[^\r\n]*\r\n/) { $self->more or return 0 }
        $self->{in} =~ s/^(?:\r\n)?([0-9a-fA-F]+)[^\r\n]*\r\n//;
        $self->{left} = hex $1;
        if ($self->{left} == 0) { $self->{whole} = 1; return 0 }
    }
    if ($self->{mode} eq 'length' && $self->{left} == 0) { $self->{whole} = 1; return 0 }
    if (!length $self->{in}) { $self->more or return 0 }
    my $n = length $self->{in} < $self->{left} ? length $self->{in} : $self->{left};
    $self->{text} .= substr $self->{in}, 0, $n, '';
    $self->{left} -= $n;
    return 1;
}

# All that is left of the body.
sub rest {
    my ($self) = @_;
    1 while $self->body_part;
    return delete($self->{text}) // '';
}

# The next event, undef at the end. Comments are kept as {comment}.
sub next {
    my ($self) = @_;
    while ($self->{text} !~ /\r?\n\r?\n/) { $self->body_part or return }
    $self->{text} =~ s/^(.*?)\r?\n\r?\n//s;
    my %e = (at => Time::HiRes::time(), event => 'message');
    my @data;
    for my $line (split /\r?\n/, $1) {
        if ($line =~ /^:\s?(.*)/) { $e{comment} = $1; next }
        my ($k, $v) = $line =~ /^([^:]+)(?::\s?(.*))?$/s or next;
        if ($k eq 'data') { push @data, $v // '' }
        elsif ($k =~ /^(?:event|id|retry)$/) { $e{$k} = $v }
    }
    return $self->next if !@data && defined $e{comment};
    $e{data} = join "\n", @data;
    $e{json} = eval { $JSON->decode($e{data}) };
    return \%e;
}

# Every event to the end.
sub all {
    my ($self) = @_;
    my @all;
    while (my $e = $self->next) { push @all, $e }
    return @all;
}

sub close { my ($self) = @_; close $self->{s}; $self->{eof} = 1; return }

1;
