#!/usr/bin/perl
# Templates: every one that is part of the program makes an agent that answers; those of the home hide them, and are
# made, changed, put back and removed over the API.
use strict;
use warnings;
use LF;
use Test::More;

my $api = LF->start(files => { 'agent-types/broken.toml' => "name = \n", 'agent-types/older/agent.toml' => "name = \"older\"\ndescription = \"in a directory\"\n" });
my @shipped = map { m{([^/]+)\.toml$} } glob LF::srcdir() . '/share/agents/*.toml';
my %tool = map { $_->{name} => 1 } @{ $api->get('/api/tools', 200)->{tools} };

cmp_ok scalar @shipped, '>=', 30, scalar(@shipped) . ' templates are part of the program';
my $list = $api->get('/api/templates', 200);
my %row = map { $_->{name} => $_ } @{ $list->{templates} };
is_deeply [ map { $_->{name} } @{ $list->{templates} } ], [ sort @shipped, 'older' ], 'all are listed, sorted, without what is no manifest';
is $list->{total}, @shipped + 1, 'and counted';

my %said;
for my $name (@shipped) {
    subtest $name => sub {
        my $t = $api->get("/api/templates/$name", 200);
        is $t->{manifest}{name}, $name, 'has its own name';
        is "$t->{source} $row{$name}{source}", 'builtin builtin', 'is part of the program';
        cmp_ok length $t->{spec}{description}, '>', 20, 'says what it is';
        cmp_ok length $t->{spec}{system_prompt}, '>', 150, 'has instructions';
        push @{ $said{ substr $t->{spec}{system_prompt}, 0, 60 } }, $name;
        cmp_ok scalar @{ $t->{manifest}{tags} }, '>', 0, 'has tags';
        is "$row{$name}{provider} $row{$name}{model}", 'default default', 'takes whatever model there is';
        my @unknown = grep { my $g = quotemeta =~ s/\\\*/.*/gr; $_ ne 'web_*' && !grep {/^$g$/} keys %tool } @{ $t->{spec}{tools} };
        is_deeply \@unknown, [], 'names tools that there are';
        is $api->raw(GET => "/api/templates/$name/toml")->{content}, LF::slurp(LF::srcdir() . "/share/agents/$name.toml"), 'is the file';
        my $id = $api->post('/api/agents', { template => $name, name => "try-$name" }, 201)->{agent_id};
        my $a = $api->get("/api/agents/$id", 200);
        is $a->{source_template}, $name, 'makes an agent that knows it';
        like $api->post("/api/agents/$id/message", { message => 'what time is it?' }, 200)->{response}, qr/\d\d:\d\d/, 'which answers, and uses a tool';
        $api->del("/api/agents/$id?confirm=true", 200);
    };
}
is_deeply [ grep { @$_ > 1 } values %said ], [], 'no two have the same instructions';

subtest 'one of the home' => sub {
    my $t = $api->post('/api/templates', { name => 'greeter', description => 'Greets', system_prompt => 'Be short.', tools => ['file_read'] }, 201);
    is_deeply $t->{spec}, { name => 'greeter', description => 'Greets', system_prompt => 'Be short.', provider => 'default', model => 'default', tools => ['file_read'], skills => [] }, 'is made';
    is $t->{source}, 'agent-type', 'in the home';
    ok -f $api->home . '/agent-types/greeter.toml', 'as a file';
    $api->post('/api/templates', { name => $_ }, 409) for 'greeter', 'coder';
    is $api->post('/api/templates', $_, 400)->{code}, 'template_invalid_name', 'a bad name' for { name => '../x' }, { name => '' }, {};
    $api->post('/api/templates', { name => 'x', other => 1 }, 422);
    my $id = $api->post('/api/agents', { template => 'greeter', name => 'g1' }, 201)->{agent_id};
    is $api->get("/api/agents/$id", 200)->{system_prompt}, 'Be short.', 'agents can be made of it';
    $t = $api->put('/api/templates/greeter', { description => 'changed' }, 200);
    is "$t->{spec}{description} $t->{spec}{system_prompt}", 'changed Be short.', 'it is changed, and the rest stays';
    my $h = $api->get('/api/templates/greeter/history', 200)->{versions};
    is_deeply [ map { $_->{change_source} } @$h ], [ 'dashboard', 'create' ], 'what it was is remembered';
    $t = $api->post("/api/templates/greeter/history/$h->[1]{id}/restore", undef, 200);
    is $t->{spec}{description}, 'Greets', 'and put back';
    $api->post('/api/templates/greeter/history/x/restore', undef, 400);
    $api->post('/api/templates/greeter/history/999999/restore', undef, 404);
    is_deeply $api->del('/api/templates/greeter', 200), { deleted => JSON::PP::true(), name => 'greeter' }, 'and removed';
    $api->get('/api/templates/greeter', 404);
    $api->del('/api/templates/greeter', 404);
};

subtest 'one of the home hides one of ours' => sub {
    is $api->del('/api/templates/coder', 409)->{code}, 'template_builtin', 'ours cannot be removed';
    is $api->put('/api/templates/coder', { description => 'mine' }, 200)->{source}, 'agent-type', 'a change is a copy';
    my ($r) = grep { $_->{name} eq 'coder' } @{ $api->get('/api/templates', 200)->{templates} };
    is "$r->{description} $r->{source}", 'mine agent-type', 'which is listed instead';
    $api->del('/api/templates/coder', 200);
    is $api->get('/api/templates/coder', 200)->{source}, 'builtin', 'without it there is ours again';
};

subtest 'what is none' => sub {
    $api->get("/api/templates/$_", 404) for 'no-such-template', 'bad%20name', '..%2fx';
    $api->get('/api/templates/no-such-template/toml', 404);
    is $api->get('/api/templates/broken', 500)->{code}, 'invalid_template', 'a file that is no manifest';
    $api->put('/api/templates/no-such-template', { description => 'x' }, 404);
};

$api->finish;
done_testing;
