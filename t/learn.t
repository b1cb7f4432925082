#!/usr/bin/perl
# What a model learns from conversations: statements that come to mind later, each known once, corrected when it changes; of whom nobody wants it,
# nothing.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;

LF::needed();
my $M = '/api/memory';
sub fact { my ($content, %more) = @_; return { content => $content, category => 'preference', level => 'user', confidence => 0.9, %more } }
sub facts { return { text => $LF::JSON->encode({ memories => [@_] }) } }

my $up = LF->mock(default => { text => 'Noted.' });
my $aux = LF->mock(when => [
    [ 'I moved to Lisbon' => facts(fact('The user lives in Lisbon, no longer in the old harbour house at Rotterdam north', category => 'personal_detail')) ],
    [ 'TEA-AGAIN' => facts(fact('the user prefers GREEN TEA')) ],
    [ 'TEA-MORE' => facts(fact('The user prefers green tea, without sugar')) ],
    [ 'TEA-FIRST' => { text => "Here it is:\n```json\n" . $LF::JSON->encode({ memories => [ fact('The user prefers green tea'), fact('Is tired', confidence => 0.3),
        fact('Owns a cat', category => 'animals'), fact('ok'), fact('Bakes bread on Sundays', category => 'Preferences', level => 'agent'), 'odd', { content => 5 } ] }) . "\n```" } ],
    [ 'GARBAGE' => { text => '{"memories": [{"content": "half' } ],
    [ 'FAILS' => { status => 400 } ],
], default => { text => '{"memories":[]}' });
my $n = 0;
my $api = LF->start(model => $up, env => { MISTRAL_API_KEY => 'sk-cheap', LF_LLM_RETRY_MS => 5 },
    config => "[proactive_memory]\nextraction_model = \"mistral/tiny\"\n[memory]\nfts_only = true\n[provider_urls]\nmistral = \"" . $aux->url . "\"\n");

sub spawn { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "pupil-' . ++$n . "\"\n" . ($more // '') }, 201)->{agent_id} }
sub session { return $api->post("/api/agents/$_[0]/sessions", {}, 200)->{session_id} }
sub say { my ($id, $text, %more) = @_; return $api->post("/api/agents/$id/message", { message => $text, %more }, 200) }
sub known { my ($id) = @_; return [ grep { $_->{content} !~ m{^User: } } @{ $api->get("$M/agents/$id?limit=100", 200)->{memories} } ] }
sub texts { return [ sort map { $_->{content} } @{ known($_[0]) } ] }
sub asked { my ($word) = @_; return scalar grep { $_->{body} =~ /\Q$word\E/ } @{ $aux->chats } }
sub later { my ($word, $k) = @_; return $api->wait_for(sub { asked($word) >= ($k // 1) }, 15) }

my $id = spawn();
subtest 'learnt' => sub {
    say($id, 'TEA-FIRST: I like green tea.');
    ok $api->wait_for(sub { @{ known($id) } == 2 }, 15), 'a model notes what is worth knowing' or diag explain texts($id);
    is_deeply texts($id), [ 'Bakes bread on Sundays', 'The user prefers green tea' ], 'but nothing unsure, of another kind, or too short';
    my ($tea) = grep { $_->{content} =~ /tea/ } @{ known($id) };
    is_deeply [ @$tea{qw(level category confidence source)}, $tea->{metadata}{extracted_by} ], [ 'user', 'preference', 0.9, 'conversation', 'llm' ], 'each with its kind and level';
    is_deeply [ map { $_->{level} } grep { /bread/ || $_->{content} =~ /bread/ } @{ known($id) } ], ['agent'], '  whatever letters they are in';
    my ($ask) = grep { $_->{body} =~ /TEA-FIRST/ } @{ $aux->chats };
    is_deeply [ $ask->{json}{model}, $ask->{headers}{authorization}, $ask->{json}{temperature}, $ask->{json}{max_tokens} ], [ 'tiny', 'Bearer sk-cheap', 0.1, 1024 ], 'the model that is meant for it';
    like $ask->{json}{messages}[-1]{content}, qr/^user: TEA-FIRST: I like green tea\.\nassistant: Noted\.\n$/, 'is shown what was said';
    my $other = session($id);
    is_deeply [ grep { /prefers green tea/ } @{ say($id, 'Which tea does the user prefer, green or black?', session_id => $other)->{memories_used} } ], ['The user prefers green tea'], 'it comes to mind elsewhere';
    ok $api->get("$M/stats", 200)->{llm_extraction}, 'and the figures say that one is asked';
};

subtest 'known once' => sub {
    say($id, 'TEA-AGAIN');
    ok later('TEA-AGAIN'), 'asked about what is new';
    say($id, 'TEA-MORE');
    ok $api->wait_for(sub { grep { /without sugar/ } @{ texts($id) } }, 15), 'more of it takes its place';
    is_deeply texts($id), [ 'Bakes bread on Sundays', 'The user prefers green tea, without sugar' ], 'the same is nothing new';
    my ($tea) = grep { $_->{content} =~ /tea/ } @{ known($id) };
    is $tea->{metadata}{previous_content}, 'The user prefers green tea', 'what it was before is kept';
    is $tea->{metadata}{updated_from}, $tea->{id}, '  and whose place it took';
    ok !(grep { $_->{body} =~ /TEA-AGAIN/ && $_->{body} =~ /TEA-FIRST/ } @{ $aux->chats }), 'nobody is asked twice about the same words';
};

subtest 'what comes to nothing' => sub {
    my $none = spawn();
    say($none, 'GARBAGE please');
    ok later('GARBAGE'), 'an answer that is none';
    say($none, 'FAILS please');
    ok later('FAILS'), 'a model that refuses';
    say($none, 'third words');
    ok later('third words'), 'and it goes on';
    is asked('GARBAGE') . asked('FAILS'), '11', 'each was asked once';
    is_deeply texts($none), [], 'nothing was noted';
};

subtest 'who is not asked about' => sub {
    my $deaf = spawn("[proactive_memory]\nauto_memorize = false\n");
    say($deaf, 'a private matter');
    my $shy = spawn();
    say($shy, 'incognito words', incognito => \1);
    say($shy, 'side words', ephemeral => \1);
    my $last = spawn();
    say($last, 'open words');
    ok later('open words'), 'others are';
    is asked('private matter') + asked('incognito words') + asked('side words'), 0, 'an agent that does not remember, and what is not to be kept';
};

subtest 'forgotten' => sub {
    my $s = session($id);
    say($id, 'I moved to Lisbon', session_id => $s);
    ok $api->wait_for(sub { grep { /Lisbon/ } @{ texts($id) } }, 15), 'something learnt';
    $api->del("/api/sessions/$s", undef);
    is_deeply [ grep { /Lisbon/ } @{ texts($id) } ], [], 'goes with its conversation';
    ok +(grep { /tea/ } @{ texts($id) }), 'what others told stays';
};
$api->finish;

subtest 'nobody is asked by itself' => sub {
    my $only = LF->mock(default => { text => 'Noted.' });
    $api = LF->start(model => $only);
    my $quiet = spawn();
    say($quiet, 'I like tea.');
    session($quiet);
    ok $api->wait_for(sub { @{ $api->get("$M/agents/$quiet", 200)->{memories} } }, 15), 'without a model for it the exchange is what is remembered';
    is @{ $only->chats }, 1, 'and no question more than the one that was asked';
    $api->finish;
};
done_testing;
