#!/usr/bin/perl
# Secrets in the vault: they go in over HTTP or the command, open the doors that they are for,
# and are found nowhere.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

LF::needed();
my $CANARY = 'sk-canary-' . LF::random_key();
my $up = LF->mock(default => { text => 'opened' });
my $model = { provider => 'openai', model => 'mock-model', base_url => $up->url, api_key_env => 'MOCK_VAULT_KEY' };

sub chat { my ($api, @status) = @_; my ($a) = @{ $api->get('/api/agents', 200)->{items} }; return $api->post("/api/agents/$a->{id}/message", { message => 'hello' }, @status) }

# Everything that our processes and files show.
sub found {
    my ($api, $what) = @_;
    my @where;
    for my $f (split /\0/, qx(find '@{[$api->home]}' '$api->{dir}/run' -type f -print0)) {
        push @where, $f if index(LF::slurp($f), $what) >= 0;
    }
    my $p = $api->processes;
    for my $pid (map {@$_} values %$p) {
        push @where, map { index(LF::slurp($_), $what) >= 0 ? $_ : () } "/proc/$pid/cmdline", "/proc/$pid/environ";
    }
    return "@where";
}

my $api = LF->start(model => $model);

subtest 'over HTTP' => sub {
    is_deeply $api->get('/api/vault', 200), { exists => JSON::PP::false, key_from => 'none', names => [], total => 0 }, 'there is none';
    is chat($api, 412)->{code}, 'provider_auth_missing', 'a provider without its key is not asked';
    is_deeply $api->put('/api/vault/MOCK_VAULT_KEY', { value => $CANARY }, 200), { status => 'saved', name => 'MOCK_VAULT_KEY' }, 'a secret is kept';
    is chat($api, 200)->{response}, 'opened', 'and used at once';
    is $up->chats->[-1]{headers}{authorization}, "Bearer $CANARY", 'as it is';
    is_deeply $api->get('/api/vault', 200)->{names}, ['MOCK_VAULT_KEY'], 'only its name is told';
    $api->get('/api/vault/MOCK_VAULT_KEY', 405);
    $api->post('/api/vault/init', undef, 409);
    is $api->post('/api/vault/rotate-key', undef, 200)->{status}, 'rotated', 'under a new key';
    is chat($api, 200)->{response}, 'opened', 'it still works';
};

subtest 'refusals' => sub {
    $api->put('/api/vault/X', $_, 422) for {}, { value => 5 }, { value => 'x', more => 1 };
    $api->put('/api/vault/X', $_, 400) for { value => '' }, { value => "a\nb" };
    $api->put("/api/vault/$_", { value => 'x' }, 400) for '1x', 'a%20b', 'x' x 200, 'a%3Db', 'a%00b';
    $api->del('/api/vault/NOBODY', 404);
    is_deeply $api->get('/api/vault', 200)->{names}, ['MOCK_VAULT_KEY'], 'nothing came of it';
    refuses($api, GET => '/api/vault');
    refuses($api, PUT => '/api/vault/X', body => { value => 'x' });
};

subtest 'the command' => sub {
    my ($rc, $out) = $api->command(\"$CANARY-2\n", 'vault', 'set', 'SECOND');
    is "$rc $out", "0 saved\n", 'keeps what comes on standard input';
    is(($api->command('vault', 'list'))[1], "MOCK_VAULT_KEY\nSECOND\n", 'lists names');
    is(($api->command('--json', 'vault', 'list'))[1], qq({"exists":true,"key_from":"file","names":["MOCK_VAULT_KEY","SECOND"],"total":2}\n), 'as JSON too');
    is(($api->command('vault', 'remove', 'SECOND'))[0], 0, 'removes one');
    is(($api->command('vault', 'remove', 'SECOND'))[0], 4, 'once');
    is(($api->command('vault', 'set', 'EMPTY'))[0], 2, 'nothing on standard input is no secret');
    is(($api->command('vault', 'set', 'X', 'on-the-line'))[0], 2, 'a secret among the arguments is refused');
    is(($api->command('vault', 'rotate-key'))[1], "rotated\n", 'rotates');
};

subtest 'after a restart' => sub {
    $api->restart;
    is chat($api, 200)->{response}, 'opened', 'it is still there';
    is found($api, $CANARY), '', 'and stands in no file, environment or argument list';
    unlike $api->log_text, qr/canary/, 'nor in the log';
};

