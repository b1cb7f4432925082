#!/usr/bin/perl
# Providers: a key that goes in and never comes out, an address, a test, the default, models
# that they tell, a login at GitHub, pools of keys.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;
use Time::HiRes qw(time);

LF::needed();
my $CANARY = 'sk-canary-' . LF::random_key();
my $up = LF->mock(default => { text => 'here' }, tags => [ 'llama9:8b', 'nomic-embed-text:latest' ]);
my $dead = 'http://127.0.0.1:' . LF::free_port() . '/v1';

# A GitHub: says what it is told, in order.
sub github {
    my (@answers) = @_;
    my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
    my $pid = fork // die;
    if (!$pid) {
        $SIG{TERM} = sub { POSIX::_exit(0) };
        while (my $c = $s->accept) {
            my $in = '';
            sysread($c, $in, 8192, length $in) or last while $in !~ /\r\n\r\n/;
            my $body = $in =~ m{^POST /login/device/code}
                ? { device_code => 'dev-code-1', user_code => 'ABCD-1234', verification_uri => 'https://example.invalid/device', expires_in => 900, interval => 5 }
                : shift @answers // { error => 'expired_token' };
            my $text = $LF::JSON->encode($body);
            syswrite $c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
            close $c;
        }
        POSIX::_exit(0);
    }
    return ("http://127.0.0.1:" . $s->sockport, $pid);
}

my ($gh, $gh_pid) = github({ error => 'authorization_pending' }, { error => 'slow_down', interval => 12 }, { access_token => "$CANARY-gh" }, { error => 'access_denied' });
my $api = LF->start(env => { LF_GITHUB_URL => $gh, OPENAI_API_KEY => "$CANARY-env" }, config => qq([provider_urls]\nollama = "$dead"\nlmstudio = "$dead"\nvllm = "$dead"\nlemonade = "$dead"\n) . join("", map { qq($_ = "@{[$up->url]}"\n) } qw(together openai groq zai_coding)) . qq());

sub show { return $api->get("/api/providers/$_[0]", 200) }

subtest 'a key' => sub {
    is show('together')->{auth_status}, 'missing', 'none is there';
    my $r = $api->post('/api/providers/together/key', { key => "  $CANARY  " }, 200);
    is_deeply $r, { status => 'saved', provider => 'together' }, 'one is kept';
    ok show('together')->{key_present}, 'and seen to be there by everybody';
    unlike $api->last->{content}, qr/canary/, 'but not told';
    is_deeply $api->get('/api/vault', 200)->{names}, ['TOGETHER_API_KEY'], 'it is in the vault';
    $api->del('/api/providers/together/key', 204);
    $api->del('/api/providers/together/key', 204);
    my $p = show('together');
    ok $p->{suppressed} && !$p->{key_present}, 'removed, the provider is put away';
    is $p->{auth_status}, 'missing', 'and misses its key';
    $api->del('/api/providers/openai/key', 204);
    is show('openai')->{auth_status}, 'missing', "a key of the environment does not count then";
    is_deeply $api->post('/api/providers/openai/enable', undef, 200), { status => 'enabled', provider => 'openai' }, 'until it is taken back';
    like show('openai')->{auth_status}, qr/^(?:configured|invalid_key|validated_key)$/, 'and counts again';
    $api->post('/api/providers/zai_coding/key', { api_key => 'x-1' }, 200);
    $api->del('/api/providers/zai_coding/key', 204);
    $api->del('/api/providers/never-heard-of/key', 204);
    $api->post('/api/providers/groq/key', $_, 400) for {}, { key => '' }, { key => '   ' }, { key => 5 }, { key => "a\nb" }, { key => '"quoted"' }, { key => "a\x01b" };
    $api->post("/api/providers/$_/key", { key => 'x' }, 400) for 'bad%20name', '9starts-with-digit', 'OpenAI', 'x' x 65;
    $api->post('/api/providers/nobody/enable', undef, 404);
    is show('groq')->{auth_status}, 'missing', 'nothing came of them';
};

