#!/usr/bin/perl
# The ledger: each call of a model is in it with what it took, answered or not, and every view of it
# says the same; as a file it opens in a spreadsheet and runs nothing.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep);

my $half = 'These words were cut in the middle of what they wanted to say';
my $up = LF->mock(
    when => [
        [ 'CUT-HERE'  => { text => $half, cut => 4 } ],
        [ 'SLOWLY'    => { text => $half, chunks => 10, stall => 4 } ],
        [ 'FAIL-500'  => { status => 500 } ],
        [ 'NO-USAGE'  => { garbage => '{"id":"x","object":"chat.completion","created":1,"model":"mock-model","choices":[{"index":0,"message":{"role":"assistant","content":"twelve bytes"},"finish_reason":"stop"}]}' } ],
        (map { my ($word, $n) = @$_; [ "ODD-$word" => { garbage => qq({"id":"x","object":"chat.completion","created":1,"model":"mock-model","choices":[{"index":0,"message":{"role":"assistant","content":"twelve bytes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":$n}}) } ] }
            [ HUGE => '9000000000000000000,"completion_tokens":5000000000' ], [ NEGATIVE => '-5,"completion_tokens":-7' ], [ TEXT => '"12","completion_tokens":[]' ],
            [ ENDLESS => '1e300,"completion_tokens":1e18' ], [ NOTHING => '0,"completion_tokens":0' ], [ FRACTION => '12.0,"completion_tokens":3.0' ]),
        [ 'CACHED'    => { text => 'short', usage => { prompt_tokens => 1000, completion_tokens => 10, prompt_tokens_details => { cached_tokens => 400 } } } ],
        [ 'PICTURES'  => { text => 'seen', usage => { prompt_tokens => 1000, completion_tokens => 500, prompt_tokens_details => { image_tokens => 600 },
            completion_tokens_details => { image_tokens => 400 } } } ],
        [ 'SOUNDS'    => { text => 'heard', usage => { prompt_tokens => 1000, completion_tokens => 500, prompt_tokens_details => { audio_tokens => 100, cached_tokens => 400 },
            completion_tokens_details => { audio_tokens => 200 } } } ],
        [ 'tool_read' => { text => 'read' } ],
        [ 'USE-TOOL'  => { tool_calls => [ { id => 'tool_read', name => 'file_list', arguments => { path => '.' } } ] } ],
    ],
    default => { text => 'Hello from the mock.', chunks => 4 },
);
my $api = LF->start(model => $up, env => { LF_LLM_RETRY_MS => 20, OPENAI_API_KEY => 'sk-mock' },
    config => qq([provider_urls]\nopenai = "@{[ $up->url ]}"\n\n[provider_max_retries]\nopenai = 0\n[proactive_memory]\nenabled = false\n));
my $id = $api->get('/api/agents', 200)->{items}[0]{id};

sub anew { $api->post("/api/agents/$id/sessions", {}, 200) }
sub say_it { my ($text, $status) = @_; return $api->post("/api/agents/$id/message", { message => $text }, $status // 200) }
sub last_events { my ($n) = @_; return @{ $api->get("/api/agents/$id/events?limit=$n", 200)->{events} } }
sub total { return $api->get('/api/usage/summary', 200) }
sub near { my ($got, $want, $name) = @_; return ok abs($got - $want) < 1e-12, $name || diag "$got, not $want" }
sub rows { my @l = split /\r\n/, $api->raw('GET', '/api/usage/export?format=csv')->{content}; my @h = split /,/, shift @l; return map { my %r; @r{@h} = split /,/, $_, -1; \%r } @l }

subtest 'a call' => sub {
    my $r = say_it('hello');
    is_deeply [ @$r{qw(input_tokens output_tokens)} ], [ 12, 7 ], 'is counted as the provider counts it';
    near($r->{cost_usd}, 0.000033, 'and costs what the model costs');
    my ($e) = last_events(1);
    is_deeply [ @$e{qw(model provider input_tokens output_tokens tool_calls)} ], [ 'mock-model', 'openai', 12, 7, 0 ], 'it is a row';
    near($e->{cost_usd}, 0.000033, 'with its cost');
};

subtest 'a turn of two calls' => sub {
    my $before = total();
    my $r = say_it('USE-TOOL');
    is $r->{input_tokens}, 24, 'says what both took';
    my $after = total();
    is $after->{call_count} - $before->{call_count}, 2, 'is two calls';
    is $after->{total_tool_calls} - $before->{total_tool_calls}, 1, 'and one of a tool';
    is_deeply [ map { $_->{tool_calls} } last_events(2) ], [ 0, 1 ], 'which belongs to the call that asked for it';
};

subtest 'cached input' => sub {
    near(say_it('CACHED')->{cost_usd}, (600 * 1 + 400 * 0.1 + 10 * 3) / 1e6, 'costs a tenth');
};

subtest 'figures that cannot be' => sub {
    for my $bad (qw(HUGE NEGATIVE TEXT ENDLESS NOTHING)) {
        anew();
        my $r = say_it("ODD-$bad");
        is $r->{output_tokens}, 3, "$bad: the answer is measured instead";
        ok $r->{input_tokens} > 10 && $r->{cost_usd} < 0.01, 'so is the question';
        is((rows())[-1]{estimated}, 'true', 'and the row says so');
    }
    anew();
    is say_it('ODD-FRACTION')->{input_tokens}, 12, 'a whole number with a point is one';
    anew();
};

subtest 'a provider that names no figures' => sub {
    my $r = say_it('NO-USAGE');
    is $r->{output_tokens}, 3, 'is taken to have written four bytes a token';
    ok $r->{input_tokens} > 10, 'and to have read what was sent';
    is((rows())[-1]{estimated}, 'true', 'which is marked');
};

subtest 'a stream that breaks' => sub {
    my $before = total();
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'CUT-HERE' });
    $s->all;
    my $after = total();
    is $after->{failed_count} - $before->{failed_count}, 1, 'is a call that failed';
    ok $after->{total_output_tokens} > $before->{total_output_tokens}, 'and is paid as far as it came';
    my $row = (rows())[-1];
    is_deeply [ @$row{qw(status estimated)} ], [ 'failed', 'true' ], 'the row says so';
};

subtest 'a provider that fails' => sub {
    say_it('FAIL-500', 500);
    my $row = (rows())[-1];
    is_deeply [ @$row{qw(status input_tokens output_tokens cost_usd)} ], [ 'failed', 0, 0, '0.000000000' ], 'costs nothing and is there';
};

subtest 'the gateway' => sub {
    my $before = total();
    my $s = $api->stream('/v1/chat/completions', { model => 'openai/mock-model', stream => JSON::PP::true(), messages => [ { role => 'user', content => 'hello' } ] });
    $s->all;
    my $row = (rows())[-1];
    is_deeply [ @$row{qw(agent_id status input_tokens output_tokens channel)} ], [ 'gateway', 'ok', 12, 7, 'openai' ], 'writes its rows too';
    is total()->{call_count}, $before->{call_count} + 1, 'one';
};

subtest 'a client that goes away' => sub {
    my $before = total();
    my $s = $api->stream('/v1/chat/completions', { model => 'openai/mock-model', stream => JSON::PP::true(), messages => [ { role => 'user', content => 'SLOWLY' } ] });
    1 while ($s->next // last)->{data} !~ /"content"/;
    $s->close;
    ok $api->wait_for(sub { total()->{failed_count} > $before->{failed_count} }), 'ends the call';
    my $row = (rows())[-1];
    is_deeply [ @$row{qw(status estimated)} ], [ 'cancelled', 'true' ], 'which is a row';
    ok $row->{output_tokens} > 0 && $row->{output_tokens} < 15, 'and is paid as far as it was heard' or diag $row->{output_tokens};
};

subtest 'the views' => sub {
    my $t = total();
    my @csv = rows();
    is scalar @csv, $t->{call_count}, 'the file has a line for each call';
    my ($in, $usd) = (0, 0);
    $in += $_->{input_tokens}, $usd += $_->{cost_usd} for @csv;
    is $in, $t->{total_input_tokens}, 'tokens agree';
    near($usd, $t->{total_cost_usd}, 'dollars agree');
    my $m = $api->get('/api/usage/by-model', 200)->{models};
    is $m->[0]{call_count}, $t->{call_count}, 'so do those of the model';
    my $p = $api->get('/api/usage/by-model/performance', 200)->{models}[0];
    ok $p->{min_latency_ms} <= $p->{p95_latency_ms} && $p->{p95_latency_ms} <= $p->{max_latency_ms}, 'which took some time';
    my $d = $api->get('/api/usage/daily', 200);
    is $d->{days}[-1]{calls}, $t->{call_count}, 'those of the day';
    near($d->{today_cost_usd}, $t->{total_cost_usd}, 'and its cost');
    is $d->{retention_days}, 90, 'which are kept for a while';
    my ($a) = grep { $_->{agent_id} eq $id } @{ $api->get('/api/usage', 200)->{items} };
    is $a->{call_count}, $t->{call_count} - 2, "the agent's are all but the gateway's";
    is_deeply $api->get('/api/usage', 200)->{agents}, $api->get('/api/usage', 200)->{items}, 'under both names';
    near($api->get('/api/health/detail', 200)->{budget}{daily_spend_usd}, $t->{total_cost_usd}, 'health says the same');
};

subtest 'the file' => sub {
    my $r = $api->raw('GET', '/api/usage/export?format=csv');
    like $r->{headers}{'content-type'}, qr{^text/csv}, 'is CSV';
    like $r->{content}, qr/^timestamp,agent_id,agent_name,billed_agent_id,provider,model,input_tokens,output_tokens,cost_usd,tool_calls,latency_ms,user_id,channel,session_id,/, 'with its head';
    $api->get('/api/usage/export?format=xml', 400);
    $api->get('/api/usage/export', 400);
    is $api->raw('HEAD', '/api/usage/export?format=csv')->{content}, '', 'its head can be asked for alone';
};

subtest 'after a restart' => sub {
    my $t = total();
    $api->restart;
    is_deeply total(), $t, 'the sums are what they were';
};

subtest 'pictures' => sub {
    $api->post('/api/models/custom', { id => 'painter', provider => 'openai', input_cost_per_m => 1, output_cost_per_m => 3, image_input_cost_per_m => 8, image_output_cost_per_m => 30,
        context_window => 8000, max_output_tokens => 1000 }, 201);
    my $agent = $api->post('/api/agents', { manifest_toml => qq(name = "painter"\n[model]\nprovider = "openai"\nmodel = "painter"\nmax_tokens = 500\n) }, 201)->{agent_id};
    my $r = $api->post("/api/agents/$agent/message", { message => 'PICTURES' }, 200);
    near($r->{cost_usd}, (400 * 1 + 600 * 8 + 100 * 3 + 400 * 30) / 1e6, 'cost what the catalog says of them, in and out');
};

subtest 'sound, and what lies in a cache' => sub {
    my %model = (id => 'singer', provider => 'openai', input_cost_per_m => 1, output_cost_per_m => 3, context_window => 8000, max_output_tokens => 1000);
    $api->post('/api/models/custom', { %model, audio_output_cost_per_m => -1 }, 400);
    $api->post('/api/models/custom', { %model, audio_input_cost_per_m => 32, audio_output_cost_per_m => 64, cache_read_cost_per_m => 0.5 }, 201);
    my $agent = $api->post('/api/agents', { manifest_toml => qq(name = "singer"\n[model]\nprovider = "openai"\nmodel = "singer"\nmax_tokens = 500\n) }, 201)->{agent_id};
    my $cost = sub { return $api->post("/api/agents/$agent/message", { message => 'SOUNDS' }, 200)->{cost_usd} };
    near($cost->(), (500 * 1 + 400 * 0.5 + 100 * 32 + 300 * 3 + 200 * 64) / 1e6, 'cost what a custom model says');
    my $m = $api->get('/api/models/singer', 200);
    is_deeply [ @$m{qw(audio_output_cost_per_m cache_read_cost_per_m)}, exists $m->{cache_hour_cost_per_m} ? 1 : 0 ], [ 64, 0.5, 0 ], 'which shows what it was told';
    $api->put('/api/models/overrides/openai:singer', { cache_hour_cost_per_m => 'much' }, 422);
    is_deeply $api->put('/api/models/overrides/openai:singer', { input_cost_per_m => 2, audio_output_cost_per_m => 0 }, 200), { input_cost_per_m => 2, audio_output_cost_per_m => 0 }, 'settings of a model';
    near($cost->(), (500 * 2 + 400 * 0.5 + 100 * 32 + 300 * 3) / 1e6, 'count over these');
    $api->put('/api/budget', { max_daily_usd => $api->get('/api/budget', 200)->{daily_spend} + 0.01 }, 200);
    my $e = $api->post("/api/agents/$agent/message", { message => 'SOUNDS' }, 429);
    cmp_ok $e->{details}{requested}, '>', 0.01, 'and a budget puts aside what the dearest of them would cost';
    $api->put('/api/budget', { max_daily_usd => 0 }, 200);
};

subtest 'a file that is taken slowly' => sub {
    plan skip_all => 'python3 is not installed' if system('python3 -c pass >/dev/null 2>&1') != 0;
    my $n = 60000;
    system('python3', '-c', 'import sqlite3,sys
c=sqlite3.connect(sys.argv[1],timeout=20)
c.executemany("insert into usage_event (id,agent_id,ts_ms,provider,model,input_tokens,output_tokens,cost_nanousd,tool_calls,llm_calls,latency_ms) values (?,?,?,?,?,1,1,1,0,1,1)",
    [("%036d"%i,"slowly",1000+i,"p","m"*60) for i in range(int(sys.argv[2]))]); c.commit()', $api->home . '/data/librefang-c.db', $n) == 0 or die;
    my $ask = sub { my $s = $api->later('/api/usage/export?format=csv', undef, method => 'GET', timeout => 50); $s->read_head; return $s };
    my $left = $ask->();
    $left->body_part;
    close $left->socket;                        # who goes away in the middle is no matter
    my $s = $ask->();
    my ($lines, $bytes, $stops) = (0, 0, 0);
    while ($s->body_part) {
        my $part = delete $s->{text};
        $s->{text} = '';
        $bytes += length $part;
        $lines += $part =~ tr/\n//;
        sleep 0.05 if $bytes > 1_000_000 * $stops && $stops++ < 8;         # more is under way than anybody holds: the daemon waits for us
    }
    ok $s->whole, 'comes to its end';
    cmp_ok $bytes, '>', 5_000_000, 'and is long';
    cmp_ok $lines, '>', $n, 'with every line';
    my $cut = $ask->();
    $cut->body_part;
    kill 'KILL', $api->processes->{librefangd}[0];
    $cut->rest;
    ok !$cut->whole, 'and one that is cut in the middle does not look whole';
};

$api->finish;
done_testing;
