#!/usr/bin/perl
# What is remembered of a provider that failed, of a pause that it asked for, and of keys that
# take turns; by all turns at once, and after a restart.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my %env = (LF_LLM_RETRY_MS => 5, LF_SECOND_KEY => 'sk-second');
my $second = LF->mock(default => { text => 'second' });
my $limits = qq([provider_request_timeout_secs]\nopenai = 60\n[provider_urls]\nsecond = "@{[$second->url]}"\n);
my $fallback = qq([[fallback_providers]]\nprovider = "second"\nmodel = "second-model"\napi_key_env = "LF_SECOND_KEY"\n);
my ($api, $n) = (undef, 0);

sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "f-' . ++$n . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
sub say_to { my ($text, $id) = @_; $id //= agent(); return $api->raw(POST => "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) }) }

subtest 'what failed is left alone' => sub {
    my $fails = LF->mock(default => { status => 502 });
    $api = LF->start(model => $fails, env => \%env, config => "$limits$fallback");
    is say_to('hello')->{json}{response}, 'second', 'the next one answers';
    my $was = @{ $fails->chats };
    is say_to('hello')->{json}{response}, 'second', 'and again';
    is scalar(@{ $fails->chats }), $was, 'without asking the first';
    $api->restart;
    is say_to('hello')->{json}{response}, 'second', 'after a restart';
    is scalar(@{ $fails->chats }), $was, 'that is still known';
    $api->finish;
    $api = LF->start(model => $fails, env => \%env, config => $limits);
    is say_to('hello')->{status}, 500, 'who is alone';
    is say_to('hello')->{status}, 500, 'is asked all the same';
    is scalar(@{ $fails->chats }), $was + 2, 'each time';
    say_to('hello') for 1 .. 3;
    $was = @{ $fails->chats };
    like say_to('hello')->{json}{error}, qr/in cooldown, retry in \d+ s/, 'but not for ever';
    is scalar(@{ $fails->chats }), $was, 'then it is not asked';
    $api->finish;
};

subtest 'a pause that the provider asks for' => sub {
    my $busy = LF->mock(default => { status => 429, headers => { 'Retry-After' => 600 } });
    $api = LF->start(model => $busy, env => \%env, config => "$limits\n[provider_max_retries]\nopenai = 0\n");
    my $r = say_to('hello');
    is $r->{status}, 429, 'is told';
    my $was = @{ $busy->chats };
    $r = say_to('hello');
    is "$r->{status} $r->{json}{code}", '429 rate_limited', 'and kept';
    cmp_ok $r->{headers}{'retry-after'}, '>', 500, 'for as long';
    is scalar(@{ $busy->chats }), $was, 'by everybody';
    my $seen = sub { my ($p) = grep { $_->{provider} eq 'openai' } @{ $api->get('/api/budget/providers', 200)->{providers} }; return $p };
    my $p = $seen->();
    is_deeply [ @$p{qw(is_exhausted exhaustion_reason)} ], [ JSON::PP::true, 'rate_limited' ], 'it shows as exhausted';
    ok $p->{exhaustion_remaining_ms} > 500_000 && $p->{exhaustion_remaining_ms} <= 600_000, 'and for how long';
    $api->post('/api/providers/openai/key', { key => 'sk-of-another-account' }, 200);
    is_deeply [ @{ $seen->() }{qw(is_exhausted exhaustion_reason exhaustion_remaining_ms)} ], [ JSON::PP::false, undef, undef ], 'with another key it is not';
    $api->finish;
};

subtest 'who is exhausted' => sub {
    my $says = LF->mock(default => { text => 'served' }, key => { 'sk-poor' => { status => 402 }, 'sk-wrong' => { status => 401 }, 'sk-bad' => { status => 502 } });
    my $seen = sub { my ($p) = grep { $_->{provider} eq 'openai' } @{ $api->get('/api/budget/providers', 200)->{providers} }; return [ @$p{qw(is_exhausted exhaustion_reason)} ] };
    my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
    $api = LF->start(model => $says, env => \%env, config => $limits);
    for my $key ([ 'sk-fine' => $no, undef ], [ 'sk-poor' => $yes, 'quota_exceeded' ], [ 'sk-wrong' => $yes, 'auth_failed' ], [ 'sk-bad' => $no, undef ]) {
        my ($name, @is) = @$key;
        $api->post('/api/providers/openai/key', { key => $name }, 200);
        say_to('hello');
        is_deeply $seen->(), \@is, "$name: " . ($is[1] // 'it is not');
    }
    $api->finish;
    my $pool = qq([[credential_pools]]\nprovider = "openai"\n) . join '', map { qq([[credential_pools.keys]]\napi_key_env = "POOL_$_"\nlabel = "\L$_"\n) } qw(POOR GOOD);
    $api = LF->start(model => $says, env => { %env, POOL_POOR => 'sk-poor', POOL_GOOD => 'sk-good' }, config => "$limits$pool");
    is say_to('hello')->{json}{response}, 'served', 'of several keys';
    is_deeply $seen->(), [ $no, undef ], 'one that is good is enough';
    $api->finish;
    $api = LF->start(model => $says, env => { %env, POOL_POOR => 'sk-poor' }, config => "$limits$pool");
    say_to('hello');
    is_deeply $seen->(), [ $yes, 'quota_exceeded' ], 'without one it is';
    $api->finish;
};

subtest 'several keys' => sub {
    my $keys = LF->mock(default => { text => 'served' }, key => { 'sk-limited' => { status => 429 }, 'sk-poor' => { status => 402 }, 'sk-wrong' => { status => 401 } });
    my $pool = qq([[credential_pools]]\nprovider = "openai"\nstrategy = "fill_first"\n) . join '', map { qq([[credential_pools.keys]]\napi_key_env = "POOL_$_"\nlabel = "\L$_"\n) } qw(LIMITED POOR WRONG GOOD);
    my $start = sub { my ($more) = @_; return LF->start(model => $keys, env => { %env, POOL_LIMITED => 'sk-limited', POOL_POOR => 'sk-poor', POOL_WRONG => 'sk-wrong', POOL_GOOD => 'sk-good-1234567890' }, config => $more // $pool) };
    $api = $start->();
    is say_to('hello')->{json}{response}, 'served', 'one of them serves';
    is join(' ', map { $_->{headers}{authorization} =~ s/Bearer sk-//r } @{ $keys->chats }), 'limited poor wrong good-1234567890', 'each was tried once, at once';
    is say_to('hello')->{json}{response}, 'served', 'again';
    is scalar(@{ $keys->chats }), 5, 'by the good one';
    is $api->post('/v1/chat/completions', { model => 'openai/mock-model', messages => [ { role => 'user', content => 'hi' } ] }, 200)->{choices}[0]{message}{content}, 'served', 'straight to a model too';
    my $p = $api->get('/api/credential-pools', 200)->[0];
    is_deeply [ @$p{qw(provider strategy available_count total_count)} ], [ 'openai', 'fill_first', 1, 4 ], 'it is seen how they are';
    my %by = map { $_->{label} => $_ } @{ $p->{credentials} };
    is $by{wrong}{cooldown_remaining_secs}, 'permanent', 'a refused one rests for good';
    cmp_ok $by{limited}{cooldown_remaining_secs}, '>', 3500, 'a limited one for an hour';
    cmp_ok $by{poor}{cooldown_remaining_secs}, '>', 86000, 'one without money for a day';
    is_deeply [ @{ $by{good} }{qw(key_hint request_count is_exhausted cooldown_remaining_secs)} ], [ '****7890', 3, JSON::PP::false, undef ], 'the good one has served three times';
    $api->restart;
    is say_to('hello')->{json}{response}, 'served', 'after a restart';
    is scalar(@{ $keys->chats }), 7, 'nothing is forgotten';
    $api->finish;
    my $round = $pool =~ s/fill_first/round_robin/r =~ s/POOL_(?:LIMITED|POOR|WRONG)/POOL_GOOD_$&/gr;
    my $was = @{ $keys->chats };
    $api = LF->start(model => $keys, env => { %env, map { ("POOL_GOOD_POOL_$_" => 'sk-' . lc $_ . '-good', POOL_GOOD => 'sk-good') } qw(LIMITED POOR WRONG) }, config => $round);
    say_to('hello') for 1 .. 8;
    my %used;
    $used{ $_->{headers}{authorization} }++ for @{ $keys->chats }[ $was .. $was + 7 ];
    is_deeply [ sort values %used ], [ 2, 2, 2, 2 ], 'or each in its turn';
    $api->finish;
};

# How long it rests, by its row: it has failed so often.
sub rests { my $db = $api->home . '/data/librefang-c.db'; return qx{python3 -c 'import sqlite3,sys
for r in sqlite3.connect(sys.argv[1]).execute("SELECT failures, (until_ms - failed_ms + 500) / 1000 FROM provider_rest WHERE until_ms > 0"): print(*r)' '$db'} }

subtest 'each time for longer' => sub {
    plan skip_all => 'python3 is not installed' if system('python3 -c pass >/dev/null 2>&1') != 0;
    for my $row ([ 502, 60, 300, 1500, 3600, 3600 ], [ 402, 18000, 36000, 72000, 86400, 86400 ]) {
        my ($status, @want) = @$row;
        my $up = LF->mock(default => { status => $status });
        my @got;
        $api = LF->start(model => $up, env => { LF_LLM_RETRY_MS => 5 }, config => $limits);
        for (1 .. 5) { say_to('hello'); push @got, rests() =~ s/\n//r }
        is_deeply \@got, [ map { "$_ $want[$_ - 1]" } 1 .. 5 ], "after $status: @want seconds";
        $api->finish;
    }
};
done_testing;
