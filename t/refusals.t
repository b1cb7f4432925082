#!/usr/bin/perl
# What the table promises, turned round: of every row each member of its body and each
# parameter of its query with a wrong type, each required one left out, ids that are none or
# of nobody. All of it is refused in the standard shape, and afterwards nothing has changed.
use strict;
use warnings;
use LF;
use Test::More;

my $api = LF->start;
my $doc = $api->get('/api/openapi.json', 200);
my $ada = $api->post('/api/agents', { manifest_toml => "name = \"ada\"\n" }, 201)->{agent_id};
my $session = $api->get("/api/agents/$ada/session", 200)->{session_id};
my $NOBODY = '99999999-9999-4999-8999-999999999999';
my $KV = "/api/memory/agents/$ada/kv";
$api->put("$KV/kept", { value => 1 }, 200);

# What must stay as it is.
sub state_now {
    my @all = map { $api->raw('GET', $_)->{content} } '/api/agents', '/api/budget/providers', "/api/agents/$ada", "/api/agents/$ada/sessions", "/api/agents/$ada/session", $KV;
    s/"(?:last_active|uptime_seconds)":[^,}]*//g for @all;
    return join "\n", @all;
}

sub schema { my ($s) = @_; return $s && $s->{'$ref'} ? $doc->{components}{schemas}{ $s->{'$ref'} =~ s{.*/}{}r } : $s }

# A value that is of none of the types; undef: there is none.
sub wrong {
    my ($s) = @_;
    $s = schema($s);
    return if $s->{anyOf} || $s->{oneOf} || $s->{allOf} || !$s->{type};
    my %is = map { $_ => 1 } ref $s->{type} ? @{ $s->{type} } : $s->{type};
    return !$is{string} && !$is{array} ? 'neither' : !$is{object} && !$is{array} ? { no => [] } : !$is{string} ? 'text' : $is{integer} || $is{number} ? undef : 12;
}

my %fits = (string => 'x', integer => 1, number => 1, boolean => JSON::PP::true(), array => [], object => {});
sub sample { my ($s) = @_; $s = schema($s); my $t = ref $s->{type} ? $s->{type}[0] : $s->{type} // 'string'; return $s->{enum} ? $s->{enum}[0] : $fits{$t} }

sub place {
    my ($path, %by) = @_;
    my %in = (id => $path =~ m{/models/} ? 'gpt-4o' : $path =~ m{^/api/(?:v1/)?sessions/} ? $session : $ada, session_id => $session, key => 'kept',
        filename => 'SOUL.md', label => 'none', file_id => '99999999-9999-4999-8999-999999999999',
        name => $path =~ /tools/ ? 'file_read' : $path =~ /templates/ ? 'coder' : 'openai', version_id => 1, %by);
    return $path =~ s/\{(\w+)\*?\}/$in{$1} \/\/ 'x'/ger;
}

sub refused {
    my ($name, $verb, $path, $body, @status) = @_;
    my $r = $api->raw($verb, $path, { defined $body ? (headers => { 'Content-Type' => 'application/json' }, content => $body) : () });
    my %right = map { $_ => 1 } @status;
    my @f = $right{ $r->{status} } ? LF::error_faults($r, $r->{headers}{'x-request-id'} // '') : "status $r->{status}, not " . join ' or ', @status;
    is "@f", '', $name or diag "$verb $path ", substr($body // '', 0, 200), "\n", substr $r->{content} // '', 0, 300;
    return;
}

sub body_schema { my ($op) = @_; return schema($op->{requestBody}{content}{'application/json'}{schema}) }

# The least that a body must have.
sub base_of {
    my ($op) = @_;
    my $s = body_schema($op) or return {};
    return { map { ($_ => $_ eq 'mode' ? 'full' : sample($s->{properties}{$_})) } @{ $s->{required} // [] } };
}

sub body_of {
    my ($verb, $path, $op) = @_;
    my $s = body_schema($op) or return;
    my $all = $s->{properties} or return;
    my %base = %{ base_of($op) };
    for my $member (sort keys %$all) {
        my $bad = wrong($all->{$member});
        refused("$member of a wrong type", $verb, $path, $LF::JSON->encode({ %base, $member => $bad }), 400, 422) if defined $bad;
    }
    for my $member (@{ $s->{required} // [] }) {
        my %less = %base;
        delete $less{$member};
        refused("without $member", $verb, $path, $LF::JSON->encode(\%less), 400, 422);
    }
    refused("$_ instead of an object", $verb, $path, $_, 400, 422) for '[1]', '"text"', '5', 'true';
    return;
}

sub query_of {
    my ($verb, $path, $op) = @_;
    for my $p (grep { $_->{in} eq 'query' } @{ $op->{parameters} // [] }) {
        my $t = schema($p->{schema})->{type} // 'string';
        refused("?$p->{name} of a wrong type", $verb, "$path?$p->{name}=neither", undef, 400, 422) if $t =~ /^(?:integer|number|boolean)$/;
    }
    return;
}

my $rows = 0;
for my $path (sort keys %{ $doc->{paths} }) {
    for my $verb (sort grep { /^(?:get|put|post|patch|delete)$/ } keys %{ $doc->{paths}{$path} }) {
        my $op = $doc->{paths}{$path}{$verb};
        $rows++;
        subtest uc($verb) . " $path" => sub {
            my $before = state_now();
            my $VERB = uc $verb;
            my $is_agent = $path =~ m{/agents/\{id\}};
            if ($is_agent && $path !~ m{/ws$}) {
                my $content = $op->{requestBody} ? $LF::JSON->encode(base_of($op)) : undef;
                refused('an id that is none', $VERB, place($path, id => 'not-an-id'), $content, $path =~ m{/by-label/|/deliveries$} ? 404 : 400);     # or a name
                refused('an id of nobody', $VERB, place($path, id => $NOBODY) , $content, 404)
                    if "$verb $path" !~ m{/memory/agents/|/stop$|^delete /api/(?:v1/)?agents/\{id\}$};   # these are content when there is nobody
            }
            if ($path =~ m{/sessions/\{id\}}) {
                my $content = $op->{requestBody} ? $LF::JSON->encode({ model_override => undef }) : undef;
                refused('an id that is none', $VERB, place($path, id => 'not-an-id'), $content, 400);
                refused('an id of nobody', $VERB, place($path, id => $NOBODY), $content, 404) if $verb ne 'delete';
            }
            body_of($VERB, place($path), $op);
            query_of($VERB, place($path), $op);
            is state_now(), $before, 'nothing has changed';
        };
    }
}
cmp_ok $rows, '>=', 40, "$rows rows were asked";
done_testing;
