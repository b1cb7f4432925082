#!/usr/bin/perl
# The daemon is killed fifty times at moments of chance while two hundred turns with tools run. Whatever was accepted is
# answered, once; no effect of a tool happens twice; no call stays without its result.
# LF_KILLS and LF_KILLED_TURNS: more of both.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP ();
use LF;
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
        [ "\"tool_call_id\":\"call_$_\"" => { text => "answer $_.", delay => 0.1 } ],
        [ "turn $_." => { delay => 0.1, tool_calls => [ { id => "call_$_", name => 'web_fetch', arguments => { url => "$url/effect$_", method => 'POST', body => 'x' } } ] } ] ) } reverse 1 .. $TURNS ]);
my @server = map { LF->start(model => $up, env => { LF_LLM_RETRY_MS => 20, LF_REST_SECOND_MS => 0 }, config => "[web.fetch]\nssrf_allowed_hosts = [\"127.0.0.1\"]\n[compaction]\nthreshold_messages = 100000\n") } 1 .. $SERVERS;
my @agents = map { my $api = $_; [ map { $api->post('/api/agents', { manifest_toml => "name = \"killed-$_\"\nmax_history_messages = 400\n" }, 201)->{agent_id} } 1 .. $AGENTS ] } @server;

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
my $until = Time::HiRes::time() + 120 + $KILLS;
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
    $quiet += $api->wait_for(sub { ($api->raw('GET', '/api/ready')->{status} == 200) && !grep { @{ $api->get("/api/agents/$_/runtime", 200) } } @{ $agents[$s] } }, 30) ? 1 : 0;
}
is $quiet, $SERVERS, 'all turns end';

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
is join(' ', grep { $status{$_}[0] == 200 && (!$said{$_} || $status{$_}[1] !~ /answer $_\./) } keys %status), '', 'what a client was told is there';
is join(' ', grep { $effects{$_} > 1 } keys %effects), '', 'no effect happened twice';
cmp_ok scalar(keys %effects), '>', $TURNS / 4, 'and most happened: ' . keys %effects;
is join(' ', %open), '', 'no call is without its result';
my $n = grep { $_->[0] != 200 } values %status;
note "$n clients were not answered";
$_->finish for @server;
done_testing;
