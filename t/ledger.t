#!/usr/bin/perl
# The ledger and a daemon that is killed: what a model took is written before its tools run, so each call has one row however
# long they take and whatever happens to them.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use LF;
use Test::More;

# Somewhere for tools to go that answers when the test says so.
my $slow = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', ReuseAddr => 1) or die "listen: $!";
my $url = 'http://127.0.0.1:' . $slow->sockport;

sub fetch { my ($id, $path, $method) = @_; return { id => $id, name => 'web_fetch', arguments => { url => "$url/$path", method => $method, ($method eq 'POST' ? (body => 'x') : ()) } } }
my $up = LF->mock(when => [
        [ 'call_last' => { text => 'and done' } ],
        [ 'call_effect' => { text => 'it is over' } ],
        [ 'call_long' => { hang => 1 } ],
        [ 'ONE-LONG' => { tool_calls => [ fetch('call_long', 'long', 'GET') ] } ],
        [ 'call_look' => { text => 'I have seen it', hang => 1, until => 'look' } ],
        [ '"tool_call_id":"call_two"' => { text => 'both are over' } ],
        [ '"tool_call_id":"call_city"' => { tool_calls => [ { id => 'call_last', name => 'system_time', arguments => {} } ] } ],
        [ 'ONE-EFFECT' => { tool_calls => [ fetch('call_effect', 'effect', 'POST') ] } ],
        [ 'ONE-LOOK' => { tool_calls => [ fetch('call_look', 'look', 'GET') ] } ],
        [ 'TIME-AND-EFFECT' => { tool_calls => [ { id => 'call_one', name => 'system_time', arguments => {} }, fetch('call_two', 'two', 'POST') ] } ],
        [ 'TIME-AND-CITY' => { tool_calls => [ { id => 'call_time', name => 'system_time', arguments => {} }, { id => 'call_city', name => 'city', arguments => {} } ] } ],
        [ 'STAYS-OUT' => { hang => 1 } ],
    ], key => { 'sk-poor' => { status => 401 } });
my $api = LF->start(model => $up, env => { LF_LLM_RETRY_MS => 20, POOR => 'sk-poor', OPENAI_API_KEY => 'sk-mock' },
    config => qq([web.fetch]\nssrf_allowed_hosts = ["127.0.0.1"]\n));
my $n = 0;

