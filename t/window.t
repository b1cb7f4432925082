#!/usr/bin/perl
# A conversation fits its model's window: large results are kept elsewhere and read in parts, long sessions grow
# shorter by themselves, old results become a line each. What was asked last always reaches the model, a summary that
# cannot be had costs nothing but itself, and the questions for summaries are few.
use strict;
use warnings;
use Digest::SHA ();
use File::Path ();
use JSON::PP ();
use LF;
use Test::More;

sub call { my ($id, $name, %args) = @_; return { id => $id, name => $name, arguments => \%args } }
my $big = join '', map { sprintf "line %05d of the file\n", $_ } 1 .. 2000;
my $handle = 'sha256:' . Digest::SHA::sha256_hex($big);
my $up = LF->mock(when => [
        [ qr/keep the memory of a conversation.*POISON/s => { status => 400, body => { error => { message => 'no' } } } ],
        [ 'keep the memory of a conversation' => { text => 'They talked about cheese.' } ],
        [ 'You shorten old results' => { text => "1: the first was x\n2: so was the second\n3: third\n4: fourth\n5: fifth" } ],
        [ qr/bytes 30000 to 30064 of 46000/ => { text => 'read it' } ],
        [ qr/READ-BIG.*They are kept as sha256/s => { tool_calls => [ call('call_part', 'read_artifact', handle => $handle, offset => 30000, length => 65) ] } ],
        [ '"tool_call_id":"call_many_4' => { text => 'read four' } ],
        [ 'READ-MANY' => { tool_calls => [ map { call("call_many_$_", 'file_read', path => "many$_.txt") } 1 .. 4 ] } ],
        [ qr/READ-ONLY.*"tool_call_id":"call_big"/s => { text => 'seen' } ],
        [ qr/READ-BIG|READ-ONLY/ => { tool_calls => [ call('call_big', 'file_read', path => 'big.txt') ] } ],
    ], default => { text => 'fine' });
my $api = LF->start(model => $up);
my $n = 0;

