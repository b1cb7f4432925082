#!/usr/bin/perl
# Agents that act by themselves, when something fails or is full: the store is locked, the provider is gone, all threads are taken; and what
# session_mode, max_concurrent_invocations and the lanes make of it.
use strict;
use warnings;
use LF;
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
my $up = LF->mock(when => [ (map { [ $_ => { text => 'ok', hang => 1, until => $_ } ] } qw(ABREAST ALONE)), [ 'CROWDED' => { hang => 1 } ], [ 'BROKEN' => { status => 500 } ], [ 'HALF-SECOND' => { text => 'ok', delay => 0.6 } ] ],
    default => { text => 'Done.' });
my $api = LF->start(model => $up, timeout => 60, env => { LF_LLM_RETRY_MS => 5 }, config => "[queue.concurrency]\ncron_lane = 1\n[turn]\nmax_threads = 12\n");
sub agent {
    my ($prompt, $schedule, $top) = @_;
    (my $name = lc $prompt) =~ s/\W+/-/g;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\nschedule = $schedule\n" . ($top // '') . "[model]\nsystem_prompt = \"$prompt\"\n" }, 201)->{agent_id};
}
sub asked { my ($prompt) = @_; return [ grep { $_->{json}{messages}[0]{content} =~ /^\Q$prompt\E\b/ } @{ $up->chats } ] }
sub most { my ($for, @at) = @_; my $most = 0; for my $t (@at) { my $k = grep { $_ <= $t && $_ > $t - $for } @at; $most = $k if $k > $most } return $most }
my $second = '{ periodic = { cron = "* * * * * *" } }';

my ($abreast, $alone);
subtest 'session_mode and max_concurrent_invocations' => sub {
    $abreast = agent('ABREAST', '{ continuous = { check_interval_secs = 1 } }', "session_mode = \"new\"\nmax_concurrent_invocations = 2\n");
    $alone = agent('ALONE', '{ continuous = { check_interval_secs = 1 } }', "max_concurrent_invocations = 2\n");
    ok $api->wait_for(sub { @{ asked('ABREAST') } >= 2 && @{ asked('ALONE') } }), 'it acts';
};

subtest 'a lane of one' => sub {
    my @id = map { agent("LANE-$_ HALF-SECOND", $second) } 1 .. 3;
    $api->wait_for(sub { @{ asked('LANE-1') } && @{ asked('LANE-2') } && @{ asked('LANE-3') } });
    is most(0.5, map { $_->{at} } map { @{ asked("LANE-$_") } } 1 .. 3), 1, 'queue.concurrency.cron_lane = 1: one after the other, and each has its turn';
    like $api->raw('GET', '/api/metrics')->{content}, qr/^librefang_queue_wait_seconds_count\{lane="cron"\} [1-9]/m, 'how long they waited is told';
    $api->del("/api/agents/$_?confirm=true", 200) for @id;
};

subtest 'a provider that fails' => sub {
    my $id = agent('BROKEN', $second);
    ok $api->wait_for(sub { @{ asked('BROKEN') } >= 3 }), 'the next slot is tried all the same';
    like $api->log_text, qr/agent=$id what=tick err=\w+/, '  and the log says so';
    $api->del("/api/agents/$id?confirm=true", 200);
};

subtest 'session_mode and max_concurrent_invocations, seconds later' => sub {
    is scalar @{ asked('ABREAST') }, 2, 'twice at a time';
    is scalar @{ asked('ALONE') }, 1, '  who keeps one session, once';
    $up->let($_) for qw(ABREAST ALONE);
    ok $api->wait_for(sub { (grep { $_->{message_count} > 0 } @{ $api->get("/api/agents/$abreast/sessions", 200)->{sessions} }) >= 3 }), 'each time in a session of its own';
    $api->del("/api/agents/$_?confirm=true", 200) for $abreast, $alone;
};

subtest 'a store that takes nothing' => sub {
    my $id = agent('LOCKED', $second);
    ok $api->wait_for(sub { @{ asked('LOCKED') } >= 1 }), 'it acts';
    my $unlock = $api->lock_store or return plan skip_all => 'no tool to lock the store';
    sleep 1.5;
    my $before = @{ asked('LOCKED') };
    sleep 1.5;
    is scalar @{ asked('LOCKED') }, $before, 'what cannot be written is not begun';
    $unlock->();
    ok $api->wait_for(sub { @{ asked('LOCKED') } > $before + 1 }), 'afterwards it goes on';
    my %slots;
    $slots{$_}++ for map { $_->{content} =~ /due at (\S+?)\. / ? $1 : () } @{ $api->get("/api/agents/$id/session", 200)->{messages} };
    is_deeply [ grep { $slots{$_} > 1 } keys %slots ], [], '  once for each slot';
    $api->del("/api/agents/$id?confirm=true", 200);
};
subtest 'too many turns at once' => sub {
    my $id = agent('CROWDED', '"reactive"');
    my @s = map { $api->later("/api/agents/$id/message", { message => "n$_" }) } 1 .. 40;
    my $told = IO::Select->new(map { $_->socket } @s);
    $api->wait_for(sub { 28 <= (() = $told->can_read(0)) });
    my $tick = agent('PATIENT', $second);
    ok $api->wait_for(sub { @{ asked('PATIENT') } >= 1 }), 'who acts by itself still does';
    $api->post("/api/agents/$id/stop", {}, 200);
    $_->read_head for @s;
    my @full = grep { $_->status == 503 } @s;
    is scalar @full, 40 - 12, '[turn] max_threads: those beyond it are told so';
    is scalar(grep { ($_->headers->{'retry-after'} // '') !~ /^\d+$/ } @full), 0, '  and when to come again';
    like $full[0]->rest, qr/"code":"overloaded"/, '  and why';
};
$api->down;
done_testing;
