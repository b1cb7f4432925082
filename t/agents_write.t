#!/usr/bin/perl
# Agents are made, changed and ended; their sessions begun, switched and
# cleared; and what is refused changes nothing.
use strict;
use warnings;
use File::Temp ();
use HTTP::Tiny;
use JSON::PP ();
use LF;
use LF::Refuse;
use POSIX ();
use Test::More;

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key', alma => 'alma-admin-key');
my $up = LF->mock(when => [ [ 'SLOW-ONE' => { text => 'slow answer', delay => 0.5 } ], [ 'NEVER-EVER' => { hang => 1 } ] ]);
my $api = LF->start(model => $up, config => join '', map {
    my ($role) = $keys{$_} =~ /-(\w+)-key$/;
    qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n)
} sort keys %keys);
my $null = JSON::PP::null;
my $nobody = '00000000-0000-4000-8000-000000000000';
my $n = 0;

sub as { return { Authorization => "Bearer $keys{$_[0]}" } }
sub toml { my ($name, $more) = @_; return qq(name = "$name"\n) . ($more // '') }
sub spawn { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => toml($name // 'made-' . ++$n, $more) }, 201)->{agent_id} }
sub show { return $api->get("/api/agents/$_[0]", 200) }
sub total { return $api->get('/api/agents', 200)->{total} }
sub history { my ($id, $s) = @_; return $api->get("/api/agents/$id/session" . ($s ? "?session_id=$s" : ''), 200)->{messages} }

subtest 'made from a manifest' => sub {
    my $r = $api->post('/api/agents', { manifest_toml => qq(name = "first"\ndescription = "the first"\ntags = ["a", "b"]\nauthor = "ursula"\n)
        . qq([model]\nprovider = "openai"\nmodel = "gpt-4o-mini"\nsystem_prompt = "Be brief."\ntemperature = 0.1\n) }, 201);
    is $r->{name}, 'first', 'it has its name';
    my $a = show($r->{agent_id});
    is_deeply [ @$a{qw(name description state mode system_prompt)} ], [ 'first', 'the first', 'Running', 'full', 'Be brief.' ], 'and is shown as it was described';
    is_deeply $a->{tags}, [qw(a b)], 'with its tags';
    is $a->{model}{model}, 'gpt-4o-mini', 'and its model';
    $api->get("/api/agents/$r->{agent_id}", 200);
    like $api->last->{content}, qr/"temperature":0\.1[,}]/, 'and numbers as they were written';
    is scalar @{ $api->get("/api/agents/$r->{agent_id}/sessions", 200)->{sessions} }, 1, 'it has one session';
    ok -d $api->home . '/workspaces', 'and a place for its files';
};

subtest 'made from a template' => sub {
    my $r = $api->post('/api/agents', { template => 'coder' }, 201);
    is $r->{name}, 'coder', 'it has the name of the template';
    is show($r->{agent_id})->{source_template}, 'coder', 'and tells where it came from';
    is $api->post('/api/agents', { template => 'coder', name => '  my coder ' }, 201)->{name}, 'my coder', 'a name of its own wins, trimmed';
    is $api->post('/api/agents', { manifest_toml => toml('given'), name => 'taken-name' }, 201)->{name}, 'taken-name', 'over that of a manifest too';
    is $api->post('/api/agents', { manifest_toml => toml('kept'), name => '  ' }, 201)->{name}, 'kept', 'a blank one does not';
    is $api->post('/api/agents', { manifest_toml => toml('both'), template => 'coder' }, 201)->{name}, 'both', 'a manifest wins over a template';
    is $api->post('/api/agents', { template => 'no-such' }, 404)->{code}, 'template_not_found', 'an unknown template is not found';
    $api->post('/api/agents', { template => $_ }, 400) for '../coder', 'a/b', '..', "coder\0", '';
};

subtest 'a name is taken once' => sub {
    my $id = spawn('unique');
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    my $before = total();
    my $e = $api->post('/api/agents', { manifest_toml => toml('unique') }, 409);
    is $e->{code}, 'agent_already_exists', 'a second of that name is refused';
    like $e->{error}, qr/unique/, 'by name';
    is total(), $before, 'and not made';
    $api->del("/api/agents/$id?confirm=true", 200);
    is spawn('unique'), $id, 'after the first has gone the name is free, and stands for the same id';
    is_deeply history($id), [], 'with nothing of what was';
};

subtest 'what is no agent' => sub {
    my $before = total();
    for my $bad ('name = ', 'name = "x', "name = 5\n", "name = \"x\"\nname = \"y\"\n", '[[[', "name = \"\"\n", "name = \"x\"\nworkspace = \"../../out\"\n", "name = \"x\"\ntool_exec_backend = \"docker\"\n") {
        is $api->post('/api/agents', { manifest_toml => $bad }, 400)->{code}, 'invalid_manifest', 'no manifest: ' . $bad =~ s/\n/ /gr;
    }
    is $api->post('/api/agents', {}, 400)->{code}, 'invalid_manifest', 'something must be said';
    is $api->post('/api/agents', { manifest_toml => ' ' }, 400)->{code}, 'invalid_manifest', 'that is not blank';
    for my $bad ({ manifest_toml => 5 }, { manifest_toml => $null }, { template => ['coder'] }, { manifest_toml => toml('x'), colour => 'red' }, []) {
        is $api->post('/api/agents', $bad, 400)->{code}, 'invalid_json', 'a body of another shape';
    }
    is $api->post('/api/agents', { manifest_toml => toml('big') . '#' . 'x' x (1 << 20) }, 413)->{code}, 'manifest_too_large', 'a manifest has a largest size';
    is $api->post('/api/agents', { manifest_toml => toml('x'), signed_manifest => '{}' }, 403)->{code}, 'signature_invalid', 'a signature nobody trusts';
    is total(), $before, 'nothing was made';
};

subtest 'a key against doing it twice' => sub {
    my ($body, $h) = ({ manifest_toml => toml('once') }, { 'Idempotency-Key' => 'key-1' });
    my $first = $api->post('/api/agents', $body, 201, $h);
    my $text = $api->last->{content};
    my $before = total();
    is $api->post('/api/agents', $body, 201, $h)->{agent_id}, $first->{agent_id}, 'the same again is answered as before';
    is $api->last->{content}, $text, 'byte for byte';
    is total(), $before, 'and made once';
    is $api->post('/api/agents', { manifest_toml => toml('twice') }, 409, $h)->{code}, 'idempotency_key_conflict', 'another body is refused';
    $api->post('/api/agents', { manifest_toml => toml('once') }, 409, { 'Idempotency-Key' => 'key-2' });
    is $api->post('/api/agents', { manifest_toml => toml('later') }, 201, { 'Idempotency-Key' => 'key-2' })->{name}, 'later', 'a refusal does not use a key up';
    is $api->post('/api/agents', { manifest_toml => toml('x') }, 400, { 'Idempotency-Key' => $_ })->{code}, 'idempotency_key_invalid',
        "'" . substr($_, 0, 5) . "' is no key" for 'a' x 256, 'a b';
    ok $api->post('/api/agents', { manifest_toml => toml('long-key') }, 201, { 'Idempotency-Key' => 'a' x 255 }), '255 bytes are one';
    my @s = map { $api->later('/api/agents', { manifest_toml => toml('raced') }, headers => { 'Idempotency-Key' => 'race' }) } 1 .. 6;
    my %seen;
    for (@s) { $_->read_head; $seen{ $_->status . ($_->status == 201 ? $_->rest : '') }++ }
    is scalar(grep {/^201/} keys %seen), 1, 'of several at once one makes it, the others hear of that one';
    is scalar(grep { !/^(?:201|409)/ } keys %seen), 0, 'or that it is being made';
    is $api->get('/api/agents?q=raced', 200)->{total}, 1, 'and it is there once';
    ok $api->post('/api/agents', { manifest_toml => toml('almas') }, 201, { %{ as('alma') }, 'Idempotency-Key' => 'key-1' }), "a key is one's own";
};

subtest 'changed' => sub {
    my $id = spawn('to-change', qq(tags = ["keep"]\n));
    my $p = "/api/agents/$id";
    is_deeply $api->patch($p, { name => 'changed', description => 'new words', system_prompt => 'Be kind.' }, 200),
        { status => 'ok', agent_id => $id, name => 'changed' }, 'some settings';
    is_deeply [ @{ show($id) }{qw(name description system_prompt)} ], [ 'changed', 'new words', 'Be kind.' ], 'are as was said';
    is_deeply show($id)->{tags}, ['keep'], 'the others as before';
    $api->patch($p, { name => 'changed' }, 200);
    $api->patch($p, { model => 'gpt-4o', provider => 'openai', auto_evolve => JSON::PP::false }, 200);
    is show($id)->{model}{model}, 'gpt-4o', 'the model';
    is show($id)->{auto_evolve}, JSON::PP::false, 'a switch';
    $api->patch($p, { schedule => { continuous => { check_interval_secs => 60 } } }, 200);
    is show($id)->{schedule}, "continuous \x{b7} 60s", 'the schedule';
    $api->patch($p, { schedule => 'reactive' }, 200);
    $api->patch($p, { unknown => 1, description => 7 }, 200);
    is show($id)->{description}, 'new words', 'what it does not know, or has another type, it passes over';
    my $other = spawn('occupied');
    for my $bad ({ name => 'occupied' }, { name => '' }, { name => '  ' }, { mcp_servers => 'x' }, { mcp_servers => [1] }, { mcp_servers => ['nobody'] },
        { mcp_servers => [ ('*') x 51 ] }, { schedule => 'sometimes' }, { schedule => { continuous => { check_interval_secs => 0 } } },
        { schedule => { periodic => { cron => '' } } }, { manifest_toml => 5 }, { manifest_toml => 'x = ' }, []) {
        my $r = $api->raw('PATCH', $p, { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode($bad) });
        like $r->{status}, qr/^4(?:00|09|22)$/, 'refused: ' . $LF::JSON->encode(ref $bad eq 'HASH' && ref $bad->{mcp_servers} && @{ $bad->{mcp_servers} } > 9 ? ['many'] : $bad);
    }
    my $r = $api->raw('PATCH', $p, { headers => { 'Content-Type' => 'application/json' }, content => '{"description":"half","name":"occupied"}' });
    cmp_ok $r->{status}, '>=', 400, 'one bad member';
    is show($id)->{description}, 'new words', 'and nothing is applied';
    is show($id)->{name}, 'changed', 'the name is still its own';
    my $t = $api->patch($p, { manifest_toml => qq(name = "ignored"\ndescription = "all new"\ntags = ["z"]\n), name => 'also-ignored' }, 200);
    ok $t->{note}, 'a whole manifest';
    is_deeply [ @{ show($id) }{qw(name description)}, @{ show($id)->{tags} } ], [ 'changed', 'all new', 'keep' ], 'takes the place of the old one, save name and tags';
    is $api->patch('/api/agents/x', {}, 400)->{code}, 'invalid_agent_id', 'a bad id is none';
    $api->patch("/api/agents/$nobody", { name => 'x' }, 404);
};

subtest 'changed by several at once' => sub {
    my $id = spawn('changed-at-once');
    my @lost;
    for my $i (1 .. 15) {
        my @s = map { $api->later("/api/agents/$id$_->[0]", $_->[2], method => $_->[1], headers => { Accept => '*/*' }) }
            [ '/config', 'PATCH', { temperature => $i / 10 } ], [ '/tools', 'PUT', { tool_blocklist => ["b$i"] } ], [ '', 'PATCH', { description => "d$i" } ], [ '/config', 'PATCH', { max_tokens => $i } ],
            [ '/identity', 'PATCH', { emoji => "e$i" } ], [ '/identity', 'PATCH', { color => "#$i" } ];
        for (@s) { $_->read_head; push @lost, "status @{[ $_->status ]}" if $_->status != 200; $_->rest }
        my $a = show($id);
        my $is = join ' ', @{ $a->{model} }{qw(temperature max_tokens)}, $a->{description}, @{ $a->{identity} }{qw(emoji color)}, @{ $api->get("/api/agents/$id/tools", 200)->{tool_blocklist} };
        push @lost, $is if $is ne join ' ', $i / 10, $i, "d$i", "e$i", "#$i", "b$i";
    }
    is "@lost", '', 'nothing of it is lost';
    my $toml = LF::slurp($api->home . '/workspaces/agents/changed-at-once/agent.toml');
    like $toml, qr/^description = "d15"$/m, 'agent.toml has it too';
    like $toml, qr/^max_tokens = 15$/m, '  all of it';
};

subtest 'its mode' => sub {
    my $id = spawn();
    my $p = "/api/agents/$id/mode";
    for my $m (qw(observe assist full)) {
        is_deeply $api->put($p, { mode => $m }, 200), { status => 'updated', agent_id => $id, mode => $m }, "may be $m";
        is show($id)->{mode}, $m, 'and is';
    }
    $api->put($p, { mode => 'observe' }, 200);
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    ok !@{ $up->chats->[-1]{json}{tools} // [] }, 'an observer has no tools';
    $api->put($p, { mode => 'Stable' }, 200);
    is show($id)->{mode}, 'observe', 'stable is a flag beside it';
    $api->put($p, { mode => 'Normal' }, 200);
    $api->put($p, $_, 422) for { mode => 'wild' }, { mode => 3 }, { mode => $null }, {}, { mode => 'full', x => 1 };
    $api->put("/api/agents/$nobody/mode", { mode => 'full' }, 404);
    $api->put('/api/agents/x/mode', { mode => 'full' }, 400);
};

subtest 'its model' => sub {
    my $id = spawn();
    my $p = "/api/agents/$id/model";
    my ($known) = grep { $_->{provider} ne 'openai' } @{ $api->get('/api/models?limit=100', 200)->{models} };
    is_deeply $api->put($p, { model => $known->{id} }, 200), { status => 'ok', model => $known->{id}, provider => $known->{provider} }, 'a model of the catalog brings its provider';
    is_deeply $api->put($p, { model => 'openai/gpt-4o' }, 200), { status => 'ok', model => 'gpt-4o', provider => 'openai' }, 'a prefix is taken off';
    is_deeply $api->put($p, { model => 'own-model', provider => 'own' }, 200), { status => 'ok', model => 'own-model', provider => 'own' }, 'others may be named';
    is show($id)->{model}{model}, 'own-model', 'and it is so';
    is_deeply $api->put($p, { model => 'nobody-knows' }, 200), { status => 'ok', model => 'nobody-knows', provider => 'own' }, 'an unknown one keeps the provider';
    for my $m ([ 'claude-of-tomorrow' => 'anthropic' ], [ 'gpt-99' => 'openai' ], [ 'o3' => 'openai' ], [ 'o3-huge' => 'openai' ], [ 'Gemini-7' => 'gemini' ], [ 'o3x' => 'gemini' ], [ 'grok-9' => 'xai' ], [ 'some/claude-x' => 'xai' ]) {
        is $api->put($p, { model => $m->[0] }, 200)->{provider}, $m->[1], "whose $m->[0] is says its name";
    }
    $api->patch("/api/agents/$id/config", { base_url => 'https://example.com/v1' }, 200);
    is $api->put($p, { model => 'claude-of-tomorrow' }, 200)->{provider}, 'xai', '  not to one with an address of its own';
    $api->put($p, { model => 'nobody-knows', provider => 'own' }, 200);
    $api->put($p, $_, 400) for {}, { model => '' }, { model => ' ' }, { model => 5 }, { model => 'x', provider => 5 }, { model => "x\n" }, { model => 'x', provider => "y\x7f" }, { model => 'm' x 257 }, [];
    $api->put("/api/agents/$nobody/model", { model => 'x' }, 404);
    $api->put('/api/agents/x/model', { model => 'x' }, 400);
    is show($id)->{model}{model}, 'nobody-knows', 'refusals change nothing';
};

subtest 'ended' => sub {
    my $id = spawn('to-end');
    $api->post("/api/agents/$id/message", { message => 'hello' }, 200);
    $api->put("/api/memory/agents/$id/kv/x", { value => 1 }, 200);
    my $s = show($id)->{session_id};
    is $api->del("/api/agents/$id", 409)->{code}, 'delete_confirmation_required', 'not by accident';
    $api->del("/api/agents/$id?confirm=$_", 409) for 'false';
    $api->del("/api/agents/$id?confirm=$_", 400) for '1', 'maybe';
    is show($id)->{name}, 'to-end', 'it is still there';
    is_deeply $api->del("/api/agents/$id?confirm=true", 200), { status => 'killed', agent_id => $id, identity_purged => JSON::PP::true }, 'confirmed';
    $api->get("/api/agents/$id", 404);
    $api->get("/api/agents/$id/session", 404);
    is_deeply $api->get("/api/memory/agents/$id/kv", 200), { kv_pairs => [] }, 'with all it kept';
    is_deeply $api->del("/api/agents/$id?confirm=true", 200), { status => 'already-deleted', agent_id => $id }, 'again is no mistake';
    $api->post("/api/agents/$id/message", { message => 'hello' }, 404);
    $api->del('/api/agents/x?confirm=true', 400);
    ok !glob($api->home . '/workspaces/*to-end*'), 'its files are gone';
    my $busy = spawn('busy-end');
    my $before = @{ $up->chats };
    my $t = $api->later("/api/agents/$busy/message", { message => 'NEVER-EVER' });
    $up->wait_chats($before + 1);
    my $since = Time::HiRes::time();
    is $api->del("/api/agents/$busy?confirm=true", 200)->{status}, 'killed', 'while it answers';
    $t->read_head;
    cmp_ok $t->status, '>=', 400, 'the answer is an error';
    cmp_ok Time::HiRes::time() - $since, '<', 30, 'at once';
};

subtest 'a place of its own' => sub {
    my $old = spawn('renamed');
    my $soul = sub { return $api->get("/api/agents/$_[0]/files/SOUL.md", 200)->{content} };
    $api->put("/api/agents/$old/files/SOUL.md", { content => 'what is mine' }, 200);
    $api->patch("/api/agents/$old", { name => 'renamed-since' }, 200);
    my $new = spawn('renamed');
    unlike $soul->($new), qr/what is mine/, 'who is given a name that another had does not get its files';
    $api->put("/api/agents/$new/files/SOUL.md", { content => 'new' }, 200);
    is $soul->($old), 'what is mine', '  nor writes into them';
    like LF::slurp($api->home . '/workspaces/agents/renamed/agent.toml'), qr/^name = "renamed-since"$/m, '  and agent.toml is that of whose place it is';
    $api->restart;
    is $soul->($new), 'new', '  also after a restart';
    $api->del("/api/agents/$new?confirm=true", 200);
    is $soul->($old), 'what is mine', 'when it ends the files of the other stay';
    $api->del("/api/agents/$old?confirm=true", 200);
    is_deeply [ glob $api->home . '/workspaces/agents/renamed*' ], [], 'and go with that one';
};

subtest 'a place that somebody has' => sub {
    my $first = $api->post('/api/agents', { manifest_toml => toml('at-home', 'workspace = "shared/desk"') }, 201)->{agent_id};
    spawn('by-name');
    my $dir = $api->home . '/workspaces';
    for my $place ('shared/desk', './shared//desk/', "$dir/shared/desk", 'shared/desk/drawer', 'shared', 'agents/by-name', 'agents/by-name/inner') {
        my $e = $api->post('/api/agents', { manifest_toml => toml('guest', qq(workspace = "$place")) }, 409);
        is $e->{code}, 'workspace_taken', "$place: is not given away";
        like $e->{error}, qr/\[workspaces/, '  with a word on what to do' if $place eq 'shared';
    }
    like LF::slurp("$dir/shared/desk/agent.toml"), qr/^name = "at-home"$/m, 'agent.toml stays that of its agent';
    $api->post('/api/agents', { manifest_toml => toml('guest', 'workspace = "shared/desk2"') }, 201);
    my $deep = $api->post('/api/agents', { manifest_toml => toml('deep', 'workspace = "agents/coming/in"') }, 201)->{agent_id};
    my $coming = spawn("coming");
    ok -f "$dir/agents/coming-" . substr($coming, 0, 8) . '/agent.toml', 'who would come to live around another gets another place';
    $api->del("/api/agents/$coming?confirm=true", 200);
    ok -f "$dir/agents/coming/in/agent.toml", '  and takes nothing along';
    $api->del("/api/agents/$first?confirm=true", 200);
    $api->post('/api/agents', { manifest_toml => toml('guest-2', 'workspace = "shared/desk"') }, 201);
    pass 'a place that was left is free';
};

subtest 'made and ended all at once' => sub {
    my $dir = File::Temp->newdir('lf-race-XXXXXXXX', TMPDIR => 1);
    my @pids = map {
        my $w = $_;
        my $pid = fork // die $!;
        if (!$pid) {
            open my $log, '>', "$dir/$w" or POSIX::_exit(1);
            $log->autoflush(1);
            my %h = (headers => { 'Content-Type' => 'application/json' });
            $api->{http} = HTTP::Tiny->new(timeout => 30);
            srand $w;
            my $made = 0;
            for (my $end = Time::HiRes::time() + 3; Time::HiRes::time() < $end || ($made < 2 && Time::HiRes::time() < $end + 60);) {
                my $r = $api->raw('POST', '/api/agents', { %h, content => $LF::JSON->encode({ manifest_toml => toml('wanted') }) });
                print $log "POST $r->{status}\n";
                my $id = $r->{json}{agent_id} // next;
                $made++;
                my @calls = (([ PUT => "/api/agents/$id/files/SOUL.md", '{"content":"x"}' ], [ POST => "/api/agents/$id/session/reset" ], [ POST => "/api/agents/$id/sessions", '{}' ], [ POST => "/api/agents/$id/message", '{"message":"hi"}' ])[ rand 4 ],
                    [ DELETE => '/api/agents/bulk', $LF::JSON->encode({ agent_ids => [$id] }) ]);
                print $log "$_->[0] $_->[1] ", $api->raw($_->[0], $_->[1], { %h, content => $_->[2] })->{status}, "\n" for @calls;
            }
            POSIX::_exit(0);
        }
        $pid;
    } 1 .. 6;
    waitpid $_, 0 for @pids;
    my @said = map { split /\n/, LF::slurp("$dir/$_") } 1 .. 6;
    is join("\n", grep { / 5\d\d$/ } @said), '', 'is no fault of the server';
    cmp_ok scalar(grep { $_ eq 'POST 201' } @said), '>', 6, 'and many were made';
    my $id = spawn('wanted');
    is scalar(grep { $_->{exists} } @{ $api->get("/api/agents/$id/files", 200)->{files} }), 8, 'the next one has all its files';
    ok $api->wait_for(sub { !glob $api->home . '/workspaces/.ended*' }), 'and nothing is left of the others';
    mkdir $api->home . '/workspaces/.ended-x' or die $!;
    $api->restart;
    ok $api->wait_for(sub { !glob $api->home . '/workspaces/.ended*' }), 'nor of one whose end was interrupted';
};

subtest 'sessions' => sub {
    my $id = spawn();
    my $p = "/api/agents/$id/sessions";
    my $first = show($id)->{session_id};
    $api->post("/api/agents/$id/message", { message => 'in the first' }, 200);
    my $r = $api->post($p, { label => '  My second_one-2 ' }, 200);
    is $r->{label}, 'My second_one-2', 'a new one may have a label, trimmed';
    is show($id)->{session_id}, $r->{session_id}, 'and is the current one';
    my $l = $api->get($p, 200)->{sessions};
    is_deeply [ map { $_->{session_id} } @$l ], [ $r->{session_id}, $first ], 'the newest is listed first';
    is_deeply [ map { $_->{is_canonical} ? 1 : 0 } @$l ], [ 1, 0 ], 'the current one is marked';
    is_deeply [ map { $_->{message_count} } @$l ], [ 0, 2 ], 'with what is in them';
    $api->post("/api/agents/$id/message", { message => 'in the second' }, 200);
    is scalar @{ history($id, $first) }, 2, 'the first keeps what it had';
    is $api->post("$p/$first/switch", {}, 200)->{message}, 'Session switched', 'one may go back';
    is show($id)->{session_id}, $first, 'to it';
    is_deeply [ map { $_->{content} } grep { $_->{role} eq 'User' } @{ history($id) } ], ['in the first'], 'and its messages';
    ok $api->post($p, undef, 200)->{session_id}, 'a body may be left out';
    is $api->post($p, { label => $null }, 200)->{label}, undef, 'a label too';
    ok $api->post($p, { label => "\x{e4}\x{4f60} 7" }, 200), 'letters of every script';
    ok $api->post($p, { label => 'x' x 128 }, 200), '128 of them';
    my $before = @{ $api->get($p, 200)->{sessions} };
    $api->post($p, { label => $_ }, 400) for '', '   ', 'a/b', "a\nb", 'x' x 129, 'a"b', 5, ['x'];
    $api->post($p, [], 400);
    is scalar @{ $api->get($p, 200)->{sessions} }, $before, 'what is refused is not made';
    my $foreign = show(spawn())->{session_id};
    is $api->post("$p/$foreign/switch", {}, 404)->{code}, 'session_not_found', "another's is not found";
    $api->post("$p/$nobody/switch", {}, 404);
    is $api->post("$p/x/switch", {}, 400)->{code}, 'invalid_session_id', 'a bad id is none';
    $api->post("/api/agents/$nobody/sessions", {}, 404);
    $api->post('/api/agents/x/sessions', {}, 400);
};

subtest 'cleared' => sub {
    my $id = spawn();
    my @old;
    for (1, 2) {
        push @old, $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
        $api->post("/api/agents/$id/message", { message => "say $_" }, 200);
    }
    is_deeply $api->del("/api/agents/$id/history", 200), { status => 'ok', message => 'All history cleared' }, 'every session goes';
    my $l = $api->get("/api/agents/$id/sessions", 200)->{sessions};
    is scalar @$l, 1, 'one is left';
    is $l->[0]{message_count}, 0, 'an empty one';
    ok $l->[0]{is_canonical}, 'the current one';
    $api->get("/api/agents/$id/session?session_id=$_", 404) for @old;
    $api->post("/api/agents/$id/message", { message => 'anew' }, 200);
    is scalar @{ $up->chats->[-1]{json}{messages} }, 2, 'the model hears nothing of what was';
    my $before = @{ $up->chats };
    my $t = $api->later("/api/agents/$id/message", { message => 'SLOW-ONE' });
    $up->wait_chats($before + 1);
    my $r = $api->post("/api/agents/$id/session/reset", {}, 200);
    is $r->{new_session_id}, show($id)->{session_id}, 'a reset tells the new session';
    $t->read_head;
    is $t->status, 200, 'and waits for the turn that runs';
    is scalar @{ history($id) }, 0, 'which leaves nothing behind';
    my @kept = grep { $_->{key} =~ /^session_/ } @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} };
    is scalar @kept, 1, 'but what was said, in the memory';
    like $kept[0]{key}, qr/^session_\d{4}-\d\d-\d\d_anew_[0-9a-f]{8}$/, 'under its day and first words';
    like $kept[0]{value}, qr/^Session of \d{4}-\d\d-\d\d\nUser: anew\nAssistant: .+\nUser: SLOW-ONE/, 'line by line';
    $api->post("/api/agents/$id/message", { message => "long \x{1f600} " . 'w' x 3000 }, 200);
    $api->post("/api/agents/$id/session/reset", {}, 200);
    my ($long) = grep { $_->{key} =~ /_long_w+_/ } @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} };
    cmp_ok length($long->{value} // ''), '<', 700, 'cut short';
    $api->post("/api/agents/$id/session/reset", {}, 200);
    is scalar(grep { $_->{key} =~ /^session_/ } @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} }), 2, 'of an empty session nothing is kept';
    for my $ask ([ DELETE => 'history' ], [ POST => 'session/reset' ]) {
        my ($verb, $row) = @$ask;
        $api->call($verb, "/api/agents/$nobody/$row", undef, 404);
        $api->call($verb, "/api/agents/x/$row", undef, 400);
    }
};

