#!/usr/bin/perl
# Files for agents: as the body, as a form; what is refused, and before which byte; who may read
# one; parts of one; and that nothing is left of one that broke off.
use strict;
use warnings;
use LF;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

my $api = LF->start(
    top => 'max_upload_size_bytes = 3000000',
    config => join '', map { qq([[users]]\nname = "$_->[0]"\nrole = "$_->[1]"\napi_key_hash = "@{[ sha($_->[0]) ]}"\n) } [ anna => 'admin' ], [ vera => 'viewer' ], [ ulla => 'user' ]
);
sub sha { require Digest::SHA; return '$sha256$' . Digest::SHA::sha256_hex("key-of-$_[0]-0123456789abcdef0123") }
sub as { my ($who) = @_; return Authorization => "Bearer key-of-$who-0123456789abcdef0123" }

my $ada = $api->post('/api/agents', { manifest_toml => "name = \"ada\"\n" }, 201)->{agent_id};
my $dir = $api->home . '/data/uploads';
my $PNG = "\x89PNG\r\n\x1a\n" . 'x' x 100;
sub upload { my ($body, $status, %h) = @_; return $api->call(POST => "/api/agents/$ada/upload", $body, $status, { 'Content-Type' => 'text/plain', %h }) }
sub fetch { my ($id, %h) = @_; return $api->raw(GET => "/api/uploads/$id", { headers => \%h }) }
sub files { opendir my $d, $dir or return; return grep { !/^\.\.?$/ } readdir $d }

subtest 'a body is a file' => sub {
    my $f = upload('hello file', 201, 'X-Filename' => 'note.txt');
    is_deeply [ @$f{qw(filename content_type size)} ], [ 'note.txt', 'text/plain', 10 ], 'and the answer says which';
    my $r = fetch($f->{file_id});
    is "$r->{status} $r->{content}", '200 hello file', 'it comes back';
    is $r->{headers}{'content-type'}, 'text/plain', 'as what it was sent';
    like join(' ', ref $r->{headers}{'content-security-policy'} ? @{ $r->{headers}{'content-security-policy'} } : $r->{headers}{'content-security-policy'}), qr/sandbox/, 'and nothing in it may run';
    is fetch($f->{file_id}, Authorization => undef)->{status}, 401, 'not to strangers';
    my $j = upload('{"any":"json"}', 201, 'Content-Type' => 'application/json');
    is $j->{filename}, 'upload', 'a file without a name has one';
    is upload('a', 201, 'X-Filename' => $_->[0])->{filename}, $_->[1], "$_->[0] is called $_->[1]"
        for [ '../../etc/passwd', 'passwd' ], [ 'C:\\x\\y.txt', 'y.txt' ], [ '..', 'upload' ], [ '/', 'upload' ];
    is upload('a', 201, 'Content-Type' => 'Text/CSV; charset=utf-8')->{content_type}, 'Text/CSV; charset=utf-8', 'parameters of the type stay';
    is_deeply [ grep { /^\./ } files() ], [], 'no hidden file is left';
};

subtest 'a form has a file' => sub {
    my $b = '--lf-bound--ary';
    my $form = sub { return join '', map({"--$b\r\nContent-Disposition: form-data; $_->[0]\r\n" . ($_->[2] ? "Content-Type: $_->[2]\r\n" : '') . "\r\n$_->[1]\r\n"} @_), "--$b--\r\n" };
    my %type = ('Content-Type' => "multipart/form-data; boundary=\"$b\"");
    my $text = "line\r\n--\r\n----lf-bound--ar\r\r\n----lf" x 300;
    my $f = upload($form->([ 'name="file"; filename="a;b \\"c\\".txt"', $text, 'text/markdown' ]), 201, %type);
    is_deeply [ @$f{qw(filename content_type size)} ], [ 'a;b "c".txt', 'text/markdown', length $text ], 'with its own name and type';
    is fetch($f->{file_id})->{content}, $text, 'and its bytes are the same';
    is upload($form->([ 'name="other"', 'x' ], [ 'name="file"; filename="x"', 'abc' ], [ 'name="filename"', 'y.txt' ]), 201, %type)->{filename}, 'y.txt', 'a part may name it';
    is upload($form->([ "name=\"file\"; filename=\"\xff\xfe.txt\"", 'abc' ]), 201, %type)->{filename}, '__.txt', 'bytes that are no text are no name';
    upload($form->([ 'name="other"', 'x' ]), 400, %type);
    upload($form->([ 'name="file"; filename="x"', '' ]), 400, %type);
    upload($form->([ 'name="file"; filename="x"', '<b>', 'text/html' ]), 400, %type);
    upload("--$b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", 400, %type);
    upload('abc', 400, 'Content-Type' => 'multipart/form-data');
    my $e = upload($form->([ 'name="file"; filename="x"', 'x' x 3000001 ]), 413, %type);
    is $e->{max_upload_size_bytes}, 3000000, 'a file of a form has the same limit';
};

