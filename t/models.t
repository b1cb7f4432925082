#!/usr/bin/perl
# The catalog: models, their short names, providers, tools.
use strict;
use warnings;
use JSON::PP;
use LF;
use LF::Refuse;
use Test::More;

my $api = LF->start;
my $share = LF::srcdir() . '/share';
my $all = $api->get('/api/models', 200);

subtest 'models' => sub {
    cmp_ok $all->{total}, '>', 200, 'many are known';
    is scalar(@{ $all->{models} }), $all->{total}, 'and listed';
    my ($offline) = grep { $_->{provider} eq 'offline' } @{ $all->{models} };
    ok $offline && $offline->{available}, 'one works without any provider';
    my %seen;
    $seen{"$_->{provider}/$_->{id}"}++ for @{ $all->{models} };
    is join(' ', grep { $seen{$_} > 1 } sort keys %seen), '', 'none is there twice';
    my $some = $api->get('/api/models?provider=OPENAI', 200);
    ok @{ $some->{models} } && !(grep { $_->{provider} ne 'openai' } @{ $some->{models} }), 'those of a provider, in any letter case';
    is $some->{total}, $all->{total}, 'the total is that of the catalog';
    my $tier = $all->{models}[0]{tier};
    ok !(grep { $_->{tier} ne $tier } @{ $api->get("/api/models?tier=$tier", 200)->{models} }), 'those of a tier';
    for my $q ('available=true', 'available=1') {
        ok !(grep { !$_->{available} } @{ $api->get("/api/models?$q", 200)->{models} }), "those that work ($q)";
    }
    is scalar(@{ $api->get('/api/models?available=maybe', 200)->{models} }), $all->{total}, 'any other word asks for all';
    for my $none (qw(provider=nobody tier=nothing provider= tier=)) {
        is_deeply $api->get("/api/models?$none", 200)->{models}, [], "?$none finds none";
    }
    $api->get('/api/models?provider=%ff', 400);
};

subtest 'one model' => sub {
    my ($m) = grep { $_->{id} !~ m{/} && $_->{provider} eq 'openai' } @{ $all->{models} };
    is $api->get("/api/models/$m->{id}", 200)->{id}, $m->{id}, 'by its id';
    is $api->get('/api/models/' . uc $m->{id}, 200)->{id}, $m->{id}, 'in any letter case';
    ok exists $api->get("/api/models/$m->{id}", 200)->{overrides}, 'with what is overridden';
    my ($slash) = grep { $_->{id} =~ m{/} } @{ $all->{models} };
    SKIP: {
        skip 'no id has a slash', 2 if !$slash;
        is $api->get("/api/models/$slash->{id}", 200)->{id}, $slash->{id}, 'an id with slashes';
        is $api->get('/api/models/' . $slash->{id} =~ s{/}{%2F}gr, 200)->{id}, $slash->{id}, 'or escaped ones';
    }
    $api->get("/api/models/$_", 404) for 'nobody-knows-it', "openai:$m->{id}", "%20$m->{id}", 'x' x 4000;
    $api->get("/api/models/$_", 400) for '%ff', '%00', '%zz', '..', '%2e%2e';
    $api->get('/api/models/', 404);
};

subtest 'aliases' => sub {
    my $l = $api->get('/api/models/aliases', 200);
    is scalar(@{ $l->{aliases} }), $l->{total}, 'are listed';
    cmp_ok $l->{total}, '>', 50, 'all of them';
    my @names = map { $_->{alias} } @{ $l->{aliases} };
    is "@names", join(' ', sort @names), 'in order';
    my %id = map { lc $_->{id} => 1 } @{ $all->{models} };
    my ($a) = grep { $id{ lc $_->{model_id} } } @{ $l->{aliases} };
    is lc $api->get("/api/models/$a->{alias}", 200)->{id}, lc $a->{model_id}, 'and lead to their model';
};

subtest 'providers' => sub {
    my $l = $api->get('/api/providers', 200);
    is scalar(@{ $l->{providers} }), $l->{total}, 'are listed';
    cmp_ok $l->{total}, '>', 40, 'all of them';
    my ($off) = grep { $_->{id} eq 'offline' } @{ $l->{providers} };
    is $off->{auth_status}, 'not_required', 'the one that is built in needs no key';
    my ($o) = grep { $_->{id} eq 'openai' } @{ $l->{providers} };
    is $o->{auth_status}, 'missing', 'others miss theirs';
    my $p = $api->get('/api/providers/openai', 200);
    is $p->{id}, 'openai', 'one is shown';
    cmp_ok scalar(@{ $p->{models} }), '>', 3, 'with its models';
    $api->get("/api/providers/$_", 404) for qw(nobody OpenAI google x%20y), 'a' x 300;
    $api->get('/api/providers/%ff', 400);
};

