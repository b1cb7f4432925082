#!/usr/bin/perl
# Signed manifests: only what a trusted key signed, and only that text.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Temp ();
use LF;
use Test::More;

LF::needed();
my $dir = File::Temp->newdir('lf-sign-XXXXXXXX', TMPDIR => 1);
plan skip_all => 'no openssl that knows Ed25519' if system("openssl genpkey -algorithm ed25519 -out $dir/a.pem >/dev/null 2>&1 && openssl genpkey -algorithm ed25519 -out $dir/b.pem >/dev/null 2>&1") != 0;

sub key { my ($who) = @_; return substr qx(openssl pkey -in $dir/$who.pem -pubout -outform DER), -32 }
sub signed {
    my ($who, $text) = @_;
    open my $fh, '>', "$dir/text" or die;
    print $fh $text;
    close $fh;
    return qx(openssl pkeyutl -sign -rawin -inkey $dir/$who.pem -in $dir/text);
}

my $api = LF->start(top => 'trusted_manifest_signers = ["' . unpack('H*', key('a')) . '"]');
my $toml = "name = \"signed\"\n";
sub envelope {
    my ($who, $text, %more) = @_;
    return $LF::JSON->encode({ manifest => $text, content_hash => sha256_hex($text), signature => [ unpack 'C*', signed($who, sha256_hex($text)) ],
        signer_public_key => [ unpack 'C*', key($who) ], signer_id => 'me', %more });
}
sub refused { my ($about, $envelope, $status, $code, $text) = @_; return is $api->post('/api/agents', { manifest_toml => $text // $toml, signed_manifest => $envelope }, $status)->{code}, $code, $about }

is length(key('a')), 32, 'there is a key';
refused('a key that nobody trusts', envelope('b', $toml), 403, 'signature_invalid');
refused('the signature of another key', envelope('b', $toml, signer_public_key => [ unpack 'C*', key('a') ]), 403, 'signature_invalid');
refused('another text under the hash', envelope('a', $toml, manifest => "name = \"other\"\n"), 403, 'signature_invalid');
refused('another hash', envelope('a', $toml, content_hash => sha256_hex('x')), 403, 'signature_invalid');
refused('a signature that is too short', envelope('a', $toml, signature => [ 1 .. 63 ]), 403, 'signature_invalid');
refused('numbers that are no bytes', envelope('a', $toml, signature => [ (256) x 64 ]), 403, 'signature_invalid');
refused('no envelope', 'x', 403, 'signature_invalid');
refused('half of one', '{"manifest":"x"}', 403, 'signature_invalid');
refused('a manifest that is not the signed one', envelope('a', $toml), 400, 'invalid_manifest', "name = \"other\"\n");
is scalar(grep { $_->{name} ne 'assistant' } @{ $api->get('/api/agents', 200)->{items} }), 0, 'none of that made an agent';
is $api->post('/api/agents', { manifest_toml => "\n$toml\n", signed_manifest => envelope('a', $toml) }, 201)->{name}, 'signed', 'what is signed and trusted does; white space around it does not matter';
$api->finish;
done_testing;
