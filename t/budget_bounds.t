#!/usr/bin/perl
# What may be set as a budget, and what not: of all, an agent, a provider and a user, each value in each place. What is refused has
# changed nothing and names what is wrong.
use strict;
use warnings;
use Digest::SHA ();
use LF;
use Test::More;

my $people = join '', map { qq([[users]]\nname = "$_"\nrole = "user"\napi_key_hash = "\$sha256\$@{[ Digest::SHA::sha256_hex("key-of-$_") ]}"\n) } qw(zoe yan);
my $api = LF->start(config => "$people\n[budget]\nalert_threshold = 0.8\n");
my $id = $api->get('/api/agents', 200)->{items}[0]{id};
my $file = $api->home . '/config.toml';

sub put { my ($path, $text) = @_; return $api->raw(PUT => $path, { headers => { 'Content-Type' => 'application/json' }, content => $text }) }

# [ where, a member, how the whole is written around a value of it, where it is seen afterwards ]
my $user = sub { my ($key, $v) = @_; my %all = (max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0, alert_threshold => 0.5, $key => $v); return '{' . join(',', map {"\"$_\":$all{$_}"} sort keys %all) . '}' };
my $alone = sub { my ($key, $v) = @_; return "{\"$key\":$v}" };
my @money = (
    (map { [ '/api/budget', $_->[0], $alone, $_->[1] ] } [ max_hourly_usd => 'hourly_limit' ], [ daily_limit => 'daily_limit' ], [ max_monthly_usd => 'monthly_limit' ]),
    (map { [ "/api/budget/agents/$id", $_, $alone, $_ ] } map {"max_cost_per_${_}_usd"} qw(hour day month)),
    (map { [ '/api/budget/providers/openai', $_, $alone, $_ ] } map {"max_cost_per_${_}_usd"} qw(hour day month)),
    (map { [ '/api/budget/users/zoe', $_, $user, $_ ] } map {"max_${_}_usd"} qw(hourly daily monthly)),
);
my @tokens = ([ '/api/budget', 'default_max_llm_tokens_per_hour', $alone, 'default_max_llm_tokens_per_hour' ], [ "/api/budget/agents/$id", 'max_llm_tokens_per_hour', $alone, 'max_llm_tokens_per_hour' ],
    [ '/api/budget/providers/openai', 'max_tokens_per_hour', $alone, 'max_tokens_per_hour' ]);
my @shares = ([ '/api/budget', 'alert_threshold', $alone, 'alert_threshold' ], [ '/api/budget/users/zoe', 'alert_threshold', $user, 'alert_threshold' ]);
my @no_number = ('"1"', '""', 'true', '[]', '{}', '[1]');
my @no_json = ('1e400', '-1e400', 'NaN', 'Infinity', '01', '1.', '+1');

