#!/usr/bin/perl
# aimock, from npm, plays every kind of provider that it can: Anthropic, Gemini, Ollama, Cohere,
# Bedrock, Azure, Vertex, ChatGPT. Each is asked by message, by stream and through the gateway: plain, with
# tools side by side, with a picture, and with every way to fail. What broke is an error, never an answer.
use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use LF;
use LF::Aimock;
use POSIX ();
use Test::More;
use Time::HiRes ();

LF::Aimock::needed();
my $SECRET = LF::Aimock->key;                 # what the providers want, and nobody else may see
my $HALF = 'These words were cut in the middle of what they wanted to say';
my $SAY = "Hello \x{4f60}\x{597d} from aimock \x{1f600}.";
my $PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

my @fixtures = (
    says('hello', { content => $SAY, usage => { prompt_tokens => 11, completion_tokens => 5, input_tokens => 11, output_tokens => 5 } }, chunkSize => 3),
    says('CUT-HERE', { content => $HALF }, chunkSize => 6, latency => 10, truncateAfterChunks => 5),
    broken(),
    refusal('BAD-KEY', 401, "invalid x-api-key: $SECRET", type => 'authentication_error', retryAfter => 0),
    refusal('ALWAYS-429', 429, 'Rate limit reached', type => 'rate_limit_error', retryAfter => 0),
    refusal('FAIL-503', 503, 'Overloaded', type => 'overloaded_error', retryAfter => 0),
    { %{ two_calls('PARALLEL', undef, [ 'call_a', 'memory_store', { key => 'colour', value => 'blue' } ], [ 'call_b', 'memory_store', { key => 'size', value => 'small' } ]) }, chunkSize => 4 },
    { match => { userMessage => 'PARALLEL', hasToolResult => JSON::PP::true }, response => { content => 'Both are kept.' } },
    two_calls('WEATHER', undef, [ 'call_w1', 'get_weather', { city => 'Bern' } ], [ 'call_w2', 'get_weather', { city => 'Rome' } ]),
    { match => { userMessage => 'WEATHER', hasToolResult => JSON::PP::true }, response => { content => 'Sun in both.' } },
    says('PICTURE', { content => 'A pixel.' }),
    { match => { inputText => 'one', endpoint => 'embedding' }, response => { embedding => [ 0.25, -0.5, 1 ] } },
);

my $dir = File::Temp->newdir('lf-formats-XXXXXXXX', TMPDIR => 1);
sub spew { my ($name, $text) = @_; open my $fh, '>:raw', "$dir/$name" or die; print $fh $text; close $fh or die; return "$dir/$name" }
my $up = LF::Aimock->start(\@fixtures);
my $address = $up->url;
my $bank = bank();
END { local $?; if ($bank) { kill 'TERM', $bank->{pid}; waitpid $bank->{pid}, 0 } }

# Where a service account gets its token: any, as the C tests judge what it signs.
sub bank {
    my $listen = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
    my $child = fork // die "fork: $!";
    if (!$child) {
        while (my $c = $listen->accept) {
            my $in = '';
            sysread $c, $in, 65536, length $in until $in =~ /\r\n\r\n.+/s;
            my $body = qq({"access_token":"$SECRET","expires_in":3600});
            print $c "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: @{[length $body]}\r\n\r\n$body";
            close $c;
        }
        POSIX::_exit(0);
    }
    return { pid => $child, url => 'http://127.0.0.1:' . $listen->sockport . '/token' };
}

# A key that signs; undef: nothing here makes one.
sub account {
    my $pem = `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null`;
    return if $pem !~ /BEGIN PRIVATE KEY/;
    return spew('account.json', $LF::JSON->encode({ type => 'service_account', project_id => 'proj-1', client_email => 'a@proj-1.iam',
        private_key => $pem, token_uri => $bank->{url} }));
}

sub forget { return $up->forget }
sub asked { return $up->asked }

# id => { url, path that must be asked, what it lacks }
my $account = account();
my %formats = (
    anthropic       => { url => $address, path => qr{^/v1/messages$} },
    gemini          => { url => $address, path => qr{^/v1beta/models/m-1:(?:streamG|g)enerateContent} },
    ollama          => { url => "$address/v1", path => qr{^/api/chat$} },
    cohere          => { url => "$address/v2", path => qr{^/v2/chat$} },
    bedrock         => { url => $address, path => qr{^/model/m-1/converse(?:-stream)?$} },
    'azure-openai'  => { url => $address, path => qr{^/openai/deployments/m-1/chat/completions} },
    ($account ? ('vertex-ai' => { url => $address, path => qr{^/v1/projects/proj-1/locations/us-central1/publishers/google/models/m-1:} }) : ()),
    chatgpt         => { url => "$address/backend", path => qr{/codex/responses$}, no_tools => 1, no_picture => 1 },
);
my @names = sort keys %formats;

