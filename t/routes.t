#!/usr/bin/perl
# One table, everything derived: the rows, the OpenAPI document, the endpoint
# reference, nginx's map of live rows and the list of LibreFang's endpoints say
# the same.
use strict;
use warnings;
use JSON::PP;
use LF;
use Test::More;

my $gen = LF::builddir() . '/lf-gen';
plan skip_all => 'lf-gen is not built here' unless -x $gen;

sub gen { my $out = qx('$gen' $_[0]); is $?, 0, "lf-gen $_[0] works"; return $out }

# {id*} is {id}, and the name of an argument does not matter
sub bare { my ($p) = @_; $p =~ s/\{[^}]*\}/{}/g; return $p }

my (@rows, %row);
for (split /\n/, gen('endpoints')) {
    my %r;
    @r{qw(verb path role cost runs)} = split /\t/;
    push @rows, \%r;
    ok !$row{"$r{verb} " . bare($r{path})}++, "$r{verb} $r{path} stands in the table once";
}
cmp_ok scalar(@rows), '>', 30, 'there are rows';

# Rows that LibreFang has not; and those that anybody may use to change something.
# of the contract, and not in the list of paths
my @templates = ('POST /api/templates', 'PUT /api/templates/{name}', 'DELETE /api/templates/{name}', 'GET /api/templates/{name}/history',
    'POST /api/templates/{name}/history/{version_id}/restore');
my $unlisted = 'GET /api/dashboard/snapshot';       # LibreFang has it, its list does not
my %ours = map { $_ => 1 } @templates, $unlisted, 'POST /api/auth/link', 'GET /api/users/{name}/groups', 'GET /api/vault', 'POST /api/vault/init', 'POST /api/vault/rotate-key', 'PUT /api/vault/{name}',
    'DELETE /api/vault/{name}', map {"$_ /api/models/overrides/{key*}"} qw(GET PUT DELETE);
my %for_all = map { $_ => 1 } 'POST /api/auth/link', 'POST /api/auth/dashboard-login', 'POST /auth/logout';

subtest 'a row is well formed' => sub {
    for my $r (@rows) {
        my $name = "$r->{verb} $r->{path}";
        like $r->{verb}, qr/^(?:GET|POST|PUT|PATCH|DELETE)$/, "$name has a verb";
        like $r->{path}, qr{^/(?:[a-z0-9_.\-]+|\{[a-z_]+\*?\})(?:/(?:[a-z0-9_.\-]+|\{[a-z_]+\*?\}))*$}, "$name has a path";
        unlike $r->{path}, qr/\*\}./, "$name takes the rest at its end only";
        like $r->{role}, qr/^(?:public|viewer|user|admin|owner)$/, "$name has a role";
        cmp_ok $r->{cost}, '>', 0, "$name costs something";
        isnt $r->{role}, 'public', "$name changes something and is not public" if $r->{verb} ne 'GET' && !$for_all{$name};
    }
};

subtest "LibreFang's endpoints" => sub {
    my (%known, %have, %all);
    for (split /\n/, LF::slurp(LF::srcdir() . '/t/endpoints.tsv')) {
        next if /^#/;
        my ($tier, undef, $group, $verb, $path) = split /\t/;
        $path =~ s/\s+$//;
        my $id = "$verb " . bare($path);
        $known{$id} = 1;
        $all{$tier}++;
        $have{$tier}++ if $row{$id};
    }
    cmp_ok scalar(keys %known), '>', 400, 'the list is whole';
    for my $r (@rows) {
        ok $known{ "$r->{verb} " . bare($r->{path}) } || $ours{"$r->{verb} $r->{path}"}, "$r->{verb} $r->{path} is one of them";
    }
    diag sprintf '%d of %d core and %d of %d later endpoints are served', $have{core} // 0, $all{core}, $have{later} // 0, $all{later};
};

my $doc = decode_json(gen('openapi'));

subtest 'the OpenAPI document has every row and no other' => sub {
    my (%op, %ids);
    for my $path (sort keys %{ $doc->{paths} }) {
        for my $verb (sort keys %{ $doc->{paths}{$path} }) {
            my $op = $doc->{paths}{$path}{$verb};
            $op{ uc($verb) . " $path" } = $op;
            ok !$ids{ $op->{operationId} // '' }++, "operationId $op->{operationId} is there once";
        }
    }
    for my $r (@rows) {
        (my $path = $r->{path}) =~ s/\*\}/}/g;
        my $op = delete $op{"$r->{verb} $path"};
        ok $op, "$r->{verb} $path is described" or next;
        my @named = $path =~ /\{(\w+)\}/g;
        is join(' ', map { $_->{name} } grep { $_->{in} eq 'path' && $_->{required} } @{ $op->{parameters} }), "@named",
            "$r->{verb} $path names its arguments";
        is ref $op->{security} && !@{ $op->{security} } ? 'public' : 'closed', $r->{role} eq 'public' ? 'public' : 'closed',
            "$r->{verb} $path says whether it needs a key";
        ok length($op->{summary} // '') > 5, "$r->{verb} $path says what it does";
        ok grep(/^(?:2\d\d|101)$/, keys %{ $op->{responses} }) == 1, "$r->{verb} $path has one success";
        my $v1 = $path =~ m{^/api/} ? delete $op{"$r->{verb} /api/v1" . substr $path, 4} : undef;
        is_deeply $v1->{responses}, $op->{responses}, 'and the same below /api/v1' if $v1;
    }
    is join(', ', sort keys %op), '', 'and nothing else';
};

