#!/usr/bin/perl
# A provider that has failed again and again, under a clock that we hold (libfaketime): who is let through to it and
# when, for how long what was known of it counts, and what a clock that is set makes of it.
use strict;
use warnings;
use LF;
use Test::More;
use Time::HiRes qw(time);

LF::needed();
my ($fake) = grep { -f } glob('/usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1');
plan skip_all => 'libfaketime is not installed' unless $fake;
plan skip_all => 'the sanitizers want to be loaded first' if LF::slurp(LF::builddir() . '/librefangd') =~ /__asan_init/;

my $dir = File::Temp->newdir('lf-clock-XXXXXXXX', TMPDIR => 1);
sub wall {
    my ($by) = @_;                              # seconds that the server's clock is off
    open my $fh, '>', "$dir/new" or die;
    printf $fh "%+d\n", $by;
    close $fh;
    rename "$dir/new", "$dir/time" or die;
    return;
}

my ($api, $up, $n);
sub serve {
    wall(0);
    $up = LF->mock(when => [ [ 'IT-WORKS' => { text => 'served' } ] ], default => { status => 502 });
    $api = LF->start(model => $up, timeout => 60, config => "[provider_max_retries]\nopenai = 0\n", env => { LD_PRELOAD => $fake, FAKETIME_TIMESTAMP_FILE => "$dir/time",
        FAKETIME_NO_CACHE => 1, FAKETIME_DONT_FAKE_MONOTONIC => 1, FAKETIME_DONT_RESET => 1, LF_LLM_RETRY_MS => 5 });
    return;
}
# Say it to somebody new: was the provider asked, and what came of it?
sub say_to {
    my ($text) = @_;
    my $id = $api->post('/api/agents', { manifest_toml => 'name = "r-' . ++$n . '"' }, 201)->{agent_id};
    my $was = @{ $up->chats };
    my $r = $api->raw(POST => "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) });
    my ($left) = ($r->{json}{error} // '') =~ /retry in (\d+) s/;
    return { asked => @{ $up->chats } - $was, status => $r->{status}, left => $left, said => $r->{json}{response} // $r->{json}{error} };
}
sub refuses { my ($what) = @_; my $r = say_to('hello'); is $r->{asked}, 0, $what or diag $r->{said}; return $r }
sub probes { my ($what, $text) = @_; my $r = say_to($text // 'hello'); is $r->{asked}, 1, $what or diag $r->{said}; return $r }

subtest 'one is let through every half minute' => sub {
    serve();
    say_to('hello') for 1 .. 5;
    my $r = refuses('after five failures it is left alone');
    cmp_ok $r->{left}, '>', 3000, 'for an hour';
    wall(20);
    refuses('20 seconds later, too');
    wall(40);
    probes('40 seconds later somebody is let through');
    refuses('  one');
    wall(60);
    refuses('20 seconds after that nobody');
    wall(80);
    is probes('after 40 seconds again', 'IT-WORKS')->{said}, 'served', '  and when that goes well';
    probes('  everybody is') for 1 .. 2;
    $api->finish;
};

subtest 'for a day' => sub {
    serve();
    say_to('hello') for 1 .. 4;
    wall(25 * 3600);
    say_to('hello');
    is say_to('hello')->{asked}, 1, 'what failed the day before does not count';
    $api->finish;
};

subtest 'a clock that is set' => sub {
    serve();
    say_to('hello') for 1 .. 5;
    wall(-86400);
    cmp_ok refuses('back by a day')->{left}, '<=', 3600, '  it is left alone for no longer than it was to be';
    wall(-86400 + 40);
    is probes('  and somebody is let through half a minute later', 'IT-WORKS')->{said}, 'served', '    to whom it is good again';
    $api->finish;
    serve();
    say_to('hello') for 1 .. 5;
    wall(86400);
    is probes('ahead by a day: it is asked', 'IT-WORKS')->{said}, 'served', '  and serves';
    $api->finish;
};

done_testing;
