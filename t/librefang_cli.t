#!/usr/bin/perl
# LibreFang's own command, the program that its users have installed: it finds our server by what lies in the home,
# and what it prints, and what is different afterwards, is what somebody who types it expects.
use strict;
use warnings;
use utf8;
use Encode ();
use IPC::Open3 ();
use LF;
use Test::More;

my $program = LF::srcdir() . '/t/npm/node_modules/@librefang/cli-linux-x64/bin/librefang';
plan skip_all => "LibreFang's command is not installed (npm ci in t/npm, on x64)" if !-x $program;
plan skip_all => "LibreFang's command does not run here" if (qx('$program' --version 2>/dev/null) // '') !~ /2026\.9\.14/;

my $up = LF->mock(
    when => [
        [ 'call_kept' => { text => "Kept: caf\x{e9}." } ],
        [ 'KEEP-IT' => { tool_calls => [ { id => 'call_kept', name => 'memory_store', arguments => { key => 'k', value => 'v' } } ] } ],
        [ 'IT-FAILS' => { status => 401, body => { error => { message => 'no' } } } ],
        [ 'TAKES-LONG' => { text => 'At last.', hang => 1, until => 'told' } ],
    ],
    default => { text => '4711.', chunks => 1 });
my $api = LF->start(model => $up, top => "config_version = 2\n# a remark", files => { 'h/.keep' => '' });
my ($dir, $port) = ($api->home, $api->port);

# Nothing but this machine can be reached from it.
sub surroundings {
    my ($home) = @_;
    return (PATH => $ENV{PATH}, LANG => 'C.UTF-8', TERM => 'xterm', HOME => "$dir/h", LIBREFANG_HOME => $home // $dir, LF_MOCK_KEY => 'sk-any', NO_PROXY => '127.0.0.1',
        map { $_ => 'http://127.0.0.1:1' } qw(HTTPS_PROXY https_proxy));
}

sub cli {
    my @words = @_;
    local %ENV = surroundings();
    my $pid = IPC::Open3::open3(my $in, my $out, undef, $program, @words);
    close $in;
    local $/;
    my $text = <$out> // '';
    local $?;
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, $text);
}

# Its words are one text here, cut at blanks.
sub says {
    my ($line, $rc, @like) = @_;
    my ($got, $text) = cli(split / /, $line);
    $text = Encode::decode('UTF-8', $text);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $got, $rc, "librefang $line: exit $rc" or diag $text;
    like $text, $_, '  and says so' for @like;
    return $text;
}
sub json { my ($line) = @_; return $LF::JSON->decode(Encode::encode('UTF-8', says($line, 0))) }

