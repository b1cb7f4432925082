#!/usr/bin/perl
# No memory, no disk, no connection, no thread: each of the daemon's rows is asked again and again while one
# thing that it asks the machine for is refused, or that and all after it. Each time the answer is the usual
# one, a 5xx in the standard shape, or none at all; the store and the home are as before or as after; no turn stays
# open, no tool does its work twice; the next question is answered. Or the daemon is killed there (kills), and it is the next
# start after which all is as before or as after.
#
# Here some rows, some of it, by chance, for SECONDS: LF_STARVE_SEED says which. LF_STARVE=all: all rows, each place in the
# daemon once (make starve; LF_STARVE_DEEP=2: and once more when it comes there again in the same question); LF_STARVE=every:
# all rows, each call; LF_STARVE=N: all rows, N times as much by chance. LF_STARVE_ONLY: rows whose name matches. LF_STARVE_KIND:
# kinds that match, LF_STARVE_ALL=1: with all after it. LF_STARVE_NUMBER: that one. LF_STARVE_JOBS=N: N servers at once, of
# which each takes the next row.
use strict;
use warnings;
use Fcntl;
use LF;
use List::Util ();
use LF::Starve;
use Test::More;
use Time::HiRes qw(time);

my ($EACH, $SEED) = LF::Starve::begins();
my $ALL  = ($ENV{LF_STARVE} // '') eq 'every';
my $ONLY = $ENV{LF_STARVE_ONLY} // '';
my %picks = (memory => 3, reads => 1, writes => 1, sockets => 1, threads => 1, removals => 1);
$picks{kills} = 1 if $ENV{LF_STARVE} || ($ENV{LF_STARVE_KIND} // '') eq 'kills';
my $SECONDS = 6;
my $TIMES = $ENV{LF_STARVE} && !$ALL && !$EACH ? $ENV{LF_STARVE} : 1;
$_ *= $TIMES for values %picks;

my $next = LF::Starve::parts($ENV{LF_STARVE_JOBS} // 1);

my $up = LF->mock(when => [
    [ qr/"role":"tool"/ => { text => 'It is done.' } ],
    [ 'WITH-TOOLS' => { tool_calls => [ { name => 'task_post', arguments => { title => 'the task', description => 'once' } },
        { name => 'file_write', arguments => { path => 'note.txt', content => 'once' } } ] } ],
], default => { text => 'Hello from the mock.' });
my $s = LF::Starve->new(model => $up, tell => 1, limits => "max_ws_per_ip = 1000\n", top => qq(dashboard_user = "one"\ndashboard_pass = "words of the door"), env => { LF_GITHUB_URL => $up->base, LF_LLM_RETRY_MS => 20, LF_REST_SECOND_MS => 0 },
    config => qq([provider_urls]\nollama = "@{[$up->url]}"\n[[users]]\nname = "zoe"\nrole = "user"\n))
    // plan skip_all => 'no compiler';
my $home = $s->api->home;
$s->{deep} = $ENV{LF_STARVE_DEEP} // 1;

# --- the rows --------------------------------------------------------------------------

my ($ada, $session, $other, %made);

sub done { my ($m, $p, $b, %h) = @_; my $r = $s->ask($m, $p, $b, %h); die "$m $p: $r->{status} $r->{content}\n" if $r->{status} !~ /^2/; return $r->{json} }
sub perhaps { return $s->ask(@_) }

my $manifest = qq(name = "ada"\n[model]\nprovider = "openai"\nmodel = "mock-model"\n[capabilities]\ntools = ["*"]\n);

# Nobody but Ada is there, as she was born.
sub fresh {
    my ($of) = @_;
    my $all = done(GET => '/api/agents');
    done(DELETE => '/api/agents/bulk', { agent_ids => [ map { $_->{id} } @{ $all->{items} } ] }) if @{ $all->{items} };
    perhaps(POST => "/api/agents/identities/$_/reset?confirm=true") for map { $_->{name} } @{ $all->{items} };
    $ada = done(POST => '/api/agents', { manifest_toml => $of // $manifest })->{agent_id};
    return;
}
sub spoken { fresh(); done(POST => "/api/agents/$ada/message", { message => 'hello' }); return }
sub with_session {
    fresh();
    $session = done(GET => "/api/agents/$ada/session")->{session_id};
    $other = done(POST => "/api/agents/$ada/sessions", { label => 'notes' })->{session_id};
    return;
}
sub row { my ($name, $status, $before, $ask, %o) = @_; return { name => $name, status => $status, before => $before, ask => $ask, %o } }
sub plain { my ($status, $before, $method, $path, $body, %o) = @_;
    return row($o{name} // "$method " . ($path =~ s/\$(\w+)/{$1}/gr), $status, $before, sub {
        my ($b, $p) = (ref $body eq 'CODE' ? $body->() : $body, $path);
        $p =~ s/\$ada/$ada/; $p =~ s/\$session/$session/; $p =~ s/\$other/$other/; $p =~ s/\$(poll|version)/$made{$1}/;
        return $s->ask($method, $p, $b, %{ $o{headers} // {} });
    }, %o);
}
sub without { my (@it) = @_; return sub { perhaps(DELETE => $_) for @it } }
my $nothing = sub { };
my $agent = '/api/agents/$ada';
my $template = sub { $s->looked('forget'); perhaps(DELETE => '/api/templates/coder'); perhaps(DELETE => '/api/templates/greeter'); done(PUT => '/api/templates/coder', { description => 'changed' }) };
my $secret = sub { done(PUT => '/api/vault/SEARCH_API_KEY', { value => 'x' }) };
my $opens = sub {
    utime undef, undef, "$home/vault.enc";      # or it is not opened again
    my $v = $s->ask(GET => '/api/vault');
    return $v->{content} =~ /"SEARCH_API_KEY"/ ? () : "the vault does not open: $v->{status} $v->{content}";
};
sub put_file { my ($path, $text) = @_; sysopen my $f, $path, O_WRONLY | O_CREAT | O_TRUNC, 0600 or die "$path: $!"; print $f $text; close $f or die "$path: $!"; return }
my $kim = sub { perhaps(DELETE => '/api/users/kim/provider-keys/openai'); perhaps(DELETE => '/api/users/kim'); done(POST => '/api/users', { name => 'kim', role => 'viewer' }) };
my $kim_with_key = sub { $kim->(); done(PUT => '/api/users/kim/provider-keys/openai', { api_key => 'sk-kim' }) };
my $manifest_of_kim = qq(author = "kim"\n$manifest);
my $key = sub { done(POST => '/api/providers/openai/key', { key => 'sk-one' }) };

my @rows = (
    plain(201, sub { fresh(); done(DELETE => "/api/agents/$ada?confirm=true") }, POST => '/api/agents', { manifest_toml => $manifest }),
    plain(201, sub { fresh() }, POST => '/api/agents', { template => 'coder' }, name => 'POST /api/agents from a template'),
    plain(200, \&fresh, PATCH => $agent, { description => 'Keeps notes', name => 'bea' }),
    plain(200, \&spoken, DELETE => "$agent?confirm=true", undef),
    plain(200, \&fresh, POST => "$agent/stop"),
    plain(200, \&fresh, POST => "$agent/sessions", { label => 'second' }),
    plain(200, \&with_session, POST => "$agent/sessions/\$session/switch"),
    plain(200, \&with_session, POST => "$agent/sessions/\$session/stop"),
    plain(204, \&with_session, DELETE => '/api/sessions/$session'),
    plain(200, \&spoken, DELETE => "$agent/history"),
    plain(200, \&spoken, POST => "$agent/session/reset"),
    plain(200, \&spoken, POST => "$agent/session/reboot"),
    plain(200, \&spoken, GET => "$agent/session/context"),
    plain(200, \&spoken, POST => "$agent/session/compact"),
    plain(200, \&fresh, PUT => "$agent/model", { provider => 'offline', model => 'offline' }),
    plain(200, \&fresh, PUT => "$agent/mode", { mode => 'assist' }),
    plain(200, \&fresh, POST => '/api/agents/bulk', { agents => [ { template => 'coder', name => 'one' }, { template => 'coder', name => 'two' } ] }, parts => 1),
    plain(200, \&fresh, DELETE => '/api/agents/bulk', sub { return { agent_ids => [$ada] } }, parts => 1),
    plain(200, \&fresh, POST => '/api/agents/bulk/start', sub { return { agent_ids => [$ada] } }, parts => 1),
    plain(200, \&fresh, POST => '/api/agents/bulk/stop', sub { return { agent_ids => [$ada] } }, parts => 1),
    plain(200, \&fresh, PUT => "$agent/update", { tags => ['notes'] }),
    plain(200, \&fresh, PATCH => "$agent/identity", { color => '#336699' }),
    plain(200, \&fresh, PATCH => "$agent/config", { temperature => 0.2 }),
    plain(201, \&fresh, POST => "$agent/clone", { new_name => 'second' }, parts => 1),
    plain(200, \&fresh, PUT => "$agent/suspend"),
    plain(200, sub { fresh(); done(PUT => "/api/agents/$ada/suspend") }, PUT => "$agent/resume"),
    plain(200, \&fresh, POST => "$agent/reload"),
    plain(200, \&fresh, PUT => "$agent/tools", { tool_blocklist => ['web_fetch'] }),
    plain(200, \&fresh, PUT => "$agent/skills", { skills => [] }),
    plain(200, \&fresh, PUT => "$agent/mcp_servers", { mcp_servers => ['*'] }),
    plain(200, \&fresh, PUT => "$agent/channels", { channels => [] }),
    plain(200, \&fresh, GET => "$agent/files"),
    plain(200, \&fresh, PUT => "$agent/files/SOUL.md", { content => 'Kind and brief.' }),
    plain(200, sub { fresh(); done(PUT => "/api/agents/$ada/files/SOUL.md", { content => 'Kind.' }) }, GET => "$agent/files/SOUL.md"),
    plain(200, sub { fresh(); done(PUT => "/api/agents/$ada/files/SOUL.md", { content => 'Kind.' }) }, DELETE => "$agent/files/SOUL.md"),
    plain(200, \&fresh, POST => "$agent/inject", { message => 'And be brief.' }),
    plain(404, \&fresh, POST => "$agent/push", { channel => 'telegram', recipient => '12345', message => 'hello' }),
    plain(400, \&fresh, PATCH => "$agent/hand-runtime-config", { temperature => 0.2 }),
    plain(400, \&fresh, DELETE => "$agent/hand-runtime-config"),
    plain(201, \&fresh, POST => "$agent/upload", 'x' x 200_000, headers => { 'Content-Type' => 'text/plain', 'X-Filename' => 'notes.txt' }),
    plain(201, \&fresh, POST => "$agent/upload", "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n" . 'y' x 90_000
        . "\r\n--B--\r\n", headers => { 'Content-Type' => 'multipart/form-data; boundary=B' }, name => 'POST /api/agents/{ada}/upload: a form'),

    plain(200, sub { done(PUT => '/api/budget', { max_hourly_usd => 7 }) }, PUT => '/api/budget', { max_hourly_usd => 5 }, slow => 4, config => 1),
    plain(200, \&fresh, PUT => '/api/budget/agents/$ada', { max_llm_tokens_per_hour => 5000 }, config => 1),
    plain(200, sub { done(PUT => '/api/budget/providers/openai', { max_cost_per_day_usd => 7 }) }, PUT => '/api/budget/providers/openai', { max_cost_per_day_usd => 5 }, slow => 4, config => 1),
    plain(200, sub { done(PUT => '/api/budget/providers/openai', { max_cost_per_day_usd => 7 }) if !$made{limit}++ }, GET => '/api/budget/providers'),
    plain(200, without('/api/budget/users/zoe'), PUT => '/api/budget/users/zoe', { max_hourly_usd => 1, max_daily_usd => 2, max_monthly_usd => 3, alert_threshold => 0.5 }, slow => 4, config => 1),
    plain(204, sub { done(PUT => '/api/budget/users/zoe', { max_hourly_usd => 1, max_daily_usd => 2, max_monthly_usd => 3, alert_threshold => 0.5 }) }, DELETE => '/api/budget/users/zoe', undef, slow => 4, config => 1),

    plain(201, without('/api/models/aliases/best'), POST => '/api/models/aliases', { alias => 'best', model_id => 'gpt-5' }),
    plain(204, sub { perhaps(POST => '/api/models/aliases', { alias => 'best', model_id => 'gpt-5' }) }, DELETE => '/api/models/aliases/best'),
    plain(201, without('/api/models/custom/my-model'), POST => '/api/models/custom', { id => 'my-model', provider => 'openai' }),
    plain(204, sub { perhaps(POST => '/api/models/custom', { id => 'my-model', provider => 'openai' }) }, DELETE => '/api/models/custom/my-model'),
    plain(200, without('/api/models/overrides/openai:gpt-5'), PUT => '/api/models/overrides/openai:gpt-5', { temperature => 0.2 }),
    plain(204, sub { perhaps(PUT => '/api/models/overrides/openai:gpt-5', { temperature => 0.2 }) }, DELETE => '/api/models/overrides/openai:gpt-5'),
    plain(200, $nothing, POST => '/api/catalog/update'),

    plain(200, $nothing, GET => '/api/templates'),
    plain(201, sub { $template->() }, POST => '/api/templates', { name => 'greeter', system_prompt => 'Greet everybody.' }),
    plain(200, $template, GET => '/api/templates/coder'),
    plain(200, $template, PUT => '/api/templates/coder', { description => 'For every day' }),
    plain(200, $template, DELETE => '/api/templates/coder'),
    plain(200, $template, GET => '/api/templates/coder/toml'),
    plain(200, $template, GET => '/api/templates/coder/history'),
    plain(200, sub { $template->(); done(PUT => '/api/templates/coder', { description => 'again' });
        $made{version} = done(GET => '/api/templates/coder/history')->{versions}[1]{id} }, POST => '/api/templates/coder/history/$version/restore'),

    plain(200, sub { spoken() if !$made{spoken}++ }, GET => '/api/usage/export?format=csv&from=2000-01-01', undef, streams => 1),
    plain(201, sub { unlink map {"$home/$_"} qw(vault.enc vault.key vault.key.new) }, POST => '/api/vault/init', undef, slow => 16),
    plain(200, $nothing, GET => '/api/vault'),
    plain(200, $nothing, PUT => '/api/vault/SEARCH_API_KEY', { value => 'x' }, slow => 8),
    plain(204, $secret, DELETE => '/api/vault/SEARCH_API_KEY', undef, slow => 8),
    plain(200, $secret, POST => '/api/vault/rotate-key', undef, slow => 16, then => $opens),

    plain(200, sub {        # one that was killed before the new key took its place
        my $old = (done(PUT => '/api/vault/SEARCH_API_KEY', { value => 'x' }), LF::slurp("$home/vault.key"))[1];
        done(POST => '/api/vault/rotate-key');
        rename "$home/vault.key", "$home/vault.key.new" or die $!;
        put_file("$home/vault.key", $old);
    }, POST => '/api/vault/rotate-key', undef, name => 'rotate-key after a rotation that was killed', then => $opens),

    plain(201, without('/api/users/kim'), POST => '/api/users', { name => 'kim', role => 'viewer' }, slow => 4, config => 1),
    plain(200, $kim, PUT => '/api/users/kim', { name => 'kim', role => 'admin' }, slow => 4, config => 1),
    plain(200, sub { perhaps(DELETE => '/api/users/lee'); $kim_with_key->(); fresh($manifest_of_kim); done(PATCH => "/api/agents/$ada", { tags => ['kim'] }) },
        PUT => '/api/users/kim', { name => 'lee', role => 'viewer' }, slow => 4, config => 1, name => 'PUT /api/users/kim: a new name'),
    plain(204, $kim, DELETE => '/api/users/kim', undef, slow => 4, config => 1),
    plain(200, sub { perhaps(DELETE => '/api/users/kim'); perhaps(DELETE => '/api/users/lee') }, POST => '/api/users/import', { rows => [ { name => 'kim' }, { name => 'lee', role => 'viewer' } ] }, slow => 4, config => 1),
    plain(200, $kim, POST => '/api/users/kim/rotate-key', undef, slow => 4, config => 1),
    plain(200, $kim_with_key, GET => '/api/users/kim/provider-keys'),
    plain(200, $kim, PUT => '/api/users/kim/policy', { tool_policy => { denied_tools => ['web_fetch'] } }, slow => 4, config => 1),
    plain(200, $kim, PUT => '/api/users/kim/provider-keys/openai', { api_key => 'sk-kim' }, slow => 8, config => 1),
    plain(200, $kim_with_key, DELETE => '/api/users/kim/provider-keys/openai', undef, slow => 8, config => 1),

    plain(200, sub { done(POST => '/api/auth/change-password', { current_password => 'words of the door', new_username => 'one' }) },
        POST => '/api/auth/change-password', { current_password => 'words of the door', new_username => 'two' }, slow => 4, config => 1),

    # whole turns
    plain(200, \&fresh, POST => "$agent/message", { message => 'hello' }, turn => 1),
    plain(200, \&fresh, POST => "$agent/message", { message => 'WITH-TOOLS' }, turn => 1, name => 'a turn with tools'),
    plain(200, \&fresh, POST => "$agent/message/stream", { message => 'WITH-TOOLS' }, turn => 1),
    row('a WebSocket: GET /api/agents/{ada}/ws', 101, \&fresh, sub { return $s->chat("/api/agents/$ada/ws", { type => 'message', content => 'WITH-TOOLS' }) }, turn => 1),
    row('a watched turn: GET /api/agents/{ada}/sessions/{session}/stream', 200, sub { fresh(); $session = done(GET => "/api/agents/$ada/session")->{session_id} }, sub { return $s->watch("/api/agents/$ada/sessions/$session/stream", POST => "/api/agents/$ada/message", { message => 'WITH-TOOLS' }) }, turn => 1),
    plain(200, \&fresh, POST => '/v1/chat/completions', { model => 'ada', messages => [ { role => 'user', content => 'WITH-TOOLS' } ] }, turn => 1),
    plain(200, \&fresh, POST => '/v1/chat/completions', { model => 'ada', stream => JSON::PP::true, messages => [ { role => 'user', content => 'hello' } ] }, turn => 1, name => '/v1, streamed'),
    plain(200, $nothing, POST => '/v1/chat/completions', { model => 'openai/mock-model', messages => [ { role => 'user', content => 'hello' } ] }, turn => 1, name => '/v1, a gateway'),

    plain(200, $nothing, GET => '/api/providers/ollama/detect', undef, also => qr/200/),
    plain(200, $nothing, POST => '/api/providers/github-copilot/oauth/start', undef, also => qr/502|504/),
    plain(200, sub { $made{poll} = done(POST => '/api/providers/github-copilot/oauth/start')->{poll_id} }, GET => '/api/providers/github-copilot/oauth/poll/$poll', undef, also => qr/502|504|200/),
    plain(200, $nothing, POST => '/api/providers/openai/key', { key => 'sk-two' }, slow => 4, config => 1),
    plain(204, $key, DELETE => '/api/providers/openai/key', undef, slow => 8),
    plain(200, $key, POST => '/api/providers/openai/test', undef, also => qr/200|502|504/, slow => 8),
    plain(200, sub { done(PUT => '/api/providers/mistral/url', { base_url => $up->base . '/v2' }) }, PUT => '/api/providers/mistral/url', { base_url => $up->url }, slow => 4, config => 1),
    plain(200, sub { $key->(); done(POST => '/api/providers/openai/default', { model => 'gpt-5' }) }, POST => '/api/providers/offline/default', {}, slow => 4, config => 1),
    plain(200, sub { done(PUT => '/api/providers/openai/discovery', { discover_models => JSON::PP::false }) }, PUT => '/api/providers/openai/discovery', { discover_models => JSON::PP::true }, slow => 4, config => 1),
    plain(200, $nothing, POST => '/api/providers/openai/enable'),
    plain(200, $nothing, GET => '/api/credential-pools'),
    plain(200, sub { done(POST => '/api/config/set', { path => 'max_history_messages', value => 41 }) }, POST => '/api/config/set', { path => 'max_history_messages', value => 43 }, slow => 4, config => 1, untaken => qr/^\{"status":"saved_reload_failed"/),
    plain(200, $nothing, POST => '/api/shutdown', undef, ends => 1),
);

# --- what is right ----------------------------------------------------------------------

sub text_of {
    my ($a) = @_;
    my $t = $a->{events} ? $LF::JSON->encode([ map { { %{ ref $_ eq 'HASH' ? $_ : {} }, at => 0, id => 0 } } @{ $a->{events} } ]) : $a->{content};
    $t =~ s/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/U/g;
    $t =~ s/\d{4}-\d\d-\d\d[T ][0-9:.]+Z?/T/g;
    $t =~ s/"id":\d+,"template_name"/"id":0,"template_name"/g;
    $t =~ s/(_ms\\?"|latency\w*\\?"|created\\?"|updated\\?"): ?[0-9.]+/$1:0/g;
    $t =~ s/\b(?:1[0-9]{9,}|[0-9a-f]{16,})\b/L/g;
    return $t;
}

# What came into the store and what went, of what is counted there.
sub change {
    my ($from, $to) = @_;
    my %d = map { $_ => ($to->{$_} // 0) - ($from->{$_} // 0) } keys %$from, keys %$to;
    delete @d{ grep { !$d{$_} } keys %d };
    return \%d;
}
sub same { my ($x, $y) = @_; return $LF::JSON->encode($x) eq $LF::JSON->encode($y) }
sub told { my ($d) = @_; return map { sprintf '  %+d %s', $d->{$_}, substr s/\n/ /gr, 0, 120 } sort keys %$d }

# What of a change is not held against it: a temporary file that could not be removed, a key of a vault that was not made, an entry
# about config.toml that could not be written.
sub counted {
    my ($r, $kind, $all, $d) = @_;
    my %d = %$d;
    delete @d{ grep { $d{$_} > 0 && m{^file \S*/\.lf-tmp-L:} } keys %d } if $kind =~ /^(?:removals|kills)$/ || $all;
    delete $d{'file /vault.key: sealed'} if $kind eq 'kills' && $r->{name} =~ m{/init$};
    delete @d{ grep {/^audit_entries: \["(?:ConfigChange|RoleChange)"/} keys %d } if $r->{config};
    return \%d;
}

sub refusal {
    my ($r, $a) = @_;
    my $ok = $r->{turn} ? qr/^(?:500|502|503|504|507)$/ : qr/^(?:500|503|507)$/;
    return "$a->{status} " . substr($a->{content}, 0, 300) if $a->{status} !~ $ok;
    my @f = LF::error_faults($a, $a->{headers}{'x-request-id'} // '');
    return @f ? "a wrong shape: @f: " . substr $a->{content}, 0, 300 : ();
}

# It is written, and says that it is not taken yet.
sub untaken { my ($r, $a) = @_; return $r->{untaken} && $a->{content} =~ $r->{untaken} }

# What is wrong with an answer.
sub wrong {
    my ($r, $a, $kind) = @_;
    return 'nothing came in time' if $a->{late};
    return () if $a->{status} == 0 && !$a->{cut};
    return $kind eq 'sockets' || $r->{streams} ? () : "it broke off: $a->{status} " . substr $a->{content}, 0, 100 if $a->{cut};
    return () if $kind eq 'sockets' && $r->{also} && $a->{status} =~ $r->{also};
    return refusal($r, $a) if $a->{status} != $r->{status};
    return () if $r->{turn} || ($r->{parts} && $a->{content} =~ /"partial":true|"success":false,"error":"(?:Internal server error|Service unavailable)"/);
    return () if text_of($a) eq $r->{text} || untaken($r, $a);
    return "another answer: " . substr(text_of($a), 0, 300) . "\n  instead of " . substr $r->{text}, 0, 300;
}

# What is wrong with a turn that was begun.
sub turn_wrong {
    my ($r, $a, $d) = @_;
    my @w;
    push @w, "a turn stays open, or what was put aside for it: $s->{stuck}{turns}, $s->{stuck}{holds}" if !$r->{settled};
    for my $k (grep {/^task:|note\.txt/} keys %$d) { push @w, "a tool's work is there $d->{$k} times" if $d->{$k} > 1 }
    my $h = defined $ada ? $s->ask(GET => "/api/agents/$ada/session") : {};
    my @messages = @{ ($h->{json} // {})->{messages} // [] };
    push @w, 'a tool use without its result' if grep { !defined $_->{result} || $_->{running} } map { @{ $_->{tools} // [] } } @messages;
    push @w, 'the message is there ' . (grep { $_->{role} eq 'User' } @messages) . ' times' if 1 < grep { $_->{role} eq 'User' } @messages;
    if ($a->{status} == 200 && $a->{json}) {
        my $said = $a->{json}{response} // ($a->{json}{choices} ? $a->{json}{choices}[0]{message}{content} : '');
        push @w, 'an answer that is none: ' . substr $a->{content}, 0, 300 if $said !~ /^(?:It is done|Hello from the mock)\.$/;
    }
    if ($a->{status} == 200 && $a->{events} && @{ $a->{events} }) {
        my $end = $a->{events}[-1];
        $a->{stream_cut} = 1 if $end->{data} !~ /^\[DONE\]$/ && $end->{event} ne 'done' && $end->{data} !~ /error/;
    }
    return @w;
}

# All is as after, or, unless it was answered so, as before. A file that follows the store may come a moment later.
sub out_of_step {
    my ($r, $a, $kind, $all, $from) = @_;
    my ($d, $after) = ({}, counted($r, $kind, $all, $r->{change}));
    my $good = sub {
        $d = counted($r, $kind, $all, change($from, $s->look));
        return same($d, $after) || (!%$d && $a->{status} != $r->{status});
    };
    return () if $s->api->wait_for($good, $r->{name} =~ m{/agents|/templates|/aliases|/users|upload} ? 8 : 0);
    return ("answered $a->{status}, and the store is neither as before nor as after:", told(change($after, $d)), %$d ? ('than after; than before:', told($d)) : ());
}

# Who said yes ends, who did not serves on; who could not say anything may do either.
sub up_again {
    my ($a) = @_;
    my $gone = $s->gone($a->{status} == 200 || $a->{status} == 0 ? 15 : 0);
    $s->up if $gone;
    return () if $a->{status} == 0;
    return $gone == ($a->{status} == 200) ? () : $gone ? "it ended, and said $a->{status}" : 'it did not end';
}

my $cuts = 0;

# What comes before it; what config.toml says may be in force a moment later.
sub prepare {
    my ($r) = @_;
    my $why;
    $up->forget;
    $s->api->wait_for(sub { undef $why; eval { $r->{before}->(); 1 } or $why = $@ || 'it failed'; !defined $why }, $r->{config} ? 15 : 0);
    die $why if defined $why;
    return;
}

# Asked once more after a kill, when what config.toml says is in force, it becomes as after.
sub asked_again {
    my ($r, $kind, $all, $from) = @_;
    my ($a, $d, $after) = ({}, {}, counted($r, $kind, $all, $r->{change}));
    $s->in_force;
    my $good = sub {
        return 1 if same($d = counted($r, $kind, $all, change($from, $s->look)), $after);
        $a = $r->{ask}->();
        return same($d = counted($r, $kind, $all, change($from, $s->look)), $after);
    };
    return () if $s->api->wait_for($good, 15);
    return ("asked again it answers $a->{status} " . substr($a->{content} // '', 0, 300) . ', and is not as after:', told(change($after, $d)));
}

# Once with the n-th refused. Returns what is wrong.
sub starved {
    my ($r, $kind, $n, $all) = @_;
    prepare($r);
    my $from = $s->look;
    $s->grown_up if $kind eq 'kills';
    $s->refuse($kind, $n, all => $all);
    my $a = eval { $r->{ask}->() } // { status => 0, content => $@ };
    my $met = $s->relent;
    my @w;
    push @w, $r->{ends} ? up_again($a) : $s->died && $kind ne 'kills' ? 'the daemon died' : ();
    push @w, wrong($r, $a, $kind);
    push @w, $r->{then}->() if $r->{then};
    $r->{settled} = $s->settled(30) if $r->{turn};
    if ($r->{turn}) { push @w, turn_wrong($r, $a, change($from, $s->look)); $cuts++ if $a->{stream_cut} }
    elsif (!$r->{parts}) { push @w, out_of_step($r, $a, $kind, $all, $from) }
    $s->in_force if $r->{config} && $kind ne 'kills' && ($a->{status} != $r->{status} || untaken($r, $a));   # it may be written, and not taken yet
    push @w, asked_again($r, $kind, $all, $from) if $r->{config} && $kind eq 'kills' && $met && !@w;
    my $t = time;
    my $next = $s->ask(GET => '/api/templates');
    push @w, "the next question: $next->{status}" if $next->{status} != 200;
    push @w, sprintf 'the next question took %.1f s', time - $t if time - $t > 30;
    return ($met, @w);
}

# Usual answer, change, and how many calls of each kind it takes.
sub learn {
    my ($r) = @_;
    for my $i (0 .. 2) {
        prepare($r);
        my $from = $s->look;
        my $a = $r->{ask}->();
        up_again($a) if $r->{ends};
        return "it answers $a->{status} " . substr($a->{content}, 0, 300) if $a->{status} != $r->{status};
        $s->settled if $r->{turn};
        my $d = change($from, $s->look);
        return join "\n", 'it changes something else each time', told(change($r->{change}, $d))
            if $i == 2 && !$r->{turn} && !same($d, $r->{change});
        @$r{qw(text change)} = (text_of($a), $d);
    }
    return;
}

sub count {
    my ($r, $kind) = @_;
    prepare($r);
    my $many = 1 << 40;
    $s->refuse($kind, $many);
    $r->{ask}->();
    my $n = $many - unpack 'q', $s->took(0, 8);
    $s->relent;
    up_again({ status => 200 }) if $r->{ends};
    return $n;
}

sub numbers {
    my ($n, $picks, $slow) = @_;
    return () if $n == 0;
    return $ENV{LF_STARVE_NUMBER} if $ENV{LF_STARVE_NUMBER};
    return grep { $_ <= $n + 2 } map { $_ * $slow - int rand $slow } 1 .. $n / $slow + 2 if $ALL;
    return map { 1 + int rand $n } 1 .. $picks;
}

# Each row that the daemon runs is here, with a word and its {name}s.
my @here = map { $_->{name} =~ m{([A-Z]+ /\S+)} ? $1 =~ s/\?.*|:$//r : () } @rows;
my @missing = grep {
    my ($verb, $path) = split /\t/;
    my $like = join '', map { /^\{/ ? '[^/ ]+(?:/[^/ ]+)?' : quotemeta } split /(\{[^}]+\})/, "$verb $path";
    !grep {/^$like$/} @here;
} grep { (split /\t/)[4] eq 'daemon' } split /\n/, LF::slurp(LF::builddir() . '/endpoints.tsv');
is join("\n", map { join ' ', (split /\t/)[ 0, 1 ] } @missing), '', 'each row of the daemon is here';

my ($tries, $met, $begun) = (0, 0, time);
my $over = sub { return !$ENV{LF_STARVE} && time - $begun > $SECONDS };
srand $SEED;            # the same order in each part
@rows = sort { $a->{order} <=> $b->{order} } grep { $_->{order} = rand() + ($_->{name} =~ m{/providers/}); $_->{name} =~ /$ONLY/ } @rows;
LF::Starve::part_of(map { $_->{name} } @rows) if $ENV{LF_STARVE};
while (my $r = $rows[ $next->() ]) {
    last if $over->();
    LF::Starve::part_takes($r->{name}) if $ENV{LF_STARVE};
    srand $SEED + unpack '%32C*', $r->{name};
    my $fault;
    eval { $fault = learn($r); 1 } or $fault = $@;
    if (defined $fault) { fail "$r->{name} answers as usual"; diag "seed $SEED\n$fault"; next }
    my (@bad, @counts, %seen);
    my $fds = $s->fds;
    for my $kind (LF::Starve::kinds($ENV{LF_STARVE} ? sort keys %picks : List::Util::shuffle(sort keys %picks))) {
        last if $over->();
        next if $kind eq 'kills' && $r->{turn};         # t/kills.t has these
        my $n = count($r, $kind);
        push @counts, "$n $kind";
        my $slow = $kind =~ /^(?:memory|sockets|threads)$/ ? $r->{slow} // 1 : 1;
        my $rest = $ENV{LF_STARVE} && $kind !~ /^(?:sockets|removals|kills)$/;        # those after it too
        my @all = $EACH ? ([ 'new', 0 ], $rest ? [ 'new', 1 ] : ())
            : ((map { [ $_, 0 ] } numbers($n, $slow > 1 ? 1 : $picks{$kind}, $slow)), map { [ $_, 1 ] } $rest ? numbers($n, $TIMES, $slow * 4) : ());
        @all = grep { $_->[1] } @all if $ENV{LF_STARVE_ALL};
        while (my $x = shift @all) {
            last if $over->();
            my ($some, @w) = eval { starved($r, $kind, @$x) };
            ($some, @w) = (0, "what comes before it: $@") if $@;
            $tries++;
            $met++ if $some;
            unshift @all, $x if $EACH && $some;
            next if !@w;
            my $who = $s->who;
            my $same = join ' ', $w[0], grep { defined } ($who =~ /librefangd(\S+)/g)[0 .. 1];
            my $told = $s->told($kind, $x, @w);
            next if $seen{$same}++;
            push @bad, $told;
            diag "$r->{name}: $told" if $EACH;
        }
    }
    my $more = $s->fds - $fds;
    note sprintf '%d s, %d tries', time - $begun, $tries if $ENV{LF_STARVE};
    push @bad, "$more descriptors more than before" if $more > 12;
    ok !@bad, "$r->{name}: " . join ', ', @counts or $EACH or diag join "\n", "seed $SEED", @bad[0 .. ($#bad > 40 ? 40 : $#bad)];
}
cmp_ok $met, '>=', $tries / 4 - 1, "$met of $tries tries met a refusal";
note "$cuts streams were cut off";
is $s->looked('sound')->{sound}, "[('ok',)][]", 'the store is sound';
$s->finish;
done_testing;