subtest 'a key in the environment' => sub {
    my $with = LF->start(env => { OPENAI_API_KEY => 'sk-very-secret-1234567890', MY_OWN_API_KEY => 'sk-own', MINIMAX_CN_API_KEY => 'sk-cn', GOOGLE_API_KEY => 'sk-g' },
        config => qq([provider_urls]\nmy-own = "http://127.0.0.1:9/v1"\n[provider_regions]\nminimax = "china"\n));
    my $row = sub { my $p = $with->get("/api/providers/$_[0]", 200); return join ' ', @$p{qw(auth_status api_key_env key_present)} };
    is $row->('my-own'), 'configured MY_OWN_API_KEY 1', 'of one that only the configuration knows: by its name';
    is $row->('minimax'), 'configured MINIMAX_CN_API_KEY 1', 'of a region: the region\'s';
    is $row->('gemini'), 'auto_detected GEMINI_API_KEY 0', 'or an alternate one';
    my %all = map { $_->{id} => $_ } @{ $with->get('/api/providers', 200)->{providers} };
    is_deeply $all{minimax}{media_capabilities}, [qw(image_generation text_to_speech video_generation music_generation)], 'what else a provider makes is told';
    is_deeply [ @{ $all{ollama} }{qw(is_local key_required is_coding_agent is_custom discover_models)} ], [ JSON::PP::true, (JSON::PP::false) x 3, JSON::PP::true ], 'one of this machine';
    is_deeply [ @{ $all{'claude-code'} }{qw(is_coding_agent key_required api_key_env)} ], [ JSON::PP::true, JSON::PP::false, '' ], 'a program';
    is $with->get('/api/providers/openai', 200)->{auth_status}, 'configured', 'makes a provider usable';
    unlike $with->last->{content}, qr/very-secret/, 'and is not shown';
    ok + (grep { $_->{provider} eq 'openai' && $_->{available} } @{ $with->get('/api/models', 200)->{models} }), 'its models too';
    my %left;
    for my $f (split /\0/, qx(find '@{[$with->home]}' -type f -print0)) {
        $left{$f} = 1 if LF::slurp($f) =~ /very-secret/;
    }
    is join(' ', sort keys %left), '', 'no file of the home holds it';
};

subtest 'tools' => sub {
    my $l = $api->get('/api/tools', 200);
    is scalar(@{ $l->{tools} }), $l->{total}, 'are listed';
    cmp_ok $l->{total}, '>', 5, 'several';
    for my $t (@{ $l->{tools} }) {
        ok $t->{name} =~ /^[a-z0-9_]+$/ && length $t->{description} && $t->{input_schema}{type} eq 'object', "$t->{name} says what it takes";
    }
    is_deeply $api->get("/api/tools/$l->{tools}[0]{name}", 200), $l->{tools}[0], 'one is shown alike';
    is $api->get('/api/tools/nobody', 404)->{error}, 'Tool not found: nobody', 'an unknown one is not found';
    $api->get("/api/tools/$_", 404) for 'FILE_READ', 'x' x 4000, '%20';
    $api->get('/api/tools/%ff', 400);
};

subtest 'profiles' => sub {
    my $l = $api->get('/api/profiles', 200);
    is_deeply [ map { $_->{name} } @$l ], [qw(minimal coding research messaging automation full)], 'are listed';
    is_deeply $api->get('/api/profiles/minimal', 200), { name => 'minimal', tools => [qw(file_read file_list)] }, 'one has its tools';
    is_deeply $l->[5], { name => 'full', tools => ['*'] }, 'one has all';
    is $api->get('/api/profiles/nobody', 404)->{error}, "Profile 'nobody' not found", 'an unknown one is not found';
    $api->get("/api/profiles/$_", 404) for 'custom', 'CODING', 'minimal%20', 'x' x 4000;
};

subtest "in OpenAI's words" => sub {
    my $l = $api->get('/v1/models', 200);
    is $l->{object}, 'list', 'models are a list';
    ok + (grep { $_->{id} =~ /assistant/ } @{ $l->{data} }), 'with our agents';
    my $e = $api->get('/v1/models', 401, { Authorization => 'Bearer wrong' });
    is $e->{error}{type}, 'authentication_error', 'and refusals in their shape';
    is $api->get('/v1/nothing', 404)->{error}{type}, 'invalid_request_error', 'for unknown paths too';
    $api->get('/api/v1/v1/models', 404);
};

subtest 'what travels small' => sub {
    my $plain = $api->raw('GET', '/api/models');
    my $small = $api->raw('GET', '/api/models', { headers => { 'Accept-Encoding' => 'gzip' } });
    is $small->{headers}{'content-encoding'}, 'gzip', 'the catalog is compressed for who understands it';
    cmp_ok length $small->{content}, '<', length($plain->{content}) / 5, 'to a fraction';
    my $tag = $plain->{headers}{etag};
    SKIP: {
        skip 'it has no tag', 1 if !$tag;
        is $api->raw('GET', '/api/models', { headers => { 'If-None-Match' => $tag } })->{status}, 304, 'and not sent again';
    }
};

refuses($api, GET => $_) for '/api/models', '/api/models/aliases', '/api/models/gpt-4o', '/api/providers', '/api/providers/openai',
    '/api/tools', '/api/tools/file_read';
done_testing;
