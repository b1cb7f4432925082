#!/usr/bin/perl
# Command-line programs as providers, end to end: a script plays claude for an agent, a stream and the gateway.
use strict;
use warnings;
use File::Temp ();
use LF;
use POSIX ();
use Test::More;

LF::needed();
my $dir = File::Temp->newdir('lf-cli-XXXXXXXX', TMPDIR => 1);
sub program {
    my ($name, $script) = @_;
    open my $fh, '>', "$dir/$name" or die;
    print $fh "#!/bin/sh\n$script\n";
    close $fh or die;
    chmod 0755, "$dir/$name" or die;
    return;
}
program('claude', qq(cat > "$dir/asked"; env > "$dir/env"; tr '\\0' '\\n' < /proc/\$PPID/cmdline > /dev/null\n)
    . q(echo '{"type":"result","is_error":false,"result":"Hello from a program.","usage":{"input_tokens":3,"output_tokens":5}}'));
my $api = LF->start(model => { provider => 'offline', model => 'offline' }, env => { PATH => "$dir:$ENV{PATH}", OPENAI_API_KEY => 'sk-canary-canary-1' });
my $id = $api->post('/api/agents', { manifest_toml => qq(name = "ada"\n[model]\nprovider = "claude-code"\nmodel = "claude-code/opus"\n) }, 201)->{agent_id};

my $r = $api->post("/api/agents/$id/message", { message => 'are you there' }, 200);
is $r->{response}, 'Hello from a program.', 'an agent has its answer from a program';
like LF::slurp("$dir/asked"), qr/\[User\]\nare you there$/, 'which was asked with the conversation';
unlike LF::slurp("$dir/env"), qr/canary|LF_|API_KEY/, 'and given no key of ours';
like LF::slurp("$dir/env"), qr/^LIBREFANG_AGENT_ID=\Q$id\E$/m, 'but who asks';
my $s = $api->stream("/api/agents/$id/message/stream", { message => 'again' });
is join('', map { $_->{json}{content} } grep { $_->{event} eq 'chunk' } $s->all), 'Hello from a program.', 'a stream too';
my $g = $api->post('/v1/chat/completions', { model => 'claude-code/sonnet', messages => [ { role => 'user', content => 'hi' } ] }, 200);
is $g->{choices}[0]{message}{content}, 'Hello from a program.', 'and the gateway';
program('claude', q(cat > /dev/null; echo 'Please run /login' >&2; exit 1));
my $e = $api->post("/api/agents/$id/message", { message => 'and now' }, 500);
is $e->{code}, 'auth_error', 'a program without a login is a refused key';
program('claude', q(cat > /dev/null; kill -9 $$));
is $api->post("/api/agents/$id/message", { message => 'and now' }, 500)->{code}, 'llm_error', 'one that dies is an error';
my $status = sub { return $api->get("/api/providers/$_[0]", 200)->{auth_status} };
is $status->('claude-code'), 'configured', 'a program that is there is seen in the list';
is $status->('qwen-code'), 'cli_not_installed', 'and one that is not';
my %can = map { $_->{id} => $_->{available} } @{ $api->get('/api/models', 200)->{models} };
ok $can{'claude-code/opus'} && !$can{'qwen-code/qwen3-coder'}, 'so are its models';
program('qwen', 'exit 0');
$api->restart;
is $status->('qwen-code'), 'configured', 'it is looked for at the start';
$api->finish;