sub judge {
    my ($what, $places, $good, $bad) = @_;
    my %whole;
    subtest $what => sub {
        for my $p (@$places) {
            my ($path, $key, $around, $seen) = @$p;
            my $first = !$whole{$path}++;       # of a row one member is asked everything, the others the most of it
            for my $g ($first ? @$good : $good->[0]) {
                my ($v, $want) = ref $g ? @$g : ($g, $g);
                my $r = put($path, $around->($key, $v));
                ok $r->{status} == 200 && abs($r->{json}{$seen} - $want) <= 1e-9, "$path: $key may be $v" or diag "$r->{status} $r->{content}";
            }
            my $before = LF::slurp($file) . ($path =~ /agents/ ? $LF::JSON->encode($api->get($path, 200)) : '');
            for my $v (@$bad, @no_number, $first ? @no_json : ()) {
                my $r = put($path, $around->($key, $v));
                my $named = (grep { $v eq $_ } @no_json) ? qr/^Malformed JSON/ : qr/^\Q$key\E: /;
                ok $r->{status} == 400 && ($r->{json}{error} // '') =~ $named, "$path: $key must not be $v" or diag "$r->{status} $r->{content}";
            }
            is LF::slurp($file) . ($path =~ /agents/ ? $LF::JSON->encode($api->get($path, 200)) : ''), $before, "$path: nothing has changed";
            put($path, $around->($key, 0)) if !$first;
        }
    };
    return;
}
judge('dollars', \@money, [ 0.01, 3, [ '-0.0' => 0 ], [ '1e-300' => 1e-9 ], [ '0.1234567891' => 0.123456790 ], 1000000000, 0 ], [ '-1', '-0.000000001', '1000000000.01', '1e308' ]);
judge('tokens', \@tokens, [ 1, 1000000000000000, 0 ], [ '-1', '1.5', '1000000000000001', '9223372036854775808', '1e3', '7.0' ]);
judge('shares', \@shares, [ 1, 0.5, 0 ], [ '-0.1', '1.0000001', '2', '-1' ]);

subtest 'what is left out, and null' => sub {
    is $api->put('/api/budget', { max_hourly_usd => 1, hourly_limit => 2 }, 200)->{hourly_limit}, 1, 'of two names the newer counts';
    is $api->put('/api/budget', '{"max_hourly_usd":null,"hourly_limit":3}', 200)->{hourly_limit}, 3, 'unless it says nothing';
    is $api->put('/api/budget', '{"max_hourly_usd":null,"whatever":[1]}', 200)->{hourly_limit}, 3, 'null and unknown members change nothing';
    my $text = LF::slurp($file);
    is_deeply $api->put('/api/budget', {}, 200), $api->get('/api/budget', 200), 'nor does nothing';
    is LF::slurp($file), $text, 'not a byte';
    for my $path ('/api/budget', "/api/budget/agents/$id", '/api/budget/providers/openai', '/api/budget/users/zoe') { $api->put($path, $_, 400) for '[]', 'null', '"x"', '7', '', '{' }
    $api->put("/api/budget/agents/$id", $_, 400) for {}, { max_cost_per_hour_usd => undef }, { unknown => 1 }, { max_llm_tokens_per_hour => -1, max_cost_per_hour_usd => 1 }, { max_llm_tokens_per_hour => 1.5, max_cost_per_day_usd => 1 };
    my %all = (max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0, alert_threshold => 0.5);
    for my $key (sort keys %all) {
        my %less = %all;
        delete $less{$key};
        like $api->put('/api/budget/users/zoe', \%less, 400)->{error}, qr/^$key is missing/, "a user's budget has $key";
        $api->put('/api/budget/users/zoe', { %all, $key => undef }, 400);
    }
    $api->call(PUT => '/api/budget/users/zoe', 'max_hourly_usd=1', 415, { 'Content-Type' => 'text/plain' });
    is LF::slurp($file), $text, 'what is wrong changes nothing';
    $api->put('/api/budget', { hourly_limit => 0 }, 200);
};

subtest 'an agent that nobody has set anything of' => sub {
    my $new = $api->post('/api/agents', { manifest_toml => qq(name = "new"\n) }, 201)->{agent_id};
    is_deeply $api->get("/api/budget/agents/$new", 200), { agent_id => $new, agent_name => 'new', (map { $_ => { spend => 0, limit => 0, pct => 0 } } qw(hourly daily monthly)),
        tokens => { used => 0, limit => 0, pct => 0, resets_at => undef } }, 'has spent nothing of nothing';
    my %r = (max_memory_bytes => 268435456, max_cpu_time_ms => 30000, max_tool_calls_per_minute => 60, max_network_bytes_per_hour => 104857600, max_cost_per_hour_usd => 0, max_cost_per_day_usd => 2, max_cost_per_month_usd => 0);
    is_deeply $api->put("/api/budget/agents/$new", { max_cost_per_day_usd => 2 }, 200), \%r, 'has the usual resources, and no tokens of its own';
    is_deeply $api->put("/api/budget/agents/$new", { max_llm_tokens_per_hour => 0 }, 200), { %r, max_llm_tokens_per_hour => 0 }, 'until they are set';
    my @did = grep { $_->{action} eq 'ConfigChange' } @{ $api->get("/api/agents/$new/logs", 200)->{logs} };
    is scalar @did, 2, 'both are in the audit log';
    $api->put('/api/budget', { default_max_llm_tokens_per_hour => 77 }, 200);
    is $api->get("/api/budget/agents/$new", 200)->{tokens}{limit}, 0, 'none of its own is none';
    is $api->get("/api/budget/agents/$id", 200)->{tokens}{limit}, 0, 'so it is of one that was set to 0';
    my $third = $api->post('/api/agents', { manifest_toml => qq(name = "third"\n) }, 201)->{agent_id};
    is $api->get("/api/budget/agents/$third", 200)->{tokens}{limit}, 77, 'one that says nothing has that of all';
    $api->put('/api/budget', { default_max_llm_tokens_per_hour => 0 }, 200);
    for my $verb (qw(GET PUT)) {
        is $api->call($verb => '/api/budget/agents/nobody', $verb eq 'PUT' ? { max_cost_per_day_usd => 1 } : undef, 400)->{code}, 'invalid_agent_id', "$verb: an id that is none";
        is $api->call($verb => '/api/budget/agents/00000000-0000-4000-8000-000000000000', $verb eq 'PUT' ? { max_cost_per_day_usd => 1 } : undef, 404)->{code}, 'agent_not_found', "$verb: nobody's";
    }
};

subtest 'providers are who they are' => sub {
    my $row = sub { my ($name) = @_; my ($p) = grep { $_->{provider} eq $name } @{ $api->get('/api/budget/providers', 200)->{providers} }; return $p };
    is $api->put('/api/budget/providers/OpenAI', { max_tokens_per_hour => 1 }, 200)->{max_tokens_per_hour}, 1, 'any name is taken';
    is $api->put('/api/budget/providers/openai', { max_tokens_per_hour => 5, max_cost_per_day_usd => 2.5 }, 200)->{max_tokens_per_hour}, 5, 'another letter case is another one';
    is_deeply $api->put('/api/budget/providers/openai', {}, 200), { provider => 'openai', max_cost_per_hour_usd => 0, max_cost_per_day_usd => 2.5, max_cost_per_month_usd => 0, max_tokens_per_hour => 5 }, 'nothing answers what there is';
    is_deeply [ map { $row->($_)->{cap_tokens_per_hour} } qw(OpenAI openai) ], [ 1, 5 ], 'each has its own';
    is_deeply $row->('openai'), { provider => 'openai', unconfigured => JSON::PP::false, cap_hourly_usd => 0, cap_daily_usd => 2.5, cap_monthly_usd => 0, cap_tokens_per_hour => 5, spend_hourly_usd => 0,
        spend_daily_usd => 0, spend_monthly_usd => 0, tokens_this_hour => 0, is_exhausted => JSON::PP::false, exhaustion_reason => undef, exhaustion_remaining_ms => undef }, 'and is shown with all of it';
    my @names = map { $_->{provider} } @{ $api->get('/api/budget/providers', 200)->{providers} };
    is "@names", join(' ', sort @names), 'they are in order';
    is_deeply $api->put('/api/budget/providers/never-heard-of', {}, 200), { provider => 'never-heard-of', max_cost_per_hour_usd => 0, max_cost_per_day_usd => 0, max_cost_per_month_usd => 0, max_tokens_per_hour => 0 }, 'nothing for somebody new';
    ok !$row->('never-heard-of'), 'makes nobody known';
    $api->del('/api/budget/providers/openai', 405);
};

subtest 'users' => sub {
    my %l = (max_hourly_usd => 1, max_daily_usd => 2, max_monthly_usd => 3);
    $api->put('/api/budget', { alert_threshold => 0.25 }, 200);
    my $u = $api->get('/api/budget/users/yan', 200);
    is_deeply [ @$u{qw(name role alert_threshold alert_breach enforced)} ], [ 'yan', 'user', 0.8, JSON::PP::false, JSON::PP::false ], 'one without a budget';
    is_deeply $u->{$_}, { spend => 0, limit => 0, pct => 0 }, "  $_" for qw(hourly daily monthly);
    is_deeply $api->put('/api/budget/users/yan', { %l, alert_threshold => 0.4 }, 200), { %l, alert_threshold => 0.4 }, 'gets one';
    $u = $api->get("/api/budget/users/$u->{user_id}", 200);
    is_deeply [ @$u{qw(name alert_threshold enforced)}, map { $u->{$_}{limit} } qw(hourly daily monthly) ], [ 'yan', 0.4, JSON::PP::true, 1, 2, 3 ], 'found by id';
    is $api->get('/api/budget/users/' . uc $u->{user_id}, 200)->{name}, 'yan', '  in any letter case';
    is $api->get('/api/budget/users/YAN', 200)->{user_id}, $u->{user_id}, 'and by name';
    $api->put('/api/budget/users/yan', { max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 9, alert_threshold => 1 }, 200);
    is_deeply [ map { $api->get('/api/budget/users/yan', 200)->{$_}{limit} } qw(hourly daily monthly) ], [ 0, 0, 9 ], 'another one takes its place as a whole';
    for my $q ([ '', 25 ], [ '?limit=', 25 ], [ '?limit=abc', 25 ], [ '?limit=5x', 25 ], [ '?limit=1.5', 25 ], [ '?limit=0', 1 ], [ '?limit=-5', 1 ], [ '?limit=7', 7 ], [ '?limit=1000', 1000 ], [ '?limit=1001', 1000 ], [ '?limit=99999999999999999999', 1000 ]) {
        my $r = $api->get("/api/budget/users$q->[0]", 200);
        is $r->{limit}, $q->[1], "limit: '$q->[0]' is $q->[1]";
    }
    my $r = $api->get('/api/budget/users?limit=1', 200);
    is_deeply [ scalar @{ $r->{users} }, $r->{total} ], [ 1, 2 ], 'the total is of all';
    my %row = map { $_->{name} => $_ } @{ $api->get('/api/budget/users', 200)->{users} };
    is_deeply $row{yan}, { user_id => $u->{user_id}, name => 'yan', hourly_cost_usd => 0, daily_cost_usd => 0, monthly_cost_usd => 0, call_count => 0, limits => { max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 9, alert_threshold => 1 } }, 'a row has all of it';
    for my $n ('nobody', '00000000-0000-4000-8000-000000000000') {
        $api->get("/api/budget/users/$n", 404);
        $api->put("/api/budget/users/$n", { %l, alert_threshold => 0.4 }, 404);
        $api->del("/api/budget/users/$n", 404);
    }
    my %zoe = (Authorization => 'Bearer key-of-zoe');
    $api->call(GET => $_, undef, 403, \%zoe) for '/api/budget/users', '/api/budget/users/zoe';
    $api->call(PUT => '/api/budget/users/zoe', { %l, alert_threshold => 0.4 }, 403, \%zoe);
    $api->call(DELETE => '/api/budget/users/zoe', undef, 403, \%zoe);
    $api->del('/api/budget/users/yan', 204) for 1, 2;
    is $api->get('/api/budget/users/yan', 200)->{enforced}, JSON::PP::false, 'and none is left when it is taken away, once or twice';
};
subtest 'tokens are held at once' => sub {
    my $new = $api->post('/api/agents', { manifest_toml => qq(name = "eager"\n) }, 201)->{agent_id};
    my $ask = sub { return $api->post("/api/agents/$new/message", { message => 'hello' }, $_[0]) };
    $ask->(200);
    # [ row, what limits, what lets go, whose it is ]
    for my $c ([ '/api/budget', { default_max_llm_tokens_per_hour => 1 }, { default_max_llm_tokens_per_hour => 0 }, 'agent' ], [ "/api/budget/agents/$new", { max_llm_tokens_per_hour => 1 }, { max_llm_tokens_per_hour => 0 }, 'agent' ],
        [ '/api/budget/providers/offline', { max_tokens_per_hour => 1 }, { max_tokens_per_hour => 0 }, 'provider' ]) {
        my ($path, $on, $off, $scope) = @$c;
        $api->put($path, $on, 200);
        is_deeply [ @{ $ask->(429)->{details} }{qw(scope window unit limit)} ], [ $scope, 'hourly', 'tokens', 1 ], "$path: of one that runs, too";
        $api->put($path, $off, 200);
        is $ask->(200)->{response} ne '', 1, '  until they are let go';
    }
};

$api->finish;
done_testing;