subtest 'an address' => sub {
    my $r = $api->put('/api/providers/own/url', { base_url => $up->base }, 200);
    is $r->{base_url}, $up->url, 'a bare host gets its /v1';
    ok $r->{reachable}, 'it is there';
    my $p = show('own');
    ok $p->{is_custom} && $p->{base_url} eq $up->url, 'a new name is a provider of OpenAI\'s format';
    is_deeply [ @$p{qw(auth_status key_required key_present)} ], [ 'not_required', JSON::PP::false, JSON::PP::false ], 'and nobody knows that it wants a key';
    my $strict = LF->mock(key => { 'sk-strict' => { text => 'yes' } }, models => { status => 401, body => { error => 'no key' } });
    $api->put('/api/providers/strict/url', { base_url => $strict->base }, 200);
    is_deeply [ @{ show('strict') }{qw(auth_status key_required)} ], [ 'missing', JSON::PP::true ], 'until it has refused to answer without';
    $api->post('/api/providers/strict/test', undef, 400);
    $api->post('/api/providers/strict/key', { key => 'sk-strict' }, 200);
    isnt show('strict')->{auth_status}, 'missing', 'a key is one then';
    is $api->put('/api/providers/own/url', { url => $up->url . '///' }, 200)->{base_url}, $up->url, 'slashes go';
    ok !$api->put('/api/providers/gone/url', { base_url => $dead }, 200)->{reachable}, 'one that is not there is kept';
    is $api->put('/api/providers/own/url', { base_url => $up->url, proxy_url => 'socks5://127.0.0.1:9' }, 200)->{status}, 'saved', 'a proxy';
    is show('own')->{proxy_url}, 'socks5://127.0.0.1:9', 'is shown';
    $api->put('/api/providers/own/url', { base_url => $up->url, proxy_url => '' }, 200);
    is show('own')->{proxy_url}, undef, 'and taken away';
    $api->put('/api/providers/own/url', { base_url => $up->url, proxy_url => 7 }, 200);
    my @bad = ('ftp://127.0.0.1/x', '127.0.0.1:9', '', 'http://', 'http:///v1', 'http://a b/v1', 'http://169.254.169.254/latest', 'http://[fe80::1]/v1', 'http://2852039166/',
        'http://0xa9fea9fe/v1', 'http://metadata.google.internal/v1', 'http://100.100.100.200/v1', 'http://.../v1', 'http://[]/v1', 'http://[x]/v1', 'http://[::ffff:169.254.169.254]/', 'http://u:p@127.0.0.1/v1', 'http://127.0.0.1:0/', 'http://127.0.0.1:99999/',
        'http://127.0.0.1/?a=b', 'https://x/#y', "http://127.0.0.1/\nv1");
    for my $bad (@bad) { $api->put('/api/providers/bad/url', { base_url => $bad }, 400) }
    ok $api->put('/api/providers/any/url', { base_url => 'http://0.0.0.0:' . $up->port }, 200)->{reachable}, 'what a call may ask may be set: this machine by its other name';
    $api->put('/api/providers/bad/url', $_, 400) for {}, { base_url => 7 }, { base_url => $up->url, proxy_url => 'gopher://x' };
    $api->put('/api/providers/Bad%20Name/url', { base_url => $up->url }, 400);
    $api->get('/api/providers/bad', 404);
    like LF::slurp($api->home . '/config.toml'), qr/^own = "\Q@{[$up->url]}\E"$/m, 'it stands in config.toml';
};

subtest 'a test' => sub {
    is $api->post('/api/providers/own/test', undef, 200)->{status}, 'ok', 'tries one without a key, as a call would';
    $api->post('/api/providers/own/key', { key => $CANARY }, 200);
    my $r = $api->post('/api/providers/own/test', undef, 200);
    is $r->{status}, 'ok', 'calls it';
    is((grep { $_->{path} eq '/v1/models' } @{ $up->requests })[-1]{headers}{authorization}, "Bearer $CANARY", 'with its key');
    ok show('own')->{reachable} && show('own')->{last_tested}, 'what came of it is seen';
    is show('own')->{auth_status}, 'validated_key', 'the key is known to be good';
    $api->post('/api/providers/gone/key', { key => 'x' }, 200);
    $r = $api->post('/api/providers/gone/test', undef, 200);
    is_deeply [ @$r{qw(status code)} ], [ 'error', 'unreachable' ], 'one that is not there' or diag explain $r;
    ok !exists $r->{latency_ms}, 'took no time';
    is show('gone')->{reachable}, JSON::PP::false, 'the latest result counts';
    is $api->post('/api/providers/lmstudio/test', undef, 200)->{status}, 'error', 'one of this machine';
    is $api->post('/api/providers/claude-code/test', undef, 200)->{code}, 'not_installed', 'a program that is not there';
    $api->post('/api/providers/mistral/test', undef, 400);
    $api->post('/api/providers/nobody/test', undef, 404);
    is $api->post('/api/providers/offline/test', undef, 200)->{status}, 'ok', 'what is built in';
};

subtest 'a refused key' => sub {
    my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
    my $pid = fork // die;
    if (!$pid) {
        while (my $c = $s->accept) { sysread $c, my $in, 8192; syswrite $c, "HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"; close $c }
        POSIX::_exit(0);
    }
    $api->put('/api/providers/no/url', { base_url => 'http://127.0.0.1:' . $s->sockport . '/v1' }, 200);
    $api->post('/api/providers/no/key', { key => $CANARY }, 200);
    ok $api->wait_for(sub { show('no')->{auth_status} eq 'invalid_key' }), 'is found out in the background';
    my $r = $api->post('/api/providers/no/test', undef, 200);
    is_deeply [ @$r{qw(status code)} ], [ 'error', 'auth_error' ], 'and told by a test';
    unlike $r->{error}, qr/canary/, 'without the key';
    kill 'KILL', $pid;
    waitpid $pid, 0;
};

