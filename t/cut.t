#!/usr/bin/perl
# The provider's connection breaks after some byte of a streamed answer, at places all over it: who asked is told of an
# error, by every way of asking, and never that the answer is whole; nothing of it is kept as one.
# (That the decoders see it at every single byte is in t/llm.)
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::WS;
use Test::More;
use Time::HiRes ();

my $text = 'These words were cut somewhere in the middle of what they wanted to say, and nobody may take them for the whole.';
my @at = (0, 1, 2, 7, 40, 41, 120, 199, 230, 231, 260, 300, 333, 390, 421, 450, 512, 600, 700, 777, 850, 900);
my $up = LF->mock(when => [ [ 'ONLY-PINGS' => { text => $text, stall => 2, ping => 1 } ], [ 'NOT-A-BYTE' => { text => $text, stall => 2 } ], map { [ "CUT-AT-$_." => { text => $text, chunks => 4, cut_bytes => $_ } ] } @at ], default => { text => 'whole' });
my $api = LF->start(model => $up, env => { LF_LLM_RETRY_MS => 1, LF_REST_SECOND_MS => 0 }, limits => "ws_messages_per_minute = 100000\n", config => "[turn]\nstream_idle_secs = 2\n");
my $n = 0;

sub spawn { return $api->post('/api/agents', { manifest_toml => 'name = "cut-' . ++$n . '"' }, 201)->{agent_id} }
sub answers { my ($id) = @_; return grep { $_->{role} eq 'Assistant' } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }

my @half = @at[ grep { $_ % 2 } 0 .. $#at ];
my (@bad, @kept);

subtest 'as an event stream' => sub {
    for my $at (@at) {
        my $id = spawn();
        my @e = $api->stream("/api/agents/$id/message/stream", { message => "CUT-AT-$at." })->all;
        push @bad, $at if !@e || $e[-1]{event} ne 'phase' || $e[-1]{json}{phase} ne 'error' || grep { $_->{event} eq 'done' } @e;
        push @kept, $at if answers($id);
    }
    is "@bad", '', 'each ends with an error, none with done';
    is "@kept", '', 'and none is kept as an answer';
};

subtest 'over a socket' => sub {
    @bad = ();
    for my $at (@half) {
        my $id = spawn();
        my $ws = LF::WS->open($api, "/api/agents/$id/ws");
        $ws->next for 1, 2;
        $ws->say({ type => 'message', content => "CUT-AT-$at." });
        my @f;
        push @f, $ws->next while !@f || $f[-1] && $f[-1]{type} !~ /^(?:error|response|silent_complete)$/;
        push @bad, $at if $f[-1]{type} ne 'error';
        $ws->close;
    }
    is "@bad", '', 'each ends with an error';
};

for my $way ('an agent', 'the model') {
    subtest "as OpenAI's chunks from $way" => sub {
        @bad = ();
        for my $at (@half) {
            my $model = 'openai/mock-model';
            if ($way eq 'an agent') { spawn(); $model = "cut-$n" }
            my $s = $api->stream('/v1/chat/completions', { model => $model, stream => JSON::PP::true, messages => [ { role => 'user', content => "CUT-AT-$at." } ] });
            my $raw = $s->rest;
            push @bad, $at if $raw !~ /"error":\{/ || $raw =~ /"finish_reason":"/;
        }
        is "@bad", '', 'each has the error object, none a reason to stop';
    };
}

# All of them at once: each takes the two seconds.
my $then = Time::HiRes::time();
my %open;
for my $word (qw(ONLY-PINGS NOT-A-BYTE)) {
    $open{"$word-TURN"} = $api->stream('/api/agents/' . spawn() . '/message/stream', { message => "$word-TURN" });
    for my $way ('an agent', 'the model') {
        my $model = 'openai/mock-model';
        if ($way eq 'an agent') { spawn(); $model = "cut-$n" }
        $open{"$word-$way"} = $api->stream('/v1/chat/completions', { model => $model, stream => JSON::PP::true, messages => [ { role => 'user', content => "$word-$way" } ] });
    }
}
sub asked { my ($word) = @_; return scalar grep { $_->{body} =~ /\Q$word\E/ } @{ $up->chats } }

subtest 'nothing more comes' => sub {
    for my $word (qw(ONLY-PINGS NOT-A-BYTE)) {
        my @e = $open{"$word-TURN"}->all;
        is $e[-1]{json}{phase}, 'error', "$word: it is ended";
        cmp_ok Time::HiRes::time() - $then, '<', 30, '  in time';
        is asked("$word-TURN"), 1, '  and is not asked again';
    }
};

for my $way ('an agent', 'the model') {
    subtest "nothing more comes as OpenAI's chunks from $way" => sub {
        for my $word (qw(ONLY-PINGS NOT-A-BYTE)) {
            my $raw = $open{"$word-$way"}->rest;
            like $raw, qr/"content":"These/, "$word: what came is passed on";
            like $raw, qr/"error":\{.*data: \[DONE\]\n\n$/s, '  then an error, and the end';
            unlike $raw, qr/"finish_reason":"/, '  and no reason to stop';
            cmp_ok Time::HiRes::time() - $then, '<', 30, '  in time';
            is asked("$word-$way"), 1, '  and is not asked again';
        }
    };
}

is $api->post('/api/agents/' . spawn() . '/message', { message => 'and now?' }, 200)->{response}, 'whole', 'what is not cut is an answer';
my $direct = $up->chats->[0]{body};
like $direct, qr/"stream":\s*true/, 'the provider was asked for streams';
cmp_ok scalar(@{ $up->chats }), '>', 4 * @half, 'the provider was asked each time';
$api->finish;
done_testing;
