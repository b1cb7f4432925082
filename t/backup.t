#!/usr/bin/perl
# A home as one file and back: made while others write, put in place as a whole or not at
# all; what is damaged, foreign or hostile is refused and changes nothing. And what looks at
# a home: the doctor's view of a broken store, and the logs.
use strict;
use warnings;
use File::Temp ();
use JSON::PP ();
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

LF::needed();
plan skip_all => 'python3 is not installed' if system('python3 -c pass >/dev/null 2>&1') != 0;
my $dir = File::Temp->newdir('lf-backup-XXXXXXXX', TMPDIR => 1);
my $api = LF->start;
my $KV = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';

sub good { my ($what, @words) = @_; my ($rc, $out) = $api->command(@words); is $rc, 0, $what or diag $out; return $out }
sub bad { my ($what, $code, $like, @words) = @_; my ($rc, $out) = $api->command(@words); is $rc, $code, $what or diag $out; like $out, $like, '... and says why'; return $out }
sub python { my ($code, @args) = @_; local $?; system('python3', '-c', $code, @args) == 0 or die "python3: $?"; return }
# Every file of the home but what is made anew: name => content.
sub content {
    my $home = $api->home;
    my %all;
    for (split /\n/, `cd '$home' && find . -type f ! -path './logs/*' ! -path './backups/*' ! -path './links/*' ! -name librefang.lock ! -name daemon.json`) { $all{$_} = LF::slurp("$home/$_") }
    return \%all;
}

subtest 'made while others write' => sub {
    my $id = $api->post('/api/agents', { manifest_toml => qq(name = "keeper"\n[model]\nprovider = "offline"\nmodel = "offline"\n) }, 201)->{agent_id};
    $api->post("/api/agents/$id/message", { message => 'write file notes/a.txt: some text' }, 200);
    $api->put("$KV/first", { value => 1 }, 200);
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        close $from;
        local $| = 1;
        syswrite $to, "$_\n" for grep { $api->raw(PUT => "$KV/n$_", { headers => { 'Content-Type' => 'application/json' }, content => qq({"value":$_}) })->{status} == 200 } 1 .. 400;
        POSIX::_exit(0);
    }
    close $to;
    sysread $from, my $some, 40;
    my $known = () = $some =~ /^(\d+)$/mg;
    my $file = "$dir/one.zip";
    is good('a backup is made', 'backup', $file), "$file\n", 'and its name is told';
    my $rest = join '', <$from>;
    waitpid $pid, 0;
    is +(stat $file)[2] & 0777, 0600, 'only its owner can read it';
    bad('a name that is taken is refused', 1, qr/it exists/, 'backup', $file);
    my $j = $LF::JSON->decode(good('without a name', '--json', 'backup'));
    like $j->{filename}, qr/^librefang_backup_\d{8}_\d{6}\.zip$/, 'it finds one';
    is_deeply $j->{components}, [qw(config agents data)], 'and says what is in it';
    is $j->{size_bytes}, -s $j->{path}, 'and how large it is';
    is_deeply [ grep { !/librefang_backup/ } map {s{.*/}{}r} glob $api->home . '/backups/{.,}*' ], [ '.', '..' ], 'nothing else is left beside it';
    bad('not while it runs', 4, qr/stop/, 'restore', $file);

    my $new = LF->start;
    $new->put("$KV/other", { value => 'of another home' }, 200);
    good_in($new, 'stopped', 'stop');
    my ($rc, $out) = $new->command('restore', $file);
    is $rc, 0, 'restored into another home' or diag $out;
    my ($aside) = $out =~ m{is in (\S+)};
    ok -e "$aside/data/librefang-c.db", 'what was there is kept';
    $new->{key} = $api->key;
    $new->up;
    is $new->get("$KV/first", 200)->{value}, 1, 'what was written before is there';
    my %have = map { ($_->{key} => 1) } @{ $new->get($KV, 200)->{kv_pairs} };
    is scalar(grep { !$have{"n$_"} } 1 .. $known), 0, "all $known that were answered before it began too";
    ok !$have{other}, 'and nothing of the other home';
    is LF::slurp($new->home . '/workspaces/agents/keeper/notes/a.txt'), 'some text', 'files of agents are there';
    like $new->post("/api/agents/$id/message", { message => 'read file notes/a.txt' }, 200)->{response}, qr/some text/, 'and agents work';
    $new->finish;
};

