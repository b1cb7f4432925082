#!/usr/bin/perl
# A disk may take seconds to say that something is on it. Whoever waits for that keeps nobody else from writing: no file is waited
# for while the store's write lock is held, whatever is asked for.
use strict;
use warnings;
use File::Temp ();
use LF;
use MIME::Base64 ();
use Test::More;

LF::needed();
plan skip_all => 'no /proc/locks' unless -r '/proc/locks';
plan skip_all => 'a sanitizer wants to be loaded first' if LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;
my $tools = File::Temp->newdir('lf-disk-XXXXXXXX', TMPDIR => 1);
my $rc = system(($ENV{CC} // 'cc') . " -O1 -fPIC -shared -D_GNU_SOURCE= -o '$tools/held.so' '" . LF::srcdir() . "/t/starve/held.c' -ldl");
plan skip_all => 'no compiler for what looks' if $rc != 0;

my $home = File::Temp->newdir('lf-disk-XXXXXXXX', TMPDIR => 1);
my $up = LF->mock(
    when    => [ [ 'call_w' => { text => 'Written.' } ], [ 'WRITE' => { tool_calls => [ { id => 'call_w', name => 'file_write', arguments => { path => 'a.txt', content => 'b' } } ] } ] ],
    default => { text => 'Hello.' });
my $api = LF->start(home => "$home/home", model => $up, env => { LD_PRELOAD => "$tools/held.so", LF_HELD => "$tools/said", LF_HELD_DB => "$home/home/data/librefang-c.db" });

# What waited for the disk while the code ran: ["held fsync path", ...].
sub waits {
    my ($code) = @_;
    unlink "$tools/said";
    $code->();
    return -e "$tools/said" ? split /\n/, LF::slurp("$tools/said") : ();
}

sub nobody_waits {
    my ($name, $code) = @_;
    my @all = waits($code);
    cmp_ok scalar @all, '>', 0, "$name: the disk is waited for";
    is_deeply [ grep {/^held/} @all ], [], '... with no lock in hand';
    return;
}

# The test can see it: somebody who does.
my $lock = $api->lock_store;
SKIP: {
    skip 'no tool that holds the lock', 1 if !$lock;
    my $seen = LF::slurp('/proc/locks');
    my $shm = (stat "$home/home/data/librefang-c.db-shm")[1];
    like $seen, qr/POSIX +ADVISORY +WRITE \d+ [0-9a-f]+:[0-9a-f]+:$shm 120 120$/m, 'a writer is known by its lock';
    $lock->();
}

my $id = $api->post('/api/agents', { manifest_toml => "name = \"disk\"\n" }, 201)->{agent_id};
my $png = MIME::Base64::decode_base64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==');
my $picture = sub { return { type => 'image', media_type => 'image/png', data => MIME::Base64::encode_base64($png . $_[0], '') } };

nobody_waits('an alias', sub {
    $api->post('/api/models/aliases', { alias => 'mine', model_id => 'gpt-5' }, 201);
    $api->del('/api/models/aliases/mine', 204);
});
nobody_waits('the configuration', sub { $api->put('/api/budget', { max_daily_usd => 1000 }, 200) });
nobody_waits('an agent', sub { $api->patch("/api/agents/$id", { description => 'of the disk' }, 200); $api->put("/api/budget/agents/$id", { max_cost_per_day_usd => 1 }, 200) });
nobody_waits('a template', sub { $api->post('/api/templates', { name => 'disk', system_prompt => 'x' }, 201) });
nobody_waits('a secret', sub { $api->put('/api/vault/DISK_KEY', { value => 'x' }, 200); $api->post('/api/providers/openai/key', { key => 'sk-disk' }, 200) });
nobody_waits('a conversation with pictures', sub {
    $api->post("/api/agents/$id/sessions/import", { version => 1, messages => [ map { { role => 'user', content => [ $picture->($_), { type => 'text', text => "picture $_" } ] } } 1 .. 3 ] }, 200);
});
nobody_waits('a question with a picture', sub {
    my $file = $api->raw(POST => "/api/agents/$id/upload", { headers => { 'Content-Type' => 'image/png', 'X-Filename' => 'a.png' }, content => $png })->{json}{file_id};
    $api->post("/api/agents/$id/message", { message => 'look', attachments => [ { file_id => $file } ] }, 200);
});
nobody_waits('a tool that writes', sub { $api->post("/api/agents/$id/message", { message => 'WRITE' }, 200) });
$api->finish;
done_testing;
