#!/usr/bin/perl
# One ledger, and everything that shows a part of it: calls of random agents, users, providers, models and outcomes over seven weeks; then each
# view must be what the exported lines add up to. LF_SEED=n for another ledger.
use strict;
use warnings;
use Digest::SHA ();
use List::Util qw(sum0 min max);
use LF;
use LF::Clock;
use POSIX ();
use Test::More;

my $clock = LF::Clock->new;
my $seed = $ENV{LF_SEED} // 20280301;
srand $seed;
note "LF_SEED=$seed";

# What it is to take stands in the last question: "TAKES in cached out", "TAKES-500", "TAKES-TOOL …".
my $up = LF->mock(other => [ [ qr{/chat/completions$} => sub {
    my @said = @{ $LF::JSON->decode($_[0]{body})->{messages} };
    my ($asked) = map { $LF::JSON->encode($_->{content}) } grep { $_->{role} eq 'user' } reverse @said;
    return { status => 500, body => { error => { message => 'scripted' } } } if $asked =~ /TAKES-500/;
    my $tool = $asked =~ /TAKES-TOOL/ && $said[-1]{role} ne 'tool';
    my ($in, $cached, $out) = $asked =~ /TAKES\S* (\d+) (\d+) (\d+)/ or return;
    return { body => { object => 'chat.completion', usage => { prompt_tokens => $in, completion_tokens => $out, prompt_tokens_details => { cached_tokens => $cached } },
        choices => [ { index => 0, finish_reason => $tool ? 'tool_calls' : 'stop', message => { role => 'assistant', content => $tool ? undef : 'hi',
            $tool ? (tool_calls => [ { id => 'c1', type => 'function', function => { name => 'system_time', arguments => '{}' } } ]) : () } } ] } };
} ] ]);
my @providers = qw(openai groq mistral);
my %models = (openai => [qw(gpt-5 gpt-5-mini)], groq => ['llama-3.3-70b-versatile'], mistral => [qw(mistral-large-latest not-in-the-catalog)]);
my @people = qw(zoe yan);
my $people = join '', map { qq([[users]]\nname = "$_"\nrole = "user"\napi_key_hash = "\$sha256\$@{[ Digest::SHA::sha256_hex("key-of-$_") ]}"\n) } @people;
my $end = '2028-03-01T00:40:00Z';               # a leap day lies within
$clock->from('2028-01-12T00:40:00Z');
my $api = $clock->start(timeout => 60, model => { provider => 'offline', model => 'offline' }, env => { LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0, map { uc($_) . '_API_KEY' => 'sk-x' } @providers },
    config => "[provider_max_retries]\n" . join('', map {"$_ = 0\n"} @providers) . "\n[provider_urls]\n" . join('', map { qq($_ = "@{[ $up->url ]}"\n) } @providers) . "\n$people");
my @agents = map {
    my $p = $providers[ $_ % 3 ];
    $api->post('/api/agents', { manifest_toml => qq(name = "agent-$_"\n[model]\nprovider = "$p"\nmodel = "$models{$p}[0]"\nmax_tokens = 100\n) }, 201)->{agent_id}
} 0 .. 3;

my ($first, $calls) = (LF::Clock::seconds('2028-01-12T00:40:00Z'), 0);
my $last = LF::Clock::seconds($end);
for my $at (sort { $a <=> $b } (map { int($first + rand($last - $first)) } 1 .. 45), (map { int($last - rand 5400) } 1 .. 45)) {
    $clock->by('+' . ($at - $first));
    my $who = (@people, (undef) x 4)[ rand 6 ];
    my %h = ('Content-Type' => 'application/json', $who ? (Authorization => "Bearer key-of-$who") : ());
    my $text = rand() < 0.12 ? 'TAKES-500' : (rand() < 0.4 ? 'TAKES-TOOL' : 'TAKES') . sprintf ' %d %d %d', 1 + rand 5000, rand 900, 1 + rand 800;
    my $p = $providers[ rand 3 ];
    my ($path, $body) = rand() < 0.2 || $who ? ('/v1/chat/completions', { model => "$p/$models{$p}[ rand @{ $models{$p} } ]", max_tokens => 50, messages => [ { role => 'user', content => $text } ] })
        : ("/api/agents/$agents[ rand @agents ]/message", { message => $text });
    my $r = $api->raw(POST => $path, { headers => \%h, content => $LF::JSON->encode($body) });
    $calls++ if $r->{status} == 200 || $r->{status} == 500;
    diag "$path: $r->{status} $r->{content}" if $r->{status} != 200 && $r->{status} != 500;
}
is $calls, 90, 'ninety times a model is asked';

