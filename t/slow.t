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
my $api = LF->start;
my $crowd = 300;
my %ways = (
    'heads that never end' => [ '-H', '-t', 'GET', '-u', $api->base . '/api/health' ],
    'bodies that trickle' => [ '-B', '-t', 'POST', '-s', 8192, '-f', 'application/json', '-u', $api->base . '/api/agents' ],
    'answers that nobody reads' => [ '-X', '-w', 1, '-y', 2, '-n', 2, '-z', 1, '-k', 3, '-u', $api->base . '/api/health' ],
);

for my $way (sort keys %ways) {
    my $log = "$api->{dir}/slow.log";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec { $tool } $tool, '-c', $crowd, '-r', 200, '-i', 1, '-x', 10, '-l', 6, '-p', 3, @{ $ways{$way} } or POSIX::_exit(127);
    }
    sleep 2;                            # the crowd is there
    my ($asked, $served, $slowest) = (0, 0, 0);
    my $end = time + 3;
    while (time < $end) {
        my $since = time;
        my $http = HTTP::Tiny->new(timeout => 30);
        for my $path ('/api/health', '/api/agents') {
            my $r = $http->get($api->base . $path, { headers => { Authorization => 'Bearer ' . $api->key } });
            $asked++;
            $served++ if $r->{status} == 200;
        }
        $slowest = time - $since if time - $since > $slowest;
        sleep 0.05;
    }
    waitpid $pid, 0;
    my $said = LF::slurp($log);
    my ($most) = sort { $b <=> $a } $said =~ /connected:\s*(?:\e\[[\d;]*m)*\s*(\d+)/g;
    cmp_ok $most // 0, '>=', $crowd / 2, "$way: the crowd was there" or diag substr $said, -1500;
    cmp_ok $served, '>=', $asked, "$way: all $asked others were served";
    cmp_ok $slowest, '<', 5, '... at once';
    my @all = map {@$_} values %{ $api->processes };
    ok scalar(@all) > 3, 'and every process is there';
}
is $api->get('/api/health', 200)->{status}, 'ok', 'all is well afterwards';
$api->finish;
done_testing;