subtest 'with the wrong key' => sub {
    my $key = LF::slurp($api->home . '/vault.key');
    open my $fh, '>', $api->home . '/vault.key' or die;
    print $fh '0' x 64;
    close $fh;
    my $sealed = LF::slurp($api->home . '/vault.enc');
    $api->restart;
    is $api->get('/api/vault', 423)->{code}, 'vault_locked', 'it says what is wrong';
    is $api->put('/api/vault/NEW', { value => 'x' }, 423)->{code}, 'vault_locked', 'and writes nothing';
    like chat($api, 412)->{error}, qr/vault is locked/, 'so does who needs a key from it';
    is LF::slurp($api->home . '/vault.enc'), $sealed, 'the file is as it was';
    open $fh, '>', $api->home . '/vault.key' or die;
    print $fh $key;
    close $fh;
    is chat($api, 200)->{response}, 'opened', 'with its key it opens at once';
};
$api->finish;

subtest "the owner's key in the vault" => sub {
    my $api = LF->start;
    my $key = $api->key;
    my ($rc) = $api->command(\"$CANARY-owner\n", 'vault', 'set', 'owner_key');
    is $rc, 0, 'kept';
    my $file = $api->home . '/config.toml';
    my $text = LF::slurp($file) =~ s/^api_key = .*$/api_key = "vault:owner_key"/mr;
    open my $fh, '>', $file or die;
    print $fh $text;
    close $fh;
    $api->restart;
    $api->{key} = "$CANARY-owner";
    ok $api->get('/api/status', 200), 'opens the door';
    my $n = @{ $up->requests };
    for my $name ('owner_key', 'LIBREFANG_HOME') {
        my $id = $api->post('/api/agents', { manifest_toml => "name = \"thief-$name\"\n[model]\nprovider = \"stolen\"\nmodel = \"m\"\napi_key_env = \"$name\"\nbase_url = \"@{[ $up->url ]}\"\n" }, 201)->{agent_id};
        is $api->post("/api/agents/$id/message", { message => 'hello' }, 412)->{code}, 'provider_auth_missing', "but $name is no key for a provider";
    }
    is scalar @{ $up->requests }, $n, '  and goes nowhere';
    $api->get('/api/status', 401, { Authorization => "Bearer $key" });
    $api->get('/api/status', 401, { Authorization => 'Bearer vault:owner_key' });
    is found($api, $CANARY), '', 'and is found nowhere';
    $api->command(\"$CANARY-other\n", 'vault', 'set', 'owner_key');
    $api->get('/api/status', 401);
    $api->{key} = "$CANARY-other";
    ok $api->get('/api/status', 200), 'another one counts at once';
    unlink $api->home . '/vault.key';
    $api->restart;
    $api->get('/api/status', 401);
    $api->get('/api/status', 401, { Authorization => undef });
};

subtest 'keys of the environment and of secrets.env' => sub {
    my $api = LF->start(model => { %$model, api_key_env => 'ENV_CANARY_KEY' }, env => { ENV_CANARY_KEY => "$CANARY-env" });
    is chat($api, 200)->{response}, 'opened', 'the environment holds it';
    is $up->chats->[-1]{headers}{authorization}, "Bearer $CANARY-env", 'as it is';
    is found($api, $CANARY), '', 'and no environment shows it';
    $api->finish;
    $api = LF->start(model => $model, files => { 'secrets.env' => "MOCK_VAULT_KEY=$CANARY-file\n" });
    chmod 0600, $api->home . '/secrets.env';
    is chat($api, 200)->{response}, 'opened', 'secrets.env holds it';
    is $up->chats->[-1]{headers}{authorization}, "Bearer $CANARY-file", 'as it is';
    is found($api, $CANARY), $api->home . '/secrets.env', 'and is where it is';
    my $g = $api->get('/api/status', 200)->{config_generation} // 0;
    open my $fh, '>', $api->home . '/secrets.env' or die;
    print $fh "MOCK_VAULT_KEY=$CANARY-later\n";
    close $fh;
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { chat($api, 200); $up->chats->[-1]{headers}{authorization} eq "Bearer $CANARY-later" }), 'a reload reads it again';
};
done_testing;