sub good_in { my ($a, $what, @words) = @_; my ($rc, $out) = $a->command(@words); is $rc, 0, $what or diag $out; return $out }

subtest 'what is no good changes nothing' => sub {
    my $file = "$dir/one.zip";
    good('stopped', 'stop');
    my $before = content();
    my %files;
    my $bytes = LF::slurp($file);
    my $write = sub { my ($name, $text) = @_; open my $fh, '>:raw', "$dir/$name" or die "$name: $!"; print $fh $text; close $fh; return "$dir/$name" };
    bad('a file that is not there', 1, qr/No such file/, 'restore', "$dir/none.zip");
    bad('no file at all', 2, qr/expected/, 'restore');
    bad('a text', 1, qr/no backup|archive/i, 'restore', $write->('text.zip', "hello\n" x 100));
    bad('an empty file', 1, qr/no backup|archive/i, 'restore', $write->('empty.zip', ''));
    bad('half of one', 1, qr/./, 'restore', $write->('half.zip', substr $bytes, 0, length($bytes) / 2));
    my $hurt = $bytes;
    substr $hurt, length($hurt) / 3, 200, "\xff" x 200;
    bad('a damaged one', 1, qr/./, 'restore', $write->('hurt.zip', $hurt));
    my $make = 'import sys,zipfile,stat
z=zipfile.ZipFile(sys.argv[1],"w")
if sys.argv[2]!="none": z.writestr("manifest.json",\'{"version":1,"components":[]}\')
n=sys.argv[3]
i=zipfile.ZipInfo(n)
if sys.argv[2]=="link": i.create_system=3; i.external_attr=(stat.S_IFLNK|0o777)<<16
z.writestr(i,sys.argv[4])
z.close()';
    for (['foreign', 'none', 'hello.txt', 'x', qr/no backup/], ['up', 'file', '../evil.txt', 'x', qr/leads out/], ['absolute', 'file', '/tmp/lf-evil.txt', 'x', qr/leads out/],
        ['within', 'file', 'workspaces/../../evil.txt', 'x', qr/leads out/], ['link', 'link', 'data', '/tmp', qr/link outside/],
        ['no store', 'file', 'data/librefang-c.db', 'not a database', qr/store in the archive/]) {
        my ($name, $how, $entry, $text, $like) = @$_;
        python($make, "$dir/$name.zip", $how, $entry, $text);
        bad($name, 1, $like, 'restore', "$dir/$name.zip");
    }
    python('import sqlite3,sys,zipfile
z=zipfile.ZipFile(sys.argv[1]); z.extractall(sys.argv[3])
c=sqlite3.connect(sys.argv[3]+"/data/librefang-c.db"); c.execute("insert into schema_version values(9999,\'x\',9999)"); c.commit(); c.close()
o=zipfile.ZipFile(sys.argv[2],"w"); o.write(sys.argv[3]+"/manifest.json","manifest.json"); o.write(sys.argv[3]+"/data/librefang-c.db","data/librefang-c.db"); o.close()', $file, "$dir/newer.zip", "$dir/x");
    bad('a newer version wrote it', 1, qr/newer version/, 'restore', "$dir/newer.zip");
    is_deeply content(), $before, 'nothing has changed';
    is_deeply [ grep { !m{/\.\.?$} } glob $api->home . '/.restore-*' ], [], 'and nothing is left';
    $api->up;
};

subtest 'a disk that is full, and one that was interrupted' => sub {
    plan skip_all => 'no strace' if system('strace -V >/dev/null 2>&1') != 0;
    my $prog = LF::builddir() . '/librefang-backup';
    my @rc = map {
        my $n = $_;
        system("cd '$dir' && strace -f -o /dev/null -e inject=write:error=ENOSPC:when=$n+ '$prog' create '" . $api->home . "' '" . $api->home . "/data/librefang-c.db' '$dir/full-$n.zip' >/dev/null 2>&1") >> 8
    } 1 .. 4;
    is scalar(grep { $rc[ $_ - 1 ] == 0 xor -s "$dir/full-$_.zip" } 1 .. @rc), 0, 'a backup that cannot be written is none';
    is_deeply [ glob "$dir/full-*.part" ], [], 'and leaves nothing half';
    ok scalar(grep { $_ != 0 } @rc), 'which was tried';
    good('stopped', 'stop');
    open my $fh, '>', $api->home . '/restore.pending' or die;
    close $fh;
    bad('an interrupted restore is not started on', 1, qr/restore was interrupted/, 'start', '--listen', '127.0.0.1:' . LF::free_port());
    bad('the doctor knows', 1, qr/fail\trestore\t/, 'doctor');
    good('restored again', 'restore', "$dir/one.zip");
    $api->up;
    is $api->get("$KV/first", 200)->{value}, 1, 'and has what was kept';
};

subtest 'the doctor' => sub {
    my $out = good('all is well', 'doctor');
    like $out, qr/^ok\tstore\t.*whole/m, 'the store was looked into while it is used';
    like $out, qr/^ok\tprovider\toffline/m, 'and the provider';
    like $out, qr/^ok\tshared memory\t/m, 'and where memory is shared';
    my $j = $LF::JSON->decode(good('as JSON', '--json', 'doctor'));
    is $j->{all_ok}, JSON::PP::true, 'all_ok';
    good('stopped', 'stop');
    my $db = $api->home . '/data/librefang-c.db';
    my $whole = LF::slurp($db);
    open my $fh, '+<:raw', $db or die;
    seek $fh, 8192, 0;
    print $fh "\xa5" x 20000;
    close $fh;
    bad('a damaged store', 1, qr/^fail\tstore\t.*damaged/m, 'doctor');
    open $fh, '>:raw', $db or die;
    print $fh $whole;
    close $fh;
    my $config = 'api_listen = "127.0.0.1:' . LF::free_port() . qq("\n) . LF::slurp($api->home . '/config.toml');
    my $set = sub { my ($text) = @_; open my $c, '>', $api->home . '/config.toml' or die; print $c $text; close $c };
    $set->($config =~ s/provider = "offline"/provider = "openai"/r);
    bad('a provider without its key', 1, qr/^fail\tprovider\topenai: no key; set OPENAI_API_KEY/m, 'doctor');
    $set->($config =~ s/provider = "offline"/provider = "codewhale"/r);
    bad('a program that is not there', 1, qr/^fail\tprovider\tcodewhale: the program codewhale is not in PATH/m, 'doctor');
    open $fh, '>', "$dir/codewhale" or die;
    print $fh "#!/bin/sh\n";
    close $fh;
    chmod 0755, "$dir/codewhale" or die;
    { local $ENV{PATH} = "$dir:$ENV{PATH}"; like good('one that is', 'doctor'), qr/^ok\tprovider\tcodewhale: the program codewhale is installed/m, 'is no address' }
    my $up = LF->mock;
    my $url = $up->url;
    $set->($config =~ s/provider = "offline"/provider = "custom"\nbase_url = "$url"/r);
    like good('one that can be reached', 'doctor'), qr/^ok\tprovider\tcustom at 127\.0\.0\.1:\d+ can be reached/m, 'is told';
    $up->stop;
    bad('one that cannot', 1, qr/^fail\tprovider\t.*refused|no address answers/m, 'doctor');
    $set->($config);
    $api->up;
};

subtest 'logs' => sub {
    my $log = $api->home . '/logs/librefang.log';
    my @all = split /^/, LF::slurp($log);
    is good('the last lines', 'logs', '-n', 2), join('', @all[ -2, -1 ]), 'as they stand there';
    is good('no line', 'logs', '-n', 0), '', 'none';
    is length good('more than there are', 'logs', '-n', 100000), -s $log, 'are all';
    bad('a wrong number', 2, qr/number/, 'logs', '-n', 'x');
    good('requests', 'logs', '--access');
    my $prog = LF::builddir() . '/librefang';
    my $pid = open my $out, '-|' // die;
    if (!$pid) {
        %ENV = $api->environment;
        exec { $prog } $prog, 'logs', '-f', '-n', 1;
    }
    is scalar <$out>, $all[-1], 'with -f the last line comes';
    my $add = sub { open my $fh, '>>', $log or die; print $fh "$_[0]\n"; close $fh };
    $add->('one more');
    is scalar <$out>, "one more\n", 'and what is added';
    rename $log, "$log.1" or die;
    ok kill('USR1', $api->supervisor), 'the file is turned over';
    $api->wait_for(sub { -e $log });
    $add->('after the turn');
    my $line = '';
    while (defined($line = <$out>) && $line ne "after the turn\n") { }
    is $line, "after the turn\n", 'also after the file was turned over';
    kill 'TERM', $pid;
    close $out;
};

$api->finish;
done_testing;
