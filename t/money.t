#!/usr/bin/perl
# What a call costs, to the nano-dollar: each wire format says in its own words what was read, cached, written, thought, seen and heard, and
# the ledger has what the shipped prices make of it by hand.
use strict;
use warnings;
use File::Temp ();
use LF;
use POSIX ();
use Test::More;

LF::needed();

# A stream of JSON.
sub sse { return join '', map { my ($type) = /"type":"([^"]+)"/; ($type ? "event: $type\n" : '') . "data: $_\n\n" } @_ }
sub chat { my ($usage, $text) = @_; return qq({"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"@{[ $text // 'hi' ]}"},"finish_reason":"stop"}],"usage":$usage}) }
sub chat_stream { my ($usage) = @_; return sse('{"choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}', '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', qq({"choices":[],"usage":$usage}), '[DONE]') }
sub claude { return qq({"type":"message","role":"assistant","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":$_[0]}) }
sub claude_begins { return qq({"type":"message_start","message":{"role":"assistant","content":[],"usage":$_[0]}}), '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}' }
sub claude_says { return qq({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"$_[0]"}}) }
sub claude_stream { my ($first, $last) = @_; return sse(claude_begins($first), claude_says('hi'), qq({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":$last}), '{"type":"message_stop"}') }
sub gemini { return qq({"candidates":[{"content":{"role":"model","parts":[{"text":"hi"}]},"finishReason":"STOP"}],"usageMetadata":$_[0]}) }
sub response { return sse('{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hi"}', qq({"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"usage":$_[0]}})) }
sub cohere { return qq({"id":"x","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},"usage":$_[0]}) }
sub bedrock { return qq({"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":$_[0]}) }

my $gpt = '{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"prompt_tokens_details":{"cached_tokens":400},"completion_tokens_details":{"reasoning_tokens":150}}';
my $hour = '"cache_read_input_tokens":30,"cache_creation_input_tokens":5,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":2}';
my $g25 = '{"promptTokenCount":200,"cachedContentTokenCount":100,"toolUsePromptTokenCount":40,"candidatesTokenCount":20,"thoughtsTokenCount":5,"totalTokenCount":265}';
my ($long, $HOUR) = ('word ' x 80, [ [ 10 => 3000 ], [ 30 => 300 ], [ 3 => 3750 ], [ 2 => 6000 ], [ 7 => 15000 ] ]);

# [ name, provider/model, its shipped prices (dollars a million tokens in, out; undef: the catalog does not have it), what it answers, tokens in, out,
#   each part of them and nano-dollars a token, status and estimated when they are not ok and false ]
my @cases = (
    [ 'OpenAI',                                 'openai/gpt-5',        [ 1.25, 10 ], chat('{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200}'), 1000, 200, [ [ 1000 => 1250 ], [ 200 => 10000 ] ] ],
    [ 'OpenAI, cached, thinking within',        'openai/gpt-5',        [ 1.25, 10 ], chat($gpt), 1000, 200, [ [ 600 => 1250 ], [ 400 => 125 ], [ 200 => 10000 ] ] ],
    [ 'the same, streamed',                     'openai/gpt-5',        [ 1.25, 10 ], chat_stream($gpt), 1000, 200, [ [ 600 => 1250 ], [ 400 => 125 ], [ 200 => 10000 ] ] ],
    [ 'written to a cache, as routers say it',  'openai/gpt-5.4',      [ 2.5, 15 ], chat('{"prompt_tokens":100,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":40,"cache_write_tokens":8}}'), 100, 10,
        [ [ 52 => 2500 ], [ 40 => 250 ], [ 8 => 3125 ], [ 10 => 15000 ] ] ],
    [ 'more cached than read',                  'openai/gpt-5',        [ 1.25, 10 ], chat('{"prompt_tokens":100,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":140}}'), 100, 1, [ [ 140 => 125 ], [ 1 => 10000 ] ] ],
    [ 'pictures, in and out',                   'openai/gpt-image-2',  [ 5, 10 ], chat('{"prompt_tokens":1000,"completion_tokens":500,"prompt_tokens_details":{"image_tokens":600},"completion_tokens_details":{"image_tokens":400}}'), 1000, 500,
        [ [ 400 => 5000 ], [ 600 => 8000 ], [ 100 => 10000 ], [ 400 => 30000 ] ] ],
    [ 'pictures that are cached in part',       'openai/gpt-image-2',  [ 5, 10 ], chat('{"prompt_tokens":1000,"completion_tokens":1,"prompt_tokens_details":{"image_tokens":600,"cached_tokens":700}}'), 1000, 1,
        [ [ 300 => 8000 ], [ 700 => 500 ], [ 1 => 10000 ] ] ],
    [ 'a part of a nano-dollar is a whole one', 'groq/llama-3.3-70b-versatile', [ 0.059, 0.079 ], chat('{"prompt_tokens":4,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":3}}'), 4, 1, [ [ 1 => 59 ], [ 3 => 5.9 ], [ 1 => 79 ] ] ],
    [ 'DeepSeek',                               'deepseek/deepseek-chat', [ 0.32, 0.89 ], chat('{"prompt_tokens":100,"completion_tokens":5,"prompt_cache_hit_tokens":64,"prompt_cache_miss_tokens":36}'), 100, 5, [ [ 36 => 320 ], [ 64 => 32 ], [ 5 => 890 ] ] ],
    [ 'Grok, thinking apart',                   'xai/grok-4-0709',     [ 3, 15 ], chat('{"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,"completion_tokens_details":{"reasoning_tokens":94}}'), 32, 103, [ [ 32 => 3000 ], [ 103 => 15000 ] ] ],
    [ 'Claude, cached for five minutes and an hour', 'anthropic/claude-sonnet-4-6', [ 3, 15 ], claude(qq({"input_tokens":10,$hour,"output_tokens":7})), 45, 7, $HOUR ],
    [ 'the same, streamed',                     'anthropic/claude-sonnet-4-6', [ 3, 15 ], claude_stream(qq({"input_tokens":10,$hour,"output_tokens":1}), '{"output_tokens":7}'), 45, 7, $HOUR ],
    [ 'the same, all of it told at the end',    'anthropic/claude-sonnet-4-6', [ 3, 15 ], claude_stream('{"input_tokens":0,"output_tokens":0}', qq({"input_tokens":10,$hour,"output_tokens":7})), 45, 7, $HOUR ],
    [ 'Claude, cut in the middle',              'anthropic/claude-sonnet-4-6', [ 3, 15 ], sse(claude_begins(qq({"input_tokens":10,$hour,"output_tokens":1})), claude_says($long)), 45, 100,
        [ @$HOUR[ 0 .. 3 ], [ 100 => 15000 ] ], 'failed true' ],
    [ 'Gemini, cached, thinking, with a tool of its own', 'gemini/gemini-2.5-pro', [ 1.25, 10 ], gemini($g25), 240, 25, [ [ 140 => 1250 ], [ 100 => 125 ], [ 25 => 10000 ] ] ],
    [ 'the same, streamed',                     'gemini/gemini-2.5-pro', [ 1.25, 10 ], sse('{"candidates":[{"content":{"parts":[{"text":"h"}]}}],"usageMetadata":{"promptTokenCount":200,"totalTokenCount":200}}', gemini($g25)), 240, 25,
        [ [ 140 => 1250 ], [ 100 => 125 ], [ 25 => 10000 ] ] ],
    [ 'Gemini, that hears',                     'gemini/gemini-2.5-flash', [ 0.3, 2.5 ], gemini('{"promptTokenCount":300,"candidatesTokenCount":20,"promptTokensDetails":[{"modality":"TEXT","tokenCount":42},{"modality":"AUDIO","tokenCount":258}]}'), 300, 20,
        [ [ 300 => 300 ], [ 20 => 2500 ] ] ],
    [ 'Codex, thinking within',                 'chatgpt/gpt-5.3-codex', [ 1.75, 14 ], response('{"input_tokens":100,"input_tokens_details":{"cached_tokens":40},"output_tokens":25,"output_tokens_details":{"reasoning_tokens":5}}'), 100, 25,
        [ [ 60 => 1750 ], [ 40 => 175 ], [ 25 => 14000 ] ] ],
    [ 'a subscription without prices',          'chatgpt/gpt-5.5-codex', [ 0, 0 ], response('{"input_tokens":100,"output_tokens":25}'), 100, 25, [ [ 100 => 1000 ], [ 25 => 3000 ] ] ],
    [ 'Cohere, by what it bills',               'cohere/command-a',    [ 2.5, 10 ], cohere('{"billed_units":{"input_tokens":5,"output_tokens":418},"tokens":{"input_tokens":71,"output_tokens":421},"cached_tokens":16}'), 5, 418, [ [ 5 => 2500 ], [ 418 => 10000 ] ] ],
    [ 'Cohere, that bills nothing in particular', 'cohere/command-a',  [ 2.5, 10 ], cohere('{"tokens":{"input_tokens":71,"output_tokens":42},"cached_tokens":16}'), 71, 42, [ [ 55 => 2500 ], [ 16 => 250 ], [ 42 => 10000 ] ] ],
    [ 'Bedrock',                                'bedrock/bedrock/anthropic.claude-sonnet-4-6', [ 3, 15 ], bedrock('{"inputTokens":10,"outputTokens":7,"cacheReadInputTokens":30,"cacheWriteInputTokens":5}'), 45, 7,
        [ [ 10 => 3000 ], [ 30 => 300 ], [ 5 => 3750 ], [ 7 => 15000 ] ] ],
    [ 'a machine of one\'s own',                'ollama/gemma4',       [ 0, 0 ], '{"message":{"role":"assistant","content":"hi"},"done":true,"prompt_eval_count":50,"eval_count":5}', 50, 5, [] ],
    [ 'the same, of a name that is sold elsewhere', 'ollama/gpt-5.2',  undef, '{"message":{"role":"assistant","content":"hi"},"done":true,"prompt_eval_count":50,"eval_count":5}', 50, 5, [] ],
    [ 'the same, when the question was still warm', 'ollama/gemma4',   [ 0, 0 ], '{"message":{"role":"assistant","content":"hi"},"done":true,"eval_count":5}', undef, 5, [], 'ok true' ],
    [ 'what is free there is not so elsewhere', 'own/gemma4',          undef, chat('{"prompt_tokens":12,"completion_tokens":7}'), 12, 7, [ [ 12 => 1000 ], [ 7 => 3000 ] ] ],
    [ 'a model that nobody knows',              'openai/no-such-model', undef, chat('{"prompt_tokens":12,"completion_tokens":7}'), 12, 7, [ [ 12 => 1000 ], [ 7 => 3000 ] ] ],
    [ 'an answer of which nothing is told',     'openai/gpt-5',        [ 1.25, 10 ], chat('{"prompt_tokens":12,"completion_tokens":0}', $long), 12, 100, [ [ 12 => 1250 ], [ 100 => 10000 ] ], 'ok true' ],
    [ 'sound, cached in part',                  'openai/singer',       undef, chat('{"prompt_tokens":1000,"completion_tokens":500,"prompt_tokens_details":{"audio_tokens":600,"cached_tokens":700},"completion_tokens_details":{"audio_tokens":200}}'), 1000, 500,
        [ [ 300 => 32000 ], [ 700 => 500 ], [ 300 => 3000 ], [ 200 => 64000 ] ] ],
    [ 'a price of pictures alone that are made', 'openai/painter',     undef, chat('{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"image_tokens":60},"completion_tokens_details":{"image_tokens":40}}'), 100, 50,
        [ [ 100 => 1000 ], [ 10 => 3000 ], [ 40 => 30000 ] ] ],
    [ 'an hour of cache at a price of its own', 'anthropic/keeper',    undef, claude(qq({"input_tokens":10,$hour,"output_tokens":7})), 45, 7, [ [ 10 => 1000 ], [ 30 => 50 ], [ 3 => 1100 ], [ 2 => 1700 ], [ 7 => 3000 ] ] ],
    [ 'a program',                              'claude-code/claude-code/sonnet', undef, undef, 3, 5, [] ],
);

my $dir = File::Temp->newdir('lf-money-XXXXXXXX', TMPDIR => 1);
open my $fh, '>', "$dir/claude" or die;
print $fh qq(#!/bin/sh\ncat > /dev/null\necho '{"type":"result","is_error":false,"result":"hi","usage":{"input_tokens":3,"output_tokens":5}}'\n);
close $fh or die;
chmod 0755, "$dir/claude";

my $up = LF->mock(other => [ [ qr/./ => sub {
    my ($n) = $_[0]{body} =~ /CASE-(\d+)-/ or return;
    my $text = $cases[$n][3];
    return { body => $text, headers => { 'Content-Type' => $text =~ /^(?:event|data): / ? 'text/event-stream' : 'application/json' } };
} ] ]);
my $a = $up->base;
my %url = (openai => "$a/v1", groq => "$a/v1", deepseek => "$a/v1", xai => "$a/v1", own => "$a/v1", anthropic => $a, gemini => $a, cohere => "$a/v2", bedrock => $a, chatgpt => "$a/backend", ollama => "$a/v1");
my $api = LF->start(model => { provider => 'offline', model => 'offline' }, env => { LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0, AWS_REGION => '', PATH => "$dir:$ENV{PATH}",
        map { $_ => 'sk-x' } qw(OPENAI_API_KEY GROQ_API_KEY DEEPSEEK_API_KEY XAI_API_KEY OWN_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY COHERE_API_KEY AWS_BEARER_TOKEN_BEDROCK CHATGPT_SESSION_TOKEN) },
    config => "[provider_urls]\n" . join '', map {qq($_ = "$url{$_}"\n)} sort keys %url);
my %model = (input_cost_per_m => 1, output_cost_per_m => 3, context_window => 8000, max_output_tokens => 1000);
$api->post('/api/models/custom', { %model, id => 'singer', provider => 'openai', audio_input_cost_per_m => 32, audio_output_cost_per_m => 64, cache_read_cost_per_m => 0.5 }, 201);
$api->post('/api/models/custom', { %model, id => 'painter', provider => 'openai', image_output_cost_per_m => 30 }, 201);
is $api->get('/api/models/painter', 200)->{image_input_cost_per_m}, undef, 'a price that nobody told is none';
$api->post('/api/models/custom', { %model, id => 'keeper', provider => 'anthropic', cache_read_cost_per_m => 0.05, cache_write_cost_per_m => 1.1, cache_hour_cost_per_m => 1.7 }, 201);
$api->put('/api/budget', { max_daily_usd => 1000 }, 200);       # so that each is held and settled

sub last_row { my @l = split /\r\n/, $api->raw('GET', '/api/usage/export?format=csv')->{content}; my @h = split /,/, $l[0]; my %r; @r{@h} = split /,/, $l[-1], -1; return \%r }
sub held { my ($v) = $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_budget_held_calls (\S+)/m; return $v }

my %shipped = map { ("$_->{provider}/$_->{id}" => [ @$_{qw(input_cost_per_m output_cost_per_m)} ]) } @{ $LF::JSON->decode(LF::slurp(LF::srcdir() . '/share/models.json')) };
my $all = 0;
for my $n (0 .. $#cases) {
    my ($name, $model, $prices, $answer, $in, $out, $parts, $how) = @{ $cases[$n] };
    is_deeply $shipped{$model}, $prices, "$name: $model is shipped at these prices" if $prices;
    my $nano = 0;
    $nano += $_->[0] * $_->[1] for @$parts;
    $nano = POSIX::ceil($nano - 1e-6);
    $all += $nano;
    my $stream = defined $answer && $answer =~ /^(?:event|data): / ? JSON::PP::true() : JSON::PP::false();
    my $s = $api->later('/v1/chat/completions', { model => $model, stream => $stream, max_tokens => 500, messages => [ { role => 'user', content => "CASE-$n-" } ] });
    $s->read_head;
    my $said = $s->rest;
    is $s->status, 200, "$name: is answered" or diag $said;
    my $r = last_row();
    $in = $r->{input_tokens} if !defined $in && $r->{input_tokens} > 0;
    is join(' ', @$r{qw(input_tokens output_tokens cost_usd status estimated)}), join(' ', $in // 'some', $out, sprintf('%d.%09d', $nano / 1e9, $nano % 1e9), $how // 'ok false'), "$name: costs what it does by hand" or diag explain $r;
}
is sprintf('%.9f', $api->get('/api/usage/summary', 200)->{total_cost_usd}), sprintf('%.9f', $all / 1e9), 'all of it is spent, each once';
is held(), 0, 'and nothing stays put aside';
$api->finish;
done_testing;
