#!/usr/bin/perl
# Keys that are no key to show: what a test of such a provider asks, and that it gives nothing away.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my $cloud = LF->mock(other => [
    [ qr{^/good/token$} => { body => { access_token => 'ya29.token', expires_in => 3600 } } ], [ qr{^/bad/token$} => { status => 400, body => { error => 'invalid_grant' } } ],
    [ qr{/openai/models} => { body => { data => [ { id => 'gpt-4o' } ] } } ],
]);
my $CANARY = 'canary-' . LF::random_key();
my $api = LF->start(env => { AWS_REGION => '' }, config => qq([provider_urls]\n) . join '', map { qq($_ = "@{[$cloud->base]}/$_"\n) } qw(bedrock vertex-ai azure-openai));
sub show { return $api->get("/api/providers/$_[0]", 200) }
sub login { return $LF::JSON->encode({ type => 'authorized_user', client_id => 'id', client_secret => "$CANARY-$_[0]", refresh_token => 'r', token_uri => $cloud->base . "/$_[0]/token", quota_project_id => 'p' }) }

$api->post('/api/providers/bedrock/key', { key => "AKIA1:$CANARY" }, 200);
is $api->post('/api/providers/bedrock/test', undef, 200)->{status}, 'ok', 'Bedrock: a key is there';
$api->put('/api/providers/bedrock/url', { base_url => $cloud->base . '/bedrock' }, 200);
is show('bedrock')->{auth_status}, 'configured', 'nobody says that it is none';

$api->post('/api/providers/vertex-ai/key', { key => login('good') }, 200);
ok $api->wait_for(sub { show('vertex-ai')->{auth_status} eq 'validated_key' }), 'Google Cloud: a login is tried for a token';
is $api->post('/api/providers/vertex-ai/test', undef, 200)->{status}, 'ok', 'by a test, too';
$api->post('/api/providers/vertex-ai/key', { key => login('bad') }, 200);
ok $api->wait_for(sub { show('vertex-ai')->{auth_status} eq 'invalid_key' }), 'one that is refused';
my $r = $api->post('/api/providers/vertex-ai/test', undef, 200);
is "$r->{status} $r->{code}", 'error auth_error', 'is an error of keys';
$api->put('/api/providers/vertex-ai/url', { base_url => $cloud->base . '/vertex-ai' }, 200);
is show('vertex-ai')->{auth_status}, 'configured', 'with a new address nothing is known of it';

$api->post('/api/providers/azure-openai/key', { key => 'az-key' }, 200);
ok $api->wait_for(sub { show('azure-openai')->{auth_status} eq 'validated_key' }), 'Azure: is asked in its own way';
my ($az) = grep { $_->{path} =~ m{^/azure-openai/} } @{ $cloud->requests };
is_deeply [ $az->{path}, @{ $az->{headers} }{qw(api-key authorization)} ], [ '/azure-openai/openai/models?api-version=2024-02-01', 'az-key', undef ], 'with the key in its own header';
unlike $LF::JSON->encode([ map { { %$_, body => '' } } @{ $cloud->requests } ]), qr/$CANARY/, 'no head of a request holds a secret that only signs, or fetches tokens';
is_deeply [ grep { $_->{body} =~ /$CANARY/ && $_->{path} !~ m{/token$} } @{ $cloud->requests } ], [], 'and no body, but what goes to the server of tokens';
unlike $api->log_text . $LF::JSON->encode($r), qr/$CANARY/, 'nor do log and answers';
$api->finish;
done_testing;
