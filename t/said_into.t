#!/usr/bin/perl
# What is said into a running turn reaches the model before the turn ends, in the conversation
# too, and through a crash; what cannot reach it is not accepted. And how full the window is.
use strict;
use warnings;
use LF;
use Test::More;

my $tool = { name => 'memory_store', arguments => { key => 'x', value => 'y' } };
my $up = LF->mock(when => [
        [ 'AND-ALSO' => { text => 'both' } ],
        [ 'SLOW-ONE' => { text => 'slow answer', hang => 1, until => 'said' } ],
        [ 'TWO-TOOLS' => { tool_calls => [ $tool, { %$tool, arguments => { key => 'z', value => 'y' } } ], hang => 1, until => 'said' } ],
        [ 'NEVER-EVER' => { hang => 1 } ],
    ], default => { text => 'fine' });
my $api = LF->start(model => $up);
my $nobody = '00000000-0000-4000-8000-000000000000';
my $n = 0;

sub whole { my ($s) = @_; $s->read_head; return $LF::JSON->decode($s->rest) }
sub spawn { return $api->post('/api/agents', { manifest_toml => 'name = "into-' . ++$n . '"' }, 201)->{agent_id} }
# A turn whose model was asked and does not speak before it is let.
sub begin {
    my ($id, $text) = @_;
    my $n = @{ $up->chats };
    $up->shut('said');
    my $run = $api->later("/api/agents/$id/message", { message => $text });
    $up->wait_chats($n + 1);
    return $run;
}
sub into { my ($id, $text, $status, %more) = @_; return $api->post("/api/agents/$id/inject", { message => $text, %more }, $status // 200) }
sub said { my ($id) = @_; return map { lc(substr($_->{role}, 0, 1)) . ": $_->{content}" } @{ $api->get("/api/agents/$id/session", 200)->{messages} } }

subtest 'while the model speaks' => sub {
    my $id = spawn();
    my $run = begin($id, 'SLOW-ONE');
    ok into($id, 'AND-ALSO this')->{injected}, 'accepted';
    $up->let('said');
    is whole($run)->{response}, 'both', 'answered';
    is_deeply [ said($id) ], [ 'u: SLOW-ONE', 'a: slow answer', 'u: AND-ALSO this', 'a: both' ], 'and part of the conversation';
    ok !into($id, 'too late')->{injected}, 'afterwards nothing is accepted';
};

subtest 'before its tools ran' => sub {
    my $id = spawn();
    my $run = begin($id, 'TWO-TOOLS');
    my $s = $api->get("/api/agents/$id", 200)->{session_id};
    ok into($id, 'AND-ALSO that', 200, session_id => uc $s)->{injected}, 'by session';
    ok !into($id, 'x', 200, session_id => $nobody)->{injected}, 'not into another one';
    $up->let('said');
    is whole($run)->{response}, 'both', 'answered';
    my $last = (grep { ref $_->{json} } @{ $up->requests })[-1]{json}{messages};
    is((grep { ($_->{role} // '') eq 'tool' && $_->{content} =~ /^Skipped/ } @$last), 2, 'its tools did not run any more');
    my @m = map { $_->{role} } @{ $api->get("/api/sessions/$s", 200)->{messages} };
    is "@m", 'user assistant user user assistant', 'all of it is in the conversation';
};

subtest 'as much as there is room for' => sub {
    my $id = spawn();
    my $run = begin($id, 'NEVER-EVER');
    ok into($id, "more $_")->{injected}, "number $_" for 1 .. 8;
    is into($id, 'more 9', 503)->{code}, 'backpressure', 'then there is none';
    $api->post("/api/agents/$id/stop", undef, 200);
    $run->close;
};

subtest 'what is none' => sub {
    my $id = spawn();
    into($id, 'x' x 16385, 413);
    into($id, $_, 400) for '', " \n";
    into($id, 'x', 400, session_id => 'none');
    into($id, 'x', 422, more => 1);
    $api->post("/api/agents/$id/inject", $_, 422) for {}, { message => 5 }, [];
    into($nobody, 'x', 404);
    ok !into($id, 'x', 200, session_id => '')->{injected}, 'nothing runs';
};

subtest 'through a crash' => sub {
    my $id = spawn();
    my $run = begin($id, 'SLOW-ONE');
    ok into($id, 'AND-ALSO after it')->{injected}, 'accepted';
    kill 'KILL', @{ $api->processes->{librefangd} };
    $up->let('said');
    $run->close;
    ok $api->wait_for(sub { my $r = $api->raw('GET', "/api/agents/$id/session"); $r->{status} == 200 && $r->{content} =~ /"both"/ }), 'the turn goes on' or diag $api->log_tail(5);
    is_deeply [ said($id) ], [ 'u: SLOW-ONE', 'a: slow answer', 'u: AND-ALSO after it', 'a: both' ], 'with what was said into it';
};

subtest 'how full the window is' => sub {
    my $id = spawn();
    my $c = $api->get("/api/agents/$id/session/context", 200);
    cmp_ok $c->{used_tokens}, '>', 50, 'prompt and tools take their part';
    is_deeply [ @$c{qw(max_context_tokens max_context_tokens_source pressure)}, $c->{max_context_tokens_assumed} ? 1 : 0 ], [ 8192, 'fallback', 'low', 1 ], 'of a model nobody knows';
    $api->patch("/api/agents/$id/config", { context_window => 1000 }, 200);
    $api->post("/api/agents/$id/message", { message => 'word ' x 2000 }, 200);
    my $d = $api->get("/api/agents/$id/session/context", 200);
    cmp_ok $d->{used_tokens}, '>', $c->{used_tokens} + 2000, 'what was said too';
    is_deeply [ @$d{qw(pct pressure max_context_tokens_source)} ], [ 100, 'critical', 'agent_override' ], 'it is full';
    my $other = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    cmp_ok $api->get("/api/agents/$id/session/context?session_id=$other", 200)->{used_tokens}, '<', $d->{used_tokens}, 'another session is not';
    $api->get("/api/agents/$id/session/context?session_id=none", 400);
    $api->get("/api/agents/$id/session/context?session_id=$nobody", 404);
};

$api->finish;
done_testing;
