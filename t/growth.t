#!/usr/bin/perl
# Nothing grows: many requests of each kind, and afterwards the processes have as much
# memory of their own and as many descriptors as before them. LF_GROWTH says how many of
# each (1,000; `make growth`: 50,000). A round before them fills what is kept on purpose. What
# a heap holds goes up and down with who met whom; what leaks only goes up: so a process
# has grown when it has done so three times in a row. One worker answers all, because
# several would not share the work evenly.
use strict;
use warnings;
use File::Temp ();
use IO::Handle;
use LF;
use LF::WS;
use List::Util qw(max);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $TIMES = $ENV{LF_GROWTH} || 1000;
my $KB = 1024;                  # what may be added to 3 % of a process
my $FDS = 8;                    # connections are kept for a while
my $AT_ONCE = 2;
my $ROUNDS = 3;

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
    env => { OPENAI_API_KEY => 'sk-x' }, files => { 'librefang.ini' => "[librefang]\npool_size = 1\n" },
    limits => "ws_messages_per_minute = 1000000000\n", config => qq([provider_urls]\nopenai = "$url"\n));
my @agents = map { $api->post('/api/agents', { manifest_toml => "name = \"grow-$_\"\n" }, 201)->{agent_id} } 1 .. $AT_ONCE;
my $KV = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';

# --- requests on one connection ----------------------------------------------------------

my ($conn, $in) = (undef, '');
sub need { my ($n) = @_; while (length $in < $n) { sysread $conn, $in, 65536, length $in or return 0 } return 1 }
sub line { while ((my $at = index $in, "\r\n") < 0) { sysread $conn, $in, 65536, length $in or return } return substr $in, 0, index($in, "\r\n") + 2, '' }

