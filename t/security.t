#!/usr/bin/perl
# The report on protections tells what this program has, and what the configuration makes of it: nothing is claimed.
use strict;
use warnings;
use LF;
use LF::Refuse;
use Test::More;

my ($TRUE, $FALSE) = (JSON::PP::true(), JSON::PP::false());
my $signer = 'ab' x 32;
my $viewer = qq([[users]]\nname = "vera"\nrole = "viewer"\napi_key_hash = ") . sha256_hash('vera-key') . qq("\n);
my @OFF = qw(ofp_hmac_auth subprocess_sandbox taint_tracking wasm_dual_metering);

sub report { my ($api) = @_; return $api->get('/api/security', 200) }
sub off { my ($r) = @_; return [ sort grep { $r->{security_systems}{$_} ne 'active' } keys %{ $r->{security_systems} } ] }

my $api = LF->start(top => qq(trusted_manifest_signers = ["$signer"]), config => $viewer, rate => 237000, limits => "max_ws_per_ip = 9\nws_messages_per_minute = 41\nws_idle_timeout_secs = 73\n");
my $r = report($api);
is_deeply off($r), \@OFF, 'what is not there is off';
is_deeply [ @$r{qw(total_systems all_active total_features)} ], [ 16, $FALSE, 12 ], 'of sixteen';
is_deeply $r->{configurable}, { rate_limiter => { enabled => $TRUE, tokens_per_minute => 237000, algorithm => 'GCRA' },
    websocket_limits => { max_per_ip => 9, idle_timeout_secs => 73, max_message_size => 65536, max_messages_per_minute => 41 },
    wasm_sandbox => { fuel_metering => $FALSE, epoch_interruption => $FALSE, default_timeout_secs => 0, default_fuel_limit => 0 },
    auth => { mode => 'bearer_token', api_key_set => $TRUE } }, 'limits are those that hold';
is_deeply $r->{monitoring}{manifest_signing}, { algorithm => 'Ed25519', available => $TRUE }, 'manifests can be signed';
is_deeply $r->{monitoring}{taint_tracking}, { enabled => $FALSE, tracked_labels => [] }, 'labels are not followed';
is_deeply [ map { $r->{core_protections}{$_} } qw(subprocess_isolation wire_hmac_auth security_headers ssrf_protection) ], [ $FALSE, $FALSE, $TRUE, $TRUE ], 'the lists agree';

my $n = $r->{monitoring}{audit_trail}{entry_count};
$api->post('/api/agents', { manifest_toml => 'name = "ada"' }, 403, { Authorization => 'Bearer vera-key' });
is report($api)->{monitoring}{audit_trail}{entry_count}, $n + 1, 'entries of the audit log are counted';
is_deeply off($api->get('/api/security', 200, { Authorization => 'Bearer vera-key' })), \@OFF, 'a viewer may read it';
$api->get('/api/security', 401, { Authorization => undef });
$api->post('/api/security', {}, 405);
$api->finish;

$api = LF->start(key => '', top => qq(trusted_manifest_signers = ["$signer", "abc"]), env => { LIBREFANG_ALLOW_NO_AUTH => 1 });
$r = report($api);
is_deeply $r->{configurable}{auth}, { mode => 'none', api_key_set => $FALSE }, 'that everybody is the owner is said';
is_deeply off($r), [ sort @OFF, 'manifest_signing' ], 'a key that is none makes no signer';
$api->finish;
done_testing;
