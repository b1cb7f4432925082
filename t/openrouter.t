#!/usr/bin/perl
# OpenRouter's models come and go: its list takes the place of the shipped one, with the prices of today, and stays when it fails.
use strict;
use warnings;
use LF;
use Test::More;

my %row = (pricing => { prompt => '0.000002', completion => '0.000008' }, context_length => 64000, top_provider => { max_completion_tokens => 4000 },
    supported_parameters => [qw(tools reasoning)], architecture => { input_modalities => [qw(text image)] });
my $up = LF->mock(models => [ { id => 'acme/new-one', name => 'Acme: New One', %row }, { id => 'meta-llama/llama-3.3-70b-instruct:free', name => 'Llama', %row },
    { id => 'openrouter/auto', name => 'Auto', pricing => { prompt => '-1', completion => '-1' } }, { id => 'acme/odd', name => 'Odd', pricing => 'free' }, 7, {} ]);
my $url = $up->base . '/api/v1';
my %start = (model => { provider => 'offline', model => 'offline' }, config => qq([provider_urls]\nopenrouter = "$url"\n));
sub models { my ($api) = @_; return map { $_->{id} => $_ } @{ $api->get('/api/models?provider=openrouter&limit=1000', 200)->{models} } }

subtest 'without a key' => sub {
    my $api = LF->start(%start);
    my %m = models($api);
    ok keys %m > 20, 'the shipped ones are listed';
    is scalar @{ $up->requests }, 0, 'and nobody is asked';
    $api->finish;
};

subtest 'with one' => sub {
    my $api = LF->start(%start, env => { OPENROUTER_API_KEY => 'sk-or' });
    my %m;
    ok $api->wait_for(sub { %m = models($api); exists $m{'acme/new-one'} }), 'its list is fetched';
    is_deeply [ sort keys %m ], [ sort 'acme/new-one', 'acme/odd', 'openrouter/auto', 'openrouter/meta-llama/llama-3.3-70b-instruct:free' ], 'and is all that there is';
    my $new = $m{'acme/new-one'};
    is_deeply [ @$new{qw(display_name input_cost_per_m output_cost_per_m context_window max_output_tokens tier)} ], [ 'Acme: New One', 2, 8, 64000, 4000, 'balanced' ], 'with prices and limits';
    ok $new->{$_}, "  $_" for qw(supports_tools supports_thinking supports_vision available pricing_known);
    ok !$m{$_}{pricing_known}, "$_ has no price, and is not free" for 'acme/odd', 'openrouter/auto';
    is $m{'openrouter/meta-llama/llama-3.3-70b-instruct:free'}{input_cost_per_m}, 2, 'what was shipped has the price of today';
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "r"\n[model]\nprovider = "openrouter"\nmodel = "acme/new-one"\n) }, 201)->{agent_id};
    my $r = $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    is $up->chats->[-1]{json}{model}, 'acme/new-one', 'it can be asked';
    cmp_ok abs($r->{cost_usd} - (12 * 2 + 7 * 8) / 1e6), '<', 1e-12, 'for what it costs';
    $api->post('/api/providers/openrouter/default', { model => 'acme/never-offered' }, 400);
    is $api->post('/api/providers/openrouter/default', { model => 'acme/new-one' }, 200)->{model}, 'acme/new-one', 'what it offers can be the default';
    $api->post('/api/providers/offline/default', undef, 200);
    my $asked = grep { $_->{path} =~ m{/models$} } @{ $up->requests };
    is $api->post('/api/providers/openrouter/test', {}, 200)->{provider}, 'openrouter', 'a test';
    is scalar(grep { $_->{path} =~ m{/models$} } @{ $up->requests }), $asked, '  asks about the key, not for the list';
    $up->stop;
    $api->restart;
    %m = models($api);
    ok exists $m{'acme/new-one'}, 'when it is not there the last list stays';
    $api->finish;
};
done_testing;
