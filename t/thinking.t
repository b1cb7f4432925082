#!/usr/bin/perl
# Thinking, for one turn or as the manifest says, in every wire format: what is asked of the provider, what is shown of what
# it thought, and what of a model's settings goes along. aimock, from npm, plays the providers.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Aimock;
use LF::Tap;
use LF::WS;
use Test::More;

LF::Aimock::needed();
my $up = LF::Aimock->start([
    { match => { userMessage => 'CALL-FIRST', hasToolResult => JSON::PP::false }, response => { reasoning => 'A tool is needed.',
        toolCalls => [ { id => 'call_1', name => 'system_time', arguments => {} } ] } },
    { match => { userMessage => 'CALL-FIRST', hasToolResult => JSON::PP::true }, response => { content => 'It is late.' } },
    { match => { userMessage => 'hello' }, response => { content => 'Hello.', reasoning => 'Let me see.' } },
    { match => { userMessage => 'plain' }, response => { content => 'Plainly.' } },
]);
my $tap = LF::Tap->start($up->url);
my $address = $tap->url;

# id => [ address, model, member of the body, what it is: as the manifest says (10,000), forced on, low, high, max, off ]
my ($on, $off) = (JSON::PP::true, JSON::PP::false);
sub budgets { my ($name, %more) = @_; return map { { type => 'enabled', $name => $_, %more } } 10000, 2048, 24576, 32768 }
my %formats = (
    anthropic => [ $address, 'm-1', sub { $_[0]{thinking} }, budgets('budget_tokens'), undef ],
    bedrock   => [ $address, 'us.anthropic.m-1', sub { $_[0]{additionalModelRequestFields}{thinking} }, budgets('budget_tokens'), undef ],
    gemini    => [ $address, 'm-1', sub { $_[0]{generationConfig}{thinkingConfig} },
        (map { { thinkingBudget => $_, includeThoughts => $on } } 10000, 2048, 24576, 32768), { thinkingBudget => 0 } ],
    openai    => [ "$address/v1", 'm-1', sub { $_[0]{reasoning_effort} }, 'medium', 'low', 'high', 'high', 'none' ],
    'azure-openai' => [ $address, 'm-1', sub { $_[0]{reasoning_effort} }, 'medium', 'low', 'high', 'high', 'none' ],
    ollama    => [ $address, 'm-1', sub { $_[0]{think} }, $on, $on, $on, $on, $off ],
    cohere    => [ "$address/v2", 'm-1', sub { $_[0]{thinking} }, budgets('token_budget'), { type => 'disabled' } ],
);
my %shows = map { $_ => 1 } grep { $_ ne 'cohere' } keys %formats;           # aimock takes it for words there

my $api = LF->start(timeout => 40, model => { provider => 'offline', model => 'offline' }, limits => "ws_messages_per_minute = 1000\n",
    env => { LF_LLM_RETRY_MS => 20, AWS_REGION => '', map { $_ => $up->key } qw(ANTHROPIC_API_KEY GEMINI_API_KEY OLLAMA_API_KEY COHERE_API_KEY
        AWS_BEARER_TOKEN_BEDROCK AZURE_OPENAI_API_KEY OPENAI_API_KEY) },
    config => "[provider_urls]\n" . join '', map {qq("$_" = "$formats{$_}[0]"\n)} sort keys %formats);
my $n = 0;

