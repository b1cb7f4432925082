#!/usr/bin/perl
# The rules of the catalog, one line each: what a request answers, and what it leaves behind. Models that a provider tells, under names with
# and without ":latest"; limits and abilities as the catalog has them beside those that count; names, custom models and settings; providers.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my ($T, $F) = (JSON::PP::true, JSON::PP::false);
my $up = LF->mock(tags => [ 'gemma4:latest', 'deepseek-r1', 'QWEN3', 'llama9:8b', 'plain:latest', 'mxbai-embed-large' ], default => { text => 'here' });
my ($url, $dead) = ($up->url, 'http://127.0.0.1:' . LF::free_port());
my $api = LF->start(model => { provider => 'offline', model => 'offline' }, env => { OPENAI_API_KEY => 'sk-x' },
    config => qq([provider_urls]\nollama = "$dead"\nopenai = "$url"\nown = "$url"\nlmstudio = "$dead"\nvllm = "$dead"\nlemonade = "$dead"\n));
my %shipped = map { ("$_->{provider}/$_->{id}" => $_) } @{ $LF::JSON->decode(LF::slurp(LF::srcdir() . '/share/models.json')) };

sub models { my ($q) = @_; return @{ $api->get("/api/models$q", 200)->{models} } }
sub ids { my ($q) = @_; return join ' ', map { $_->{id} } models($q) }

subtest 'every model of the list' => sub {
    my @keys = qw(aliases available capabilities_catalog context_window display_name id image_input_cost_per_m image_output_cost_per_m input_cost_per_m limits_catalog limits_known max_output_tokens modality
        output_cost_per_m pricing_known provider supports_streaming supports_thinking supports_tools supports_vision tier vision_support);
    # of this machine they come and go
    my %usable = map { ($_->{id} => $_->{auth_status} =~ /^(?:validated_key|configured|auto_detected|configured_cli|not_required)$/ ? 1 : 0) } grep { !$_->{is_local} } @{ $api->get('/api/providers', 200)->{providers} };
    my (@odd, %n);
    for my $m (models('')) {
        my $s = $shipped{"$m->{provider}/$m->{id}"} // {};
        my @is = map { $m->{$_} ? 1 : 0 } qw(supports_tools supports_vision supports_streaming supports_thinking);
        push @odd, "$m->{id}: members" if join(' ', sort keys %$m) ne "@keys";
        push @odd, "$m->{id}: limits_catalog" if join(' ', map { $m->{limits_catalog}{$_} } qw(context_window max_output_tokens)) ne join(' ', @$s{qw(context_window max_output_tokens)});
        push @odd, "$m->{id}: limits" if join(' ', @$m{qw(context_window max_output_tokens)}) ne join(' ', @$s{qw(context_window max_output_tokens)});
        push @odd, "$m->{id}: capabilities_catalog" if "@is" ne join(' ', map { $m->{capabilities_catalog}{$_} ? 1 : 0 } qw(supports_tools supports_vision supports_streaming supports_thinking))
            || "@is" ne join(' ', map { $s->{$_} ? 1 : 0 } qw(supports_tools supports_vision supports_streaming supports_thinking));
        push @odd, "$m->{id}: vision_support" if $m->{vision_support} ne ($m->{supports_vision} ? 'supported' : 'unsupported');
        push @odd, "$m->{id}: limits_known" if !$m->{limits_known} || ($m->{modality} eq 'text' && !($m->{context_window} && $m->{max_output_tokens}));
        push @odd, "$m->{id}: prices" if join(' ', @$m{qw(input_cost_per_m output_cost_per_m)}) ne join(' ', @$s{qw(input_cost_per_m output_cost_per_m)});
        push @odd, "$m->{id}: available" if exists $usable{ $m->{provider} } && !$m->{available} != !$usable{ $m->{provider} };
        $n{ $m->{modality} }++;
    }
    is join(', ', @odd), '', 'says what is shipped of it, and nothing else';
    is_deeply [ sort keys %n ], [qw(audio image music text video)], 'of all kinds';
    my $i = 0;
    my %at = map { ("$_->{provider}/$_->{id}" => $i++) } @{ $LF::JSON->decode(LF::slurp(LF::srcdir() . '/share/models.json')) };
    my @order = map { $at{"$_->{provider}/$_->{id}"} } models('');
    is "@order", join(' ', sort { $a <=> $b } @order), 'they are in the order of the catalog';
};

