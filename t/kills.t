#!/usr/bin/perl
# The daemon is killed fifty times at moments of chance while two hundred turns with tools run. Whatever was accepted is
# answered, once; no effect of a tool happens twice; no call stays without its result. Whoever watches, and reads on where the
# connection broke, hears every turn: each event once, none left out, one end.
# LF_KILLS and LF_KILLED_TURNS: more of both.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use LF;
use LF::WS;
use POSIX ();
use Test::More;
use Time::HiRes ();

my $TURNS = $ENV{LF_KILLED_TURNS} // 200;
my $KILLS = $ENV{LF_KILLS} // 50;
my $SERVERS = $ENV{LF_KILLED_SERVERS} // 8;            # one that dies within a second of its start comes back later each time
my $AGENTS = 3;                  # of each
my $TALKERS = $AGENTS;         # an agent hears from one alone, in order
my $seed = $ENV{LF_SEED} // time;
srand $seed;
note "LF_SEED=$seed";

# Counts its visitors: each POST is an effect, by its path.
my $dir = File::Temp->newdir('lf-kills-XXXXXXXX', TMPDIR => 1);
my $web = IO::Socket::INET->new(Listen => 128, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', ReuseAddr => 1) or die $!;
my $counter = fork // die $!;
if (!$counter) {
    local $SIG{PIPE} = 'IGNORE';
    open my $log, '>>', "$dir/effects" or die $!;
    $log->autoflush(1);
    while (my $c = $web->accept) {
        my ($head, $path) = (scalar <$c>);
        while (defined(my $line = <$c>)) { last if $line !~ /\S/ }
        if (($head // '') =~ m{^POST /(\S+) }) {
            print $log "$1\n";
            print $c "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone";
        }
        close $c;
    }
    POSIX::_exit(0);
}
my @children = ($counter);
END { local $?; kill 'KILL', @children; waitpid $_, 0 for @children }
my $url = 'http://127.0.0.1:' . $web->sockport;

# The newest question first: older ones are part of the conversation.
my $up = LF->mock(when => [ map { (
        [ "\"tool_call_id\":\"call_$_\"" => { text => "answer $_.", delay => 0.05, chunks => 3, chunk_delay => 0.02 } ],
        [ "turn $_." => { delay => 0.05, text => "I look at $_. ", chunks => 3, chunk_delay => 0.02, tool_calls => [ { id => "call_$_", name => 'web_fetch', arguments => { url => "$url/effect$_", method => 'POST', body => 'x' } } ] } ] ) } reverse 1 .. $TURNS ]);
my @server = map { LF->start(model => $up, env => { LF_LLM_RETRY_MS => 20, LF_REST_SECOND_MS => 0 }, config => "[web.fetch]\nssrf_allowed_hosts = [\"127.0.0.1\"]\n[compaction]\nthreshold_messages = 100000\n") } 1 .. $SERVERS;
my @agents = map { my $api = $_; [ map { $api->post('/api/agents', { manifest_toml => "name = \"killed-$_\"\nmax_history_messages = 400\n" }, 201)->{agent_id} } 1 .. $AGENTS ] } @server;

# Each agent's session is watched: as an event stream, which reads on after the last event it had, and through a WebSocket,
# which sees what comes while it is open. What they hear is written down, a line for each event.
my @watchers;
sub watch_stream {
    my ($api, $path, $log, $over) = @_;
    my $last = '0';
    until (-e $over) {
        my $w = eval { $api->later($path, '', method => 'GET', timeout => 2, headers => { 'Last-Event-ID' => $last }) };
        if (!$w || !$w->read_head || $w->status != 200) { Time::HiRes::sleep(0.03); next }
        print $log "+ $last\n";
        while (1) {
            my $e = $w->next;
            if (!$e) { last if !$w->timed_out || -e $over; delete $w->{timed_out}; next }
            next if defined $e->{comment} && !defined $e->{data};
            $last = $e->{id} if defined $e->{id};
            print $log join(' ', $e->{event}, $e->{id} // '-', $LF::JSON->encode($e->{json})), "\n";
        }
    }
}
sub watch_socket {
    my ($api, $path, $log, $over) = @_;
    until (-e $over) {
        my $ws = eval { LF::WS->open($api, $path) };
        if (!$ws || $ws->status != 101) { Time::HiRes::sleep(0.03); next }
        print $log "+\n";
        while (!-e $over) {
            my $m = $ws->next(1);
            if ($m) { print $log join(' ', $m->{type}, '-', $LF::JSON->encode($m)), "\n" }
            elsif (defined $ws->code || $ws->{eof}) { print $log '- ', $ws->code // 'cut', "\n"; last }
        }
    }
}
for my $s (0 .. $SERVERS - 1) {
    for my $a (0 .. $AGENTS - 1) {
        my $id = $agents[$s][$a];
        my $path = "/api/agents/$id/sessions/" . $server[$s]->get("/api/agents/$id", 200)->{session_id} . '/stream';
        for my $way ([ sse => \&watch_stream ], $a == 0 ? [ ws => \&watch_socket ] : ()) {
            my $pid = fork // die $!;
            if ($pid) { push @watchers, $pid; next }
            open my $log, '>>', "$dir/heard.$way->[0].$s.$a" or POSIX::_exit(1);
            $log->autoflush(1);
            $way->[1]->($server[$s], $path, $log, "$dir/over");
            POSIX::_exit(0);
        }
    }
}
push @children, @watchers;
ok $server[0]->wait_for(sub { @watchers == grep { -s $_ } glob "$dir/heard.*" }, 60), 'watchers attach';

# Turn k goes to one server and one of its agents. Each talker says one after the other, and writes down what was answered; what fails is not said again.
my @talkers;
for my $s (0 .. $SERVERS - 1) {
    for my $w (0 .. $TALKERS - 1) {
        my $pid = fork // die $!;
        if ($pid) { push @talkers, $pid; next }
        open my $log, '>>', "$dir/answers.$s.$w" or POSIX::_exit(1);
        $log->autoflush(1);
        for my $k (grep { $_ % $SERVERS == $s && int($_ / $SERVERS) % $TALKERS == $w } 1 .. $TURNS) {
            my $r = $server[$s]->raw('POST', '/api/agents/' . $agents[$s][ int($k / $SERVERS) % $AGENTS ] . '/message',
                { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => "turn $k." }) });
            print $log "$k $r->{status} " . ($r->{json}{response} // $r->{json}{code} // '-') . "\n";
        }
        POSIX::_exit(0);
    }
}
push @children, @talkers;

my ($killed, @since, @was) = (0);
my $until = Time::HiRes::time() + 300 + $KILLS;
while ($killed < $KILLS && Time::HiRes::time() < $until) {
    Time::HiRes::sleep(0.02 + rand 0.08);
    for my $s (grep { !$since[$_] || $since[$_][1] < Time::HiRes::time() - 1.05 } 0 .. $SERVERS - 1) {
        next if $killed >= $KILLS || rand() < 0.4;
        my ($pid) = grep { $_ != ($was[$s] // 0) } @{ $server[$s]->processes->{librefangd} // [] } or next;
        if (!$since[$s] || $since[$s][0] != $pid) { $since[$s] = [ $pid, Time::HiRes::time() ]; next }
        $killed += kill 'KILL', $pid;
        $was[$s] = $pid;
    }
}
is $killed, $KILLS, "$KILLS kills";
note sprintf 'killed after %.1f s', Time::HiRes::time() - $^T;
waitpid $_, 0 for @talkers;

my $quiet = 0;
for my $s (0 .. $SERVERS - 1) {
    my $api = $server[$s];
    $quiet += $api->wait_for(sub { ($api->raw('GET', '/api/ready')->{status} == 200) && !grep { @{ $api->get("/api/agents/$_/runtime", 200) } } @{ $agents[$s] } }, 120) ? 1 : 0;
}
is $quiet, $SERVERS, 'all turns end';

$server[0]->wait_for(sub {       # what was said last arrives
    my %ended;
    for my $file (glob "$dir/heard.sse.*") { $ended{$_} = 1 for LF::slurp($file) =~ /(\S{36}\.end) \{/g }
    return keys %ended >= $TURNS;
}, 3);
open my $over, '>', "$dir/over" or die $!;
waitpid $_, 0 for @watchers;

# --- what was heard

# Places count: a chunk by its bytes, all else is one. Faults of one watcher's stream.
sub stream_faults {
    my ($file, $told) = @_;
    my ($turn, $place, $text, $ends, $anew, %ids, @faults) = ('', undef, '', 0, 0);
    open my $fh, '<', $file or return "$file: $!";
    while (my $line = <$fh>) {
        chomp $line;
        my ($event, $id, $data) = split / /, $line, 3;
        if ($event eq '+') { $ends = 0; next }
        my $j = $LF::JSON->decode($data);
        push @faults, "after the end: $line" if $ends;
        if ($event eq 'phase' && $j->{phase} eq 'restart') { ($place, $text, $anew) = (undef, '', 1); next }
        if ($anew && $id eq '-') { $text .= $j->{content} if $event eq 'chunk'; next }     # what had ended before a kill is told from the store
        my ($of, $at) = $id =~ /^(.{36})\.(\d+|end)$/ or push(@faults, "no id: $line"), next;
        $anew = 0;
        push @faults, "twice: $line" if $ids{$id}++;
        if ($of ne $turn) {
            push @faults, "$turn has no end before $line" if $turn ne '' && !defined $told->{$turn};
            ($turn, $place, $text) = ($of, undef, '');
        }
        if ($at eq 'end') {
            $ends++;
            push @faults, "a second end: $line" if defined $told->{$turn};
            $told->{$turn} = $event eq 'done' ? $text : '(failed)';
            my $took = $event eq 'done' ? "$j->{usage}{input_tokens} $j->{usage}{output_tokens}" : '24 14';
            push @faults, "not what two questions to the model take: $line" if $took ne "24 14";
            next;
        }
        $place //= $at >> 32 << 32;
        $place += $event eq 'chunk' ? length $j->{content} : 1;
        push @faults, "a gap or a repetition: $line" if $place != $at;
        $place = $at;
        $text .= $j->{content} if $event eq 'chunk';
    }
    return @faults;
}

# A socket tells what comes while it is open: from the beginning of a turn on that is all of it.
sub socket_faults {
    my ($file, $whole) = @_;
    my ($text, $ended, @faults);
    open my $fh, '<', $file or return "$file: $!";
    while (my $line = <$fh>) {
        chomp $line;
        my ($event, undef, $data) = split / /, $line, 3;
        if ($event eq '+') { ($text, $ended) = (undef, 0); next }
        if ($event eq '-') { push @faults, "ended with $line" if $ended && $line ne '- 1000'; next }
        my $j = $LF::JSON->decode($data);
        push @faults, "after the end: $line" if $ended;
        push @faults, 'restart is for who heard something' if ($j->{phase} // '') eq 'restart';
        if (($j->{phase} // '') eq 'streaming') { push @faults, "begins twice: $line" if defined $text; $text = '' }
        $text .= $j->{content} if $event eq 'chunk' && defined $text;
        next unless $event eq 'done' || ($j->{phase} // '') eq 'error';
        $ended = 1;
        push @$whole, $text if $event eq 'done' && defined $text;
    }
    return @faults;
}

sub right { my ($k) = $_[0] =~ /^I look at (\d+)\. /; return defined $k && $_[0] eq "I look at $k. answer $k." ? $k : undef }
my (%told, %heard, @faults, @whole);
for my $file (glob "$dir/heard.sse.*") {
    my %of_it;
    push @faults, map {"$file: $_"} stream_faults($file, \%of_it);
    %told = (%told, %of_it);
}
push @faults, map { my $f = $_; map {"$f: $_"} socket_faults($f, \@whole) } glob "$dir/heard.ws.*";
is join("\n", @faults[ 0 .. ($#faults > 9 ? 9 : $#faults) ]), '', 'watchers hear each event once, without a gap, and one end';
is join('|', grep { !defined right($_) } values %told), '', 'what they heard together is the answer';
$heard{ right($_) }++ for grep { defined right($_) } values %told;
is join('|', grep { !defined right($_) } @whole), '', 'sockets that saw a turn begin and end saw all of it';
cmp_ok scalar(@whole), '>', $TURNS / 20, 'and many did: ' . @whole;

my (%status, %effects);
for my $file (glob "$dir/answers.*") {
    open my $fh, '<', $file or next;
    while (<$fh>) { my ($k, $status, $what) = split ' ', $_, 3; $status{$k} = [ $status, $what ] }
}
if (open my $fh, '<', "$dir/effects") { while (<$fh>) { chomp; $effects{$_}++ } }

my (%said, %answered, %open);
for my $at (map { my $s = $_; map { [ $server[$s], $_ ] } @{ $agents[$s] } } 0 .. $SERVERS - 1) {
    my ($api, $id) = @$at;
    for my $m (@{ $api->get("/api/agents/$id/session", 200)->{messages} }) {
        my $text = ref $m->{content} ? $LF::JSON->encode($m->{content}) : $m->{content} // '';
        $said{$1}++ if $m->{role} eq 'User' && $text =~ /^turn (\d+)\.$/;
        $answered{$1}++ if $m->{role} eq 'Assistant' && $text =~ /^answer (\d+)\.$/;
        $open{ $_->{name} }++ for grep { !defined $_->{result} || $_->{running} } @{ $m->{tools} // [] };
    }
}
my (%calls, %turns);
for my $s (0 .. $SERVERS - 1) {
    my $of = $server[$s]->get('/api/usage', 200)->{items};
    for my $id (@{ $agents[$s] }) {
        my ($u) = grep { $_->{agent_id} eq $id } @$of;
        my $n = grep { $_->{role} eq 'User' && ($_->{content} // '') =~ /^turn \d+\.$/ } grep { !ref $_->{content} } @{ $server[$s]->get("/api/agents/$id/session", 200)->{messages} };
        $calls{"$s $id"} = join ' ', map { $_ // 0 } @$u{qw(call_count input_tokens output_tokens tool_calls)};
        $turns{"$s $id"} = join ' ', 2 * $n, 24 * $n, 14 * $n, $n;
    }
}
is_deeply \%calls, \%turns, 'the ledger has two calls of the model and one of a tool for each turn';
is scalar(keys %status), $TURNS, 'every message was sent';
cmp_ok scalar(keys %said), '>', $TURNS / 3, 'many were accepted: ' . keys %said;
is join(' ', grep { $said{$_} != 1 } keys %said), '', 'what was accepted is there once';
my @lost = grep { ($answered{$_} // 0) != 1 } sort { $a <=> $b } keys %said;
is "@lost", '', 'and has one answer' or do {
    for my $k (@lost[ 0 .. ($#lost > 1 ? 1 : $#lost) ]) {
        my $s = $k % $SERVERS;
        diag "turn $k: ", $answered{$k} // 0, " answers, client: @{ $status{$k} // [] }", $server[$s]->log_tail(30);
    }
};
is join(' ', grep { !$said{$_} } keys %answered), '', 'nothing is answered that was not said';
is join(' ', grep { !$heard{$_} } keys %said), '', 'and watchers heard all of them';
is join(' ', grep { $status{$_}[0] == 200 && (!$said{$_} || $status{$_}[1] !~ /answer $_\./) } keys %status), '', 'what a client was told is there';
is join(' ', grep { $effects{$_} > 1 } keys %effects), '', 'no effect happened twice';
cmp_ok scalar(keys %effects), '>', $TURNS / 4, 'and most happened: ' . keys %effects;
is join(' ', %open), '', 'no call is without its result';
my $n = grep { $_->[0] != 200 } values %status;
note "$n clients were not answered";
$_->finish for @server;
done_testing;
