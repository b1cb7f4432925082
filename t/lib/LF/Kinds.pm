package LF::Kinds;
# Every kind of request, for tests that ask each very often: `$all->{kinds}` is
#
#   kind => [ share of the number, sub ($me) { what is done once; returns what went wrong, in words } ]
#
# $me counts the clients from 0; each has an agent of its own. $all->{seen} fills with the rows of
# the table ("GET /api/agents/{id}") that were asked; in a client's first requests only, as looking costs time.
use strict;
use warnings;
use LF;
use LF::WS;

my $LOOK = 400;
my ($api, @agents, @rows, %seen, $self);
my ($conn, $in) = (undef, '');
my $n = 0;
our $asked = 0;                 # requests of this process

# agents: ids, one for each client, named grow-1 and so on; models answers as OpenAI does
sub new {
    my ($class, $server, @ids) = @_;
    ($api, @agents) = ($server, @ids);
    @rows = map { my ($verb, $path) = split /\t/; [ "$verb $path", _pattern($verb, $path) ] } split /\n/, LF::slurp(LF::builddir() . '/endpoints.tsv');
    return $self = bless { kinds => _kinds(), seen => \%seen, rows => [ map { $_->[0] } @rows ] }, $class;
}

# What a row's path matches; one with a word before one with a name, as the program does.
sub _pattern {
    my ($verb, $path) = @_;
    my $re = join '', map { /^\{\w+\*\}$/ ? '.+' : /^\{/ ? '[^/]+' : quotemeta } split /(\{[^}]+\})/, $path;
    return qr/^$verb $re$/;
}