my $api = LF->start(timeout => 40, model => { provider => 'offline', model => 'offline' },
    env => { LF_LLM_RETRY_MS => 20, LF_REST_SECOND_MS => 0, (map { $_ => $SECRET } qw(ANTHROPIC_API_KEY GEMINI_API_KEY OLLAMA_API_KEY COHERE_API_KEY AWS_BEARER_TOKEN_BEDROCK
        AZURE_OPENAI_API_KEY CHATGPT_SESSION_TOKEN)), AWS_REGION => '', $account ? (GOOGLE_APPLICATION_CREDENTIALS => $account) : () },
    config => "[provider_urls]\n" . join '', map {qq("$_" = "$formats{$_}{url}"\n)} @names);
my $made = 0;

sub agent {
    my ($provider) = @_;
    my $name = 'agent-' . ++$made;
    return $api->post('/api/agents', { manifest_toml => qq(name = "$name"\n[model]\nprovider = "$provider"\nmodel = "m-1"\n[capabilities]\ntools = ["memory_store"]\n) }, 201)->{agent_id};
}

# {text, ended, status, code, error, raw}
sub by_message {
    my ($id, $text) = @_;
    my $r = $api->raw('POST', "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) });
    my $j = $r->{json} // {};
    return { status => $r->{status}, text => $j->{response}, ended => $r->{status} == 200, code => $j->{code}, raw => $r->{content}, json => $j };
}

sub by_stream {
    my ($id, $text) = @_;
    my $s = $api->stream("/api/agents/$id/message/stream", { message => $text });
    return { status => $s->status, raw => $s->rest, ended => 0 } if $s->status != 200;
    my @e = $s->all;
    return { status => 200, ended => scalar(grep { $_->{event} eq 'done' } @e), raw => join("\n", map { $_->{data} } @e),
        text => join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } @e) };
}

sub by_gateway {
    my ($provider, $messages, %more) = @_;
    my $r = $api->raw('POST', '/v1/chat/completions', { headers => { 'Content-Type' => 'application/json' },
        content => $LF::JSON->encode({ model => "$provider/m-1", messages => $messages, %more }) });
    my $j = $r->{json} // {};
    my $m = $r->{status} == 200 ? $j->{choices}[0] : {};
    return { status => $r->{status}, text => $m->{message}{content}, finish => $m->{finish_reason}, ended => defined $m->{finish_reason} ? 1 : 0, tools => $m->{message}{tool_calls},
        usage => $j->{usage}, code => ref $j->{error} ? $j->{error}{code} : undef, raw => $r->{content} };
}

sub asks_rightly {
    my ($name) = @_;
    my @asked = asked();
    is scalar(grep { $_->{path} !~ $formats{$name}{path} } @asked), 0, '  at its own address' or diag join ' ', map { $_->{path} } @asked;
    return @asked;
}

