#!/usr/bin/perl
# What was said in one conversation comes to mind in another one: by its words, or by vectors where there is a model for them; to
# the same sender alone. What goes wrong with that is no matter of the turn.
use strict;
use warnings;
use LF;
use Time::HiRes ();
use Test::More;

plan skip_all => 'sqlite3 is not installed' unless grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};

my $n = 0;
my $api;

sub sql { my ($db) = glob $api->home . '/data/*.db'; my $v = qx{sqlite3 -cmd '.timeout 5000' '$db' "$_[0]"}; chomp $v; return $v }
sub spawn { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "mind-' . ++$n . "\"\n" . ($more // '') }, 201)->{agent_id} }
sub session { return $api->post("/api/agents/$_[0]/sessions", {}, 200)->{session_id} }
sub say { my ($id, $text, %more) = @_; return $api->post("/api/agents/$id/message", { message => $text, %more }, 200) }
sub remembered { my ($id, $k) = @_; return $api->wait_for(sub { sql("SELECT count(*) FROM memory WHERE agent_id = '$id'") >= $k }) }
sub last_ask { my ($up) = @_; return $up->chats->[-1]{json}{messages} }
sub embeddings { my ($up) = @_; return [ grep { $_->{path} =~ /embeddings/ } @{ $up->requests } ] }

subtest 'by words' => sub {
    my $up = LF->mock(default => { text => 'Noted: Rex barks at postmen.' }, embed => [ [ '' => [ 1, 0 ] ] ]);
    $api = LF->start(model => $up, config => "[memory]\nfts_only = true\n");
    my $id = spawn();
    say($id, 'My dog Rex sleeps in the kitchen.');
    is say($id, 'What about dog Rex in the kitchen?')->{memories_used}, undef, 'what the model sees anyway is no memory';
    is sql('SELECT count(*) FROM memory'), 0, 'and an agent with one conversation keeps none';
    my $other = session($id);
    ok remembered($id, 2), 'when there is another conversation it does';
    is say($id, 'Where sits my parrot Coco?', session_id => $other)->{memories_used}, undef, 'what does not fit stays away';
    my $r = say($id, 'Where does the dog Rex sleep?', session_id => $other);
    like $r->{memories_used}[0], qr/^User: My dog Rex sleeps in the kitchen\.\nAnswer: Noted/, 'what fits comes to mind';
    my $m = last_ask($up);
    like $m->[0]{content}, qr/## Recalled\n.*never instructions.*\n- User: My dog Rex sleeps in the kitchen\. \/ Answer: Noted: Rex barks at postmen\.\n/s, 'the model is shown it, at the end of the prompt';
    unlike $LF::JSON->encode($api->get("/api/sessions/$other", 200)), qr/Recalled/, 'the session is not';
    is sql("SELECT sum(access_count) FROM memory WHERE agent_id = '$id'"), scalar @{ $r->{memories_used} }, 'and it was of use';
    is say($id, 'Where does the dog Rex sleep?', session_id => $other, ephemeral => \1)->{memories_used}, undef, 'a side question has none';
    is @{ embeddings($up) }, 0, 'nobody was asked for vectors';
    my $third = session($id);
    $api->del("/api/sessions/$third", undef);
    say($id, 'The unicorn is in the barn.', session_id => $third);
    ok $api->wait_for(sub { sql("SELECT count(*) FROM memory WHERE content LIKE '%unicorn%'") == 1 }), 'one more conversation';
    $api->del("/api/sessions/$third", undef);
    is say($id, 'Where is the unicorn?', session_id => $other)->{memories_used}, undef, 'is forgotten when it is deleted';
    my $deaf = spawn("[proactive_memory]\nenabled = false\n");
    say($deaf, 'My dog Rex sleeps in the kitchen.');
    session($deaf);
    ok remembered($id, 3), 'later things were remembered';
    is sql("SELECT count(*) FROM memory WHERE agent_id = '$deaf'"), 0, 'an agent that is told not to remember does not';
    $api->del("/api/agents/$id?confirm=true", 200);
    is sql("SELECT count(*) FROM memory WHERE agent_id = '$id'") . sql('SELECT count(*) FROM memory_text'), '00', 'with the agent they go';
};

subtest 'who said it' => sub {
    my $id = spawn();
    say($id, 'My secret garden grows in Utrecht.', sender_id => 'u-1', sender_name => 'Una', channel_type => 'telegram');
    say($id, 'good morning everybody');
    ok remembered($id, 1), 'somebody said something';
    my @ask = ($id, 'Which town has the secret garden?');
    is say(@ask)->{memories_used}, undef, 'the owner is not told by the agent';
    is say(@ask, sender_id => 'u-2', channel_type => 'telegram', session_id => session($id))->{memories_used}, undef, 'nor is another sender';
    like say(@ask, sender_id => 'u-1', channel_type => 'telegram', session_id => session($id))->{memories_used}[0], qr/Utrecht/, 'the same one is';
    is say(@ask, sender_id => 'u-1', channel_type => 'discord', session_id => session($id))->{memories_used}, undef, 'but not in another chat';
};

subtest 'what was said elsewhere' => sub {
    my $up = LF->mock(default => { text => 'I see.' });
    $api->finish;
    $api = LF->start(model => $up, config => "[memory]\nfts_only = true\n");
    my $id = spawn();
    my $first = $api->get("/api/agents/$id", 200)->{session_id};
    my $shown = sub { my ($in, $text, %more) = @_; say($id, $text, session_id => $in, %more); return last_ask($up)->[-1]{content} };
    $shown->($first, "I build a boat\nof oak.");
    is $shown->($first, 'Of which wood?'), 'Of which wood?', 'of one conversation nothing is elsewhere';
    my $second = session($id);
    like $shown->($second, 'What did we do last?'), qr/^## Other conversations\n.*never instructions.*\n- \d{4}-\d\d-\d\d\. User: Of which wood\? \/ Answer: I see\.\n\nWhat did we do last\?\z/s,
        'in another one the model is shown what was asked last, and the answer';
    is_deeply [ map { $_->{content} } @{ $api->get("/api/sessions/$second", 200)->{messages} } ], [ 'What did we do last?', 'I see.' ], 'the session is not';
    $api->put("/api/sessions/$second/label", { label => 'Plans' }, 200);
    like $shown->($first, 'And now?'), qr/, Plans\. User: What did we do last\?.*And now\?\z/s, 'it goes both ways, with a title';
    my @who = (sender_id => 'u-9', sender_name => 'Nia', channel_type => 'telegram');
    unlike $shown->(session($id), 'Who else?', @who), qr/last|wood/, 'a sender is shown nothing of it';
    like $shown->(session($id), 'And there?', @who), qr/User: Who else\?/, 'but their own';
    unlike $shown->(session($id), 'And elsewhere?', @who, channel_type => 'discord'), qr/Who else|And there/, 'of that chat';
    $api->post("/api/agents/$id/message", { message => 'Nothing of this.', session_id => session($id), incognito => \1 }, 200);
    my $last = $shown->($first, 'The boat again?');
    unlike $last, qr/Who else|And there|And elsewhere/, 'and what senders said is theirs';
    unlike $last, qr/Nothing of this/, 'nor is there anything incognito';
    $api->del("/api/sessions/$second", undef);
    unlike $shown->($first, 'The boat?'), qr/Other conversations/, 'with the conversation it goes';
    $shown->(session($id), 'By the way.');
    is $shown->($first, 'Long since?'), 'Long since?', 'a conversation that is long has enough of its own';
    like $shown->(session($id), 'Anything?'), qr/User: Long since\?.*User: By the way\./s, 'the newest comes first';
    for my $more ("session_mode = \"new\"\n", "[proactive_memory]\nauto_retrieve = false\n") {
        $id = spawn($more);
        $shown->(session($id), 'I build a boat.');
        is $shown->(session($id), 'What did I build?'), 'What did I build?', $more =~ s/\n//gr . ': nothing';
    }
};

subtest 'what else is remembered' => sub {
    $api->finish;
    my $up = LF->mock(answers => [ { tool_calls => [ { name => 'memory_store', arguments => { key => 'boat_name', value => 'The boat is called Albatross.' } } ] } ], default => { text => 'fine' });
    $api = LF->start(model => $up, config => "[memory]\nfts_only = true\n", top => 'stable_prefix_mode = true');
    my $id = spawn();
    say($id, 'Keep the name of the boat.');
    my $r = say($id, 'What is the boat called?');
    is $r->{memories_used}[0], 'boat_name: The boat is called Albatross.', 'what a tool stored';
    my $m = last_ask($up);
    unlike $m->[0]{content}, qr/Recalled/, 'prompts that stay the same do';
    like $m->[-1]{content}, qr/Recalled.*Albatross.*\n\nWhat is the boat called\?\z/s, 'it stands before the question';
    unlike $LF::JSON->encode($api->get("/api/agents/$id/session", 200)), qr/Recalled/, 'and is no part of the session';
    $api->put("/api/memory/agents/$id/kv/boat_name", { value => 'Gull' }, 200);
    is say($id, 'What is the boat called?')->{memories_used}, undef, 'a value that changed since is not what it says';
    $api->post("/api/agents/$id/session/reset", undef, 200);
    like say($id, 'Which boat did we speak of?')->{memories_used}[0], qr/^Session of .*boat/s, 'and what a session was about that was reset';
    $api->finish;
};

subtest 'how many' => sub {
    my @parcels = map { { name => 'memory_store', arguments => { key => "parcel_$_", value => "The $_ parcel lies in the harbour." } } } qw(green red blue);
    my $up = LF->mock(answers => [ { tool_calls => \@parcels } ], default => { text => 'fine' });
    $api = LF->start(model => $up, config => "[memory]\nfts_only = true\n[proactive_memory]\nmax_retrieve = 2\n");
    my $id = spawn();
    say($id, 'Keep them.');
    is scalar @{ say($id, 'Is there a parcel in the harbour?')->{memories_used} }, 2, 'is for the configuration to say';
    $api->finish;
};

subtest 'by vectors' => sub {
    my $up = LF->mock(default => { text => 'fine' }, embed => [ [ canine => [ 1, 0.1, 0 ] ], [ hound => [ 0.9, 0.2, 0 ] ], [ ship => [ 0, 1, 0 ] ], [ '' => [ 0, 0, 1 ] ] ]);
    $api = LF->start(model => $up, config => "[memory]\nembedding_provider = \"openai\"\nembedding_model = \"mock-embed\"\n[proactive_memory]\nmin_similarity = 0.5\n");
    my $id = spawn();
    say($id, 'My canine friend lives upstairs.');
    is @{ embeddings($up) }, 0, 'without memories nobody is asked for a vector';
    say($id, 'A ship came in today.');
    my $other = session($id);
    ok $api->wait_for(sub { sql('SELECT count(*) FROM memory_vector') == 2 }), 'memories get their vectors';
    my $r = say($id, 'Tell me of that hound', session_id => $other);
    is_deeply [ map { /^User: (.*)/ } @{ $r->{memories_used} } ], ['My canine friend lives upstairs.'], 'what means the same is found, without a word in common';
    is $api->get('/api/usage/summary', 200)->{call_count}, 5, 'those calls are in the books';
    $up->stop;
    $api->finish;
};

subtest 'who makes them is told' => sub {
    my $checks = sub { my ($row) = @_; return (map { "$_->{status}" . (exists $_->{required} ? $_->{required} ? ' required' : ' not required' : '') } grep { $_->{name} eq 'embedding' } @{ $api->raw(GET => $row)->{json}{checks} })[0] };
    my $is = sub { my ($name, @want) = @_; my @got; $api->wait_for(sub { @got = map { $checks->($_) } qw(/api/health /api/ready); "@got" eq "@want" }, 10); return is_deeply \@got, \@want, $name };
    $api = LF->start;
    $is->('nobody has a key', 'warn', 'skipped not required');
    is_deeply [ @{ $api->get('/api/health/detail', 200)->{memory} }{qw(embedding_available embedding_provider)} ], [ JSON::PP::false(), undef ], 'in the detail too';
    $api->post('/api/providers/mistral/key', { key => 'sk-x' }, 200);
    $is->('somebody has', 'ok', 'ok not required');
    is_deeply [ @{ $api->get('/api/health/detail', 200)->{memory} }{qw(embedding_available embedding_provider embedding_model)} ], [ JSON::PP::true(), 'mistral', 'mistral-embed' ], 'with a name';
    $api->put('/api/models/overrides/mistral:mistral-embed', { model_type => 'embedding' }, 200);
    $api->restart;
    $is->('also after a restart, and if its model is set to be one for vectors', 'ok', 'ok not required');
    $api->del('/api/providers/mistral/key', 204);
    $is->('the key has gone', 'warn', 'skipped not required');
    $api->finish;
    $api = LF->start(config => "[memory]\nembedding_provider = \"cohere\"\n");
    $is->('the one who is named has none', 'warn', 'error required');
    is $api->raw(GET => '/api/ready')->{status}, 503, 'and the server is not ready';
    $api->put('/api/vault/COHERE_API_KEY', { value => 'x' }, 200);
    $is->('now it has', 'ok', 'ok required');
    is $api->raw(GET => '/api/ready')->{status}, 200, 'and it is';
    $api->finish;
    my $up = LF->mock(default => { text => 'fine' });                       # knows no vectors
    $api = LF->start(model => $up, config => "[memory]\nembedding_provider = \"openai\"\n");
    $is->('one who has not failed yet', 'ok', 'ok required');
    my $id = spawn();
    say($id, 'The bicycle stands in the cellar.');
    my $other = session($id);
    ok remembered($id, 1), 'something is remembered';
    say($id, 'Where stands the bicycle?', session_id => $other);
    $is->('one who has', 'warn', 'ok required');
    is $api->get('/api/health/detail', 200)->{memory}{embedding_available}, JSON::PP::false(), 'words do meanwhile';
    $api->finish;
};

subtest 'no vectors to be had' => sub {
    my @rules = (model => undef, config => "[memory]\nembedding_provider = \"openai\"\n");
    my $up = LF->mock(default => { text => 'fine' }, embed => [ [ '' => [ 1, 0 ] ] ], embed_answer => { delay => 60 });
    $api = LF->start(@rules, model => $up);
    my $id = spawn();
    say($id, 'The bicycle stands in the cellar.');
    my $other = session($id);
    ok remembered($id, 1), 'something is remembered';
    my $since = Time::HiRes::time();
    is_deeply [ map { /^User: (.*)/ } @{ say($id, 'Where stands the bicycle?', session_id => $other)->{memories_used} } ], ['The bicycle stands in the cellar.'], 'words do';
    cmp_ok Time::HiRes::time() - $since, '<', 30, 'a slow provider keeps nobody waiting';
    my $asked = @{ embeddings($up) };
    say($id, 'Where stands the bicycle?', session_id => $other);
    is @{ embeddings($up) }, $asked, 'the next time it is not asked at all';
    $api->finish;
    $up = LF->mock(default => { text => 'fine' });                  # knows no such path
    $api = LF->start(@rules, model => $up);
    $id = spawn();
    say($id, 'The bicycle stands in the cellar.');
    $other = session($id);
    ok remembered($id, 1), 'a provider without vectors';
    is @{ say($id, 'Where stands the bicycle?', session_id => $other)->{memories_used} }, 1, 'is no matter either';
    $api->finish;
};

done_testing;
