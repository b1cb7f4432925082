#!/usr/bin/perl
# The scheduler under a clock that we hold (libfaketime): a day without a model call where there is no schedule, a time of day once a
# day, clocks that jump. The signal stands for the kernel's word that the clock was set, which a faked clock does not give.
use strict;
use warnings;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
my ($fake) = grep { -f } glob('/usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1');
plan skip_all => 'libfaketime is not installed' unless $fake;
plan skip_all => 'the sanitizers want to be loaded first' if LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;

my $dir = File::Temp->newdir('lf-clock-XXXXXXXX', TMPDIR => 1);
my $up = LF->mock(default => { text => 'Done.' });
my $day = 86400 * int(time / 86400);            # today, 00:00 UTC

sub wall {
    my ($s) = @_;                               # seconds since $day
    open my $fh, '>', "$dir/new" or die;
    printf $fh "%+.3f\n", $day + $s - time;
    close $fh;
    rename "$dir/new", "$dir/time" or die;
    return;
}
wall(6 * 3600);
my $api = LF->start(model => $up, timeout => 60, env => { LD_PRELOAD => $fake, FAKETIME_TIMESTAMP_FILE => "$dir/time", FAKETIME_NO_CACHE => 1,
    FAKETIME_DONT_FAKE_MONOTONIC => 1, FAKETIME_DONT_RESET => 1 });

sub at {
    my ($s) = @_;
    wall($s);
    kill 'HUP', $api->processes->{librefangd}[0];
    sleep 0.15;
    return;
}
sub agent {
    my ($name, $schedule, $more) = @_;
    return $api->post('/api/agents', { manifest_toml => "name = \"$name\"\n" . ($schedule ? "schedule = $schedule\n" : '')
        . "[model]\nsystem_prompt = \"$name\"\n" . ($more // '') }, 201)->{agent_id};
}
sub asked { my ($name) = @_; return scalar grep { $_->{json}{messages}[0]{content} =~ /^\Q$name\E\b/ } @{ $up->chats } }

subtest 'nobody has a schedule' => sub {
    agent("IDLE-$_") for 1 .. 3;
    for my $h (0 .. 12) { at((6 + 2 * $h) * 3600) }
    is scalar @{ $up->chats }, 0, 'a day goes by without a model call';
};

subtest 'a time of day' => sub {
    at(6 * 3600);
    agent('DAILY', '{ periodic = { cron = "30 9 * * *" } }');
    my $quiet = agent('QUIET', '{ periodic = { cron = "0 * * * *" } }', "[autonomous]\nquiet_hours = \"08:00-20:00\"\n");
    agent('SLEEPER', '{ continuous = { check_interval_secs = 3600 } }', "[autonomous]\nquiet_hours = \"05:00-23:00\"\n");
    at(9 * 3600 + 29 * 60 + 54);
    is asked('DAILY'), 0, 'before it nothing happens';
    ok $api->wait_for(sub { asked('DAILY') == 1 }), 'it is due without anybody looking';
    at(9 * 3600 + 28 * 60);
    at(9 * 3600 + 30 * 60 + 5);
    sleep 0.3;
    is asked('DAILY'), 1, 'clocks set back a little do not repeat it';
    for my $m (0 .. 8) { at(11 * 3600 + $m * 3600 - 1) }
    is asked('DAILY'), 1, 'nor does the rest of the day';
    is asked('SLEEPER'), 0, 'who sleeps until eleven has not acted';
    is asked('QUIET'), 0, 'nor who is quiet until eight';
    at(20 * 3600 - 1);
    ok $api->wait_for(sub { asked('QUIET') == 1 }), '  which is over now';
    at(86400 + 9 * 3600 + 29 * 60 + 58);
    ok $api->wait_for(sub { asked('DAILY') == 2 }), 'the day after it is due again';
    at(3 * 86400 + 12 * 3600);
    ok $api->wait_for(sub { $api->log_text =~ /what=schedule missed=\d/ }), 'what nobody was there for is passed over: the log tells';
    sleep 0.3;
    is asked('DAILY'), 2, '  and nothing is done';
    my $id = (grep { $_->{name} eq 'QUIET' } @{ $api->get('/api/agents?limit=500', 200)->{items} })[0]{id};
    my @hours = map { $_->{content} =~ /due at \d{4}-\d\d-\d\dT(\d\d)/ ? $1 : () } @{ $api->get("/api/agents/$id/session", 200)->{messages} };
    is_deeply [ grep { $_ >= 8 && $_ < 20 } @hours ], [], 'quiet hours were quiet' or diag "@hours";
    is $hours[0], 20, '  up to their end';
};

subtest 'a clock that was far ahead' => sub {
    at(0);
    my $before = asked('DAILY');
    at(9 * 3600 + 29 * 60 + 58);
    ok $api->wait_for(sub { asked('DAILY') == $before + 1 }), 'and is set right does not keep an agent waiting';
};

subtest 'a start when it is due, and long after' => sub {
    at(20 * 3600);
    $api->down;
    wall(86400 + 9 * 3600 + 30 * 60 + 20);
    my $before = asked('DAILY');
    $api->up;
    ok $api->wait_for(sub { asked('DAILY') == $before + 1 }), 'twenty seconds late it is done all the same';
    $api->down;
    wall(2 * 86400 + 9 * 3600 + 40 * 60);
    $api->up;
    sleep 0.5;
    is asked('DAILY'), $before + 1, 'ten minutes late it is not';
};
$api->down;
done_testing;
