#!/usr/bin/perl
# Key/value memory of agents: what is stored comes back byte for byte, and what
# is refused changes nothing.
use strict;
use warnings;
use JSON::PP ();
use LF;
use LF::Refuse;
use Test::More;

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key', alma => 'alma-admin-key');
my $api = LF->start(config => join '', map {
    my ($role) = $keys{$_} =~ /-(\w+)-key$/;
    qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n)
} sort keys %keys);
my $id   = '11111111-2222-4333-8444-555555555555';     # the agent need not exist
my $kv   = "/api/memory/agents/$id/kv";
my $null = JSON::PP::null;

subtest 'a value goes in and comes out' => sub {
    is_deeply $api->put("$kv/colour", { value => 'blue' }, 200), { status => 'stored', key => 'colour' }, 'it is stored';
    is_deeply $api->get("$kv/colour", 200), { key => 'colour', value => 'blue' }, 'and read';
    $api->put("$kv/colour", { value => { deep => [ 1, { x => undef } ] } }, 200);
    is_deeply $api->get("$kv/colour", 200)->{value}, { deep => [ 1, { x => undef } ] }, 'another takes its place';
    $api->put("$kv/whole", [ 1, 2 ], 200);
    is_deeply $api->get("$kv/whole", 200)->{value}, [ 1, 2 ], 'a body without the member value is the value';
    $api->put("$kv/none", '{"value":null}', 200);
    is $api->get("$kv/none", 200)->{value}, undef, 'null is a value';
    $api->put("$kv/text", '"just a text"', 200);
    is $api->get("$kv/text", 200)->{value}, 'just a text', 'so is a bare text';
    $api->put("$kv/more", '{"value":1,"other":2}', 200);
    is $api->get("$kv/more", 200)->{value}, 1, 'the member value wins';
};

subtest 'numbers stay as they were written' => sub {
    for my $n (qw(1.50 0.1 1e5 -0 12345678901234567890123 9007199254740993 1E-7 0.7)) {
        $api->put("$kv/n", "{\"value\":$n}", 200);
        $api->get("$kv/n", 200);
        like $api->last->{content}, qr/"value":\Q$n\E[,}]/, "as $n";
    }
    $api->put("$kv/s", "{ \"value\" : \"a\\u0000\\n\xc3\xa4\\ud83d\\ude00\" }", 200);
    is $api->get("$kv/s", 200)->{value}, "a\0\n\xe4\x{1f600}", 'and texts mean the same';
};

subtest 'all values of an agent' => sub {
    my $other = '/api/memory/agents/99999999-2222-4333-8444-555555555555/kv';
    is_deeply $api->get($other, 200), { kv_pairs => [] }, 'there may be none';
    $api->put("$other/$_", { value => $_ }, 200) for qw(b c a);
    is_deeply $api->get($other, 200), { kv_pairs => [ map { { key => $_, value => $_ } } qw(a b c) ] }, 'they come in order';
};

subtest 'keys' => sub {
    my %key = ('a%2Fb%20c' => 'a/b c', '%F0%9F%98%80' => "\x{1f600}", 'a+b' => 'a+b', '%2e%2e%2e' => '...', 'x' x 3000 => 'x' x 3000,
        '%25' => '%', q(it's"quoted") =~ s/"/%22/gr => q(it's"quoted"), '%5Cn' => '\\n', 'a;b=c' => 'a;b=c');
    for my $k (sort keys %key) {
        is $api->put("$kv/$k", { value => $k }, 200)->{key}, $key{$k}, substr($k, 0, 20) . ' is a key';
        is $api->get("$kv/$k", 200)->{key}, $key{$k}, 'and found again';
    }
    $api->get("$kv/", 404);
    $api->put("$kv/", { value => 1 }, 404);
    $api->get("$kv/%ff", 400);
    $api->put("$kv/%c0%af", { value => 1 }, 400);
    $api->get("$kv/a/b", 404);
    my $r = $api->raw('PUT', "$kv/a%00b", { headers => { 'Content-Type' => 'application/json' }, content => '{"value":1}' });
    ok $r->{status} == 200 || $r->{status} == 400, 'a NUL in a key is stored or refused';
};

subtest 'ids' => sub {
    my $up = uc $id;
    (my $plain = $id) =~ tr/-//d;
    is $api->get("/api/memory/agents/$_/kv/text", 200)->{value}, 'just a text', "$_ is the same agent" for $up, $plain;
    for my $bad ('x', 'nobody', substr($id, 1), "${id}0", '%20') {
        my $e = $api->get("/api/memory/agents/$bad/kv/text", 400);
        is $e->{code}, 'invalid_agent_id', "'$bad' is no id";
        $api->get("/api/memory/agents/$bad/kv", 400);
        $api->put("/api/memory/agents/$bad/kv/text", { value => 1 }, 400);
        $api->del("/api/memory/agents/$bad/kv/text", 400);
    }
};

subtest 'what is not there' => sub {
    my $e = $api->get("$kv/nothing", 404);
    is $e->{error}, "Key 'nothing' not found", 'is said by name';
    $api->del("$kv/nothing", 204);
    $api->put("$kv/gone", { value => 1 }, 200);
    $api->del("$kv/gone", 204);
    $api->get("$kv/gone", 404);
    $api->del("$kv/gone", 204);
};

