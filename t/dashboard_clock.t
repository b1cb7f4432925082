#!/usr/bin/perl
# The dashboard's sessions end in time, to the second, also for who was asked a moment ago; and
# the limit on logins goes by the machine's own time, so that nobody is kept out by a clock that was set.
use strict;
use warnings;
use LF;
use LF::Clock;
use Test::More;

my $clock = LF::Clock->new;
$clock->from('2027-06-15T12:20:00Z');
my $api = $clock->start(top => qq(dashboard_user = "admin"\ndashboard_pass = "secret words"), limits => "auth_rate_limit_per_ip = 3\n");

sub enter { my ($status) = @_; local $LF::Level = 1; return $api->post('/api/auth/dashboard-login', { username => 'admin', password => 'secret words' }, $status, { Authorization => undef }) }
sub status { my ($t) = @_; my %s = map { $api->raw('GET', '/api/authz/whoami', { headers => { Authorization => "Bearer $t" } })->{status} => 1 } 1 .. 12; return join ' ', sort keys %s }
sub counted { return $api->raw('GET', '/api/metrics')->{content} =~ /^librefang_active_sessions (\d+)$/m ? $1 : 'none' }

my $in = enter(200);
my $t = $in->{token};
is $in->{created_at} - $in->{created_at} % 60, LF::Clock::seconds('2027-06-15T12:20:00Z'), 'a session begins';
is status($t), 200, 'and holds';
$clock->by('+29d');
is status($t), 200, 'for twenty-nine days';
is counted(), 1, 'it counts';
$clock->from('2027-07-15T12:05:00Z');
is status($t), 200, 'in its last hour, too';
$clock->from('2027-07-15T12:21:00Z');
is status($t), 401, 'and not a minute longer, whoever was asked before';
is counted(), 0, 'it counts no more';
my $new = enter(200)->{token};
is status($new), 200, 'another one begins';
enter(200);
enter(429);
$clock->by('+1d');
enter(429);
is status($new), 200, 'who is in stays in';
$api->finish;
done_testing;
