#!/usr/bin/perl
# An orderly end, stage by stage: the door is shut, whoever is inside is told and let go, what runs is left for the next
# start, the store is folded, nothing stays behind; and the next start takes it all up, once.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Socket::UNIX;
use LF;
use LF::WS;
use Test::More;

LF::needed();
my $up = LF->mock(when => [ [ 'WAIT-HERE' => { text => 'here I am', hang => 1, until => 'go' } ], [ 'HALF-SAID' => { text => 'one two three four five', chunks => 5, stall => 3, until => 'go' } ] ],
    default => { text => 'fine' });
my $api = LF->start(model => $up, timeout => 60);
sub agent { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') }, 201)->{agent_id} }
sub said { my ($id) = @_; return join ' | ', map { $_->{content} } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }
sub busy { my ($id) = @_; return scalar @{ $api->get("/api/agents/$id/runtime", 200) } }
my ($run) = LF::slurp('/proc/' . $api->processes->{'librefang-fcgi'}[0] . '/environ') =~ /(?:^|\0)LF_RUN=([^\0]+)/;

# A connection to the command's own socket, kept.
sub inside { my $s = IO::Socket::UNIX->new(Peer => "$run/control.sock") // return; return LF::Stream->new($s, 30) }
sub asks { my ($s, $bytes) = @_; $s = LF::Stream->new($s->socket, 30); $s->send_bytes($bytes); return $s->read_head ? ($s->status, $s->headers, $s->rest) : (0, {}, '') }
# Somebody whose request is half there. What is answered to another afterwards shows that it has been read.
sub takes_its_time {
    my ($id) = @_;
    my ($s, $other, $get) = (inside(), inside(), "GET /api/agents/$_[0]/runtime HTTP/1.1\r\nHost: localhost\r\n\r\n");
    asks($s, $get);
    $s->send_bytes("POST /api/agents/$id/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"mess");
    asks($other, $get) for 1 .. 3;
    return $s;
}

my %id = map { $_ => agent($_) } qw(streamed blocked chatting outside aside);
my $session = $api->get("/api/agents/$id{streamed}", 200)->{session_id};
my $watched = "/api/agents/$id{streamed}/sessions/$session/stream";

my $watch = $api->later($watched, '', method => 'GET');
$watch->read_head;
my $eye = LF::WS->open($api, $watched);
my $before = @{ $up->chats };
$id{clock} = agent('clock', "schedule = { continuous = { check_interval_secs = 1 } }\n[model]\nsystem_prompt = \"WAIT-HERE\"\n");
my $stream = $api->later("/api/agents/$id{streamed}/message/stream", { message => 'HALF-SAID' });
$stream->read_head;
my $block = $api->later("/api/agents/$id{blocked}/message", { message => 'WAIT-HERE one' });
$api->wait_for(sub { busy($id{blocked}) });
my $queue = $api->later("/api/agents/$id{blocked}/message", { message => 'two' });
my $aside = $api->later("/api/agents/$id{aside}/message", { message => '/btw WAIT-HERE' });
my $chat = LF::WS->open($api, "/api/agents/$id{chatting}/ws");
$chat->next for 1 .. 2;
$chat->say('WAIT-HERE');
my $v1 = $api->later('/v1/chat/completions', { model => 'outside', messages => [ { role => 'user', content => 'WAIT-HERE' } ] });
ok $up->wait_chats($before + 6), 'six turns wait for their model' or diag scalar @{ $up->chats } - $before;
ok $api->wait_for(sub { my @m = $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_turns_running (\d+)/m; !@m || $m[0] > 6 }), '  and one for another';
my $asked = @{ $up->chats };
my $kept = inside();
is +(asks($kept, "GET /api/agents/$id{blocked}/runtime HTTP/1.1\r\nHost: localhost\r\n\r\n"))[0], 200, 'a connection inside that is kept';
my $slow = takes_its_time($id{blocked});
my @all = ($api->supervisor, map { @$_ } values %{ $api->processes });
my @sockets = map {"$run/$_.sock"} qw(fcgi front control);
is scalar(grep { -S } @sockets), 3, 'three sockets';
my ($shm) = LF::slurp('/proc/' . $api->processes->{'librefang-fcgi'}[0] . '/environ') =~ /(?:^|\0)LF_SHM=([^\0]+)/;
ok -e "/dev/shm$shm", '  and shared memory' if $shm;

kill 'TERM', $all[0];

subtest 'the door is shut' => sub {
    ok $api->wait_for(sub { !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $api->port) }), 'nobody comes in any more';
};

subtest 'who is inside is told' => sub {
    my @e = grep { !defined $_->{comment} } $stream->all;
    is "$e[-1]{event} $e[-1]{json}{phase}", 'phase error', 'a stream ends without done';
    is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), 'one two th', '  after what was said';
    @e = grep { !defined $_->{comment} } $watch->all;
    is "$e[-1]{event} $e[-1]{json}{phase}", 'phase error', 'who is attached hears the same';
    my ($last, $m);
    while ($m = $eye->next) { $last = $m }
    is_deeply $last, { type => 'phase', phase => 'error', detail => undef }, '  over a WebSocket too';
    is $eye->code, 1000, '  and then the socket is closed';
    undef $last;
    while ($m = $chat->next) { $last = $m if $m->{type} eq 'error' }
    is_deeply $last, { type => 'error', code => 'outcome_unknown', content => 'The server is going down: what was said is kept, and answered after the next start' }, 'a chat socket says why there is no answer';
    is $chat->code, 1001, '  and is closed: going away';
    for my $s ([ $block, 'who waits for an answer' ], [ $queue, 'who stands in line' ]) {
        $s->[0]->read_head;
        my $e = $LF::JSON->decode($s->[0]->rest);
        is $s->[0]->status . " $e->{code} " . ($s->[0]->headers->{'retry-after'} // 'not again'), '502 outcome_unknown not again', "$s->[1] is told that it is kept";
    }
    for my $s ([ $v1, "OpenAI's clients" ], [ $aside, 'who asked aside' ]) {
        $s->[0]->read_head;
        my $e = $LF::JSON->decode($s->[0]->rest);
        like $s->[0]->status . ' ' . (ref $e->{error} ? $e->{error}{code} : $e->{code}) . ' ' . ($s->[0]->headers->{'retry-after'} // ''), qr/^503 shutting_down [1-9]/, "$s->[1] may ask again: nothing is kept";
    }
};

subtest 'while it drains' => sub {
    my ($status, $h, $body) = asks($kept, "GET /api/agents/$id{blocked}/runtime HTTP/1.1\r\nHost: localhost\r\n\r\n");
    is $status, 503, 'a request on a connection that is open is refused';
    like $h->{'retry-after'} // '', qr/^[1-9]\d*$/, '  until later';
    is $LF::JSON->decode($body)->{code}, 'service_unavailable', '  in JSON';
    is $h->{connection}, 'close', '  and the connection ends';
    $slow->close;
};

subtest 'nothing stays behind' => sub {
    ok $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @all }), 'no process';
    is scalar(grep { -e } @sockets), 0, 'no socket';
    ok !-e "/dev/shm$shm", 'no shared memory' if $shm;
    ok !-e $api->home . '/daemon.json', 'no daemon.json';
    is scalar(grep { -s } glob $api->home . '/data/*-wal'), 0, 'the write-ahead log is folded into the store';
    is LF::slurp((glob "$run/*lock* " . $api->home . '/*lock*')[0] // '/dev/null'), '', 'no pid in the lock';
    unlike $api->log_text, qr/busy=[1-9]|it does not end/, 'all threads had come to their end';
    like $api->log_text, qr/what=stopped\b.*?msg="stopped"/s, 'the daemon before the supervisor';
    is join(' ', $api->log_text =~ /what=shutdown phase=(\w+)/g), 'draining broadcasting_shutdown waiting_for_agents stopping_background closing_database complete', '  stage by stage';
    $api->{running} = 0;
    is(($api->command('status'))[0], 3, 'it does not run');
};

subtest 'the next start' => sub {
    my $n = @{ $up->chats };
    $up->let('go');
    $api->up;
    ok $api->wait_for(sub { said($id{streamed}) eq 'HALF-SAID | one two three four five' }), 'takes the turns up' or diag said($id{streamed});
    ok $api->wait_for(sub { said($id{blocked}) eq 'WAIT-HERE one | here I am | two | here I am' }), '  in the order of their line' or diag said($id{blocked});
    ok $api->wait_for(sub { said($id{chatting}) eq 'WAIT-HERE | here I am' }), '  those of a socket' or diag said($id{chatting});
    ok $api->wait_for(sub { said($id{clock}) =~ /here I am/ }), '  those of the clock' or diag said($id{clock});
    $api->put("/api/agents/$id{clock}/suspend", undef, 200);
    is said($id{outside}), 'WAIT-HERE', '  not what a client of /v1 would say again';
    unlike $api->log_text =~ s/.*msg="stopped"//sr, qr/unclean/, 'it was a clean end';
    my $db = $api->home . '/data/librefang-c.db';
    is qx{python3 -c 'import sqlite3,sys
d = sqlite3.connect(sys.argv[1])
prev = None; good = d.execute("PRAGMA integrity_check").fetchone()[0] == "ok"; n = 0
for row in d.execute("SELECT prev_hash, hash FROM audit_entries ORDER BY seq"):
    good = good and (prev is None or row[0] == prev); prev = row[1]; n += 1
print("good" if good and n > 0 else "bad")' '$db'}, "good\n", 'the store is whole, and the audit log a chain' if system('python3 -c pass >/dev/null 2>&1') == 0;
};

subtest 'asked for over the API' => sub {
    my @now = ($api->supervisor, map { @$_ } values %{ $api->processes });
    is_deeply $api->post('/api/shutdown', undef, 200), { status => 'shutting_down' }, 'is answered';
    ok $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @now }), 'and done';
    ok !-e $api->home . '/daemon.json', 'as orderly';
    $api->{running} = 0;
};

subtest 'asked for twice' => sub {
    $api->up;
    my $id = agent('stubborn');
    $slow = takes_its_time($id);
    my @now = ($api->supervisor, map { @$_ } values %{ $api->processes });
    kill 'TERM', $now[0];
    $api->wait_for(sub { !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $api->port) });
    kill 'TERM', $now[0];
    ok $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @now }), 'the second time nobody is waited for';
    is scalar(grep { -e } @sockets, $api->home . '/daemon.json'), 0, 'and nothing stays behind all the same';
    $api->{running} = 0;
};

done_testing;