subtest 'what a filter lets through' => sub {
    my $all = $api->get('/api/models', 200);
    my $n = @{ $all->{models} };
    is $all->{available}, scalar(grep { $_->{available} } @{ $all->{models} }), 'those that can be used are counted';
    # [ query, a sub that says which, or how many ]
    for my $q ([ '?provider=OpenAI' => sub { $_[0]{provider} eq 'openai' } ], [ '?tier=SMART' => sub { $_[0]{tier} eq 'smart' } ], [ '?tier=smart&provider=openai' => sub { $_[0]{tier} eq 'smart' && $_[0]{provider} eq 'openai' } ],
        [ '?available=true' => sub { $_[0]{available} } ], [ '?available=1&provider=OPENAI' => sub { $_[0]{available} && $_[0]{provider} eq 'openai' } ], [ '?available=TRUE' => sub {1} ], [ '?available=' => sub {1} ],
        [ '?available=0' => sub {1} ], [ '?available=false' => sub {1} ], [ '?more=1&limit=2' => sub {1} ], [ '?provider=' => sub {0} ], [ '?tier=' => sub {0} ], [ '?provider=nobody' => sub {0} ], [ '?tier=genius' => sub {0} ], [ '?provider=google' => sub {0} ]) {
        my $r = $api->get("/api/models$q->[0]", 200);
        is join(' ', map { $_->{id} } @{ $r->{models} }), join(' ', map { $_->{id} } grep { $q->[1]->($_) } @{ $all->{models} }), "$q->[0]";
        is "$r->{total} $r->{available}", "$n $all->{available}", '  the sums are of the whole catalog';
    }
};

subtest 'an alias' => sub {
    # [ what is sent, what comes of it: a status, and with 201 the two names ]
    for my $c ([ { alias => 'A1', model_id => 'gpt-5' }, 201, 'a1', 'gpt-5' ], [ { alias => 'a1', model_id => 'gpt-5' }, 409 ], [ { alias => 'nowhere', model_id => 'no-such-model' }, 201, 'nowhere', 'no-such-model' ],
        [ { alias => ' padded ', model_id => ' gpt-5 ' }, 201, 'padded', 'gpt-5' ], [ { alias => 'x' x 256, model_id => 'gpt-5' }, 201, 'x' x 256, 'gpt-5' ], [ { alias => 'x' x 257, model_id => 'gpt-5' }, 400 ],
        [ { alias => 'y', model_id => 'y' x 257 }, 400 ], [ { alias => "a\nb", model_id => 'gpt-5' }, 400 ], [ { alias => "a\x7fb", model_id => 'gpt-5' }, 400 ], [ { alias => 'ctl', model_id => "gpt\n5" }, 400 ],
        (map { [ $_, 400 ] } {}, { alias => 'q' }, { model_id => 'q' }, { alias => '', model_id => 'q' }, { alias => '   ', model_id => 'q' }, { alias => 'q', model_id => '  ' }, { alias => 1, model_id => 'q' }, { alias => ['q'], model_id => 'q' },
            { alias => undef, model_id => 'q' }, { alias => 'q', model_id => undef }, '[]', 'null', '{')) {
        my ($send, $status, $alias, $id) = @$c;
        my $r = $api->post('/api/models/aliases', $send, $status);
        is_deeply $r, { alias => $alias, model_id => $id, status => 'created' }, "$alias is made" if $status == 201;
    }
    $api->get('/api/models/nowhere', 404);
    $api->get('/api/models/q', 404);
    for my $c ([ 'A1', 204 ], [ 'a1', 404 ], [ 'PADDED', 204 ], [ 'nowhere', 204 ], [ 'x' x 256, 204 ], [ 'x' x 4000, 404 ], [ 'never', 404 ], [ '%20', 404 ], [ '%ff', 400 ]) { $api->del("/api/models/aliases/$c->[0]", $c->[1]) }
    my @all = @{ $api->get('/api/models/aliases', 200)->{aliases} };
    is scalar @all, 144, 'those that are shipped are left';
};

