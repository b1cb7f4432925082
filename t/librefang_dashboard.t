#!/usr/bin/perl
# LibreFang's own dashboard in a browser, against our server. The page is embedded in LibreFang's program,
# which runs for nothing else: it has a home of its own, finds no other program, and comes to no network.
use strict;
use warnings;
use File::Temp ();
use LF;
use LF::Page;
use Test::More;

my $program = LF::srcdir() . '/t/npm/node_modules/@librefang/cli-linux-x64/bin/librefang';
plan skip_all => 'LibreFang is not installed (npm ci in t/npm)' if !-x $program;
plan skip_all => 'LibreFang does not run here' if system(qq('$program' --version >/dev/null 2>&1)) != 0;

LF::Page::needed();

# --- LibreFang's program ----------------------------------------------------------------

sub child {
    my ($env, $out, @command) = @_;
    pipe my $r, my $w or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        %ENV = %$env;
        open STDIN, '<&', $r or POSIX::_exit(127);
        open STDOUT, '>', $out or POSIX::_exit(127);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(127);
        close $w;
        exec { $command[0] } @command or POSIX::_exit(127);
    }
    close $r;
    return { pid => $pid, hold => $w };
}

my @children;
END {
    local ($?, $!);
    for my $c (@children) { kill KILL => $c->{pid}; waitpid $c->{pid}, 0 }
}

my $port = LF::free_port();
my $dir = File::Temp->newdir('lf-XXXXXXXX', TMPDIR => 1);
my $home = "$dir/home";
mkdir $home or die "$home: $!";
open my $fh, '>', "$home/config.toml" or die "config.toml: $!";
print $fh qq(api_listen = "127.0.0.1:$port"\napi_key = "only-for-its-page"\nlog_level = "error"\n);
close $fh or die "config.toml: $!";
my @with_us = grep({ -x } '/usr/bin/setpriv') ? qw(/usr/bin/setpriv --pdeathsig KILL) : ();       # should this test be killed
my $nowhere = 'http://127.0.0.1:9';
push @children, child({ HOME => $home, LIBREFANG_HOME => $home, PATH => '/nonexistent', LIBREFANG_REGISTRY_OFFLINE => 1, LIBREFANG_VAULT_NO_KEYRING => 1,
    map { ($_ => $nowhere, lc $_ => $nowhere) } qw(HTTP_PROXY HTTPS_PROXY ALL_PROXY) }, "$dir/log", @with_us, $program, 'start', '--foreground');

# --- our server -------------------------------------------------------------------------

my $long = join ' ', map {"word$_"} 1 .. 300;
my $last = sub { return $LF::JSON->encode($LF::JSON->decode($_[0])->{messages}[-1]) };
my $answer = sub {
    my $m = $last->($_[0]);
    return { text => 'It is a quiet place.' } if $m =~ /"role":"tool"/;
    return { tool_calls => [ { id => 'look', name => 'file_list', arguments => { path => '.' } } ] } if $m =~ /USE-TOOL/;
    return { text => $m =~ /remember the milk/ ? 'I have read it.' : 'What shall I read?' } if $m =~ /READ/;
    return { text => $long, chunks => 200, stall => 40 } if $m =~ /SLOWLY/;
    return { text => 'Hello from the **mock**.', chunks => 4 };
};
my $api = LF::Page->start(when => [ [ qr/"messages"/ => $answer ] ], config => qq([[users]]\nname = "ann"\nrole = "user"\n));
my ($assistant) = map { $_->{id} } @{ $api->get('/api/agents', 200)->{items} };
$api->put("/api/memory/agents/$assistant/kv/colour", { value => 'teal' }, 200);

# --- one address for both ----------------------------------------------------------------

my $there = $api->wait_for(sub { HTTP::Tiny->new(timeout => 5)->get("http://127.0.0.1:$port/dashboard/")->{success} }, 120);
die "LibreFang does not start:\n" . LF::slurp("$dir/log") if !$there;

push @children, child({ %ENV, LF_PAGE => "http://127.0.0.1:$port", LF_SERVER => $api->base }, "$dir/proxy", LF::Page::node(), LF::srcdir() . '/t/librefang/proxy.mjs');
my ($at) = $api->wait_for(sub { LF::slurp("$dir/proxy") =~ /^(\d+)\n/ ? $1 : 0 }) or die 'the proxy does not start: ' . LF::slurp("$dir/proxy");

# --- what the manual says of its pages ----------------------------------------------------

my ($table) = LF::slurp(LF::srcdir() . '/doc/compatibility.md') =~ /^## LibreFang's dashboard\n(.*?)(?=^## |\z)/ms;
my %kind = map { /^\| `(\S+)` \| (\w+) \|/ ? ($1 => $2) : () } split /\n/, $table;
cmp_ok scalar(keys %kind), '>', 30, 'the manual has a word for each page';

my $told = LF::Page::browse($api, '../librefang/walk.mjs', LF_BASE => "http://127.0.0.1:$at", LF_ROWS => LF::builddir() . '/endpoints.tsv', LF_PAGES => join ' ', map {"$_:$kind{$_}"} sort { ($kind{$b} eq 'whole') <=> ($kind{$a} eq 'whole') || $a cmp $b } keys %kind);
my $frame = qr{^GET /api/(?:approvals/count|skills/pending)$};
for my $page (sort grep { $kind{$_} eq 'whole' } keys %kind) {
    is_deeply [ grep { !/$frame/ } split /, /, $told->{$page} // 'never seen' ], [], "$page asks for nothing that is not there";
}
done_testing;
