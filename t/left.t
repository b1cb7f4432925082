#!/usr/bin/perl
# A daemon that is killed while it replaces a file leaves what it was writing beside it. The next start takes that away, and nothing
# of anybody else's; the file is the old or the new one.
use strict;
use warnings;
use LF;
use LF::Starve;
use Test::More;

LF::needed();
plan skip_all => 'python3 is not installed' unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
my $s = LF::Starve->new(config => "[[users]]\nname = \"zoe\"\nrole = \"user\"\n") // plan skip_all => 'no compiler';
my $api = $s->api;
my $home = $api->home;
my $OURS = qr/^\.lf-tmp-[0-9a-f]{16}$/;

sub names { my ($dir) = @_; opendir my $d, $dir or return; return readdir $d }
sub left { return map { my $dir = $_; map {"$dir/$_"} grep { $_ =~ $OURS } names($dir) } $home, map {"$home/$_"} qw(backups data data/underway) }

# Dies in the middle of each file that a row replaces, until it does no more.
sub killed_in {
    my ($method, $path, $body) = @_;
    my $deaths = 0;
    for my $n (1 .. 40) {
        $s->grown_up;
        $s->refuse('kills', $n);
        my $a = eval { $s->ask($method, $path, $body) };
        last if !$s->relent;
        $s->died;
        $deaths++;
        last if left();
    }
    return $deaths;
}

$s->ask(PUT => '/api/vault/FIRST', { value => 'x' });
my @rows = ([ 'the vault', PUT => '/api/vault/SECOND', { value => 'x' } ], [ 'config.toml', PUT => '/api/users/zoe', { name => 'zoe', role => 'admin' } ]);
for my $r (@rows) {
    my ($what, @ask) = @$r;
    cmp_ok killed_in(@ask), '>', 0, "the daemon dies while $what is written";
    ok left() > 0, '  and leaves what it wrote' or diag $api->log_tail(10);
    my @mine = map {"$home/$_"} qw(config.toml.backup config.toml.Ab3xYz vault.enc.SAVED1 .lf-tmp-notes backups/config.toml.mine01);
    for (@mine) { open my $f, '>', $_ or die "$_: $!"; close $f }
    $api->restart;
    $s->{pid} = $s->pid;
    $s->{sock} = $s->listener(4);
    is_deeply [ left() ], [], '  which the next start takes away';
    is_deeply [ grep { !-e } @mine ], [], '  and nothing of anybody else';
    is $s->ask(GET => '/api/vault')->{status}, 200, '  the vault opens';
    is $api->get('/api/users/zoe', 200)->{name}, 'zoe', '  and the configuration is whole';
}

# --- what goes with a user's name ------------------------------------------------------------

# What has that name: the entry, agents, keys.
sub of {
    my ($name) = @_;
    return (LF::slurp("$home/config.toml") =~ /^name = "$name"$/m ? 1 : 0, scalar @{ $api->get("/api/agents?owner=$name", 200)->{items} },
        scalar @{ ($s->ask(GET => "/api/users/$name/provider-keys")->{json} // {})->{providers} // [] });
}

$api->post('/api/agents', { manifest_toml => qq(name = "ada"\nauthor = "kim"\n[model]\nprovider = "offline"\nmodel = "offline"\n) }, 201);
$s->ask(POST => '/api/users', { name => 'kim', role => 'user' });
$s->ask(PUT => '/api/users/kim/provider-keys/openai', { api_key => 'sk-kim' });
my ($now, $next) = qw(kim lee);
my $killed = 0;
for my $n (map { 4 + 9 * $_ + int rand 9 } 0 .. 3) {
    $s->grown_up;
    $s->refuse('kills', $n);
    my $a = eval { $s->ask(PUT => "/api/users/$now", { name => $next, role => 'user' }) };
    $killed++ if $s->relent;
    $s->died;
    $s->in_force;
    my @is = map { [ of($_) ] } $now, $next;
    my $as = $is[1][0] ? [ [ 0, 0, 0 ], [ 1, 1, 1 ] ] : [ [ 1, 1, 1 ], [ 0, 0, 0 ] ];
    is_deeply \@is, $as, "a rename that is killed at write $n leaves agents and keys with the name" or diag $api->log_tail(20);
    ($now, $next) = ($next, $now) if $is[1][0];
}
cmp_ok $killed, '>', 0, "$killed of them were killed";
$s->ask(DELETE => "/api/users/$now");
$s->ask(POST => '/api/users', { name => $now, role => 'user' });
is [ of($now) ]->[2], 0, 'who comes under the name of one who went has none of their keys';

$s->finish;
done_testing;
