#!/usr/bin/perl
# A cheap model for a small question, a strong one for a large; and it is said which, and why.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my ($api, $n) = (undef, 0);

sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "r-' . ++$n . "\"\n" . ($_[0] // '') }, 201)->{agent_id} }
sub say_to { my ($text, $id) = @_; return { json => $api->post("/api/agents/$id/message", { message => $text }, 200) } }

subtest 'a model by the weight of the question' => sub {
    my $up = LF->mock(default => { text => 'answered' });
    $api = LF->start(model => $up);
    my $id = agent(qq([routing]\nsimple_model = "openai/small-1"\nmedium_model = "openai/middle-1"\ncomplex_model = "openai/big-1"\nsimple_threshold = 10\ncomplex_threshold = 100\n));
    my $asked = sub { my ($text) = @_; my $r = say_to($text, $id); is $r->{json}{response}, 'answered', 'it is answered'; return ($up->chats->[-1]{json}{model}, $r->{json}{routing}) };
    my ($m, $why) = $asked->('hello');
    is $m, 'small-1', 'a small one is asked a small question';
    is_deeply $why, { weight => 'simple', score => 2, model => 'openai/small-1' }, 'and it is told why';
    is(($asked->('x' x 100))[0], 'middle-1', 'a middle one');
    is(($asked->('x' x 1000))[0], 'big-1', 'a large one');
    my @e = $api->stream("/api/agents/$id/message/stream", { message => 'hello' })->all;
    is_deeply [ map { $_->{json}{detail} } grep { ($_->{json}{phase} // '') eq 'routing' } @e ], ['simple question (score 2): openai/small-1'], 'a stream says it too' or diag explain \@e;
    my $plain = agent();
    is say_to('hello', $plain)->{json}{routing}, undef, 'an agent without it has its own';
    is $up->chats->[-1]{json}{model}, 'mock-model', 'as ever';
    my $nokey = agent(qq([routing]\nsimple_model = "groq/whatever"\n));
    my $r = say_to('hello', $nokey);
    is "$r->{json}{response} " . $up->chats->[-1]{json}{model}, 'answered mock-model', "where it has no key, the agent's own is asked";
    $api->finish;
};

subtest 'settings of a model' => sub {
    my $up = LF->mock(default => { text => 'answered' });
    $api = LF->start(model => $up);
    my $id = agent(qq([model]\ntemperature = 0.9\nmax_tokens = 500\n));
    say_to('hello', $id);
    is_deeply [ @{ $up->chats->[-1]{json} }{qw(temperature max_tokens top_p)} ], [ 0.9, 500, undef ], 'without them the agent says';
    $api->put('/api/models/overrides/openai:mock-model', { temperature => 0.1, max_tokens => 100, top_p => 0.5 }, 200);
    say_to('hello', $id);
    is_deeply [ @{ $up->chats->[-1]{json} }{qw(temperature max_tokens top_p)} ], [ 0.1, 100, 0.5 ], 'they count over it';
    $api->put('/api/models/overrides/openai:mock-model', { max_tokens => 4000 }, 200);
    say_to('hello', $id);
    is $up->chats->[-1]{json}{max_tokens}, 500, 'a larger limit is not forced';
    $api->put('/api/models/overrides/openai:mock-model', { max_tokens => 4000, force_max_tokens => JSON::PP::true() }, 200);
    say_to('hello', $id);
    is $up->chats->[-1]{json}{max_tokens}, 4000, 'unless that is said';
    $api->finish;
};
done_testing;
