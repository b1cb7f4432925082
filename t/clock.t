#!/usr/bin/perl
# The wall clock jumps: by a day, back by an hour, in the middle of a turn. Who is limited
# stays so, for as long as it takes and no longer; what has a deadline meets it; what was
# said stays in order. libfaketime moves the clock of all our processes; nginx, whose
# environment is its own, keeps the machine's.
use strict;
use warnings;
use LF;
use LF::Clock;
use LF::WS;
use Test::More;
use Time::HiRes qw(sleep time);
use Time::Local ();

my $clock = LF::Clock->new;
my $N = 0;

# Set every clock of the server off by that: '+0', '+1d', '-1h'.
sub wall { my ($by) = @_; return $clock->by($by) }
sub serve { wall('+0'); return $clock->start(@_) }

my %month = do { my $i = 0; map { $_ => $i++ } qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec) };
# How far the server's clock is from ours, as nginx and the programs tell it.
sub offset_of {
    my ($text) = @_;
    return Time::Local::timegm($6, $5, $4, $3, $2 - 1, $1) - time if $text =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/;
    return Time::Local::timegm($6, $5, $4, $1, $month{$2}, $3) - time if $text =~ /(\d+) (\w{3}) (\d{4}) (\d+):(\d+):(\d+)/;
    return 0;
}

my $up = LF->mock(
    when => [
        [ 'SLOW-ONE'   => { text => 'slow answer', delay => 0.8 } ],
        [ 'BIT-BY-BIT' => { text => 'one two three four five six', chunks => 6, chunk_delay => 0.15 } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
    ], default => { text => 'Hello from the mock.' });
my $api = serve(model => $up, timeout => 60);
sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "clock-' . ++$N . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
sub said { return join ' | ', map { $_->{content} } @{ $api->get("/api/agents/$_[0]/session", 200)->{messages} } }

subtest 'the clock is ours' => sub {
    for my $p ([ librefangd => 1 ], [ 'librefang-fcgi' => 1 ]) {
        my @pids = @{ $api->processes->{ $p->[0] } };
        is scalar(grep { LF::slurp("/proc/$_/maps") !~ /libfaketime/ } @pids), 0, "of each $p->[0]";
    }
    like LF::slurp('/proc/' . $api->supervisor . '/maps'), qr/libfaketime/, 'and of the supervisor';
    for my $by ([ '+1d', 86400 ], [ '-1h', -3600 ], [ '+0', 0 ]) {
        wall($by->[0]);
        sleep 0.05;
        my $id = agent();
        cmp_ok abs(offset_of($api->get("/api/agents/$id", 200)->{created_at}) - $by->[1]), '<', 60, "$by->[0]: what is written now has that time";
        $api->get('/api/health', 200);
        $api->get($_, 200) for '/api/status', '/api/agents', '/api/metrics';
        ok $api->get('/api/status', 200)->{uptime_seconds} >= 0, '  nothing is older than itself';
    }
};

subtest 'a turn, and a step in the middle of it' => sub {
    for my $by ('+1d', '-1h', '-2d', '+0') {
        my $id = agent();
        my $since = time;
        my $s = $api->later("/api/agents/$id/message", { message => 'SLOW-ONE' });
        sleep 0.3;
        wall($by);
        ok $s->read_head && $s->status == 200, "$by: it is answered" or diag $s->rest;
        cmp_ok time - $since, '<', 60, '  when the model is ready';
        is said($id), 'SLOW-ONE | slow answer', '  and kept';
        $id = agent();
        $s = $api->stream("/api/agents/$id/message/stream", { message => 'BIT-BY-BIT' });
        sleep 0.2;
        wall('+0');
        my @e = $s->all;
        is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), 'one two three four five six', '  so is a stream';
        is $e[-1]{event}, 'done', '  to its end';
        wall($by);
    }
};

subtest 'a deadline is a length of time' => sub {
    my $short = serve(model => $up, timeout => 30, config => "message_timeout_secs = 2\n");  # still in [default_model]
    my $id = $short->get('/api/agents', 200)->{items}[0]{id};
    for my $by ('-1h', '+1d', '+0') {
        my $since = time;
        my $s = $short->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
        sleep 0.3;
        wall($by);
        $s->read_head;
        is $s->status, 500, "$by: a model that never answers is given up";
        my $waited = time - $since;
        ok $waited > 1 && $waited < 60, '  after the time that was set' or diag $waited;
        $short->post("/api/agents/$id/session/reset", {}, 200);
        $since = time;
        $s = $short->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
        sleep 0.2;
        wall('-3h');
        $short->post("/api/agents/$id/stop", {}, 200);
        $s->read_head;
        cmp_ok time - $since, '<', 60, '  stop is heard at once';
        $short->del("/api/agents/$id/history", 200);
    }
    $short->down;
};

subtest 'what was said stays in order' => sub {
    my $id = agent();
    my @words = map {"word-$_"} 1 .. 6;
    my @clock = ('+0', '+1d', '-1h', '-2d', '+1h', '+0');
    for my $i (0 .. $#words) {
        wall($clock[$i]);
        is $api->post("/api/agents/$id/message", { message => $words[$i] }, 200)->{response}, 'Hello from the mock.', "$clock[$i]: an answer";
    }
    is said($id), join(' | ', map { ($_, 'Hello from the mock.') } @words), 'the history is in the order of speaking';
    is join(' ', map { $_->{content} } grep { $_->{role} eq 'user' } @{ $up->chats->[-1]{json}{messages} }), join(' ', @words), 'for the model too';
    my $s = $api->get("/api/agents/$id/sessions", 200)->{sessions};
    is scalar @$s, 1, 'in one session';
    wall('+0');
};

