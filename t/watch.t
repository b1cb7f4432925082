#!/usr/bin/perl
# Whoever attaches to a session sees the turn that runs in it, wherever it came from: every
# delta, one last event; many at once; who goes away or sleeps holds up nobody.
use strict;
use warnings;
use LF;
use LF::WS;
use Test::More;
use Time::HiRes qw(sleep);

my $up = LF->mock(when => [ [ 'call_note' => { text => 'noted', hang => 1, until => 'noted' } ], [ 'NOTE-IT' => { text => 'I note it. ', tool_calls => [ { id => 'call_note', name => 'memory_store', arguments => { key => 'k', value => 'v' } } ] } ], [ 'SLOW-ONE' => { text => 'one two three four five', chunks => 5, stall => 2, until => 'said' } ], [ 'NEVER-EVER' => { hang => 1 } ], [ 'BROKEN' => { status => 400, body => {} } ] ],
    default => { text => 'fine' });
$up->let('said');               # SLOW-ONE waits after its second word only where it is shut
my $api = LF->start(model => $up);
my $nobody = '00000000-0000-4000-8000-000000000000';
my $n = 0;

sub spawn { my $id = $api->post('/api/agents', { manifest_toml => 'name = "watched-' . ++$n . '"' }, 201)->{agent_id}; return ($id, $api->get("/api/agents/$id", 200)->{session_id}) }
sub watch { my ($id, $s) = @_; my $w = $api->later("/api/agents/$id/sessions/$s/stream", '', method => 'GET'); $w->read_head; return $w }
sub text { return join '', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @_ }
sub all { my ($w) = @_; return grep { !defined $_->{comment} } $w->all }

