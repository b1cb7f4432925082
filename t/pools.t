#!/usr/bin/perl
# Keys that take turns: who goes first, and how long one that has reached its limit is left alone.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my $up = LF->mock(default => { text => 'served' }, key => { 'sk-limited' => { status => 429 } });
my %env = (LF_LLM_RETRY_MS => 5, POOL_A => 'sk-a', POOL_B => 'sk-b', POOL_LIMITED => 'sk-limited');
my ($api, $id, $n) = (undef, undef, 0);

sub start_with {
    my ($strategy, @keys) = @_;
    my $pool = qq([[credential_pools]]\nprovider = "openai"\nstrategy = "$strategy"\n) . join '', map { qq([[credential_pools.keys]]\napi_key_env = "$_->[0]"\nlabel = "$_->[0]"\npriority = $_->[1]\n) } @keys;
    $api = LF->start(model => $up, env => \%env, config => $pool);
    $id = $api->post('/api/agents', { manifest_toml => qq(name = "p"\n) }, 201)->{agent_id};
    return;
}
sub keys_of { my ($times) = @_; my $was = @{ $up->chats }; $api->post("/api/agents/$id/message", { message => 'hello' }, 200) for 1 .. $times; my @c = @{ $up->chats }; return map { $_->{headers}{authorization} =~ s/Bearer sk-//r } @c[ $was .. $#c ] }

start_with('fill_first', [ POOL_A => 0 ], [ POOL_LIMITED => 9 ], [ POOL_B => 5 ]);
is join(' ', keys_of(1)), 'limited b', 'the highest priority goes first, the next one after it';
is join(' ', keys_of(2)), 'b b', 'and stays';
is_deeply [ map { $_->{label} } @{ $api->get('/api/credential-pools', 200)->[0]{credentials} } ], [qw(POOL_LIMITED POOL_B POOL_A)], 'they are shown in that order';
$api->finish;

start_with('least_used', [ POOL_A => 0 ], [ POOL_B => 0 ]);
is join(' ', sort(keys_of(6))), 'a a a b b b', 'least_used: each as often as the other';
is_deeply [ map { $_->{request_count} } @{ $api->get('/api/credential-pools', 200)->[0]{credentials} } ], [ 3, 3 ], 'which is counted';
$api->finish;

start_with('random', [ POOL_A => 0 ], [ POOL_B => 0 ]);
my %used;
$used{$_}++ for keys_of(30);
is_deeply [ sort keys %used ], [qw(a b)], 'random: both';
$api->finish;

# Only the head of the answer says how long.
my $busy = LF->mock(default => { status => 429, headers => { 'x-ratelimit-remaining-requests' => 0, 'x-ratelimit-reset-requests' => '15m0s', 'x-ratelimit-remaining-tokens' => 9000, 'x-ratelimit-reset-tokens' => '20s' } });
$api = LF->start(model => $busy, env => \%env);
$id = $api->post('/api/agents', { manifest_toml => qq(name = "p"\n) }, 201)->{agent_id};
$api->post("/api/agents/$id/message", { message => 'hello' }, 429);
is $api->last->{headers}{'retry-after'}, 900, 'a limit that only the head tells of is told on';
is scalar(@{ $busy->chats }), 1, 'it is too long to wait for';
$api->post("/api/agents/$id/message", { message => 'hello' }, 429);
is scalar(@{ $busy->chats }), 1, 'and nobody asks before it is over';
my ($p) = grep { $_->{provider} eq 'openai' } @{ $api->get('/api/budget/providers', 200)->{providers} };
ok $p->{is_exhausted} && $p->{exhaustion_remaining_ms} > 800_000 && $p->{exhaustion_remaining_ms} <= 900_000, 'it shows for how long';
$api->finish;
done_testing;