sub agent {
    my ($provider, $more) = @_;
    my $name = 'thinker-' . ++$n;
    return $api->post('/api/agents', { manifest_toml => qq(name = "$name"\n[model]\nprovider = "$provider"\nmodel = "$formats{$provider}[1]"\n) . ($more // '')
        . qq([capabilities]\ntools = ["system_time"]\n) }, 201)->{agent_id};
}
sub say_to { my ($id, $text, %more) = @_; return $api->post("/api/agents/$id/message", { message => $text, %more }, 200) }
# What the newest request said of thinking, after $do.
sub sent { my ($provider, $do) = @_; $tap->new_ones; $do->(); my @a = $tap->new_ones; return $formats{$provider}[2]->($a[-1]{json}) }

for my $p (sort keys %formats) {
    my (undef, $model, undef, $usual, $low, $high, $max, $none) = @{ $formats{$p} };
    subtest $p => sub {
        $api->put("/api/models/overrides/$p:$model", { supports_thinking => $on }, 200);
        my ($plain, $set) = (agent($p), agent($p, "[thinking]\nbudget_tokens = 10000\n"));
        my $r;
        is_deeply sent($p, sub { $r = say_to($plain, 'plain') }), undef, 'nothing is asked for by itself';
        is_deeply sent($p, sub { $r = say_to($set, 'hello') }), $usual, 'the manifest asks for it';
        is $r->{thinking}, $shows{$p} ? 'Let me see.' : undef, '  and it is shown';
        like $r->{response}, $shows{$p} ? qr/^Hello\.$/ : qr/Hello\.$/, '  apart from the answer';
        is_deeply sent($p, sub { $r = say_to($plain, 'hello', thinking => $on) }), $usual, 'one turn asks for it';
        is_deeply sent($p, sub { say_to($plain, 'hello', reasoning_mode => 'low') }), $low, 'a little';
        is_deeply sent($p, sub { say_to($plain, 'hello', reasoning_mode => 'high') }), $high, 'much';
        is_deeply sent($p, sub { say_to($set, 'hello', reasoning_mode => 'max') }), $max, 'or as much as it can';
        is_deeply sent($p, sub { say_to($set, 'hello', reasoning_mode => 'none') }), $none, 'or none';
        is_deeply sent($p, sub { $r = say_to($set, 'hello', thinking => $off, show_thinking => $off) }), $none, 'whatever the manifest says';
        is $r->{thinking}, undef, '  and what is thought all the same is not shown, if that is not wanted';

        my $ws = LF::WS->open($api, "/api/agents/$set/ws");
        my @f;
        is_deeply sent($p, sub { @f = $ws->turn({ content => 'hello', thinking => $on }) }), $usual, 'the chat socket asks for it';
        is join('', map { $_->{content} } grep { $_->{type} eq 'thinking_delta' } @f), $shows{$p} ? 'Let me see.' : '', '  and shows it as it comes';
        is $f[-1]{thinking}, $shows{$p} ? 'Let me see.' : undef, '  and whole at the end';
        is_deeply sent($p, sub { @f = $ws->turn({ content => 'hello', thinking => $off, show_thinking => $off }) }), $none, 'or does without';
        is scalar(grep { $_->{type} eq 'thinking_delta' } @f), 0, '  unseen';
        $ws->close;

        $api->put("/api/models/overrides/$p:$model", { supports_thinking => $off }, 200);
        is_deeply sent($p, sub { say_to($set, 'hello', thinking => $on) }), undef, 'a model that is said not to think is never asked to';
        $api->del("/api/models/overrides/$p:$model", 204);
        is_deeply sent($p, sub { say_to($set, 'plain', thinking => $off) }), $p eq 'ollama' ? $off : undef, 'nor one that is not known to, to refrain';
    };
}

subtest 'what led to a call goes back signed' => sub {
    my $id = agent('anthropic');
    $tap->new_ones;
    is say_to($id, 'CALL-FIRST', thinking => $on)->{response}, 'It is late.', 'answered';
    my @a = $tap->new_ones;
    is scalar(@a), 2, 'after two questions';
    cmp_ok $_->{json}{max_tokens}, '>=', 11024, 'with room for what is thought' for @a;
    my ($said) = grep { $_->{role} eq 'assistant' } @{ $a[1]{json}{messages} };
    is_deeply $said->{content}[0], { type => 'thinking', thinking => 'A tool is needed.', signature => 'aimock-placeholder-signature' }, 'the second has the thought as it came';
};

$api->finish;
done_testing;
