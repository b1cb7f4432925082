#!/usr/bin/perl
# What an Ollama tells of its models, and what is known of them then.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my $up = LF->mock(other => [ [ qr{^/api/tags$} => { body => { models => [
    { name => 'llava:7b', size => 4_700_000_000, details => { family => 'llama', families => [ 'llama', 'clip' ], parameter_size => '7B', quantization_level => 'Q4_0' } },
    { name => 'seer:3b', capabilities => [qw(completion vision)] },
    { name => 'plain:1b' },
    { name => 'maker:1b', capabilities => ['embedding'] },
    (map { { name => $_ } } qw(qwq:32b deepseek-r1:7b r1:1b qwen3:8b marco-o1:7b r1x:1b)),
    { name => '' }, { name => 'x' x 4000 }, 7, { size => 3 },
] } } ] ]);
my $api = LF->start(config => qq([provider_urls]\nollama = "@{[$up->url]}"\n));
$api->put('/api/providers/ollama/url', { base_url => $up->url }, 200);
my $p = $api->get('/api/providers/ollama', 200);
is_deeply $p->{discovered_models}, [qw(llava:7b seer:3b plain:1b maker:1b qwq:32b deepseek-r1:7b r1:1b qwen3:8b marco-o1:7b r1x:1b)], 'what can be a model is one';
is_deeply $p->{discovered_model_info}[0], { name => 'llava:7b', size => 4_700_000_000, family => 'llama', families => [ 'llama', 'clip' ], parameter_size => '7B', quantization_level => 'Q4_0' },
    'and told with what it said of itself';
my %m = map { $_->{id} => $_ } @{ $api->get('/api/models?provider=ollama', 200)->{models} };
is_deeply [ sort keys %m ], [ sort @{ $p->{discovered_models} } ], 'all are in the catalog';
is_deeply [ @{ $m{'plain:1b'} }{qw(tier context_window max_output_tokens input_cost_per_m output_cost_per_m pricing_known)} ], [ 'local', 131_072, 16_384, 0, 0, JSON::PP::true ], 'with what local ones have, for nothing';
my $can = sub { my ($what) = @_; return join ' ', sort grep { $m{$_}{"supports_$what"} } keys %m };
is $can->('vision'), 'llava:7b seer:3b', 'those see that have clip, or say so';
is $can->('thinking'), 'deepseek-r1:7b marco-o1:7b qwen3:8b qwq:32b r1:1b', 'those think that are known to';
is join(' ', grep { !$m{$_}{supports_tools} } sort keys %m), 'maker:1b', 'all use tools but the one that makes vectors';
$api->finish;
done_testing;