subtest 'models that a provider tells' => sub {
    my $before = ids('?provider=ollama');
    like $before, qr/gemma4.*deepseek-r1:latest.*llama4/, 'before it was asked there are those of the catalog';
    $api->put('/api/providers/ollama/url', { base_url => $up->base }, 200);
    is $api->post('/api/providers/ollama/test', undef, 200)->{discovered_models}, 6, 'it tells six';
    is ids('?provider=ollama'), 'gemma4 deepseek-r1:latest qwen3 llama9:8b plain:latest mxbai-embed-large', 'those of the catalog that it has, whichever of both says ":latest" and in any letter case; then those that the catalog lacks';
    my %m = map { $_->{id} => $_ } models('?provider=ollama');
    is_deeply [ @{ $m{gemma4} }{qw(tier context_window supports_vision)} ], [ @{ $shipped{'ollama/gemma4'} }{qw(tier context_window supports_vision)} ], 'a known one is as the catalog has it';
    is_deeply [ @{ $m{'llama9:8b'} }{qw(tier context_window max_output_tokens input_cost_per_m output_cost_per_m pricing_known supports_tools supports_vision supports_thinking)}, $m{'llama9:8b'}{limits_catalog} ],
        [ 'local', 131072, 16384, 0, 0, $T, $T, $F, $F, { context_window => 131072, max_output_tokens => 16384 } ], 'another one as such are';
    is_deeply [ map { $m{'mxbai-embed-large'}{$_} } qw(supports_tools supports_streaming supports_vision supports_thinking) ], [ ($F) x 4 ], 'one that makes vectors can nothing else';
    $api->get('/api/models/llama4', 404);
    $api->get("/api/models/$_", 404) for 'plain', 'llama9:8b:latest', 'gemma4:8b';
    is $api->get('/api/models/gemma4:latest', 200)->{id}, 'gemma4', 'the catalog knows a name with it as an alias, where it says so';
    is $api->get('/api/providers/ollama', 200)->{model_count}, 6, 'six are counted';
    $api->post('/api/models/custom', { id => 'mine', provider => 'ollama' }, 201);
    like ids('?provider=ollama'), qr/ mine$/, 'what somebody adds is there, whatever it tells';
    $api->del('/api/models/custom/mine', 204);
    is $api->post('/api/catalog/update', undef, 200)->{models_count}, 267, 'the files have as many as ever';
    $api->post('/api/catalog/update', $_, 200) for 'no JSON', '[]';
    is ids('?provider=ollama'), 'gemma4 deepseek-r1:latest qwen3 llama9:8b plain:latest mxbai-embed-large', 'and what it told stays';
};

