#!/usr/bin/perl
# The WebChat's page of usage, cost and budgets.
use strict;
use warnings;
use File::Temp ();
use LF;
use LF::Page;
use LF::Refuse;
use Test::More;

my $api = LF::Page->start(config => qq([[users]]\nname = "ursula"\nrole = "user"\napi_key_hash = ") . sha256_hash('ursula-user-key') . qq("\n));
my $hers = $api->post('/api/agents', { manifest_toml => qq(name = "hers"\nauthor = "ursula"\n) }, 201)->{agent_id};
my $tmp = File::Temp->newdir(TMPDIR => 1);
LF::Page::browse($api, 'usage.mjs', LF_TMP => "$tmp", LF_HERS => $hers, LF_AGENT => LF::Page::agent($api, 'spender', 'default'));
done_testing;