subtest 'what is refused' => sub {
    upload('MZ', 400, 'Content-Type' => $_) for 'application/x-msdownload', 'text/html', 'TEXT/HTML; charset=x', 'text/xml', 'image/svg+xml', 'text/', 'text/a b', 'image/png x', '';
    upload('', 400);
    upload('no picture', 400, 'Content-Type' => 'image/png');
    is upload($PNG, 201, 'Content-Type' => 'image/jpeg')->{content_type}, 'image/png', 'a picture is what its bytes say';
    $api->call(POST => '/api/agents/not-a-uuid/upload', 'x', 400, { 'Content-Type' => 'text/plain' });
    $api->call(POST => '/api/agents/00000000-0000-4000-8000-000000000000/upload', 'x', 404, { 'Content-Type' => 'text/plain' });
    is $api->call(GET => '/api/uploads/not-a-uuid', undef, 400)->{message}, 'Invalid file ID', 'an id that is none';
    $api->call(GET => '/api/uploads/00000000-0000-4000-8000-000000000000', undef, 404);
    upload('x', 403, as('vera'));
    my $before = () = files();
    my ($s, undef, $b) = $api->wire("POST /api/agents/$ada/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key
        . "\r\nContent-Type: text/plain\r\nContent-Length: 4000000000\r\nConnection: close\r\n\r\n");
    is $s, 413, 'what is too large is refused before a byte of it has come';
    like $b, qr/"max_upload_size_bytes":3000000,"declared_bytes":4000000000/, 'with the sizes';
    is scalar(() = files()), $before, 'nothing of all that is kept';
};