subtest 'size' => sub {
    $api->put("$kv/big", '"' . 'x' x (262144 - 2) . '"', 200);
    is length $api->get("$kv/big", 200)->{value}, 262142, 'a value of 262144 bytes is stored';
    $api->put("$kv/big", '"' . 'y' x (262144 - 1) . '"', 413);
    like $api->get("$kv/big", 200)->{value}, qr/^x+$/, 'one byte more is refused, and the old one stays';
    $api->put("$kv/big", '{"value":"' . 'y' x 262144 . '"}', 413);
    $api->put("$kv/pad", '{"value":' . ' ' x 300000 . '1}', 200);
    is $api->get("$kv/pad", 200)->{value}, 1, 'blanks do not count';
    my $many = join ',', map {"\"k$_\":$_"} 1 .. 15000;
    $api->put("$kv/many", "{\"value\":{$many}}", 200);
    is scalar(keys %{ $api->get("$kv/many", 200)->{value} }), 15000, 'fifteen thousand members are one value';
    $api->put("$kv/deep", deep(32), 200);
};

subtest 'a refused value changes nothing' => sub {
    $api->put("$kv/kept", { value => 'kept' }, 200);
    for my $bad ('{"value":', '', "\"\xff\"", '{"value":1,"value":2}', deep(40), '[1,]', 'nul') {
        $api->put("$kv/kept", $bad, 400);
    }
    $api->put("$kv/kept", '{"value":1}', 415, { 'Content-Type' => 'text/plain' });
    is $api->get("$kv/kept", 200)->{value}, 'kept', 'after all that it is as it was';
};

subtest 'who may' => sub {
    my $mine = $api->post('/api/agents', { manifest_toml => "name = \"kv-mine\"\nauthor = \"Ursula\"\n" }, 201)->{agent_id}
        or return;
    my $path = "/api/memory/agents/$mine/kv/x";
    $api->put($path, { value => 7 }, 200);
    my $as = sub { return { Authorization => "Bearer $keys{$_[0]}" } };
    is $api->get($path, 200, $as->('ursula'))->{value}, 7, 'a user reads what their own agent keeps';
    $api->get($path, 404, $as->('vera'));
    $api->get("$kv/text", 404, $as->('ursula'));
    $api->get($kv, 404, $as->('vera'));
    is $api->get("$kv/text", 200, $as->('alma'))->{value}, 'just a text', 'an admin reads everything';
    for my $who (qw(vera ursula)) {
        is $api->put($path, { value => 8 }, 403, $as->($who))->{code}, 'forbidden', "$who may not write";
        $api->del($path, 403, $as->($who));
    }
    is $api->get($path, 200)->{value}, 7, 'and nothing was written';
    $api->put($path, { value => 9 }, 200, $as->('alma'));
    is $api->get($path, 200)->{value}, 9, 'an admin may';
};

subtest 'shared by all agents' => sub {
    my $all = '/api/memory/agents/00000000-0000-0000-0000-000000000001/kv';
    my $one = $api->post('/api/agents', { manifest_toml => 'name = "kv-one"' }, 201)->{agent_id};
    $api->put("$all/motto", { value => 'together' }, 200);
    $api->get("/api/memory/agents/$one/kv/motto", 404);
    $api->del("/api/agents/$one?confirm=true", 200);
    is $api->get("$all/motto", 200)->{value}, 'together', 'is what no agent owns, and none takes along';
    $api->get("$all/motto", 404, { Authorization => "Bearer $keys{ursula}" });
};

subtest 'who speaks has what they said' => sub {
    my $agent = $api->post('/api/agents', { manifest_toml => 'name = "kv-heard"' }, 201)->{agent_id};
    my $says = sub { my ($who, $tool, $in) = @_; return $api->post("/api/agents/$agent/message", { message => "run $tool " . $LF::JSON->encode($in), $who ? (sender_id => $who, channel_type => "chat of $who") : () }, 200)->{response} };
    my %car = ('tg:7' => 'red', tg => 'blue', '' => 'green');
    $says->($_, 'memory_store', { key => 'car', value => $car{$_} }) for sort keys %car;
    like $says->($_, 'memory_recall', { key => 'car' }), qr/\b$car{$_}\b/, "to '$_'" for sort keys %car;
    like $says->($_, 'memory_list', {}), qr/car\n\(1 keys in all\)/, '  and that alone' for sort keys %car;
    my %kept = map { $_->{key} => $_->{value} } @{ $api->get("/api/memory/agents/$agent/kv", 200)->{kv_pairs} };
    is_deeply \%kept, { 'peer:tg%3A7:car' => 'red', 'peer:tg:car' => 'blue', car => 'green' }, 'who looks after the agent sees all of it';
    $api->post("/api/agents/$agent/session/reset", undef, 200);
    my @ended = sort map { $_->{key} =~ /^(.*)session_\d/ ? $1 : () } @{ $api->get("/api/memory/agents/$agent/kv", 200)->{kv_pairs} };
    is_deeply \@ended, [ '', 'peer:tg%3A7:', 'peer:tg:' ], 'what a session leaves is theirs, too';
};

subtest 'a body in chunks' => sub {
    my ($s) = $api->wire("PUT $kv/chunked HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " . $api->key
        . "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        . "6\r\n{\"valu\r\n7\r\ne\":\"x\"}\r\n0\r\n\r\n");
    is $s, 200, 'is a body';
    is $api->get("$kv/chunked", 200)->{value}, 'x', 'as it was meant';
};

refuses($api, GET => $kv);
refuses($api, GET => "$kv/text");
refuses($api, PUT => "$kv/text", body => { value => 1 });
refuses($api, DELETE => "$kv/text");

subtest 'a restart' => sub {
    $api->put("$kv/lasting", { value => 'still' }, 200);
    $api->restart;
    is $api->get("$kv/lasting", 200)->{value}, 'still', 'forgets nothing';
};
done_testing;
