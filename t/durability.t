#!/usr/bin/perl
# durability = "power": what was accepted is on the disk before it is answered,
# and those who wait at the same time share a flush. Counted by strace.
use strict;
use warnings;
use LF;
use POSIX ();
use Test::More;

plan skip_all => 'strace is not installed' if !grep { -x "$_/strace" } split /:/, $ENV{PATH};

my $up = LF->mock(default => { text => 'Kept.' });

# Flushes of the write-ahead log by the daemon while the code runs; undef: nobody may watch it.
sub flushes {
    my ($api, $code) = @_;
    my $out = $api->home . '/strace';
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDERR, '>', "$out.err";
        exec 'strace', '-f', '-y', '-e', 'trace=fdatasync', '-o', $out, '-p', $api->processes->{librefangd}[0] or POSIX::_exit(127);
    }
    $api->wait_for(sub { LF::traced($api->processes->{librefangd}[0]) || waitpid($pid, POSIX::WNOHANG()) > 0 });
    $code->();
    kill INT => $pid;
    waitpid $pid, 0;
    open my $fh, '<', "$out.err" or return;
    return if join('', <$fh>) =~ /not permitted/;
    open $fh, '<', $out or return;
    return scalar grep { /fdatasync\(\d+<[^>]*-wal>/ } <$fh>;
}

sub agent {
    my ($api, $n) = @_;
    return $api->post('/api/agents', { manifest_toml => "name = \"keeper-$n\"\n" }, 201)->{agent_id};
}

subtest 'every turn waits for the disk' => sub {
    my $api = LF->start(model => $up, top => 'durability = "power"');
    my $id = agent($api, 0);
    my $n = flushes($api, sub { $api->post("/api/agents/$id/message", { message => "m$_" }, 200) for 1 .. 5 });
    plan skip_all => 'strace may not watch here' if !defined $n;
    cmp_ok $n, '>=', 10, 'the question and the answer are flushed, each';
    my @ids = map { agent($api, $_) } 1 .. 16;
    $n = flushes($api, sub {
        my @all = map { $api->later("/api/agents/$_/message", { message => 'hi' }) } @ids;
        $_->read_head for @all;
        is scalar(grep { $_->status == 200 } @all), 16, 'sixteen at once are answered';
    });
    cmp_ok $n, '>', 0, 'so are sixteen turns at once';
    cmp_ok $n, '<', 33, 'with no more flushes than commits';
    $api->finish;
};

subtest 'normally the disk is not waited for' => sub {
    my $api = LF->start(model => $up);
    my $id = agent($api, 0);
    my $n = flushes($api, sub { $api->post("/api/agents/$id/message", { message => "m$_" }, 200) for 1 .. 5 });
    plan skip_all => 'strace may not watch here' if !defined $n;
    cmp_ok $n, '<', 10, 'a commit is enough';
    $api->finish;
};

done_testing;
