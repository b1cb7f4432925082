#!/usr/bin/perl
# A provider that we did not write: aimock, from npm, plays OpenAI's API. Every way to
# ask (a message, a stream, the chat socket, /v1 to an agent and straight through) meets
# every way to fail: what broke is an error and never an answer, nothing of it stays in
# the history as one, and the next question is answered.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Aimock;
use LF::WS;
use Test::More;
use Time::HiRes ();

LF::Aimock::needed();
my $SECRET = LF::Aimock->key;                 # what the providers want, and nobody else may see
my $HALF = 'These words were cut in the middle of what they wanted to say';
my @WAYS = qw(message stream socket v1 v1-stream gateway gateway-stream);

# --- what the provider is to say --------------------------------------------------

# Questions that had no answer come again with the next one, so what is asked then comes first.
my @fixtures = (
    says('hello', { content => 'Hello from aimock.', usage => { prompt_tokens => 11, completion_tokens => 5 } }),
    says('CUT-AT-ONCE', { content => $HALF }, chunkSize => 6, truncateAfterChunks => 1),
    says('CUT-HERE', { content => $HALF }, chunkSize => 6, latency => 15, truncateAfterChunks => 4),
    says('CUT-CALL', { toolCalls => [ { name => 'memory_store', arguments => { key => 'cut', value => $HALF } } ] }, chunkSize => 8, truncateAfterChunks => 3),
    says('HANG-UP', { content => $HALF }, chunkSize => 6, latency => 40, disconnectAfterMs => 150),
    broken(),
    refusal('FAIL-503', 503, 'The engine is currently overloaded', type => 'server_error'),
    refusal('BAD-KEY', 401, "Incorrect API key provided: $SECRET", code => 'invalid_api_key'),
    refusal('NO-MODEL', 404, 'The model `m` does not exist', code => 'model_not_found'),
    refusal('TOO-LONG', 400, "This model's maximum context length is 8192 tokens", code => 'context_length_exceeded'),
    refusal('NO-MONEY', 429, 'You exceeded your current quota, please check your plan and billing details', type => 'insufficient_quota', code => 'insufficient_quota'),
    refusal('ALWAYS-429', 429, 'Rate limit reached', type => 'rate_limit_error', retryAfter => 0),
    (map { ({ match => { userMessage => "WAIT-$_.", sequenceIndex => 0 }, response => { error => { message => 'Rate limit reached', type => 'rate_limit_error' }, status => 429, retryAfter => 1 } },
        says("WAIT-$_.", { content => 'after the wait' })) } @WAYS),
    says('SLOW-FIRST', { content => 'late, but here' }, streamingProfile => { ttft => 250, tps => 200 }),
    says('BLANK', { content => '' }),
    says('WIDE-WORDS', { content => "\x{4f60}\x{597d} caf\x{e9} \0 \"quoted\" \\ \n\ttab" }, chunkSize => 1),
    says('SMILE', { content => "so \x{1f600}" }, chunkSize => 50),
    two_calls('PARALLEL', 'Both at once.', [ 'call_a', 'memory_store', { key => 'colour', value => 'blue' } ], [ 'call_b', 'memory_store', { key => 'size', value => 'small' } ]),
    { match => { userMessage => 'PARALLEL', toolCallId => 'call_b' }, response => { content => 'Both are kept.' } },
    two_calls('WEATHER', undef, [ 'call_w1', 'get_weather', { city => 'Bern' } ], [ 'call_w2', 'get_weather', { city => 'Rome' } ]),
    { match => { userMessage => 'WEATHER', toolCallId => 'call_w2' }, response => { content => 'Sun in both.' } },
    { match => { userMessage => 'ENDLESS' }, response => { toolCalls => [ { name => 'no_such_tool', arguments => { again => 1 } } ] } },
);

# --- the provider -----------------------------------------------------------------

my $up = LF::Aimock->start(\@fixtures);
my $address = $up->url;
sub forget { return $up->forget }
sub asked { return $up->asked }

# --- our server -------------------------------------------------------------------