sub spawn {
    my ($more) = @_;
    my $name = 'window-' . ++$n;
    return ($api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') }, 201)->{agent_id}, $name);
}
sub file {
    my ($agent, $name, $text) = @_;
    my $dir = $api->home . "/workspaces/agents/$agent";
    File::Path::make_path($dir);
    open my $fh, '>', "$dir/$name" or die "$dir/$name: $!";
    print $fh $text;
    close $fh or die $!;
    return;
}
sub with {
    my ($id, @messages) = @_;
    my $s = $api->post("/api/agents/$id/sessions/import", { version => 1, messages => \@messages }, 200)->{session_id};
    $api->post("/api/agents/$id/sessions/$s/switch", undef, 200);
    return $s;
}
sub talk { return map { ({ role => 'user', content => "question $_" }, { role => 'assistant', content => "answer $_" }) } $_[0] .. $_[1] }
sub session { return $api->get("/api/agents/$_[0]/session", 200) }
sub chats { return @{ $up->chats } }
sub result { my ($chat, $id) = @_; my ($m) = grep { ($_->{tool_call_id} // '') eq $id } @{ $chat->{json}{messages} }; return $m->{content} }
sub say_to { my ($id, $text) = @_; local $LF::Level = 0; return $api->post("/api/agents/$id/message", { message => $text }, 200)->{response} }
sub phases {
    my ($id, $text) = @_;
    my $s = $api->stream("/api/agents/$id/message/stream", { message => $text });
    my @e = $s->all;
    is $e[-1]{event}, 'done', 'the stream ends well';
    return grep { defined } map { $_->{json}{phase} } grep { $_->{event} eq 'phase' } @e;
}

subtest 'a large result' => sub {
    my ($id, $name) = spawn();
    file($name, 'big.txt', $big);
    is say_to($id, 'READ-ONLY this'), 'seen', 'answered';
    my $shown = result((chats())[-1], 'call_big');
    like $shown, qr/^\[46000 bytes, too many to show\. They are kept as (sha256:[0-9a-f]{64}): .*\]\nline 00001/s, 'a handle stands for it, and how it begins';
    cmp_ok length $shown, '<', 1300, 'that is all';
    like $shown, qr/\Q$handle\E:/, 'of these bytes';
    my ($file) = glob $api->home . '/data/artifacts/*.bin';
    is -s $file, 46000, 'it is kept whole';
    is((stat $file)[2] & 07777, 0600, 'for nobody else');
    my $r = (grep { $_->{role} eq 'Assistant' } @{ session($id)->{messages} })[0];
    like $r->{tools}[0]{result}, qr/^\[46000 bytes/, 'the session holds no more' or diag explain $r;
    ($id, $name) = spawn();
    file($name, 'big.txt', $big);
    is say_to($id, 'READ-BIG now'), 'read it', 'a part of it can be read';
    like result((chats())[-1], 'call_part'), qr/^[a-z0-9 \n]+\n\[bytes 30000 to 30064 of 46000; go on from there\]\z/, 'that part alone';
};

subtest 'nobody can read it in parts' => sub {
    my ($id, $name) = spawn("[capabilities]\ntools = [\"file_read\"]\n");
    file($name, 'big.txt', $big);
    say_to($id, 'READ-ONLY this');
    my $shown = result((chats())[-1], 'call_big');
    like $shown, qr/^line 00001 .*left out\]\nline .*line 02000 of the file\n\z/s, 'beginning and end are shown';
    cmp_ok length $shown, '<=', 16384, 'of the size that is no longer large';
};

subtest 'many at once' => sub {
    my ($id, $name) = spawn("[model]\ncontext_window = 200000\n");
    file($name, "many$_.txt", "$_" x (10500 + 1000 * $_)) for 1 .. 4;
    is say_to($id, 'READ-MANY'), 'read four', 'answered';
    my $chat = (chats())[-1];
    is_deeply [ map { length result($chat, "call_many_$_") } 1, 2, 3 ], [ 11500, 12500, 13500 ], 'those that fit are shown';
    like substr(result($chat, 'call_many_4'), 0, 100), qr/^\[14500 bytes/, 'the largest is kept elsewhere';
};

for my $way ('message', 'message/stream') {
    subtest "a long session grows shorter before a $way" => sub {
        my ($id) = spawn();
        with($id, talk(1, 16));
        my $before = chats();
        if ($way eq 'message') { is say_to($id, 'and now?'), 'fine', 'answered' }
        else { phases($id, 'and now?') }
        my @new = (chats())[ $before .. chats() - 1 ];
        is @new, 2, 'one summary, one answer';
        like $new[0]{body}, qr/question 1\\nAssistant: answer 1\\n/, 'the model was shown what goes';
        my @m = @{ $new[1]{json}{messages} };
        like $new[1]{body}, qr/They talked about cheese\./, 'and has it in short';
        is $m[-1]{content}, 'and now?', 'with the question';
        my $s = session($id);
        is $s->{compacted_summary}, 'They talked about cheese.', 'for good';
        cmp_ok $s->{message_count}, '<=', 14, 'the newest stay';
        is $s->{messages}[-1]{content}, 'fine', 'and the answer is the last';
        is((map { $_->{content} } grep { $_->{content} eq 'and now?' } @{ $s->{messages} }), 1, 'what was asked is there once');
        say_to($id, 'more');
        is chats() - $before, 3, 'the next turn needs none';
    };
}

subtest 'a summary that cannot be had' => sub {
    my ($id) = spawn();
    with($id, { role => 'user', content => 'POISON' }, { role => 'assistant', content => 'x' }, talk(1, 16));
    my $before = chats();
    is say_to($id, 'go on'), 'fine', 'the turn goes on';
    is chats() - $before, 2, 'after one try';
    is session($id)->{message_count}, 36, 'nothing is lost';
    is say_to($id, 'and on'), 'fine', 'the next one';
    is chats() - $before, 3, 'does not try again at once';
};

subtest 'few messages, but long ones' => sub {
    my $long = sub { my ($ratio) = @_; my ($id) = spawn("tools_disabled = true\n[model]\ncontext_window = 8000\n[compaction]\ntoken_threshold_ratio = $ratio\n");
        $api->post("/api/agents/$id/message", { message => "cheese $_ " . 'milk ' x 330 }, 200) for 1 .. 9;
        return $api->get("/api/agents/$id/session", 200)->{compacted_summary} };
    is $long->(0.3), 'They talked about cheese.', 'more than compaction.token_threshold_ratio of the window: the session grows shorter too';
    is $long->(0.9), undef, 'less: it does not';
};

subtest 'pinned words stay' => sub {
    my ($id) = spawn();
    with($id, { role => 'user', content => 'PINNED-1', pinned => JSON::PP::true }, { role => 'assistant', content => 'yes' }, talk(1, 16));
    say_to($id, 'go on');
    is session($id)->{messages}[0]{content}, 'PINNED-1', 'in front';
    like((chats())[-1]{body}, qr/PINNED-1/, 'and the model sees them');
};

subtest 'a window that is full' => sub {
    my ($id) = spawn("[model]\ncontext_window = 6000\n");
    with($id, map { ({ role => 'user', content => "long $_ " . 'word ' x 300 }, { role => 'assistant', content => "yes $_ " . 'word ' x 300 }) } 1 .. 12);
    my $before = chats();
    my @phases = phases($id, 'THE-QUESTION');
    ok scalar(grep { $_ eq 'context_warning' } @phases), 'the watcher is warned' or diag "@phases";
    my @new = (chats())[ $before .. chats() - 1 ];
    cmp_ok @new, '<=', 11, 'few questions for summaries';
    is $new[-1]{json}{messages}[-1]{content}, 'THE-QUESTION', 'what was asked reaches the model';
    cmp_ok length($new[-1]{body}), '<', 24000, 'and it fits';
    is session($id)->{messages}[-1]{content}, 'fine', 'answered';
};

subtest 'a window that is nearly full' => sub {
    # Summaries cannot be had, so the oldest goes: what stays fills no more than seven tenths, though ten messages would have fitted.
    my ($id) = spawn("[model]\ncontext_window = 8000\n[compaction]\nthreshold_messages = 1000\n");
    with($id, { role => 'user', content => 'POISON' }, { role => 'assistant', content => 'x' },
        map { ({ role => 'user', content => "ask $_ " . 'word ' x 400 }, { role => 'assistant', content => "yes $_ " . 'word ' x 400 }) } 1 .. 8);
    say_to($id, 'THE-LAST');
    my @m = map { $_->{content} } @{ (chats())[-1]{json}{messages} };
    is $m[-1], 'THE-LAST', 'the question is there';
    is scalar(grep {/^\[The beginning of this conversation was left out/} @m), 1, 'the model is told that something is missing';
    is scalar(grep {/^(?:ask|yes) 8 /} @m), 2, 'the newest is there';
    is scalar(grep {/^(?:ask|yes) [1-6] /} @m), 0, 'the oldest is not';
};

subtest 'less of a window' => sub {
    my $full = sub {
        my ($id) = spawn("[model]\ncontext_window = 8000\n[compaction]\nthreshold_messages = 1000\ntoken_threshold_ratio = $_[0]\n");
        my $s = with($id, map { ({ role => 'user', content => "ask $_ " . 'word ' x 300 }, { role => 'assistant', content => "yes $_ " . 'word ' x 300 }) } 1 .. 6);
        my $before = chats();
        say_to($id, 'go on');
        return chats() - $before;
    };
    is $full->('0.9'), 1, 'as long as there is room nobody is asked for a summary';
    cmp_ok $full->('0.4'), '>', 1, 'unless the manifest wants less of it filled';
};

subtest 'old results become a line each' => sub {
    my ($id) = spawn();
    my @m = ({ role => 'user', content => 'do five things' });
    for my $k (1 .. 5) {
        push @m, { role => 'assistant', content => [ { type => 'tool_use', id => "old$k", name => 'file_read', input => {} } ] },
            { role => 'user', content => [ { type => 'tool_result', tool_use_id => "old$k", content => "RESULT-$k " . 'y' x 600, is_error => JSON::PP::false } ] };
    }
    my $s = with($id, @m, { role => 'assistant', content => 'done' }, talk(1, 7));
    my $before = chats();
    is say_to($id, 'go on'), 'fine', 'answered';
    my @new = (chats())[ $before .. chats() - 1 ];
    is @new, 2, 'one question for all of them';
    is_deeply [ @{ $new[0]{json} }{qw(max_tokens temperature)} ], [ 640, 0.3 ], 'that asks for a line each, and no more';
    unlike $new[0]{body}, qr/y{500}/, 'and shows how they begin';
    is result($new[1], 'old1'), '[history-fold] the first was x', 'the model sees the line';
    is result($new[1], 'old5'), '[history-fold] fifth', 'of each';
    my @stored = map { @{ $_->{content} } } grep { ref $_->{content} } @{ $api->get("/api/sessions/$s", 200)->{messages} };
    is((grep { ($_->{content} // '') =~ /^\[history-fold\]/ } @stored) >= 5, 1, 'and the session keeps it');
    say_to($id, 'again');
    is chats() - $before, 3, 'once';
};

$api->finish;
done_testing;