for my $name (@names) {
    my $f = $formats{$name};
    subtest "$name: what goes well" => sub {
        my $id = agent($name);
        forget();
        is by_message($id, 'hello')->{text}, $SAY, 'a message has its answer, every character whole' or diag by_message($id, 'hello')->{raw};
        my $s = by_stream($id, 'hello');
        is $s->{text}, $SAY, 'and a stream' or diag $s->{raw};
        ok $s->{ended}, '  which ends';
        my $g = by_gateway($name, [ { role => 'system', content => 'Be kind.' }, { role => 'user', content => 'hello' } ], max_tokens => 50, temperature => 0.5, stop => ['END']);
        is $g->{text}, $SAY, 'and the gateway' or diag $g->{raw};
        is $g->{finish}, 'stop', '  to its end';
        is $g->{usage}{completion_tokens}, 5, '  with what it took' if $name ne 'ollama';
        cmp_ok scalar(asks_rightly($name)), '>=', 3, '  each asked for once or more';
        is_deeply [ map {"$_->{role}: $_->{content}"} @{ $api->get("/api/agents/$id/session", 200)->{messages} } ],
            [ map { ('User: hello', "Assistant: $SAY") } 1, 2 ], 'the history has it all';
    };
    subtest "$name: tools" => sub {
        plan skip_all => 'its format has none' if $f->{no_tools};
        for my $way (\&by_message, \&by_stream) {
            my $id = agent($name);
            forget();
            my $r = $way->($id, 'PARALLEL');
            like $r->{text}, qr/Both are kept\.$/, 'two calls at once, then the answer' or diag $r->{raw};
            is_deeply { map { $_->{key} => $_->{value} } @{ $api->get("/api/memory/agents/$id/kv", 200)->{kv_pairs} } }, { colour => 'blue', size => 'small' }, '  both were run';
            my @asked = asks_rightly($name);
            is scalar(@asked), 2, '  in two rounds';
        }
        my @tools = (tools => [ { type => 'function', function => { name => 'get_weather', description => 'w', parameters => { type => 'object', properties => { city => { type => 'string' } } } } } ]);
        my $r = by_gateway($name, [ { role => 'user', content => 'WEATHER' } ], @tools);
        is $r->{finish}, 'tool_calls', 'tools of the caller' or diag $r->{raw};
        is_deeply [ map { [ $_->{function}{name}, $LF::JSON->decode($_->{function}{arguments})->{city} ] } @{ $r->{tools} } ], [ [ 'get_weather', 'Bern' ], [ 'get_weather', 'Rome' ] ], '  come back as they were asked for';
        $r = by_gateway($name, [ { role => 'user', content => 'WEATHER' }, { role => 'assistant', content => undef, tool_calls => [ map { { id => $_->{id}, type => 'function', function => $_->{function} } } @{ $r->{tools} } ] },
            map { { role => 'tool', tool_call_id => $_->{id}, content => 'sunny' } } @{ $r->{tools} } ], @tools);
        is $r->{text}, 'Sun in both.', '  and the answer follows from both results' or diag $r->{raw};
    };
    subtest "$name: a picture" => sub {
        plan skip_all => 'its format takes none' if $f->{no_picture};
        forget();
        my $r = by_gateway($name, [ { role => 'user', content => [ { type => 'text', text => 'PICTURE' }, { type => 'image_url', image_url => { url => "data:image/png;base64,$PIXEL" } } ] } ]);
        is $r->{text}, 'A pixel.', 'is looked at' or diag $r->{raw};
    };
    subtest "$name: what fails" => sub {
        my %faults = ('NO-ANSWER' => qr/^llm_error$/, 'NOT-JSON' => qr/^(?:llm_error|broken_stream)$/, 'FAIL-500' => qr/^llm_error$/,
            'FAIL-503' => qr/^overloaded$/, 'BAD-KEY' => qr/^auth_error$/, 'ALWAYS-429' => qr/^rate_limited$/);
        for my $word (sort keys %faults) {
            my $id = agent($name);                  # what had no answer would be asked again with the next
            my $since = Time::HiRes::time();
            my $r = by_message($id, $word);
            ok !$r->{ended}, "$word is an error" or diag $r->{raw};
            like $r->{code} // 'none', $faults{$word}, '  with its word' or diag $r->{raw};
            unlike $r->{raw}, qr/\Q$SECRET\E|Internal server error/, '  that says no secret';
            $r = by_stream($id, $word);
            ok !$r->{ended}, '  in a stream too' or diag $r->{raw};
            cmp_ok Time::HiRes::time() - $since, '<', 60, '  and soon';
        }
        my $id = agent($name);
        my $r = by_stream($id, 'CUT-HERE');
        ok !$r->{ended}, 'a stream that is cut is no answer' or diag $r->{raw};
        ok index($HALF, $r->{text}) == 0 && $r->{text} ne $HALF, '  what came before was passed on, and no more' or diag $r->{raw};
        is by_message($id, 'hello')->{text}, $SAY, 'and the next question is answered';
        is scalar(grep { $_->{role} eq 'Assistant' } @{ $api->get("/api/agents/$id/session", 200)->{messages} }), 1, '  alone: the history has no half answers';
    };
}

subtest 'embeddings' => sub {
    my $prog = LF::builddir() . '/t/llm/embed';
    plan skip_all => 'make check builds the program that asks for them' unless -x $prog;
    local @ENV{qw(LF_AIMOCK LF_AIMOCK_KEY)} = ($address, $SECRET);
    my $said = `$prog 2>&1`;
    is $?, 0, 'come from OpenAI, Ollama, Gemini and Cohere, with the dimensions that are wanted' or diag $said;
};

my $logs = join '', map { LF::slurp($_) } glob($api->home . '/logs/*');
$api->down;
unlike $logs, qr/\Q$SECRET\E|PRIVATE KEY/, "no provider's key is in the log";
done_testing;