subtest 'models that it tells' => sub {
    $api->put('/api/providers/ollama/url', { base_url => $up->base }, 200);
    is_deeply $api->get('/api/providers/ollama/detect', 200), { available => JSON::PP::true, models => [ 'llama9:8b', 'nomic-embed-text:latest' ] }, 'an Ollama is found';
    my $m = $api->get('/api/models/llama9:8b', 200);
    is_deeply [ @$m{qw(provider tier context_window supports_tools available)} ], [ 'ollama', 'local', 131072, JSON::PP::true, JSON::PP::true ], 'its models are known';
    ok !$api->get('/api/models/nomic-embed-text:latest', 200)->{supports_tools}, 'those that do not talk too';
    is scalar(@{ $api->get('/api/models?provider=ollama', 200)->{models} }), 2, 'and no others of it';
    is_deeply $api->put('/api/providers/own/discovery', { discover_models => JSON::PP::true }, 200), { status => 'ok', provider => 'own', discover_models => JSON::PP::true }, 'another one is asked';
    ok $api->wait_for(sub { $api->raw('GET', '/api/models/mock-model')->{status} == 200 }), 'and tells';
    $api->put('/api/providers/own/discovery', { discover_models => JSON::PP::false }, 200);
    $api->get('/api/models/mock-model', 404);
    $api->put('/api/providers/own/discovery', $_, 400) for {}, { discover_models => 'yes' };
    $api->put('/api/providers/nobody/discovery', { discover_models => JSON::PP::true }, 404);
    $api->put('/api/providers/ollama/url', { base_url => 'http://127.0.0.1:' . LF::free_port() }, 200);
    is show('ollama')->{auth_status}, 'missing', 'one that went away cannot be used';
};

subtest 'the default' => sub {
    my $r = $api->post('/api/providers/own/default', { model => 'mock-model' }, 200);
    is_deeply [ @$r{qw(status provider model api_key_env persisted)} ], [ 'updated', 'own', 'mock-model', 'OWN_API_KEY', JSON::PP::true ], 'is set';
    is $api->get('/api/status', 200)->{default_provider}, 'own', 'at once';
    my ($a) = @{ $api->get('/api/agents', 200)->{items} };
    is $api->post("/api/agents/$a->{id}/message", { message => 'hello' }, 200)->{response}, 'here', 'agents follow';
    is $up->chats->[-1]{headers}{authorization}, "Bearer $CANARY", 'with the key of the vault';
    $api->post('/api/providers/own/default', undef, 400);
    $api->post('/api/providers/openai/default', { model => $_ }, 400) for 'no-such-model', 'a b', '', 'x' x 129;
    $api->post('/api/providers/openai/default', { model => 5 }, 400);
    $api->post('/api/providers/nobody/default', {}, 404);
    is $api->get('/api/status', 200)->{default_provider}, 'own', 'nothing came of them';
    is $api->post('/api/providers/openai/default', undef, 200)->{provider}, 'openai', 'without a model its usual one';
    $api->post('/api/providers/offline/default', undef, 200);
};

subtest 'a login at GitHub' => sub {
    is show('github-copilot')->{auth_status}, 'missing', 'not there';
    my $f = $api->post('/api/providers/github-copilot/oauth/start', undef, 200);
    is_deeply [ @$f{qw(user_code expires_in interval)} ], [ 'ABCD-1234', 900, 5 ], 'a code to type';
    unlike $api->last->{content}, qr/dev-code/, 'the other one stays here';
    my $poll = "/api/providers/github-copilot/oauth/poll/$f->{poll_id}";
    is_deeply $api->get($poll, 200), { status => 'pending' }, 'not typed yet';
    is_deeply $api->get($poll, 200), { status => 'pending', interval => 12 }, 'too fast';
    is_deeply $api->get($poll, 200), { status => 'complete' }, 'done';
    is show('github-copilot')->{auth_status}, 'configured', 'and there';
    is $api->get($poll, 404)->{code}, 'not_found', 'it is over then';
    $f = $api->post('/api/providers/github-copilot/oauth/start', undef, 200);
    is $api->get("/api/providers/github-copilot/oauth/poll/$f->{poll_id}", 200)->{status}, 'denied', 'or denied';
    $api->get('/api/providers/github-copilot/oauth/poll/nobody', 404);
    kill 'TERM', $gh_pid;
    waitpid $gh_pid, 0;
    is $api->post('/api/providers/github-copilot/oauth/start', undef, 502)->{code}, 'github_unreachable', 'when GitHub is not there';
};

