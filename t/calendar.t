#!/usr/bin/perl
# Hours, days and months of budgets are those of the calendar in UTC: over the end of a day, of a month of 28, 29, 30 and 31 days,
# of a year, whatever a summer does to the clocks of the place; and a call that goes on over such an end is paid in the window in which it ends.
use strict;
use warnings;
use LF;
use LF::Clock;
use Test::More;

my $clock = LF::Clock->new;
my $up = LF->mock(when => [ [ 'OVER-THE-END' => { text => 'late', hang => 1, until => 'morning' } ] ], default => { text => 'Hello from the mock.' });
my $CALL = 0.000033;                    # 12 tokens in at 1 dollar a million, 7 out at 3
my ($api, $id);

sub spent { my $b = $api->get('/api/budget', 200); return join ' ', map { sprintf '%.0f', $b->{"${_}_spend"} / $CALL } qw(hourly daily monthly) }
sub of_agent { my $b = $api->get("/api/budget/agents/$id", 200); return join ' ', map { sprintf '%.0f', $b->{$_}{spend} / $CALL } qw(hourly daily monthly) }
sub days { return join ' ', map {"$_->{date}=$_->{calls}"} @{ $api->get('/api/usage/daily', 200)->{days} } }
sub limit { my (%l) = @_; local $LF::Level = 0; return $api->put('/api/budget', { max_hourly_usd => 0, max_daily_usd => 0, max_monthly_usd => 0, %l }, 200) }
sub say_it { my ($text, $status) = @_; return $api->post("/api/agents/$id/message", { message => $text, ephemeral => JSON::PP::true() }, $status // 200) }

# [ what ends, half a minute before and after, when the day and the month of the first end, does a day begin, a month? ]. The clock only goes on.
my @ends = (
    [ 'a day of a month of 31',       '2027-01-30T23:59:30Z', '2027-01-31T00:00:30Z', '2027-01-31', '2027-02-01', 1, 0 ],
    [ 'a month of 31',                '2027-01-31T23:59:30Z', '2027-02-01T00:00:30Z', '2027-02-01', '2027-02-01', 1, 1 ],
    [ 'a February of 28',             '2027-02-28T23:59:30Z', '2027-03-01T00:00:30Z', '2027-03-01', '2027-03-01', 1, 1 ],
    [ 'a day of the place',           '2027-03-14T04:59:30Z', '2027-03-14T05:00:30Z', '2027-03-15', '2027-04-01', 0, 0 ],
    [ 'winter, in that place',        '2027-03-14T06:59:30Z', '2027-03-14T07:00:30Z', '2027-03-15', '2027-04-01', 0, 0 ],
    [ 'a month of 30',                '2027-04-30T23:59:30Z', '2027-05-01T00:00:30Z', '2027-05-01', '2027-05-01', 1, 1 ],
    [ 'summer, in that place',        '2027-11-07T05:59:30Z', '2027-11-07T06:00:30Z', '2027-11-08', '2027-12-01', 0, 0 ],
    [ 'a year',                       '2027-12-31T23:59:30Z', '2028-01-01T00:00:30Z', '2028-01-01', '2028-01-01', 1, 1 ],
    [ 'the day before a leap day',    '2028-02-28T23:59:30Z', '2028-02-29T00:00:30Z', '2028-02-29', '2028-03-01', 1, 0 ],
    [ 'a leap day',                   '2028-02-29T23:59:30Z', '2028-03-01T00:00:30Z', '2028-03-01', '2028-03-01', 1, 1 ],
);
$clock->at($ends[0][1]);
$api = $clock->start(model => $up, timeout => 60, env => { TZ => 'America/New_York', LF_LLM_RETRY_MS => 20, OPENAI_API_KEY => 'sk-mock' });
$id = $api->post('/api/agents', { manifest_toml => qq(name = "calendar"\n[model]\nmax_tokens = 100\n) }, 201)->{agent_id};
my $had = '';                           # what the month of a row before has left in this one

for my $end (@ends) {
    my ($name, $before, $after, $day_ends, $month_ends, $new_day, $new_month) = @$end;
    subtest "the end of $name" => sub {
        $clock->at($before);
        my ($day, $month) = map { substr $before, 0, $_ } 10, 7;
        my ($left_day, $left_month) = map { my $p = $_; scalar grep { index($_, $p) == 0 } split / /, $had } $day, $month;
        say_it('hello');
        $had .= " $before";
        is spent(), join(' ', 1, 1 + $left_day, 1 + $left_month), 'what is spent is of this hour, day and month' or diag $had;
        limit(max_daily_usd => $CALL / 2);
        my $d = say_it('hello', 429)->{details};
        is $d->{resets_at} =~ s/\.000Z$//r, "${day_ends}T00:00:00", 'the day ends at midnight';
        limit(max_monthly_usd => $CALL / 2);
        $d = say_it('hello', 429)->{details};
        is $d->{resets_at} =~ s/\.000Z$//r, "${month_ends}T00:00:00", 'the month at its last one';
        my $asked = @{ $up->chats };
        $up->shut('morning');
        limit(max_daily_usd => 1);
        my $s = $api->later("/api/agents/$id/message", { message => 'OVER-THE-END', ephemeral => JSON::PP::true() });
        ok $up->wait_chats($asked + 1), 'a call is under way';
        $clock->at($after);
        limit(max_daily_usd => $CALL * ($new_day ? 1 : 2 + $left_day));
        $d = say_it('hello', 429)->{details};
        ok $d->{pending} > 0, 'what it may cost is put aside of the window in which one looks' or diag explain $d;
        $up->let('morning');
        $s->read_head;
        is $s->status, 200, 'it ends';
        limit();
        $had .= " $after";
        my @now = (2, ($new_day ? 1 : 2 + $left_day), ($new_month ? 1 : 2 + $left_month));
        is spent(), "@now", 'and is paid in the window in which it ended';
        is of_agent(), "@now", "of the agent's, too";
        my %n;
        $n{ substr $_, 0, 10 }++ for grep { LF::Clock::seconds($_) > LF::Clock::seconds($after) - 6 * 86400 } split ' ', $had;
        is days(), join(' ', map {"$_=$n{$_}"} sort keys %n), 'each in its day';
    };
}

subtest 'an hour' => sub {
    $clock->at('2028-03-05T12:30:15Z');
    say_it('hello');
    for my $at ([ '13:29:59' => 1 ], [ '13:30:14' => 1 ], [ '13:31:59' => 0 ]) {
        $clock->at("2028-03-05T$at->[0]Z");
        like spent(), qr/^$at->[1] 1 /, "$at->[0]: what was spent at 12:30:15 is " . ($at->[1] ? 'of the last one' : 'of an earlier one');
    }
};
$api->finish;
done_testing;
