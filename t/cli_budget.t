#!/usr/bin/perl
# librefang usage and budget: for people and for programs.
use strict;
use warnings;
use JSON::PP ();
use LF;
use Test::More;

my $api = LF->start(model => LF->mock, config => qq([[users]]\nname = "ada"\nrole = "user"\n));
my $j = JSON::PP->new->utf8;

sub says {
    my ($code, $like, @words) = @_;
    my ($rc, $out) = $api->command(@words);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $rc, $code, "librefang @words: exit $code" or diag $out;
    like $out, $like, '... and says so' if $like;
    return $out;
}

$api->post("/api/agents/$_->{id}/message", { message => 'hello' }, 200) for @{ $api->get('/api/agents', 200)->{items} };

subtest 'usage' => sub {
    says(0, qr/^dollars\t0\.000033\ninput tokens\t12\noutput tokens\t7\ncalls\t1\n/, 'usage');
    is $j->decode(says(0, undef, 'usage', 'summary', '--json'))->{call_count}, 1, 'the API\'s own answer with --json';
    says(0, qr/^0\.000033\t12\t7\t1\t0\tassistant$/m, 'usage', 'agents');
    says(0, qr/^0\.000033\t12\t7\t1\t\d+\t\d+\tmock-model$/m, 'usage', 'models');
    says(0, qr/^\d{4}-\d\d-\d\d\t0\.000033\t19\t1$/m, 'usage', 'days');
    says(0, qr/^timestamp,.*\r?\n\d{4}-[^\n]*,mock-model,12,7,0\.000033000,/, 'usage', 'export');
    my $file = "$api->{dir}/ledger.csv";
    says(0, qr/^$/, 'usage', 'export', $file);
    is scalar(() = LF::slurp($file) =~ /\n/g), 2, 'the file has its head and a line';
    says(1, qr/ledger\.csv cannot be made/, 'usage', 'export', $file);
    says(2, qr/none of summary, agents, models, days or export/, 'usage', 'dance');
};

subtest 'budget' => sub {
    says(0, qr/^hour\t0\.000033\t-\t-\nday\t0\.000033\t-\t-\nmonth\t0\.000033\t-\t-\n/, 'budget');
    says(0, qr/^set$/, 'budget', 'set', '--daily', '2.5', '--alert', '0.5');
    says(0, qr/^day\t0\.000033\t2\.50\t0%$/m, 'budget', 'show');
    is $api->get('/api/budget', 200)->{alert_threshold}, 0.5, 'it is set';
    says(0, qr/^set$/, 'budget', 'set', '--agent', 'assistant', '--monthly', '10', '--tokens', '5000');
    says(0, qr/^month\t0\.000033\t10\.00\t0%\ntokens\t19\t5000\t0%$/m, 'budget', 'show', '--agent', 'assistant');
    says(0, qr/^0\.000033\t0\.00\t0\.00\t10\.00\t5000\tassistant$/m, 'budget', 'agents');
    says(0, qr/^set$/, 'budget', 'set', '--provider', 'openai', '--hourly', '1');
    says(0, qr/\t1\.00\t.*\topenai$/m, 'budget', 'providers');
    says(0, qr/^set$/, 'budget', 'set', '--user', 'ada', '--daily', '3');
    says(0, qr/^set$/, 'budget', 'set', '--user', 'ada', '--hourly', '1');
    says(0, qr/^hour\t0\.00\t1\.00\t0%\nday\t0\.00\t3\.00\t0%\n/, 'budget', 'show', '--user', 'ada');
    says(0, qr/\tada$/m, 'budget', 'users');
    is $j->decode(says(0, undef, 'budget', 'users', '--json'))->{total}, 2, 'the command itself is a user, too';
    says(0, qr/^cleared$/, 'budget', 'clear', '--user', 'ada');
    says(0, qr/^set$/, 'budget', 'clear', '--agent', 'assistant');
    says(0, qr/^set$/, 'budget', 'clear');
    is $api->get('/api/budget', 200)->{daily_limit}, 0, 'there is no limit any more';
};

subtest 'mistakes' => sub {
    says(2, qr/--daily takes a number/, 'budget', 'set', '--daily', 'much');
    says(2, qr/--hourly, --daily/, 'budget', 'set');
    says(2, qr/one of --agent/, 'budget', 'set', '--agent', 'a', '--user', 'b', '--daily', '1');
    says(2, qr/--tokens is not set for that/, 'budget', 'set', '--user', 'ada', '--tokens', '1');
    says(4, qr/max_daily_usd/, 'budget', 'set', '--daily', '-1');
    says(4, qr/No such user/, 'budget', 'show', '--user', 'nobody');
    says(4, undef, 'budget', 'show', '--agent', 'nobody');
};

$api->finish;
done_testing;