subtest 'the command' => sub {
    my $run = sub { my ($rc, $out) = $api->command(@_); return "$rc $out" };
    like $run->('provider', 'list'), qr/^0 .*^openai\t\S+\t\d+\thttp/ms, 'lists providers';
    is $run->(\"$CANARY-cmd\n", 'provider', 'set-key', 'own'), "0 saved\n", 'takes a key from standard input';
    like $run->('provider', 'test', 'own'), qr/^0 ok, \d+ ms$/, 'tests one';
    is $up->requests->[-1]{headers}{authorization}, "Bearer $CANARY-cmd", 'with that key';
    like $run->('provider', 'test', 'gone'), qr/^1 librefang: /, 'says what is wrong';
    like $run->('provider', 'show', 'own'), qr/^key_present\tyes$/m, 'shows one';
    is $run->('provider', 'remove-key', 'own'), "0 removed\n", 'forgets a key';
    is $run->('provider', 'enable', 'own'), "0 enabled\n", 'takes one back';
    is $run->('provider', 'url', 'own', $up->url), '0 ' . $up->url . " answers\n", 'moves one';
    is $run->('provider', 'default', 'offline'), "0 offline/offline\n", 'makes a default';
    like $run->('provider', 'show', 'nobody'), qr/^4 /, 'an unknown one';
    like $run->('provider', 'set-key', 'own', 'sk-here'), qr/^2 /, 'no key among the arguments';
    like $run->('models', 'list', '--provider', 'openai'), qr/^0 gpt-5\topenai\t/m, 'lists models';
    like $run->('models', 'show', 'gpt-5'), qr/^context_window\t\d+$/m, 'shows one';
    is $run->('models', 'alias', 'Mine', 'gpt-5'), "0 mine\n", 'names one';
    like $run->('models', 'aliases'), qr/^mine\tgpt-5$/m, 'lists names';
    is $run->('models', 'unalias', 'mine'), "0 removed\n", 'takes one away';
    like $run->('models', 'update'), qr/^0 2\d\d models$/, 'updates';
    like $run->('--json', 'models', 'show', 'gpt-5'), qr/^0 \{"id":"gpt-5"/, 'tells JSON';
    $api->post('/api/providers/own/key', { key => $CANARY }, 200);
};

subtest 'nothing is told' => sub {
    $api->restart;
    ok show('own')->{key_present}, 'a restart forgets nothing';
    my @where = grep { index(LF::slurp($_), $CANARY) >= 0 } split(/\0/, qx(find '@{[$api->home]}' '$api->{dir}/run' -type f -print0)),
        map { ("/proc/$_/cmdline", "/proc/$_/environ") } map {@$_} values %{ $api->processes };
    is "@where", '', 'no file, environment or argument holds a key';
};
refuses($api, POST => '/api/providers/openai/key', body => { key => 'x' });
refuses($api, GET => '/api/credential-pools');
refuses($api, POST => '/api/providers/openai/test');
$api->finish;

subtest 'the first key makes a default' => sub {
    my $api = LF->start(model => { provider => 'auto' }, config => qq([provider_urls]\ntogether = "$dead"\ngroq = "@{[$up->url]}"\nollama = "$dead"\n));
    is $api->get('/api/status', 200)->{default_provider}, 'offline', 'nothing is there';
    my $r = $api->post('/api/providers/groq/key', { key => $CANARY }, 200);
    ok $r->{switched_default} && $r->{new_model}, 'the default is another one now';
    is $api->get('/api/status', 200)->{default_provider}, 'groq', 'everybody knows';
    my ($a) = @{ $api->get('/api/agents', 200)->{items} };
    is $api->post("/api/agents/$a->{id}/message", { message => 'hello' }, 200)->{response}, 'here', 'and it answers';
    ok !$api->post('/api/providers/together/key', { key => 'x' }, 200)->{switched_default}, 'a second key changes nothing';
};

subtest 'a configuration that others manage' => sub {
    my $api = LF->start(env => { LIBREFANG_CONFIG_MODE => 'managed' });
    is $api->put('/api/providers/own/url', { base_url => $up->url }, 423)->{code}, 'config_managed', 'is not written';
    is $api->post('/api/providers/openai/default', undef, 423)->{code}, 'config_managed', 'by nobody';
    is $api->post('/api/providers/openai/key', { key => $CANARY }, 423)->{code}, 'config_managed', 'nor is a key taken';
    is $api->get('/api/providers/openai', 200)->{key_present}, JSON::PP::false, '  which is not there';
};
done_testing;