my $api = LF->start(timeout => 40,
    model => { provider => 'openai', model => 'gpt-4o-mini', base_url => "$address/v1", api_key_env => 'LF_MOCK_KEY' },
    env => { LF_MOCK_KEY => $SECRET, OPENAI_API_KEY => $SECRET, LF_LLM_RETRY_MS => 20 },
    limits => "ws_messages_per_minute = 100000\n", config => qq([provider_urls]\nopenai = "$address/v1"\n[memory]\nfts_only = true\n));
my (%agent, %socket);
my $made = 0;

sub agent {
    my $name = 'agent-' . ++$made;
    $_->close for values %socket;                           # a peer may have four
    %socket = ();
    my $id = $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n[capabilities]\ntools = [\"*\"]\n" }, 201)->{agent_id};
    return { id => $id, name => $name };
}

# An answer, however it was asked for: {text, status, code, error, ended, raw, tools}. ended: said to be finished.
sub ask {
    my ($way, $a, $text, %more) = @_;
    return ask_message($a, $text) if $way eq 'message';
    return ask_stream($a, $text) if $way eq 'stream';
    return ask_socket($a, $text) if $way eq 'socket';
    my $body = { model => $way =~ /gateway/ ? 'openai/gpt-4o-mini' : $a->{name}, messages => [ { role => 'user', content => $text } ], %more };
    return $way =~ /-stream$/ ? ask_chunks($body) : ask_completion($body);
}

