#!/usr/bin/perl
# What agents remember, in the hands of people: lists, searches, figures; another text, forgetting, merging; given away and taken in.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my $api = LF->start;
my $A = 'a0000000-0000-4000-8000-000000000001';
my $NOBODY = '99999999-9999-4999-8999-999999999999';
my $M = '/api/memory';

sub item { my ($content, %more) = @_; return { content => $content, level => 'User', category => 'preference', confidence => 0.9, created_at => '2026-01-01T00:00:00Z', updated_at => undef, metadata => {}, %more } }
sub import_ { my ($id, @items) = @_; return $api->post("$M/agents/$id/import", \@items, 200)->{imported} }
sub texts { return [ map { $_->{content} } @{ $_[0]{memories} } ] }

subtest 'taken in and listed' => sub {
    is import_($A, item('Prefers tabs'), item('Works on the harbour', level => 'agent', category => ''), item('Ship it on Friday', level => 'odd', category => 'project_context', confidence => 0.5, created_at => '2026-02-01T00:00:00Z')), 3, 'three';
    is import_($A, item('prefers  TABS')), 0, 'what is there already is passed over';
    my $l = $api->get("$M/agents/$A", 200);
    is_deeply texts($l), [ 'Ship it on Friday', 'Works on the harbour', 'Prefers tabs' ], 'the newest first';
    is_deeply [ @{ $l->{memories}[0] }{qw(level category confidence scope source)} ], [ 'session', 'project_context', 0.5, 'session_memory', 'system' ], 'with what is known of each';
    is_deeply texts($api->get("$M?level=agent", 200)), ['Works on the harbour'], 'of one level';
    is_deeply texts($api->get("$M?category=preference&limit=1", 200)), ['Prefers tabs'], 'of one category';
    is_deeply [ @{ $api->get("$M/agents/$A?limit=1&offset=1", 200) }{qw(total offset limit)} ], [ 3, 1, 1 ], 'page by page';
    is_deeply texts($api->get("$M/user/$A", 200)), ['Prefers tabs'], 'what is known of a user';
    is $api->get("$M/agents/$A/count?level=user", 200)->{count}, 1, 'counted';
    my $s = $api->get("$M/stats", 200);
    is_deeply [ @$s{qw(total user_count session_count agent_count)}, $s->{by_agent}{$A}, $s->{categories}{preference} ], [ 3, 1, 1, 1, 3, 1 ], 'figures';
    is $api->get("$M/agents/$NOBODY/stats", 200)->{total}, 0, 'of nobody there are none';
};

subtest 'searched' => sub {
    is_deeply texts($api->get("$M/search?q=TABS", 200)), ['Prefers tabs'], 'by a part of the text';
    is_deeply texts($api->get("$M/search?q=%25", 200)), [], 'which is taken as it stands';
    is $api->get("$M/agents/$A/search?q=tabs", 200)->{memories}[0]{access_count}, 1, 'and it counts as used';
};

subtest 'another text' => sub {
    my $id = $api->get("$M/user/$A", 200)->{memories}[0]{id};
    $api->put("$M/items/$id", { content => 'Prefers spaces' }, 200);
    $api->put("$M/items/$id", { content => 'Prefers both' }, 200);
    is_deeply [ map { $_->{content} } @{ $api->get("$M/items/$id/history", 200)->{versions} } ], [ 'Prefers spaces', 'Prefers tabs' ], 'what it was before';
    is_deeply texts($api->get("$M/search?q=both", 200)), ['Prefers both'], 'it is found by the new one';
    $api->put("$M/items/$id", { content => '  ' }, 400);
    $api->put("$M/items/$NOBODY", { content => 'x' }, 404);
    $api->put("$M/items/none", { content => 'x' }, 400);
    $api->get("$M/items/$NOBODY/history", 404);
};

subtest 'merged, exported, faded' => sub {
    my $B = 'b0000000-0000-4000-8000-000000000001';
    import_($B, item('The window opens on Tuesday at nine', created_at => '2026-01-01T00:00:00Z'), item('The window opens on Tuesday', created_at => '2026-01-02T00:00:00Z'), item('Something else'));
    my $d = $api->get("$M/agents/$B/duplicates", 200);
    is_deeply [ $d->{duplicate_groups}, scalar @{ $d->{groups}[0] } ], [ 1, 2 ], 'two say the same';
    is $api->post("$M/agents/$B/consolidate", undef, 200)->{merged_count}, 1, 'one goes';
    my $x = $api->get("$M/agents/$B/export", 200);
    is_deeply [ map { $_->{content} } @{ $x->{memories} } ], [ 'The window opens on Tuesday', 'Something else' ], 'the newest stays';
    is $api->post("$M/agents/$NOBODY/import", { memories => $x->{memories} }, 200)->{imported}, 2, 'a whole export is taken in as well';
    $api->post("$M/agents/$NOBODY/import", { no => 1 }, 422);
    ok $api->post("$M/decay", undef, 200)->{decayed}, 'faded';
    is $api->get("$M/agents/$B", 200)->{memories}[0]{confidence}, 0.9, 'but not what was of use today';
    is $api->post("$M/cleanup", undef, 200)->{deleted_count}, 1, 'an old one of a session goes';
};

subtest 'forgotten' => sub {
    my ($one) = map { $_->{id} } @{ $api->get("$M/agents/$NOBODY", 200)->{memories} };
    is_deeply $api->post("$M/bulk-delete", { ids => [ $one, $NOBODY, 'none', 7 ] }, 200), { deleted => 1, failed => 2, total => 3 }, 'several at once';
    $api->post("$M/bulk-delete", {}, 400);
    $api->del("$M/items/$one", 404);
    $api->del("$M/agents/$NOBODY/level/USER_memory", 204);
    is $api->get("$M/agents/$NOBODY/count", 200)->{count}, 0, 'a level';
    $api->del("$M/agents/$NOBODY/level/odd", 400);
    my $id = $api->get("$M/agents/$A", 200)->{memories}[0]{id};
    $api->del("$M/items/$id", 204);
    $api->del("$M/agents/$A", 204);
    is $api->get("$M/agents/$A", 200)->{total}, 0, 'and all of an agent';
};

subtest 'who may' => sub {
    $api->finish;
    $api = LF->start(config => join '', map { qq([[users]]\nname = "$_"\nrole = "@{[ $_ eq 'zoe' ? 'user' : 'admin' ]}"\napi_key_hash = "@{[ sha256_hash($_) ]}"\n)
        . ($_ eq 'eve' ? qq([users.memory_access]\nreadable_namespaces = ["kv:*"]\n) : '') } qw(zoe ada eve));
    my $as = sub { my ($who, $path) = @_; return $api->raw('GET', $path, { headers => { Authorization => "Bearer $who" } })->{status} };
    is_deeply [ map { $as->($_, $M) } qw(zoe ada eve) ], [ 403, 200, 403 ], 'admins, unless their entry says otherwise';
};

$api->finish;
done_testing;