subtest 'a turn of another client' => sub {
    my ($id, $s) = spawn();
    my @w = map { watch($id, $s) } 1 .. 3;
    is $w[0]->status, 200, 'attached';
    like $w[0]->headers->{'content-type'}, qr{^text/event-stream}, 'to a stream';
    my $r = $api->post("/api/agents/$id/message", { message => 'SLOW-ONE' }, 200);
    for my $w (@w) {
        my @e = all($w);
        is text(@e), 'one two three four five', 'every word';
        is $e[-1]{event}, 'done', 'and the end';
        is_deeply $e[-1]{json}{usage}, { input_tokens => $r->{input_tokens}, output_tokens => $r->{output_tokens} }, 'with what it took';
        is scalar(grep { $_->{event} eq 'done' || ($_->{json}{phase} // '') =~ /done|error/ } @e), 1, 'once';
    }
    my $late = watch($id, $s);
    my $other = watch((spawn())[ 0, 1 ]);
    $api->post("/api/agents/$id/message", { message => 'again' }, 200);
    is text(all($late)), 'one two three four five', 'the next turn for who attaches again';
    $other->close;
};

subtest 'two hundred' => sub {
    my ($id, $s) = spawn();
    my @w = map { watch($id, $s) } 1 .. 200;
    $_->close for @w[ 0 .. 9 ];
    $api->post("/api/agents/$id/message", { message => 'SLOW-ONE' }, 200);
    is scalar(grep { text(all($_)) ne 'one two three four five' } @w[ 10 .. 199 ]), 0, 'each sees every word';
};

# Attached where it broke off: after that event.
sub read_on { my ($id, $s, $last) = @_; my $w = $api->later("/api/agents/$id/sessions/$s/stream", '', method => 'GET', headers => { 'Last-Event-ID' => $last }); $w->read_head; return $w }
sub told { return join "\n", map { $_->{event} eq 'chunk' ? $_->{json}{content} : '<' . $_->{event} . ' ' . ($_->{json}{phase} // '') . '>' } @_ }

subtest 'who lost the connection reads on' => sub {
    my ($id, $s) = spawn();
    $up->shut('said');
    my $run = $api->later("/api/agents/$id/message/stream", { message => 'SLOW-ONE' });
    $run->read_head;
    my @first;
    while (my $e = $run->next) { push @first, $e if !defined $e->{comment}; last if text(@first) }
    like $first[-1]{id}, qr/^[0-9a-f-]{36}\.\d+$/, 'an event has an id';
    $run->close;
    my $text = text(@first);
    my $running = read_on($id, $s, $first[-1]{id});
    my $whole = read_on($id, $s, '0');
    $up->let('said');
    is $text . text(all($running)), 'one two three four five', 'the rest comes, and nothing twice';
    my @e = all($whole);
    is text(@e), 'one two three four five', 'or all of it, from the beginning of the turn that runs';
    is $e[-1]{event}, 'done', 'to its end';
    my @ids = map { $_->{id} } grep { defined $_->{id} } @e;
    is scalar(keys %{ { map { $_ => 1 } @ids } }), scalar(@ids), 'each event has its own id';
    my ($turn, $start) = $ids[0] =~ /^(.*)\.(\d+)$/;
    $start--;
    my $all = told(all(read_on($id, $s, "$turn.$start")));
    like $all, qr/\none two three four five\n<done >$/, 'a turn that has just ended is there as a whole';
    my $length = length 'one two three four five';
    for my $at (1 .. $length) {
        my $rest = text(all(read_on($id, $s, "$turn." . ($start + $at + 1))));
        is $rest, substr('one two three four five', $at), "from the byte $at" if $at < $length;
    }
    is told(all(read_on($id, $s, $ids[-2]))), '<done >', 'after its last word there is the end';
    is $ids[-1], "$turn.end", 'which has an id too';
    my $after = read_on($id, $s, $ids[-1]);
    $api->post("/api/agents/$id/message", { message => 'again' }, 200);
    my @next = grep { $_->{id} !~ /^$turn/ } all($after);
    is text(@next) . $next[-1]{event}, 'one two three four fivedone', 'after that comes the next turn';
    is told(all(read_on($id, $s, $ids[-1]))), "<phase streaming>\none two three four five\n<done >", 'that has ended meanwhile, too';
};

subtest 'what a crash interrupted is said anew' => sub {
    my ($id, $s) = spawn();
    $up->shut('said');
    my $run = $api->later("/api/agents/$id/message/stream", { message => 'SLOW-ONE' });
    $run->read_head;
    my @first;
    while (my $e = $run->next) { push @first, $e if !defined $e->{comment}; last if text(@first) }
    kill 'KILL', $api->processes->{librefangd}[0];
    my $w;
    $api->wait_for(sub { $w = read_on($id, $s, $first[-1]{id}); ($w->status // 0) == 200 });
    my $whole = read_on($id, $s, '0');
    $up->let('said');
    my @e = all($w);
    unlike told(@e), qr/<phase streaming>.*<phase streaming>/s, 'who reads on from before it gets nothing of another attempt in the middle';
    my %old = map { $_->{id} => 1 } grep { defined $_->{id} } @first;
    is scalar(grep { defined $_->{id} && $old{ $_->{id} } } @e, all($whole)), 0, 'no id comes twice';
    is $e[-1]{event}, 'done', 'and it ends well';
    is $e[0]{json}{phase}, 'restart', 'whoever had heard of it is told so';
    is text(@e), 'one two three four five', 'then comes all of it';
    ok !grep({ ($_->{json}{phase} // '') eq 'restart' } all($whole)), 'who had heard nothing is not';
    $api->restart;
    my @later = all(read_on($id, $s, $first[-1]{id}));
    is told(@later), "<phase restart>\none two three four five\n<done >", 'what nobody keeps in memory is told from the store';
    like $later[-1]{id}, qr/\.end$/, 'to its end';
    is $later[-1]{json}{usage}{output_tokens}, $e[-1]{json}{usage}{output_tokens}, 'with what it took';
    my $next = read_on($id, $s, $later[-1]{id});
    $api->post("/api/agents/$id/message", { message => 'again' }, 200);
    is text(all($next)), 'one two three four five', 'then comes the next one';
};

subtest 'what was said before a crash' => sub {
    my ($id, $s) = spawn();
    my $n = @{ $up->chats };
    my $run = $api->later("/api/agents/$id/message/stream", { message => 'NOTE-IT' });
    $up->wait_chats($n + 2);                        # the tool has run, the model is asked again
    kill 'KILL', $api->processes->{librefangd}[0];
    my $w;
    $api->wait_for(sub { $w = read_on($id, $s, '0'); ($w->status // 0) == 200 });
    $up->let('noted');
    my @e = all($w);
    is join(' ', map { $_->{json}{phase} // $_->{event} } grep { $_->{event} ne 'chunk' } @e), 'streaming tool_use tool_result thinking done', 'is told to who comes after it';
    is text(@e), 'I note it. noted', '  every word';
    is_deeply $e[-1]{json}{usage}, { input_tokens => 24, output_tokens => 14 }, '  with what all of it took';
    is scalar(grep { $_->{role} eq 'Assistant' } @{ $api->get("/api/agents/$id/session", 200)->{messages} }), 2, '  as it is in the session';
};

subtest 'what is no id of an event here' => sub {
    my ($id, $s) = spawn();
    my @w = map { read_on($id, $s, $_) } 'x', '', "$nobody.1", "$nobody.", "$nobody.-1", "$nobody.99999999999999999999999", '0' x 70, 'a' x 4000;
    is $_->status, 200, 'is no mistake' for @w;
    $api->post("/api/agents/$id/message", { message => 'again' }, 200);
    like told(all($_)), qr/^<phase streaming>\n.*<done >$/s, '... what comes from now on is told' for @w;
};

subtest 'how it may end' => sub {
    my ($id, $s) = spawn();
    my $w = watch($id, $s);
    $api->post("/api/agents/$id/message", { message => 'BROKEN' }, 500);
    is_deeply +(all($w))[-1]{json}, { phase => 'error', detail => undef }, 'a turn that fails';
    $w = watch($id, $s);
    my $run = $api->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
    $api->wait_for(sub { @{ $api->get("/api/agents/$id/runtime", 200) } == 1 });
    $api->del("/api/agents/$id?confirm=true", 200);
    is +(all($w))[-1]{json}{phase}, 'error', 'an agent that is deleted';
    $run->close;
    ($id, $s) = spawn();
    $w = watch($id, $s);
    $api->down;
    is +(all($w))[-1]{json}{phase}, 'error', 'a server that stops';
    $api->up;
};

subtest 'over a WebSocket' => sub {
    my ($id, $s) = spawn();
    my $path = "/api/agents/$id/sessions/$s/stream";
    my $ws = LF::WS->open($api, $path, headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'bearer.' . $api->key });
    is $ws->status, 101, 'the same address';
    is $ws->headers->{'sec-websocket-protocol'}, 'bearer.' . $api->key, 'with the key as a sub-protocol';
    my $w = watch($id, $s);
    $ws->say($_) for { type => 'message', content => 'nobody listens' }, 'x' x 70000;
    $api->post("/api/agents/$id/message", { message => 'SLOW-ONE' }, 200);
    my (@m, $f);
    while ($f = $ws->next) { push @m, $f }
    is_deeply [ map { my %e = %$_; [ delete $e{type}, \%e ] } @m ], [ map { [ $_->{event}, $_->{json} ] } all($w) ], 'the same events, each as a frame';
    is $m[-1]{type}, 'done', 'once';
    is $ws->code, 1000, 'then it ends';
    is $api->get("/api/agents/$id/session", 200)->{message_count}, 2, 'what the watcher says is nothing';
    my ($id2, $s2) = spawn();
    $ws = LF::WS->open($api, "/api/agents/$id2/sessions/$s2/stream");
    $api->post("/api/agents/$id2/message", { message => 'BROKEN' }, 500);
    @m = ();
    while ($f = $ws->next) { push @m, $f }
    is_deeply $m[-1], { type => 'phase', phase => 'error', detail => undef }, 'a turn that fails';
    is((LF::WS->open($api, $path, headers => { Authorization => 'Bearer wrong' })->status), 401, 'not for strangers');
    is((LF::WS->open($api, $path, headers => { Origin => 'https://elsewhere.example' })->status), 403, 'nor from other pages');
    is((LF::WS->open($api, "/api/agents/$id/sessions/$nobody/stream")->status), 404, 'a session of nobody');
    is((LF::WS->open($api, "/api/agents/$id/sessions/none/stream")->status), 400, 'an id that is none');
    my @many = map { LF::WS->open($api, $path) } 1 .. 6;
    is $many[-1]->status, 429, 'not too many from one address';
    $_->close for grep { $_->status == 101 } @many;
};

subtest 'what is none' => sub {
    my ($id, $s) = spawn();
    $api->get("/api/agents/$id/sessions/none/stream", 400);
    $api->get("/api/agents/none/sessions/$s/stream", 400);
    $api->get("/api/agents/$nobody/sessions/$s/stream", 404);
    is $api->get("/api/agents/$id/sessions/$nobody/stream", 404)->{code}, 'session_agent_mismatch', 'a session of nobody';
    is $api->get('/api/agents/' . (spawn())[0] . "/sessions/$s/stream", 404)->{code}, 'session_agent_mismatch', 'or of another agent';
};

$api->finish;

subtest 'there is no seat left' => sub {
    my ($few, $up) = (undef, LF->mock(default => { text => 'fine' }));
    $few = LF->start(model => $up, env => { LF_WATCHERS_MAX => 3 });
    my $id = $few->post('/api/agents', { manifest_toml => 'name = "crowded"' }, 201)->{agent_id};
    my $path = "/api/agents/$id/sessions/" . $few->get("/api/agents/$id", 200)->{session_id} . '/stream';
    my @w = map { my $w = $few->later($path, '', method => 'GET'); $w->read_head; $w } 1 .. 2;
    my $ws = LF::WS->open($few, $path);
    is_deeply [ (map { $_->status } @w), $ws->status ], [ 200, 200, 101 ], 'as many as there are seats for';
    my $no = $few->get($path, 503);
    is $no->{code}, 'too_many_watchers', 'the next one is told so';
    ok $few->last->{headers}{'retry-after'} > 0, 'and when to come again';
    my $late = LF::WS->open($few, $path);
    is_deeply [ $late->status, ($late->json // {})->{code} ], [ 503, 'too_many_watchers' ], 'over a WebSocket before it is open';
    is $few->raw('HEAD', $path)->{status}, 200, 'who only asks for the head needs no seat';
    $w[0]->close;
    my $in;
    ok $few->wait_for(sub { $in = $few->later($path, '', method => 'GET'); $in->read_head; $in->status == 200 }), 'whoever goes makes room';
    $few->post("/api/agents/$id/message", { message => 'hello' }, 200);
    is text(all($in)), 'fine', 'and the new one hears all';
};

done_testing;
