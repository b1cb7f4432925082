#!/usr/bin/perl
# What can go wrong with a provider, and when: of each fault its class, how often it is tried again,
# whether the next provider answers, and what the user is told. Then what is remembered of it.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(time);

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
my $limits = qq([provider_request_timeout_secs]\nopenai = 1\n[provider_urls]\nsecond = "@{[$second->url]}"\n);
my $fallback = qq([[fallback_providers]]\nprovider = "second"\nmodel = "second-model"\napi_key_env = "LF_SECOND_KEY"\n);
my ($api, $n) = (undef, 0);

sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "f-' . ++$n . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
sub counted { my ($do) = @_; my @was = map { scalar @{ $_->chats } } $first, $second; my $r = $do->(); my @now = map { scalar @{ $_->chats } } $first, $second; return ($r, $now[0] - $was[0], $now[1] - $was[1]) }
sub say_to { my ($text, $id) = @_; $id //= agent(); return $api->raw(POST => "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) }) }
sub stream { my ($text) = @_; return [ $api->stream('/api/agents/' . agent() . '/message/stream', { message => $text })->all ] }
sub said { return join '', map { $_->{json}{content} // '' } grep { $_->{event} eq 'chunk' } @{ $_[0] } }
sub failed { return $_[0][-1]{json}{phase} && $_[0][-1]{json}{phase} eq 'error' }

subtest 'nobody else is there' => sub {
    $api = LF->start(model => $first, timeout => 60, env => \%env, config => "$limits\n[provider_max_retries]\nopenai = 1\n");
    for my $row (@matrix) {
        my ($name, $f) = ($row->[0], $fault{ $row->[0] });
        my ($r, $tries) = counted(sub { say_to($f->{word}) });
        $tries-- if $name eq 'reset' && $tries > $f->{alone};   # a kept connection that breaks is no try
        is "$r->{status} $r->{json}{code} $tries", "$f->{status} $f->{code} $f->{alone}", "$name: status, class, tries" or diag $r->{content};
        like $r->{json}{error}, qr/openai/, "... and who it was: $r->{json}{error}";
        my ($e) = counted(sub { stream($f->{word}) });
        ok failed($e) && said($e) eq '', '... and as an event stream';
    }
    is say_to('hello')->{json}{response}, 'first', 'after all that it answers';
    $api->finish;
};

subtest 'somebody else is there' => sub {
    $api = LF->start(model => $first, timeout => 60, env => \%env, config => "$limits$fallback");
    for my $row (@matrix) {
        my ($name, $f) = ($row->[0], $fault{ $row->[0] });
        my ($r, $tries, $other) = counted(sub { say_to($f->{word}) });
        $tries-- if $name eq 'reset' && $tries > $f->{beside};
        is join(' ', $r->{status}, $r->{json}{response} // $r->{json}{error}, $tries, $other), "200 second $f->{beside} 1", "$name: the next one answers";
        my ($e) = counted(sub { stream($f->{word}) });
        is said($e), 'second', '... in a stream too';
    }
    for my $word (qw(EARLY-ERROR NOT-EVENTS)) { is said(stream($word)), 'second', "$word: before a word was read" }
    for my $word (qw(MID-CUT MID-STALL MID-ERROR)) {
        my ($e, $tries, $other) = counted(sub { stream($word) });
        like said($e), qr/^some/, "$word: what was read";
        ok failed($e) && $other == 0 && $tries == 1, '... is not read again, by nobody' or diag explain $e;
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

subtest 'what failed is left alone' => sub {
    my $fails = LF->mock(default => { status => 502 });
    delete local $env{LF_REST_SECOND_MS};
    $api = LF->start(model => $fails, env => \%env, config => "$limits$fallback");
    is say_to('hello')->{json}{response}, 'second', 'the next one answers';
    my $was = @{ $fails->chats };
    is say_to('hello')->{json}{response}, 'second', 'and again';
    is scalar(@{ $fails->chats }), $was, 'without asking the first';
    $api->restart;
    is say_to('hello')->{json}{response}, 'second', 'after a restart';
    is scalar(@{ $fails->chats }), $was, 'that is still known';
    $api->finish;
    $api = LF->start(model => $fails, env => \%env, config => $limits);
    is say_to('hello')->{status}, 500, 'who is alone';
    is say_to('hello')->{status}, 500, 'is asked all the same';
    is scalar(@{ $fails->chats }), $was + 2, 'each time';
    say_to('hello') for 1 .. 3;
    $was = @{ $fails->chats };
    like say_to('hello')->{json}{error}, qr/in cooldown, retry in \d+ s/, 'but not for ever';
    is scalar(@{ $fails->chats }), $was, 'then it is not asked';
    $api->finish;
};

subtest 'a pause that the provider asks for' => sub {
    my $busy = LF->mock(default => { status => 429, headers => { 'Retry-After' => 600 } });
    delete local $env{LF_REST_SECOND_MS};
    $api = LF->start(model => $busy, env => \%env, config => "$limits\n[provider_max_retries]\nopenai = 0\n");
    my $r = say_to('hello');
    is $r->{status}, 429, 'is told';
    my $was = @{ $busy->chats };
    $r = say_to('hello');
    is "$r->{status} $r->{json}{code}", '429 rate_limited', 'and kept';
    cmp_ok $r->{headers}{'retry-after'}, '>', 500, 'for as long';
    is scalar(@{ $busy->chats }), $was, 'by everybody';
    $api->finish;
};

subtest 'several keys' => sub {
    my $keys = LF->mock(default => { text => 'served' }, key => { 'sk-limited' => { status => 429 }, 'sk-poor' => { status => 402 }, 'sk-wrong' => { status => 401 } });
    delete local $env{LF_REST_SECOND_MS};
    my $pool = qq([[credential_pools]]\nprovider = "openai"\nstrategy = "fill_first"\n) . join '', map { qq([[credential_pools.keys]]\napi_key_env = "POOL_$_"\nlabel = "\L$_"\n) } qw(LIMITED POOR WRONG GOOD);
    my $start = sub { my ($more) = @_; return LF->start(model => $keys, env => { %env, POOL_LIMITED => 'sk-limited', POOL_POOR => 'sk-poor', POOL_WRONG => 'sk-wrong', POOL_GOOD => 'sk-good-1234567890' }, config => $more // $pool) };
    $api = $start->();
    is say_to('hello')->{json}{response}, 'served', 'one of them serves';
    is join(' ', map { $_->{headers}{authorization} =~ s/Bearer sk-//r } @{ $keys->chats }), 'limited poor wrong good-1234567890', 'each was tried once, at once';
    is say_to('hello')->{json}{response}, 'served', 'again';
    is scalar(@{ $keys->chats }), 5, 'by the good one';
    my $p = $api->get('/api/credential-pools', 200)->[0];
    is_deeply [ @$p{qw(provider strategy available_count total_count)} ], [ 'openai', 'fill_first', 1, 4 ], 'it is seen how they are';
    my %by = map { $_->{label} => $_ } @{ $p->{credentials} };
    is $by{wrong}{cooldown_remaining_secs}, 'permanent', 'a refused one rests for good';
    cmp_ok $by{limited}{cooldown_remaining_secs}, '>', 3500, 'a limited one for an hour';
    cmp_ok $by{poor}{cooldown_remaining_secs}, '>', 86000, 'one without money for a day';
    is_deeply [ @{ $by{good} }{qw(key_hint request_count is_exhausted cooldown_remaining_secs)} ], [ '****7890', 2, JSON::PP::false, undef ], 'the good one has served twice';
    $api->restart;
    is say_to('hello')->{json}{response}, 'served', 'after a restart';
    is scalar(@{ $keys->chats }), 6, 'nothing is forgotten';
    $api->finish;
    my $round = $pool =~ s/fill_first/round_robin/r =~ s/POOL_(?:LIMITED|POOR|WRONG)/POOL_GOOD_$&/gr;
    my $was = @{ $keys->chats };
    $api = LF->start(model => $keys, env => { %env, map { ("POOL_GOOD_POOL_$_" => 'sk-' . lc $_ . '-good', POOL_GOOD => 'sk-good') } qw(LIMITED POOR WRONG) }, config => $round);
    say_to('hello') for 1 .. 8;
    my %used;
    $used{ $_->{headers}{authorization} }++ for @{ $keys->chats }[ $was .. $was + 7 ];
    is_deeply [ sort values %used ], [ 2, 2, 2, 2 ], 'or each in its turn';
    $api->finish;
};
done_testing;
