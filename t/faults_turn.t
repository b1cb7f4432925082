#!/usr/bin/perl
# Turns that are interrupted: what the user said is there once, what a tool did
# is done once, and the answer comes after all.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(sleep time);

my ($api, $up, $id);

sub serve {
    my (%script) = @_;
    undef $api;
    undef $up;
    $up  = LF->mock(%script);
    $api = LF->start(model => $up);
    $id  = $api->get('/api/agents', 200)->{items}[0]{id};
    return;
}

# A message sent by a child, which nobody answers if all goes as planned.
sub say_it {
    my ($path, $text) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $s = eval { $api->stream($path, { message => $text }) };
        $s->all if $s && $s->status == 200;
        POSIX::_exit(0);
    }
    return $pid;
}

sub history {
    my $r = $api->raw('GET', "/api/agents/$id/session");
    return @{ ($r->{json} // {})->{messages} // [] };
}

sub plain { my ($m) = @_; return ref $m->{content} ? $LF::JSON->encode($m->{content}) : $m->{content} // '' }

sub answered { my ($text) = @_; return grep { $_->{role} eq 'Assistant' && index(plain($_), $text) >= 0 } history() }

sub said { my ($text) = @_; return scalar grep { $_->{role} eq 'User' && plain($_) eq $text } history() }

# Is each tool use of what the model is told followed by its result?
sub unanswered {
    my ($chat) = @_;
    my %open;
    for my $m (@{ $chat->{json}{messages} // [] }) {
        $open{ $_->{id} }++ for @{ $m->{tool_calls} // [] };
        delete $open{ $m->{tool_call_id} } if $m->{role} eq 'tool';
    }
    return sort keys %open;
}

sub kill_daemon {
    my ($pid) = @{ $api->processes->{librefangd} };
    kill 'KILL', $pid;
    return $api->wait_for(sub { my $p = $api->processes->{librefangd}; $p && grep { $_ != $pid } @$p });
}

# Neither what the model was told nor the history has a tool use without its result.
sub consistent {
    my ($what) = @_;
    my @bad = map { unanswered($_) } @{ $up->chats };
    push @bad, map { $_->{name} } grep { !defined $_->{result} || $_->{running} } map { @{ $_->{tools} // [] } } history();
    return is_deeply \@bad, [], "$what: no tool use is without its result";
}

# A stranger locks a store for longer than a write waits, as an answer comes: looked at further below.
my %locked = (up => LF->mock(answers => [ { text => 'dearly paid for', hang => 1, until => 'locked' } ]));
$locked{api} = LF->start(model => $locked{up}, timeout => 60);
$locked{id} = $locked{api}->get('/api/agents', 200)->{items}[0]{id};
$locked{asked} = $locked{api}->later("/api/agents/$locked{id}/message", { message => 'hold on' });
$locked{heard} = $locked{up}->wait_chats(1);
{
    pipe my $from, my $to or die "pipe: $!";
    $locked{stranger} = fork // die "fork: $!";
    if (!$locked{stranger}) {
        my $release = eval { $locked{api}->lock_store };
        syswrite $to, $@ ? 'x' : $release ? 'y' : 'n';
        sleep 6.5 if $release;
        $release->() if $release;
        POSIX::_exit(0);
    }
    close $to;
    sysread $from, $locked{there}, 1;
    $locked{up}->let('locked');
}

for my $way ([ 'a message', 'message' ], [ 'a streamed one', 'message/stream' ]) {
    my ($name, $tail) = @$way;
    subtest "$name, and the daemon dies while the model is silent" => sub {
        serve(answers => [ { hang => 1 }, { text => 'late, but here', delay => 0.2 } ]);
        my $child = say_it("/api/agents/$id/$tail", 'are you there?');
        ok $up->wait_chats(1), 'the model was asked';
        ok kill_daemon(), 'the daemon is killed and replaced';
        waitpid $child, 0;
        my $then = time;
        ok $api->wait_for(sub { answered('late, but here') }), 'the turn is taken up and answered'
            or diag $api->log_tail(15);
        note sprintf '%.2f s', time - $then;
        is said('are you there?'), 1, 'what the user said is there once';
        is scalar(answered('late, but here')), 1, 'and the answer too';
        is scalar(@{ $up->chats }), 2, 'the model was asked once more';
        is scalar(grep { $_->{role} eq 'user' && ($_->{content} // '') =~ /are you there/ }
            @{ $up->chats->[1]{json}{messages} }), 1, 'and told once';
        is $api->post("/api/agents/$id/message", { message => 'and now?' }, 200)->{response}, 'Hello from the mock.',
            'the next turn is as any other';
        is scalar(history()), 4, 'two turns are four messages';
    };
}

subtest 'the store is locked by a stranger when the answer comes' => sub {
    return plan skip_all => 'neither sqlite3 nor a compiler' if $locked{there} eq 'n';
    is $locked{there}, 'y', 'it is locked';
    ok $locked{heard}, 'the model was asked';
    waitpid $locked{stranger}, 0;
    is $?, 0, 'the stranger has gone';
    $locked{asked}->read_head;
    is $locked{asked}->status, 200, 'the answer is not thrown away';
    ($api, $id) = @locked{qw(api id)};
    is scalar(answered('dearly paid for')), 1, 'and is in the session, once';
    is scalar(@{ $locked{up}->chats }), 1, 'the model was asked once';
    %locked = ();
};

subtest 'the daemon dies after a tool wrote' => sub {
    serve(answers => [
        { tool_calls => [ { name => 'memory_store', arguments => { key => 'counter', value => 'first' } } ] },
        { hang => 1 },
        { text => 'it is kept' },
    ]);
    my $kv = "/api/memory/agents/$id/kv";
    my $child = say_it("/api/agents/$id/message/stream", 'keep it');
    ok $up->wait_chats(2), 'the tool ran, and the model was asked again' or diag $api->log_tail(15);
    my @keys = map { $_->{key} } @{ $api->get($kv, 200)->{kv_pairs} };
    my ($key) = grep {/counter/} @keys;
    ok defined $key, 'it wrote' or diag explain \@keys;
    $api->put("$kv/$key", '"touched since"', 200) if defined $key;
    ok kill_daemon(), 'the daemon is killed and replaced';
    waitpid $child, 0;
    ok $api->wait_for(sub { answered('it is kept') }), 'the answer arrives' or diag $api->log_tail(15);
    is $api->get("$kv/$key", 200)->{value}, 'touched since', 'the tool is not run a second time' if defined $key;
    is said('keep it'), 1, 'what the user said is there once';
    is scalar(@{ $up->chats }), 3, 'three questions to the model';
    my @results = grep { $_->{role} eq 'tool' } @{ $up->chats->[2]{json}{messages} };
    is scalar(@results), 1, 'the last one shows the result of the tool, once';
    consistent('before and after');
    $api->post("/api/agents/$id/message", { message => 'more' }, 200);
    consistent('in the next turn');
};

subtest 'the daemon dies while a file is written about' => sub {
    serve(answers => [
        { tool_calls => [ { name => 'file_write', arguments => { path => 'note.txt', content => 'once' } },
            { name => 'memory_store', arguments => { key => 'second', value => 'x' } } ] },
        { hang => 1 }, { text => 'written' },
    ]);
    my $child = say_it("/api/agents/$id/message", 'write it');
    ok $up->wait_chats(2), 'both tools ran, and the model was asked again' or diag $api->log_tail(15);
    my @results = grep { $_->{role} eq 'tool' } @{ ($up->chats->[1] // {})->{json}{messages} // [] };
    is scalar(@results), 2, 'two results were shown';
    for my $round (1 .. 2) {                    # the taken-up turn dies as well
        kill_daemon();
        last if $round == 2;
        ok $up->wait_chats(3), 'the turn is taken up';
    }
    waitpid $child, 0;
    ok $api->wait_for(sub { answered('written') || @{ $up->chats } >= 4 && answered('Hello') }), 'the answer arrives'
        or diag $api->log_tail(15);
    is said('write it'), 1, 'what the user said is there once';
    consistent('after two deaths');
};

subtest 'the daemon dies while a tool works that must not run twice' => sub {
    serve(when => [ [ 'outcome is unknown' => { text => 'I cannot tell' } ], [ 'the inner question' => { hang => 1 } ] ],
        default => { tool_calls => [ { name => 'agent_send', arguments => { agent_id => 'helper', message => 'the inner question', async => JSON::PP::false } } ] });
    $api->post('/api/agents', { manifest_toml => qq(name = "helper"\nauthor = "Ursula"\n[model]\nsystem_prompt = "Help."\n) }, 201);
    my $asked = sub { return scalar grep { $_->{body} =~ /"content":"[^"]*the inner question/ } @{ $up->chats } };
    my $child = say_it("/api/agents/$id/message", 'ask the other');
    ok $api->wait_for($asked), 'the other agent was asked' or diag $api->log_tail(15);
    consistent('meanwhile');
    my $before = $asked->();
    ok kill_daemon(), 'the daemon is killed and replaced';
    waitpid $child, 0;
    ok $api->wait_for(sub { answered('I cannot tell') }), 'the model is told that the outcome is unknown'
        or diag $api->log_tail(15);
    is $asked->(), $before, 'and the other agent is not asked again';
    is said('ask the other'), 1, 'what the user said is there once';
    consistent('afterwards');
};

subtest 'kill -9 of everything' => sub {
    serve(answers => [ { hang => 1 }, { text => 'after the crash' } ]);
    my $child = say_it("/api/agents/$id/message", 'survive');
    ok $up->wait_chats(1), 'the model was asked';
    my @all = ($api->supervisor, map { @$_ } values %{ $api->processes });
    kill 'KILL', @all;
    $api->wait_for(sub { !grep { readlink "/proc/$_/exe" } @all });
    waitpid $child, 0;
    $api->up;
    ok $api->wait_for(sub { answered('after the crash') }), 'the next start answers' or diag $api->log_tail(15);
    is said('survive'), 1, 'what the user said is there once';
};

subtest 'who is cut off is not told to ask again' => sub {
    serve(when => [ [ 'NEVER-EVER' => { hang => 1 } ] ], default => { text => 'after all' });
    my $s = $api->later("/api/agents/$id/message", { message => 'NEVER-EVER' });
    $api->wait_for(sub { @{ $api->get("/api/agents/$id/runtime", 200) } == 1 });
    my $v = $api->later('/v1/chat/completions', { model => 'assistant', messages => [ { role => 'user', content => 'hello' } ] });
    ok kill_daemon(), 'the daemon is killed';
    for ([ $s, 'a message' ], [ $v, 'a completion' ]) {
        my ($r, $name) = @$_;
        ok $r->read_head, "$name is answered";
        is $r->status, 502, '  as broken off';
        is $r->headers->{'retry-after'}, undef, '  and not as one to be sent again';
        my $j = $LF::JSON->decode($r->rest);
        is ref $j->{error} ? $j->{error}{code} : $j->{code}, 'outcome_unknown', '  whose end is not known';
    }
    is said('NEVER-EVER'), 1, 'what was asked is there';
    $api->post("/api/agents/$id/stop", undef, 200);
};

subtest 'an orderly stop in the middle of a stream' => sub {
    serve(answers => [ { text => 'many words that come slowly', chunks => 20, stall => 2 },
        { text => 'said to the end' } ]);
    my $s = $api->stream("/api/agents/$id/message/stream", { message => 'tell me' });
    is $s->status, 200, 'it streams';
    ok $s->next, 'something came';
    my $then = time;
    my ($rc, $out) = $api->command('stop');
    my $took = time - $then;
    is $rc, 0, 'librefang stop ends with 0' or diag $out;
    ok $took < 60, 'although the model has not ended' or diag $took;
    note sprintf 'stopped after %.2f s', $took;
    my @rest = $s->all;
    ok !$s->timed_out, 'the stream ended';
    ok !$api->supervisor, 'nothing runs';
    $api->up;
    ok $api->wait_for(sub { answered('said to the end') }), 'the next start takes the turn up'
        or diag explain [ history() ], $api->log_tail(15);
    is said('tell me'), 1, 'what the user said is there once';
    is $api->post("/api/agents/$id/message", { message => 'go on' }, 200)->{response}, 'Hello from the mock.', 'and it goes on';
};

undef $api;
undef $up;
done_testing;
