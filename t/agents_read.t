#!/usr/bin/perl
# Agents as lists and details show them: filters, order, pages, whose they
# are, and what is refused.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key');
my $api = LF->start(config => join '', map {
    my ($role) = $keys{$_} =~ /-(\w+)-key$/;
    qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n)
} sort keys %keys);

my %id;
for my $a ([ 'zebra', 'ursula', 'has stripes' ], [ 'Ada', 'ursula', 'counts' ], [ 'bea', 'someone', 'watches the ZEBRA' ]) {
    $id{ $a->[0] } = $api->post('/api/agents',
        { manifest_toml => "name = \"$a->[0]\"\nauthor = \"$a->[1]\"\ndescription = \"$a->[2]\"\ntags = [\"t\"]\n" }, 201)->{agent_id}
        or die "no agent can be made\n";
}
sub names { return join ' ', map { $_->{name} } @{ $_[0]{items} } }

subtest 'the list' => sub {
    my $l = $api->get('/api/agents', 200);
    is names($l), 'Ada assistant bea zebra', 'agents come by name, whatever the letter case';
    is $l->{total}, 4, 'with their number';
    is $l->{offset}, 0, 'from the first';
    my ($ada) = grep { $_->{name} eq 'Ada' } @{ $l->{items} };
    is $ada->{id}, $id{Ada}, 'each with its id';
    is $ada->{state}, 'Running', 'and state';
    is $ada->{mode}, 'full', 'and mode';
    is_deeply $ada->{tags}, ['t'], 'and tags';
};

subtest 'filters' => sub {
    is names($api->get('/api/agents?q=zebra', 200)), 'bea zebra', 'words of the name or description';
    is names($api->get('/api/agents?q=ZeBrA', 200)), 'bea zebra', 'in any letter case';
    is names($api->get('/api/agents?q=%25', 200)), '', 'a percent sign is only that';
    is names($api->get('/api/agents?q=_', 200)), '', 'an underscore too';
    is names($api->get('/api/agents?q=nothing%20like%20it', 200)), '', 'no match is an empty list';
    is names($api->get('/api/agents?owner=ursula', 200)), 'Ada zebra', 'the author';
    is $api->get('/api/agents?status=running', 200)->{total}, 4, 'the state';
    is $api->get('/api/agents?status=Suspended', 200)->{total}, 0, 'in which none is';
};

subtest 'order and pages' => sub {
    is names($api->get('/api/agents?order=desc', 200)), 'zebra bea assistant Ada', 'from the end';
    is names($api->get('/api/agents?sort=created_at', 200)), 'assistant zebra Ada bea', 'by age';
    is names($api->get('/api/agents?limit=2', 200)), 'Ada assistant', 'the first two';
    my $l = $api->get('/api/agents?limit=2&offset=3', 200);
    is names($l), 'zebra', 'the rest';
    is $l->{total}, 4, 'of all';
    is names($api->get('/api/agents?offset=100', 200)), '', 'beyond the end is nothing';
    $l = $api->get('/api/agents?limit=0', 200);
    is scalar(@{ $l->{items} }) . " of $l->{total}", '0 of 4', 'a page of none tells the number';
    is $api->get('/api/agents?limit=99999999', 200)->{limit}, 500, 'a limit has its limit';
    is names($api->get('/api/agents?order=sideways', 200)), 'Ada assistant bea zebra', 'an unknown order is that of the alphabet';
    like $api->get('/api/agents?sort=colour', 400)->{error}, qr/Invalid sort field 'colour'/, 'an unknown field is refused';
    $api->get("/api/agents?$_", 400) for qw(limit=x limit=-1 offset=-1 limit= offset=1.5 include_hands=maybe include_hands=1 q=%zz q=%ff);
};

subtest 'one agent' => sub {
    my $a = $api->get("/api/agents/$id{Ada}", 200);
    is $a->{name}, 'Ada', 'is shown';
    is $a->{description}, 'counts', 'with what its manifest says';
    is $api->get('/api/agents/' . uc $id{Ada}, 200)->{id}, $id{Ada}, 'an id may come in capitals';
    is $api->get("/api/v1/agents/$id{Ada}", 200)->{name}, 'Ada', 'and below /api/v1';
    my $e = $api->get('/api/agents/00000000-0000-4000-8000-000000000000', 404);
    is $e->{code}, 'agent_not_found', 'an unknown one is not found';
    is $e->{error}, 'Agent not found', 'which is said';
    for my $bad ('x', 'Ada', "$id{Ada}x", '%20', '..%2f..', 'a' x 5000) {
        is $api->get("/api/agents/$bad", 400)->{code}, 'invalid_agent_id', substr($bad, 0, 20) . ' is no id';
    }
    $api->get("/api/agents/$id{Ada}/nothing", 404);
};

subtest 'whose they are' => sub {
    my $as = { Authorization => "Bearer $keys{ursula}" };
    is names($api->get('/api/agents', 200, $as)), 'Ada zebra', 'a user sees their own';
    is names($api->get('/api/agents?owner=someone', 200, $as)), 'Ada zebra', 'whomever they ask for';
    is $api->get("/api/agents/$id{bea}", 404, $as)->{code}, 'agent_not_found', "others' do not exist for them";
    $api->get("/api/agents/$id{bea}/$_", 404, $as) for qw(session sessions);
    is $api->get("/api/agents/$id{Ada}", 200, $as)->{name}, 'Ada', 'their own do';
    my $vera = { Authorization => "Bearer $keys{vera}" };
    is names($api->get('/api/agents', 200, $vera)), '', 'who made none sees none';
    is $api->post('/api/agents', { template => 'coder' }, 403, $vera)->{error}, "Role 'viewer' is not allowed to access this endpoint",
        'and makes none';
    is $api->get('/api/agents', 200)->{total}, 4, 'nothing was made';
};

subtest 'its conversation' => sub {
    my $s = $api->get("/api/agents/$id{Ada}/session", 200);
    is ref $s->{messages}, 'ARRAY', 'has messages';
    my $l = $api->get("/api/agents/$id{Ada}/sessions", 200);
    is scalar(@{ $l->{sessions} }), 1, 'is its only one';
    is $api->get("/api/agents/$id{Ada}/session?session_id=x", 400)->{code}, 'invalid_session_id', 'a bad id is none';
    $api->get("/api/agents/$id{Ada}/session?session_id=00000000-0000-4000-8000-000000000000", 404);
};

refuses($api, GET => '/api/agents');
refuses($api, GET => "/api/agents/$id{Ada}");
refuses($api, GET => "/api/agents/$id{Ada}/session");
refuses($api, GET => "/api/agents/$id{Ada}/sessions");
done_testing;
