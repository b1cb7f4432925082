#!/usr/bin/perl
# What the configuration says of a window that fills: when old results become stubs or lines, how much of a result is shown, how much of all of
# them, and for how long they are kept.
use strict;
use warnings;
use File::Path ();
use JSON::PP ();
use LF;
use Test::More;

sub call { my ($id, $name, %args) = @_; return { id => $id, name => $name, arguments => \%args } }
my $up = LF->mock(when => [
        [ 'You shorten old results' => { text => "1: the first\n2: the second" } ],
        [ 'keep the memory of a conversation' => { text => 'Something was said.' } ],
        [ '"tool_call_id":"call_two' => { text => 'read two' } ],
        [ 'READ-TWO' => { tool_calls => [ map { call("call_two_$_", 'file_read', path => "two$_.txt") } 1, 2 ] } ],
        [ '"tool_call_id":"call_one' => { text => 'read one' } ],
        [ 'READ-ONE' => { tool_calls => [ call('call_one', 'file_read', path => 'one.txt') ] } ],
    ], default => { text => 'fine' });
my ($api, $n) = (undef, 0);

sub start { my ($config) = @_; $api = LF->start(model => $up, config => "[compaction]\nthreshold_messages = 1000\ntoken_threshold_ratio = 1.0\n$config"); return }
sub spawn {
    my ($window, %files) = @_;
    my $name = 'fill-' . ++$n;
    my $id = $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n[model]\ncontext_window = $window\n" }, 201)->{agent_id};
    my $dir = $api->home . "/workspaces/agents/$name";
    for my $f (keys %files) { open my $fh, '>', "$dir/$f" or die "$dir/$f: $!"; print $fh $files{$f}; close $fh or die $! }
    return $id;
}
sub say_to { my ($id, $text) = @_; local $LF::Level = 0; return $api->post("/api/agents/$id/message", { message => $text }, 200)->{response} }
sub with { my ($id, @m) = @_; my $s = $api->post("/api/agents/$id/sessions/import", { version => 1, messages => \@m }, 200)->{session_id}; $api->post("/api/agents/$id/sessions/$s/switch", undef, 200); return $s }
sub old {
    my ($k, $chars) = @_;
    return ({ role => 'user', content => "question $k" }, { role => 'assistant', content => [ { type => 'tool_use', id => "old$k", name => 'file_read', input => {} } ] },
        { role => 'user', content => [ { type => 'tool_result', tool_use_id => "old$k", content => "RESULT-$k " . 'word ' x ($chars / 5), is_error => JSON::PP::false } ] },
        { role => 'assistant', content => "answer $k" });
}
sub result { my ($id) = @_; my ($m) = grep { ($_->{tool_call_id} // '') eq $id } @{ $up->chats->[-1]{json}{messages} }; return $m->{content} }

subtest 'stubs' => sub {
    start("[gateway_compression]\nthreshold_ratio = 0.75\nmax_tool_result_chars = 400\nkeep_recent_messages = 6\n[tool_results]\nhistory_fold_after_turns = 100\n");
    my $id = spawn(8000);
    my $s = with($id, map { old($_, 3200) } 1 .. 6);
    my $before = @{ $up->chats };
    say_to($id, 'go on');
    is @{ $up->chats } - $before, 1, 'nobody is asked for a summary';
    is_deeply [ map { length(result("old$_")) <= 400 ? 'stub' : 'whole' } 1 .. 6 ], [qw(stub stub stub stub stub whole)], 'old results are cut short, those of the newest messages stay';
    like result('old1'), qr/^RESULT-1 .*left out/s, 'what they were can be seen';
    my @stored = map { length $_->{content} } grep { ref && $_->{type} eq 'tool_result' } map { ref $_->{content} ? @{ $_->{content} } : () } @{ $api->get("/api/sessions/$s", 200)->{messages} };
    is scalar(grep { $_ > 3200 } @stored), 6, 'the session keeps all of them';
    my $room = spawn(80000);
    with($room, map { old($_, 3200) } 1 .. 6);
    say_to($room, 'go on');
    is scalar(grep { length(result("old$_")) > 3200 } 1 .. 6), 6, 'where there is room nothing is cut';
    $api->finish;
};

subtest 'no stubs' => sub {
    start("[gateway_compression]\nenabled = false\n[tool_results]\nhistory_fold_after_turns = 100\n");
    my $id = spawn(8000);
    with($id, map { old($_, 3200) } 1 .. 6);
    say_to($id, 'go on');
    is scalar(grep { length(result("old$_")) > 400 } 1 .. 6), 6, 'when that is not wanted';
    $api->finish;
};

subtest 'results' => sub {
    start("[tool_results]\nspill_threshold_bytes = 4000\nmax_bytes_per_turn = 5000\nhistory_fold_after_turns = 2\nfold_min_batch_size = 2\nartifact_max_age_days = 1\n");
    my $id = spawn(80000, 'one.txt', 'a' x 4001);
    is say_to($id, 'READ-ONE'), 'read one', 'read';
    like result('call_one'), qr/^\[4001 bytes, too many to show\./, 'what is larger than the configuration wants is kept elsewhere';
    $id = spawn(80000, 'two1.txt', 'b' x 1000, 'two2.txt', 'c' x 3990);
    is say_to($id, 'READ-TWO'), 'read two', 'read';
    is result('call_two_1'), 'b' x 1000, 'what fits is shown';
    is result('call_two_2'), 'c' x 3990, 'as long as all fit together';
    $id = spawn(80000, 'two1.txt', 'b' x 2500, 'two2.txt', 'c' x 3500);
    say_to($id, 'READ-TWO');
    is result('call_two_1'), 'b' x 2500, 'when they do not';
    like substr(result('call_two_2'), 0, 80), qr/\A\[3500 bytes, too many to show/, 'the largest is not';
    $id = spawn(80000);
    with($id, map { old($_, 500) } 1 .. 4);
    say_to($id, 'go on');
    my @folded = grep { result("old$_") =~ /^\[history-fold\]/ } 1 .. 4;
    is_deeply \@folded, [ 1, 2, 3 ], 'results become a line when they are as old as the configuration says';
    my ($file) = glob $api->home . '/data/artifacts/*.bin';
    ok -e $file, 'an artifact is there';
    utime time - 90000, time - 90000, $file;
    my @young = grep { $_ ne $file } glob $api->home . '/data/artifacts/*.bin';
    $api->restart;
    ok !-e $file, 'and gone at the next start when it is old enough';
    is scalar(grep { -e } @young), scalar @young, 'others are not';
};

$api->finish;
done_testing;