# (status, body). The connection is made again when the server has closed it.
sub ask {
    my ($method, $path, $body, %h) = @_;
    $conn //= $api->connect;
    $h{Authorization} //= 'Bearer ' . $api->key;
    $h{'Content-Type'} //= 'application/json' if defined $body;
    syswrite $conn, "$method $path HTTP/1.1\r\nHost: x\r\n" . join('', map {"$_: $h{$_}\r\n"} keys %h)
        . (defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '') . "\r\n" . ($body // '');
    my ($status, $length, $chunked, $close) = (0, 0, 0, 0);
    while (defined(my $l = line())) {
        last if $l eq "\r\n";
        if ($l =~ m{^HTTP/1.1 (\d+)}) { $status = $1 }
        elsif ($l =~ /^content-length:\s*(\d+)/i) { $length = $1 }
        elsif ($l =~ /^transfer-encoding:\s*chunked/i) { $chunked = 1 }
        elsif ($l =~ /^connection:\s*close/i) { $close = 1 }
    }
    my $text = '';
    if ($chunked) {
        while (defined(my $l = line())) {
            my $n = hex $l =~ s/\r\n//r;
            need($n + 2) or last;
            $text .= substr substr($in, 0, $n + 2, ''), 0, $n;
            last if $n == 0;
        }
    } elsif ($length) {
        need($length);
        $text = substr $in, 0, $length, '';
    }
    ($conn, $in) = (undef, '') if $close || !$status;
    return ($status, $text);
}

my $n = 0;
my %ws;
sub expect { my ($status, @ask) = @_; my ($got, $text) = ask(@ask); return $got == $status ? () : "$ask[0] $ask[1]: $got " . substr $text, 0, 200 }
sub fresh { my ($me) = @_; return $n++ % 20 ? () : expect(200, POST => "/api/agents/$agents[$me]/session/reset", '{}') }
sub completion { return $LF::JSON->encode({ model => $_[0], messages => [ { role => 'user', content => 'hello' } ], @_ > 1 ? (stream => JSON::PP::true()) : () }) }

# kind => [ share of the number, what is done once ]
my %kinds = (
    'short reads' => [ 1, sub { return expect(200, GET => ('/api/agents', $KV, '/api/status', '/api/tools')[ $n++ % 4 ]) } ],
    'long reads' => [ 0.1, sub { return expect(200, GET => ('/api/models', '/api/openapi.json', '/api/metrics')[ $n++ % 3 ]) } ],
    'values written and deleted' => [ 0.5, sub { my $k = "k$_[0]-" . $n++ % 50; return (expect(200, PUT => "$KV/$k", qq({"value":"@{[ 'x' x ($n % 500) ]}"})), expect(204, DELETE => "$KV/$k")) } ],
    'agents made and killed' => [ 0.25, sub {
        my ($s, $t) = ask(POST => '/api/agents', $LF::JSON->encode({ manifest_toml => 'name = "short-' . $$ . '-' . $n++ . "\"\n" }));
        my ($id) = $t =~ /"agent_id":"([^"]+)"/ or return "spawn: $s $t";
        return expect(200, DELETE => "/api/agents/$id?confirm=true");
    } ],
    'settings of agents' => [ 0.25, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my $k = $n++;
        return (expect(200, PATCH => "$a/config", qq({"description":"number $k","temperature":0.$k})), expect(200, PUT => "$a/tools", '{"tool_blocklist":["web_fetch"]}'),
            expect(200, PATCH => "$a/identity", qq({"emoji":"$k"})), expect(200, PUT => "$a/files/SOUL.md", qq({"content":"@{[ 'x' x ($k % 500) ]}"})), expect(200, GET => "$a/files/SOUL.md"),
            expect(200, POST => "$a/reload"), expect(200, GET => ("$a/metrics", "$a/stats", "$a/traces", "$a/events", "$a/session/context")[ $k % 5 ]));
    } ],
    'sessions of all agents' => [ 0.25, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($s, $t) = ask(POST => "$a/sessions/import", '{"version":1,"messages":[' . join(',', map {qq({"role":"user","content":"question $_"},{"role":"assistant","content":"answer"})} 1 .. 8) . ']}');
        my ($id) = $t =~ /"session_id":"([^"]+)"/ or return "import: $s $t";
        return (expect(200, GET => "/api/sessions/$id"), expect(200, PUT => "/api/sessions/$id/label", '{"label":"grown"}'), expect(200, GET => "$a/sessions/$id/export"),
            expect(200, GET => '/api/sessions?limit=5'), expect(200, POST => "$a/sessions/$id/switch"), $n++ % 4 ? () : expect(200, POST => "$a/session/compact"),
            expect(204, DELETE => "/api/sessions/$id"), fresh($_[0]));
    } ],
    'messages' => [ 0.5, sub { return (fresh($_[0]), expect(200, POST => "/api/agents/$agents[$_[0]]/message", '{"message":"hello"}')) } ],
    'streamed messages' => [ 0.5, sub {
        my @bad = fresh($_[0]);
        my ($s, $t) = ask(POST => "/api/agents/$agents[$_[0]]/message/stream", '{"message":"hello"}');
        return (@bad, $t =~ /event: done\n/ ? () : "stream: $s $t");
    } ],
    'chat sockets' => [ 0.1, sub {
        my $ws = LF::WS->open($api, "/api/agents/$agents[$_[0]]/ws");
        return 'socket: ' . $ws->status if $ws->status != 101;
        $ws->next for 1, 2;
        my @last = map { ($ws->turn('hello'))[-1]{type} } 1 .. 3;
        $ws->close;
        return (fresh($_[0]), grep { $_ ne 'response' } @last);
    } ],
    'the gateway' => [ 0.5, sub { return expect(200, POST => '/v1/chat/completions', completion('openai/gpt-4o-mini')) } ],
    'the gateway, streamed' => [ 0.5, sub { my ($s, $t) = ask(POST => '/v1/chat/completions', completion('openai/gpt-4o-mini', 1)); return $t =~ /\[DONE\]/ ? () : "gateway: $s $t" } ],
    'completions of an agent' => [ 0.25, sub { return (fresh($_[0]), expect(200, POST => '/v1/chat/completions', completion('grow-' . ($_[0] + 1)))) } ],
    'wrong keys' => [ 1, sub { return expect(401, GET => '/api/agents', undef, Authorization => 'Bearer wrong-' . $n++) } ],
    'what is not there' => [ 1, sub { return $n++ % 2 ? expect(404, GET => '/api/agents/' . sprintf '%08d-0000-4000-8000-%012d', $n, $$) : expect(404, GET => "/api/nothing-$n") } ],
    'bodies that are none' => [ 1, sub {
        my @b = ([ 400, '{"a":' ], [ 422, '{"message":5}' ], [ 400, '[' x 60 ], [ 415, 'x', 'Content-Type' => 'text/plain' ], [ 400, "{\"message\":\"\xff\"}" ]);
        my ($status, $body, %h) = @{ $b[ $n++ % @b ] };
        return expect($status, POST => "/api/agents/$agents[$_[0]]/message", $body, %h);
    } ],
    'watchers' => [ 0.1, sub {
        my ($s, $t) = ask(GET => "/api/agents/$agents[$_[0]]/session");
        my ($id) = $t =~ /"session_id":"([^"]+)"/ or return "session: $s $t";
        my @w = map { my $w = $api->later("/api/agents/$agents[$_[0]]/sessions/$id/stream", '', method => 'GET'); $w->read_head; $w } 1 .. 3;
        $w[0]->close;
        my $ws = LF::WS->open($api, "/api/agents/$agents[$_[0]]/sessions/$id/stream");
        my @bad = expect(200, POST => "/api/agents/$agents[$_[0]]/message", '{"message":"hello"}');
        push @bad, 'watcher: no last frame' if ($ws->until('done'))[-1]{type} ne 'done';
        $ws->close;
        push @bad, 'watcher: no end' if grep { ($_->all)[-1]{event} ne 'done' } @w[ 1, 2 ];
        return (@bad, fresh($_[0]));
    } ],
    'uploads' => [ 0.25, sub {
        my $up = "/api/agents/$agents[$_[0]]/upload";
        my ($s, $t) = ask(POST => $up, 'x' x (1 + $n++ * 997 % 400000), 'Content-Type' => 'text/plain', 'X-Filename' => "f$n.txt");
        my ($id) = $t =~ /"file_id":"([^"]+)"/ or return "upload: $s $t";
        return (expect(200, GET => "/api/uploads/$id"), expect(206, GET => "/api/uploads/$id", undef, Range => 'bytes=0-0'), expect(400, POST => $up, 'x' x 100000, 'Content-Type' => 'text/html'),
            expect(201, POST => $up, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nabc\r\n--b--\r\n", 'Content-Type' => 'multipart/form-data; boundary=b'));
    } ],
    'uploads that break off' => [ 0.1, sub {
        my $c = $api->connect;
        syswrite $c, "POST /api/agents/$agents[$_[0]]/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key . "\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n" . 'x' x ($n++ * 997 % 300000);
        close $c;
        return;
    } ],
    'pictures in messages' => [ 0.1, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($s, $t) = ask(POST => "$a/upload", "\x89PNG\r\n\x1a\n" . $n++ % 50, 'Content-Type' => 'image/png');
        my ($id) = $t =~ /"file_id":"([^"]+)"/ or return "upload: $s $t";
        return (fresh($_[0]), expect(200, POST => "$a/message", qq({"message":"look","attachments":[{"file_id":"$id"}]})), expect(200, GET => "$a/session"));
    } ],
    'templates, logs, trajectories' => [ 0.25, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($s, $t) = ask(GET => "$a/session");
        my ($id) = $t =~ /"session_id":"([^"]+)"/ or return "session: $s $t";
        return (expect(200, GET => ('/api/templates', '/api/templates/coder', '/api/templates/tutor/toml')[ $n++ % 3 ]), expect(200, GET => "$a/logs?n=50"),
            expect(200, GET => "$a/sessions/$id/trajectory?format=" . ('json', 'jsonl')[ $n % 2 ]), $n % 10 ? () : expect(200, PUT => '/api/templates/coder', qq({"description":"number $n"})));
    } ],
    'clients that go away' => [ 0.1, sub {
        my $s = $api->later("/api/agents/$agents[$_[0]]/message/stream", { message => 'hello' });
        $s->read_head if $n % 2;
        $s->close;
        return fresh($_[0]);
    } ],
);

# That many of a kind, by several clients; what went wrong.
sub load {
    my ($kind, $times) = @_;
    my ($share, $do) = @{ $kinds{$kind} };
    $times = int($times * $share) || 1;
    my @kids = map {
        my $me = $_;
        pipe my $from, my $to or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            close $from;
            my @bad;
            for (1 .. $times / $AT_ONCE) { push @bad, $do->($me); last if @bad > 5 }
            print $to map {"$_\n"} @bad;
            close $to;
            POSIX::_exit(0);
        }
        close $to;
        [ $pid, $from ];
    } 0 .. $AT_ONCE - 1;
    my @bad = map { my $f = $_->[1]; my @l = <$f>; @l } @kids;
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

# After the last client has gone: descriptors settle.
sub settled {
    my ($before) = @_;
    my $m;
    $api->wait_for(sub { $m = measure(); !$before || !grep { $before->{$_} && $m->{$_}{fds} > $before->{$_}{fds} + $FDS } keys %$m }, 3);
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
    do_it($kind, 'at first', $TIMES);
    $last = settled($last);
}

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
flat('all together', sub {
    my ($when) = @_;
    do_it($_, "all together, $when", $TIMES / 2) for sort keys %kinds;
});
done_testing;
