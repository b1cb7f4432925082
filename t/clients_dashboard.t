#!/usr/bin/perl
# A page in a browser that was written for LibreFang: it asks as such pages do, and looks at what they
# look at without asking twice whether it is there.
use strict;
use warnings;
use LF;
use LF::WS;
use Test::More;

my $up = LF->mock(
    when => [
        [ 'TOO-LONG' => { status => 400, body => { error => { message => 'maximum context length exceeded', code => 'context_length_exceeded' } } } ],
        [ 'tool_list' => { text => 'so many files' } ],
        [ 'USE-TOOL' => { tool_calls => [ { id => 'tool_list', name => 'file_list', arguments => { path => '.' } } ] } ],
    ],
    default => { text => 'Hello from the mock.', chunks => 4 },
);
my $api = LF->start(model => $up, limits => "ws_messages_per_minute = 1000\n",
    config => qq([provider_urls]\nopenai = "@{[ $up->url ]}"\n\n[provider_max_retries]\nopenai = 0\n\n[[users]]\nname = "ann"\nrole = "user"\n));
my ($yes, $no) = (JSON::PP::true(), JSON::PP::false());
my $PNG = "\x89PNG\r\n\x1a\n" . join '', map { chr } 0 .. 255;

# Each request has a language and the key; what is no GET says JSON, with a body or without. A success is read as JSON, unless it is
# 204 or says that it is 0 bytes long. An error is: detail, else message, else error, as a text; and a code.
sub page {
    my ($verb, $path, $body, $status, %h) = @_;
    $h{'Accept-Language'} = 'pl-PL';
    $h{'Content-Type'} //= 'application/json' if $verb ne 'GET';
    my $r = $api->raw($verb, $path, { headers => \%h, content => ref $body ? $LF::JSON->encode($body) : $body });
    my ($bare, $text) = ($r->{status} == 204 || ($r->{headers}{'content-length'} // '') eq '0', $r->{content});
    my $said = $bare ? {} : eval { $LF::JSON->decode($text) };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $r->{status}, $status, "$verb $path" or diag $text;
    ok defined $said && ref $said, '  can be read' or diag $text;
    if ($status >= 400) {
        ok ref($said) eq 'HASH' && (grep { defined && !ref && length } @$said{qw(detail message error)}) && $said->{code}, '  says what is wrong' or diag $text;
    }
    return $said;
}

# Members that are used as they are. number: arithmetic is done with them; list: they are gone through.
sub have {
    my ($o, %kinds) = @_;
    my @bad;
    for my $k (sort keys %kinds) {
        my $v = $o->{$k};
        my $json = $LF::JSON->encode($v);
        my $good = { number => qr/^-?\d/, list => qr/^\[/, text => qr/^"/, truth => qr/^(?:true|false)$/, object => qr/^\{/,
            time => qr/^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"$/ }->{ $kinds{$k} };
        push @bad, "$k is " . substr $json, 0, 80 if $json !~ $good;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok !@bad, '  has ' . join ' ', sort keys %kinds or diag join "\n", @bad;
}

my $id = page(POST => '/api/agents', { manifest_toml => qq(name = "shown"\nversion = "1.0.0"\nmodule = "builtin:chat"\n\n[model]\nprovider = "openai"\nmodel = "mock-model"\n) }, 201)->{agent_id};

subtest 'agents' => sub {
    my $all = page(GET => '/api/agents?limit=500&sort=last_active&order=desc&include_hands=true', undef, 200)->{items};
    have($all->[0], id => 'text', name => 'text', state => 'text', auth_status => 'text', model_name => 'text', identity => 'object', created_at => 'time',
        children => 'list', tags => 'list', ready => 'truth', cost_24h => 'number', sessions_24h => 'number');
    like $all->[0]{auth_status}, qr/^(?:configured|validated_key|configured_cli|not_required|auto_detected)$/, 'one that can be talked to is shown as such';
    my $one = page(GET => "/api/agents/$id", undef, 200);
    have($one, model => 'object', skills => 'list', skills_mode => 'text', mcp_servers => 'list', mcp_servers_mode => 'text', pending_skills => 'list',
        tags => 'list', schedule => 'text', injected_footprint_tokens => 'number');
    page(PATCH => "/api/agents/$id/config", { model => 'mock-model', provider => 'openai' }, 200);
    page(PATCH => "/api/agents/$id/config", { web_search_augmentation => 'off' }, 200);
    page(PATCH => "/api/agents/$id", { auto_evolve => $no }, 200);
    page(PATCH => "/api/agents/$id", { schedule => { periodic => { cron => '0 3 * * *' } } }, 200);
    page(PATCH => "/api/agents/$id", { schedule => 'reactive' }, 200);
    page(PATCH => "/api/agents/$id/identity", { emoji => '', color => '' }, 200);
    have(page(PUT => "/api/agents/$id/tools", { capabilities_tools => [], tool_allowlist => [], tool_blocklist => [] }, 200), capabilities_tools => 'list');
    page(PUT => "/api/agents/$id/$_->[0]", { $_->[1] => [] }, 200) for [ skills => 'skills' ], [ mcp_servers => 'mcp_servers' ], [ channels => 'channels' ];
    have(page(GET => "/api/agents/$id/channels", undef, 200), assigned => 'list', available => 'list', instances => 'list', mode => 'text');
    have(page(GET => "/api/agents/$id/stats", undef, 200), sessions_24h => 'number', cost_24h => 'number', p95_latency_ms => 'number', active_now => 'number',
        samples => 'number', prev => 'object');
    page(PUT => "/api/agents/$id/$_", {}, 200) for qw(suspend resume);
    page(POST => "/api/agents/$id/stop", {}, 200);
    my $copy = page(POST => "/api/agents/$id/clone", { new_name => 'shown again', include_skills => $yes, include_tools => $yes }, 201);
    have($copy, agent_id => 'text', warnings => 'list', partial => 'truth');
    is page(DELETE => "/api/agents/$copy->{agent_id}?confirm=true", undef, 200)->{status}, 'killed', 'gone';
    is page(GET => "/api/agents/$id/files/NOBODY.md", undef, 400)->{code}, 'bad_request', 'a file that is none of them';
};

subtest 'a conversation' => sub {
    my $s = page(POST => "/api/agents/$id/sessions", {}, 200)->{session_id};
    page(POST => "/api/agents/$id/message", { message => 'USE-TOOL', thinking => $no, show_thinking => $yes, session_id => $s }, 200);
    my $h = page(GET => "/api/agents/$id/session?session_id=$s", undef, 200);
    is_deeply [ map { $_->{role} } @{ $h->{messages} } ], [qw(User Assistant Assistant)], 'who spoke';
    have($_, content => 'text', timestamp => 'time') for @{ $h->{messages} };
    have($h->{messages}[1]{tools}[0], name => 'text', input => 'object', result => 'text', is_error => 'truth', running => 'truth');
    have((grep { $_->{session_id} eq $s } @{ page(GET => "/api/agents/$id/sessions", undef, 200)->{sessions} })[0],
        created_at => 'time', message_count => 'number', active => 'truth');
    have(page(GET => '/api/sessions?limit=500', undef, 200)->{items}[0], session_id => 'text', cost_usd => 'number', total_tokens => 'number', created_at => 'time');
    have(page(GET => "/api/sessions/$s", undef, 200), messages => 'list', created_at => 'time', total_tokens => 'number');
    have(page(GET => "/api/agents/$id/session/context?session_id=$s", undef, 200), used_tokens => 'number', max_context_tokens => 'number', pct => 'number',
        max_context_tokens_assumed => 'truth');
    page(PUT => "/api/sessions/$s/label", { label => $_ }, 200) for 'kept', undef;
    page(PATCH => "/api/sessions/$s/model", { model_override => $_ }, 200) for 'openai/mock-model', undef;
    page(POST => "/api/agents/$id/sessions/$s/switch", {}, 200);
    is_deeply page(DELETE => "/api/sessions/$s", undef, 204), {}, 'none is left';
    page(DELETE => "/api/agents/$id/history", undef, 200);
    page(POST => "/api/agents/$id/session/reset", {}, 200);
    is page(GET => "/api/agents/$id/session?session_id=11111111-2222-4333-8444-555555555555", undef, 404)->{code}, 'session_agent_mismatch', 'one that is not there';
};

subtest 'the chat' => sub {
    my $ws = LF::WS->open($api, "/api/agents/$id/ws", headers => { Authorization => undef, 'Sec-WebSocket-Protocol' => 'bearer.' . $api->key, Origin => $api->base });
    is $ws->status, 101, 'is let in by its sub-protocol' or return diag $ws->body;
    is $ws->headers->{'sec-websocket-protocol'}, 'bearer.' . $api->key, 'which is echoed';
    $ws->until('agents_updated');
    my $ask = sub { my ($text, $n, %more) = @_; return $ws->turn({ type => 'message', content => $text, thinking => $no, show_thinking => $yes, message_id => $n, %more }) };
    my @f = $ask->('USE-TOOL', 'bot-1');
    my %by;
    push @{ $by{ $_->{type} } }, $_ for @f;
    have($by{tool_start}[0], id => 'text', tool => 'text');
    is $by{tool_end}[0]{id}, $by{tool_start}[0]{id}, 'what a tool is asked belongs to its call';
    have($by{tool_result}[0], tool => 'text', result => 'text', is_error => 'truth');
    is scalar(grep { $_->{state} eq 'stop' } @{ $by{typing} }), 1, 'the writing ends once';
    have($f[-1], type => 'text', content => 'text', input_tokens => 'number', output_tokens => 'number', cost_usd => 'number', session_id => 'text');
    is_deeply [ @{ $f[-1] }{qw(type message_id)} ], [qw(response bot-1)], 'and the answer is that of the question';
    @f = $ask->('TOO-LONG', 'bot-2');
    is_deeply [ @{ $f[-1] }{qw(type code message_id)} ], [qw(error context_length_exceeded bot-2)], 'a conversation that is too long is told from other faults';
    have($f[-1], content => 'text');
    $ws->say({ type => 'command', command => 'new', args => '' });
    have(($ws->until('command_result'))[-1], message => 'text', session_id => 'text');
    $ws->say({ type => 'command', command => 'compact', args => '' });
    is_deeply [ map { $_->{type} } $ws->until('compaction:complete') ], [qw(compaction:started compaction:complete)], 'what takes long says so first';
    # its list of commands may not have come yet, or not know this one
    @f = $ask->('/verbose off', 'bot-3');
    is_deeply [ map { $_->{type} } @f ], [qw(command_result response)], 'a command that was sent as a message ends as messages do';
    is_deeply [ @{ $f[-1] }{qw(content message_id output_tokens)} ], [ $f[0]{message}, 'bot-3', 0 ], 'saying the same';
    @f = $ask->('/think maybe', 'bot-4');
    is_deeply [ @{ $f[-1] }{qw(type message_id)} ], [qw(error bot-4)], 'or as a failure of that message';
    $ws->say({ type => 'message', content => '/queue' });
    $ws->say({ type => 'ping' });
    my %seen = map { $_->{type} => 1 } $ws->next, $ws->next;
    is_deeply \%seen, { command_result => 1, pong => 1 }, 'who calls a message nothing waits for nothing else';
    $ws->close;
};

subtest 'a picture without words' => sub {
    my $f = page(POST => "/api/agents/$id/upload", $PNG, 201, 'Content-Type' => 'image/png', 'X-Filename' => 'dot.png');
    have($f, file_id => 'text', filename => 'text', content_type => 'text', size => 'number');
    my %with = (attachments => [ { file_id => $f->{file_id}, filename => 'dot.png', content_type => 'image/png' } ]);
    my $seen = sub { return [ map { $_->{type} } @{ $up->chats->[-1]{json}{messages}[-1]{content} } ] };
    my $s = page(POST => "/api/agents/$id/sessions", {}, 200)->{session_id};
    page(POST => "/api/agents/$id/message", { message => '', session_id => $s, %with }, 200);
    is_deeply $seen->(), [qw(image_url text)], 'is shown to the model';
    my $shown = page(GET => "/api/agents/$id/session?session_id=$s", undef, 200)->{messages}[0]{images}[0];
    is $shown->{filename}, 'dot.png', 'and in the conversation';
    my $r = $api->raw(GET => "/api/uploads/$shown->{file_id}");
    ok $r->{status} == 200 && $r->{content} eq $PNG, 'where it can be had';
    my $ws = LF::WS->open($api, "/api/agents/$id/ws?session_id=$s");
    $ws->until('agents_updated');
    my @m = $ws->turn({ type => 'message', content => '', message_id => 'p-1', %with });
    is_deeply [ @{ $m[-1] }{qw(type message_id)} ], [qw(response p-1)], 'over the socket as well';
    is_deeply $seen->(), [qw(image_url text)], 'where it is the question';
    ok !exists $m[-1]{session_id}, 'who named a session is told none';
    @m = $ws->turn({ type => 'message', content => ' ', message_id => 'p-2', attachments => [] });
    is $m[-1]{type}, 'error', 'nothing at all is no question';
    $ws->close;
    page(POST => "/api/agents/$id/message", { message => ' ', session_id => $s }, 400);
    page(POST => "/api/agents/$id/message", { message => '', session_id => $s, attachments => [ { file_id => '11111111-2222-4333-8444-555555555555' } ] }, 400);
    page(POST => "/api/agents/$id/message", { message => '/btw ', session_id => $s, %with }, 400);
};

subtest 'analytics' => sub {
    my $all = page(GET => '/api/usage/summary', undef, 200);
    my $days = page(GET => '/api/usage/daily?days=366', undef, 200);
    have($days, days => 'list', today_cost_usd => 'number', first_event_date => 'time', retention_days => 'number');
    my ($first, $last) = @{ $days->{days} }[ 0, -1 ];
    have($first, cost_usd => 'number', tokens => 'number', calls => 'number');
    my @then = ("?start_date=$first->{date}&end_date=$last->{date}", '?start_date=2001-01-01&end_date=2001-01-31');
    my ($now, $none) = map { page(GET => "/api/usage/summary$_", undef, 200) } @then;
    is_deeply $now, $all, 'the days on which all was used have all of it';
    is_deeply [ @$none{qw(call_count total_input_tokens total_cost_usd total_tool_calls)} ], [ 0, 0, 0, 0 ], 'others nothing';
    for my $by (qw(by-model by-model/performance)) {
        my ($now, $none) = map { page(GET => "/api/usage/$by$_", undef, 200)->{models} } @then;
        is_deeply $now, page(GET => "/api/usage/$by", undef, 200)->{models}, 'so it is by model';
        is_deeply $none, [], 'none was asked then';
    }
    have(page(GET => "/api/usage/by-model/performance$then[0]", undef, 200)->{models}[0], avg_latency_ms => 'number', p95_latency_ms => 'number', cost_per_call => 'number');
    my ($of_now, $of_none) = map { (grep { $_->{agent_id} eq $id } @{ page(GET => "/api/usage$_", undef, 200)->{items} })[0] } @then;
    cmp_ok $of_now->{call_count}, '>', 0, 'an agent has its part';
    is_deeply [ @$of_none{qw(name call_count total_tokens cost)} ], [ 'shown', 0, 0, 0 ], 'and is listed with nothing when it did nothing';
    is_deeply page(GET => "/api/usage/daily$then[0]", undef, 200)->{days}, $days->{days}, 'days between two';
    is_deeply page(GET => "/api/usage/daily$then[1]", undef, 200)->{days}, [], 'or none';
    my $calls = sub { return scalar(() = $api->raw(GET => "/api/usage/export?format=csv&$_[0]")->{content} =~ /\r\n/g) - 1 };
    is $calls->("start_date=$first->{date}"), $all->{call_count}, 'the file has a line for each call of them';
    is $calls->('end_date=2001-01-31'), 0, 'or for none';
    page(GET => "/api/usage/summary?$_", undef, 400) for 'start_date=2026-02-30', 'end_date=tomorrow', 'start_date=2026-02-02&end_date=2026-02-01';
    page(GET => "/api/usage/daily?$_", undef, 400) for 'days=0', 'days=367', "days=7&start_date=$first->{date}";
    my $b = page(GET => '/api/budget', undef, 200);
    have($b, map { ("${_}_spend" => 'number', "${_}_limit" => 'number', "${_}_pct" => 'number') } qw(hourly daily monthly));
    page(PUT => '/api/budget', { max_hourly_usd => 50, alert_threshold => 0.9 }, 200);
    is page(GET => '/api/budget', undef, 200)->{hourly_limit}, 50, 'what was set is shown';
    my $p = page(GET => '/api/budget/providers', undef, 200);
    have($p, providers => 'list', alert_threshold => 'number');
    have($p->{providers}[0], unconfigured => 'truth', tokens_this_hour => 'number', cap_tokens_per_hour => 'number', is_exhausted => 'truth',
        map { ("spend_${_}_usd" => 'number', "cap_${_}_usd" => 'number') } qw(hourly daily monthly));
    page(PUT => '/api/budget/providers/openai', { max_cost_per_hour_usd => 0, max_cost_per_day_usd => 9.5, max_cost_per_month_usd => 0, max_tokens_per_hour => 0 }, 200);
};

subtest 'models' => sub {
    my $model = 'org/a-model';
    page(POST => '/api/models/custom', { id => $model, provider => 'openai', context_window => 128000, max_output_tokens => 8192, input_cost_per_m => 0,
        output_cost_per_m => 0, supports_tools => $yes, supports_vision => $no, supports_streaming => $yes }, 201);
    my $row = sub { return (grep { $_->{id} eq $model } @{ page(GET => '/api/models', undef, 200)->{models} })[0] };
    have($row->(), capabilities_catalog => 'object', limits_catalog => 'object', pricing_known => 'truth', context_window => 'number', aliases => 'list');
    is $row->()->{tier}, 'custom', 'one that can be taken away again';
    my $key = '/api/models/overrides/openai%3Aorg%2Fa-model';
    is_deeply page(GET => $key, undef, 200), {}, 'no settings yet';
    my %set = (temperature => 0.7, context_window => 64000, max_output_tokens => 4000, supports_tools => $no);
    is_deeply page(PUT => $key, \%set, 200), \%set, 'what is set is what is answered';
    is_deeply page(GET => $key, undef, 200), \%set, 'and what is shown the next time';
    my $m = $row->();
    is_deeply [ @$m{qw(context_window max_output_tokens)} ], [ 64000, 4000 ], 'limits are those that were set';
    is_deeply $m->{limits_catalog}, { context_window => 128000, max_output_tokens => 8192 }, 'beside those to go back to';
    page(PATCH => "/api/agents/$id/config", { model => $model, provider => 'openai' }, 200);
    my $c = page(GET => "/api/agents/$id/session/context", undef, 200);
    is_deeply [ @$c{qw(max_context_tokens max_context_tokens_source)} ], [ 64000, 'model_override' ], 'a conversation has that much room';
    page(PUT => $key, { context_window => 0 }, 422);
    page(DELETE => $key, undef, 204);
    $c = page(GET => "/api/agents/$id/session/context", undef, 200);
    is_deeply [ @$c{qw(max_context_tokens max_context_tokens_source)} ], [ 128000, 'catalog' ], 'or what the catalog says';
    page(PATCH => "/api/agents/$id/config", { model => 'mock-model', provider => 'openai' }, 200);
    page(DELETE => '/api/models/custom/org%2Fa-model', undef, 204);
    have(page(GET => '/api/models?available=true', undef, 200), models => 'list', total => 'number', available => 'number');
};

subtest 'providers' => sub {
    have((grep { $_->{id} eq 'openai' } @{ page(GET => '/api/providers', undef, 200)->{providers} })[0], auth_status => 'text', media_capabilities => 'list',
        key_present => 'truth', suppressed => 'truth', is_coding_agent => 'truth', discover_models => 'truth');
    is page(POST => '/api/providers/openai/test', {}, 200)->{status}, 'ok', 'one that answers';
    page(POST => '/api/providers/groq/key', { key => 'gsk_of-nobody' }, 200);
    page(DELETE => '/api/providers/groq/key', undef, 204);
    page(POST => '/api/providers/groq/enable', {}, 200);
    page(PUT => '/api/providers/openai/url', { base_url => $up->url, proxy_url => '' }, 200);
    page(PUT => '/api/providers/openai/discovery', { discover_models => $no }, 200);
    page(POST => '/api/providers/openai/default', $_, 200) for {}, { model => 'gpt-5' };
    is ref page(GET => '/api/credential-pools', undef, 200), 'ARRAY', 'pools are a list';
};

subtest 'templates' => sub {
    have(page(GET => '/api/templates', undef, 200)->{templates}[0], name => 'text', description => 'text', provider => 'text', model => 'text', editable => 'truth');
    page(POST => '/api/templates', { name => 'my-kind', description => '', system_prompt => '', provider => '', model => '', tools => [], skills => [] }, 201);
    my $t = page(PUT => '/api/templates/my-kind', { description => 'changed', tools => ['file_read'] }, 200);
    have($t, spec => 'object', manifest_toml => 'text', editable => 'truth');
    is_deeply [ @{ $t->{spec} }{qw(description tools skills)} ], [ 'changed', ['file_read'], [] ], 'as it was typed';
    my $h = page(GET => '/api/templates/my-kind/history?limit=30', undef, 200)->{versions};
    is_deeply [ map { $_->{change_source} } @$h ], [qw(dashboard create)], 'where its texts come from, in words that have a translation';
    have($h->[0], id => 'number', timestamp => 'time', manifest_toml => 'text');
    page(POST => "/api/templates/my-kind/history/$h->[-1]{id}/restore", {}, 200);
    page(DELETE => '/api/templates/my-kind', undef, 200);
    is page(DELETE => '/api/templates/coder', undef, 409)->{code}, 'template_builtin', 'one of ours stays';
};

subtest 'users' => sub {
    is ref page(GET => '/api/users', undef, 200), 'ARRAY', 'are a list';
    my $u = page(POST => '/api/users', { name => 'bob', role => 'user', channel_bindings => {} }, 201);
    have($u, name => 'text', role => 'text', channel_bindings => 'object', has_api_key => 'truth', has_policy => 'truth', has_memory_access => 'truth', has_budget => 'truth');
    page(PUT => '/api/users/bob', { name => 'bob', role => 'viewer', channel_bindings => { telegram => '1' }, api_key_hash => undef }, 200);
    my $new = page(POST => '/api/users/bob/rotate-key', {}, 200);
    have($new, new_api_key => 'text', sessions_invalidated => 'number');
    my $theirs = page(GET => '/api/dashboard/snapshot', undef, 200, Authorization => "Bearer $new->{new_api_key}");
    is_deeply [ @{ $theirs->{agents} }, @{ $theirs->{status} }{qw(agent_count session_count)} ], [ 0, 0 ], 'their snapshot shows nobody else\'s agents';
    my $i = page(POST => '/api/users/import', { rows => [ { name => 'cat', role => 'user' }, { name => 'dog', role => 'cat' } ], dry_run => $yes }, 200);
    have($i, created => 'number', updated => 'number', failed => 'number', dry_run => 'truth', rows => 'list');
    have($i->{rows}[1], index => 'number', name => 'text', status => 'text', error => 'text');
    have(page(GET => '/api/users/bob/policy', undef, 200), channel_tool_rules => 'object');
    my $p = page(PUT => '/api/users/bob/policy', { tool_policy => { allowed_tools => ['a'], denied_tools => [] }, tool_categories => undef, channel_tool_rules => {} }, 200);
    have($p->{tool_policy}, allowed_tools => 'list', denied_tools => 'list');
    have(page(GET => '/api/users/bob/groups', undef, 200), groups => 'list', roles => 'list');
    page(PUT => '/api/budget/users/bob', { max_hourly_usd => 1, max_daily_usd => 0, max_monthly_usd => 0, alert_threshold => 0.8 }, 200);
    my $b = page(GET => '/api/budget/users/bob', undef, 200);
    have($b->{$_}, spend => 'number', limit => 'number', pct => 'number') for qw(hourly daily monthly);
    have($b, alert_threshold => 'number', alert_breach => 'truth', enforced => 'truth');
    page(DELETE => '/api/budget/users/bob', undef, 204);
    page(DELETE => '/api/users/bob', undef, 204);
    is page(GET => '/api/users/bob', undef, 404)->{code}, 'not_found', 'gone';
};

subtest 'the frame around it' => sub {
    have(page(GET => '/api/status', undef, 200), version => 'text', agent_count => 'number', uptime_seconds => 'number', memory_used_mb => 'number', config_exists => 'truth');
    my $all = page(GET => '/api/dashboard/snapshot', undef, 200);
    have($all, health => 'object', status => 'object', agents => 'list', providers => 'list', channels => 'list', skillCount => 'number', workflowCount => 'number', webSearchAvailable => 'truth');
    have($all->{health}, status => 'text', checks => 'list');
    have($all->{status}, version => 'text', agent_count => 'number', active_agent_count => 'number', session_count => 'number', uptime_seconds => 'number', memory_used_mb => 'number', default_provider => 'text', config_exists => 'truth', terminal_enabled => 'truth');
    have($all->{agents}[0], id => 'text', name => 'text', state => 'text', last_active => 'time', is_hand => 'truth', auth_status => 'text');
    have($all->{providers}[0], id => 'text', auth_status => 'text', model_count => 'number');
    have(page(GET => '/api/commands', undef, 200)->{commands}[0], cmd => 'text', desc => 'text', desc_key => 'text', no_args => 'truth', exec => 'text');
    have(page(GET => '/api/health', undef, 200), status => 'text', checks => 'list');
    have(page(GET => '/api/health/detail', undef, 200), memory => 'object', config_warnings => 'list', panic_count => 'number');
    have(page(GET => '/api/authz/whoami', undef, 200), name => 'text', role => 'text');
    have(page(GET => '/api/version', undef, 200), version => 'text', build_date => 'text');
    have(page(GET => '/api/tools', undef, 200), tools => 'list');
    page(POST => '/api/auth/logout', undef, 200);
    is page(GET => '/api/agents', undef, 401, Authorization => 'Bearer of-nobody')->{code}, 'unauthorized', 'a key that holds no longer';
    is page(GET => '/api/nothing', undef, 404)->{code}, 'not_found', 'a page for what is not there';
};

done_testing;