sub ask_message {
    my ($a, $text) = @_;
    my $r = $api->raw('POST', "/api/agents/$a->{id}/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) });
    my $j = $r->{json} // {};
    return { status => $r->{status}, text => $j->{response}, ended => $r->{status} == 200, code => $j->{code}, error => $j->{error}, raw => $r->{content},
        faults => [ $api->faults($r, $r->{status}) ] };
}

sub ask_stream {
    my ($a, $text) = @_;
    my $s = $api->stream("/api/agents/$a->{id}/message/stream", { message => $text });
    if ($s->status != 200) {
        my $raw = $s->rest;
        my $j = eval { $LF::JSON->decode($raw) } // {};
        return { status => $s->status, code => $j->{code}, error => $j->{error}, raw => $raw, ended => 0 };
    }
    my @e = $s->all;
    my $ended = grep { $_->{event} eq 'done' } @e;
    my @f = ('the body ends as it should') x !$s->whole;
    push @f, 'done is the last event, and there is one' if $ended && ($ended != 1 || $e[-1]{event} ne 'done');
    push @f, 'a failed stream ends with the phase error' if !$ended && ($e[-1]{json}{phase} // '') ne 'error';
    return { status => 200, ended => $ended, text => join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e),
        raw => join("\n", map { $_->{data} } @e), faults => \@f, said => 'phase' };
}

sub ask_socket {
    my ($a, $text) = @_;
    my $ws = $socket{ $a->{id} } //= do {
        my $new = LF::WS->open($api, "/api/agents/$a->{id}/ws");
        $new->next for 1, 2;
        $new;
    };
    my @f = $ws->turn({ type => 'message', content => $text, message_id => "m-$text" });
    my $last = $f[-1] // { type => 'nothing' };
    my @bad = ('a terminal frame says whose it is') x (($last->{message_id} // '') ne "m-$text");
    push @bad, 'typing stops once' if 1 != grep { $_->{type} eq 'typing' && $_->{state} eq 'stop' } @f;
    my $ended = $last->{type} =~ /^(?:response|silent_complete)$/ ? 1 : 0;
    return { status => $ended ? 200 : 500, ended => $ended, code => $last->{code}, error => $ended ? undef : $last->{content},
        text => $ended ? $last->{content} : join('', map { $_->{content} } grep { $_->{type} eq 'text_delta' } @f), raw => $LF::JSON->encode(\@f), faults => \@bad };
}

sub ask_completion {
    my ($body) = @_;
    my $r = $api->raw('POST', '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode($body) });
    my $j = $r->{json} // {};
    my $m = $r->{status} == 200 ? $j->{choices}[0] : {};
    return { status => $r->{status}, text => $m->{message}{content}, ended => defined $m->{finish_reason} ? 1 : 0, finish => $m->{finish_reason},
        tools => $m->{message}{tool_calls}, message => $m->{message}, code => ref $j->{error} ? $j->{error}{code} : undef,
        error => ref $j->{error} ? $j->{error}{message} : undef, raw => $r->{content}, faults => [ $api->faults($r, $r->{status}) ] };
}

sub ask_chunks {
    my ($body) = @_;
    my $s = $api->stream('/v1/chat/completions', { %$body, stream => JSON::PP::true });
    if ($s->status != 200) {
        my $raw = $s->rest;
        my $j = eval { $LF::JSON->decode($raw) } // {};
        return { status => $s->status, code => $j->{error}{code}, error => $j->{error}{message}, raw => $raw, ended => 0 };
    }
    my @e = $s->all;
    my ($text, $finish, $error, @calls) = ('');
    my @f = ('the last is [DONE]') x (!@e || $e[-1]{data} ne '[DONE]');
    for my $j (grep { ref } map { $_->{json} } @e) {
        $error //= $j->{error} if $j->{error};
        my $ch = $j->{choices} && $j->{choices}[0] or next;
        $text .= $ch->{delta}{content} // '';
        $finish //= $ch->{finish_reason};
        for my $t (@{ $ch->{delta}{tool_calls} // [] }) {
            $calls[ $t->{index} ]{id} //= $t->{id};
            $calls[ $t->{index} ]{function}{name} //= $t->{function}{name};
            $calls[ $t->{index} ]{function}{arguments} .= $t->{function}{arguments} // '';
        }
    }
    push @f, 'it either ends well or with an error' if defined $finish == defined $error;
    return { status => 200, ended => defined $finish ? 1 : 0, finish => $finish, text => $text, code => $error->{code}, error => $error->{message},
        tools => @calls ? \@calls : undef, raw => join("\n", map { $_->{data} } @e), faults => \@f };
}

sub history {
    my ($a) = @_;
    return @{ $api->get("/api/agents/$a->{id}/session", 200)->{messages} };
}
sub said { return join ' | ', map {"$_->{role}: $_->{content}"} history(@_) }
sub has_history { return $_[0] !~ /gateway/ }
sub fine { my ($r, $name) = @_; return is_deeply $r->{faults} // [], [], $name // '  in the form that it must have' }

# --- what goes well ---------------------------------------------------------------

subtest 'every way of asking has its answer' => sub {
    for my $way (@WAYS) {
        my $a = agent();
        my $r = ask($way, $a, 'hello');
        is $r->{text}, 'Hello from aimock.', "$way: the answer is whole" or diag $r->{raw};
        ok $r->{ended}, '  and is said to be finished';
        fine($r);
        is said($a), 'User: hello | Assistant: Hello from aimock.', '  the history has it' if has_history($way);
        $r = ask($way, $a, 'WIDE-WORDS');
        is $r->{text}, "\x{4f60}\x{597d} caf\x{e9} \x{fffd} \"quoted\" \\ \n\ttab", '  every character comes through, one at a time, NUL as a mark';
        is ask($way, $a, 'SMILE')->{text}, "so \x{1f600}", '  also one beyond the first 65,536';
        forget();
        is ask($way, $a, 'SLOW-FIRST')->{text}, 'late, but here', '  a slow first byte is waited for';
        is scalar(asked()), 1, '  with one request';
    }
};

subtest 'tools that the model asks for at once' => sub {
    for my $way (grep { has_history($_) } @WAYS) {
        my $a = agent();
        forget();
        my $r = ask($way, $a, 'PARALLEL');
        like $r->{text}, qr/Both are kept\.$/, "$way: two calls, then the answer" or diag $r->{raw};
        ok $r->{ended}, '  which ends';
        fine($r);
        is_deeply { map { $_->{key} => $_->{value} } @{ $api->get("/api/memory/agents/$a->{id}/kv", 200)->{kv_pairs} } },
            { colour => 'blue', size => 'small' }, '  both were run';
        my ($told) = grep { ($_->{body}{messages}[-1]{tool_call_id} // '') eq 'call_b' } asked();
        is join(' ', map { $_->{role} } @{ $told->{body}{messages} }), 'system user assistant tool tool', '  and each has its result, in order';
        is join(' ', map { $_->{role} } history($a)), 'User Assistant Assistant', '  the history is whole';
    }
    my @weather = (tools => [ { type => 'function', function => { name => 'get_weather', parameters => { type => 'object', properties => { city => { type => 'string' } } } } } ]);
    for my $way (grep {/^v1|gateway/} @WAYS) {
        my $a = agent();
        my $r = ask($way, $a, 'WEATHER', @weather);
        is $r->{finish}, 'tool_calls', "$way: two tools of the caller" or diag $r->{raw};
        is_deeply [ map { [ $_->{id}, $_->{function}{name}, $LF::JSON->decode($_->{function}{arguments})->{city} ] } @{ $r->{tools} } ],
            [ [ 'call_w1', 'get_weather', 'Bern' ], [ 'call_w2', 'get_weather', 'Rome' ] ], '  come back as they were asked for';
        my @calls = map { { id => $_->{id}, type => 'function', function => $_->{function} } } @{ $r->{tools} };
        my $more = { model => $way =~ /gateway/ ? 'openai/gpt-4o-mini' : $a->{name}, @weather, messages => [ { role => 'user', content => 'WEATHER' },
            { role => 'assistant', content => undef, tool_calls => \@calls }, map { { role => 'tool', tool_call_id => $_->{id}, content => 'sunny' } } @calls ] };
        $r = $way =~ /-stream/ ? ask_chunks($more) : ask_completion($more);
        is $r->{text}, 'Sun in both.', '  and the answer follows from both results' or diag $r->{raw};
    }
    my $a = agent();
    forget();
    my $r = ask('message', $a, 'ENDLESS');
    is $r->{status}, 500, 'a model that only ever asks for tools is stopped';
    fine($r);
    cmp_ok scalar(asked()), '<=', 50 + 6, '  after 50 rounds at the latest, and six summaries of what they filled';
    is ask('message', $a, 'hello')->{text}, 'Hello from aimock.', '  and the agent is as before';
};

subtest 'too many requests' => sub {
    for my $way (qw(message stream v1 gateway-stream)) {
        my $a = agent();
        my $since = Time::HiRes::time();
        forget();
        my $r = ask($way, $a, "WAIT-$way.");
        is $r->{text}, 'after the wait', "$way: a 429 is waited out" or diag $r->{raw};
        cmp_ok Time::HiRes::time() - $since, '>=', 1, '  as long as Retry-After says';
        is scalar(asked()), 2, '  with two requests';
        is said($a), "User: WAIT-$way. | Assistant: after the wait", '  of which the history knows nothing' if has_history($way);
    }
    my $a = agent();
    my $times = sub { my ($word) = @_; forget(); ask('message', $a, $word); return scalar(asked()) };
    is $times->('ALWAYS-429'), 4, 'one that does not end is given up after three more tries';
    my $before = Time::HiRes::time();
    $a = agent();
    is $times->('NO-MONEY'), 1, 'an account without credit is not asked again';
    $a = agent();
    is $times->('BAD-KEY'), 1, 'nor with a key that was refused';
    cmp_ok Time::HiRes::time() - $before, '<', 60, 'and nobody waits for it';
};

# --- what fails -------------------------------------------------------------------

# word => [ status, code, which ways (all), status of the gateway ]; a stream that has begun keeps its 200
my %faults = (
    'CUT-AT-ONCE' => [ 500, qr/^(?:broken_stream|llm_error)$/, qr/stream|socket/ ],
    'CUT-HERE'    => [ 500, qr/^(?:broken_stream|llm_error)$/, qr/stream|socket/ ],
    'CUT-CALL'    => [ 500, qr/^(?:broken_stream|llm_error)$/, qr/stream|socket/ ],
    'HANG-UP'     => [ 500, qr/^(?:broken_stream|llm_error)$/, qr/stream|socket/ ],
    'NO-ANSWER'   => [ 500, qr/^llm_error$/ ],
    'NOT-JSON'    => [ 500, qr/^(?:llm_error|broken_stream)$/ ],
    'FAIL-500'    => [ 500, qr/^llm_error$/ ],
    'FAIL-503'    => [ 500, qr/^(?:overloaded|llm_error)$/ ],
    'BAD-KEY'     => [ 500, qr/^auth_error$/ ],
    'NO-MODEL'    => [ 500, qr/^model_not_found$/, undef, 404 ],
    'TOO-LONG'    => [ 500, qr/^context_(?:overflow|length_exceeded)$/, undef, 400 ],
    'NO-MONEY'    => [ 500, qr/^billing_error$/ ],
    'ALWAYS-429'  => [ 429, qr/^rate_limited$/ ],
);

sub fails {
    my ($way, $a, $word) = @_;
    my ($status, $code, undef, $passed_on) = @{ $faults{$word} };
    $status = $passed_on if $passed_on && $way =~ /gateway/;
    my $r = ask($way, $a, $word);
    ok !$r->{ended}, "$word is an error" or diag $r->{raw};
    fine($r);
    is $r->{status}, $status, '  with its status' if $way !~ /stream|socket/;
    like $r->{code} // 'none', $code, '  and its word' or diag $r->{raw} if !$r->{said};
    cmp_ok length($r->{error} // ''), '>', 10, '  in a sentence' if !$r->{said};
    unlike $r->{raw}, qr/\Q$SECRET\E|chaos|Internal server error/, '  that says no secret, passes no garbage on, and is of use';
    ok length $r->{text} && index($HALF, $r->{text}) == 0 && $r->{text} ne $HALF, '  what came before was passed on, and no more'
        or diag $r->{raw} if $word =~ /^(?:CUT-HERE|HANG-UP)$/;
    return if !has_history($way);
    my @h = history($a);
    is_deeply [ grep { $_->{role} eq 'Assistant' && $_->{content} ne 'Hello from aimock.' } @h ], [], '  the history holds nothing of it as an answer';
    is $h[-1]{role}, 'User', '  but what was asked';
    ok !$api->get("/api/agents/$a->{id}/sessions", 200)->{sessions}[0]{active}, '  nothing runs on';
    return;
}

for my $way (@WAYS) {
    subtest "a provider that fails: $way" => sub {
        my $a = agent();
        for my $word (sort keys %faults) {
            next if $faults{$word}[2] && $way !~ $faults{$word}[2];
            fails($way, $a, $word);
            my $r = ask($way, $a, 'hello');
            is $r->{text}, 'Hello from aimock.', '  and the next question is answered' or diag $r->{raw};
        }
        my $n = grep { !defined $_->{result} } map { @{ $_->{tools} // [] } } has_history($way) ? history($a) : ();
        is $n, 0, 'no tool use without its result is kept';
    };
}

subtest 'an answer without a word' => sub {
    for my $way (grep { has_history($_) } @WAYS) {
        my $a = agent();
        my $r = ask($way, $a, 'BLANK');
        is $r->{status}, 200, "$way: is none of the faults";
        ok $r->{ended}, '  and ends';
        is ask($way, $a, 'hello')->{text}, 'Hello from aimock.', '  the next has words again';
    }
};

subtest 'a provider that is not there' => sub {
    $up->stop;
    for my $way (@WAYS) {
        my $a = agent();
        my $since = Time::HiRes::time();
        my $r = ask($way, $a, 'is anybody there');
        ok !$r->{ended}, "$way: nobody listens, that is an error" or diag $r->{raw};
        fine($r);
        cmp_ok Time::HiRes::time() - $since, '<', 30, '  said soon';
    }
};

$_->close for values %socket;
$api->down;
my $logs = join '', map { LF::slurp($_) } glob($api->home . '/logs/*');
cmp_ok length $logs, '>', 1000, 'there is a log';
unlike $logs, qr/\Q$SECRET\E/, "without the provider's key";
unlike $logs, qr/\Q@{[ $api->key ]}\E/, 'and without ours';
unlike $logs, qr/These words were cut|Hello from aimock/, 'and without what was said';
done_testing;
