#!/usr/bin/perl
# The reference's curl lines: every row but the socket has one, and a shell that runs it
# gets a good answer.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
plan skip_all => 'curl is not installed' if system('curl --version >/dev/null 2>&1') != 0;
my $up = LF->mock;
my $api = LF->start(env => { LF_GITHUB_URL => $up->base },
    config => qq([provider_urls]\nopenai = "@{[$up->url]}"\nollama = "@{[$up->url]}"\n[[users]]\nname = "ada"\nrole = "user"\n));
my $text = LF::slurp(LF::builddir() . '/doc/endpoints.md');
my @rows = map { my ($verb, $path) = split /\t/; "$verb $path" } split /\n/, LF::slurp(LF::builddir() . '/endpoints.tsv');
my %line = $text =~ /^### (\S+ \S+)\n(?:(?!^### ).)*?^```sh\n(curl .*?)\n```$/msg;
is_deeply [ grep { !$line{$_} } @rows ], [ 'GET /api/agents/{id}/ws', 'GET /api/agents/{id}/sessions/{session_id}/stream' ], 'every row that ends has its line';
my ($head) = $text =~ /^The examples need:\n\n```\n(.*?)^```$/ms;
is_deeply [ grep { $text =~ /\$$_\b/ && $head !~ /^$_=/m } $text =~ /\$([A-Z]+)/g ], [], 'and what it needs is said';

my %env = ($api->environment, BASE => $api->base, PATH => LF::builddir() . ":$ENV{PATH}");
my $n = 0;

# What a shell says of it; the words of the head are run as they stand there.
sub shell {
    my ($line, %more) = @_;
    my $file = $api->{dir} . '/line.sh';
    open my $fh, '>', $file or die "$file: $!";
    print $fh "set -e\n", ($head =~ s/^(BASE|LOGIN|MEMORY|POLL|SESSION|UPLOAD)=.*\n//mgr), "curl() { command curl -sS -w '\\n%{http_code}' \"\$@\"; }\n$line\n";
    close $fh or die "$file: $!";
    local %ENV = (%env, %more);
    local $?;
    my $out = qx{sh '$file' 2>&1};
    my ($body, $status) = $out =~ /^(.*)\n(\d{3})\n*\z/s;
    return ($status // 0, $body // $out);
}

for my $row (sort { ($a =~ /shutdown/) <=> ($b =~ /shutdown/) || $a cmp $b } keys %line) {
    my %more;
    my $agent = $api->get('/api/agents', 200)->{items}[0]{id} // $api->post('/api/agents', { manifest_toml => 'name = "assistant"' }, 201)->{agent_id};
    if ($row =~ m{/sessions/}) { $more{SESSION} = $api->post("/api/agents/$agent/sessions", { label => 'notes' }, 200)->{session_id} }
    if ($row eq 'POST /api/auth/logout') {
        my ($link) = ($api->command('login'))[1] =~ /#link=(\w+)/;
        $more{LOGIN} = $api->call(POST => '/api/auth/link', { token => $link }, 200, { Authorization => undef })->{token};
    }
    if ($row =~ m{/uploads/}) { $more{UPLOAD} = $api->call(POST => "/api/agents/$agent/upload", 'x', 201, { 'Content-Type' => 'text/plain' })->{file_id} }
    if ($row =~ m{/templates/\{name\}}) { $api->put('/api/templates/coder', { description => 'changed' }, 200) }
    if ($row =~ m{/files/}) { $api->put("/api/agents/$agent/files/SOUL.md", { content => 'x' }, 200) }
    if ($row =~ m{kv/\{key\}}) { $api->put("/api/memory/agents/$agent/kv/colour", { value => 'red' }, 200) }
    if ($row =~ m{/api/memory/(?:items|bulk)}) {
        $api->post("/api/memory/agents/$agent/import", [ { content => "memory $n of many", level => 'user', category => '', confidence => 1, created_at => '', updated_at => undef, metadata => {} } ], 200);
        $more{MEMORY} = $api->get("/api/memory/agents/$agent", 200)->{memories}[0]{id};
    }
    if ($row =~ m{/poll/}) { $more{POLL} = $api->post('/api/providers/github-copilot/oauth/start', undef, 200)->{poll_id} }
    if ($row =~ m{providers/\{name\}/test}) { $api->post('/api/providers/openai/key', { key => 'x' }, 200) }
    if ($row =~ m{/users/\{}) { $api->raw('POST', '/api/users', { headers => { 'Content-Type' => 'application/json' }, content => '{"name":"ada"}' }) }
    if ($row =~ m{/api/vault}) { $api->put('/api/vault/SEARCH_API_KEY', { value => 'x' }, 200) }
    if ($row =~ m{/api/vault/init}) { unlink $api->home . '/vault.enc' }
    if ($row eq 'DELETE /api/models/aliases/{alias}') { $api->post('/api/models/aliases', { alias => 'best', model_id => 'gpt-5' }, 201) }
    if ($row eq 'DELETE /api/models/custom/{id*}') { $api->post('/api/models/custom', { id => 'my-model' }, 201) }
    my ($status, $body) = shell($line{$row}, %more);
    # what cannot be configured yet is said to be missing
    my %lacks = ('POST /api/agents/{id}/push' => 404, 'PATCH /api/agents/{id}/hand-runtime-config' => 400, 'DELETE /api/agents/{id}/hand-runtime-config' => 400, 'POST /api/auth/change-password' => 400);
    my $good = $lacks{$row} // qr/^20\d$/;
    like $status, qr/^(?:$good)$/, $row or diag "$line{$row}\n$body";
}
$api->finish;
done_testing;