subtest 'a model of one\'s own' => sub {
    my %usual = (provider => 'offline', display_name => 'm', modality => 'text', context_window => 128000, max_output_tokens => 8192, input_cost_per_m => 0, output_cost_per_m => 0, image_input_cost_per_m => undef, image_output_cost_per_m => undef,
        supports_tools => $T, supports_vision => $F, supports_streaming => $T, supports_thinking => $F, vision_support => 'unknown', tier => 'custom', pricing_known => $T, limits_known => $T, available => $T, aliases => []);
    # [ what is sent beside the id, what differs from the usual ]
    for my $c ([ {}, {} ], [ { (map { $_ => undef } qw(provider display_name modality context_window input_cost_per_m supports_tools image_input_cost_per_m)) }, {} ], [ { provider => 'nobody-knows' }, { provider => 'nobody-knows' } ],
        [ { provider => 'OpenAI' }, { provider => 'openai' } ], [ { display_name => 'My Own' }, { display_name => 'My Own' } ], [ { modality => 'image', context_window => 0, max_output_tokens => 0 }, { modality => 'image', context_window => 0, max_output_tokens => 0 } ],
        [ { context_window => 1, max_output_tokens => 2147483647 }, { context_window => 1, max_output_tokens => 2147483647 } ], [ { input_cost_per_m => 0.000001, output_cost_per_m => 1000000 }, { input_cost_per_m => 0.000001, output_cost_per_m => 1000000 } ],
        [ { image_input_cost_per_m => 0 }, { image_input_cost_per_m => 0 } ], [ { image_output_cost_per_m => 7 }, { image_output_cost_per_m => 7 } ], [ { supports_vision => $T }, { supports_vision => $T, vision_support => 'supported' } ],
        [ { supports_vision => $F }, { vision_support => 'unsupported' } ], [ { supports_tools => $F, supports_streaming => $F, supports_thinking => $T }, { supports_tools => $F, supports_streaming => $F, supports_thinking => $T } ]) {
        my ($send, $differs) = @$c;
        my %want = (%usual, %$differs);
        is_deeply $api->post('/api/models/custom', { id => 'm', %$send }, 201), { id => 'm', provider => $want{provider}, status => 'added' }, 'added with ' . $LF::JSON->encode($send);
        my $m = $api->get('/api/models/m', 200);
        is_deeply { map { $_ => $m->{$_} } keys %want }, \%want, '  and it is that';
        is_deeply $m->{limits_catalog}, { map { $_ => $want{$_} } qw(context_window max_output_tokens) }, '  its limits too';
        $api->post('/api/models/custom', { id => 'M', %$send }, 409);
        $api->del('/api/models/custom/M', 204);
    }
    my $total = $api->get('/api/models', 200)->{total};
    for my $bad ((map { { id => $_ } } '', ' ', 7, undef, 'x' x 257, "a\nb", "a\x7f"), (map { { id => 'bad', %$_ } } { provider => '' }, { provider => ' ' }, { provider => 'x' x 65 }, { provider => "a\tb" }, { display_name => '' }, { display_name => "a\nb" }, { display_name => 'x' x 257 }, { modality => 'TEXT' },
        { modality => 'smell' }, { context_window => 0 }, { max_output_tokens => 0 }, { context_window => -1 }, { context_window => 1.5 }, { context_window => '9' }, { context_window => 2147483648 }, { input_cost_per_m => -0.1 }, { output_cost_per_m => 'x' }, { input_cost_per_m => 1000001 },
        { image_input_cost_per_m => -1 }, { image_output_cost_per_m => [] }, { supports_tools => 1 }, { supports_vision => 'yes' }), {}, '[]', '{"id":"bad","input_cost_per_m":1e400}') {
        $api->post('/api/models/custom', $bad, 400);
    }
    $api->post('/api/models/custom', { id => 'GPT-5', provider => $_ }, 409) for 'openai', 'OpenAI';
    is $api->get('/api/models', 200)->{total}, $total, 'what is wrong adds nothing';
    $api->del("/api/models/custom/$_", 404) for 'gpt-5', 'bad', '%20', 'x' x 3000;
    $api->post('/api/models/custom', { id => 'two/of it', provider => $_ }, 201) for 'own', 'nobody';
    $api->del('/api/models/custom/TWO/OF%20it', 204);
    $api->get('/api/models/two%2Fof%20it', 404);
    is $api->call($_->[0] => $_->[1], undef, 405)->{code}, 'method_not_allowed', "$_->[0] $_->[1] is another row's" for [ GET => '/api/models/custom/x' ], [ GET => '/api/models/custom' ], [ GET => '/api/models/aliases/x' ], [ DELETE => '/api/models/gpt-5' ];
};

