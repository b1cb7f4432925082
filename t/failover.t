#!/usr/bin/perl
# What can go wrong with a provider, and when: of each fault its class, how often it is tried again,
# whether the next provider answers, and what the user is told.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();

#   fault      what the provider does                                             class             status  tries: alone, with another
my @matrix = (
    [ 401 => { status => 401 },                                                   'auth_error',      500, 1, 1 ],
    [ 402 => { status => 402 },                                                   'billing_error',   500, 1, 1 ],
    [ 403 => { status => 403 },                                                   'auth_error',      500, 1, 1 ],
    [ 404 => { status => 404 },                                                   'model_not_found', 500, 1, 1 ],
    [ 408 => { status => 408 },                                                   'timeout',         500, 1, 1 ],
    [ 429 => { status => 429 },                                                   'rate_limited',    429, 2, 2 ],
    [ '429 Retry-After' => { status => 429, headers => { 'Retry-After' => 1 } },  'rate_limited',    429, 2, 1 ],
    [ 500 => { status => 500 },                                                   'llm_error',       500, 2, 2 ],     # once more without tools
    [ 502 => { status => 502 },                                                   'llm_error',       500, 1, 1 ],
    [ 503 => { status => 503 },                                                   'overloaded',      500, 2, 2 ],
    [ 529 => { status => 529 },                                                   'overloaded',      500, 2, 2 ],
    [ reset => { reset => 1 },                                                    'llm_error',       500, 2, 2 ],
    [ stall => { hang => 1 },                                                     'timeout',         500, 1, 1 ],
    [ malformed => { garbage => '{"choices": [' },                                'broken_stream',   500, 2, 2 ],
    [ cut => { text => 'cut short of what was promised', cut => 1 },              'llm_error',       500, 2, 2 ],
);
my %fault = map { my ($name, @r) = @$_; (my $word = uc "fault-$name-end") =~ tr/ /-/; ($name => { word => $word, does => $r[0], code => $r[1], status => $r[2], alone => $r[3], beside => $r[4] }) } @matrix;

my $first = LF->mock(default => { text => 'first' }, when => [
    (map { [ $_->{word} => $_->{does} ] } values %fault),
    [ 'MID-CUT' => { text => 'some words before the end', cut => 3 } ], [ 'MID-STALL' => { text => 'some words before the end', stall => 3 } ],
    [ 'MID-ERROR' => { garbage => qq(data: {"choices":[{"index":0,"delta":{"content":"some words"}}]}\n\ndata: {"error":{"message":"overloaded sk-abcdef123456","code":503}}\n\n) } ],
    [ 'EARLY-ERROR' => { garbage => qq(data: {"error":{"message":"overloaded","code":503}}\n\n) } ],
    [ 'NOT-EVENTS' => { garbage => "<html>no events</html>" } ],
]);
my $second = LF->mock(default => { text => 'second' });
my %env = (LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0, LF_SECOND_KEY => 'sk-second');
my $limits = qq([provider_request_timeout_secs]\nopenai = 2\n[provider_urls]\nsecond = "@{[$second->url]}"\n);
my $fallback = qq([[fallback_providers]]\nprovider = "second"\nmodel = "second-model"\napi_key_env = "LF_SECOND_KEY"\n);
my ($api, $n) = (undef, 0);

sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "f-' . ++$n . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
# How often each of them was asked, with that word.
sub asked { my ($word) = @_; return map { scalar grep { $_->{body} =~ /\Q$word\E/ } @{ $_->chats } } $first, $second }
sub counted { my ($word, $do) = @_; my @was = asked($word); my $r = $do->(); my @now = asked($word); return ($r, $now[0] - $was[0], $now[1] - $was[1]) }
sub say_to { my ($text, $id) = @_; $id //= agent(); return $api->raw(POST => "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) }) }
sub stream { my ($text) = @_; return [ $api->stream('/api/agents/' . agent() . '/message/stream', { message => $text })->all ] }
sub stream_of { my ($id) = @_; return $api->raw(POST => "/api/agents/$id/message/stream", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => 'hello' }) }) }
# Who says nothing is asked at the beginning, and heard when its turn comes.
my $round = 0;
sub begin {
    my ($text) = @_;
    $text .= "-ROUND-$round";
    return { said => $api->later('/api/agents/' . agent() . '/message', { message => "$text-SAID" }, headers => { Accept => 'application/json' }),
        streamed => $api->later('/api/agents/' . agent() . '/message/stream', { message => "$text-STREAMED" }) };
}
sub heard { my ($s) = @_; $s->read_head; my $text = $s->rest; return { status => $s->status, content => $text, json => eval { $LF::JSON->decode($text) } } }
sub events { my ($s) = @_; $s->read_head; return [ $s->all ] }
# ({status, json, content} of a message, how often each was asked, events of a stream)
sub outcome {
    my ($word, $begun) = @_;
    return (heard($begun->{said}), asked("$word-ROUND-$round-SAID"), events($begun->{streamed})) if $begun;
    my @said = counted($word, sub { say_to($word) });
    return (@said, stream($word));
}
sub said { return join '', map { $_->{json}{content} // '' } grep { $_->{event} eq 'chunk' } @{ $_[0] } }
sub failed { return $_[0][-1]{json}{phase} && $_[0][-1]{json}{phase} eq 'error' }

subtest 'nobody else is there' => sub {
    $api = LF->start(model => $first, timeout => 60, env => \%env, config => "$limits\n[provider_max_retries]\nopenai = 1\n");
    $round++;
    my %begun = (stall => begin($fault{stall}{word}));
    for my $row (@matrix) {
        my ($name, $f) = ($row->[0], $fault{ $row->[0] });
        my ($r, $tries, undef, $e) = outcome($f->{word}, $begun{$name});
        $tries-- if $name eq 'reset' && $tries > $f->{alone};   # a kept connection that breaks is no try
        is "$r->{status} $r->{json}{code} $tries", "$f->{status} $f->{code} $f->{alone}", "$name: status, class, tries" or diag $r->{content};
        like $r->{json}{error}, qr/openai/, "... and who it was: $r->{json}{error}";
        ok failed($e) && said($e) eq '', '... and as an event stream';
    }
    is say_to('hello')->{json}{response}, 'first', 'after all that it answers';
    $api->finish;
};

subtest 'who does best goes first, if that is wished' => sub {
    for my $order (qw(listed healthiest)) {
        $api = LF->start(model => $first, timeout => 60, env => \%env, top => qq(fallback_order = "$order"), config => "$limits$fallback");
        my ($r, $one, $two) = counted(hello => sub { say_to('hello') });
        is $r->{json}{response}, 'first', "$order: as they are listed, while all are well";
        ($r) = counted('FAULT-503-END' => sub { say_to('FAULT-503-END') });
        is $r->{json}{response}, 'second', '... one that fails is followed by the next';
        ($r, $one, $two) = counted(hello => sub { say_to('hello') });
        is "$one $two", $order eq 'listed' ? '1 0' : '0 1', $order eq 'listed' ? '... and is asked again (nobody rests here)' : '... which goes first from then on';
        if ($order eq 'healthiest') {
            (undef, $one) = counted('FAULT-503-END' => sub { say_to('FAULT-503-END') });
            is $one, 0, '... and the other is not asked';
            is((counted(hello => sub { $api->post('/v1/chat/completions', { model => 'openai/mock-model', messages => [ { role => 'user', content => 'hello' } ] }, 200) }))[1], 1, '... not before one that was asked for by name');
            $api->post('/v1/chat/completions', { model => 'openai/mock-model', messages => [ { role => 'user', content => 'FAULT-503-END' } ] }, 200);
            $api->restart;
            ($r, $one, $two) = counted(hello => sub { say_to('hello') });
            is "$one $two", '0 1', '... a start remembers it';
        }
        $api->finish;
    }
};

subtest 'somebody else is there' => sub {
    $api = LF->start(model => $first, timeout => 60, env => \%env, config => "$limits$fallback");
    $round++;
    my %begun = (stall => begin($fault{stall}{word}));
    my $stalled = $api->later('/api/agents/' . agent() . '/message/stream', { message => 'MID-STALL' });
    for my $row (@matrix) {
        my ($name, $f) = ($row->[0], $fault{ $row->[0] });
        my ($r, $tries, $other, $e) = outcome($f->{word}, $begun{$name});
        $tries-- if $name eq 'reset' && $tries > $f->{beside};
        is join(' ', $r->{status}, $r->{json}{response} // $r->{json}{error}, $tries, $other), "200 second $f->{beside} 1", "$name: the next one answers";
        is said($e), 'second', '... in a stream too';
    }
    for my $word (qw(EARLY-ERROR NOT-EVENTS)) { is said(stream($word)), 'second', "$word: before a word was read" }
    for my $word (qw(MID-CUT MID-STALL MID-ERROR)) {
        my ($e, $tries, $other) = $word eq 'MID-STALL' ? (events($stalled), asked($word)) : counted($word, sub { stream($word) });
        like said($e), qr/^some/, "$word: what was read";
        ok failed($e) && $other == 0 && $tries == 1, '... is not read again, by nobody' or diag explain $e;
    }
    for my $name (500, 429, 'reset', 401) {
        my $ask = sub { my ($stream) = @_; return $api->raw(POST => '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode(
            { model => 'openai/mock-model', messages => [ { role => 'user', content => $fault{$name}{word} } ], $stream ? (stream => JSON::PP::true()) : () }) }) };
        my ($r, $tries, $other) = counted($fault{$name}{word}, sub { $ask->() });
        is "$r->{status} $r->{json}{choices}[0]{message}{content} $other", '200 second 1', "$name straight to a model: the next one answers";
        is join('', $ask->(1)->{content} =~ /"content":"(\w+)"/g), 'second', '... in a stream too';
    }
    unlike $api->log_text . join('', map { $_->{content} // '' } $api->last), qr/abcdef123456/, "and what looks like a key is not told";
    $api->finish;
};

subtest 'nobody serves' => sub {
    my $bad = LF->mock(default => { status => 401 });
    $api = LF->start(model => $first, env => \%env, config => qq([provider_urls]\nsecond = "@{[$bad->url]}"\n$fallback));
    my $r = say_to($fault{500}{word});
    is $r->{status}, 500, 'an error';
    like $r->{json}{error}, qr/openai=llm_error, second=auth_error/, 'that tells of each: ' . $r->{json}{error};
    $api->finish;
};

subtest 'an agent with a key of its own' => sub {
    $api = LF->start(model => $first, env => { %env, OPENAI_API_KEY => 'sk-everybody', LF_OWN_KEY => 'sk-own' }, config => $limits);
    my $own = agent(qq([model]\napi_key_env = "LF_OWN_KEY"\n));
    is say_to('hello', $own)->{json}{response}, 'first', 'is answered';
    is $first->chats->[-1]{headers}{authorization}, 'Bearer sk-own', 'by that key';
    my ($r, $asked) = counted(hello => sub { say_to('hello', agent(qq([model]\napi_key_env = "LF_NO_SUCH_KEY"\n))) });
    is "$r->{status} $r->{json}{code} $asked", '412 provider_auth_missing 0', 'where it is not set nobody is asked: no other key takes its place';
    like $r->{json}{error}, qr/openai.*LF_NO_SUCH_KEY/, 'and the variable is named';
    my $e = stream_of(agent(qq([model]\napi_key_env = "LF_NO_SUCH_KEY"\n)));
    is "$e->{status} $e->{json}{code}", '412 provider_auth_missing', 'before a stream begins';
    $r = say_to('hello', agent(qq([model]\napi_key_env = "LF_NO_SUCH_KEY"\n[[fallback_models]]\nprovider = "openai"\nmodel = "mock-model"\nbase_url = "@{[$second->url]}"\n)));
    is $r->{json}{response}, 'second', 'a model that stands behind it is asked';
    is say_to('hello', agent(qq([model]\napi_key_env = "OPENAI_API_KEY"\n)))->{json}{response}, 'first', "the provider's usual name means its usual key";
    $api->finish;
};

subtest 'the default model with a key of its own' => sub {
    my $model = { provider => 'openai', model => 'mock-model', base_url => $first->url, api_key_env => 'LF_OWN_KEY' };
    my $start = sub { my ($env, $config, %more) = @_; $api = LF->start(model => { %$model, %more }, env => { %env, OPENAI_API_KEY => 'sk-everybody', %$env }, config => $limits . ($config // '')) };
    my $by = sub { my ($id) = @_; my $r = say_to('hello', $id); return $r->{status} == 200 ? $first->chats->[-1]{headers}{authorization} =~ s/Bearer //r : "$r->{status} $r->{json}{code} $r->{json}{error}" };
    $start->({ LF_OWN_KEY => 'sk-own' });
    is $by->(), 'sk-own', 'is asked by that key';
    $api->finish;
    $start->({});
    my ($said, $asked) = counted(hello => $by);
    like $said, qr/^412 provider_auth_missing .*openai.*LF_OWN_KEY/, 'where it is not set, the variable is named: no other key takes its place';
    is $asked, 0, 'and nobody is asked';
    is $by->(agent(qq([model]\napi_key_env = "OPENAI_API_KEY"\n))), 'sk-everybody', 'an agent that names another is asked by that';
    $api->finish;
    $start->({ LF_POOL_KEY => 'sk-pool' }, qq([[credential_pools]]\nprovider = "openai"\n[[credential_pools.keys]]\napi_key_env = "LF_POOL_KEY"\n));
    is $by->(), 'sk-pool', 'a pool of keys for it counts';
    $api->finish;
    $start->({}, '', api_key_env => 'OPENAI_API_KEY');
    is $by->(), 'sk-everybody', "the provider's usual name means its usual key";
    $api->finish;
    $api = LF->start(model => { provider => 'auto', api_key_env => 'LF_OWN_KEY' }, env => { %env, LF_OWN_KEY => 'sk-own', OPENAI_API_KEY => 'sk-everybody' }, config => $limits =~ s/second =/openai = "@{[$first->url]}"\nsecond =/r);
    is $by->(), 'sk-everybody', 'which provider a key is for must be said: where that is found out, its own is taken';
    $api->finish;
};

done_testing;
