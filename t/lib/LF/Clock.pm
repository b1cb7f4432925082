package LF::Clock;
# The wall clock of a server, held by the test: libfaketime in all our processes; nginx, whose environment is its own, keeps
# the machine's, and so does what measures lengths of time.
#
#   my $clock = LF::Clock->new;                 # skips the whole file where that cannot be
#   my $api = $clock->start(model => $up);      # as LF->start
#   $clock->by('+1d');  $clock->at('2028-02-29T23:59:30Z');
#   $clock->from('2027-06-15T12:00:00Z');       # by() is off that moment from now on
use strict;
use warnings;
use File::Temp ();
use LF;
use Test::More ();
use Time::Local ();

sub new {
    my ($class) = @_;
    my ($fake) = grep { -f } glob('/usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1');
    LF::needed();
    Test::More::plan(skip_all => 'libfaketime is not installed') unless $fake;
    Test::More::plan(skip_all => 'the sanitizers want to be loaded first') if LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;
    return bless { fake => $fake, dir => File::Temp->newdir('lf-clock-XXXXXXXX', TMPDIR => 1) }, $class;
}

# Off by that: '+0', '+1d', '-1h', '+5m', '-90' (seconds).
sub by {
    my ($self, $by) = @_;
    my ($sign, $n, $unit) = $by =~ /^([+-])(\d+)([mhd]?)$/ or die "the clock cannot go $by";
    return $self->_off(($self->{base} // 0) + "${sign}1" * $n * { '' => 1, m => 60, h => 3600, d => 86400 }->{$unit});
}

sub _off {
    my ($self, $seconds) = @_;
    open my $fh, '>', "$self->{dir}/new" or die "$self->{dir}/new: $!";
    printf $fh "%+d\n", $seconds;
    close $fh or die "$self->{dir}/new: $!";
    rename "$self->{dir}/new", "$self->{dir}/time" or die "$self->{dir}/time: $!";
    return;
}

sub seconds { my ($when) = @_; my @t = $when =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/ or die $when; return Time::Local::timegm(@t[ 5, 4, 3, 2 ], $t[1] - 1, $t[0]) }

# It is that moment now, and goes on from there.
sub at {
    my ($self, $when) = @_;
    return $self->_off(seconds($when) - time);
}

sub from { my ($self, $when) = @_; $self->{base} = defined $when ? seconds($when) - time : 0; return $self->by('+0') }

sub start {
    my ($self, %o) = @_;
    $self->by('+0') if !-e "$self->{dir}/time";
    return LF->start(%o, env => { LD_PRELOAD => $self->{fake}, FAKETIME_TIMESTAMP_FILE => "$self->{dir}/time", FAKETIME_NO_CACHE => 1,
        FAKETIME_DONT_FAKE_MONOTONIC => 1, FAKETIME_DONT_RESET => 1, %{ $o{env} // {} } });
}

1;
