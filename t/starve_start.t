#!/usr/bin/perl
# The daemon begins while one thing that it asks the machine for is refused, or that and all after it: it serves, or it
# ends with 1 and words that say what is missing; it takes nothing away, and the next start serves. So also the first one ever, of an
# empty home: the next start makes what is lacking, once.
#
# Here some of it by chance, for SECONDS: LF_STARVE_SEED says which. LF_STARVE=all: each place in the daemon once (make starve).
# LF_STARVE_KIND: kinds that match. LF_STARVE_FIRST=1: only of an empty home.
use strict;
use warnings;
use File::Path ();
use File::Temp ();
use LF;
use LF::Starve;
use Test::More;
use Time::HiRes qw(sleep time);

my ($ALL, $SEED) = LF::Starve::begins();
my ($SECONDS, $LATE) = (5, 30);

my $s = LF::Starve->new(tell => 1) // plan skip_all => 'no compiler';
my $api = $s->api;
my $home = $api->home;
my $dir = File::Temp->newdir('lf-starve-XXXXXXXX', TMPDIR => 1);

# --- a daemon by hand ------------------------------------------------------------------

my ($run) = $s->{sock} =~ m{(.*)/};
system('cp', "$run/config.json", "$dir/config.json") == 0 or die "the snapshot: $?";
$api->post('/api/agents', { manifest_toml => qq(name = "ada"\n[model]\nprovider = "offline"\nmodel = "offline"\n) }, 201);
$api->down;
my $program = LF::builddir() . '/librefangd';
my %env = ($api->environment, LF_HOME => $home, LF_SHM => "/lf-start-$$", LF_SNAPSHOT => "$dir/config.json",
    LF_FRONT_SOCK => "$dir/front.sock", LF_CONTROL_SOCK => "$dir/control.sock");

# It runs: its pid, and where it says that it is ready. Its words are in $dir/out.
my $cold;       # the home of a first start, made anew for each try
my $in_cold = "$dir/cold/home";

sub fresh_home {
    File::Path::remove_tree("$dir/cold");
    File::Path::make_path(map {"$in_cold/$_"} qw(data logs workspaces/agents backups));
    my $config = LF::slurp("$dir/config.json") =~ s/\Q$home\E/$in_cold/gr;
    open my $f, '>', "$dir/cold/config.json" or die "config.json: $!";
    print $f $config;
    close $f or die "config.json: $!";
    return;
}

sub begin {
    pipe my $ready, my $to or die "pipe: $!";
    unlink "/dev/shm/lf-start-$$", "$dir/front.sock", "$dir/control.sock";
    my $pid = LF::Starve::run($program, { %env, LF_READY_FD => 9, $cold ? (LF_HOME => $in_cold, LF_SNAPSHOT => "$dir/cold/config.json") : () }, "$dir/out", { 9 => $to });
    close $to;
    return ($pid, $ready);
}

sub ended { return LF::Starve::ended($_[0], $LATE) }

sub words { return join ' | ', grep {/level=error|level=warn/} split /\n/, LF::slurp("$dir/out") }

# One start (kills: it may die of that). Returns (did it serve, what is wrong).
sub start_once {
    my (%o) = @_;
    my ($pid, $ready) = begin();
    my $in = '';
    vec($in, fileno $ready, 1) = 1;
    my $said = select($in, undef, undef, $LATE) > 0 && sysread $ready, my $byte, 1;
    $s->relent;
    if (!$said) {
        my $status = ended($pid);
        return 0 if $o{kills} && $status eq 9;
        return (0, 'it ended ' . LF::Starve::how($status) . ': ' . words()) if $status ne 256;
        return (0, LF::slurp("$dir/out") =~ /level=error/ ? () : 'it ended without words');
    }
    my @w;
    $s->{sock} = "$dir/control.sock";
    my $a = eval { $s->ask(GET => '/api/templates') } // { status => $@ };
    my $who = $cold ? join ' ', map { $_->{name} } @{ (eval { $s->ask(GET => '/api/agents')->{json} } // {})->{items} // [] } : '';
    kill 'TERM', $pid;
    my $status = ended($pid);
    return 0 if $o{kills} && $status eq 9;
    push @w, "it is ready, and answers $a->{status}" if $a->{status} ne 200;
    push @w, "there is: $who" if $cold && $who ne 'assistant' && !$o{refused};
    push @w, 'its end: ' . LF::Starve::how($status) . ' ' . words() if $status ne 0;
    return (1, @w);
}

# How often a start asks for such a thing.
sub count {
    my ($kind) = @_;
    my $many = 1 << 40;
    fresh_home() if $cold;
    $s->refuse($kind, $many);
    my ($pid, $ready) = begin();
    sysread $ready, my $byte, 1;
    my $n = $many - unpack 'q', $s->took(0, 8);
    $s->relent;
    kill 'TERM', $pid;
    ended($pid);
    return $n;
}

# --- tries -------------------------------------------------------------------------------

my ($served, @w) = start_once();
ok $served && !@w, 'it begins by hand' or diag "@w", LF::slurp("$dir/out");
my $before = $s->looked('look');
my ($tries, $met) = (0, 0);

sub try_one {
    my ($kind, $n, $all) = @_;
    fresh_home() if $cold;
    $s->refuse($kind, $n, all => $all);
    my ($served, @w) = start_once(kills => $kind eq 'kills', refused => 1);
    my $some = unpack 'L', $s->took(16, 4);
    if (!$served || $cold) {
        my ($again, @v) = start_once();
        push @w, 'the next start: ' . ($again ? '' : 'it does not serve: ' . words()) . " @v" if !$again || @v;
    }
    return ($some, @w);
}

for my $first (grep { !$ENV{LF_STARVE_FIRST} || $_ } 0, 1) {
    $cold = $first;
    $s->forget_places;
    my ($n, $some) = $s->tries(name => $cold ? 'a first start' : 'a start', all => $ALL, seed => $SEED, seconds => $SECONDS, picks => 3, count => \&count, try => \&try_one);
    $tries += $n;
    $met += $some;
}
$cold = 0;
cmp_ok $met, '>', $tries / 4, "$met of $tries tries met a refusal" if $tries;
($served, @w) = start_once();
ok $served && !@w, 'and it begins after all that' or diag "@w";
my $after = $s->looked('look');
is_deeply [ grep {/^agent: /} sort keys %$after ], [ grep {/^agent: /} sort keys %$before ], 'nobody is gone';
is $s->looked('sound')->{sound}, "[('ok',)][]", 'the store is sound';
unlink "/dev/shm/lf-start-$$";
$s->finish;
done_testing;
