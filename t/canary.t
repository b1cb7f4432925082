#!/usr/bin/perl
# Secrets set everywhere, everything exercised, then looked for everywhere: answers, log, store, files of the
# run directory, and what /proc shows of our processes. A daemon that is killed leaves no core.
use strict;
use warnings;
use Digest::SHA ();
use LF;
use Test::More;

LF::needed();
my $MARK = 'canary' . LF::random_key();         # in each of them
my %secret = map { ($_ => "sk-$_-$MARK") } qw(env file vault posted echoed pool master hub);

# An upstream that tells everybody the key it was sent, as providers do when they refuse it.
my $told = LF->mock(key => { map { ($_ => { status => 401, body => { error => { message => "Incorrect API key provided: $_. Bearer $_", code => 'invalid_api_key' } } }) } values %secret });
my $good = LF->mock(default => { text => 'fine' });
my $config = <<"TOML";
[provider_urls]
own = "@{[$good->url]}"
openai = "@{[$told->url]}"
groq = "@{[$told->url]}"
together = "@{[$told->url]}"
mistral = "@{[$good->url]}"

[provider_api_keys]
own = "FILE_SECRET_KEY"

[[credential_pools]]
provider = "mistral"
[[credential_pools.keys]]
api_key_env = "POOL_SECRET_KEY"
label = "first"

[[users]]
name = "ada"
role = "user"
api_key_hash = "\$sha256\$@{[Digest::SHA::sha256_hex($secret{hub})]}"
TOML
my $api = LF->start(model => { provider => 'own', model => 'mock-model' }, config => $config, limits => '',
    env => { OPENAI_API_KEY => $secret{env}, POOL_SECRET_KEY => $secret{pool}, LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0 },
    files => { 'secrets.env' => "FILE_SECRET_KEY=$secret{file}\n" });
chmod 0600, $api->home . '/secrets.env';

my %leak;
sub look { my ($where, $text) = @_; $leak{"$where: $1"} = 1 while ($text // '') =~ /(.{0,20}\Q$MARK\E)/g; return }
sub ask {
    my ($verb, $path, $body) = @_;
    my $r = $api->raw($verb, $path, defined $body ? { headers => { 'Content-Type' => 'application/json' }, content => ref $body ? $LF::JSON->encode($body) : $body } : {});
    look("$verb $path", $r->{content} . join ' ', %{ $r->{headers} });
    return $r;
}

subtest 'everything is used' => sub {
    is ask(PUT => '/api/vault/SEARCH_API_KEY', { value => $secret{vault} })->{status}, 200, 'the vault';
    is ask(POST => "/api/providers/$_/key", { key => $secret{posted} })->{status}, 200, "a key for $_" for qw(groq together);
    is ask(POST => '/api/providers/groq/key', $_)->{status}, 400, 'a key that is refused' for { key => "$secret{posted}\n$secret{posted}" }, { key => "\"$secret{posted}\"" };
    is ask(POST => '/api/providers/groq/key', "{\"key\":\"$secret{posted}\"")->{status}, 400, 'half of one';
    is ask(PUT => '/api/vault/BAD', { value => "$secret{posted}\n" })->{status}, 400, 'one of two lines';
    my @id = map { my $p = $_; $api->post('/api/agents', { manifest_toml => "name = \"c-$p\"\n[model]\nprovider = \"$p\"\nmodel = \"m-1\"\n" }, 201)->{agent_id} } qw(own openai groq mistral);
    my @status = map { ask(POST => "/api/agents/$_/message", { message => 'hello' })->{status} } @id;
    is "@status", '200 500 500 200', 'calls that work and calls that are refused';
    for my $id (@id) { look("stream $id", $_->{data} // $LF::JSON->encode($_->{json})) for $api->stream("/api/agents/$id/message/stream", { message => 'hello' })->all }
    ask(POST => '/v1/chat/completions', { model => "openai/gpt-5", messages => [ { role => 'user', content => 'hi' } ], @$_ }) for [], [ stream => JSON::PP::true() ];
    ask(POST => "/api/providers/$_/test") for qw(openai groq together own mistral anthropic);
    ask(POST => '/api/providers/together/default', {});
    ask(DELETE => '/api/providers/together/key');
    $api->raw(GET => '/api/status', { headers => { Authorization => "Bearer $secret{master}" } });
    look('401', $api->raw(GET => "/api/agents?token=$secret{master}", { headers => { Authorization => "Bearer $secret{master}" } })->{content});
    ask(GET => '/api/credential-pools');
    my ($rc, $out) = $api->command(\"$secret{vault}\n", 'vault', 'set', 'OTHER');
    look('command', $out);
    look('command', ($api->command(@$_))[1]) for [qw(vault list)], [qw(provider list)], [qw(provider show groq)], [qw(config show)], ['doctor'], ['status'];
    my $doc = $api->get('/api/openapi.json', 200);
    for my $path (sort keys %{ $doc->{paths} }) {
        next if !$doc->{paths}{$path}{get} || $path =~ m{/ws$|/stream$|/attach|events/stream|watch};
        (my $p = $path) =~ s/\{id\}/$id[1]/g;
        $p =~ s/\{name\}/groq/g;
        $p =~ s/\{\w+\}/x/g;
        ask(GET => $p);
    }
};

subtest 'and found nowhere' => sub {
    is join("\n", sort keys %leak), '', 'not in what was answered';
    my @where = grep { !m{/secrets\.env$|/config\.toml(?:\.prev)?$} && index(LF::slurp($_), $MARK) >= 0 } split /\0/, qx(find '@{[$api->home]}' '$api->{dir}/run' -type f -print0);
    is "@where", '', 'not in log, store or any other file';
    my $p = $api->processes;
    my @pids = ($api->supervisor, map {@$_} values %$p);
    cmp_ok scalar(@pids), '>', 3, 'our processes';
    is join(' ', grep { index(LF::slurp($_), $MARK) >= 0 } map { ("/proc/$_/cmdline", "/proc/$_/environ") } @pids), '', 'show none';
    ok !(grep { index(LF::slurp($_), $MARK) >= 0 } glob '/dev/shm/librefang-*'), 'nor does what they share';
};

subtest 'no core' => sub {
    my ($pid) = @{ $api->processes->{librefangd} };
    like LF::slurp("/proc/$pid/limits"), qr/^Max core file size\s+0\s+0\s/m, 'none may be written';
    kill 'ABRT', $pid;
    ok $api->wait_for(sub { my ($new) = @{ $api->processes->{librefangd} // [] }; $new && $new != $pid }), 'a daemon that was killed comes again';
    ok $api->wait_for(sub { $api->raw('GET', '/api/ready')->{status} == 200 }), 'and serves';
    is join(' ', grep { /core/ && -f } glob("$api->{dir}/* @{[$api->home]}/* $api->{dir}/run/*/*")), '', 'it left nothing of itself';
    my ($a) = @{ $api->get('/api/agents', 200)->{items} };
    is ask(POST => "/api/agents/$a->{id}/message", { message => 'hello' })->{status} =~ /^(?:200|412|500)$/, 1, 'and has its keys';
};
done_testing;