sub _look {
    my ($method, $path) = @_;
    $asked++;
    return if $n > $LOOK;
    my $asked = "$method " . $path =~ s/\?.*//r;
    my @fit = sort { ($a->[0] =~ tr/{//) <=> ($b->[0] =~ tr/{//) } grep { $asked =~ $_->[1] } @rows;
    $seen{ $fit[0][0] } = 1 if @fit;
    return;
}

# --- requests on one connection ------------------------------------------------------------

sub need { my ($bytes) = @_; while (length $in < $bytes) { sysread $conn, $in, 65536, length $in or return 0 } return 1 }
sub line { while ((my $at = index $in, "\r\n") < 0) { sysread $conn, $in, 65536, length $in or return } return substr $in, 0, index($in, "\r\n") + 2, '' }

# (status, body). The connection is made again when the server has closed it.
sub ask {
    my ($method, $path, $body, %h) = @_;
    _look($method, $path);
    $conn //= $api->connect;
    $h{Authorization} //= 'Bearer ' . $api->key;
    $h{'Content-Type'} //= 'application/json' if defined $body;
    syswrite $conn, "$method $path HTTP/1.1\r\nHost: x\r\n" . join('', map {"$_: $h{$_}\r\n"} keys %h)
        . (defined $body ? 'Content-Length: ' . length($body) . "\r\n" : '') . "\r\n" . ($body // '');
    my ($status, $length, $chunked, $close) = (0, 0, 0, 0);
    while (defined(my $l = line())) {
        last if $l eq "\r\n";
        if ($l =~ m{^HTTP/1.1 (\d+)}) { $status = $1 }
        elsif ($l =~ /^content-length:\s*(\d+)/i) { $length = $1 }
        elsif ($l =~ /^transfer-encoding:\s*chunked/i) { $chunked = 1 }
        elsif ($l =~ /^connection:\s*close/i) { $close = 1 }
    }
    my $text = '';
    if ($chunked) {
        while (defined(my $l = line())) {
            my $size = hex $l =~ s/\r\n//r;
            need($size + 2) or last;
            $text .= substr substr($in, 0, $size + 2, ''), 0, $size;
            last if $size == 0;
        }
    } elsif ($length) {
        need($length);
        $text = substr $in, 0, $length, '';
    }
    ($conn, $in) = (undef, '') if $close || !$status;
    return ($status, $text);
}

sub expect { my ($status, @ask) = @_; my ($got, $text) = ask(@ask); return $got == $status ? () : "$ask[0] $ask[1]: $got " . substr $text, 0, 200 }
# One of these each time: [ method, path, body ], answered by 200.
sub one_of { my @all = @_; my $one = $all[ $n++ % @all ]; return expect(200, ref $one ? @$one : (GET => $one)) }
# The id that an answer brings, and what is wrong when it brings none.
sub id_from { my ($name, @ask) = @_; my ($s, $t) = ask(@ask); my ($id) = $t =~ /"$name":"([^"]+)"/; return defined $id ? $id : (undef, "$ask[0] $ask[1]: $s " . substr $t, 0, 200) }
sub fresh { my ($me) = @_; return $n++ % 20 ? () : expect(200, POST => "/api/agents/$agents[$me]/session/reset", '{}') }
sub completion { return $LF::JSON->encode({ model => $_[0], messages => [ { role => 'user', content => 'hello' } ], @_ > 1 ? (stream => JSON::PP::true()) : () }) }
sub socket_at { my ($path) = @_; _look(GET => $path); return LF::WS->open($api, $path) }
sub later { my ($path, $body, %o) = @_; _look($o{method} // 'POST', $path); return $api->later($path, $body, %o) }

# --- kinds -----------------------------------------------------------------------------------

sub _kinds { return { _system(), _agents(), _sessions(), _turns(), _openai(), _uploads(), _catalog(), _money(), _refused() } }

sub _system {
    my $kv = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';
    return (
    'short reads' => [ 1, sub { return one_of('/api/agents', $kv, '/api/status', '/api/tools', '/api/health', '/api/ready', '/api/dashboard/snapshot', '/api/commands', '/api/commands/help', '/api/audit/recent', '/api/audit/verify', '/api/profiles', '/api/profiles/coding') } ],
    'long reads' => [ 0.1, sub { return one_of('/api/models', '/api/openapi.json', '/api/metrics', '/api/providers', '/v1/models') } ],
    'what there is' => [ 0.5, sub {
        return one_of('/api/health/detail', '/api/version', '/api/versions', '/api/authz/whoami', '/api/tools/web_fetch', '/api/catalog/status', '/api/credential-pools', '/api/vault', '/api/security', '/api/auth/dashboard-check');
    } ],
    'values written and deleted' => [ 0.5, sub {
        my $k = "k$_[0]-" . $n++ % 50;
        return (expect(200, PUT => "$kv/$k", qq({"value":"@{[ 'x' x ($n % 500) ]}"})), expect(200, GET => "$kv/$k"), expect(204, DELETE => "$kv/$k"));
    } ],
    'memory out and in' => [ 0.1, sub {
        my $a = "/api/agents/$agents[$_[0]]/memory";
        return (expect(200, POST => "$a/import", qq({"kv":{"colour-@{[ $n++ % 20 ]}":"blue"}})), expect(200, GET => "$a/export"));
    } ],
    'what is remembered' => [ 0.02, sub {
        my $a = "/api/memory/agents/$agents[$_[0]]";
        my $item = sub { return qq({"content":"growth $_[0] @{[ $n++ ]}","level":"User","category":"x","confidence":0.5,"created_at":"2026-01-01T00:00:00Z","updated_at":null,"metadata":{}}) };
        my @bad = expect(200, POST => "$a/import", '[' . join(',', map { $item->($_) } qw(one two)) . ']');
        my ($status, $body) = ask(GET => $a);
        my ($id, $other) = map { $_->{id} } @{ (eval { $LF::JSON->decode($body) } // {})->{memories} // [] };
        return (@bad, "list: $status, " . substr $body, 0, 100) if !defined $other;
        return (@bad, (map { expect(200, GET => $_) } '/api/memory', '/api/memory/search?q=growth', '/api/memory/stats', "/api/memory/user/$agents[$_[0]]", map {"$a/$_"} 'search?q=growth', 'stats', 'count', 'duplicates', 'export'),
            expect(200, PUT => "/api/memory/items/$id", qq({"content":"changed $n"})), expect(200, GET => "/api/memory/items/$id/history"), expect(204, DELETE => "/api/memory/items/$id"),
            expect(200, POST => '/api/memory/bulk-delete', qq({"ids":["$other"]})), expect(200, POST => '/api/memory/cleanup'), expect(200, POST => '/api/memory/decay'),
            expect(200, POST => "$a/consolidate"), expect(204, DELETE => "$a/level/user_memory"), expect(204, DELETE => $a));
    } ],
    'logins' => [ 0.1, sub {
        my ($s) = ask(POST => '/api/auth/link', qq({"token":"@{[ sprintf '%064x', $n++ ]}"}), Authorization => '');
        return ($s == 401 || $s == 429 ? () : "link: $s", expect(200, POST => '/api/auth/dashboard-login', '{"username":"x","password":"y"}'), expect(400, POST => '/api/auth/change-password', '{"current_password":"y","new_password":"long enough"}'), expect(200, POST => '/api/auth/logout'), expect(200, POST => '/auth/logout'));
    } ],
    'users' => [ 0.1, sub { return one_of('/api/users', map {"/api/users/ada$_"} '', '/policy', '/groups', '/provider-keys') } ],
    'users changed' => [ 0.005, sub {
        my $u = "/api/users/grown-$_[0]";
        my $k = "$u/provider-keys/openai";
        return (expect(201, POST => '/api/users', qq({"name":"grown-$_[0]","role":"user"})), expect(200, PUT => $u, qq({"name":"grown-$_[0]","role":"viewer"})), expect(200, POST => "$u/rotate-key"),
            expect(200, PUT => "$u/policy", '{"tool_policy":{"denied_tools":["web_*"]}}'), expect(200, PUT => $k, qq({"api_key":"sk-@{[ $n++ ]}"})), expect(200, DELETE => $k),
            expect(200, POST => '/api/users/import', '{"rows":[{"name":"cyd","role":"viewer"}],"dry_run":true}'), expect(204, DELETE => $u));
    } ],
    'secrets' => [ 0.02, sub { my $s = "/api/vault/GROWTH_$_[0]"; return (expect(200, PUT => $s, qq({"value":"secret-@{[ $n++ ]}"})), expect(204, DELETE => $s)) } ],
    );
}

sub _agents { return (
    'agents made and killed' => [ 0.05, sub {
        my ($id, @bad) = id_from(agent_id => POST => '/api/agents', $LF::JSON->encode({ manifest_toml => 'name = "short-' . $$ . '-' . $n++ . "\"\n" }));
        return @bad ? @bad : expect(200, DELETE => "/api/agents/$id?confirm=true");
    } ],
    'agents in numbers' => [ 0.02, sub {
        my $k = "$$-" . $n++;
        my ($s, $t) = ask(POST => '/api/agents/bulk', qq({"agents":[{"manifest_toml":"name = \\"many-$k\\""},{"template":"coder","name":"more-$k"}]}));
        my @ids = $t =~ /"agent_id":"([^"]+)"/g;
        return "bulk: $s $t" if @ids != 2;
        my ($clone, @bad) = id_from(agent_id => POST => "/api/agents/$ids[0]/clone", qq({"new_name":"twin-$k"}));
        my $these = $LF::JSON->encode({ agent_ids => [ @ids, $clone // () ] });
        return (@bad, expect(200, POST => '/api/agents/bulk/stop', $these), expect(200, POST => '/api/agents/bulk/start', $these), expect(200, DELETE => '/api/agents/bulk', $these),
            expect(200, GET => '/api/agents/identities'),
            map { expect(200, POST => "/api/agents/identities/$_-$k/reset?confirm=true") } qw(many more twin));
    } ],
    'settings of agents' => [ 0.05, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my $k = $n++;
        return (expect(200, PATCH => "$a/config", qq({"description":"number $k","temperature":0.$k})), expect(200, PUT => "$a/tools", '{"tool_blocklist":["web_fetch"]}'),
            expect(200, PATCH => "$a/identity", qq({"emoji":"$k"})), expect(200, PUT => "$a/files/SOUL.md", qq({"content":"@{[ 'x' x ($k % 500) ]}"})), expect(200, GET => "$a/files/SOUL.md"),
            expect(200, POST => "$a/reload"));
    } ],
    'more settings' => [ 0.02, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my $k = $n++;
        return (expect(200, PATCH => $a, qq({"description":"number $k"})), expect(200, PUT => "$a/update", qq({"tags":["t$k"]})), expect(200, PUT => "$a/mode", qq({"mode":"@{[ ('assist', 'full')[ $k % 2 ] ]}"})),
            expect(200, PUT => "$a/model", '{"provider":"openai","model":"gpt-4o-mini"}'), expect(200, PUT => "$a/skills", '{"skills":[]}'), expect(200, PUT => "$a/mcp_servers", '{"mcp_servers":["*"]}'),
            expect(200, PUT => "$a/channels", '{"channels":[]}'), expect(200, PUT => "$a/suspend"), expect(200, PUT => "$a/resume"), expect(200, PUT => "$a/mode", '{"mode":"full"}'),
            expect(200, PUT => "$a/files/USER.md", '{"content":"x"}'), expect(200, DELETE => "$a/files/USER.md"), expect(400, PATCH => "$a/hand-runtime-config", '{"temperature":0.2}'),
            expect(400, DELETE => "$a/hand-runtime-config"), expect(404, POST => "$a/push", '{"channel":"telegram","recipient":"1","message":"hello"}'));
    } ],
    'what agents are' => [ 0.5, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        return one_of($a, map {"$a/$_"} qw(channels mcp_servers skills tools runtime deliveries sessions files metrics stats traces events session session/context logs?n=50));
    } ],
    'templates' => [ 0.1, sub {
        my $t = '/api/templates/coder';
        return (one_of('/api/templates', $t, '/api/templates/tutor/toml', "$t/history"), $n % 10 ? () : expect(200, PUT => $t, qq({"description":"number $n"})));
    } ],
    'templates made' => [ 0.02, sub {
        my $t = "/api/templates/mine-$_[0]";
        my @bad = (expect(201, POST => '/api/templates', qq({"name":"mine-$_[0]","system_prompt":"Greet everybody. @{[ $n++ ]}"})), expect(200, PUT => $t, qq({"description":"number $n"})));
        my ($s, $h) = ask(GET => "$t/history");
        my ($version) = $h =~ /"(?:version_)?id":"?([^",}]+)/;
        return (@bad, defined $version ? expect(200, POST => "$t/history/$version/restore") : "history: $s $h", expect(200, DELETE => $t));
    } ],
) }

sub _sessions { return (
    'sessions of all agents' => [ 0.25, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($id, @bad) = id_from(session_id => POST => "$a/sessions/import", '{"version":1,"messages":[' . join(',', map {qq({"role":"user","content":"question $_"},{"role":"assistant","content":"answer"})} 1 .. 8) . ']}');
        return @bad ? @bad : (expect(200, GET => "/api/sessions/$id"), expect(200, PUT => "/api/sessions/$id/label", '{"label":"grown"}'), expect(200, GET => "$a/sessions/$id/export"),
            expect(200, GET => '/api/sessions?limit=5'), expect(200, POST => "$a/sessions/$id/switch"), $n++ % 4 ? () : expect(200, POST => "$a/session/compact"),
            expect(204, DELETE => "/api/sessions/$id"), fresh($_[0]));
    } ],
    'sessions begun and left' => [ 0.1, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($id, @bad) = id_from(session_id => POST => "$a/sessions", qq({"label":"left-$_[0]-@{[ $n++ ]}"}));
        return @bad ? @bad : (expect(200, GET => "$a/sessions/by-label/left-$_[0]-" . ($n - 1)), expect(200, PATCH => "/api/sessions/$id/model", '{"model_override":"openai/gpt-4o-mini"}'), expect(200, POST => "$a/sessions/$id/stop"),
            expect(200, POST => "$a/inject", '{"message":"And be brief."}'), expect(200, POST => "$a/stop"), expect(200, DELETE => "$a/history"), expect(200, POST => "$a/session/reboot"), expect(204, DELETE => "/api/sessions/$id"));
    } ],
    'sessions looked for' => [ 0.25, sub { return one_of("/api/sessions/search?q=hello", "/api/sessions?limit=50", "/api/sessions/search?q=question+$n", ([ POST => '/api/sessions/cleanup' ]) x ($n % 40 == 3)) } ],
    'trajectories' => [ 0.1, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($id, @bad) = id_from(session_id => GET => "$a/session");
        return @bad ? @bad : expect(200, GET => "$a/sessions/$id/trajectory?format=" . ('json', 'jsonl')[ $n++ % 2 ]);
    } ],
) }

