#!/usr/bin/perl
# What the configuration and a manifest say about providers and tools has its effect: who is
# asked next when one cannot serve, how often and how long one is asked, what goes along
# with a request, and how long a tool may take.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;
use Time::HiRes ();

my $first = LF->mock(
    when => [
        [ 'BAD-KEY'    => { status => 401, body => { error => { message => 'Incorrect API key', code => 'invalid_api_key' } } } ],
        [ 'NO-MONEY'   => { status => 402, body => { error => { message => 'Payment required' } } } ],
        [ 'NO-MODEL'   => { status => 404, body => { error => { message => 'The model does not exist', code => 'model_not_found' } } } ],
        [ 'FAIL-500'   => { status => 500 } ],
        [ 'BUSY-503'   => { status => 503 } ],
        [ 'ALWAYS-429' => { status => 429, headers => { 'Retry-After' => 0 } } ],
        [ 'LATER-429'  => { status => 429, headers => { 'Retry-After' => 120 } } ],
        [ 'TOO-LONG'   => { status => 400, body => { error => { message => 'maximum context length exceeded', code => 'context_length_exceeded' } } } ],
        [ 'CUT-HERE'   => { text => 'These words were cut in the middle of what they wanted to say', cut => 4 } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'call_then_1' => { status => 500 } ],
        [ 'TOOL-FIRST' => { tool_calls => [ { id => 'call_then_1', name => 'system_time', arguments => {} } ] } ],
    ],
    default => { text => 'The first one says.' },
);
my $second = LF->mock(default => { text => 'The second one says.' }, when => [ [ 'BOTH-FAIL' => { status => 500 } ] ]);
my $silent = LF->mock(default => { hang => 1 });

sub quiet { return LF->start(model => $first, timeout => 60, @_) }
my %env = (LF_LLM_RETRY_MS => 5, LF_SECOND_KEY => 'sk-second', LF_REST_SECOND_MS => 0);
my $urls = sprintf "[provider_urls]\nsecond = \"%s\"\nsilent = \"%s\"\n", $second->url, $silent->url;
my $next = qq([[fallback_providers]]\nprovider = "no-such-address"\nmodel = "x"\n)
    . qq([[fallback_providers]]\nprovider = "second"\nmodel = "second-model"\napi_key_env = "LF_SECOND_KEY"\n);
my $api;
my $n = 0;

