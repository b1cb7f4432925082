#!/usr/bin/perl
# What LibreFang's own clients do with our answers: its libraries for Python,
# JavaScript, Go and Rust, its command with the terminal page, its app for iOS,
# its gateway to WhatsApp. They were not written for us: how they ask is taken as
# it is, and what they cannot do without must be there. Two tables, and the ways
# they read a stream.
use strict;
use warnings;
use LF;
use LF::Schema;
use Test::More;

my $up = LF->mock(
    when => [
        [ 'call_kept'  => { text => "Kept: caf\x{e9}.", chunks => 4, usage => { prompt_tokens => 30, completion_tokens => 5 } } ],
        [ 'KEEP-IT'    => { tool_calls => [ { id => 'call_kept', name => 'memory_store', arguments => { key => 'k', value => 'v' } } ],
            usage => { prompt_tokens => 20, completion_tokens => 3 } } ],
        [ 'IT-FAILS'   => { status => 401, body => { error => { message => 'no' } } } ],
        [ 'BE-SILENT'  => { text => 'NO_REPLY' } ],
        [ 'BREAKS-OFF' => { text => 'half of what was to be said', cut => 2 } ],
    ],
    default => { text => 'Hello.' });
my $api = LF->start(model => $up);
my $n = 0;
sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "sdk-' . ++$n . "\"\n" }, 201)->{agent_id} }

# --- what is read -----------------------------------------------------------------------

# A value by the word for it: s text, i whole number, n number, b boolean, S list of texts; with ?: or null, or absent.
# [ spec ]: a list, and it must not be empty, of such; { name => spec }: at least these members.
sub unfit {
    my ($v, $spec, $at) = @_;
    if (ref $spec eq 'ARRAY') {
        return "$at is no list" if ref $v ne 'ARRAY';
        return "$at is empty" if !@$v;
        return map { unfit($v->[$_], $spec->[0], "$at\[$_]") } 0 .. $#$v;
    }
    if (ref $spec) {
        return "$at is no object" if ref $v ne 'HASH';
        return map { unfit($v->{$_}, $spec->{$_}, "$at.$_") } sort keys %$spec;
    }
    return $spec =~ /\?/ ? () : "$at is missing" if !defined $v;
    my $is = LF::Schema::type_of($v);
    my $good = $spec =~ /^s/ ? $is eq 'string' : $spec =~ /^b/ ? $is eq 'boolean' : $spec =~ /^i/ ? $is eq 'integer'
        : $spec =~ /^n/ ? $is =~ /^(?:integer|number)$/ : ref $v eq 'ARRAY' && !grep { LF::Schema::type_of($_) ne 'string' } @$v;
    return $good ? () : "$at is $is where $spec is read";
}

sub reads {
    my ($about, $verb, $path, $spec, $body) = @_;
    my $r = $api->raw($verb, $path, { headers => { 'Content-Type' => 'application/json' }, content => defined $body ? $LF::JSON->encode($body) : undef });
    my @faults = ($api->faults($r), unfit($r->{json}, $spec, 'answer'));
    ok !@faults, $about or diag join "\n", @faults, "$r->{status} " . substr $r->{content}, 0, 500;
    return $r->{json};
}

my $id = agent();
my $reply = reads('a message', POST => "/api/agents/$id/message", { response => 's', input_tokens => 'i', output_tokens => 'i', iterations => 'i', cost_usd => 'n?' }, { message => 'hello' });
is $reply->{response}, 'Hello.', 'is answered';
$api->put("/api/memory/agents/$id/kv/seen", { value => { deep => [ 1, 2.5 ] } });
my $session = { session_id => 's', agent_id => 's', message_count => 'i', created_at => 's', label => 's?' };
my $done = { status => 's', message => 's?', id => 's?' };
my $period = { spend => 'n', limit => 'n', pct => 'n' };
my $new = reads('a session that is made', POST => "/api/agents/$id/sessions", $session, { label => 'one' });

