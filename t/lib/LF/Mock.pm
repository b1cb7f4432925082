package LF::Mock;
# An upstream for tests: speaks OpenAI's chat completions, and Ollama's chat, on a free loopback
# port, says what a script tells it, and writes down what it was asked.
#
#   my $up  = LF->mock(answers => [ { text => 'one' }, { status => 429 } ], default => { text => 'more' });
#   my $api = LF->start(model => $up);
#   ... is $up->requests->[0]{json}{model}, 'mock-model', '...';
#
# The script: when => [ [ 'words in the request' => ANSWER ], ... ] (words, or a qr//) is looked at first, then
# answers one after the other, then default ({ text => 'Hello from the mock.' }).
# An ANSWER may be a sub that makes it of the request's body. models: rows of its list instead of the usual one, or one of these ANSWERs: status and body. port: a fixed one. tags: names of models, as Ollama tells them. An ANSWER:
#   text, tool_calls => [ { name, arguments (hash or text), id } ], reasoning
#   finish => 'length', usage => { prompt_tokens, completion_tokens }, model
#   chunks => N             in how many parts a streamed text comes (5)
#   status, body, headers   an error, or any other answer; body: text or structure
#   delay => s              before the first byte; chunk_delay => s before each part
#   cut => N                the connection breaks after N parts (of a body that is not streamed: bytes)
#   cut_bytes => N          the same after N bytes of a streamed body
#   stall => N              after N parts nothing more comes, and the line stays open; ping => 1: but comments
#   garbage => 'bytes'      instead of events, or of JSON
#   hang => 1               never an answer;  reset => 1: the connection is reset
#   until => 'name'         hang and stall end when the test says $up->let('name'); $up->shut('name') closes it again
# embed => [ [ 'words in a text' => [ numbers ] ], ... [ '' => [ numbers ] ] ]: vectors, of /v1/embeddings; embed_answer => ANSWER: that instead.
# other => [ [ qr/path/ => ANSWER ], ... ]: of other paths; status, body and headers only. A sub is asked with the request, and may have none.
# key => { 'sk-…' => ANSWER }: to whoever comes with that key.
use strict;
use warnings;
use Fcntl qw(:flock);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use JSON::PP ();
use POSIX ();
use Time::HiRes ();

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

sub start {
    my ($class, %script) = @_;
    my $dir = File::Temp->newdir('lf-mock-XXXXXXXX', TMPDIR => 1);
    my $listen = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', LocalPort => $script{port} // 0,
        Proto => 'tcp', ReuseAddr => 1) // die "the mock upstream cannot listen: $!\n";
    pipe my $alive_r, my $alive_w or die "pipe: $!";
    my $self = bless { tmp => $dir, log => "$dir/requests", port => $listen->sockport, owner => $$, alive => $alive_w,
        script => \%script }, $class;
    open my $fh, '>', $self->{log} or die "$self->{log}: $!";
    close $fh;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $alive_w;
        undef $self->{alive};
        eval { $self->serve($listen, $alive_r); 1 } or warn $@;
        POSIX::_exit(0);
    }
    $self->{pid} = $pid;
    return $self;
}

sub port { return $_[0]{port} }
sub base { return "http://127.0.0.1:$_[0]{port}" }
sub url  { return $_[0]->base . '/v1' }

# What came, in order: {method, path, headers, body, json, at}. What was read once is not read again.
sub requests {
    my ($self) = @_;
    my $all = $self->{seen} //= [];
    open my $fh, '<:raw', $self->{log} or return $all;
    flock $fh, LOCK_SH;
    seek $fh, $self->{read} // 0, 0;
    while (my $line = <$fh>) {
        my $r = $JSON->decode($line);
        $r->{json} = eval { $JSON->decode($r->{body}) };
        push @$all, $r;
    }
    $self->{read} = tell $fh;
    return [@$all];
}

sub chats { my ($self) = @_; return [ grep { $_->{path} =~ m{/chat(?:/completions)?$} } @{ $self->requests } ] }