subtest 'a budget of an hour, a day, a month' => sub {
    $clock->from('2027-06-15T12:00:00Z');       # far from the end of any of them
    my $poor = serve(model => $up, timeout => 30, config => "[budget]\nmax_hourly_usd = 0.0000000001\n");
    my $id = $poor->get('/api/agents', 200)->{items}[0]{id};
    my $say = sub { return $poor->raw('POST', "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => '{"message":"hello"}' })->{status} };
    is $say->(), 429, 'below the price of a call none is made';
    my %off = (max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0);
    $poor->put('/api/budget', \%off, 200);
    is $say->(), 200, 'without a limit it is';
    my $used = $poor->get('/api/budget', 200)->{hourly_spend};
    ok $used > 0, 'and costs something';
    # [limit, a jump that stays within the window, one that leaves it]
    # The hour comes last: what is said an hour from now may be said tomorrow.
    for my $w ([ max_daily_usd => undef, '+1d' ], [ max_monthly_usd => undef, '+32d' ], [ max_hourly_usd => '+50m', '+63m' ]) {
        my ($limit, $within, $beyond) = @$w;
        wall('+0');
        $poor->put('/api/budget', { %off, $limit => $poor->get('/api/budget', 200)->{ { max_hourly_usd => 'hourly_spend', max_daily_usd => 'daily_spend',
            max_monthly_usd => 'monthly_spend' }->{$limit} } }, 200);
        is $say->(), 429, "$limit: what is spent is spent";
        if ($within) { wall($within); is $say->(), 429, "  $within, too" }
        wall($beyond);
        $poor->put('/api/budget', { $limit => 1 }, 200);
        is $poor->get('/api/budget', 200)->{ $limit =~ s/max_(\w+)_usd/$1_spend/r }, 0, "  $beyond: nothing is spent of the new window";
        is $say->(), 200, '  and there is room again';
        wall('-1d');
        is $say->(), 200, '  a clock that goes back refuses nobody';
    }
    wall('+0');
    my $spent = $poor->get('/api/budget', 200)->{hourly_spend};
    ok $spent > 0, 'something is spent within the hour';
    for my $by ('-5m', '-55m') { wall($by); is $poor->get('/api/budget', 200)->{hourly_spend}, $spent, "when the clock goes back by $by it still is" }
    wall('-3h');
    is $poor->get('/api/budget', 200)->{hourly_spend}, 0, 'but for longer than an hour nobody is held';
    $poor->down;
    $clock->from(undef);
};

subtest 'a key against doing it twice' => sub {
    my $body = { manifest_toml => "name = \"once\"\n" };
    my $spawn = sub { return $api->post('/api/agents', $body, 201, { 'Idempotency-Key' => 'clock-1' })->{agent_id} };
    my $id = $spawn->();
    for my $by ('-1h', '+1h', '-2d', '+0') {
        wall($by);
        is $spawn->(), $id, "$by: the same answer";
    }
    is scalar(grep { $_->{name} eq 'once' } @{ $api->get('/api/agents?limit=500', 200)->{items} }), 1, 'there is one';
};

subtest 'processes that end are started again' => sub {
    for my $by ('-1h', '+1d', '+0') {
        wall($by);
        for my $name ('librefang-fcgi', 'librefangd') {
            my $pid = $api->processes->{$name}[0];
            kill 'KILL', $pid;
            ok $api->wait_for(sub { my $p = $api->processes->{$name} // []; @$p && !grep { $_ == $pid } @$p }), "$by: $name is back";
            ok $api->wait_for(sub { $api->raw('GET', '/api/ready')->{status} == 200 }), '  and all is ready';
        }
    }
};

subtest 'a chat socket' => sub {
    my $id = agent();
    my $ws = LF::WS->open($api, "/api/agents/$id/ws");
    $ws->next for 1, 2;
    for my $by ('+1d', '-1h', '+0') {
        wall($by);
        sleep 0.1;
        is +($ws->turn("at $by"))[-1]{content}, 'Hello from the mock.', "$by: it stays open, and answers";
    }
    $ws->close;
};
$api->down;

# --- limits ---------------------------------------------------------------------------

subtest 'the limit of requests' => sub {
    my $few = serve(rate => 120);
    my $ask = sub { return $few->raw('GET', '/api/agents')->{status} };
    my $spend = sub { my $n = 0; $n++ while $ask->() == 200 && $n < 2000; return $n };
    my $whole = $spend->();
    cmp_ok $whole, '>', 5, 'there is one';
    cmp_ok $whole, '<', 2000, 'which is met';
    for my $by ('+1d', '-1h', '+0', '-2d', '+0') {
        $spend->();
        wall($by);
        sleep 0.05;
        my $through = $spend->();
        cmp_ok $through, '<', $whole / 3, "$by: the gate is not opened by it";
        ok $few->wait_for(sub { $ask->() == 200 }), '  nor shut for good: one waits as long as ever';
    }
    $few->down;
};

subtest 'the limit of a chat socket' => sub {
    my $few = serve(limits => "ws_messages_per_minute = 3\n");
    my $id = $few->get('/api/agents', 200)->{items}[0]{id};
    my $ws = LF::WS->open($few, "/api/agents/$id/ws");
    $ws->next for 1, 2;
    for (1 .. 3) { $ws->say({ type => 'ping' }); is $ws->next->{type}, 'pong', "ping $_" }
    for my $by ('+1d', '-1h') {
        wall($by);
        $ws->say({ type => 'ping' });
        like $ws->next->{content}, qr/^Rate limit exceeded/, "$by: it is not forgotten";
    }
    $ws->close;
    $few->down;
};
done_testing;