sub spawn { my ($more) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "led-' . ++$n . qq("\n) . ($more // '') }, 201)->{agent_id} }
sub called { return IO::Select->new($slow)->can_read(60) ? $slow->accept : undef }
sub answer { my ($c) = @_; $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndone"); close $c; return }
# model rows of the agent, oldest first: "status in out tools"
sub rows { my ($id) = @_; return map {"$_->{status} $_->{input_tokens} $_->{output_tokens} $_->{tool_calls}"} of_agent($id) }
sub of_agent {
    my ($id) = @_;
    my @l = split /\r\n/, $api->raw('GET', '/api/usage/export?format=csv')->{content};
    my @h = split /,/, shift @l;
    return grep { $_->{agent_id} eq $id } map { my %r; @r{@h} = split /,/, $_, -1; \%r } @l;
}
sub ready { my ($what) = @_; return $api->wait_for(sub { $api->raw('GET', '/api/ready')->{status} == 200 && $what->() }) }
sub said { my ($id) = @_; my $m = $api->get("/api/agents/$id/session", 200)->{messages}; return $m->[-1]{content} }
sub idle { my ($id) = @_; return !@{ $api->get("/api/agents/$id/runtime", 200) } }
# What is there afterwards is another one.
sub kill_it {
    my ($run) = @_;
    my ($old) = @{ $api->processes->{librefangd} };
    kill 'KILL', $old;
    $run->close if $run;
    return $api->wait_for(sub { grep { $_ != $old } @{ $api->processes->{librefangd} // [] } }, 30);
}
sub sums {
    my ($id) = @_;
    my ($a) = grep { $_->{agent_id} eq $id } @{ $api->get('/api/usage', 200)->{items} };
    return "$a->{call_count} $a->{input_tokens} $a->{output_tokens} $a->{tool_calls}";
}

subtest 'killed while a tool with an effect runs' => sub {
    my $id = spawn();
    my $run = $api->later("/api/agents/$id/message", { message => 'ONE-EFFECT' });
    my $tool = called() or return fail('the tool begins');
    is_deeply [ rows($id) ], [ 'ok 12 7 0' ], 'what the model took is written while it runs';
    kill_it($run);
    close $tool;
    ok ready(sub { idle($id) }), 'the turn goes on' or diag $api->log_tail(5);
    is said($id), 'it is over', 'and ends';
    is_deeply [ rows($id) ], [ 'ok 12 7 1', 'ok 12 7 0' ], 'a row for each of two calls, and the tool is of the first';
    is sums($id), '2 24 14 1', 'sums say the same';
    ok !IO::Select->new($slow)->can_read(0), 'the effect was not had again';
};

subtest 'killed again, while the model is asked about it' => sub {
    my $id = spawn();
    my $before = @{ $up->chats };
    my $run = $api->later("/api/agents/$id/message", { message => 'ONE-LOOK' });
    answer(called() // return fail('the tool begins'));
    ok $up->wait_chats($before + 2), 'the model hears of it';
    kill_it($run);
    $up->let('look');
    ok ready(sub { idle($id) }), 'the turn goes on';
    is said($id), 'I have seen it', 'and ends';
    is_deeply [ rows($id) ], [ 'ok 12 7 1', 'ok 12 7 0' ], 'each call that was answered has a row; of the other nobody knows';
};

subtest 'stopped while the model is asked' => sub {
    my $id = spawn();
    my $before = @{ $up->chats };
    my $run = $api->later("/api/agents/$id/message", { message => 'ONE-LONG' });
    answer(called() // return fail('the tool begins'));
    ok $up->wait_chats($before + 2), 'the model hears of it';
    $api->restart;
    $run->close;
    ok $up->wait_chats($before + 3, 20), 'and again after the restart';
    is_deeply [ rows($id) ], [ 'ok 12 7 1', 'cancelled 0 0 0' ], 'a call that was broken off is a row too';
    $api->post("/api/agents/$id/stop", undef, 200);
    ok ready(sub { idle($id) }), 'the turn is stopped';
    is_deeply [ rows($id) ], [ 'ok 12 7 1', ('cancelled 0 0 0') x 2 ], 'so is the next one';
};

subtest 'killed between tools' => sub {
    my $id = spawn();
    my $run = $api->later("/api/agents/$id/message", { message => 'TIME-AND-EFFECT' });
    my $tool = called() or return fail('the second tool begins');
    is_deeply [ rows($id) ], [ 'ok 12 7 0' ], 'the model has one row';
    kill_it($run);
    close $tool;
    ok ready(sub { idle($id) }), 'the turn goes on';
    is said($id), 'both are over', 'and ends';
    is_deeply [ rows($id) ], [ 'ok 12 7 2', 'ok 12 7 0' ], 'both tools count for the call that asked for them';
    is sums($id), '2 24 14 2', 'once';
};

subtest 'a turn that is not taken up' => sub {
    my $id = spawn();
    my $run = $api->later('/v1/chat/completions', { model => "librefang:$id", messages => [ { role => 'user', content => 'ONE-EFFECT' } ] });
    my $tool = called() or return fail('the tool begins');
    kill_it($run);
    close $tool;
    ok ready(sub { idle($id) }), 'has ended';
    is_deeply [ rows($id) ], [ 'ok 12 7 0' ], 'and what it took is known';
};

subtest 'tools of the caller' => sub {
    my $id = spawn();
    my @tools = ({ type => 'function', function => { name => 'city', parameters => { type => 'object' } } });
    my @said = ({ role => 'user', content => 'TIME-AND-CITY' });
    my $m = $api->post('/v1/chat/completions', { model => "librefang:$id", tools => \@tools, messages => \@said }, 200)->{choices}[0]{message};
    is $m->{tool_calls}[0]{function}{name}, 'city', 'are left to it';
    is_deeply [ rows($id) ], [ 'ok 12 7 1' ], 'what was done until then is written';
    kill_it();
    ok ready(sub {1}), 'the daemon is killed while the turn waits';
    my $r = $api->post('/v1/chat/completions', { model => "librefang:$id", tools => \@tools,
        messages => [ @said, $m, { role => 'tool', tool_call_id => 'call_city', content => 'Bern' } ] }, 200);
    is $r->{choices}[0]{message}{content}, 'and done', 'it goes on';
    is_deeply [ rows($id) ], [ 'ok 12 7 1', 'ok 12 7 1', 'ok 12 7 0' ], 'with a row for each call, and tools where they belong';
};

subtest 'one that failed before another is asked' => sub {
    my $id = spawn(qq([model]\nprovider = "openai"\nmodel = "mock-model"\nbase_url = "@{[ $up->url ]}"\napi_key_env = "POOR"\n)
        . qq([[fallback_models]]\nprovider = "openai"\nmodel = "mock-second"\nbase_url = "@{[ $up->url ]}"\napi_key_env = "OPENAI_API_KEY"\n));
    my $before = @{ $up->chats };
    my $run = $api->later("/api/agents/$id/message", { message => 'STAYS-OUT' });
    ok $up->wait_chats($before + 2), 'the second one is asked';
    is_deeply [ map { "$_->{model} $_->{status}" } of_agent($id) ], [ 'mock-model failed' ], 'that the first one failed is written by then';
    $api->post("/api/agents/$id/stop", undef, 200);
    $run->read_head;
    is_deeply [ map { "$_->{model} $_->{status}" } of_agent($id) ], [ 'mock-model failed', 'mock-second cancelled' ], 'and then how the second one ended';
};

subtest 'what is put aside' => sub {
    my $id = spawn(qq([resources]\nmax_cost_per_day_usd = 5.0\n));
    my $held = sub { my ($v) = $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_budget_held_calls (\S+)/m; return $v };
    my $run = $api->later("/api/agents/$id/message", { message => 'ONE-LOOK' });
    my $tool = called() or return fail('the tool begins');
    is $held->(), 0, 'is let go while tools run';
    answer($tool);
    $run->read_head;
    is $run->status, 200, 'the next call is held anew, and the turn ends';
    is $held->(), 0, 'nothing stays';
};

$api->finish;
done_testing;
