#!/usr/bin/perl
# What is in a file and in the store is in both or in neither. Writes, removals and reads are refused, and the daemon is killed, at each
# point: an answer of 200 holds after the next start, any other has changed nothing.
use strict;
use warnings;
use LF;
use LF::Starve;
use Test::More;

LF::needed();
plan skip_all => 'python3 is not installed' unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
my $s = LF::Starve->new(tell => 1) // plan skip_all => 'no compiler';
my $api = $s->api;
my $spaces = $api->home . '/workspaces';

sub born {
    my ($name) = @_;
    my $a = $s->ask(POST => '/api/agents', { manifest_toml => qq(name = "$name"\ndescription = "d0"\n) });
    is $a->{status}, 201, "$name is born";
    return $a->{json}{agent_id};
}
sub file { my ($name) = @_; my ($d) = LF::slurp("$spaces/agents/$name/agent.toml") =~ /^description = "(\w+)"/m; return $d // '' }
sub left { return glob "$spaces/.ended-* $spaces/.coming-* " . $api->home . '/data/underway/*' }
sub killed { kill 'KILL', $s->{pid}; ok $api->wait_for(sub { $s->died }, 20), 'the daemon is killed'; return }
sub put_file { my ($path) = @_; open my $f, '>', $path or die "$path: $!"; print $f 'old'; close $f or die $!; return }

subtest 'the disk refuses from some point on' => sub {
    my $id = born('full');
    my ($was, %seen) = ('d0');
    for my $n (1 .. 30) {
        $s->refuse('writes', $n, all => 600_000);
        my $a = $s->ask(PATCH => "/api/agents/$id", { description => "d$n" });
        last if !$s->relent;
        $seen{ $a->{status} }++;
        my $want = $a->{status} == 200 ? "d$n" : $was;
        ok $api->wait_for(sub { file('full') eq $want && !left() }, 20), "from $n on: $a->{status}, and the file says $want" or diag file('full'), left();
        is $api->get("/api/agents/$id", 200)->{description}, $want, '  as does the store';
        $was = $want;
    }
    ok $seen{200}, 'yes was said';
    ok $seen{500} || $seen{503}, '  and no';
};

subtest 'it is killed before the file follows' => sub {
    my $id = born('cut');
    for my $n (1 .. 30) {
        $s->refuse('writes', $n, all => 600_000);
        last if $s->ask(PATCH => "/api/agents/$id", { description => 'said' })->{status} == 200;
        $s->relent;
    }
    is file('cut'), 'd0', 'the answer is yes, and the file is behind';
    killed();
    $s->relent;
    ok $api->wait_for(sub { file('cut') eq 'said' && !left() }, 20), 'the next daemon writes it' or diag file('cut'), left();
    is $api->get("/api/agents/$id", 200)->{description}, 'said', '  and does not take it for an edit';
};

subtest 'what cannot be removed goes later' => sub {
    for my $dies (0, 1) {
        my $id = born('heavy');
        put_file("$spaces/agents/heavy/data/old.txt");
        $s->refuse('removals', 1, all => 600_000);
        is $s->ask(DELETE => "/api/agents/$id?confirm=true")->{status}, 200, '  and ended';
        ok scalar(left()), 'its files are still there';
        killed() if $dies;
        $s->relent;
        ok $api->wait_for(sub { !left() }, 30), '  until they can be removed';
    }
    born('heavy');
    ok !-e "$spaces/agents/heavy/data/old.txt", 'the next one of that name has none of them';
};

subtest 'a page of the store that could not be read' => sub {
    my $met = 0;
    for my $n (1 .. 8) {
        $s->ask(POST => '/api/models/aliases', { alias => 'best', model_id => 'gpt-5' });
        $s->refuse('reads', $n);
        $s->ask(DELETE => '/api/models/aliases/best');
        $met++ if $s->relent;
        my $a = $s->ask(PUT => '/api/models/overrides/openai:gpt-5', { temperature => $n / 100 });
        is $a->{status}, 200, "the next change is written ($n)" or diag $a->{content};
    }
    ok $met, "$met reads were refused";
};

unlike $api->log_text, qr/was changed and is taken/, 'nothing was taken for an edit';
$s->finish;
done_testing;