sub _turns { return (
    'messages' => [ 0.5, sub { return (fresh($_[0]), expect(200, POST => "/api/agents/$agents[$_[0]]/message", '{"message":"hello"}')) } ],
    'streamed messages' => [ 0.5, sub {
        my @bad = fresh($_[0]);
        my ($s, $t) = ask(POST => "/api/agents/$agents[$_[0]]/message/stream", '{"message":"hello"}');
        return (@bad, $t =~ /event: done\n/ ? () : "stream: $s $t");
    } ],
    'chat sockets' => [ 0.1, sub {
        my $ws = socket_at("/api/agents/$agents[$_[0]]/ws");
        return 'socket: ' . $ws->status if $ws->status != 101;
        $ws->next for 1, 2;
        my @last = map { ($ws->turn('hello'))[-1]{type} } 1 .. 3;
        $ws->close;
        return (fresh($_[0]), grep { $_ ne 'response' } @last);
    } ],
    'watchers' => [ 0.1, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($id, @bad) = id_from(session_id => GET => "$a/session");
        return @bad if @bad;
        my @w = map { my $w = later("$a/sessions/$id/stream", '', method => 'GET'); $w->read_head; $w } 1 .. 3;
        $w[0]->close;
        my $ws = socket_at("$a/sessions/$id/stream");
        @bad = expect(200, POST => "$a/message", '{"message":"hello"}');
        push @bad, 'watcher: no last frame' if ($ws->until('done'))[-1]{type} ne 'done';
        $ws->close;
        push @bad, 'watcher: no end' if grep { ($_->all)[-1]{event} ne 'done' } @w[ 1, 2 ];
        return (@bad, fresh($_[0]));
    } ],
    'clients that go away' => [ 0.1, sub {
        my $s = later("/api/agents/$agents[$_[0]]/message/stream", { message => 'hello' });
        $s->read_head if $n % 2;
        $s->close;
        return fresh($_[0]);
    } ],
) }

