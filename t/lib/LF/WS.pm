package LF::WS;
# A small WebSocket client for tests (RFC 6455): the handshake, frames of any kind,
# messages decoded from JSON.
#
#   my $ws = LF::WS->open($api, "/api/agents/$id/ws");       # headers => {...}, key => undef: none
#   $ws->status == 101 or $ws->body ...                       # refused: an ordinary answer
#   $ws->say({ type => 'ping' });                             # or a text as it is
#   my $m = $ws->next;  my @m = $ws->until('response');       # undef: closed, or nothing came in time
#   $ws->frame(9, 'x');  $ws->close;
use strict;
use warnings;
use Digest::SHA ();
use IO::Select;
use JSON::PP ();
use LF;
use MIME::Base64 ();
use Time::HiRes ();

sub open {
    my ($class, $api, $path, %o) = @_;
    my $nonce = MIME::Base64::encode_base64(join('', map { chr rand 256 } 1 .. 16), '');
    my %h = (Host => '127.0.0.1:' . $api->port, Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Key' => $nonce, 'Sec-WebSocket-Version' => 13, Authorization => 'Bearer ' . $api->key, %{ $o{headers} // {} });
    my $s = LF::Stream->new($api->connect, $o{timeout} // 60);
    $s->send_bytes("GET $path HTTP/1.1\r\n" . join('', map {"$_: $h{$_}\r\n"} grep { defined $h{$_} } sort keys %h) . "\r\n");
    my $self = bless { s => $s, in => '', seconds => $o{timeout} // 60 }, $class;
    $s->read_head or return $self;
    $self->{status} = $s->status;
    if ($self->{status} != 101) {
        $self->{body} = $s->rest;
        return $self;
    }
    my $want = Digest::SHA::sha1_base64($nonce . '258EAFA5-E914-47DA-95CA-C5AB0DC85B11') . '=';
    $self->{status} = 0 if ($s->headers->{'sec-websocket-accept'} // '') ne $want;
    $self->{in} = delete $s->{in};
    $s->{in} = '';
    return $self;
}

sub status  { return $_[0]{status} // 0 }
sub headers { return $_[0]{s}->headers }
sub body    { return $_[0]{body} // '' }
sub json    { return eval { $LF::JSON->decode($_[0]->body) } }
sub code    { return $_[0]{code} }              # of the other side's close frame

# One frame, masked as a client must. bits: 1 text, 2 binary, 8 close, 9 ping, 10 pong; fin => 0: more follows.
sub frame {
    my ($self, $kind, $bytes, %o) = @_;
    my $n = length $bytes;
    my $head = pack 'C', (defined $o{fin} && !$o{fin} ? 0 : 0x80) | $kind;
    $head .= $n < 126 ? pack('C', 0x80 | $n) : $n < 65536 ? pack('Cn', 0x80 | 126, $n) : pack('CQ>', 0x80 | 127, $n);
    my $mask = pack 'N', int rand 2**32;
    my $cover = substr $mask x (int($n / 4) + 1), 0, $n;
    return $self->{s}->send_bytes($head . $mask . ($bytes ^ $cover));
}

sub say { my ($self, $what) = @_; return $self->frame(1, ref $what ? $LF::JSON->encode($what) : $what) }

sub need {
    my ($self, $n) = @_;
    while (length $self->{in} < $n) {
        my $left = $self->{end} - Time::HiRes::time();
        return 0 if $left <= 0 || !IO::Select->new($self->{s}->socket)->can_read($left);
        if (!sysread $self->{s}->socket, $self->{in}, 65536, length $self->{in}) { $self->{eof} = 1; return 0 }
    }
    return 1;
}

# The next frame: (kind, bytes), nothing at the end or after the time.
sub frame_in {
    my ($self) = @_;
    $self->need(2) or return;
    my ($a, $b) = unpack 'CC', $self->{in};
    my ($n, $at) = ($b & 127, 2);
    if ($n == 126) { $self->need($at = 4) or return; $n = unpack 'x2n', $self->{in} }
    elsif ($n == 127) { $self->need($at = 10) or return; $n = unpack 'x2Q>', $self->{in} }
    $self->need($at + $n) or return;
    my $bytes = substr $self->{in}, $at, $n;
    substr $self->{in}, 0, $at + $n, '';
    return ($a, $bytes);
}

# The next message, decoded. Pings are answered; {pong}: the answer to one of ours.
sub next {
    my ($self, $seconds) = @_;
    my $text = '';
    $self->{end} = Time::HiRes::time() + ($seconds // $self->{seconds});
    while (my ($first, $bytes) = $self->frame_in) {
        my $kind = $first & 15;
        if ($kind == 8) { $self->{code} = length $bytes >= 2 ? unpack 'n', $bytes : 1005; return }
        if ($kind == 9) { $self->frame(10, $bytes); next }
        return { pong => $bytes } if $kind == 10;
        $text .= $bytes;
        return $LF::JSON->decode($text) if $first & 128;
    }
    return;
}

# Messages up to the first of a type, that one included.
sub until {
    my ($self, $type, $seconds) = @_;
    my @all;
    while (my $m = $self->next($seconds)) {
        push @all, $m;
        last if ($m->{type} // '') eq $type;
    }
    return @all;
}

# A message sent, and all that comes up to the end of its turn.
sub turn {
    my ($self, $what) = @_;
    my @all;
    $self->say($what);
    while (my $m = $self->next) {
        push @all, $m;
        last if ($m->{type} // '') =~ /^(?:response|silent_complete|error)$/;
    }
    return @all;
}

sub close {
    my ($self) = @_;
    if ($self->status == 101 && !$self->{eof}) {
        $self->frame(8, pack 'n', 1000);
        1 while $self->next(2);
    }
    $self->{s}->close;
    return;
}

1;
