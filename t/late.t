#!/usr/bin/perl
# What only going out needs is loaded when somebody goes out, and when it cannot be, that is said
# and tried again.
use strict;
use warnings;
use File::Temp ();
use LF;
use Test::More;

LF::needed();
my $up = LF->mock;
my $dead = 'http://127.0.0.1:' . LF::free_port() . '/v1';
my $nowhere = "[provider_urls]\n" . join '', map {"$_ = \"$dead\"\n"} qw(ollama lmstudio vllm lemonade);
my $say = sub { my ($api, $status) = @_; return $api->post('/api/agents/' . $api->get('/api/agents', 200)->{items}[0]{id} . '/message', { message => 'hi' }, $status) };
my $loaded = sub { my ($api) = @_; return LF::slurp('/proc/' . $api->processes->{librefangd}[0] . '/maps') =~ m{/libcurl} ? 1 : 0 };

subtest 'at rest nothing is there' => sub {
    my $api = LF->start(model => $up, config => $nowhere);
    plan skip_all => 'who looks at processes must be root' unless LF::slurp('/proc/' . $api->processes->{librefangd}[0] . '/maps') =~ /libc\.so/;
    $api->get('/api/providers', 200);
    is $loaded->($api), 0, 'no libcurl after the start, nor when its port shows that a server is not there';
    $say->($api, 200);
    is $loaded->($api), 1, 'but once a model was asked';
};

subtest 'a library that is broken' => sub {
    my ($name) = LF::slurp(LF::builddir() . '/librefangd') =~ /\0(libcurl[-\w]*\.so\.\d+)\0/;
    ok $name, 'the program knows its name' or return;
    my $dir = File::Temp->newdir('lf-late-XXXXXXXX', TMPDIR => 1);
    open my $fh, '>', "$dir/$name" or die "$name: $!";
    print $fh "no library\n";
    close $fh;
    my $api = LF->start(model => $up, config => $nowhere, env => { LD_LIBRARY_PATH => "$dir" });
    $api->post('/api/providers/openai/test', undef, 200);
    like $api->last->{content}, qr/libcurl cannot be loaded/, 'is named to whoever needs it';
    $api->get('/api/health', 200);
    unlink "$dir/$name";
    $say->($api, 200);
    is $loaded->($api), 1, 'and used once it is whole' if $> == 0;
};
done_testing;
