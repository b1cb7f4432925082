#!/usr/bin/perl
# What was said is found again: at once, by whom it concerns, and no longer than it is there.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;
use Digest::SHA qw(sha256_hex);

my $up = LF->mock(default => { text => 'a "plain" answer about zebrafinches' });
my $api = LF->start(model => $up, config => qq([compaction]\nthreshold_messages = 1000\n[[users]]\nname = "ursula"\nrole = "user"\napi_key_hash = "\$sha256\$)
    . sha256_hex('ursula-key') . qq("\n));
my $as = { Authorization => 'Bearer ursula-key' };

sub spawn { my ($name, $more) = @_; return $api->post('/api/agents', { manifest_toml => qq(name = "$name"\n) . ($more // '') }, 201)->{agent_id} }
sub say_to { my ($id, $text) = @_; return $api->post("/api/agents/$id/message", { message => $text }, 200) }
sub found { my ($q, @as) = @_; return $api->get("/api/sessions/search?q=$q", 200, @as) }
sub where { return map { $_->{agent_id} } @{ found(@_)->{items} } }

my $ada = spawn('ada');
my $bea = spawn('bea', "author = \"ursula\"\n");

subtest 'as soon as the answer is out' => sub {
    say_to($ada, "Please remember the quokkafish\nand its \\ tail, \x{fc}ber alles");
    my $p = found('quokkafish');
    is scalar @{ $p->{items} }, 1, 'one session';
    my ($hit) = @{ $p->{items} };
    is $hit->{agent_id}, $ada, 'of the agent';
    is $hit->{session_id}, $api->get("/api/agents/$ada", 200)->{session_id}, 'its own';
    like $hit->{snippet}, qr/remember the quokkafish\nand its \\ tail/, 'with what stands around it';
    cmp_ok $hit->{rank}, '<', 0, 'and a rank';
    is $hit->{active}, JSON::PP::false, 'no turn runs';
    is_deeply [ @$p{qw(total offset limit)} ], [ 1, 0, 50 ], 'a page';
    is_deeply [ where('zebrafinches') ], [$ada], 'by what the agent said';
    is_deeply [ where('UBER') ], [$ada], 'whatever the case, with or without marks';
    is_deeply [ where('%22the+quokkafish%22') ], [$ada], 'by a phrase';
    is_deeply [ where('quokka*') ], [$ada], 'by a beginning';
};

subtest 'each session once, the best first' => sub {
    say_to($bea, 'a quokkafish in a very long sentence with many other words that make it less of one than the others are') for 1 .. 2;
    say_to($ada, 'quokkafish');
    is_deeply [ where('quokkafish') ], [ $ada, $bea ], 'the one that says little else';
    my $p = found('quokkafish&limit=1');
    is_deeply [ scalar @{ $p->{items} }, $p->{total} ], [ 1, 2 ], 'one a page: there is another';
    is_deeply [ where('quokkafish&limit=1&offset=1') ], [$bea], 'on the next';
    is_deeply [ where("quokkafish&agent_id=$bea") ], [$bea], 'of one agent';
    is_deeply [ where('quokkafish', $as) ], [$bea], 'a user finds those of their agents';
};

subtest 'nothing' => sub {
    is_deeply found($_)->{items}, [], "$_" for 'wordthatisnowhere', '%22', 'AND', 'what%27s', 'content:', 'quokkafish&agent_id=nobody',
        'quokkafish&agent_id=00000000-0000-4000-8000-000000000000';
    is_deeply [ @{ found('wordthatisnowhere') }{qw(total limit)} ], [ 0, 50 ], 'no hit, no error';
    like $api->get("/api/sessions/search$_", 400)->{error}, qr/missing or empty 'q'/, "$_ is refused" for '', '?q=', '?q=%20%20', '?limit=3';
    $api->get("/api/sessions/search?q=x&$_=x", 400) for qw(limit offset);
    $api->get('/api/sessions/search?q=x', 401, { Authorization => 'Bearer nobody' });
};

subtest 'what has gone is not found' => sub {
    my $s = $api->get("/api/agents/$ada", 200)->{session_id};
    $api->del("/api/sessions/$s", 204);
    is_deeply [ where('quokkafish') ], [$bea], 'a session that was deleted';
    say_to($ada, 'another quokkafish');
    is_deeply [ sort(where('quokkafish')) ], [ sort $ada, $bea ], 'the one that took its place is';
    is_deeply [ where('tail') ], [], 'without what was said before';
    $api->del("/api/agents/$bea?confirm=true", 200);
    is_deeply [ where('quokkafish') ], [$ada], 'nor an agent that was';
};

subtest 'a store that is locked' => sub {
    say_to($ada, 'the last quokkafish of all');
    my $open = $api->lock_store or plan skip_all => 'no python3';
    is_deeply [ where('quokkafish') ], [$ada], 'finds what is in the index';
    $open->();
    is_deeply [ where('last') ], [$ada], 'and the rest afterwards';
};

done_testing;
