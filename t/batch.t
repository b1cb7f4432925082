#!/usr/bin/perl
# Batches of tool calls: side by side when that is allowed, with results in the order of the calls; what fails, what is
# refused and what goes round in circles, and how a turn ends that does nothing else, with a reason that the user can read.
use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes ();

# A page that takes its time, and says its own path.
my $dir = File::Temp->newdir('lf-batch-XXXXXXXX', TMPDIR => 1);
my $web = IO::Socket::INET->new(Listen => 32, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', ReuseAddr => 1) or die $!;
sub inside { open my $fh, '>>', "$dir/inside" or die $!; syswrite $fh, $_[0]; return }
sub most_inside { my ($n, $most) = (0, 0); for (split //, LF::slurp("$dir/inside")) { $n += $_ eq '+' ? 1 : -1; $most = $n if $n > $most } unlink "$dir/inside"; return $most }
my $server = fork // die $!;
if (!$server) {
    local $SIG{CHLD} = 'IGNORE';
    while (my $c = $web->accept) {
        next if fork;
        my $line = <$c>;
        my ($path) = $line =~ m{ /(\S*) };
        1 while ($line = <$c>) =~ /\S/;
        inside('+');
        Time::HiRes::sleep(0.4);
        inside('-');
        print $c "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " . length($path) . "\r\nConnection: close\r\n\r\n$path";
        POSIX::_exit(0);
    }
    POSIX::_exit(0);
}
END { if ($server) { local $?; kill 'KILL', $server; waitpid $server, 0 } }
my $url = 'http://127.0.0.1:' . $web->sockport;
my $gone = do { my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp'); 'http://127.0.0.1:' . $s->sockport };

my $k = 0;
sub call { my ($name, %args) = @_; return { id => 'call_' . ++$k, name => $name, arguments => \%args } }
sub tools { return { tool_calls => [@_] } }
my $again = tools({ id => 'call_same', name => 'system_time', arguments => {} });
my $up = LF->mock(when => [
        [ 'and now?' => { text => 'fine' } ],
        [ qr/"tool_call_id":"call_p6"/ => { text => 'all six' } ],
        [ 'SIDE-BY-SIDE' => tools(map { { id => "call_p$_", name => 'web_fetch', arguments => { url => "$url/page$_" } } } 1 .. 6) ],
        [ qr/"tool_call_id":"call_w4"/ => { text => 'written' } ],
        [ 'WRITE-FOUR' => tools(map { { id => "call_w$_", name => 'file_write', arguments => { path => $_ < 4 ? "f$_.txt" : 'f1.txt', content => "text $_" } } } 1 .. 4) ],
        [ 'DEAD-HOST' => tools({ id => 'call_dead', name => 'web_fetch', arguments => { url => "$gone/" } }, { id => 'call_after', name => 'system_time', arguments => {} }) ],
        [ qr/NO-SUCH.*call_soft.*call_soft.*call_soft.*call_soft/s => { text => 'I give up' } ],
        [ 'NO-SUCH' => tools({ id => 'call_soft', name => 'memory_recall', arguments => {} }) ],
        [ qr/^(?!.*"tools":).*ROUND-AND-ROUND/s => { text => 'I stop' } ],
        [ 'ROUND-AND-ROUND' => $again ],
        [ qr/"tool_call_id":"call_t7"/ => { text => 'as many as I may' } ],
        [ qr/AFTER-A-RESTART/ => tools({ id => 'call_t7', name => 'memory_recall', arguments => { key => 'k7' } }) ],
        [ qr/"tool_call_id":"call_t6"/ => { text => 'as many as I may' } ],
        [ qr/THEN-ONE-MORE/ => tools({ id => 'call_t6', name => 'memory_recall', arguments => { key => 'k6' } }) ],
        [ 'TOO-FAST' => tools(map { { id => "call_t$_", name => 'memory_store', arguments => { key => "fast$_", value => "v$_" } } } 1 .. 6) ],
        [ 'FAR-TOO-MANY' => tools(map { { id => "call_m$_", name => 'memory_recall', arguments => { key => "k$_" } } } 1 .. 40) ],
    ], default => { text => 'fine' });
my ($api, $n) = (undef, 0);

sub serve { $api = LF->start(model => $up, config => "[web.fetch]\nssrf_allowed_hosts = [\"127.0.0.1\"]\n" . ($_[0] // '')); return }
sub spawn {
    my ($more) = @_;
    my $name = 'batch-' . ++$n;
    return ($api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($more // '') }, 201)->{agent_id}, $name);
}
sub say_to { my ($id, $text, $status) = @_; local $LF::Level = 0; return $api->post("/api/agents/$id/message", { message => $text }, $status // 200) }
sub chats { return @{ $up->chats } }
sub results { my ($chat) = @_; return map { $_->{content} } grep { $_->{role} eq 'tool' } @{ $chat->{json}{messages} } }

subtest 'one after the other' => sub {
    serve();
    my ($id) = spawn();
    is say_to($id, 'SIDE-BY-SIDE')->{response}, 'all six', 'answered';
    is most_inside(), 1, 'no two pages are fetched at a time';
    is scalar(grep { /page(\d)/ } results((chats())[-1])), 6, 'all are there';
};

subtest 'what fails' => sub {
    my ($id) = spawn();
    my $before = chats();
    my $r = say_to($id, 'DEAD-HOST', 500);
    is $r->{code}, 'repeated_tool_failures', 'three times nothing but failures end the turn';
    like $r->{error}, qr/failed 3 times in a row/, 'and the user is told';
    is chats() - $before, 3, 'after three questions';
    my @r = results((chats())[-1]);
    like $r[0], qr/\n\n\[That failed\. Do not repeat it unchanged/, 'the model was told what to do about it';
    like $r[1], qr/^Skipped: an earlier call/, 'and what was not done';
    my ($soft) = spawn();
    is say_to($soft, 'NO-SUCH')->{response}, 'I give up', 'wrong parameters may be mended as often as it takes';
    like((results((chats())[-1]))[0], qr/\[Read what was wrong, mend the parameters/, 'and the model is told to');
};

subtest 'round and round' => sub {
    my ($id) = spawn();
    my $before = chats();
    is say_to($id, 'ROUND-AND-ROUND')->{response}, 'I stop', 'it ends';
    my @new = (chats())[ $before .. chats() - 1 ];
    is scalar(grep { !$_->{json}{tools} } @new), 1, 'the tools were withheld once';
    ok !$new[-1]{json}{tools}, 'in the last question';
    my @r = results($new[-1]);
    like $r[-1], qr/^Blocked: /, 'after it was refused';
    like $r[-2], qr/^Blocked: /, 'twice';
    ok scalar(grep { /Warning: / } @r), 'and warned before';
    for ([ 1, 1 ], [ 4, 4 ]) {
        my ($after, $blocked) = @$_;
        ($id) = spawn("[autonomous]\nblock_stall_degrade_after = $after\n");
        is say_to($id, 'ROUND-AND-ROUND')->{response}, 'I stop', "it may end after $after";
        is scalar(grep { /^Blocked: / } results((chats())[-1])), $blocked, '... that were refused';
    }
    ($id) = spawn("[autonomous]\nblock_stall_degrade_after = 0\nmax_iterations = 9\n");
    $before = chats();
    is say_to($id, 'ROUND-AND-ROUND', 500)->{code}, 'max_iterations', 'or go on';
    is scalar(grep { !$_->{json}{tools} } (chats())[ $before .. chats() - 1 ]), 0, 'always with its tools';
};

subtest 'faster than the manifest allows' => sub {
    my ($id) = spawn("[resources]\nmax_tool_calls_per_minute = 4\n");
    is say_to($id, 'TOO-FAST')->{response}, 'as many as I may', 'the turn goes on';
    my @r = results((chats())[-1]);
    is scalar(grep { !/tool_rate_limited/ } @r), 4, 'with as many calls as it may make';
    like $r[5], qr/^Refused \(tool_rate_limited\): this agent has called its max_tool_calls_per_minute of 4 tools within the last minute\. The next call is possible in \d+ s\.$/,
        'the model learns why the others were not, and for how long';
    my %kv = map { $_->{key} => 1 } @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} };
    is_deeply [ grep { $kv{"fast$_"} } 1 .. 6 ], [ 1 .. 4 ], 'nothing was done beyond it';
    is say_to($id, 'THEN-ONE-MORE')->{response}, 'as many as I may', 'the next turn is in the same minute';
    like((results((chats())[-1]))[-1], qr/tool_rate_limited/, 'and is told so');
    my ($other) = spawn("[resources]\nmax_tool_calls_per_minute = 0\n");
    is say_to($other, 'TOO-FAST')->{response}, 'as many as I may', 'no limit';
    is scalar(grep {/tool_rate_limited/} results((chats())[-1])), 0, 'refuses none';
};

subtest 'far too many' => sub {
    my ($id) = spawn("[autonomous]\nmax_iterations = 20\n");
    my $r = say_to($id, 'FAR-TOO-MANY', 500);
    is $r->{code}, 'circuit_break', 'the breaker ends the turn';
    like $r->{error}, qr/stopped after 30 tool calls/, 'with a reason';
    my @m = @{ $api->get("/api/agents/$id/session", 200)->{messages} };
    is scalar(grep { defined $_->{result} } map { @{ $_->{tools} // [] } } @m), 40, 'every call has its answer';
    is say_to($id, 'and now?')->{response}, 'fine', 'the next turn is as any other';
    my %seen = map { $_ => 1 } $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_tool_call_total\{.*?(outcome="\w+",failure_type="\w+")\} [1-9]/mg;
    is_deeply [ sort keys %seen ], [ (map {"outcome=\"failure\",failure_type=\"$_\""} qw(blocked circuit_break hard_error)), 'outcome="success",failure_type="none"' ], 'metrics tell how calls ended';
    %seen = map { $_ => 1 } $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_agent_loop_exits_total\{.*?reason="(\w+)"\} [1-9]/mg;
    is_deeply [ sort keys %seen ], [qw(circuit_break completed max_iterations repeated_tool_failures)], 'and turns';
};

subtest 'a restart is no way around the pace' => sub {
    my ($id) = spawn("[resources]\nmax_tool_calls_per_minute = 4\n");
    my $since = time;
    is say_to($id, 'TOO-FAST')->{response}, 'as many as I may', 'four calls';
    $api->restart;
    is say_to($id, 'AFTER-A-RESTART')->{response}, 'as many as I may', 'then the server is another one';
    SKIP: {
        skip 'the minute is over', 1 if time - $since > 58;
        like((results((chats())[-1]))[-1], qr/tool_rate_limited/, 'and knows of them');
    }
};
$api->finish;

subtest 'side by side' => sub {
    serve("[parallel_tools]\nenabled = true\nmax_concurrent = 6\n");
    my ($id, $name) = spawn();
    is say_to($id, 'SIDE-BY-SIDE')->{response}, 'all six', 'answered';
    cmp_ok most_inside(), '>', 1, 'several pages are fetched at a time';
    is join(' ', map { /(page\d)/ } results((chats())[-1])), 'page1 page2 page3 page4 page5 page6', 'in the order of the calls';
    ($id, $name) = spawn();
    is say_to($id, 'WRITE-FOUR')->{response}, 'written', 'writes too';
    is LF::slurp($api->home . "/workspaces/agents/$name/f1.txt"), 'text 4', 'but never two of one file';
    is LF::slurp($api->home . "/workspaces/agents/$name/f3.txt"), 'text 3', 'all of them';
    ($id) = spawn();
    is say_to($id, 'NO-SUCH')->{response}, 'I give up', 'a single one is as ever';
};
$api->finish;
done_testing;