sub agent {
    my ($more, $name) = @_;
    $name //= 'agent-' . ++$n;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') . "\n[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id};
}
sub say_to { my ($id, $text, $status) = @_; return $api->post("/api/agents/$id/message", { message => $text }, $status // 200) }
# How many requests each of them got from what follows.
sub counted { my ($do) = @_; my @was = map { scalar @{ $_->chats } } $first, $second; $do->(); my @now = map { scalar @{ $_->chats } } $first, $second; return [ $now[0] - $was[0], $now[1] - $was[1] ] }

subtest 'who is asked next' => sub {
    $api = quiet(env => \%env, config => "$urls\n$next");
    my $id = agent();
    is say_to($id, 'hello')->{response}, 'The first one says.', 'the first one, as long as it can';
    for my $word (qw(BAD-KEY NO-MONEY NO-MODEL FAIL-500)) {
        my $c = counted(sub { is say_to(agent(), $word)->{response}, 'The second one says.', "$word: the next one answers" });
        is $c->[1], 1, 'to one request';
        cmp_ok $c->[0], '>=', 1, 'after the first was asked';
    }
    is_deeply counted(sub { is say_to(agent(), 'ALWAYS-429')->{response}, 'The second one says.', 'a rate limit: the next one answers' }), [ 2, 1 ], 'after one more try';
    is_deeply counted(sub { is say_to(agent(), 'LATER-429')->{response}, 'The second one says.', 'a long wait is not waited for' }), [ 1, 1 ], 'nor tried again';
    my $q = $second->chats->[-1];
    is $q->{json}{model}, 'second-model', 'its model is named';
    is $q->{headers}{authorization}, 'Bearer sk-second', 'with its own key';
    my @e = $api->stream('/api/agents/' . agent() . '/message/stream', { message => 'FAIL-500' })->all;
    is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), 'The second one says.', 'a stream goes over before its first word';
    is $e[-1]{event}, 'done', 'and ends well';
    @e = $api->stream('/api/agents/' . agent() . '/message/stream', { message => 'CUT-HERE' })->all;
    is $e[-1]{json}{phase}, 'error', 'after a word was read it is an error';
    unlike join('', map { $_->{json}{content} // '' } @e), qr/second/, 'and nobody else goes on with it';
    is_deeply counted(sub { say_to(agent(), 'TOO-LONG', 500) }), [ 1, 0 ], 'a question that is too long is so everywhere';
    is counted(sub { is say_to(agent(), 'TOOL-FIRST')->{response}, 'The second one says.', 'in the middle of a turn' })->[1], 1, 'the next one takes over what was done';
    my $last = $second->chats->[-1]{json}{messages};
    is scalar(grep { $_->{role} eq 'tool' && $_->{tool_call_id} eq 'call_then_1' } @$last), 1, 'with the result of the tool';
    cmp_ok counted(sub { say_to(agent(), 'FAIL-500 BOTH-FAIL', 500) })->[1], '>=', 1, 'when none can, it is an error';
};

subtest 'an agent has its own' => sub {
    is counted(sub { say_to(agent("fallback_models = []\n"), 'FAIL-500', 500) })->[1], 0, 'list, which may be empty';
    my $own = agent(qq([model]\nprovider = "openrouter"\nmodel = "x/y"\n[[fallback_models]]\nprovider = "second"\nmodel = "own-model"\ntop_k = 7\n));
    is say_to($own, 'hello')->{response}, 'The second one says.', 'or begin with one that has no key';
    is $second->chats->[-1]{json}{model}, 'own-model', 'the model of the entry is asked';
    is $second->chats->[-1]{json}{top_k}, 7, 'with what the entry adds';
    my $none = agent(qq(fallback_models = []\n[model]\nprovider = "openrouter"\nmodel = "x/y"\n));
    is $api->post("/api/agents/$none/message", { message => 'hello' }, 412)->{code}, 'provider_auth_missing', 'no key and no other: it says so';
    $api->finish;
};

subtest 'how often, how long, and with what' => sub {
    $api = quiet(env => \%env, config => "$urls\n[default_model.extra_params]\nseed = 11\nuser = \"all\"\n"
        . "[provider_max_retries]\nopenai = 1\n[provider_request_timeout_secs]\nsilent = 1\n");
    is_deeply counted(sub { say_to(agent(), 'ALWAYS-429', 429) }), [ 2, 0 ], 'provider_max_retries = 1: two requests';
    my $id = agent(qq([model]\nprovider = "silent"\nmodel = "m"\n));
    my $r = say_to($id, 'hello', 500);
    is $r->{code}, 'timeout', 'provider_request_timeout_secs: who is silent is left';
    say_to(agent(), 'hello');
    is $first->chats->[-1]{json}{seed}, 11, 'extra_params go along';
    say_to(agent("[model]\ntop_p = 0.25\nuser = \"mine\"\n"), 'hello');
    my $q = $first->chats->[-1]{json};
    is $q->{top_p}, 0.25, 'so does what the manifest adds';
    is $q->{user}, 'mine', 'which wins';
    is $q->{seed}, 11, 'over what it leaves alone';
    say_to(agent(qq([model]\nprovider = "second"\nmodel = "m"\n)), 'hello');
    is $second->chats->[-1]{json}{seed}, undef, 'another provider gets none of it';
    $api->finish;
};

subtest 'what the settings of a model say' => sub {
    my $gemini = LF->mock;                          # it answers 404 there: what is asked is all that counts
    $api = quiet(env => { %env, GEMINI_API_KEY => 'k' }, config => "[provider_urls]\nsecond = \"" . $second->url . "\"\ngemini = \"" . $gemini->base . "\"\n");
    my $set = sub { my ($k, %v) = @_; $api->put("/api/models/overrides/$k", \%v, 200) };
    my ($on, $off) = (JSON::PP::true, JSON::PP::false);
    my $id = agent(qq(fallback_models = []\n[model]\nprovider = "second"\nmodel = "m"\nmax_tokens = 100\nsystem_prompt = "Be kind."\n));
    my $ask = sub { say_to($id, 'hello'); return $second->chats->[-1]{json} };
    my $q = $ask->();
    is_deeply [ @$q{qw(max_tokens max_completion_tokens)}, $q->{messages}[0]{role} ], [ 100, undef, 'system' ], 'as usual';
    $set->('second:m', use_max_completion_tokens => $on, no_system_role => $on);
    $q = $ask->();
    is_deeply [ @$q{qw(max_tokens max_completion_tokens)} ], [ undef, 100 ], 'use_max_completion_tokens';
    is_deeply [ grep { $_->{role} eq 'system' } @{ $q->{messages} } ], [], 'no_system_role';
    like $q->{messages}[0]{content}, qr/^Be kind\..*\n\nhello$/s, 'its words open what the user says';
    my $r = $api->post('/v1/chat/completions', { model => 'second/m', max_tokens => 9, messages => [ { role => 'system', content => 'Be brief.' }, { role => 'user', content => 'hi' } ] }, 200);
    $q = $second->chats->[-1]{json};
    is_deeply [ @$q{qw(max_tokens max_completion_tokens)}, $q->{messages} ], [ undef, 9, [ { role => 'user', content => "Be brief.\n\nhi" } ] ], 'through the gateway too';
    $set->('second:gpt-5-x', use_max_completion_tokens => $off);
    say_to(agent(qq([model]\nprovider = "second"\nmodel = "gpt-5-x"\nmax_tokens = 100\n)), 'hello');
    is $second->chats->[-1]{json}{max_tokens}, 100, 'it says so for a model that is known to take the newer word, too';
    $set->('second:m', supports_tools => $off, supports_streaming => $off, temperature => 0.25, max_tokens => 200, force_max_tokens => $on, frequency_penalty => 0.5);
    my @e = $api->stream("/api/agents/$id/message/stream", { message => 'hello' })->all;
    is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e), 'The second one says.', 'a model that does not stream';
    $q = $second->chats->[-1]{json};
    is_deeply [ @$q{qw(tools stream temperature max_tokens frequency_penalty)} ], [ undef, undef, 0.25, 200, 0.5 ], 'is asked for the whole, without tools, as it is set';

    $set->('gemini:gemini-x', top_p => 0.5, presence_penalty => 0.25);
    my $g = agent(qq(fallback_models = []\n[model]\nprovider = "gemini"\nmodel = "gemini-x"\n));
    say_to($g, 'hello', 500);
    my ($asked) = grep { $_->{path} =~ /gemini-x:/ } @{ $gemini->requests };
    is_deeply [ @{ $asked->{json}{generationConfig} }{qw(topP presencePenalty)} ], [ 0.5, 0.25 ], 'other formats have their own words';

    for my $type (qw(embedding speech)) {
        $set->('second:m', model_type => $type);
        my $c = scalar @{ $second->chats };
        my $r = say_to($id, 'hello', 412);
        is $r->{code}, 'model_not_chat', "a model for $type is not talked to";
        like $r->{error}, qr/^Model m of provider second is set to be one for $type/, 'the user learns why';
        is $api->post('/v1/chat/completions', { model => 'second/m', messages => [ { role => 'user', content => 'hi' } ] }, 412)->{error}{code}, 'model_not_chat', 'nor through the gateway';
        is scalar @{ $second->chats }, $c, 'nobody was asked';
    }
    $set->('second:m', model_type => 'chat');
    is say_to($id, 'hello')->{response}, 'The second one says.', 'one for chat is';
    $api->finish;
};

subtest 'a model by the name that its provider has for it' => sub {
    my $there = LF->mock(models => [ map { { id => $_ } } 'meta-llama/llama-3.3-70b-instruct:free', 'openrouter/auto' ]);
    my @urls = map {"$_ = \"" . $there->url . "\"\n"} qw(cerebras openrouter);
    $api = quiet(env => { %env, CEREBRAS_API_KEY => 'k', OPENROUTER_API_KEY => 'k' }, config => "[provider_urls]\n" . join '', @urls);
    my %there = ('cerebras/llama3.3-70b' => 'llama3.3-70b', 'openrouter/meta-llama/llama-3.3-70b-instruct:free' => 'meta-llama/llama-3.3-70b-instruct:free', 'openrouter/auto' => 'openrouter/auto');
    for my $id (sort keys %there) {
        my ($p) = split m{/}, $id;
        is say_to(agent(qq([model]\nprovider = "$p"\nmodel = "$id"\n)), 'hello')->{response}, 'Hello from the mock.', "$id answers";
        is $there->chats->[-1]{json}{model}, $there{$id}, '  asked for by that name';
        next if $id eq 'openrouter/auto';
        $api->post('/v1/chat/completions', { model => $id, messages => [ { role => 'user', content => 'hi' } ] }, 200);
        is $there->chats->[-1]{json}{model}, $there{$id}, '  through the gateway too';
        ok scalar(grep { $_->{model} eq $id } @{ $api->get('/api/usage/by-model', 200)->{models} }), '  and booked by the catalog\'s';
    }
    $api->finish;
};

subtest 'who asks, and in which trace' => sub {
    my ($trace, $span) = ('4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7');
    my $ask = sub {
        my ($path, $body, %h) = @_;
        my $r = $api->raw('POST', $path, { headers => { 'Content-Type' => 'application/json', %h }, content => $LF::JSON->encode($body) });
        is $r->{status}, 200, "$path is answered" or diag $r->{content};
        return $first->chats->[-1]{headers};
    };
    my %came = (traceparent => "00-$trace-$span-01", tracestate => 'vendor=1');
    $api = quiet(env => \%env);
    my $id = agent();
    my $h = $ask->("/api/agents/$id/message", { message => 'hello' }, %came);
    like $h->{traceparent}, qr/^00-$trace-(?!$span)[0-9a-f]{16}-01$/, 'the call is a span of the trace that came';
    is $h->{tracestate}, 'vendor=1', 'with its state';
    is $h->{'x-librefang-agent-id'}, $id, 'the agent';
    is $h->{'x-librefang-session-id'}, $api->get("/api/agents/$id", 200)->{session_id}, 'its session';
    like $h->{'x-librefang-step-id'}, qr/^[0-9a-f-]{36}\.\d+$/, 'and the step of its turn are told';
    $h = $ask->("/api/agents/$id/message", { message => 'hello' });
    like $h->{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, 'without one it begins a trace';
    is substr($h->{traceparent}, 3, 32), substr($h->{'x-librefang-step-id'}, 0, 36) =~ tr/-//dr, '  named like the turn';
    $h = $ask->("/api/agents/$id/message", { message => 'hello' }, traceparent => '00-00000000000000000000000000000000-0000000000000000-01', tracestate => 'vendor=1');
    ok $h->{traceparent} !~ /^00-0{32}/ && !defined $h->{tracestate}, 'one that is none is let go, with its state';
    my $last = $ask->('/v1/chat/completions', { model => 'openai/m', messages => [ { role => 'user', content => 'hi' } ] }, %came);
    like $last->{traceparent}, qr/^00-$trace-/, 'through the gateway too';
    $api->finish;
    $api = quiet(env => \%env, config => "[telemetry]\nemit_caller_trace_headers = false\n");
    $h = $ask->('/api/agents/' . agent() . '/message', { message => 'hello' }, %came);
    is_deeply [ grep {/^trace|^x-librefang/} keys %$h ], [], 'emit_caller_trace_headers = false: nothing is told';
    $api->finish;
};

subtest 'where clouds keep their secrets nobody asks' => sub {
    $api = quiet(env => \%env, config => "[provider_urls]\ncloud = \"http://169.254.169.254/v1\"\nnamed = \"http://metadata.google.internal/v1\"\nsecond = \"" . $second->url . "\"\n");
    for my $p (qw(cloud named)) {
        my $since = Time::HiRes::time();
        my $r = say_to(agent(qq(fallback_models = []\n[model]\nprovider = "$p"\nmodel = "m"\n)), 'hello', 500);
        like $r->{error}, qr/^provider $p cannot be reached: the host \S+ leads to an address of the cloud's own/, "$p: the user is told why";
        cmp_ok Time::HiRes::time() - $since, '<', 20, 'at once';
        my $own = agent(qq([model]\nprovider = "$p"\nmodel = "m"\n[[fallback_models]]\nprovider = "second"\nmodel = "own-model"\n));
        is say_to($own, 'hello')->{response}, 'The second one says.', 'another provider may serve';
    }
    $api->finish;
};

subtest 'how long a tool may take' => sub {
    my $up = LF->mock(when => [
        [ 'call_slow_1' => { text => 'Somebody was too slow.' } ],
        [ 'FETCH-SLOW' => { tool_calls => [ { id => 'call_slow_1', name => 'web_fetch', arguments => { url => $silent->url . '/chat/completions' } } ] } ],
        [ 'ASK-SLOW' => { tool_calls => [ { id => 'call_slow_1', name => 'agent_send', arguments => { agent_id => 'slow', message => 'NEVER-EVER', async => JSON::PP::false } } ] } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
    ]);
    $api = LF->start(model => $up, timeout => 60, config => "[tool_timeouts]\n\"*\" = 100\n\"web_*\" = 1\nagent_send = 2\n\"agent_*\" = 90\n[web.fetch]\nssrf_allowed_hosts = [\"127.0.0.1\"]\n");
    agent('', 'slow');
    for (['FETCH-SLOW', 'web_fetch', 1], ['ASK-SLOW', 'agent_send', 2]) {
        my ($word, $tool, $s) = @$_;
        is say_to(agent(), $word)->{response}, 'Somebody was too slow.', "$tool is ended and the turn goes on";
        my ($result) = grep { ($_->{tool_call_id} // '') eq 'call_slow_1' } reverse @{ $up->chats->[-1]{json}{messages} };
        like $result->{content}, qr/^\Q$tool\E was not done after $s s and was ended/, 'the model is told';
        like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_tool_call_total\{[^}]*tool="$tool",outcome="failure",failure_type="timeout"\} 1$/m, 'and metrics count it';
    }
    is say_to(agent(), 'ASK-SLOW')->{response}, 'Somebody was too slow.', 'who was asked in vain is free again';
    $api->finish;
};

done_testing;
