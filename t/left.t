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

$s->finish;
done_testing;
