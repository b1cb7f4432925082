#!/usr/bin/perl
# A store of every earlier schema is brought up to date by a start, also when the power goes
# at any write of it; a store of a later version is used as long as that one allows, and
# left alone when not.
use strict;
use warnings;
use File::Copy ();
use File::Temp ();
use IPC::Open2 ();
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
plan skip_all => 'python3 is not installed' if system('python3 -c pass >/dev/null 2>&1') != 0;
my ($strace) = grep { -x } map {"$_/strace"} split /:/, $ENV{PATH};
my $dir = File::Temp->newdir('lf-upgrade-XXXXXXXX', TMPDIR => 1);
my @migrations = sort glob LF::srcdir() . '/db/migrations/*.sql';
my $KV = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';
my $api = LF->start(files => { 'librefang.ini' => "[librefang]\npool_size = 1\n" });
my $db = $api->home . '/data/librefang-c.db';

sub python { my ($code, @args) = @_; local $?; my $out = do { open my $p, '-|', 'python3', '-c', $code, @args or die; local $/; <$p> }; return $out }
sub good { my ($what, @words) = @_; my ($rc, $out) = $api->command(@words); is $rc, 0, $what or diag $out; return }
sub clear { unlink glob "$db*"; return }
# Stores as the first 1, 2, ... migrations made them, with something in them: $dir/1.db ...
python('import sqlite3,sys
for n in range(2,len(sys.argv)):
    c=sqlite3.connect("%s/%d.db"%(sys.argv[1],n-1))
    c.execute("CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, min_reader BIGINT NOT NULL)")
    for i,f in enumerate(sys.argv[2:n+1]):
        c.executescript(open(f).read()); c.execute("insert into schema_version values(?,?,1)",(i+1,f.split("/")[-1][:-4]))
    c.execute("insert into kv values(?,?,?,1)",("11111111-2222-4333-8444-555555555555","colour","\"blue\""))
    c.commit(); c.close()', "$dir", @migrations);
sub old_store { my ($n) = @_; clear(); File::Copy::copy("$dir/$n.db", $db) or die "copy: $!"; return }
# Version, tables, health and what was in it, by another program than ours.
sub look { return python('import sqlite3,sys
c=sqlite3.connect(sys.argv[1])
print(c.execute("select max(version) from schema_version").fetchone()[0], c.execute("select count(*) from sqlite_master where type=\'table\' and name in (\'login\',\'kv\',\'turn\')").fetchone()[0], c.execute("pragma integrity_check").fetchone()[0], c.execute("select value from kv where key=\'colour\'").fetchone()[0])', $db) }
my $newest = @migrations;
my $fine = "$newest 3 ok";

for my $n (1 .. $newest) {
    subtest "from schema $n" => sub {
        good('stopped', 'stop') if $api->supervisor;
        old_store($n);
        $api->up;
        is $api->get("$KV/colour", 200)->{value}, 'blue', 'what was in it is there';
        $api->put("$KV/colour", { value => 'red' }, 200);
        good('stopped', 'stop');
        is look(), qq($fine "red"\n), 'and it is of the newest schema, with what was said since';
        return if $n != 1 && $n != $newest && $n % 5 != 0;      # where they came from makes no difference any more
        $api->up;
        is $api->get("$KV/colour", 200)->{value}, 'red', 'after the next start too';
    };
}

subtest 'asked before there is a table' => sub {
    good('stopped', 'stop');
    clear();
    my $held = IPC::Open2::open2(my $from, my $to, 'python3', '-c', 'import sqlite3,sys
c=sqlite3.connect(sys.argv[1],isolation_level=None); c.execute("pragma journal_mode=wal"); c.execute("begin immediate")
print("held",flush=True); sys.stdin.read(); c.execute("rollback")', $db);
    is scalar <$from>, "held\n", 'somebody keeps the daemon from making them';
    my $logged = length $api->log_text;
    my $port = LF::free_port();
    my $pid = fork // die "fork: $!";
    if (!$pid) { close $to; POSIX::_exit(($api->command('start', '--listen', "127.0.0.1:$port"))[0]) }
    $api->{base} = "http://127.0.0.1:$port";
    my $r;
    $api->wait_for(sub { $r = $api->raw('GET', '/api/agents'); $r->{headers}{'x-request-id'} });
    is $r->{status}, 503, 'the pool has nothing to read yet' or diag $r->{content};
    close $to;
    waitpid $held, 0;
    waitpid $pid, 0;
    is $?, 0, 'then it is started';
    $api->{port} = $port;
    $api->get('/api/agents', 200);
    unlike substr($api->log_text, $logged), qr/no such table/, 'and nobody has looked for tables that were not there';
};

subtest 'a row in every table' => sub {
    my $said = python('import sqlite3,sys
c=sqlite3.connect(":memory:")
for f in sys.argv[1:]: c.executescript(open(f).read())
c.execute("pragma foreign_keys=off")
n=0
for (t,) in c.execute("select name from sqlite_master where type=\'table\' and sql not like \'CREATE VIRTUAL%\'").fetchall():
    if "_text_" in t or t.startswith("sqlite"): continue
    cols=c.execute("pragma table_info(%s)"%t).fetchall()
    c.execute("insert into %s values (%s)"%(t,",".join("?"*len(cols))),[7 if "INT" in x[2].upper() else "x" for x in cols]); n+=1
print(n>30, *[r[0] for r in c.execute("pragma integrity_check")])', @migrations);
    is $said, "True ok\n", 'looks whole to whom looks: or no store with such a row could be put back from a backup';
};

subtest 'the power goes at any write' => sub {
    plan skip_all => 'strace is not installed' unless $strace;
    good('stopped', 'stop');
    my $cut = 0;
    for (my $n = 1; $n < 60; $n += 2) {
        old_store(1);
        my $pid = fork // die "fork: $!";
        my $program = LF::builddir() . '/librefang';
        my $address = '127.0.0.1:' . LF::free_port();
        if (!$pid) {
            %ENV = $api->environment;
            open STDERR, '>', '/dev/null';
            exec { $strace } 'strace', '-f', '-qqq', '-o', "$dir/trace", '-e', 'trace=pwrite64', '-e', "inject=pwrite64:signal=KILL:when=$n", $program, 'start', '--foreground', '--listen', $address or POSIX::_exit(127);
        }
        my $end = time + 60;
        my $dead;
        until (time > $end) {
            last if ($dead = -e "$dir/trace" && LF::slurp("$dir/trace") =~ /killed by SIGKILL/);
            last if !$dead && $api->log_text && -e $api->home . '/daemon.json';        # it serves: nothing was left to write
            sleep 0.02;
        }
        kill 'KILL', $pid;
        waitpid $pid, 0;
        unlink "$dir/trace", $api->home . '/daemon.json';
        my ($rc, $out);
        for my $try (1 .. 600) {        # what strace leaves runs on until it is killed too
            my $sup = LF::slurp($api->home . '/librefang.lock') =~ /^(\d+)/ ? $1 : 0;
            kill 'KILL', $sup if $sup;
            ($rc, $out) = $api->command('start', '--listen', $address);
            last if $rc == 0 || $out !~ /already running/;
            sleep 0.05;
        }
        $rc == 0 or return fail("killed at write $n: the next start says $out");
        my ($stop) = $api->command('stop');
        my $is = look();
        $is eq qq($fine "blue"\n) or return fail("killed at write $n: $is");
        $cut++ if $dead;
        last if !$dead;
    }
    cmp_ok $cut, '>=', 10, "killed at $cut writes, each time the next start has all";
    $api->up;
};

subtest 'a later version was here' => sub {
    my $later = sub { my ($reader) = @_; good('stopped', 'stop'); python('import sqlite3,sys
c=sqlite3.connect(sys.argv[1]); c.execute("delete from schema_version where version=99"); c.execute("insert into schema_version values(99,\'later\',?)",(int(sys.argv[2]),)); c.commit(); c.close()', $db, $reader) };
    $later->($newest);
    $api->up;
    is $api->get("$KV/colour", 200)->{value}, 'blue', 'what may be read by us is used';
    $later->($newest + 1);
    my $before = LF::slurp($db);
    my ($rc, $out) = $api->command('start', '--listen', '127.0.0.1:' . LF::free_port());
    isnt $rc, 0, 'what may not is refused';
    like $out . $api->log_text, qr/written by a newer version \(schema 99; this one knows $newest\)/, 'with its reason';
    is LF::slurp($db), $before, 'and left as it is';
    python('import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute("delete from schema_version where version=99"); c.commit()', $db);
    $api->up;
};

$api->finish;
done_testing;