reads(@$_) for (
    [ 'health', GET => '/api/health', { status => 's', version => 's', checks => [ { name => 's', status => 's' } ] } ],
    [ 'health in detail', GET => '/api/health/detail', { status => 's', version => 's', uptime_seconds => 'i', panic_count => 'i', restart_count => 'i',
        agent_count => 'i', database => 's', config_warnings => 'S' } ],
    [ 'the status', GET => '/api/status', { status => 's', version => 's', agent_count => 'i', active_agent_count => 'i', session_count => 'i', memory_used_mb => 'i?',
        default_provider => 's', default_model => 's', uptime_seconds => 'i', api_listen => 's', home_dir => 's', data_dir => 's', log_level => 's', network_enabled => 'b',
        agents => [ { id => 's', name => 's', state => 's', mode => 's', created_at => 's?', model_provider => 's', model_name => 's', profile => 's?' } ] } ],
    [ 'the version', GET => '/api/version', { map { $_ => 's' } qw(name version build_date git_sha rust_version platform arch) } ],
    [ 'agents', GET => '/api/agents', { total => 'i', items => [ { id => 's', name => 's', description => 's', state => 's', mode => 's', ready => 'b', created_at => 's?',
        last_active => 's?', model_provider => 's', model_name => 's', model_tier => 's?', auth_status => 's?', profile => 's?', identity => { emoji => 's?', avatar_url => 's?', color => 's?' } } ] } ],
    [ 'an agent', GET => "/api/agents/$id", { id => 's', name => 's', description => 's', tags => 'S', model_provider => 's', model_name => 's',
        model => { provider => 's', model => 's' }, capabilities => { tools => 'S', network => 'S' } } ],
    [ 'its tools', GET => "/api/agents/$id/tools", { tool_allowlist => 'S', tool_blocklist => 'S' } ],
    [ 'its skills', GET => "/api/agents/$id/skills", { assigned => 'S', available => 'S', mode => 's' } ],
    [ 'its servers', GET => "/api/agents/$id/mcp_servers", { assigned => 'S', available => 'S', mode => 's' } ],
    [ 'its files', GET => "/api/agents/$id/files", { files => [ { name => 's', exists => 'b', size_bytes => 'i' } ] } ],
    [ 'one of them', GET => "/api/agents/$id/files/SOUL.md", { name => 's', content => 's', size_bytes => 'i' } ],
    [ 'its deliveries', GET => "/api/agents/$id/deliveries?limit=5", { agent_id => 's', count => 'i', receipts => 'S' } ],
    [ 'its sessions', GET => "/api/agents/$id/sessions", { sessions => [$session] } ],
    [ 'one by its label', GET => "/api/agents/$id/sessions/by-label/one", { session_id => 's', agent_id => 's', label => 's', message_count => 'i' } ],
    [ 'its conversation', GET => "/api/agents/$id/session?session_id=$reply->{session_id}", { session_id => 's', agent_id => 's', message_count => 'i',
        context_window_tokens => 'i', label => 's?', messages => [ { role => 's', content => 's' } ] } ],
    [ 'sessions of all, where the command and the app look', GET => '/api/sessions', { sessions => [$session], total => 'i' } ],
    [ 'the same, where the page looks', GET => '/api/sessions', { items => [$session] } ],
    [ 'what an agent keeps', GET => "/api/memory/agents/$id/kv", { kv_pairs => [ { key => 's', value => {} } ] } ],
    [ 'the budget', GET => '/api/budget', { alert_threshold => 'n', default_max_llm_tokens_per_hour => 'i?', map { my $p = $_; map { $p . "_$_" => 'n' } qw(spend limit pct) } qw(hourly daily monthly) } ],
    [ 'budgets of agents', GET => '/api/budget/agents', { total => 'i', agents => [ { agent_id => 's', name => 's', daily_cost_usd => 'n', hourly_limit => 'n?',
        daily_limit => 'n?', monthly_limit => 'n?', max_llm_tokens_per_hour => 'i?' } ] } ],
    [ 'one of them', GET => "/api/budget/agents/$id", { agent_id => 's', agent_name => 's', hourly => $period, daily => $period, monthly => $period,
        tokens => { used => 'i', limit => 'i', pct => 'n' } } ],
    [ 'usage', GET => '/api/usage', { agents => [ { agent_id => 's', name => 's', total_tokens => 'i', tool_calls => 'i' } ] } ],
    [ 'its sums', GET => '/api/usage/summary', { total_input_tokens => 'i', total_output_tokens => 'i', total_cost_usd => 'n', call_count => 'i', total_tool_calls => 'i' } ],
    [ 'usage of models', GET => '/api/usage/by-model', { models => [ { model => 's', total_cost_usd => 'n', total_input_tokens => 'i', total_output_tokens => 'i', call_count => 'i' } ] } ],
    [ 'usage of days', GET => '/api/usage/daily', { days => [ { date => 's', cost_usd => 'n', tokens => 'i', calls => 'i' } ], today_cost_usd => 'n', first_event_date => 's?' } ],
    [ 'providers', GET => '/api/providers', { total => 'i', providers => [ { id => 's', display_name => 's', auth_status => 's', model_count => 'i', key_required => 'b', api_key_env => 's?',
        base_url => 's?', is_local => 'b?', reachable => 'b?', latency_ms => 'i?', discovered_models => 'S?', error => 's?' } ] } ],
    [ 'models', GET => '/api/models', { total => 'i', available => 'i', models => [ { id => 's', display_name => 's', provider => 's', tier => 's', context_window => 'i?', max_output_tokens => 'i?',
        input_cost_per_m => 'n?', output_cost_per_m => 'n?', supports_tools => 'b', supports_vision => 'b', supports_streaming => 'b', available => 'b' } ] } ],
    [ 'models of one provider', GET => '/api/models?provider=OpenAI', { models => [ { provider => 's', id => 's' } ] } ],
    [ 'short names', GET => '/api/models/aliases', { total => 'i', aliases => [ { alias => 's', model_id => 's' } ] } ],
    [ 'the catalog', GET => '/api/catalog/status', { last_sync => 's?' } ],
    [ 'tools', GET => '/api/tools', { total => 'i', tools => [ { name => 's', description => 's', source => 's', input_schema => {} } ] } ],
    [ 'a label that is given', PUT => "/api/sessions/$new->{session_id}/label", $done, { label => 'two' } ],
    [ 'and taken', PUT => "/api/sessions/$new->{session_id}/label", $done, {} ],
    [ 'a value that is kept', PUT => "/api/memory/agents/$id/kv/app", $done, { value => 'text' } ],
    [ 'another session', POST => "/api/agents/$id/sessions/$new->{session_id}/switch", $done ],
    [ 'a summary', POST => "/api/agents/$id/session/compact", $done ],
    [ 'a reset', POST => "/api/agents/$id/session/reset", $done ],
    [ 'a reboot', POST => "/api/agents/$id/session/reboot", $done ],
    [ 'a stop', POST => "/api/agents/$id/stop", $done ],
    [ 'another model', PUT => "/api/agents/$id/model", { status => 's', model => 's', provider => 's' }, { model => 'mock-model' } ],
);
is_deeply $api->get('/api/sessions?limit=2')->{sessions}, $api->get('/api/sessions?limit=2')->{items}, 'both names have the same sessions';
is_deeply $api->get('/api/sessions?limit=0')->{sessions}, [], 'none if none are asked for';
like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_$_(?:\{\S+\})? \S+$/m, "the figure $_" for qw(agents_active agents_total uptime_seconds panics_total restarts_total info);

