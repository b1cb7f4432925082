#!/usr/bin/perl
# Clients that take their time on purpose (slowhttptest): heads that never end, bodies that trickle,
# answers that nobody reads. Meanwhile everybody else is served.
use strict;
use warnings;
use HTTP::Tiny;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
my ($tool) = grep { -x } map {"$_/slowhttptest"} split /:/, "$ENV{PATH}:/usr/bin";
plan skip_all => 'slowhttptest is not installed' unless $tool;
my $crowd = 300;
my %ways = (
    'heads that never end' => sub { return ('-H', '-t', 'GET', '-u', $_[0] . '/api/health') },
    'bodies that trickle' => sub { return ('-B', '-t', 'POST', '-s', 8192, '-f', 'application/json', '-u', $_[0] . '/api/agents') },
    'answers that nobody reads' => sub { return ('-X', '-w', 1, '-y', 2, '-n', 2, '-z', 1, '-k', 3, '-u', $_[0] . '/api/health') },
);

# A server for each, all at once.
my %at = map { $_ => { api => LF->start, asked => 0, served => 0, slowest => 0 } } keys %ways;
for my $way (keys %ways) {
    my $w = $at{$way};
    $w->{log} = "$w->{api}{dir}/slow.log";
    $w->{pid} = fork // die "fork: $!";
    next if $w->{pid};
    open STDOUT, '>', $w->{log};
    open STDERR, '>&', \*STDOUT;
    exec { $tool } $tool, '-c', $crowd, '-r', 200, '-i', 1, '-x', 10, '-l', 6, '-p', 3, $ways{$way}->($w->{api}->base) or POSIX::_exit(127);
}
sleep 2;                                # the crowds are there
my $end = time + 3;
while (time < $end) {
    for my $w (values %at) {
        my $since = time;
        my $http = HTTP::Tiny->new(timeout => 30);
        for my $path ('/api/health', '/api/agents') {
            my $r = $http->get($w->{api}->base . $path, { headers => { Authorization => 'Bearer ' . $w->{api}->key } });
            $w->{asked}++;
            $w->{served}++ if $r->{status} == 200;
        }
        $w->{slowest} = time - $since if time - $since > $w->{slowest};
    }
    sleep 0.05;
}
for my $way (sort keys %ways) {
    my ($w, $api) = ($at{$way}, $at{$way}{api});
    waitpid $w->{pid}, 0;
    my $said = LF::slurp($w->{log});
    my ($most) = sort { $b <=> $a } $said =~ /connected:\s*(?:\e\[[\d;]*m)*\s*(\d+)/g;
    cmp_ok $most // 0, '>=', $crowd / 2, "$way: the crowd was there" or diag substr $said, -1500;
    cmp_ok $w->{served}, '>=', $w->{asked}, "$way: all $w->{asked} others were served";
    cmp_ok $w->{slowest}, '<', 5, '... at once';
    my @all = map {@$_} values %{ $api->processes };
    ok scalar(@all) > 3, 'and every process is there';
    is $api->get('/api/health', 200)->{status}, 'ok', 'all is well afterwards';
    $api->finish;
}
done_testing;
