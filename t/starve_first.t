#!/usr/bin/perl
# `librefang start` where no home is yet, while one thing that it or its supervisor asks the machine for is refused, or that and all
# after it, or it is killed there: it serves, or it says what is missing and ends; nobody of it stays, and the next start of that
# home makes what is lacking and serves. (What the daemon does of a first start: starve_start.t.)
#
# Here some of it by chance, for SECONDS: LF_STARVE_SEED says which. LF_STARVE=all: each place in the command once (make starve).
# LF_STARVE_KIND: kinds that match.
use strict;
use warnings;
use File::Path ();
use File::Temp ();
use HTTP::Tiny;
use LF;
use LF::Starve;
use Test::More;
use Time::HiRes qw(sleep time);

my ($ALL, $SEED) = LF::Starve::begins();
my ($SECONDS, $LATE) = (6, 60);

my $s = LF::Starve->alone(tell => 1) // plan skip_all => 'no compiler';
my $dir = File::Temp->newdir('lf-first-XXXXXXXX', TMPDIR => 1);
my ($home, $run, $out) = map {"$dir/$_"} qw(home run out);
my $program = LF::builddir() . '/librefang';
my %env = (map { exists $ENV{$_} ? ($_ => $ENV{$_}) : () } qw(PATH LC_ALL TMPDIR ASAN_OPTIONS UBSAN_OPTIONS LD_LIBRARY_PATH));
%env = (%env, HOME => "$dir", LIBREFANG_HOME => $home, XDG_RUNTIME_DIR => $run);
my $port;

sub fresh {
    File::Path::remove_tree($home, $run);
    mkdir $run, 0700 or die "$run: $!";
    return;
}

# librefang WORDS: its exit status; "late". refused: as it was asked for.
sub command {
    my ($refused, @words) = @_;
    my %refused = (LD_PRELOAD => $s->{so}, LF_REFUSE => $s->{file}, LF_REFUSE_PROGRAM => 'librefang');
    return LF::Starve::ended(LF::Starve::run($program, { %env, $refused ? %refused : () }, $out, {}, @words), $LATE);
}

# Who runs of this home. The supervisor's environment is nobody's business: it is known by its port.
my %ports;
sub who_runs {
    return grep { LF::slurp("/proc/$_/environ") =~ /\0?LIBREFANG_HOME=\Q$home\E\0/ || grep { $ports{$_} } LF::slurp("/proc/$_/cmdline") =~ /\0127\.0\.0\.1:(\d+)/ }
        map { m{(\d+)} } glob '/proc/[0-9]*';
}

# What is wrong with a server that says that it serves.
sub wrong {
    my ($key) = LF::slurp("$home/config.toml") =~ /^api_key = "([0-9a-f]{64})"$/m or return 'config.toml is not whole: ' . LF::slurp("$home/config.toml");
    my $r = HTTP::Tiny->new(timeout => $LATE)->get("http://127.0.0.1:$port/api/agents", { headers => { Authorization => "Bearer $key" } });
    my $who = $r->{status} == 200 ? join ' ', map { $_->{name} } @{ $LF::JSON->decode($r->{content})->{items} } : '';
    return $who eq 'assistant' ? () : "it answers $r->{status}, and there is: $who";
}

my $left;               # of what was asked for

# One start, and its end. Returns (did it serve, what is wrong).
sub start_once {
    my ($kind) = @_;
    my ($status, @w);
    for (1 .. 3) {                      # another test may take the port in between
        $port = LF::free_port();
        $ports{$port} = 1;
        $status = command($kind, 'start', '--listen', "127.0.0.1:$port");
        last if LF::slurp($out) !~ /in use/;
    }
    my $said = LF::slurp($out);
    $left = unpack 'q', $s->took(0, 8);
    $s->relent;
    if ($status eq 0) {
        @w = wrong() if !$kind || $kind ne 'kills';
        my $stop = command(undef, 'stop');
        push @w, 'it is stopped ' . LF::Starve::how($stop) . ': ' . LF::slurp($out) if $stop ne 0 && !($kind && $kind eq 'kills');
        return (1, @w);
    }
    if ($kind && $kind eq 'kills' && ($status eq 9 || $said =~ /the supervisor died/)) {
        command(undef, 'stop') if $status eq 9;         # it may serve already
        return 0;
    }
    push @w, 'it ended ' . LF::Starve::how($status) . ": $said" if $status ne 256;
    push @w, 'it ended without words' if $said !~ /librefang: \S/;
    return (0, @w);
}

sub nobody_stays {
    my @who;
    my $end = time + 20;
    do { @who = who_runs(); sleep 0.01 if @who } while (@who && time < $end);
    kill 'KILL', @who;
    return @who ? 'it stays: ' . join ' ', map { LF::slurp("/proc/$_/cmdline") =~ tr/\0/ /r } @who : ();
}

sub count {
    my ($kind) = @_;
    my $many = 1 << 40;
    fresh();
    $s->refuse($kind, $many);
    start_once('counted');
    nobody_stays();
    return $many - $left;
}

sub try_one {
    my ($kind, $n, $all) = @_;
    fresh();
    $s->refuse($kind, $n, all => $all);
    my ($served, @w) = start_once($kind);
    my $some = unpack 'L', $s->took(16, 4);
    push @w, nobody_stays();
    my ($again, @v) = start_once();
    push @w, 'the next start: ' . ($again ? '' : 'it does not serve: ' . LF::slurp($out)) . " @v" if !$again || @v;
    push @w, nobody_stays();
    return ($some, @w);
}

fresh();
my ($served, @w) = start_once();
ok $served && !@w, 'a first start serves' or diag "@w", LF::slurp($out);
my ($tries, $met) = $s->tries(name => 'a first start', all => $ALL, seed => $SEED, seconds => $SECONDS, picks => 1, count => \&count, try => \&try_one);
cmp_ok $met, '>=', $tries / 4, "$met of $tries tries met a refusal";
File::Path::remove_tree($home, $run);
done_testing;