subtest 'a whole one of the largest size, and one by pieces' => sub {
    my $big = join '', map { sprintf "%09d\n", $_ } 1 .. 300000;
    my $f = upload($big, 201);
    is $f->{size}, 3000000, 'it fits';
    ok fetch($f->{file_id})->{content} eq $big, 'and is the same';
    my $r = fetch($f->{file_id}, Range => 'bytes=10-19');
    is "$r->{status} $r->{content} $r->{headers}{'content-range'}", "206 000000002\n bytes 10-19/3000000", 'a range of it';
    is fetch($f->{file_id}, Range => 'bytes=-10')->{content}, "000300000\n", 'its end';
    is length fetch($f->{file_id}, Range => 'bytes=2999990-')->{content}, 10, 'from somewhere on';
    $r = fetch($f->{file_id}, Range => 'bytes=3000000-');
    is "$r->{status} $r->{headers}{'content-range'}", '416 bytes */3000000', 'beyond its end';
    is fetch($f->{file_id}, Range => 'bytes=5-1')->{status}, 200, 'what is no range counts for nothing';
    my $tag = fetch($f->{file_id})->{headers}{etag};
    is fetch($f->{file_id}, 'If-None-Match' => $tag)->{status}, 304, 'who has it gets it not again';
    is fetch($f->{file_id}, 'If-Range' => '"other"', Range => 'bytes=0-1')->{status}, 200, 'a range of another file is none of this one';
    my $h = $api->raw(HEAD => "/api/uploads/$f->{file_id}");
    is "$h->{headers}{'content-length'} " . length $h->{content}, '3000000 0', 'HEAD says how large it is';
    my ($st, undef, $text) = $api->wire("POST /api/agents/$ada/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key . "\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n6\r\n again\r\n0\r\n\r\n");
    is $st, 201, 'one in chunks';
    like $text, qr/"size":11/, 'whole';
    my $s = LF::Stream->new($api->connect, 20);
    $s->send_bytes("POST /api/agents/$ada/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key . "\r\nContent-Type: text/plain\r\nContent-Length: 30\r\nConnection: close\r\n\r\n");
    for (1 .. 6) { $s->send_bytes('12345'); sleep 0.05 }
    $s->read_head;
    is $s->status, 201, 'a slow one too';
};

subtest 'so many at once' => sub {
    my $two = LF->start(top => 'max_concurrent_uploads = 1');
    my $id = $two->post('/api/agents', { manifest_toml => "name = \"x\"\n" }, 201)->{agent_id};
    my $half = sub {
        my $s = LF::Stream->new($two->connect, 20);
        $s->send_bytes("POST /api/agents/$id/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $two->key . "\r\nContent-Type: text/plain\r\nContent-Length: 400000\r\n\r\n" . 'x' x 200000);
        return $s;
    };
    my $first = $half->();
    $two->wait_for(sub { glob $two->home . '/data/uploads/.*.part' });
    my $second = $half->();
    $second->send_bytes('x' x 200000);
    is $two->raw(GET => '/api/health')->{status}, 200, 'who waits holds up nobody';
    my @hidden = glob $two->home . '/data/uploads/.*.part';
    is scalar @hidden, 1, 'the second waits';
    $first->send_bytes('x' x 200000);
    for my $s ($first, $second) { $s->read_head; is $s->status, 201, 'and both come through' }
    $two->finish;
};

subtest 'a disk that is full' => sub {
    my ($strace) = grep { -x } map {"$_/strace"} split /:/, $ENV{PATH};
    plan skip_all => 'strace is not installed' unless $strace;
    my ($daemon) = @{ $api->processes->{librefangd} };
    for my $call ('fsync', 'renameat') {
        my $before = () = files();
        my $pid = fork // die;
        if (!$pid) {
            open STDERR, '>', $api->home . '/strace.err';
            exec $strace, '-f', '-o', $api->home . "/strace.$call", '-e', "trace=$call", '-e', "inject=$call:error=ENOSPC", '-p', $daemon or POSIX::_exit(127);
        }
        SKIP: {
            skip 'strace may not watch here', 2 unless $api->wait_for(sub { LF::traced($daemon) || waitpid($pid, 1) > 0 }) && LF::traced($daemon);
            my $r = $api->raw(POST => "/api/agents/$ada/upload", { headers => { 'Content-Type' => 'text/plain' }, content => 'x' x 500000 });
            is $r->{status}, 503, "$call: it is said";
            ok $api->wait_for(sub { $before == (() = files()) }), 'and nothing is left';
        }
        kill 'INT', $pid;
        waitpid $pid, 0;
    }
    upload('x' x 500000, 201);
};

subtest 'who may read one' => sub {
    my $f = upload('of anna', 201, as('anna'));
    is fetch($f->{file_id}, as('anna'))->{content}, 'of anna', 'its owner';
    is fetch($f->{file_id})->{content}, 'of anna', 'an owner of the server';
    my $r = fetch($f->{file_id}, as('vera'));
    is "$r->{status} $r->{json}{code}", '403 upload_access_denied', 'nobody else';
    my $e = $api->call(POST => "/api/agents/$ada/message", { message => 'x', attachments => [ { file_id => $f->{file_id} } ] }, 404, { as('ulla') });
    is $e->{code}, 'agent_not_found', 'an agent of others is none';
    my $own = $api->post('/api/agents', { manifest_toml => "name = \"of-ulla\"\nauthor = \"ulla\"\n" }, 201)->{agent_id};
    $e = $api->call(POST => "/api/agents/$own/message", { message => 'x', attachments => [ { file_id => $f->{file_id} } ] }, 403, { as('ulla') });
    is $e->{code}, 'upload_access_denied', 'nor is it sent on for somebody else';
    is $api->get("/api/agents/$own/session", 200)->{message_count}, 0, 'and no turn ran';
};

subtest 'what broke off leaves nothing' => sub {
    my $before = () = files();
    my $half = sub {
        my $s = $api->connect;
        syswrite $s, "POST /api/agents/$ada/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " . $api->key . "\r\nContent-Type: text/plain\r\nContent-Length: 2000000\r\n\r\n" . 'x' x 500000;
        return $s;
    };
    my $s = $half->();
    ok $api->wait_for(sub { grep { /^\./ } files() }), 'it is being written';
    close $s;
    ok $api->wait_for(sub { $before == (() = files()) }), 'a client that goes takes it along';
    $s = $half->();
    ok $api->wait_for(sub { grep { /^\./ } files() }), 'another is being written';
    kill 'KILL', @{ $api->processes->{librefangd} };
    ok $api->wait_for(sub { $api->raw(GET => '/api/ready')->{status} == 200 && $before == (() = files()) }), 'a daemon that is killed leaves none either';
    open my $fh, '>', "$dir/11111111-2222-4333-8444-555555555555" or die;
    close $fh;
    utime time - 7200, time - 7200, "$dir/11111111-2222-4333-8444-555555555555";
    $api->restart;
    ok $api->wait_for(sub { !-e "$dir/11111111-2222-4333-8444-555555555555" }), 'a file without a row goes';
};

subtest 'they last a day' => sub {
    my $f = upload('for a day', 201);
    my ($db) = glob $api->home . '/data/*.db';
    SKIP: {
        my ($sqlite) = grep { -x } map {"$_/sqlite3"} split /:/, $ENV{PATH};
        skip 'sqlite3 is not installed', 2 unless $sqlite;
        $api->down;
        is system($sqlite, $db, "UPDATE upload SET created_ms = created_ms - 90000000 WHERE id = '$f->{file_id}'"), 0, 'a day passes';
        $api->up;
        ok $api->wait_for(sub { fetch($f->{file_id})->{status} == 404 }), 'then they go';
    }
};

$api->finish;
done_testing;
