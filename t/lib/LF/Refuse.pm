package LF::Refuse;
# What every row refuses in the same way.
#
#   refuses($api, GET => '/api/agents');                   # a key is needed, other verbs are told so
#   refuses($api, PUT => $path, body => { value => 1 });   # and the body's media type, text, depth and size
#   public => 1: no key is needed. lenient => 1: the media type is not looked at.
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use LF;
use Test::More;

our @EXPORT = qw(refuses sha256_hash deep);

sub sha256_hash { require Digest::SHA; return '$sha256$' . Digest::SHA::sha256_hex($_[0]) }
sub deep { my ($n) = @_; return ('[' x $n) . (']' x $n) }

sub error_is {
    my ($r, $status, $code, $name) = @_;
    is $r->{status}, $status, $name or diag substr $r->{content}, 0, 300;
    my @f = LF::error_faults($r, $r->{headers}{'x-request-id'} // '');
    is "@f", '', '  in the standard shape' or diag $r->{content};
    is $r->{json}{code}, $code, "  with the word $code" if ref $r->{json} eq 'HASH' && $r->{path} !~ m{^/v1/};
    return;
}

sub keys_and_verbs {
    my ($api, $verb, $path, %o) = @_;
    my $ask = sub { my (%h) = @_; return $api->raw($verb, $path, { headers => \%h, content => $o{content} }) };
    if ($o{public}) {
        cmp_ok $ask->(Authorization => undef)->{status}, '<', 500, 'no key is needed';
        isnt $ask->(Authorization => 'Bearer wrong')->{status}, 401, 'a wrong one does no harm';
    } else {
        my $r = $ask->(Authorization => undef);
        error_is($r, 401, 'unauthorized', 'without a key it is closed');
        is $r->{headers}{'www-authenticate'}, 'Bearer', '  with a challenge';
        like ref $r->{json}{error} ? $r->{json}{error}{message} : $r->{json}{error}, qr/^Missing Authorization/, '  that says what is missing';
        $r = $ask->(Authorization => 'Bearer wrong-key-0123');
        error_is($r, 401, 'unauthorized', 'with a wrong key too');
        unlike $r->{content}, qr/wrong-key-0123/, '  which is not repeated';
        error_is($ask->(Authorization => undef, 'X-API-Key' => 'x'), 401, 'unauthorized', 'with a wrong X-API-Key too');
        isnt $ask->(Authorization => undef, 'X-API-Key' => $api->key)->{status}, 401, 'the right X-API-Key opens it';
    }
    error_is($ask->(Accept => 'application/vnd.librefang.v9+json'), 406, 'bad_request', 'an unknown version is not served')
        if $path !~ m{^/api/v1/};
    my %right = map { $_ => 1 } split /, /, $api->raw('BREW', $path)->{headers}{allow} // '';
    ok $right{$verb}, 'a wrong verb learns the right one';
    for my $wrong (grep { !$right{$_} } qw(GET POST PUT PATCH DELETE)) {
        error_is($api->raw($wrong, $path), 405, 'method_not_allowed', "$wrong is told so");
    }
    return;
}

sub bodies {
    my ($api, $verb, $path, %o) = @_;
    my $ask = sub {
        my ($content, $type) = @_;
        return $api->raw($verb, $path, { headers => { 'Content-Type' => $type // 'application/json' }, content => $content });
    };
    my $good = $LF::JSON->encode($o{body});
    my $bad = $o{lenient} ? 'invalid_json' : 'bad_request';
    error_is($ask->($good, 'text/plain'), 415, 'bad_request', 'a body of another type is refused') if !$o{lenient};
    error_is($ask->(''), 400, $bad, 'an empty one') if !$o{optional};
    error_is($ask->('{"a":'), 400, $bad, 'half a text');
    error_is($ask->("{\"a\":\"\xff\xfe\"}"), 400, $bad, 'bad UTF-8');
    error_is($ask->("{\"a\":\"\xc0\xaf\"}"), 400, $bad, 'overlong UTF-8');
    error_is($ask->('{"a":1,"a":2}'), 400, $bad, 'a member twice');
    error_is($ask->('{"a":NaN}'), 400, $bad, 'a bare word');
    error_is($ask->("{\"a\":1}\0"), 400, $bad, 'a NUL behind the text');
    error_is($ask->(deep(33)), 400, $o{lenient} ? $bad : 'validation_error', 'nesting of 33');
    error_is($ask->(deep(100000)), 400, $o{lenient} ? $bad : 'validation_error', 'nesting of a hundred thousand');
    error_is($ask->('{"a":"' . 'x' x (9 << 20) . '"}'), 413, 'bad_request', 'more than 8 MiB');
    return;
}

sub refuses {
    my ($api, $verb, $path, %o) = @_;
    $o{content} = $LF::JSON->encode($o{body}) if $o{body};
    (my $short = $path) =~ s/[0-9a-f-]{36}/{id}/g;
    subtest "$verb $short refuses what it must" => sub {
        keys_and_verbs($api, $verb, $path, %o);
        bodies($api, $verb, $path, %o) if $o{body};
    };
    return;
}

1;
