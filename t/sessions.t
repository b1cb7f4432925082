#!/usr/bin/perl
# Sessions of all agents: listed, shown, named, given a model, taken out and brought in, stopped, cleaned
# up and deleted; what is refused changes nothing.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use Test::More;

my $up = LF->mock(when => [ [ 'NEVER-EVER' => { hang => 1 } ] ], default => { text => 'fine' });
my $api = LF->start(model => $up, config => qq([session]\nretention_days = 30\nmax_sessions_per_agent = 3\n[[users]]\nname = "ursula"\nrole = "user"\napi_key_hash = ") . sha256_hash('ursula-key') . qq("\n));
my $null = undef;
my $nobody = '00000000-0000-4000-8000-000000000000';
my $as = { Authorization => 'Bearer ursula-key' };

sub spawn { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => qq(name = "$name"\n) . ($more // '') }, 201)->{agent_id} }
sub say_to { my ($id, $text, $s) = @_; return $api->post("/api/agents/$id/message", { message => $text, $s ? (session_id => $s) : () }, 200) }
sub current { return $api->get("/api/agents/$_[0]", 200)->{session_id} }
sub fresh { my ($id, $label) = @_; return $api->post("/api/agents/$id/sessions", { label => $label }, 200)->{session_id} }

my $ada = spawn('ada');
my $own = spawn('of-ursula', "author = \"ursula\"\n");

subtest 'all of them' => sub {
    say_to($ada, "  What is\n the time,  and what else is there to say about it in so many words?");
    my $p = $api->get('/api/sessions', 200);
    is_deeply [ @$p{qw(limit offset)} ], [ 50, 0 ], 'a page';
    my ($s) = grep { $_->{agent_id} eq $ada } @{ $p->{items} };
    is $s->{session_id}, current($ada), 'with the session';
    is $s->{label}, "What is the time, and what else is there to say about it in \x{2026}", 'called after what was said first';
    my ($own_list) = @{ $api->get("/api/agents/$ada/sessions", 200)->{sessions} };
    is_deeply [ @$own_list{qw(title label)} ], [ $s->{label}, undef ], "in its agent's list too, beside the label";
    is $s->{message_count}, 2, 'what it holds';
    cmp_ok $s->{total_tokens}, '>', 0, 'what it took';
    cmp_ok $s->{context_window_tokens}, '>', 10, 'and fills';
    like $s->{duration_ms}, qr/^\d+$/, 'how long it was';
    is $s->{active}, JSON::PP::false, 'and whether a turn runs';
    fresh($ada);
    $p = $api->get('/api/sessions?limit=1&offset=1', 200);
    is scalar @{ $p->{items} }, 1, 'one a page';
    is $p->{total}, $api->get('/api/sessions', 200)->{total}, 'of so many';
    my @times = map { $_->{created_at} } @{ $api->get('/api/sessions?limit=500', 200)->{items} };
    is "@times", join(' ', reverse sort @times), 'the newest first';
    is $api->get('/api/sessions?limit=9999', 200)->{limit}, 500, 'a page has its limit';
    is_deeply [ map { $_->{agent_id} } @{ $api->get('/api/sessions', 200, $as)->{items} } ], [$own], 'a user sees those of their agents';
    is $api->get('/api/sessions', 200, $as)->{total}, 1, 'and so many';
    $api->get("/api/sessions?$_=x", 400) for qw(limit offset);
    my ($name) = map { $_->{name} } grep { $_->{id} eq $ada } @{ $api->get('/api/agents', 200)->{items} };
    for my $which ($ada, $name) {
        $p = $api->get("/api/sessions?agent=$which&limit=1", 200);
        is_deeply [ map { $_->{agent_id} } @{ $p->{items} } ], [$ada], 'those of one agent';
        is $p->{total}, scalar(@{ $api->get("/api/agents/$ada/sessions", 200)->{sessions} }), '  and so many';
    }
    is_deeply [ @{ $api->get("/api/sessions?agent=$_", 200) }{qw(items total)} ], [ [], 0 ], "agent=$_: none" for 'nobody', '';
    is_deeply [ @{ $api->get("/api/sessions?agent=$ada", 200, $as) }{qw(items total)} ], [ [], 0 ], "not to a user, if it is another's";
};

subtest 'a part of a long one' => sub {
    my @said = map { { role => $_ % 2 ? 'user' : 'assistant', content => "number $_" } } 1 .. 9;
    push @said, { role => 'assistant', content => [ { type => 'tool_use', id => 'call-1', name => 'system_time', input => {} } ] },
        { role => 'user', content => [ { type => 'tool_result', tool_use_id => 'call-1', content => 'noon' } ] };
    my $id = $api->post("/api/agents/$ada/sessions/import", { version => 1, messages => \@said }, 200)->{session_id};
    my $part = sub { my ($q) = @_; return $api->get("/api/agents/$ada/session?session_id=$id$q", 200) };
    my $words = sub { return join ',', map { $_->{content} =~ /(\d+)/ } @{ $part->(@_)->{messages} } };
    is $words->(''), '1,2,3,4,5,6,7,8,9', 'all of it';
    is $words->('&limit=4'), '8,9', 'the newest four messages, two of them a call and its result';
    is $words->('&limit=3&before=8'), '5,6,7', 'those before';
    is $words->('&limit=3&before=3'), '1,2', 'the first';
    is $words->('&limit=3&before=1'), '', 'before it is nothing';
    is $words->('&before=3'), '1,2', 'all before one';
    is $words->('&limit=3&before=99'), '9', 'as if at the end';
    my ($call) = grep { $_->{tools} } @{ $part->('&limit=2&before=11')->{messages} };
    is $call->{tools}[0]{result}, 'noon', 'a call has its result, also from the next part';
    is $part->('&limit=1')->{$_}, $part->('')->{$_}, "$_ is of all of it" for qw(message_count context_window_tokens);
    $api->get("/api/agents/$ada/session?$_", 400) for qw(limit=x before=x before=-1 limit=-1);
};

subtest 'one of them' => sub {
    my $id = fresh($ada);
    say_to($ada, 'hello', $id);
    my $s = $api->get("/api/sessions/$id", 200);
    is_deeply [ map {"$_->{role}: $_->{content}"} @{ $s->{messages} } ], [ 'user: hello', 'assistant: fine' ], 'as it is stored' if !ref $s->{messages}[1]{content};
    is_deeply [ map { $_->{role} } @{ $s->{messages} } ], [qw(user assistant)], 'roles in lower case';
    is_deeply [ @$s{qw(session_id agent_id message_count model_override)} ], [ $id, $ada, 2, undef ], 'with what it is';
    is $api->get("/api/sessions/$nobody", 404)->{code}, 'session_not_found', 'one that is not there';
    $api->get('/api/sessions/none', 400);
    $api->get("/api/sessions/$id", 404, $as);
};

subtest 'labels' => sub {
    my $id = fresh($ada);
    is_deeply $api->put("/api/sessions/$id/label", { label => "  K\x{e4}se-Brot 1 " }, 200), { status => 'updated', session_id => $id, label => "K\x{e4}se-Brot 1" }, 'given, trimmed';
    is $api->get("/api/agents/$ada/sessions/by-label/K%C3%A4se-Brot%201", 200)->{session_id}, $id, 'found by it';
    is $api->get('/api/agents/ada/sessions/by-label/K%C3%A4se-Brot%201', 200)->{agent_id}, $ada, 'by the name of the agent too';
    $api->get("/api/agents/$ada/sessions/by-label/other", 404);
    $api->get('/api/agents/nobody/sessions/by-label/x', 404);
    $api->put("/api/sessions/$id/label", $_, 400) for { label => '' }, { label => 'x' x 129 }, { label => 'a/b' };
    $api->put("/api/sessions/$id/label", { label => 5 }, 422);
    is $api->get("/api/sessions/$id", 200)->{label}, "K\x{e4}se-Brot 1", 'what is refused changes nothing';
    is $api->put("/api/sessions/$id/label", { label => $null }, 200)->{label}, undef, 'taken away';
    $api->put("/api/sessions/$nobody/label", { label => 'x' }, 404);
};

subtest 'a model of its own' => sub {
    my $id = fresh($ada);
    is $api->patch("/api/sessions/$id/model", { model_override => 'offline/offline' }, 200)->{model_override}, 'offline/offline', 'given';
    like say_to($ada, 'hello', $id)->{response}, qr/offline|model/i, 'it answers';
    is $api->get("/api/agents/$ada/events?limit=1", 200)->{events}[0]{provider}, 'offline', 'and is metered';
    is say_to($ada, 'hello', fresh($ada))->{response}, 'fine', 'elsewhere the agent\'s does';
    $api->patch("/api/sessions/$id/model", $_, 400) for {}, [], { model_override => '' }, { model_override => ' ' }, { model_override => 5 }, { model_override => '/x' }, { model_override => 'x/' };
    is $api->get("/api/sessions/$id", 200)->{model_override}, 'offline/offline', 'what is refused changes nothing';
    $api->patch("/api/sessions/$id/model", { model_override => $null }, 200);
    is say_to($ada, 'hello', $id)->{response}, 'fine', 'and the agent\'s again';
    $api->patch("/api/sessions/$nobody/model", { model_override => 'x' }, 404);
};

subtest 'taken out and brought in' => sub {
    my $id = fresh($ada, 'to export');
    say_to($ada, "hello \x{1f600}", $id);
    my $x = $api->get("/api/agents/$ada/sessions/$id/export", 200);
    is_deeply [ @$x{qw(version agent_name agent_id session_id label)}, scalar @{ $x->{messages} } ], [ 1, 'ada', $ada, $id, 'to export', 2 ], 'out';
    my $before = current($ada);
    my $new = $api->post("/api/agents/$ada/sessions/import", $x, 200)->{session_id};
    isnt $new, $id, 'in, as another';
    is_deeply $api->get("/api/sessions/$new", 200)->{messages}, $x->{messages}, 'with the same messages of the same time';
    is $api->get("/api/sessions/$new", 200)->{context_window_tokens}, $x->{context_window_tokens}, 'and of the same size';
    is current($ada), $before, 'the current one stays';
    like say_to($ada, 'and now?', $new)->{response}, qr/fine/, 'and it goes on';
    my $total = $api->get('/api/sessions', 200)->{total};
    my %m = (role => 'user', content => 'x');
    for my $bad ({ %$x, version => 2 }, { %$x, version => '1' }, { %$x, agent_id => $own }, { %$x, messages => [] }, { %$x, messages => 'x' }, { %$x, messages => [ \%m, { role => 'god', content => 'x' } ] },
        { %$x, messages => [ { role => 'user', content => 5 } ] }, { %$x, messages => [ { role => 'user', content => [ { text => 'x' } ] } ] }, { %$x, messages => [ { %m, timestamp => '2026-02-30T00:00:00Z' } ] },
        { %$x, messages => [ { %m, pinned => 'yes' } ] }, { %$x, label => '/' }, { %$x, label => 5 }, {}, []) {
        $api->post("/api/agents/$ada/sessions/import", $bad, 400);
    }
    is $api->get('/api/sessions', 200)->{total}, $total, 'what is refused makes nothing';
    $api->post("/api/agents/$nobody/sessions/import", $x, 404);
    $api->get("/api/agents/$ada/sessions/$nobody/export", 404);
    $api->get("/api/agents/$own/sessions/$id/export", 404);
    $api->get("/api/agents/$ada/sessions/none/export", 400);
};

subtest 'stopped' => sub {
    my $id = fresh($ada);
    my $run = $api->later("/api/agents/$ada/message", { message => 'NEVER-EVER', session_id => $id });
    $api->wait_for(sub { @{ $api->get("/api/agents/$ada/runtime", 200) } == 1 });
    is $api->get("/api/sessions/$id", 200)->{active}, JSON::PP::true, 'it runs';
    is $api->post("/api/agents/$ada/sessions/" . current($own) . '/stop', undef, 200)->{stopped}, JSON::PP::false, 'another is not';
    is $api->post("/api/agents/$ada/sessions/$id/stop", undef, 200)->{stopped}, JSON::PP::true, 'it is';
    ok $api->wait_for(sub { !@{ $api->get("/api/agents/$ada/runtime", 200) } }), 'and runs no more';
    $run->close;
    $api->post("/api/agents/$ada/sessions/none/stop", undef, 400);
};

subtest 'begun anew without memory' => sub {
    my $id = spawn('forgetful');
    say_to($id, 'hello');
    my $old = current($id);
    my $r = $api->post("/api/agents/$id/session/reboot", undef, 200);
    is $r->{new_session_id}, current($id), 'another session';
    $api->get("/api/sessions/$old", 404);
    is_deeply $api->get("/api/agents/$id/memory/export", 200)->{kv}, {}, 'and nothing kept';
    $api->post("/api/agents/$nobody/session/reboot", undef, 404);
};

subtest 'deleted' => sub {
    my ($first, $second) = (fresh($ada), fresh($ada));
    say_to($ada, 'hello', $_) for $first, $second;
    is $api->raw('DELETE', "/api/sessions/$first")->{status}, 204, 'gone';
    $api->get("/api/sessions/$first", 404);
    is $api->raw('DELETE', "/api/sessions/$first")->{status}, 204, 'a second time too';
    is $api->raw('DELETE', "/api/sessions/$second")->{status}, 204, 'the current one';
    is current($ada), $second, 'leaves its id';
    is $api->get("/api/sessions/$second", 200)->{message_count}, 0, 'to an empty one';
    is say_to($ada, 'hello')->{response}, 'fine', 'that can be talked in';
    is $api->raw('DELETE', '/api/sessions/none')->{status}, 400, 'what is no id is refused';
    my $run = $api->later("/api/agents/$ada/message", { message => 'NEVER-EVER', session_id => $first });
    $api->wait_for(sub { @{ $api->get("/api/agents/$ada/runtime", 200) } == 1 });
    is $api->raw('DELETE', "/api/sessions/$first")->{status}, 204, 'one where a turn runs';
    $api->get("/api/sessions/$first", 404);
    $run->close;
};

subtest 'cleaned up' => sub {
    my $id = spawn('tidy');
    my @s = map { fresh($id) } 1 .. 6;
    say_to($id, 'hello', $_) for @s;
    my $n = $api->post('/api/sessions/cleanup', undef, 200)->{sessions_deleted};
    cmp_ok $n, '>=', 4, 'what is too many went';
    my @left = map { $_->{session_id} } @{ $api->get("/api/agents/$id/sessions", 200)->{sessions} };
    is scalar @left, 3, 'three are left';
    is_deeply [ sort @left ], [ sort @s[ 3 .. 5 ] ], 'the newest';
    is $api->post('/api/sessions/cleanup', undef, 200)->{sessions_deleted}, 0, 'once';
    @s = map { fresh($id) } 1 .. 5;
    say_to($id, 'hello', $_) for @s;
    $api->restart;
    ok $api->wait_for(sub { @{ $api->get("/api/agents/$id/sessions", 200)->{sessions} } == 3 }), 'nobody needs to ask for it: it is done at the start, and every day';
    is_deeply [ sort map { $_->{session_id} } @{ $api->get("/api/agents/$id/sessions", 200)->{sessions} } ], [ sort @s[ 2 .. 4 ] ], 'the newest stay';
};

$api->finish;
done_testing;