# A table as rows of cells.
sub table {
    my ($line) = @_;
    return map { [ map { s/^\s+|\s+$//gr } (split /\|/)[ 1 .. (tr/|//) - 1 ] ] } grep { /^\|/ } split /\n/, says($line, 0);
}

sub manifest {
    my ($name) = @_;
    my $file = "$dir/h/$name.toml";
    open my $fh, '>', $file or die;
    print $fh qq(name = "$name"\ndescription = "A test."\nversion = "1.0.0"\nmodule = "builtin:chat"\n\n[model]\nprovider = "default"\nmodel = "default"\n);
    close $fh;
    return $file;
}

subtest 'is it there, and how is it' => sub {
    says('status', 0, qr/^\s*Status:\s+ok$/m, qr/^\s*API:\s+http:\/\/127\.0\.0\.1:$port$/m, qr/^\s*PID:\s+@{[ $api->supervisor ]}$/m, qr/^\s*Provider:\s+openai$/m, qr/^\s*Model:\s+mock-model$/m,
        qr/^\s*database:\s+ok$/m, qr/^\s*Agents:\s+1 running \/ 1 total$/m, qr/\| assistant \|.*\| Running \| openai:mock-model \|/);
    says('status -q', 0, qr/^librefang \S+ ok uptime=\d+s agents=1 \(http:\/\/127\.0\.0\.1:$port\)$/);
    says('status -v', 0, qr/^\s*Auth:\s+API key$/m);
    my $s = json('status --json');
    is_deeply [ @$s{qw(daemon api)}, $s->{health}{status}, $s->{detail}{agent_count} ], [ JSON::PP::true(), $api->base, 'ok', 1 ], 'the same for programs';
    says('health', 0, qr/healthy/);
    is json('health --json')->{version}, $api->get('/api/health')->{version}, 'which version it talks to';
    says('gateway status', 0, qr/Status:\s+ok/);
    says('system info', 0, qr/^\s*Status:\s+running$/m, qr/^\s*Data dir:\s+\Q$dir\E\/data$/m, qr/^\s*Uptime:\s+\d+s$/m);
    says('security status', 0, qr/^\s*Active agents:\s*1$/m);
    my $key = $api->key;
    says('config get api_key', 0, qr/^\Q$key\E$/);
    says('dashboard', 0, qr/http:\/\/127\.0\.0\.1:$port\//);
    says('logs --lines 1000', 0, qr/prog=supervisor .*msg="serving"/);
};

my (%id, $session);
subtest 'agents' => sub {
    says('agent spawn ' . manifest('mia') . ' --dry-run', 0, qr/^\s*Name:\s+mia$/m);
    ($id{mia}) = says('agent spawn ' . manifest('mia'), 0, qr/^Name: mia$/m) =~ /^ID:\s+(\S+)$/m;
    is $api->get("/api/agents/$id{mia}", 200)->{name}, 'mia', 'it is there';
    says("agent spawn $dir/h/mia.toml", 1, qr/already exists: mia/);
    says("spawn $dir/h/mia.toml --name zoe", 0, qr/^Name: zoe$/m);
    my ($head, @rows) = table('agent list');
    is_deeply $head, [qw(ID NAME STATE PROVIDER MODEL)], 'the list';
    is_deeply [ sort map {"@$_[1 .. 4]"} @rows ], [ map {"$_ Running openai mock-model"} qw(assistant mia zoe) ], '  has them all';
    my %by = map { $_->{name} => $_->{id} } @{ json('agents --json')->{items} };
    is $by{mia}, $id{mia}, '  for programs as well';
    $id{zoe} = $by{zoe};
    says('agent new', 1, qr/\bassistant\b.*\bmia\b.*A test\..*already exists: assistant/s);
    says("agent set $id{zoe} temperature 0.5", 0, qr/temperature set to 0\.5/);
    is $api->get("/api/agents/$id{zoe}", 200)->{model}{temperature}, 0.5, 'a setting is taken';
    says("agent set $id{zoe} top_p 7", 1, qr/top_p must be between 0/);
    says("agent set $id{zoe} temperature inherit", 0);
    says("agent set $id{zoe} model openai/gpt-5", 0, qr/model set to openai\/gpt-5/);
    is $api->get("/api/agents/$id{zoe}", 200)->{model}{model}, 'gpt-5', 'so is a model';
    says("agent kill $id{zoe}", 0, qr/killed/);
    says('agent kill nosuch', 1, qr/Invalid agent ID/);
    says('agent delete nosuch --yes', 1, qr/nothing to delete/);
    says('agent spawn ' . manifest('cleo'), 0);
    says('agent delete cleo --yes', 0, qr/"cleo" deleted/);
    is_deeply [ sort map { $_->{name} } @{ $api->get('/api/agents', 200)->{items} } ], [qw(assistant mia)], 'who is told to go is gone';
};

subtest 'messages and sessions' => sub {
    is says('message mia hello', 0), "4711.\n", 'an answer';
    my $r = json('message mia hello --json');
    is $r->{response}, '4711.', 'and what belongs to it';
    for my $name (qw(eva fay)) { ($id{$name}) = says('agent spawn ' . manifest($name), 0) =~ /^ID:\s+(\S+)$/m }
    is says('message eva KEEP-IT', 0), "Kept: caf\x{e9}.\n", 'after a tool';
    my $uuid = '550e8400-e29b-41d4-a716-446655440000';
    says("message mia hello --session-id $uuid", 0, qr/^4711\.$/);
    is $api->get("/api/sessions/$uuid", 200)->{message_count}, 2, 'in a session of its own';
    is json("message assistant hello --session-id $uuid")->{code}, 'session_agent_mismatch', 'which is nobody else\'s';
    says('message mia hello --incognito', 0, qr/^4711\.$/);
    says('message fay IT-FAILS', 0, qr/Daemon returned error/, qr/"provider openai refused the key"/);
    says('message nosuch hello', 0, qr/"Invalid agent ID"/);
    my ($head, @rows) = table('sessions mia');
    is_deeply $head, [ qw(ID AGENT MSGS STATE), 'LAST ACTIVE' ], 'the sessions of one agent';
    is_deeply [ map {"$_->[0] $_->[2] $_->[3]"} @rows ], [ "$uuid 2 idle", "$r->{session_id} 4 idle" ], '  and no other';
    is scalar @{ json('sessions --json') }, 5, 'those of all';
    says('sessions --active', 0, qr/No active sessions/);
    my $later = $api->later("/api/agents/$id{mia}/message", { message => 'TAKES-LONG', session_id => $uuid });
    $api->wait_for(sub { grep { $_->{active} } @{ $api->get('/api/sessions', 200)->{items} } });
    (undef, @rows) = table('sessions --active');
    is_deeply [ map {"$_->[0] $_->[3]"} @rows ], ["$uuid running"], 'the one where something happens';
    $up->let('told');
    $later->read_head;
};

subtest 'what an agent keeps' => sub {
    says('memory set eva colour blue', 0, qr/Set colour/);
    is $api->get("/api/memory/agents/$id{eva}/kv/colour", 200)->{value}, 'blue', 'is kept';
    is says('memory get eva colour', 0), "blue\n", 'and found';
    is_deeply [ table('memory list eva') ], [ [qw(KEY VALUE)], [qw(colour blue)], [qw(k v)] ], 'beside what it kept itself';
    is_deeply json('memory list eva --json'), { kv_pairs => [ { key => 'colour', value => 'blue' }, { key => 'k', value => 'v' } ] }, '  for programs';
    says('memory delete eva colour', 0, qr/Deleted/);
    says('memory get eva colour', 0, qr/"Key 'colour' not found"/);
    says('memory list assistant', 0, qr/No memory entries/);
};

subtest 'models' => sub {
    my ($head, @rows) = table('models list --provider openai');
    is_deeply $head, [qw(MODEL PROVIDER TIER CONTEXT)], 'the list of one provider';
    ok !(grep { $_->[1] ne 'openai' || $_->[3] !~ /^\d+$/ } @rows) && (grep { $_->[0] eq 'gpt-5' } @rows), '  has its models';
    is scalar(my @all = table('models list')), $api->get('/api/models', 200)->{total} + 1, 'the list of all has all';
    ok((grep {"@$_" =~ /^claude-sonnet claude-sonnet-/} table('models aliases')), 'short names');
    ok((grep {"@$_" =~ /^openai configured \d+ http/} table('models providers')), 'providers');
    says('models overrides gpt-5', 0, qr/No overrides/);
    says('models overrides gpt-5 --context-window 131072', 0, qr/saved/);
    is $api->get('/api/models/gpt-5', 200)->{context_window}, 131072, 'a setting of a model counts';
    is_deeply json('models overrides gpt-5 --json'), { context_window => 131072 }, '  and is shown';
    says('models overrides gpt-5 --clear', 0, qr/cleared/);
    is $api->get('/api/models/gpt-5', 200)->{context_window}, 400000, '  until it is taken back';
    says('models set gpt-5', 0, qr/Default model set to: gpt-5/);
    is $api->get('/api/status', 200)->{default_model}, 'gpt-5', 'another default';
    like LF::slurp("$dir/config.toml"), qr/^# a remark$/m, '  leaves the file as it was but for that';
    says('models set mock-model', 0);
};

subtest 'the audit log' => sub {
    my ($head, @rows) = table('security audit --limit 50');
    is_deeply $head, [qw(TIMESTAMP AGENT TYPE EVENT)], 'as a table';
    ok((grep { $_->[1] eq substr($id{mia}, 0, 16) && $_->[2] eq 'AgentSpawn' && $_->[3] eq 'mia' } @rows), '  has what was done');
    is scalar @{ json('security audit --limit 2 --json')->{items} }, 2, 'so much of it';
    says('security verify', 0, qr/verified/);
};

# --- at a terminal ---------------------------------------------------------------------------

sub terminal {
    my ($steps, @words) = @_;
    local %ENV = (surroundings(), TERMINAL_SIZE => '120x40');
    my $pid = IPC::Open3::open3(my $in, my $out, undef, 'python3', LF::srcdir() . '/t/lib/terminal.py', $program, @words);
    print $in $LF::JSON->encode($_), "\n" for @$steps;
    close $in;
    local $/;
    my $text = <$out>;
    waitpid $pid, 0;
    return $text;
}

# Only what changes is drawn, so what is waited for has no blanks, and no letter of what stood in its place.
subtest 'a chat' => sub {
    plan skip_all => 'python3 is not installed' unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
    says('agent spawn ' . manifest('dora'), 0);
    my $seen = terminal([ [ 'openai/mock-model', "How are you?\r" ], [ '4711\.[^\0]*Back', "/exit\r" ] ], 'chat', 'dora');
    like $seen, qr/\bdora\b.*4711\..*\nexit 0$/s, 'begins, has an answer, and ends';
    like $up->chats->[-1]{json}{messages}[-1]{content}, qr/How are you\?$/, 'what was typed is what is asked';
};

subtest 'the terminal page' => sub {
    plan skip_all => 'python3 is not installed' unless grep { -x "$_/python3" } split /:/, $ENV{PATH};
    my $seen = terminal([ [ 'Connect', "\r" ], [ '\bmia\b', "\r" ], [ 'Channels:', 'c' ], [ 'Send', "And you?\r" ], [ '4711\.[^\0]*Back', "\x11" ] ], 'tui');
    like $seen, qr/127\.0\.0\.1:$port.*assistant.*\bmia\b.*4711\..*\nexit 0$/s, 'finds the server, shows its agents, chats, and ends';
    like $up->chats->[-1]{json}{messages}[-1]{content}, qr/And you\?$/, 'what was typed is what is asked';
};

# --- for other programs -------------------------------------------------------------------------

# It sends no key, so this is for open mode.
subtest 'agents as tools of MCP' => sub {
    my $open = LF->start(key => '', model => $up);
    $open->post('/api/agents', { manifest_toml => qq(name = "lea"\ndescription = "Knows all."\n) }, 201);
    local %ENV = surroundings($open->home);
    my $pid = IPC::Open3::open3(my $in, my $out, undef, $program, 'mcp');
    my $ask = sub {
        my ($id, $method, $params) = @_;
        my $text = $LF::JSON->encode({ jsonrpc => '2.0', id => $id, method => $method, params => $params // {} });
        print $in 'Content-Length: ' . length($text) . "\r\n\r\n$text";
        $in->flush;
        my ($n) = (scalar(<$out>) // '') =~ /^Content-Length: (\d+)/ or return {};
        <$out>;
        my $said;
        read $out, $said, $n;
        return $LF::JSON->decode($said)->{result} // {};
    };
    is $ask->(1, 'initialize')->{serverInfo}{name}, 'librefang', 'begin';
    my ($tool) = grep { $_->{name} eq 'librefang_agent_lea' } @{ $ask->(2, 'tools/list')->{tools} };
    is $tool->{description}, 'Knows all.', 'an agent is one of them';
    is_deeply $ask->(3, 'tools/call', { name => 'librefang_agent_lea', arguments => { message => 'hello' } })->{content}, [ { type => 'text', text => '4711.' } ], '  and answers';
    close $in;
    waitpid $pid, 0;
};

# --- the end -----------------------------------------------------------------------------------

subtest 'after a crash' => sub {
    kill 'KILL', my $pid = $api->supervisor;
    $api->wait_for(sub { !kill 0, $pid });
    $api->up;
    $port = $api->port;
    says('status -q', 0, qr/^librefang \S+ ok .*:$port\)$/);
    isnt $api->supervisor, $pid, 'it finds the server that runs, where it is now';
};

subtest 'stop' => sub {
    says('start', 1, qr/already running/i);
    my $pid = $api->supervisor;
    says('stop', 0, qr/stopped/);
    ok $api->wait_for(sub { !kill 0, $pid }), 'the server is gone';
    ok !-e "$dir/daemon.json", '  and what told of it';
    says('stop', 0, qr/No running daemon/);
    says('sessions', 1, qr/running daemon/);
    delete $api->{running};
};
done_testing;
