#!/usr/bin/perl
# What is written beside the store, while something is in the way: the lock of the home is somebody else's, the vault
# cannot be written, the server dies. Nobody waits for ever, nothing is half done.
use strict;
use warnings;
use Fcntl qw(:flock O_RDONLY O_DIRECTORY);
use LF;
use Test::More;

my $api = LF->start;
my ($home, $file) = ($api->home, $api->home . '/config.toml');
sub secrets { return [ grep { /^user\./ } @{ $api->get('/api/vault', 200)->{names} } ] }
sub notes   { return [ glob "$home/data/underway/user.*" ] }

subtest 'somebody else has the lock of the home' => sub {
    sysopen my $lock, $home, O_RDONLY | O_DIRECTORY or die $!;
    flock $lock, LOCK_EX or die $!;
    my $before = LF::slurp($file);
    my @waiting = ($api->later('/api/budget', { max_daily_usd => 5 }, method => 'PUT'), $api->later('/api/vault/A_KEY', { value => 'x' }, method => 'PUT'));
    $api->get('/api/status', 200);
    $api->get('/api/vault', 200);
    for my $w (@waiting) {
        $w->read_head;
        is $w->status, 503, 'who would write is told to come again';
        like $w->headers->{'retry-after'}, qr/^[1-9]/, '... and when';
    }
    is LF::slurp($file), $before, 'and nothing is written';
    close $lock;
    is $api->put('/api/budget', { max_daily_usd => 5 }, 200)->{daily_limit}, 5, 'then it goes on';
    $api->put('/api/vault/A_KEY', { value => 'x' }, 200);
};

subtest 'a user goes while the vault cannot be written' => sub {
    $api->post('/api/users', { name => 'ann' }, 201);
    $api->put('/api/users/ann/provider-keys/openai', { api_key => 'sk-ann' }, 200);
    is scalar @{ secrets() }, 1, 'she has a key';
    rename "$home/vault.enc", "$home/aside" or die $!;
    mkdir "$home/vault.enc" or die $!;
    like $api->del('/api/users/ann', 500)->{code}, qr/vault/, 'then she does not go';
    $api->get('/api/users/ann', 200);
    is_deeply notes(), [], 'and nothing of it is left over';
    rmdir "$home/vault.enc" or die $!;
    rename "$home/aside", "$home/vault.enc" or die $!;
    is scalar @{ secrets() }, 1, 'nor lost';
    $api->del('/api/users/ann', 204);
    is_deeply secrets(), [], 'when it can be written all of her goes';
    $api->post('/api/users', { name => 'ann' }, 201);
    is_deeply $api->get('/api/users/ann/provider-keys', 200)->{providers}, [], 'who has the name next has no key of hers';
};

subtest 'the server does not take the file at once' => sub {
    $api->put('/api/users/ann/provider-keys/openai', { api_key => 'sk-ann' }, 200);
    kill STOP => $api->supervisor;
    my $w = $api->later('/api/users/ann', undef, method => 'DELETE');
    $w->read_head;
    is $w->status, 503, 'the answer is that it is not done yet';
    kill CONT => $api->supervisor;
    ok $api->wait_for(sub { $api->raw('GET', '/api/users/ann')->{status} == 404 }), 'then it is';
    is_deeply secrets(), [], 'and no key stays';
    is_deeply notes(), [], 'nor a note';
};

subtest 'the server dies in between' => sub {
    my (%id, %seen);
    for my $name (qw(bea cid)) {
        $api->post('/api/users', { name => $name }, 201);
        $api->put("/api/users/$name/provider-keys/openai", { api_key => "sk-$name" }, 200);
        ($id{$name}) = grep { !$seen{$_}++ } map {/^user\.(.{36})\./} @{ secrets() };
    }
    $api->down;
    my $text = LF::slurp($file);
    $text =~ s/\n\[\[users\]\]\nname = "bea"\n.*?(?=\n\[|\z)//s or die;
    open my $fh, '>', $file or die $!;
    print $fh $text;
    close $fh or die $!;
    mkdir "$home/data/underway";
    open my $note, '>', "$home/data/underway/user.name" or die $!;
    print $note "bea\n\n";
    close $note or die $!;
    $api->up;
    is_deeply notes(), [], 'the next start does what was left';
    is_deeply $api->get('/api/users/cid/provider-keys', 200)->{providers}, ['openai'], 'who stayed keeps what is theirs';
    is_deeply secrets(), ["user.$id{cid}.openai"], 'who is gone leaves nothing';
};

$api->finish;
done_testing;
