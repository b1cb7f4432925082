#!/usr/bin/perl
# Directories that agents share ([workspaces.NAME]): what each may do there, what the model is told of them, what is refused, and what stays.
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use LF;
use Test::More;

LF::needed();
my $dir = File::Temp->newdir('lf-shared-XXXXXXXX', TMPDIR => 1);
my ($home, $out, $else) = ("$dir/home", "$dir/mounts", "$dir/elsewhere");
my $spaces = "$home/workspaces";
my $team = "$spaces/shared/team";
make_path("$out/data", $else);
put("$out/data/facts.txt", "the sky is blue\n");
put("$else/private.txt", "not for agents\n");
symlink $else, "$out/link" or die $!;

my $page = IO::Socket::INET->new(Listen => 4, LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp') or die $!;   # nobody may come
my (@when, $n);
my %calls = (
    write     => [ file_write => { path => "$team/note.md", content => "first line\n" } ],
    read      => [ file_read => { path => "$team/note.md" } ],
    list      => [ file_list => { path => $team } ],
    search    => [ code_search => { query => 'first', path => $team } ],
    deep      => [ file_write => { path => "$team/a/b/c.md", content => 'deep' } ],
    toml      => [ file_write => { path => "$team/a/Agent.toml", content => 'name = "x"' } ],
    up        => [ file_read => { path => "$team/../../agents/reader/agent.toml" } ],
    link      => [ file_read => { path => "$team/trap" } ],
    into      => [ file_write => { path => "$team/away/x.md", content => 'x' } ],
    beside    => [ file_read => { path => "$spaces/shared/team2/x" } ],
    fetch     => [ web_fetch_to_file => { url => 'http://127.0.0.1:' . $page->sockport . '/', dest_path => "$team/page" } ],
    patch     => [ apply_patch => { patch => "*** Begin Patch\n*** Add File: mine.md\n+x\n*** Update File: $team/note.md\n@@\n-first line\n+second line\n*** End Patch" } ],
    move      => [ apply_patch => { patch => "*** Begin Patch\n*** Update File: $team/note.md\n*** Move to: taken.md\n@@\n-first line\n+moved line\n*** End Patch" } ],
    delete    => [ apply_patch => { patch => "*** Begin Patch\n*** Delete File: $team/note.md\n*** End Patch" } ],
    own       => [ apply_patch => { patch => "*** Begin Patch\n*** Delete File: agent.toml/.\n*** End Patch" } ],
    facts     => [ file_read => { path => "$out/data/facts.txt" } ],
    factswrite => [ file_write => { path => "$out/data/new.txt", content => 'x' } ],
    private   => [ file_read => { path => "$else/private.txt" } ],
    privatelink => [ file_read => { path => "$out/link/private.txt" } ],
);
my $up = LF->mock(when => [ map { ([ qr/"tool_call_id":"call_$_"/ => { text => 'done' } ], [ "DO-$_-NOW" => { tool_calls => [ { id => "call_$_", name => $calls{$_}[0], arguments => $calls{$_}[1] } ] } ]) } sort keys %calls ],
    default => { text => 'fine' });
my $api = LF->start(home => $home, model => $up, top => qq(allowed_mount_roots = ["$out"]), config => qq([web.fetch]\nssrf_allowed_hosts = ["127.0.0.1"]\n));

sub put { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f or die $!; return }
sub toml { my ($name, $more) = @_; return qq(name = "$name"\n[proactive_memory]\nauto_retrieve = false\n[capabilities]\ntools = ["file_*", "code_search", "apply_patch", "web_*"]\n) . ($more // '') }
sub spawn { return $api->post('/api/agents', { manifest_toml => toml(@_) }, 201)->{agent_id} }
# What the tool said.
sub do_it {
    my ($id, $what) = @_;
    my $s = $api->post("/api/agents/$id/sessions", {}, 200)->{session_id};
    $api->post("/api/agents/$id/message", { message => "DO-$what-NOW", session_id => $s }, 200);
    my ($r) = grep { $_->{role} eq 'tool' } @{ $up->chats->[-1]{json}{messages} };
    return $r->{content} // '';
}
sub prompt { my ($id) = @_; $api->post("/api/agents/$id/message", { message => 'hello' }, 200); return $up->chats->[-1]{json}{messages}[0]{content} }

my $writer = spawn('writer', qq([workspaces.team]\npath = "shared/team"\n));
my $reader = spawn('reader', qq([workspaces.team]\npath = "./shared//team/"\nmode = "r"\n));
my $other  = spawn('other');

subtest 'who may write' => sub {
    ok -d $team, 'the directory is made with the first agent that has it';
    like prompt($writer), qr{^- team: \Q$team\E$}m, 'the model is told where it is';
    like do_it($writer, 'write'), qr/^Wrote 11 bytes/, 'it writes there';
    like do_it($writer, 'deep'), qr/^Wrote 4 bytes/, 'deeper too';
    like do_it($writer, 'list'), qr{^a/\nnote\.md$}m, 'lists';
    like do_it($writer, 'search'), qr{note\.md:1: first line}, 'and searches';
    like do_it($writer, 'toml'), qr/managed by the system/, 'but makes no agent of it';
};

subtest 'who may read' => sub {
    like prompt($reader), qr{^- team: \Q$team\E \(for reading only\)$}m, 'the model is told that it may only read';
    is do_it($reader, 'read'), "first line\n", 'it reads what the other wrote';
    like do_it($reader, 'list'), qr{^note\.md$}m, 'lists';
    like do_it($reader, 'search'), qr{first line}, 'and searches';
    for my $what (qw(write deep patch move delete)) {
        like do_it($reader, $what), qr/the workspace team is for reading only/, "$what: is refused";
    }
    like do_it($reader, 'fetch'), qr/for reading only/, 'as is what would be fetched into it';
    ok !IO::Select->new($page)->can_read(0), 'which is not fetched';
    is LF::slurp("$team/note.md"), "first line\n", 'nothing has changed';
    ok !-e "$spaces/agents/reader/mine.md" && !-e "$spaces/agents/reader/taken.md", 'not even in part';
};

subtest 'nobody gets out' => sub {
    symlink "$else/private.txt", "$team/trap" or die $!;
    symlink $else, "$team/away" or die $!;
    like do_it($writer, 'up'), qr/Path traversal denied/, 'not upwards';
    like do_it($writer, 'link'), qr/Symlink leaf denied/, 'not by a link';
    like do_it($writer, 'into'), qr/outside workspace/, 'not into one';
    like do_it($writer, 'beside'), qr/outside workspace/, 'nor to where the name only begins alike';
    like do_it($writer, 'private'), qr/outside workspace/, 'nor anywhere else';
    like do_it($other, 'read'), qr/outside workspace/, 'who does not share it has it not';
    ok !-e "$else/x.md", 'nothing was written';
    like do_it($writer, 'own'), qr/managed by the system/, "agent.toml is nobody's to remove";
    unlink "$team/trap", "$team/away";
};

subtest 'a directory of the machine' => sub {
    my $id = spawn('mounted', qq([workspaces.data]\nmount = "$out/data"\nmode = "read-only"\n));
    is do_it($id, 'facts'), "the sky is blue\n", 'is read';
    like do_it($id, 'factswrite'), qr/for reading only/, 'not written, as the manifest says';
    for my $bad ($else, "$out/link", "$out/nothing", $home, $dir, '/', "$spaces/shared") {
        my $e = $api->post('/api/agents', { manifest_toml => toml('bad', qq([workspaces.x]\nmount = "$bad"\n)) }, 400);
        like $e->{error}, qr/workspaces\.x: mount/, "$bad: is not allowed";
    }
    $api->down;
    delete $api->{opt}{top};
    $api->write_config;
    $api->up;
    like do_it($id, 'facts'), qr/outside workspace/, 'nor is it read once the configuration allows it no more';
    unlike prompt($id), qr/Shared with/, 'and the model hears nothing of it';
    $api->put("/api/agents/$id/suspend", undef, 200);
    $api->put("/api/agents/$id/resume", undef, 200);
    $api->patch("/api/agents/$id", { description => 'still there' }, 200);
    pass 'the agent can be changed all the same';
};

subtest 'what a manifest may not say' => sub {
    my %bad = ('neither' => '', both => qq(path = "a"\nmount = "/b"), up => 'path = "../a"', out => 'path = "/etc"', all => 'path = "."', agents => 'path = "agents"',
        home => 'path = "agents/writer"', hand => 'path = "hands/x"', number => 'path = 5', mode => qq(path = "a"\nmode = "sometimes"), relative => 'mount = "b"', dots => 'mount = "/tmp/../etc"');
    for my $what (sort keys %bad) {
        my $e = $api->post('/api/agents', { manifest_toml => toml('bad', "[workspaces.x]\n$bad{$what}\n") }, 400);
        like $e->{error}, qr/^Invalid manifest: .*workspaces\.x: /, "$what: $e->{error}";
    }
    $api->post('/api/agents', { manifest_toml => toml('bad', qq([workspaces.x]\npath = "a"\n[workspaces.y]\npath = "a/b"\nmode = "r"\n)) }, 400);
    $api->post('/api/agents', { manifest_toml => qq(workspace = "mine"\n) . toml('bad', qq([workspaces.x]\npath = "mine/b"\n)) }, 400);
    $api->post('/api/agents', { manifest_toml => qq(workspaces = 5\n) . toml('bad') }, 400);
};

subtest "one's own and shared" => sub {
    my $id = $api->post('/api/agents', { manifest_toml => qq(workspace = "desk"\n) . toml('at-desk') }, 201)->{agent_id};
    is $api->post('/api/agents', { manifest_toml => toml('bad', qq([workspaces.x]\npath = "desk/drawer"\n)) }, 409)->{code}, 'workspace_taken', "what is somebody's own is not shared";
    is $api->post('/api/agents', { manifest_toml => qq(workspace = "shared/team"\n) . toml('bad') }, 409)->{code}, 'workspace_taken', "nor does what is shared become somebody's";
    is $api->put("/api/agents/$other/update", { manifest_toml => toml('other', qq([workspaces.x]\npath = "desk"\n)) }, 409)->{code}, 'workspace_taken', 'not later either';
    $api->put("/api/agents/$other/update", { manifest_toml => toml('other', qq([workspaces.team]\npath = "shared/team"\n)) }, 200);
    is do_it($other, 'read'), "first line\n", 'a manifest that is changed counts from the next turn on';
    $api->del("/api/agents/$_?confirm=true", 200) for $writer, $reader, $other, $id;
    is LF::slurp("$team/note.md"), "first line\n", 'what was shared stays when all are gone';
};

$api->finish;
done_testing;