subtest 'who may' => sub {
    my $mine = spawn('of-ursula', qq(author = "ursula"\n));
    my $hers = spawn('of-someone', qq(author = "someone"\n));
    for my $who (qw(vera ursula)) {
        $api->post('/api/agents', { manifest_toml => toml('x') }, 403, as($who));
        $api->patch("/api/agents/$mine", { name => 'x' }, 403, as($who));
        $api->put("/api/agents/$mine/model", { model => 'x' }, 403, as($who));
        $api->put("/api/agents/$mine/mode", { mode => 'full' }, 403, as($who));
        $api->del("/api/agents/$mine?confirm=true", 403, as($who));
        $api->del("/api/agents/$mine/history", 403, as($who));
    }
    ok $api->post("/api/agents/$mine/message", { message => 'hi' }, 200, as('ursula'))->{response}, 'a user talks to their own';
    $api->post("/api/agents/$mine/message", { message => 'hi' }, 403, as('vera'));
    ok $api->post("/api/agents/$mine/sessions", {}, 200, as('ursula')), 'and begins anew';
    $api->post("/api/agents/$mine/session/reset", {}, 200, as('ursula'));
    for my $row (qw(message message/stream sessions session/reset)) {
        is $api->post("/api/agents/$hers/$row", { message => 'x' }, 404, as('ursula'))->{code}, 'agent_not_found', "others' do not exist for them: $row"
            if $row =~ /message/;
        $api->post("/api/agents/$hers/$row", {}, 404, as('ursula')) if $row !~ /message/;
    }
    is $api->post("/api/agents/$hers/stop", {}, 200, as('ursula'))->{message}, 'No active run', 'nothing of theirs is stopped';
    ok $api->patch("/api/agents/$hers", { description => 'by alma' }, 200, as('alma')), 'an admin may';
    is show($mine)->{name}, 'of-ursula', 'nothing else was changed';
};

