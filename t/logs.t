#!/usr/bin/perl
# What agents did: their entries in the audit log, whose chain nobody can change unseen; receipts; a session to be
# given away, without what is nobody's business; rows that lack what they need.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use LF;
use Test::More;

my $up = LF->mock(answers => [ { tool_calls => [ { name => 'file_list', arguments => { path => '.' }, id => 'c1' }, { name => 'file_read', arguments => { path => 'none' }, id => 'c2' } ] }, { text => 'done' } ]);
my $api = LF->start(model => $up);
my $ada = $api->post('/api/agents', { manifest_toml => "name = \"ada\"\n" }, 201)->{agent_id};
my ($db) = glob $api->home . '/data/*.db';
my ($sqlite) = grep { -x } map {"$_/sqlite3"} split /:/, $ENV{PATH};
sub rows { open my $p, '-|', $sqlite, '-separator', "\t", $db, $_[0] or die; my @r = map { chomp; [ split /\t/, $_, -1 ] } <$p>; close $p; return @r }

subtest 'the log of an agent' => sub {
    my $s = $api->post("/api/agents/$ada/message", { message => 'list it' }, 200);
    my $l = $api->get("/api/agents/$ada/logs", 200);
    is_deeply [ map {"$_->{action} $_->{outcome}"} @{ $l->{logs} } ], [ 'AgentMessage ok', 'ToolInvoke error: error', 'ToolInvoke ok', 'AgentSpawn ok' ], 'newest first';
    is $l->{logs}[1]{detail}, 'file_read', 'which tool it was';
    is $l->{count}, 4, 'how many they are';
    like $l->{logs}[0]{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+00:00$/, 'when';
    is scalar @{ $api->get("/api/agents/$ada/logs?n=1&offset=1", 200)->{logs} }, 1, 'a part of them';
    is scalar @{ $api->get("/api/agents/$ada/logs?level=OK", 200)->{logs} }, 3, 'those of one outcome';
    is $api->get("/api/agents/$ada/logs?n=x&offset=-1", 200)->{count}, 4, 'what is no number counts for nothing';
    $api->get('/api/agents/00000000-0000-4000-8000-000000000000/logs', 404);
    $api->put("/api/agents/$ada/model", { provider => 'openai', model => 'gone' }, 200);
    my $one = $api->post('/api/agents', { manifest_toml => "name = \"short\"\n" }, 201)->{agent_id};
    $api->del("/api/agents/$one?confirm=true", 200);
    SKIP: {
        skip 'sqlite3 is not installed', 1 unless $sqlite;
        is_deeply [ map { $_->[0] } rows("SELECT action FROM audit_entries WHERE agent_id = '$one' ORDER BY seq") ], [ 'AgentSpawn', 'AgentKill' ], 'what was done to an agent outlives it';
    }
};

subtest 'the chain' => sub {
    plan skip_all => 'sqlite3 is not installed' unless $sqlite;
    my ($prev, $n, @bad) = ('0' x 64, 0);
    for my $r (rows('SELECT seq, timestamp, agent_id, action, detail, outcome, user_id, channel, prev_hash, hash FROM audit_entries ORDER BY seq')) {
        my ($seq, $ts, $agent, $action, $detail, $outcome, $user, $channel, $before, $hash) = @$r;
        my $text = join '', map {"\x1f$_"} "seq=$seq", "timestamp=$ts", "agent_id=$agent", "action=$action", "detail=$detail", "outcome=$outcome",
            (length $user ? 'user_id=' . pack('H*', $user =~ tr/-//dr) : ()), (length $channel ? "channel=$channel" : ()), "prev_hash=$before";
        push @bad, $seq if $seq != $n++ || $before ne $prev || sha256_hex($text) ne $hash;
        $prev = $hash;
    }
    is_deeply \@bad, [], "each of $n entries has the hash that the contract says, and that of the one before";
    cmp_ok $n, '>', 6, 'there are some';
};

subtest 'the log of all' => sub {
    my $all = $api->get('/api/audit/recent', 200);
    is_deeply [ map { $_->{seq} } @{ $all->{items} } ], [ 0 .. $all->{total} - 1 ], 'from the first to the last';
    is_deeply $all->{entries}, $all->{items}, 'under both of its names';
    is $all->{items}[-1]{hash}, $all->{tip_hash}, 'with the hash of the last';
    for my $q (qw(n=2 limit=2 n=2&limit=9)) {
        my $two = $api->get("/api/audit/recent?$q", 200);
        is_deeply [ $two->{items}, $two->{limit} ], [ [ @{ $all->{items} }[ -2, -1 ] ], 2 ], "$q: the last ones";
    }
    is $api->get("/api/audit/recent?n=$_", 200)->{limit}, 50, "n=$_ counts for nothing" for 'x', '', '-1';
    is $api->get('/api/audit/recent?n=99999', 200)->{limit}, 1000, 'there is a limit';
    is_deeply $api->get('/api/audit/recent?n=0', 200)->{items}, [], 'none';
    my $v = $api->get('/api/audit/verify', 200);
    is_deeply [ @$v{qw(valid status entries chain_length first_entry last_entry tip_hash)} ],
        [ JSON::PP::true(), 'valid', ($all->{total}) x 2, 0, $all->{total} - 1, $all->{tip_hash} ], 'it is whole';
    my $key = $api->post('/api/users', { name => 'vic', role => 'user' }, 201) && $api->post('/api/users/vic/rotate-key', undef, 200)->{new_api_key};
    $api->get("/api/audit/$_", 403, { Authorization => "Bearer $key" }) for qw(recent verify);
    SKIP: {
        skip 'sqlite3 is not installed', 2 unless $sqlite;
        system $sqlite, $db, "UPDATE audit_entries SET detail = 'another' WHERE seq = 1";
        $v = $api->get('/api/audit/verify', 200);
        is_deeply [ @$v{qw(valid status)} ], [ JSON::PP::false(), 'invalid' ], 'an entry that was changed is found';
        like $v->{error}, qr/\bseq 1\b/, '  and named';
    }
};

subtest 'a session to be given away' => sub {
    my $key = 'sk-' . 'abcdefghijklmnopqrstuvwx1234567890';
    my $new = $api->post("/api/agents/$ada/sessions/import", { version => 1, label => 'my notes', messages => [
        { role => 'user', content => "my key is $key, password = hunter22 and Bearer abcdefgh12345678; mail me at a\@b.c" },
        { role => 'assistant', content => [ { type => 'tool_use', id => 'x', name => 'shell', input => { api_key => 'abc', path => $api->home . '/workspaces/agents/ada/data/x.txt', n => 5 } } ] },
        { role => 'user', content => [ { type => 'tool_result', tool_use_id => 'x', content => 'in ' . $api->home . "/config.toml\n-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----\nend", is_error => JSON::PP::false() },
            { type => 'image', media_type => 'image/png', data => 'iVBORw0KGgoAAAAN' } ] },
    ] }, 200)->{session_id};
    my $t = $api->get("/api/agents/$ada/sessions/$new/trajectory", 200);
    is $t->{metadata}{message_count}, 3, 'says what it is';
    is $t->{metadata}{session_label}, 'my notes', 'and how it was called';
    my $all = $LF::JSON->encode($t->{messages});
    unlike $all, qr/\Q$key\E|hunter22|abcdefgh12345678|MIIabc|"abc"/, 'without credentials';
    unlike $all, qr/\Q@{[ $api->home ]}\E/, 'without places';
    like $all, qr{<workspace>/data/x\.txt}, 'paths begin at the workspace';
    like $all, qr{in <home>/config\.toml\\n\[REDACTED\]\\nend}, 'or at the home';
    like $all, qr/mail me at a\@b\.c/, 'all else stays';
    is_deeply $t->{messages}[2]{content}[1], { type => 'image', media_type => 'image/png', data_bytes => 12 }, 'of a picture its size';
    is $t->{messages}[1]{content}[0]{input}{n}, 5, 'numbers are as they were';
    my $r = $api->raw(GET => "/api/agents/$ada/sessions/$new/trajectory?format=jsonl");
    is $r->{headers}{'content-type'}, 'application/x-ndjson', 'as lines';
    is $r->{headers}{'content-disposition'}, qq(attachment; filename="trajectory-$new.jsonl"), 'as a file';
    my @l = map { $LF::JSON->decode($_) } split /\n/, $r->{content};
    is_deeply [ map { $_->{kind} . ($_->{index} // '') } @l ], [ 'metadata', 'message0', 'message1', 'message2' ], 'the same, line by line';
    is_deeply [ map { $_->{message} } @l[ 1 .. 3 ] ], $t->{messages}, 'word for word';
    $api->get("/api/agents/$ada/sessions/$new/trajectory?format=xml", 400);
    $api->get("/api/agents/$ada/sessions/00000000-0000-4000-8000-000000000000/trajectory", 404);
};

subtest 'what is not there yet says so' => sub {
    is_deeply $api->get('/api/agents/ada/deliveries', 200), { agent_id => $ada, count => 0, receipts => [] }, 'no receipts, by name';
    $api->get('/api/agents/nobody/deliveries', 404);
    is $api->post("/api/agents/$ada/push", { channel => 'x', recipient => 'y', message => 'z' }, 404)->{code}, 'channel_not_found', 'no channel';
    $api->post("/api/agents/$ada/push", { channel => '', recipient => 'y', message => 'z' }, 400);
    is $api->patch("/api/agents/$ada/hand-runtime-config", { model => 'x' }, 400)->{message}, 'agent is not managed by a hand', 'no hand';
    $api->del("/api/agents/$ada/hand-runtime-config", 400);
};

$api->finish;
done_testing;
