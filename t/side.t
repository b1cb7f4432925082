#!/usr/bin/perl
# Questions of our own go to the models that [llm.auxiliary] names: summaries, titles, what a reset leaves. Who fails is passed over,
# as in turns: another key, another model, in the end the agent's own.
use strict;
use warnings;
use LF;
use Test::More;

my $n = 0;
my $api;

sub spawn { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "side-' . ++$n . "\"\n" . ($more // '') }, 201)->{agent_id} }
sub with {
    my ($id, $turns) = @_;
    my $s = $api->post("/api/agents/$id/sessions/import", { version => 1, messages => [ map { ({ role => 'user', content => "question $_" }, { role => 'assistant', content => "answer $_" }) } 1 .. $turns ] }, 200)->{session_id};
    $api->post("/api/agents/$id/sessions/$s/switch", undef, 200);
    return $s;
}
sub summary { return $api->get("/api/agents/$_[0]/session", 200)->{compacted_summary} }
sub asked { my ($up) = @_; return [ map { ($_->{headers}{authorization} // '') =~ s/^Bearer //r . " $_->{json}{model}" } @{ $up->chats } ] }
sub kv { return { map { $_->{key} => $_->{value} } @{ $api->get("/api/memory/agents/$_[0]/kv", 200)->{kv_pairs} } } }

my @own = (when => [ [ 'keep the memory of a conversation' => { text => 'Told by the own model.' } ] ], default => { text => 'fine' });

subtest 'a cheap model for summaries and titles' => sub {
    my $up = LF->mock(@own);
    my $aux = LF->mock(when => [ [ 'You name conversations' => { text => "\"Cheese: a talk, at length!\"\nmore" } ], [ 'keep the memory of a conversation' => { text => 'Told by the cheap one.' } ],
        [ 'conversations that are over' => { text => 'It was about cheese.' } ] ], default => { text => '?' });
    $api = LF->start(model => $up, env => { MISTRAL_API_KEY => 'sk-cheap' }, config => "[llm.auxiliary]\ncompression = [\"mistral/tiny\"]\ntitle = [\"mistral:tiny\"]\nsession_summary = [\"mistral/tiny\"]\n[provider_urls]\nmistral = \"" . $aux->url . "\"\n");
    my $id = spawn();
    with($id, 15);
    $api->post("/api/agents/$id/session/compact", undef, 200);
    is summary($id), 'Told by the cheap one.', 'it was asked';
    is @{ $up->chats }, 0, 'and nobody else';
    my $fresh = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    $api->post("/api/agents/$id/message", { message => 'Let us talk about cheese', session_id => $fresh }, 200);
    my $label = sub { $api->get("/api/sessions/$fresh", 200)->{label} };
    ok $api->wait_for(sub { $label->() ne 'Let us talk about cheese' }), 'a session gets a title';
    is $label->(), 'Cheese a talk at length', 'that a label may be';
    my $named = $api->post("/api/agents/$id/sessions", { label => 'mine' }, 200)->{session_id};
    $api->post("/api/agents/$id/message", { message => 'Something else', session_id => $named }, 200);
    $api->post("/api/agents/$id/session/reset", undef, 200);
    like join("\n", values %{ kv($id) }), qr/^Session of .*mine\nIt was about cheese\.$/m, 'a reset keeps what it told';
    is((grep { $_->{body} =~ /You name/ && $_->{body} =~ /Something else/ } @{ $aux->chats }), 0, 'a session that has a name is not asked about');
    is_deeply [ sort keys %{ { map { $_ => 1 } @{ asked($aux) } } } ], ['sk-cheap tiny'], 'with its own key';
    $api->finish;
};

subtest 'who fails is passed over' => sub {
    my $up = LF->mock(@own);
    my $aux = LF->mock(default => { status => 500 });
    $api = LF->start(model => $up, env => { MISTRAL_API_KEY => 'sk-cheap' }, config => "[llm.auxiliary]\ncompression = [\"mistral/tiny\"]\nsession_summary = [\"mistral/tiny\"]\n[provider_urls]\nmistral = \"" . $aux->url . "\"\n");
    my $id = spawn();
    with($id, 15);
    $api->post("/api/agents/$id/session/compact", undef, 200);
    is summary($id), 'Told by the own model.', "the agent's own model answers";
    cmp_ok scalar @{ $aux->chats }, '>=', 1, 'after the other was asked';
    my ($failed) = map { $_->{call_count} } grep { $_->{model} eq 'tiny' } @{ $api->get('/api/usage/by-model', 200)->{models} };
    ok $failed, 'both are in the books';
    $api->post("/api/agents/$id/session/reset", undef, 200);
    like join("\n", values %{ kv($id) }), qr/User: question 15\nAssistant: answer 15/, 'a reset does without';
    $api->finish;
};

subtest 'another key, another provider' => sub {
    my $up = LF->mock(@own, key => { 'sk-one' => { status => 429, body => { error => { message => 'slow down' } } } });
    $api = LF->start(model => $up, env => { ONE_KEY => 'sk-one', TWO_KEY => 'sk-two' },
        config => "[[credential_pools]]\nprovider = \"openai\"\n[[credential_pools.keys]]\napi_key_env = \"ONE_KEY\"\npriority = 9\nlabel = \"one\"\n[[credential_pools.keys]]\napi_key_env = \"TWO_KEY\"\nlabel = \"two\"\n");
    my $id = spawn();
    with($id, 15);
    $api->post("/api/agents/$id/session/compact", undef, 200);
    is summary($id), 'Told by the own model.', 'the second key serves';
    is_deeply asked($up), [ 'sk-one mock-model', 'sk-two mock-model' ], 'at once';
    $id = spawn();
    with($id, 15);
    $api->post("/api/agents/$id/session/compact", undef, 200);
    is asked($up)->[-1] . ' ' . @{ asked($up) }, 'sk-two mock-model 3', 'the first one rests';
    $api->finish;
    my ($broken, $good) = (LF->mock(default => { status => 503 }), LF->mock(@own));
    $api = LF->start(model => $broken, env => { MISTRAL_API_KEY => 'sk-other' }, config => "[[fallback_providers]]\nprovider = \"mistral\"\nmodel = \"spare\"\n[provider_urls]\nmistral = \"" . $good->url . "\"\n");
    $id = spawn();
    with($id, 15);
    $api->post("/api/agents/$id/session/compact", undef, 200);
    is summary($id), 'Told by the own model.', 'a fallback serves a summary as it serves a turn';
    $api->finish;
};

done_testing;
