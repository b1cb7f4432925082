# The gateway and the ledger: part of t/bench/run, whose tools it uses. What /v1/chat/completions adds to an
# instant upstream, how many it carries, how long a token takes through it, and the sums over ten million calls.
use strict;
use warnings;

our ($dir, $home, $key, $port, $base, $mport, $build, $src, $secs);

my $chat = qq{wrk.method="POST"; wrk.headers["Content-Type"]="application/json"\\n}
    . qq{wrk.body='{"model":"openai/gpt-4o-mini","max_tokens":16,"messages":[{"role":"user","content":"hi"}]}'\\n};
sub lua { my ($path) = @_; return $chat =~ s/\\n/\n/gr . qq{request=function() return wrk.format(nil, "$path") end} }
sub us { my ($t) = @_; my ($n, $u) = $t =~ /^([\d.]+)(us|ms|s)$/ or return 0; return $n * { us => 1, ms => 1000, s => 1e6 }->{$u} }

my $direct = wrk("http://127.0.0.1:$mport/", c => 1, lua => lua('/v1/chat/completions'));
my $one = wrk("$base/", c => 1, lua => lua('/v1/chat/completions'));
row('gateway, instant model, 1 client', sprintf '%.2f ms added to p50 (wanted < 1): %s, the model alone %s%s',
    (us($one->{p50}) - us($direct->{p50})) / 1000, $one->{p50}, $direct->{p50}, $one->{bad} ? ", $one->{bad} bad" : '');
my $many = wrk("$base/", c => 32, lua => lua('/v1/chat/completions'));
row('gateway, 32 clients', sprintf '%.0f/s (wanted 2500), p50 %s p99 %s%s', @$many{qw(rps p50 p99)}, $many->{bad} ? ", $many->{bad} bad" : '');
api(PUT => '/api/budget', '{"max_daily_usd":1000000}');
my $capped = wrk("$base/", c => 32, lua => lua('/v1/chat/completions'));
row('the same under a budget', sprintf '%.0f/s, p50 %s p99 %s%s', @$capped{qw(rps p50 p99)}, $capped->{bad} ? ", $capped->{bad} bad" : '');
api(PUT => '/api/budget', '{"max_daily_usd":0}');

# npm's gateway, when it is installed: npm install --prefix DIR @portkey-ai/gateway, BENCH_PORTKEY=DIR
my ($portkey) = grep { -f } map {"$_/node_modules/\@portkey-ai/gateway/build/start-server.js"} grep { defined } $ENV{BENCH_PORTKEY}, "$src/t/npm";
if ($portkey) {
    my $pport = free_port();
    my $theirs = daemonise('/dev/null', 'node', $portkey, "--port=$pport", '--headless');
    for (1 .. 100) { last if system("curl -s -o /dev/null http://127.0.0.1:$pport/") == 0; select undef, undef, undef, 0.1 }
    my @h = ('x-portkey-provider: openai', 'Authorization: Bearer x', "x-portkey-custom-host: http://127.0.0.1:$mport/v1");
    my $p = wrk("http://127.0.0.1:$pport/", c => 32, h => \@h, lua => lua('/v1/chat/completions'));
    row('@portkey-ai/gateway, 32 clients', sprintf '%.0f/s, p50 %s p99 %s%s, %.0f MB (ours: all processes %.0f MB); ours is %.1f times that', @$p{qw(rps p50 p99)},
        $p->{bad} ? ", $p->{bad} bad" : '', sh("awk '/^Pss:/ {print \$2}' /proc/$theirs/smaps_rollup") / 1024, pss(), $many->{rps} / ($p->{rps} || 1));
} else {
    row('@portkey-ai/gateway', 'is not installed');
}

# --- a token on its way --------------------------------------------------------------
tool('gateway', '');
daemonise("$dir/tokens.port", "$dir/gateway", 0);
select undef, undef, undef, 0.3;
my $tport = sh("cat $dir/tokens.port");
chomp $tport;
my $alone = sh("$dir/gateway 0 $tport x 10");
sh("LIBREFANG_HOME=$home $build/librefang config set provider_urls.openai http://127.0.0.1:$tport/v1 >/dev/null");
sh("LIBREFANG_HOME=$home $build/librefang config set default_model.base_url http://127.0.0.1:$tport/v1 >/dev/null");
select undef, undef, undef, 1;
my @t = split ' ', sh("$dir/gateway 0 $port $key 20");
row('a token through the gateway', sprintf 'p50 %.2f ms, p99 %.2f ms of %d (wanted < 1); without it p50 %.2f ms', $t[0] / 1000, $t[1] / 1000, $t[2], (split ' ', $alone)[0] / 1000);

# --- ten million calls ------------------------------------------------------------------
stop();
my $rows = $ENV{BENCH_CALLS} // 10_000_000;
my $db = sh("ls $home/data/*.db | head -n 1");
chomp $db;
my $began = time;
sh(<<"X");
sqlite3 '$db' "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $rows)
INSERT INTO usage_event (id, agent_id, ts_ms, provider, model, input_tokens, output_tokens, cost_nanousd, tool_calls, llm_calls, latency_ms)
SELECT printf('%08x-0000-7000-8000-000000000000', i), 'agent-' || (i % 100), (strftime('%s', 'now') - (i % 7700000)) * 1000, 'openai', 'model-' || (i % 30),
  100, 20, 900 + i % 7, 0, 1, 40 + i % 900 FROM n;
DELETE FROM usage_sum;
INSERT INTO usage_sum SELECT 'total', 0, 'agent', agent_id, sum(input_tokens), sum(output_tokens), sum(cost_nanousd), 0, count(*), 0, sum(latency_ms), 1, 999 FROM usage_event GROUP BY agent_id;
INSERT INTO usage_sum SELECT 'total', 0, 'model', model, sum(input_tokens), sum(output_tokens), sum(cost_nanousd), 0, count(*), 0, sum(latency_ms), 1, 999 FROM usage_event GROUP BY model;
INSERT INTO usage_sum SELECT 'day', ts_ms - ts_ms % 86400000, 'all', '', sum(input_tokens), sum(output_tokens), sum(cost_nanousd), 0, count(*), 0, sum(latency_ms), 1, 999 FROM usage_event GROUP BY 2;
" >/dev/null
X
start();
for my $r (['summary', '/api/usage/summary', ', wanted < 20 ms'], ['by model', '/api/usage/by-model'], ['daily', '/api/usage/daily'], ['all agents', '/api/usage'], ['budget', '/api/budget']) {
    my $w = wrk("$base$r->[1]", c => 1);
    row("usage of $rows calls: $r->[0]", sprintf 'p50 %s p99 %s%s%s', @$w{qw(p50 p99)}, $r->[2] // '', $w->{bad} ? ", $w->{bad} bad" : '');
}
my $t0 = Time::HiRes::time();
my $lines = sh("curl -s -H 'Authorization: Bearer $key' '$base/api/usage/export?format=csv' | wc -l");
row('usage export', sprintf '%d lines in %.0f s, memory afterwards %.1f MB', $lines, Time::HiRes::time() - $t0, pss());
stop();
sh("sqlite3 '$db' 'DELETE FROM usage_event; DELETE FROM usage_sum; VACUUM' >/dev/null", 1);
1;