sub _openai { return (
    'the gateway' => [ 0.5, sub { return expect(200, POST => '/v1/chat/completions', completion('openai/gpt-4o-mini')) } ],
    'the gateway, streamed' => [ 0.5, sub { my ($s, $t) = ask(POST => '/v1/chat/completions', completion('openai/gpt-4o-mini', 1)); return $t =~ /\[DONE\]/ ? () : "gateway: $s $t" } ],
    'completions of an agent' => [ 0.25, sub { return (fresh($_[0]), expect(200, POST => '/v1/chat/completions', completion('grow-' . ($_[0] + 1)))) } ],
    'completions of an agent, streamed' => [ 0.1, sub { my @bad = fresh($_[0]); my ($s, $t) = ask(POST => '/v1/chat/completions', completion('grow-' . ($_[0] + 1), 1)); return (@bad, $t =~ /\[DONE\]/ ? () : "agent: $s $t") } ],
) }

sub _uploads { return (
    'uploads' => [ 0.05, sub {
        my $up = "/api/agents/$agents[$_[0]]/upload";
        my ($id, @bad) = id_from(file_id => POST => $up, 'x' x (1 + $n++ * 997 % 400000), 'Content-Type' => 'text/plain', 'X-Filename' => "f$n.txt");
        return @bad ? @bad : (expect(200, GET => "/api/uploads/$id"), expect(206, GET => "/api/uploads/$id", undef, Range => 'bytes=0-0'), expect(400, POST => $up, 'x' x 100000, 'Content-Type' => 'text/html'),
            expect(201, POST => $up, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nabc\r\n--b--\r\n", 'Content-Type' => 'multipart/form-data; boundary=b'));
    } ],
    'uploads that break off' => [ 0.1, sub {
        my $c = $api->connect;
        $asked++;
        syswrite $c, "POST /api/agents/$agents[$_[0]]/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key . "\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n" . 'x' x ($n++ * 997 % 300000);
        close $c;
        return;
    } ],
    'pictures in messages' => [ 0.05, sub {
        my $a = "/api/agents/$agents[$_[0]]";
        my ($id, @bad) = id_from(file_id => POST => "$a/upload", "\x89PNG\r\n\x1a\n" . $n++ % 50, 'Content-Type' => 'image/png');
        return @bad ? @bad : (fresh($_[0]), expect(200, POST => "$a/message", qq({"message":"look","attachments":[{"file_id":"$id"}]})), expect(200, GET => "$a/session"));
    } ],
) }

sub _catalog { return (
    'models' => [ 0.25, sub { return one_of('/api/models/gpt-5.5-codex', '/api/models/aliases', '/api/models?provider=openai', '/api/providers/openai', '/api/models/overrides/openai:gpt-4o') } ],
    'models of our own' => [ 0.02, sub {
        my $k = $n++;
        return (expect(201, POST => '/api/models/aliases', qq({"alias":"best-$_[0]","model_id":"gpt-4o-mini"})), expect(204, DELETE => "/api/models/aliases/best-$_[0]"),
            expect(201, POST => '/api/models/custom', qq({"id":"mine-$_[0]","provider":"openai"})), expect(204, DELETE => "/api/models/custom/mine-$_[0]"),
            expect(200, PUT => "/api/models/overrides/openai:gpt-4o-$_[0]", qq({"temperature":0.$k})), expect(204, DELETE => "/api/models/overrides/openai:gpt-4o-$_[0]"));
    } ],
    'providers' => [ 0.01, sub {
        my $p = '/api/providers/together';
        return (expect(200, PUT => "$p/url", qq({"base_url":"http://127.0.0.1:1/v@{[ $n++ ]}"})), expect(200, POST => "$p/key", qq({"key":"sk-$n"})), expect(200, PUT => "$p/discovery", '{"discover_models":false}'),
            expect(204, DELETE => "$p/key"), expect(200, POST => "$p/enable"), expect(200, POST => '/api/providers/openai/test'), expect(200, GET => '/api/providers/ollama/detect'));
    } ],
    'the default model' => [ 0.003, sub { return expect(200, POST => '/api/providers/openai/default', qq({"model":"@{[ ('gpt-5', 'gpt-5-mini')[ $n++ % 2 ] ]}"})) } ],
    'GitHub, and the catalog from elsewhere' => [ 0.02, sub { return (expect(502, POST => '/api/providers/github-copilot/oauth/start'), expect(404, GET => '/api/providers/github-copilot/oauth/poll/' . $n++), expect(200, POST => '/api/catalog/update')) } ],
) }

sub _money { return (
    'usage' => [ 0.25, sub { return one_of('/api/usage', '/api/usage/summary', '/api/usage/by-model', '/api/usage/by-model/performance', '/api/usage/daily',
        map { "/api/usage$_?start_date=2026-01-01&end_date=2099-12-31" } '', qw(/summary /by-model /by-model/performance /daily)) } ],
    'usage exported' => [ 0.002, sub { return expect(200, GET => '/api/usage/export?format=csv') } ],
    'budgets' => [ 0.25, sub { return one_of('/api/budget', '/api/budget/agents', "/api/budget/agents/$agents[$_[0]]", '/api/budget/providers', '/api/budget/users', '/api/budget/users/ada') } ],
    'budgets set' => [ 0.005, sub {
        my $k = 1000 + $n++ % 1000;
        return (expect(200, PUT => "/api/budget/agents/$agents[$_[0]]", qq({"max_cost_per_day_usd":$k})), expect(200, PUT => '/api/budget/providers/openai', qq({"max_cost_per_month_usd":$k})),
            expect(200, PUT => '/api/budget/users/ada', qq({"max_hourly_usd":$k,"max_daily_usd":$k,"max_monthly_usd":$k,"alert_threshold":0.8})), expect(204, DELETE => '/api/budget/users/ada'),
            expect(200, PUT => '/api/budget', qq({"max_daily_usd":$k})), expect(200, POST => '/api/config/set', qq({"path":"budget.max_monthly_usd","value":$k})));
    } ],
) }

sub _refused { return (
    'wrong keys' => [ 1, sub { return expect(401, GET => '/api/agents', undef, Authorization => 'Bearer wrong-' . $n++) } ],
    'what is not there' => [ 1, sub { return $n++ % 2 ? expect(404, GET => '/api/agents/' . sprintf '%08d-0000-4000-8000-%012d', $n, $$) : expect(404, GET => "/api/nothing-$n") } ],
    'bodies that are none' => [ 1, sub {
        my @b = ([ 400, '{"a":' ], [ 422, '{"message":5}' ], [ 400, '[' x 60 ], [ 415, 'x', 'Content-Type' => 'text/plain' ], [ 400, "{\"message\":\"\xff\"}" ]);
        my ($status, $body, %h) = @{ $b[ $n++ % @b ] };
        return expect($status, POST => "/api/agents/$agents[$_[0]]/message", $body, %h);
    } ],
) }
1;