# What their own configurations name beside what the catalog knows.
sub settings {
    my ($file, $text) = @_;
    mkdir "$dir/home";
    mkdir "$dir/home/" . $file =~ s{/.*}{}r;
    open my $fh, '>', "$dir/home/$file" or die "$file: $!";
    print $fh $text;
    close $fh or die;
    return;
}
settings('.claude/settings.json', '{ "model": "opusplan" }');
settings('.codex/config.toml', qq(model = "o-plain"\nprofile = "mine"\n[profiles.mine]\nmodel = "gpt-9-codex"\n));
settings('.gemini/settings.json', qq({\n  // the newer way to say it\n  "model": { "name": "gemini-2.5-pro" }\n}\n));
settings('.qwen/settings.json', '{ "model": "two words" }');
program('claude', q(cat > /dev/null; tr '\0' ' ' < /proc/$$/cmdline > /dev/null; echo "{\"type\":\"result\",\"is_error\":false,\"result\":\"with $*\"}"));
$api = LF->start(env => { PATH => "$dir:$ENV{PATH}", HOME => "$dir/home" });
my $of_config = sub { return grep { ($_->{source} // '') eq 'cli_config' } @{ $api->get('/api/models', 200)->{models} } };
my @rows = $of_config->();
is join(' ', map { $_->{id} } @rows), 'claude-code/opusplan codex-cli/gpt-9-codex', 'models that programs have set are listed; those that are known, or no name, are not';
is_deeply [ @{ $rows[0] }{qw(display_name tier provider context_window available)} ], [ 'opusplan (Claude Code)', 'custom', 'claude-code', 0, JSON::PP::true ], 'as what they are';
ok !$rows[1]{available}, 'that the program is not there is said';
my $list = $api->get('/api/models', 200);
is $list->{models}[-1]{id}, 'codex-cli/gpt-9-codex', 'behind all others';
is scalar(@{ $list->{models} }), $list->{total}, 'and counted';
is $api->get('/api/models/claude-code%2Fopusplan', 200)->{source}, 'cli_config', 'one is shown alone';
$id = $api->post('/api/agents', { manifest_toml => qq(name = "ada"\n[model]\nprovider = "claude-code"\nmodel = "claude-code/opusplan"\n) }, 201)->{agent_id};
like $api->post("/api/agents/$id/message", { message => 'hello' }, 200)->{response}, qr/--model opusplan/, 'and can be asked';
is $api->get('/api/usage/summary', 200)->{total_cost_usd}, 0, 'for nothing';
settings('.claude/settings.json', '{ "model": "opus" }');
unlink "$dir/home/.codex/config.toml" or die;
$api->restart;
is join(' ', map { $_->{id} } $of_config->()), '', 'what is not set any more goes at the next start';
settings('.claude/settings.json', '[' x 100000);
settings('.codex/config.toml', "model = \n");
unlink "$dir/home/.gemini/settings.json" or die;
POSIX::mkfifo("$dir/home/.gemini/settings.json", 0600) or die;
$api->restart;
is join(' ', map { $_->{id} } $of_config->()), '', 'and files that are none hurt nobody';
$api->finish;

# Google Cloud with gcloud's login instead of a key.
program('gcloud', q(echo ya29.canary-of-gcloud));
my $vertex = LF->mock(other => [ [ qr/:generateContent$/ => { body => { candidates => [ { content => { parts => [ { text => 'Hello from a cloud.' } ] }, finishReason => 'STOP' } ] } } ] ]);
my $with = sub { return LF->start(model => { provider => 'vertex-ai', model => 'gemini-2.5-flash' }, env => { PATH => "$dir:$ENV{PATH}", HOME => $dir, @_ }, config => qq([provider_urls]\nvertex-ai = "@{[$vertex->base]}"\n)) };
$api = $with->();
is $status->('vertex-ai'), 'missing', 'a login without a project is none';
$id = $api->post('/api/agents', { manifest_toml => qq(name = "ada"\n) }, 201)->{agent_id};
is $api->post("/api/agents/$id/message", { message => 'hello' }, 412)->{code}, 'provider_auth_missing', 'and nobody is asked';
$api->finish;
$api = $with->(GOOGLE_CLOUD_PROJECT => 'proj-1');
is $status->('vertex-ai'), 'auto_detected', 'with one it is found';
$id = $api->post('/api/agents', { manifest_toml => qq(name = "ada"\n) }, 201)->{agent_id};
is $api->post("/api/agents/$id/message", { message => 'hello' }, 200)->{response}, 'Hello from a cloud.', 'and used';
my ($asked) = grep { $_->{path} =~ /generateContent/i } @{ $vertex->requests };
is $asked->{headers}{authorization}, 'Bearer ya29.canary-of-gcloud', 'with the token that gcloud gave';
unlike $api->log_text, qr/canary/, 'which nobody else sees';
$api->finish;
done_testing;