# Wait until that many chats came.
sub wait_chats {
    my ($self, $n, $seconds) = @_;
    my $end = Time::HiRes::time() + ($seconds // 30);
    while (@{ $self->chats } < $n) {
        return 0 if Time::HiRes::time() > $end;
        Time::HiRes::sleep(0.02);
    }
    return 1;
}

# What waits for that name goes on, and whatever comes for it, until it is shut again. LF_GATES tells the scripts of t/webchat the place.
sub gates { return "$_[0]{tmp}" }
sub let  { my ($self, $name) = @_; open my $fh, '>', $self->gates . "/$name" or die "$name: $!"; close $fh; return }
sub shut { my ($self, $name) = @_; unlink $self->gates . "/$name"; return }

sub stop {
    my ($self) = @_;
    return if $self->{owner} != $$;
    delete $self->{alive};                      # its end tells the child
    my $pid = delete $self->{pid} or return;
    kill 'TERM', -$pid;
    local $?;
    waitpid $pid, 0;
    return;
}

sub DESTROY { my ($self) = @_; local ($@, $?, $!); $self->stop if $self->{owner} == $$; return }

# --- the child ---------------------------------------------------------------------

sub serve {
    my ($self, $listen, $alive) = @_;
    setpgrp 0, 0;
    local $SIG{CHLD} = 'IGNORE';
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{TERM} = sub { POSIX::_exit(0) };
    my $sel = IO::Select->new($listen, $alive);
    while (1) {
        my @ready = $sel->can_read;
        last if grep { $_ == $alive } @ready;   # the test is gone
        my $c = $listen->accept or next;
        my $pid = fork;
        if (defined $pid && !$pid) {
            close $listen;
            eval { 1 while $self->one($c, $alive); 1 };
            POSIX::_exit(0);
        }
        close $c;
    }
    kill 'TERM', 0;
    return;
}

# Read one request; undef when the client is gone.
sub take {
    my ($self, $c, $alive) = @_;
    my ($in, $sel) = (delete($self->{left}) // '', IO::Select->new($c, $alive));
    my $need;
    while (1) {
        if (!defined $need && $in =~ /\r\n\r\n/) {
            my ($n) = $in =~ /^content-length:\s*(\d+)/im;
            $need = index($in, "\r\n\r\n") + 4 + ($n // 0);
        }
        last if defined $need && length $in >= $need;
        my @r = $sel->can_read;
        POSIX::_exit(0) if grep { $_ == $alive } @r;
        sysread($c, $in, 65536, length $in) or return;
    }
    $self->{left} = substr $in, $need;
    my ($head, $body) = split /\r\n\r\n/, substr($in, 0, $need), 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $path) = split / /, $line;
    my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines;
    return { method => $method, path => $path, headers => \%h, body => $body, at => Time::HiRes::time() };
}

# Write it down; how many chats of the sequence came before it?
sub note {
    my ($self, $rq) = @_;
    open my $fh, '+>>:raw', $self->{log} or die "$self->{log}: $!";
    flock $fh, LOCK_EX;
    seek $fh, 0, 0;
    my $before = grep {/"sequence":1[,}]/} <$fh>;
    seek $fh, 0, 2;
    print $fh $JSON->encode($rq), "\n";
    close $fh;
    return $before;
}

# What it was asked until now is forgotten: it reads that again with each question.
sub forget { my ($self) = @_; truncate $self->{log}, 0 or die "$self->{log}: $!"; return }

# The answer that some words of the request call for.
sub called_for {
    my ($self, $rq) = @_;
    for my $w (@{ $self->{script}{when} // [] }) {
        return $w->[1] if ref $w->[0] ? $rq->{body} =~ $w->[0] : index($rq->{body}, $w->[0]) >= 0;
    }
    return;
}

sub one {
    my ($self, $c, $alive) = @_;
    my $rq = $self->take($c, $alive) or return 0;
    my ($key) = ($rq->{headers}{authorization} // '') =~ /^Bearer (.*)/;
    my $a = (defined $key ? $self->{script}{key}{$key} : undef) // $self->called_for($rq);
    $a = $a->($rq->{body}) if ref $a eq 'CODE';
    $rq->{sequence} = 1 if !$a && $rq->{path} =~ m{/chat(?:/completions)?$};
    my $n = $self->note($rq);
    if ($rq->{path} =~ m{/models$} && ref $self->{script}{models} ne 'HASH') {
        return reply($c, 200, { object => 'list', data => $self->{script}{models} // [ { id => 'mock-model', object => 'model', owned_by => 'mock' } ] });
    }
    if ($rq->{path} eq '/login/device/code') {  # as GitHub does
        return reply($c, 200, { device_code => 'dev-1', user_code => 'ABCD-1234', verification_uri => 'https://example.invalid/device', expires_in => 900, interval => 5 });
    }
    if ($rq->{path} eq '/login/oauth/access_token') { return reply($c, 200, { error => 'authorization_pending' }) }
    if ($self->{script}{tags} && $rq->{path} eq '/api/tags') {
        reply($c, 200, { models => [ map { { name => $_ } } @{ $self->{script}{tags} } ] });
        return 0;
    }
    if ($rq->{path} =~ m{/embeddings$} && $self->{script}{embed}) {
        $self->embeddings($c, $rq);
        return 1;
    }
    for my $o (@{ $self->{script}{other} // [] }, $rq->{path} =~ m{/models$} ? [ qr{} => $self->{script}{models} ] : ()) {
        my $other = $rq->{path} !~ $o->[0] ? undef : ref $o->[1] eq 'CODE' ? $o->[1]->($rq) : $o->[1];
        return reply($c, $other->{status} // 200, $other->{body}, $other->{headers}) if $other;
    }
    if ($rq->{path} !~ m{/chat/completions$|^/api/chat$}) {
        return reply($c, 404, { error => { message => 'unknown path', type => 'invalid_request_error' } });
    }
    my $ask = eval { $JSON->decode($rq->{body}) } // {};
    $a //= $self->{script}{answers}[$n] // $self->{script}{default} // { text => 'Hello from the mock.' };
    pause($a->{delay}, $c);
    if ($a->{reset}) { setsockopt $c, SOL_SOCKET, SO_LINGER, pack('II', 1, 0); close $c; POSIX::_exit(0) }
    if ($a->{hang}) { $self->wait_at($a, $c); return 0 if !defined $a->{until} }
    return reply($c, $a->{status}, $a->{body} // { error => { message => "scripted $a->{status}", type => 'mock_error' } },
        $a->{headers}) if $a->{status};
    return lines($c, $a, $ask) if $rq->{path} eq '/api/chat';
    return $ask->{stream} ? $self->events($c, $a, $ask) : whole($c, $a, $ask);
}

sub embeddings {
    my ($self, $c, $rq) = @_;
    my $a = $self->{script}{embed_answer} // {};
    my $ask = eval { $JSON->decode($rq->{body}) } // {};
    pause($a->{delay}, $c);
    return reply($c, $a->{status}, { error => { message => "scripted $a->{status}" } }) if $a->{status};
    my ($i, @data) = (0);
    for my $text (ref $ask->{input} ? @{ $ask->{input} } : $ask->{input}) {
        my ($hit) = grep { index($text, $_->[0]) >= 0 } @{ $self->{script}{embed} };
        push @data, { object => 'embedding', index => $i++, embedding => $hit->[1] };
    }
    return reply($c, 200, { object => 'list', data => \@data, model => $ask->{model}, usage => { prompt_tokens => 5, total_tokens => 5 } });
}

# Wait, but not for a client that is gone.
sub pause {
    my ($seconds, $c) = @_;
    return if !$seconds;
    my $sel = IO::Select->new($c);
    if ($sel->can_read($seconds)) {
        my $n = sysread $c, my $byte, 1;
        POSIX::_exit(0) if !$n;
    }
    return;
}

# For ever, or until it is let through.
sub wait_at {
    my ($self, $a, $c) = @_;
    return pause(3600, $c) if !defined $a->{until};
    pause(0.02, $c) while !-e $self->gates . "/$a->{until}";
    return;
}

sub send_all {
    my ($c, $bytes) = @_;
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $c, $bytes, length($bytes) - $at, $at;
        POSIX::_exit(0) if !defined $n;
        $at += $n;
    }
    return;
}

sub reply {
    my ($c, $status, $body, $headers) = @_;
    my $text = ref $body ? $JSON->encode($body) : $body;
    my %h = ('Content-Type' => 'application/json', 'Content-Length' => length $text, %{ $headers // {} });
    send_all($c, "HTTP/1.1 $status Mock\r\n" . join('', map {"$_: $h{$_}\r\n"} sort keys %h) . "\r\n$text");
    return 1;
}

sub calls {
    my ($a) = @_;
    my $i = 0;
    return [ map { { id => $_->{id} // sprintf('call_%d_%d', $$, ++$i), type => 'function', function => { name => $_->{name},
        arguments => ref $_->{arguments} ? $JSON->encode($_->{arguments}) : $_->{arguments} // '{}' } } } @{ $a->{tool_calls} } ];
}

sub finish { my ($a) = @_; return $a->{finish} // ($a->{tool_calls} ? 'tool_calls' : 'stop') }

sub usage {
    my ($a) = @_;
    my %u = (prompt_tokens => 12, completion_tokens => 7, %{ $a->{usage} // {} });
    return { %u, total_tokens => $u{prompt_tokens} + $u{completion_tokens} };
}

sub whole {
    my ($c, $a, $ask) = @_;
    my %m = (role => 'assistant', content => $a->{text});
    $m{tool_calls} = calls($a) if $a->{tool_calls};
    $m{reasoning_content} = $a->{reasoning} if defined $a->{reasoning};
    my $text = $a->{garbage} // $JSON->encode({ id => "chatcmpl-$$", object => 'chat.completion', created => int time,
        model => $a->{model} // $ask->{model}, usage => usage($a),
        choices => [ { index => 0, message => \%m, finish_reason => finish($a) } ] });
    return reply($c, 200, $text) if !defined $a->{cut};
    send_all($c, "HTTP/1.1 200 Mock\r\nContent-Type: application/json\r\nContent-Length: " . length($text) . "\r\n\r\n"
        . substr $text, 0, $a->{cut});
    return 0;
}

# Ollama's own way: JSON lines.
sub lines {
    my ($c, $a, $ask) = @_;
    my %usage = %{ usage($a) };
    my @m = map { { content => $_ } } $ask->{stream} ? parts($a->{text} // '', $a->{chunks} // 5) : $a->{text} // '';
    push @m, { content => '', tool_calls => [ map { { function => { name => $_->{name}, arguments => $_->{arguments} // {} } } } @{ $a->{tool_calls} } ] }
        if $a->{tool_calls};
    my $last = $ask->{stream} ? { content => '' } : { map { %$_ } @m };
    my $end = { model => $ask->{model}, message => { role => 'assistant', %$last }, done => JSON::PP::true, done_reason => finish($a) eq 'length' ? 'length' : 'stop',
        prompt_eval_count => $usage{prompt_tokens}, eval_count => $usage{completion_tokens} };
    return reply($c, 200, $JSON->encode($end) . "\n") if !$ask->{stream};
    send_all($c, "HTTP/1.1 200 Mock\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
    my $sent = 0;
    for my $m (@m) {
        return 0 if defined $a->{cut} && $sent++ >= $a->{cut};
        pause($a->{chunk_delay}, $c);
        chunk($c, $JSON->encode({ model => $ask->{model}, message => { role => 'assistant', %$m }, done => JSON::PP::false }) . "\n");
    }
    return 0 if defined $a->{cut};
    chunk($c, $JSON->encode($end) . "\n");
    send_all($c, "0\r\n\r\n");
    return 1;
}

sub parts {
    my ($text, $n) = @_;
    my $size = int((length($text) + $n - 1) / $n) || 1;
    return $text =~ /(.{1,$size})/gs;
}

sub deltas {
    my ($a) = @_;
    my @d = ({ role => 'assistant', content => '' });
    push @d, map { { reasoning_content => $_ } } parts($a->{reasoning}, 2) if defined $a->{reasoning};
    push @d, map { { content => $_ } } parts($a->{text}, $a->{chunks} // 5) if defined $a->{text};
    my $i = 0;
    for my $call (@{ $a->{tool_calls} ? calls($a) : [] }) {
        my $f = $call->{function};
        push @d, { tool_calls => [ { index => $i, id => $call->{id}, type => 'function', function => { name => $f->{name}, arguments => '' } } ] };
        push @d, map { { tool_calls => [ { index => $i, function => { arguments => $_ } } ] } } parts($f->{arguments}, 3);
        $i++;
    }
    return @d;
}

sub chunk { my ($c, $text) = @_; send_all($c, sprintf("%x\r\n%s\r\n", length $text, $text)); return }

sub events {
    my ($self, $c, $a, $ask) = @_;
    send_all($c, "HTTP/1.1 200 Mock\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (defined $a->{garbage}) {
        chunk($c, $a->{garbage});
        send_all($c, "0\r\n\r\n");
        return 1;
    }
    my %head = (id => "chatcmpl-$$", object => 'chat.completion.chunk', created => int time, model => $a->{model} // $ask->{model});
    my ($sent, $left) = (0, $a->{cut_bytes});
    my $put = sub {
        my $text = sprintf "%x\r\n%s\r\n", length $_[0], $_[0];
        send_all($c, defined $left ? substr $text, 0, $left : $text);
        $left -= length $text if defined $left;
        return !defined $left || $left > 0;
    };
    for my $d (deltas($a)) {
        return 0 if defined $a->{cut} && $sent >= $a->{cut};
        while ($a->{ping} && defined $a->{stall} && $sent >= $a->{stall}) { chunk($c, ": ping\n\n"); pause(0.2, $c) }
        if (defined $a->{stall} && $sent >= $a->{stall}) { $self->wait_at($a, $c) }
        else { pause($a->{chunk_delay}, $c) }
        $put->('data: ' . $JSON->encode({ %head, choices => [ { index => 0, delta => $d, finish_reason => undef } ] }) . "\n\n") or return 0;
        $sent++;
    }
    return 0 if defined $a->{cut};
    $put->('data: ' . $JSON->encode({ %head, choices => [ { index => 0, delta => {}, finish_reason => finish($a) } ] }) . "\n\n") or return 0;
    chunk($c, 'data: ' . $JSON->encode({ %head, choices => [], usage => usage($a) }) . "\n\n")
        if ref $ask->{stream_options} && $ask->{stream_options}{include_usage};
    chunk($c, "data: [DONE]\n\n");
    send_all($c, "0\r\n\r\n");
    return 1;
}

1;
