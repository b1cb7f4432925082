#!/usr/bin/perl
# The WebChat's page of all conversations; who may do what; a reader that cannot keep up.
use strict;
use warnings;
use File::Temp ();
use LF;
use LF::Page;
use LF::Refuse;
use Test::More;

my %keys = (vera => 'vera-viewer-key', ursula => 'ursula-user-key');
my $users = join '', map { my ($role) = $keys{$_} =~ /-(\w+)-/; qq([[users]]\nname = "$_"\nrole = "$role"\napi_key_hash = ") . sha256_hash($keys{$_}) . qq("\n) } sort keys %keys;
my $long = join ' ', map {"word$_"} 1 .. 400;
my $flood = join "\n\n", 'word-the-first', (map { join ' ', map {"word$_"} 1 .. 200 } 1 .. 300), 'word-the-last';
my $api = LF::Page->start(config => $users, when => [
    [ 'SLOWLY' => { text => $long, chunks => 300, stall => 40 } ],
    [ 'FLOOD'  => { text => $flood, chunks => 3000 } ],
]);
for my $name (sort keys %keys) {
    $api->post('/api/agents', { manifest_toml => qq(name = "of-$name"\nauthor = "$name"\n[model]\nprovider = "offline"\nmodel = "offline"\n) }, 201);
}
my $tmp = File::Temp->newdir(TMPDIR => 1);
LF::Page::browse($api, 'sessions.mjs', LF_TMP => "$tmp", LF_USERS => "$keys{vera} $keys{ursula}",
    LF_AGENT => LF::Page::agent($api, 'offline-one', 'offline'), LF_SLOW => LF::Page::agent($api, 'slow-one', 'default'));
done_testing;
