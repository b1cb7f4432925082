#!/usr/bin/perl
# Budgets hold: on every way in, for whoever is limited, at the same moment, through a kill, a full
# disk and a clock that jumps; they are set without losing a comment, and what they refuse has changed nothing.
use strict;
use warnings;
use Digest::SHA ();
use LF;
use LF::WS;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

my $up = LF->mock(
    when => [
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'SLOW-TURN'  => { text => 'late', hang => 1, until => 'SLOW-TURN' } ],
        [ 'call_last'  => { text => 'too late' } ],
        [ 'call_first' => { hang => 1, until => 'TWICE', tool_calls => [ { id => 'call_last', name => 'file_list', arguments => { path => '.' } } ] } ],
        [ 'TWICE'      => { tool_calls => [ { id => 'call_first', name => 'file_list', arguments => { path => '.' } } ] } ],
    ],
    default => { text => 'Hello from the mock.', delay => 0.01 },
);
my $CALL = 0.000033;            # 12 tokens in at 1 dollar a million, 7 out at 3
my @people = map { qq([[users]]\nname = "$_"\nrole = "@{[ $_ eq 'max' ? 'admin' : 'user' ]}"\napi_key_hash = "\$sha256\$@{[ Digest::SHA::sha256_hex("key-of-$_") ]}"\n) } qw(zoe yan max);
my @server = (model => $up, timeout => 30, env => { LF_LLM_RETRY_MS => 20, OPENAI_API_KEY => 'sk-mock' },
    config => qq([provider_urls]\nopenai = "@{[ $up->url ]}"\nother = "@{[ $up->url ]}"\n\n@people\n[budget]\nmax_hourly_usd = 0   # as much as one likes\n));
my $api = LF->start(@server);
my $n = 0;

sub agent { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "budget-' . ++$n . qq("\n) . ($more // '') }, 201)->{agent_id} }
sub chat { my (%more) = @_; return { model => 'openai/mock-model', max_tokens => 8, messages => [ { role => 'user', content => 'hello' } ], %more } }
sub spent { return $api->get('/api/budget', 200)->{daily_spend} }
sub limit { my (%l) = @_; local $LF::Level = 0; return $api->put('/api/budget', { max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0, default_max_llm_tokens_per_hour => 0, %l }, 200) }
sub metric { my ($name) = @_; my ($v) = $api->raw('GET', '/api/metrics')->{content} =~ /^\Q$name\E(?:\{[^}]*\})? (\S+)$/m; return $v }

my $id = agent();

subtest 'every way in' => sub {
    my $before = scalar @{ $up->chats };
    limit(max_daily_usd => 0.000001);
    my $e = $api->post("/api/agents/$id/message", { message => 'hello' }, 429);
    is $e->{code}, 'budget_exceeded', 'a message is refused';
    like $e->{error}, qr/the global daily budget: \$0\.0000 spent, .* of \$0\.000001000; it resets at \d{4}-/, 'in words';
    my $d = $e->{details};
    is_deeply [ @$d{qw(scope window unit limit spent pending)} ], [ 'global', 'daily', 'usd', 0.000001, 0, 0 ], 'and in figures';
    ok $d->{requested} > $CALL, 'with what it may cost';
    like $d->{resets_at}, qr/T00:00:00/, 'and when it begins anew';
    like $api->last->{headers}{'retry-after'}, qr/^\d+$/, 'in seconds too';
    $e = $api->post("/api/agents/$id/message/stream", { message => 'hello' }, 429);
    is $e->{code}, 'budget_exceeded', 'a stream, before it begins';
    my $ws = LF::WS->open($api, "/api/agents/$id/ws");
    my @m = $ws->turn({ type => 'message', content => 'hello' });
    is $m[-1]{type}, 'error', 'the chat socket';
    like $LF::JSON->encode($m[-1]), qr/budget/, 'in words' or diag explain \@m;
    $ws->close;
    my ($name) = map { $_->{name} } grep { $_->{id} eq $id } @{ $api->get('/api/agents', 200)->{items} };
    for my $model ("librefang:$name", 'openai/mock-model') {
        for my $stream (JSON::PP::false(), JSON::PP::true()) {
            $e = $api->post('/v1/chat/completions', chat(model => $model, stream => $stream), 429);
            is $e->{error}{code}, 'budget_exceeded', "$model, " . ($stream ? 'streamed' : 'at once');
        }
    }
    is scalar @{ $up->chats }, $before, 'nobody was asked';
    is scalar @{ $api->get("/api/agents/$id/session", 200)->{messages} }, 0, 'nothing was kept';
    is metric('librefang_budget_held_calls'), 0, 'nothing is put aside';
    cmp_ok metric('librefang_budget_refused_total'), '>=', 7, 'refusals are counted';
    limit();
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    $api->post('/v1/chat/completions', chat(), 200);
};

subtest 'an answer without measure' => sub {
    my $id = agent("[resources]\nmax_llm_tokens_per_hour = 1000000\n[model]\nmax_tokens = 9223372036854775807\n");
    my $e = $api->post("/api/agents/$id/message", { message => 'hello' }, 429);
    is_deeply [ @{ $e->{details} }{qw(unit limit)} ], [ 'tokens', 1000000 ], 'does not fit an hour of tokens';
    is metric('librefang_budget_held_calls'), 0, 'nothing is put aside for it';
    limit(max_daily_usd => 1);
    is $api->post("/api/agents/$id/message", { message => 'hello' }, 429)->{code}, 'budget_exceeded', 'nor a day of money';
    $api->post('/v1/chat/completions', chat(max_tokens => 2147483647), 429);
    $api->post('/v1/chat/completions', chat(), 200);
    limit();
};

subtest 'an agent that runs' => sub {
    my $a = agent("[capabilities]\ntools = [\"*\"]\n");
    my $s = $api->later("/api/agents/$a/message", { message => 'TWICE' });
    ok $up->wait_chats(2 + @{ [ grep { $LF::JSON->encode($_->{json}) !~ /TWICE/ } @{ $up->chats } ] }), 'has asked twice';
    $api->put("/api/budget/agents/$a", { max_llm_tokens_per_hour => 1 }, 200);
    $up->let('TWICE');
    $s->read_head;
    is $s->status, 429, 'meets a limit of tokens that was set meanwhile' or diag $s->rest;
    like $s->rest, qr/agent budget-\d+'s hourly budget: 38 tokens spent/, 'which names what it took';
    is scalar(grep { $LF::JSON->encode($_->{json}) =~ /call_last/ } @{ $up->chats }), 0, 'the third question is not asked';
    my @tools = map { @{ $_->{tools} // [] } } @{ $api->get("/api/agents/$a/session", 200)->{messages} };
    is scalar(grep { defined $_->{result} } @tools), 2, 'what its tools did is in the history';
    is $api->get("/api/budget/agents/$a", 200)->{tokens}{used}, 38, 'and what it took in the books';
    is metric('librefang_budget_held_calls'), 0, 'nothing stays put aside';
};

subtest 'an agent, in dollars' => sub {
    my $a = agent();
    $api->post("/api/agents/$a/message", { message => 'hello' }, 200);
    $api->put("/api/budget/agents/$a", { max_cost_per_day_usd => $CALL }, 200);
    my $e = $api->post("/api/agents/$a/message", { message => 'hello' }, 429);
    is $e->{details}{scope}, 'agent', 'is refused';
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    my $b = $api->get("/api/budget/agents/$a", 200);
    is $b->{daily}{pct}, 1, 'all of it is spent';
    is $b->{agent_id}, $a, 'its own';
    my $idle = agent("[resources]\nmax_cost_per_day_usd = 2\n");
    my $listed = sub { my ($q) = @_; return { map { $_->{agent_id} => $_->{daily_limit} } @{ $api->get("/api/budget/agents$q", 200)->{items} } } };
    ok exists $listed->('')->{$a} && !exists $listed->('')->{$idle}, 'the list has those that cost something today';
    is $listed->('?all=true')->{$idle}, 2, 'or all, if one likes';
    ok exists $listed->('?all=true')->{$a}, 'those as well';
    $api->get('/api/budget/agents?all=maybe', 400);
    is_deeply [ sort map { $_->{action} } grep { $_->{action} =~ /Budget|Config/ } @{ $api->get("/api/agents/$a/logs", 200)->{logs} } ], [qw(BudgetExceeded ConfigChange)], 'the change is in the audit log, and that all is spent by it';
};

subtest 'what runs by itself' => sub {
    my $asked = sub { return scalar grep { $LF::JSON->encode($_->{json}) =~ /SELF-RUNNER/ } @{ $up->chats } };
    my $a = agent(qq(schedule = { periodic = { cron = "every 1s" } }\n[model]\nsystem_prompt = "SELF-RUNNER"\n[resources]\nmax_cost_per_hour_usd = 0.0000001\n));
    ok $api->wait_for(sub { $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_budget_refused_total\{scope="agent",window="hourly"\} [2-9]/m }), 'is refused alike';
    is $asked->(), 0, 'and asks nobody';
    $api->put("/api/budget/agents/$a", { max_cost_per_hour_usd => 0 }, 200);
    ok $api->wait_for(sub { $asked->() > 0 }), 'until there is room';
    $api->del("/api/agents/$a?confirm=true", 200);
};

subtest 'a provider' => sub {
    my $a = agent(qq([model]\nprovider = "openai"\nmodel = "mock-model"\n[[fallback_models]]\nprovider = "other"\nmodel = "second-model"\nbase_url = "@{[ $up->url ]}"\n));
    my $caps = $api->put('/api/budget/providers/openai', { max_cost_per_month_usd => 0.0000001 }, 200);
    is $caps->{max_cost_per_month_usd}, 0.0000001, 'gets a cap';
    $api->post("/api/agents/$a/message", { message => 'hello' }, 200);
    is $up->chats->[-1]{json}{model}, 'second-model', 'and is passed over where another may serve';
    my $e = $api->post('/v1/chat/completions', chat(), 429);
    like $e->{error}{message}, qr/provider openai's monthly budget/, 'else refused';
    my ($p) = grep { $_->{provider} eq 'openai' } @{ $api->get('/api/budget/providers', 200)->{providers} };
    is_deeply [ @$p{qw(is_exhausted exhaustion_reason unconfigured)} ], [ JSON::PP::true(), 'budget_exceeded', JSON::PP::false() ], 'it shows as exhausted';
    $api->put('/api/budget/providers/openai', { max_cost_per_month_usd => 0 }, 200);
    $api->post('/v1/chat/completions', chat(), 200);
};

subtest 'a user' => sub {
    my %zoe = (Authorization => 'Bearer key-of-zoe');
    my $watcher = agent(qq(schedule = { proactive = { conditions = ["event:system"] } }\n));
    my $all = { max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0.0002, alert_threshold => 0.5 };
    is_deeply $api->put('/api/budget/users/zoe', $all, 200), $all, 'gets a budget';
    my $ok = 0;
    for (1 .. 12) { $api->raw('POST', '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json', %zoe }, content => $LF::JSON->encode(chat()) })->{status} == 200 and $ok++ }
    ok $ok > 0 && $ok < 7, "and so many calls: $ok";
    my $b = $api->get('/api/budget/users/zoe', 200);
    ok $b->{monthly}{spend} <= 0.0002 && $b->{alert_breach} && $b->{enforced}, 'which cost no more' or diag explain $b;
    is $api->get("/api/budget/users/$b->{user_id}", 200)->{name}, 'zoe', 'she is found by her id';
    my ($row) = grep { ($_->{name} // '') eq 'zoe' } @{ $api->get('/api/budget/users', 200)->{users} };
    is $row->{limits}{alert_threshold}, 0.5, 'and stands in the list';
    is $api->raw('POST', '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json', Authorization => 'Bearer key-of-yan' },
        content => $LF::JSON->encode(chat()) })->{status}, 200, 'others are served';
    $api->call(GET => '/api/budget/users', undef, 403, \%zoe);
    $api->put('/api/budget/users/zoe', { %$all, alert_threshold => undef }, 400);
    $api->put('/api/budget/users/nobody', $all, 404);
    my ($alert) = grep { $_->{scope} eq 'user' } @{ $api->get('/api/budget', 200)->{alerts} };
    is $alert->{kind}, 'warning', 'her threshold was told';
    ok $api->wait_for(sub { grep { $LF::JSON->encode($_->{json}) =~ /QuotaWarning: user zoe monthly budget \(usd\)/ } @{ $up->chats } }), 'also to an agent that waits for it';
    $api->del("/api/agents/$watcher?confirm=true", 200);
    $api->del('/api/budget/users/zoe', 204);
    $api->del('/api/budget/users/zoe', 204);
    is $api->get('/api/budget/users/zoe', 200)->{enforced}, JSON::PP::false(), 'taken away again';
};

subtest 'limits that are set below what is spent, or while a call is under way' => sub {
    my $alerts = sub { return { map { ("$_->{kind} $_->{scope} $_->{window}" => $_->{limit}) } @{ $api->get('/api/budget', 200)->{alerts} } } };
    limit(max_monthly_usd => $CALL);
    is $alerts->()->{'exceeded global monthly'}, $CALL, 'is told when it is set';
    limit();
    $api->put('/api/budget/providers/openai', { max_cost_per_day_usd => $CALL }, 200);
    is $alerts->()->{'exceeded provider daily'}, $CALL, 'a provider, too';
    $api->put('/api/budget/providers/openai', { max_cost_per_day_usd => 0 }, 200);
    my $a = agent();
    my $asked = @{ $up->chats };
    my $s = $api->later("/api/agents/$a/message", { message => 'SLOW-TURN' });
    ok $up->wait_chats($asked + 1), 'a call is under way';
    limit(max_hourly_usd => $api->get('/api/budget', 200)->{hourly_spend} + $CALL / 2);
    $up->let('SLOW-TURN');
    $s->read_head;
    is $s->status, 200, 'is not cut off';
    ok exists $alerts->()->{'exceeded global hourly'}, 'and told of when it ends' or diag explain $alerts->();
    limit();
};

subtest 'two hundred at once' => sub {
    my @agents = map { agent() } 1 .. 4;
    my $before = spent();
    my $cap = $before + 0.002;
    limit(max_daily_usd => $cap);
    my @open = map {
        my $i = $_;
        $i % 4 ? $api->later('/v1/chat/completions', chat(stream => $i % 3 ? JSON::PP::false() : JSON::PP::true()), timeout => 30)
            : $api->later("/api/agents/$agents[$i / 4 % 4]/message", { message => 'hello', ephemeral => JSON::PP::true() }, timeout => 30)
    } 1 .. 200;
    my %status;
    for my $s (@open) { $s->read_head; $status{ $s->status }++; $s->rest }
    is_deeply [ grep { $_ != 200 && $_ != 429 } keys %status ], [], 'each is answered or refused' or diag explain \%status;
    cmp_ok $status{429} // 0, '>', 100, 'most are refused';
    cmp_ok $status{200} // 0, '>', 0, 'some are not';
    my $after = spent();
    ok $after <= $cap, 'nothing was spent beyond the cap' or diag "$after > $cap";
    ok abs($after - $before - $status{200} * $CALL) < 1e-9, 'and each was paid once' or diag $after - $before, ' ', $status{200};
    is metric('librefang_budget_held_calls'), 0, 'nothing is put aside any more';
    limit();
};

subtest 'a daemon that dies with a call under way' => sub {
    my $before = spent();
    limit(max_daily_usd => $before + 0.05);
    my $s = $api->later('/v1/chat/completions', chat(messages => [ { role => 'user', content => 'NEVER-EVER' } ], max_tokens => 10000));
    ok $api->wait_for(sub { (metric('librefang_budget_held_calls') // 0) == 1 }), 'its price is put aside';
    $api->post('/v1/chat/completions', chat(), 200);
    my $e = $api->post('/v1/chat/completions', chat(max_tokens => 10000), 429);
    ok $e->{error}{message} =~ /\$0\.03\d\d put aside/, 'and nobody else may spend it' or diag explain $e;
    my ($pid) = @{ $api->processes->{librefangd} };
    kill 'KILL', $pid;
    ok $api->wait_for(sub { my $p = $api->processes->{librefangd}; $p && !grep { $_ == $pid } @$p }), 'the next daemon';
    ok $api->wait_for(sub { $api->raw('POST', '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json' },
        content => $LF::JSON->encode(chat(max_tokens => 10000)) })->{status} == 200 }), 'lets it go';
    ok abs(spent() - $before - 2 * $CALL) < 1e-9, 'what was spent stays spent' or diag spent() - $before;
    is metric('librefang_budget_held_calls'), 0, 'nothing is put aside';
    limit();
};

subtest 'a turn that the next daemon takes up' => sub {
    my $max = $api->get('/api/budget/users/max', 200)->{user_id};
    my $asked = @{ $up->chats };
    $up->shut('SLOW-TURN');
    my $s = $api->later("/api/agents/$id/message", { message => 'SLOW-TURN' }, headers => { Authorization => 'Bearer key-of-max' });
    ok $up->wait_chats($asked + 1), 'is under way';
    my ($pid) = @{ $api->processes->{librefangd} };
    kill 'KILL', $pid;
    $up->let('SLOW-TURN');
    ok $api->wait_for(sub { my $u = $api->raw('GET', '/api/budget/users/max')->{json}; $u && ($u->{daily}{spend} // 0) > 0 }), 'is paid by whom it is for';
    like $api->raw('GET', '/api/usage/export?format=csv')->{content}, qr/,\Q$max\E,[^,]*,[^,]*,ok,false\r\n\z/, 'in the ledger too';
};

subtest 'setting them' => sub {
    my $file = $api->home . '/config.toml';
    like LF::slurp($file), qr/^max_hourly_usd = 0   # as much as one likes$/m, 'comments are kept';
    $api->put('/api/budget', { max_hourly_usd => 3, daily_limit => 4.5, alert_threshold => 0.25, default_max_llm_tokens_per_hour => 7 }, 200);
    my $text = LF::slurp($file);
    like $text, qr/^max_hourly_usd = 3   # as much/m, 'the value is replaced';
    like $text, qr/^max_daily_usd = 4\.5$/m, 'others are added';
    like LF::slurp($api->home . '/backups/config.toml.prev'), qr/^max_hourly_usd = 0   #/m, 'the file before is kept';
    for my $bad ({ max_hourly_usd => -1 }, { max_daily_usd => 'x' }, { alert_threshold => 2 }, { max_hourly_usd => 9, default_max_llm_tokens_per_hour => 1.5 }) {
        $api->put('/api/budget', $bad, 400);
    }
    $api->put('/api/budget', '[]', 400);
    $api->put('/api/budget/providers/' . 'x' x 200, { max_tokens_per_hour => 1 }, 400);
    $api->put('/api/budget/providers/a%0Ab', { max_tokens_per_hour => 1 }, 400);
    is LF::slurp($file), $text, 'what is wrong changes nothing';
    $api->put('/api/budget/providers/odd%20%22one%22.x', { max_tokens_per_hour => 5 }, 200);
    my ($p) = grep { $_->{provider} eq 'odd "one".x' } @{ $api->get('/api/budget/providers', 200)->{providers} };
    is $p->{cap_tokens_per_hour}, 5, 'any name of a provider is taken';
    $api->call(PUT => '/api/budget', { max_hourly_usd => 1 }, 403, { Authorization => 'Bearer key-of-zoe' });
};

subtest 'a store that has reached limits' => sub {
    my ($rc, $out) = $api->command('backup', "$api->{dir}/reached.zip");
    is $rc, 0, 'is whole to whoever makes a backup' or diag $out;
};

$api->finish;

subtest 'a configuration that is managed' => sub {
    my $m = LF->start(@server, env => { LIBREFANG_CONFIG_MODE => 'managed', OPENAI_API_KEY => 'x' });
    my $e = $m->put('/api/budget', { max_hourly_usd => 1 }, 423);
    is $e->{code}, 'config_managed', 'is not written';
    like $e->{source}, qr/config\.toml$/, 'and named';
    $m->put('/api/budget/providers/openai', { max_tokens_per_hour => 1 }, 423);
    $m->del('/api/budget/users/zoe', 423);
    $m->finish;
};

done_testing;