# --- how it is asked ----------------------------------------------------------------------

# Every library sends the type of JSON with each request, the Rust one no user agent;
# bodies are absent, {}, or what Go makes of nothing: null.
my ($gone, $kept) = (agent(), agent());
my $json = 'application/json';
for (
    [ 'Python deletes an agent', DELETE => "/api/agents/$gone?confirm=True", $json, undef, 200 ],
    [ 'and means no by False', DELETE => "/api/agents/$kept?confirm=False", $json, undef, 409 ],
    [ 'and asks for hands too', GET => '/api/agents?include_hands=True&limit=5', $json, undef, 200 ],
    [ 'but yes is no word of anybody', DELETE => "/api/agents/$kept?confirm=yes", $json, undef, 400 ],
    [ 'a session without a body', POST => "/api/agents/$kept/sessions", $json, undef, 200 ],
    [ 'with an empty one', POST => "/api/agents/$kept/sessions", $json, '{}', 200 ],
    [ 'with null', POST => "/api/agents/$kept/sessions", $json, 'null', 200 ],
    [ 'but not with a list', POST => "/api/agents/$kept/sessions", $json, '[]', 400 ],
    [ 'the default provider without a body', POST => '/api/providers/openai/default', $json, undef, 200 ],
    [ 'with null', POST => '/api/providers/openai/default', $json, 'null', 200 ],
    [ 'a message needs its body', POST => "/api/agents/$kept/message", $json, 'null', 422 ],
    [ 'a stop with null', POST => "/api/agents/$kept/stop", $json, 'null', 200 ],
    [ 'a stop without a type', POST => "/api/agents/$kept/stop", undef, undef, 200 ],
    [ 'an agent at rest', PUT => "/api/agents/$kept/suspend", $json, undef, 200 ],
    [ 'awake again', PUT => "/api/agents/$kept/resume", $json, '{}', 200 ],
    [ 'its history', DELETE => "/api/agents/$kept/history", $json, undef, 200 ],
    [ 'a value that is forgotten', DELETE => "/api/memory/agents/$kept/kv/none", $json, undef, 204 ],
    [ 'a key of several parts', PUT => "/api/memory/agents/$kept/kv/a%2Fb%3Fc%20%C3%A9", $json, '{"value":1}', 200 ],
    [ 'a model whose id has several', POST => '/api/models/custom', $json, '{"id":"acme/big one","provider":"openai"}', 201 ],
    [ 'with each part encoded, by Rust', GET => '/api/models/acme%2Fbig%20one', $json, undef, 200 ],
    [ 'with the slash as it is, by JavaScript', GET => '/api/models/acme/big%20one', $json, undef, 200 ],
    [ 'its settings', PUT => '/api/models/overrides/openai:acme%2Fbig%20one', $json, '{"temperature":0.5}', 200 ],
    [ 'forgotten', DELETE => '/api/models/custom/acme%2Fbig%20one', $json, undef, 204 ],
    [ 'JSON that is sent up', POST => "/api/agents/$kept/upload", $json, '{"a":1}', 201 ],
    [ 'a key that the terminal page saves', POST => '/api/providers/groq/key', $json, '{"key":"gsk-abc"}', 200 ],
    [ 'and deletes', DELETE => '/api/providers/groq/key', $json, undef, 204 ],
    [ 'sessions by a word that we do not know', GET => '/api/sessions?active=true', $json, undef, 200 ],
    [ 'the command deletes an agent', DELETE => "/api/agents/$kept?confirm=true", undef, undef, 200 ],
) {
    my ($about, $verb, $path, $type, $body, $status) = @$_;
    my ($got, undef, $text) = $api->wire("$verb $path HTTP/1.1\r\nHost: 127.0.0.1:" . $api->port . "\r\nAuthorization: Bearer " . $api->key . "\r\nAccept: */*\r\n"
        . (defined $type ? "Content-Type: $type\r\n" : '') . (defined $body || $verb =~ /^P/ ? 'Content-Length: ' . length($body // '') . "\r\n" : '') . "Connection: close\r\n\r\n" . ($body // ''));
    is $got, $status, $about or diag $text;
    next if $status < 400;
    my $e = eval { $LF::JSON->decode($text) } // {};
    ok !ref $e->{error} && length $e->{error}, '  and why, as a text';          # more than one of them looks no deeper
}

# --- how a stream is read -------------------------------------------------------------------

# A line at a time, what begins with "data: "; the rest is looked over, an end comes with the connection.
sub said {
    my ($text) = @_;
    return map { my $e = eval { $LF::JSON->decode($_) }; ref $e eq 'HASH' ? $e : { raw => $_ } } map { s/\s+$//r =~ /^data: (.*)/ ? $1 : () } split /\n/, $text;
}

# The terminal page tells events apart by their members alone, and adds up what each `done` has used.
sub told {
    my (%t) = (text => '', in => 0, out => 0, done => 0, odd => 0, begun => [], called => []);
    for (@_) {
        $t{text} .= $_->{content} if defined $_->{content} && !ref $_->{content};
        push @{ exists $_->{input} ? $t{called} : $t{begun} }, $_->{tool} if defined $_->{tool};
        $t{odd}++ if exists $_->{error} || exists $_->{raw};                   # an end, to a library
        next if !$_->{done};
        $t{done}++;
        $t{in} += $_->{usage}{input_tokens};
        $t{out} += $_->{usage}{output_tokens};
    }
    return \%t;
}

my $talker = agent();
my $s = $api->stream("/api/agents/$talker/message/stream", { message => 'KEEP-IT' });
is $s->status, 200, 'a stream with a tool in it';
like $s->headers->{'content-type'}, qr{^text/event-stream}, 'is one';
is $s->headers->{'content-encoding'}, undef, 'and nothing unpacks it';
my $text = $s->rest;
ok $s->whole, 'it ends';
like $text, qr/\n\n\z/, 'with an empty line: a last event without one is lost to some';
is_deeply [ grep { !/^(?:data: \S.*|event: \w+|id: \S+|:.*|)$/ } split /\n/, $text ], [], 'every line is of a kind that is known';
my $t = told(said($text));
is $t->{text}, "Kept: caf\x{e9}.", 'the text is whole';
is_deeply [ $t->{begun}, $t->{called}, $t->{odd} ], [ ['memory_store'], ['memory_store'], 0 ], 'the tool begins once and is called once';
is_deeply [ $t->{in}, $t->{out} ], [ 50, 8 ], 'what was used is the sum of both calls';
is_deeply [ (said($text))[-1] ], [ { done => JSON::PP::true, usage => { input_tokens => 50, output_tokens => 8 } } ], 'and is the last word';

$s = $api->stream('/api/agents/' . agent() . '/message/stream', { message => 'BREAKS-OFF' });
$t = told(said($s->rest));
is_deeply [ $t->{done}, $s->whole ? 1 : 0 ], [ 0, 1 ], 'one that breaks off says no done, and ends all the same';
$s = $api->stream('/api/agents/nobody/message/stream', { message => 'x' });
like $s->headers->{'content-type'}, qr{^application/json}, 'a refusal is no stream';
is_deeply [ $s->status, LF::Schema::type_of($LF::JSON->decode($s->rest)->{error}) ], [ 400, 'string' ], 'and says why as any other does';
like $api->post('/api/agents/' . agent() . '/message', { message => 'IT-FAILS' }, 500)->{error}, qr/key/, 'what a provider says no to is told in a text';

# --- the gateway to WhatsApp ------------------------------------------------------------------

# It names the chat behind the channel, takes a stream apart by its empty lines and event names,
# and asks for a plain answer when there is none.
my %chat = (channel_type => 'whatsapp:4917612@s.whatsapp.net', sender_id => '+4917612', sender_name => "J\x{f6}rg", group_participants => [ { jid => '1@s.whatsapp.net', display_name => 'A' } ]);
my %group = (is_group => JSON::PP::true, was_mentioned => JSON::PP::false);
my $chatty = "/api/agents/" . agent() . '/message';
my $first = $api->post($chatty, { %chat, %group, message => 'hello' }, 200);
is $first->{response}, 'Hello.', 'a message from a group';
$text = $api->stream("$chatty/stream", { %chat, message => 'hello' })->rest;
my @chunks = map { my %f; $f{$1} .= $2 while /^(event|data): (.*)$/mg; $f{event} eq 'chunk' ? $LF::JSON->decode($f{data})->{content} : () } split /\n\n/, $text;
is join('', @chunks), 'Hello.', 'one that is streamed';
is $api->post($chatty, { %chat, sender_id => '', sender_name => '', message => 'hello' }, 200)->{response}, 'Hello.', 'a number that is not known harms nobody';
my $silence = $api->post($chatty, { %chat, message => 'BE-SILENT' }, 200);
is_deeply [ @$silence{qw(response silent)} ], [ '', JSON::PP::true ], 'nothing to say is said so';
is $silence->{session_id}, $first->{session_id}, 'all of it in the conversation of that chat';
isnt $api->post($chatty, { %chat, channel_type => 'whatsapp:4930@s.whatsapp.net', message => 'hello' }, 200)->{session_id}, $first->{session_id}, 'another chat has its own';
done_testing;