subtest 'every reference in it leads somewhere' => sub {
    my $schema = LF::Schema->new($doc);
    my (%refs, @todo);
    @todo = ($doc);
    while (@todo) {
        my $x = shift @todo;
        if (ref $x eq 'HASH') { $refs{ $x->{'$ref'} } = 1 if defined $x->{'$ref'} && !ref $x->{'$ref'}; push @todo, values %$x }
        elsif (ref $x eq 'ARRAY') { push @todo, @$x }
    }
    ok $schema->deref($_), "$_ is there" for sort keys %refs;
    for my $name (sort keys %{ $doc->{components}{schemas} }) {
        ok $refs{"#/components/schemas/$name"}, "$name is used";
    }
};

subtest 'the reference has a chapter for every row' => sub {
    my $text = gen('reference');
    my %there = map { $_ => 1 } $text =~ /^### (\S+ \S+)$/mg;
    for my $r (@rows) { ok delete $there{"$r->{verb} $r->{path}"}, "$r->{verb} $r->{path} is explained" }
    is join(', ', sort keys %there), '', 'and nothing else';
    my $shipped = LF::builddir() . '/doc/endpoints.md';
    is LF::slurp($shipped), $text, 'the page that is shipped is this one' if -e $shipped;
    my $file = LF::builddir() . '/openapi.json';
    is_deeply decode_json(LF::slurp($file)), $doc, 'and so is the document' if -e $file;
};

# Some target that the row matches.
sub example {
    my ($path) = @_;
    $path =~ s/\{\w+\*\}/a\/b%2Fc/g;
    $path =~ s/\{\w+\}/x-1%20y/g;
    return $path;
}

subtest "nginx sends the daemon's rows to the daemon" => sub {
    plan skip_all => 'the programs are not built here' unless -x LF::builddir() . '/librefang' && -x LF::builddir() . '/librefangd';
    my $api = eval { LF->start } or do { fail 'the server starts'; diag $@; return };
    my ($file) = map { m{\Q$api->{home}\E} && /-c\0?\s*([^\0\s]+nginx\.conf)/ ? $1 : () }
        map { eval { LF::slurp($_) } // '' } glob '/proc/[0-9]*/cmdline';
    my ($map) = LF::slurp($file // '') =~ /map "\$request_method:\$request_uri" \$lf_live \{(.*?)\n\t\}/s;
    ok $map, 'there is a map of live rows' or return;
    my @re = map { qr/$_/ } $map =~ /^\s*"~(.*)" 1;$/mg;
    cmp_ok scalar(@re), '>', 0, 'with expressions';
    my $live = sub { my ($what) = @_; return scalar grep { $what =~ $_ } @re };
    my %longer = map { ("$_->{verb} " . example($_->{path}) =~ s{/[^/]*\z}{}r) => 1 } grep { $_->{runs} eq 'daemon' && $_->{path} =~ /\}\z/ } @rows;
    for my $r (@rows) {
        my $t = example($r->{path});
        my $want = $r->{runs} eq 'daemon';
        my $where = $want ? 'the daemon' : 'the pool';
        for my $verb ($r->{verb}, $r->{verb} eq 'GET' ? 'HEAD' : ()) {
            is !!$live->("$verb:$t"), $want, "$verb $t goes to $where";
            is !!$live->("$verb:$t?a=b/c&d=?"), $want, "$verb $t with a query too";
            next unless $want;
            ok !$live->("$verb:$t/more"), "$verb $t/more does not" if !$longer{"$r->{verb} $t"} && $r->{path} !~ /\*\}\z/;
            ok !$live->("X$verb:$t"), "nor another verb";
        }
        next unless $t =~ m{^/api/};
        (my $v1 = $t) =~ s{^/api/}{/api/v1/};
        is !!$live->("$r->{verb}:$v1"), $want, "$r->{verb} $v1 goes to $where" if $doc->{paths}{ '/api/v1' . substr($r->{path} =~ s/\*//r, 4) };
    }
};
done_testing;