sub lines { my @l = split /\r\n/, $api->raw('GET', '/api/usage/export?format=csv' . ($_[0] // ''))->{content}; my @h = split /,/, shift @l; return map { my %r; @r{@h} = split /,/, $_, -1; \%r } @l }
# Whole nano-dollars, so that sums are exact.
sub nano { my ($usd) = @_; my ($whole, $part) = $usd =~ /^(\d+)\.(\d{9})$/ or die $usd; return $whole * 1_000_000_000 + $part }
sub usd { my ($v) = @_; return sprintf '%.9f', $v }
# "calls in out dollars" of lines; of a view
sub of_lines { return join ' ', scalar @_, sum0(map { $_->{input_tokens} } @_), sum0(map { $_->{output_tokens} } @_), usd(sum0(map { nano($_->{cost_usd}) } @_) / 1e9) }
sub cost { return usd(sum0(map { nano($_->{cost_usd}) } @_) / 1e9) }
sub by { my ($key, @l) = @_; my %of; push @{ $of{ $_->{$key} } }, $_ for @l; return %of }

my (@all, $summary);
sub agree {
    @all = lines();
    my $at = LF::Clock::seconds($end);
    my ($hour, $day, $month) = map { my $from = $_; [ grep { LF::Clock::seconds($_->{timestamp}) >= $from } @all ] } $at - $at % 60 - 3600, $at - $at % 86400, LF::Clock::seconds('2028-03-01T00:00:00Z');
    $summary = $api->get('/api/usage/summary', 200);
    is join(' ', @$summary{qw(call_count total_input_tokens total_output_tokens)}, usd($summary->{total_cost_usd})), of_lines(@all), 'the summary';
    is $summary->{failed_count}, scalar(grep { $_->{status} ne 'ok' } @all), '  what failed';
    is $summary->{total_tool_calls}, sum0(map { $_->{tool_calls} } @all), '  what tools did';

    my %model = by(model => @all);
    my @shown = @{ $api->get('/api/usage/by-model', 200)->{models} };
    is join("\n", map { join ' ', @$_{qw(model call_count total_input_tokens total_output_tokens)}, usd($_->{total_cost_usd}) } sort { $a->{model} cmp $b->{model} } @shown),
        join("\n", map { "$_ " . of_lines(@{ $model{$_} }) } sort keys %model), 'by model';
    is join(' ', map { $_->{model} } @shown), join(' ', map { $_->{model} } sort { $b->{total_cost_usd} <=> $a->{total_cost_usd} || $b->{call_count} <=> $a->{call_count} || $a->{model} cmp $b->{model} } @shown), '  the dearest first';
    for my $m (@{ $api->get('/api/usage/by-model/performance', 200)->{models} }) {
        my @ms = sort { $a <=> $b } map { $_->{latency_ms} } grep { $_->{status} eq 'ok' } @{ $model{ $m->{model} } };
        is join(' ', @$m{qw(call_count total_input_tokens total_output_tokens)}, usd($m->{total_cost_usd})), of_lines(@{ $model{ $m->{model} } }), "  $m->{model}, with its times";
        next if !@ms;
        is_deeply [ @$m{qw(min_latency_ms max_latency_ms)} ], [ $ms[0], $ms[-1] ], '    from the shortest to the longest';
        cmp_ok abs($m->{avg_latency_ms} - sum0(@ms) / @ms), '<', 1e-6, '    and in the middle';
        cmp_ok abs($m->{cost_per_call} - $m->{total_cost_usd} / $m->{call_count}), '<=', 1e-9, '    and what a call costs';
        my $p95 = $ms[ int((@ms * 95 + 99) / 100) - 1 ];
        ok $m->{p95_latency_ms} >= $p95 && $m->{p95_latency_ms} <= min($ms[-1], 1.0325 * $p95 + 1), '    nineteen of twenty are not longer' or diag "$m->{p95_latency_ms}, not $p95";
    }

    my %agent = by(agent_id => @all);
    # some days of it: from the first, to the last, or not said
    for my $r ([ '2028-02-28', '2028-03-01' ], [ '2028-02-29', '2028-02-29' ], [ '2028-01-31', '2028-02-01' ], [ '2028-02-15', '' ], [ '', '2028-01-31' ], [ '2020-01-01', '2040-01-01' ], [ '2020-01-01', '2020-12-31' ], [ '2040-01-01', '' ]) {
        my ($from, $to) = @$r;
        my @some = grep { my $d = substr $_->{timestamp}, 0, 10; $d ge $from && $d le ($to || '9999') } @all;
        my $q = "start_date=$from&end_date=$to";
        my $s = $api->get("/api/usage/summary?$q", 200);
        is join(' ', @$s{qw(call_count total_input_tokens total_output_tokens)}, usd($s->{total_cost_usd}), @$s{qw(failed_count total_tool_calls)}),
            join(' ', of_lines(@some), scalar(grep { $_->{status} ne 'ok' } @some), sum0(map { $_->{tool_calls} } @some)), "from '$from' to '$to'";
        is scalar(lines("&$q")), scalar @some, '  the file has as many lines';
        my %of = by(model => @some);
        for my $row ('', '/performance') {
            is join("\n", map { join ' ', @$_{qw(model call_count total_input_tokens total_output_tokens)}, usd($_->{total_cost_usd}) } sort { $a->{model} cmp $b->{model} } @{ $api->get("/api/usage/by-model$row?$q", 200)->{models} }),
                join("\n", map { "$_ " . of_lines(@{ $of{$_} }) } sort keys %of), "  by model$row";
        }
        %of = by(agent_id => @some);
        my @items = @{ $api->get("/api/usage?$q", 200)->{items} };
        is join("\n", map { join ' ', @$_{qw(agent_id call_count input_tokens output_tokens)}, usd($_->{cost}), $_->{tool_calls} } @items), join("\n", map { my @l = @{ $of{ $_->{agent_id} } // [] }; join ' ', $_->{agent_id}, of_lines(@l), sum0(map { $_->{tool_calls} } @l) } @items), '  of agents';
        %of = by(date => map { { %$_, date => substr $_->{timestamp}, 0, 10 } } @some);
        is join(' ', map { join ':', @$_{qw(date calls tokens)}, usd($_->{cost_usd}) } @{ $api->get("/api/usage/daily?$q", 200)->{days} }),
            join(' ', map { my @l = @{ $of{$_} }; join ':', $_, scalar @l, sum0(map { $_->{input_tokens} + $_->{output_tokens} } @l), cost(@l) } sort keys %of), '  by day';
    }
    my %day = by(date => map { { %$_, date => substr $_->{timestamp}, 0, 10 } } @all);
    my @last = map { POSIX::strftime('%Y-%m-%d', gmtime($at - $_ * 86400)) } reverse 0 .. 6;
    my $d = $api->get('/api/usage/daily', 200);
    is join("\n", map { join ' ', $_->{date}, $_->{calls}, $_->{tokens}, usd($_->{cost_usd}) } @{ $d->{days} }),
        join("\n", map { my @l = @{ $day{$_} }; join ' ', $_, scalar @l, sum0(map { $_->{input_tokens} + $_->{output_tokens} } @l), cost(@l) } grep { $day{$_} } @last), 'by day';
    is usd($d->{today_cost_usd}), cost(@$day), '  today';
    is $d->{first_event_date}, $all[0]{timestamp}, '  since the first of them';

    my $items = $api->get('/api/usage', 200)->{items};
    for my $agent (@$items) {
        my @l = @{ $agent{ $agent->{agent_id} } // [] };
        is join(' ', @$agent{qw(call_count input_tokens output_tokens)}, usd($agent->{total_cost_usd}), $agent->{tool_calls}, $agent->{total_tokens}), join(' ', of_lines(@l), sum0(map { $_->{tool_calls} } @l), sum0(map { $_->{input_tokens} + $_->{output_tokens} } @l)), "of $agent->{name}";
        my $its = $api->get("/api/budget/agents/$agent->{agent_id}", 200);
        for my $w ([ hourly => $hour ], [ daily => $day ], [ monthly => $month ]) { is usd($its->{ $w->[0] }{spend}), cost(grep { $_->{agent_id} eq $agent->{agent_id} } @{ $w->[1] }), "  $w->[0]" }
    }
    my @of_today = map { $_->{daily_cost_usd} } @{ $api->get('/api/budget/agents', 200)->{items} };
    is "@of_today", join(' ', sort { $b <=> $a } @of_today), 'agents that cost something today, who most first';
    my %today = map { $_->{agent_id} => usd($_->{daily_cost_usd}) } @{ $api->get('/api/budget/agents', 200)->{items} };
    my %spent = map { my $id = $_; my $c = cost(grep { $_->{agent_id} eq $id } @$day); $c > 0 && (grep { $_->{agent_id} eq $id } @$items) ? ($id => $c) : () } keys %agent;
    is_deeply \%today, \%spent, '  all of them';

    my $budget = $api->get('/api/budget', 200);
    for my $w ([ hourly => $hour ], [ daily => $day ], [ monthly => $month ]) {
        my ($name, $lines) = @$w;
        is usd($budget->{"${name}_spend"}), cost(@$lines), "the budget, $name";
        is $budget->{"${name}_tokens"}, sum0(map { $_->{input_tokens} + $_->{output_tokens} } @$lines), '  in tokens';
    }
    is usd($api->get('/api/health/detail', 200)->{budget}{daily_spend_usd}), cost(@$day), '  as health says';
    my %of = by(provider => @$month);
    for my $p (@{ $api->get('/api/budget/providers', 200)->{providers} }) {
        my @of = map { my $l = $_; [ grep { $_->{provider} eq $p->{provider} } @$l ] } $hour, $day, $month;
        is join(' ', map { usd($p->{"spend_${_}_usd"}) } qw(hourly daily monthly)), join(' ', map { cost(@$_) } @of), "of $p->{provider}";
        is $p->{tokens_this_hour}, sum0(map { $_->{input_tokens} + $_->{output_tokens} } @{ $of[0] }), '  in tokens';
        delete $of{ $p->{provider} };
    }
    is join(' ', sort keys %of), '', 'each of this month is there';
    %of = by(user_id => grep { length $_->{user_id} } @$month);
    my $users = $api->get('/api/budget/users?limit=1000', 200)->{users};
    is join(' ', map { $_->{user_id} } @$users), join(' ', map { $_->{user_id} } sort { $b->{daily_cost_usd} <=> $a->{daily_cost_usd} || $b->{monthly_cost_usd} <=> $a->{monthly_cost_usd} || $a->{user_id} cmp $b->{user_id} } @$users), 'users, who spent most first';
    for my $u (@$users) {
        my @of = map { my $l = $_; [ grep { $_->{user_id} eq $u->{user_id} } @$l ] } $hour, $day, $month;
        is join(' ', map { usd($u->{"${_}_cost_usd"}) } qw(hourly daily monthly)), join(' ', map { cost(@$_) } @of), 'of ' . ($u->{name} // 'root');
        is $u->{call_count}, scalar @{ $of[2] }, '  so often';
        next if !defined $u->{name};
        my $one = $api->get("/api/budget/users/$u->{name}", 200);
        is join(' ', map { usd($one->{$_}{spend}) } qw(hourly daily monthly)), join(' ', map { cost(@$_) } @of), '  alone, too';
        delete $of{ $u->{user_id} };
    }
    delete $of{'00000000-0000-0000-0000-72006f0074a0'};
    is join(' ', keys %of), '', 'each who spent is there';

    my $metrics = $api->raw('GET', '/api/metrics')->{content};
    for my $m (sort keys %model) {
        is usd(($metrics =~ /^librefang_llm_cost_usd_total\{model="\Q$m\E"\} (\S+)$/m)[0] // -1), cost(@{ $model{$m} }), "metrics of $m";
        my ($ok, $failed) = map { ($metrics =~ /^librefang_llm_calls_total\{model="\Q$m\E",outcome="$_"\} (\d+)$/m)[0] // 0 } qw(ok failed);
        is $ok + $failed, scalar @{ $model{$m} }, '  its calls';
    }
    is sum0($metrics =~ /^librefang_tool_calls\{[^}]*\} (\d+)$/mg), sum0(map { $_->{tool_calls} } grep { LF::Clock::seconds($_->{timestamp}) > $at - 3600 } @all), '  and what tools did in the last hour';
    return;
}
$clock->at($end);
subtest 'a ledger of seven weeks' => \&agree;
cmp_ok scalar(grep { $_->{status} ne 'ok' } @all), '>', 3, 'some failed';
cmp_ok $summary->{total_tool_calls}, '>', 5, 'some used tools';
my %months = map { substr($_->{timestamp}, 0, 7) => 1 } @all;
is_deeply [ sort keys %months ], [qw(2028-01 2028-02 2028-03)], 'in three months';
$api->del("/api/agents/$agents[0]?confirm=true", 200);
$clock->at($end);
subtest 'when one of the agents is gone' => \&agree;
$api->restart;
$clock->at($end);
subtest 'after a restart' => \&agree;
$api->finish;
done_testing;