subtest 'settings of a model' => sub {
    my $key = '/api/models/overrides/openai:gpt-5';
    my %one = (model_type => 'chat', temperature => 2, top_p => 1, max_tokens => 1, frequency_penalty => -2, presence_penalty => 2, reasoning_effort => 'high', use_max_completion_tokens => $T, no_system_role => $T, force_max_tokens => $T, supports_tools => $F, supports_vision => $F, supports_streaming => $F, supports_thinking => $T);
    is_deeply $api->put($key, { %one, unknown => 1 }, 200), \%one, 'all of them, and no others';
    my $m = $api->get('/api/models/gpt-5', 200);
    is_deeply $m->{overrides}, \%one, 'are shown with it';
    is_deeply [ map { [ $m->{$_}, $m->{capabilities_catalog}{$_} ] } qw(supports_tools supports_vision supports_streaming supports_thinking) ], [ map { [ $one{$_}, $shipped{'openai/gpt-5'}{$_} // $F ] } qw(supports_tools supports_vision supports_streaming supports_thinking) ], 'what it can is what they say, and what the catalog says stands beside it';
    is_deeply [ @$m{qw(context_window max_output_tokens)}, $m->{limits_catalog} ], [ @{ $shipped{'openai/gpt-5'} }{qw(context_window max_output_tokens)}, { map { $_ => $shipped{'openai/gpt-5'}{$_} } qw(context_window max_output_tokens) } ], 'its limits stay those of the catalog';
    for my $bad ({ temperature => 2.1 }, { temperature => -0.1 }, { top_p => 1.1 }, { max_tokens => 0 }, { max_tokens => 1.5 }, { max_tokens => '5' }, { frequency_penalty => -2.1 }, { presence_penalty => 3 }, { model_type => 'smell' }, { model_type => 1 }, { reasoning_effort => 1 }, { reasoning_effort => 'x' x 33 },
        { supports_tools => 'no' }, { no_system_role => 0 }, { input_cost_per_m => -1 }, '[]', '"x"') {
        $api->put($key, $bad, 422);
    }
    is_deeply $api->get($key, 200), \%one, 'what is wrong changes nothing';
    is_deeply $api->put('/api/models/overrides/OpenAI:GPT-5', { max_tokens => 9 }, 200), { max_tokens => 9 }, 'in another letter case they are the same';
    is_deeply $api->get($key, 200), { max_tokens => 9 }, '  and replaced';
    $api->del('/api/models/overrides/OPENAI:gpt-5', 204) for 1, 2;
    is_deeply $api->get($key, 200), {}, '  and gone';
    is_deeply $api->put($key, '{"top_p":null}', 200), {}, 'nothing is none';
    is $api->get('/api/models/gpt-5', 200)->{overrides}, undef, '  of which nothing is shown';
    $api->put("/api/models/overrides/$_", { top_p => 1 }, 400) for 'no-colon', 'x:' . 'y' x 600;
};

subtest 'names of providers' => sub {
    # [ verb, path, body, status by name: one of the catalog, in another letter case, an alias of one, hidden, unknown ]
    for my $c ([ GET => '', undef, 200, 404, 404, 404, 404 ], [ POST => '/test', undef, 200, 400, 404, 404, 404 ], [ POST => '/enable', undef, 200, 400, 404, 404, 404 ], [ PUT => '/discovery', { discover_models => $F }, 200, 400, 404, 404, 404 ],
        [ POST => '/key', { key => 'sk-y' }, 200, 400, 200, 200, 200 ], [ DELETE => '/key', undef, 204, 400, 204, 204, 204 ]) {
        my ($verb, $path, $body, @status) = @$c;
        my @names = qw(openai OpenAI google azure-openai nobody-here);
        for my $i (0 .. $#names) { is $api->call($verb => "/api/providers/$names[$i]$path", $body, $status[$i]) // '', $api->last->{json} // '', "$verb $names[$i]$path: $status[$i]" }
    }
    ok $api->get('/api/providers/openai', 200)->{suppressed}, 'one whose key was removed is put away';
    $api->put('/api/providers/openai/url', { base_url => $url }, 200);
    ok !$api->get('/api/providers/openai', 200)->{suppressed}, '  and taken back by an address';
    for my $bad ('[]', '{}', { discover_models => undef }, { discover_models => 1 }, { discover_models => 'true' }) { $api->put('/api/providers/own/discovery', $bad, 400) }
    my $default = $api->get('/api/status', 200)->{default_model};
    $api->post('/api/providers/openai/default', $_, 400) for { model => '' }, { model => ' ' }, { model => 'a b' }, { model => "a\nb" }, { model => "gpt\x015" }, { model => 'no-such' }, { model => 'x' x 129 }, { model => 5 }, '[]', '"x"';
    is $api->get('/api/status', 200)->{default_model}, $default, 'what is wrong makes no default';
};
$api->finish;

subtest 'another model of the default provider' => sub {
    my $same = LF->start(model => $up);
    my $id = $same->get('/api/agents', 200)->{items}[0]{id};
    is $same->post('/api/providers/openai/default', { model => 'GPT-5' }, 200)->{model}, 'gpt-5', 'is named as the catalog writes it';
    is $same->post("/api/agents/$id/message", { message => 'hello' }, 200)->{response}, 'here', 'and asked where the one before was';
    is $up->chats->[-1]{json}{model}, 'gpt-5', '  by that name';
    $same->finish;
};

subtest 'the first key of OpenRouter' => sub {
    my $router = LF->start(model => { provider => 'auto' }, config => qq([provider_urls]\nopenrouter = "http://127.0.0.1:9/v1"\nollama = "http://127.0.0.1:9"\n));
    my $r = $router->post('/api/providers/openrouter/key', { key => 'sk-or' }, 200);
    is_deeply [ @$r{qw(status provider switched_default)} ], [ 'saved', 'openrouter', $T ], 'makes it the default';
    is join(' ', @{ $router->get("/api/models/$r->{new_model}", 200) }{qw(provider modality input_cost_per_m output_cost_per_m)}), 'openrouter text 0 0', 'with a model that is free';
    $router->finish;
};
done_testing;