my $id = spawn('refusing');
refuses($api, POST => '/api/agents', body => { manifest_toml => toml('refusing') }, lenient => 1);
refuses($api, PATCH => "/api/agents/$id", body => { description => 'x' });
refuses($api, DELETE => "/api/agents/$nobody");
refuses($api, PUT => "/api/agents/$id/mode", body => { mode => 'full' });
refuses($api, PUT => "/api/agents/$id/model", body => { model => 'x' }, lenient => 1);
refuses($api, POST => "/api/agents/$id/sessions", body => { label => 'x' }, optional => 1, lenient => 1);
refuses($api, POST => "/api/agents/$id/sessions/$nobody/switch");
refuses($api, DELETE => "/api/agents/$id/history");
refuses($api, POST => "/api/agents/$id/session/reset");

subtest 'a restart' => sub {
    $api->patch("/api/agents/$id", { description => 'lasting' }, 200);
    $api->put("/api/agents/$id/mode", { mode => 'assist' }, 200);
    my $s = $api->post("/api/agents/$id/sessions", { label => 'lasting' }, 200)->{session_id};
    my $before = total();
    $api->restart;
    is total(), $before, 'keeps every agent';
    is_deeply [ @{ show($id) }{qw(description mode session_id)} ], [ 'lasting', 'assist', $s ], 'as it was';
};
done_testing;
