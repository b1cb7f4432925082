#!/usr/bin/perl
# Nothing is configured and no key is there: a model server on this machine is found in the
# background and answers from then on; without one the built-in `offline` does.
use strict;
use warnings;
use IO::Socket::INET;
use LF;
use Test::More;
use Time::HiRes qw(time);

LF::needed();
my $up = LF->mock(tags => [ 'nomic-embed-text:latest', 'llama9:8b' ], default => { text => 'from ollama' });

sub provider { return $_[0]->get('/api/status', 200)->{default_provider} }
sub with { my ($url, $more, $who) = @_; return LF->start(model => { provider => $who // 'auto' }, config => qq([provider_urls]\nollama = "$url"\n) . ($more // '')) }

subtest 'found' => sub {
    my $api = with($up->url);
    ok $api->wait_for(sub { provider($api) eq 'ollama' }), 'it is found' or diag $api->log_tail(10);
    is $api->get('/api/status', 200)->{default_model}, 'llama9:8b', 'with its first model that talks';
    my ($a) = @{ $api->get('/api/agents', 200)->{items} };
    is $api->post("/api/agents/$a->{id}/message", { message => 'hello' }, 200)->{response}, 'from ollama', 'and answers';
    is((grep { $_->{path} =~ /chat/ } @{ $up->requests })[-1]{json}{model}, 'llama9:8b', 'asked for that model');
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $api->log_text =~ /generation=[4-9]/ }), 'a reload looks again';
    ok $api->wait_for(sub { provider($api) eq 'ollama' }), 'and finds it';
    $api->finish;
};

subtest 'there is none' => sub {
    my $port = LF::free_port();
    my $api = with("http://127.0.0.1:$port/v1");
    is provider($api), 'offline', 'the built-in one answers';
    $api->finish;
};

subtest 'one that hangs' => sub {
    my $deaf = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
    my $since = time;
    my $api = with('http://127.0.0.1:' . $deaf->sockport . '/v1');
    is provider($api), 'offline', 'keeps nobody back';
    $api->finish;
    cmp_ok time - $since, '<', 20, 'not even the stop';
};

subtest 'not wanted' => sub {
    my $before = @{ $up->requests };
    my $api = with($up->url, '', 'offline');
    is provider($api), 'offline', 'offline by name';
    $api->finish;
    $api = with($up->url, qq([providers]\nallowed = ["openai"]\n));
    is provider($api), 'offline', 'or not allowed';
    $api->finish;
};
done_testing;
