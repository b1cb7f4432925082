#!/usr/bin/perl
# Files that go with a question: pictures, texts, PDFs and the rest, by every way that a turn begins; what the
# model sees of them, what the conversation shows, and how long it keeps it.
use strict;
use warnings;
use LF;
use Digest::SHA ();
use LF::WS;
use MIME::Base64 qw(decode_base64 encode_base64);
use Test::More;

my $up = LF->mock(when => [ [ 'SLOW-ONE' => { text => 'slow', hang => 1, until => 'slow' } ] ]);
my $bin = File::Temp->newdir('lf-bin-XXXXXXXX', TMPDIR => 1);
open my $fh, '>', "$bin/pdftotext" or die;
print $fh <<'SH';
#!/bin/sh
# stands for the real one: the text is the file's second line, "SLEEP" hangs, "FAIL" fails, "LONG" is all that follows
read -r head; read -r line
case $line in SLEEP) sleep 60;; FAIL) exit 1;; LONG) exec /bin/cat;; esac
echo "$line from $4"
SH
close $fh;
chmod 0755, "$bin/pdftotext";

my @people = map { qq([[users]]\nname = "$_"\nrole = "user"\napi_key_hash = "\$sha256\$@{[ Digest::SHA::sha256_hex("key-of-$_") ]}"\n) } qw(zoe yan);
my $api = LF->start(model => $up, env => { PATH => "$bin:$ENV{PATH}" }, config => "@people", limits => "ws_messages_per_minute = 1000\n", top => 'max_upload_size_bytes = 33554432');
my $ada = $api->post('/api/agents', { manifest_toml => "name = \"ada\"\n[proactive_memory]\nauto_retrieve = false\n" }, 201)->{agent_id};
my $home = $api->home . '/workspaces/agents/ada';
my $PNG = "\x89PNG\r\n\x1a\n" . join '', map { chr } 0 .. 255;
sub upload { my ($body, $type, $name) = @_; return $api->call(POST => "/api/agents/$ada/upload", $body, 201, { 'Content-Type' => $type, 'X-Filename' => $name })->{file_id} }
sub fresh { return $api->post("/api/agents/$ada/sessions", {}, 200)->{session_id} }
sub ask { my ($text, @ids) = @_; return $api->post("/api/agents/$ada/message", { message => $text, attachments => [ map { { file_id => $_ } } @ids ] }, 200) }
sub seen { return $up->chats->[-1]{json}{messages}[-1]{content} }
sub history { my ($s) = @_; return $api->get("/api/agents/$ada/session" . ($s ? "?session_id=$s" : ''), 200)->{messages} }
sub url { return 'data:image/png;base64,' . encode_base64($PNG, '') }

subtest 'a picture' => sub {
    my $s = fresh();
    my $id = upload($PNG, 'image/png', 'dot.png');
    ask('what is it?', $id);
    my $parts = seen();
    is_deeply [ map { $_->{type} } @$parts ], [ 'text', 'image_url', 'text' ], 'the model sees it between words';
    is $parts->[1]{image_url}{url}, url(), 'all of it';
    like $parts->[2]{text}, qr{^\[File: dot\.png\] saved to uploads/\w{8}-dot\.png$}, 'and where a copy lies';
    my ($path) = $parts->[2]{text} =~ /(uploads\S+)/;
    is LF::slurp("$home/$path"), $PNG, 'in its workspace';
    my ($q) = @{ history() };
    like $q->{content}, qr/^what is it\?\n\[Image\]\n\[File: dot\.png\]/, 'the conversation says so';
    is scalar @{ $q->{images} }, 1, 'and shows it';
    my $shown = $q->{images}[0]{file_id};
    like $shown, qr/^\w{8}-\w{4}-8\w{3}-[89ab]\w{3}-/, 'under an id of its own';
    is $q->{images}[0]{filename}, 'dot.png', 'with its name';
    my $r = $api->raw(GET => "/api/uploads/$shown");
    is "$r->{headers}{'content-type'} @{[ $r->{content} eq $PNG ]}", 'image/png 1', 'that gives its bytes';
    my $sum = Digest::SHA::sha256(pack('H*', $s =~ tr/-//dr) . "\0image/png\0$PNG");
    my $hex = unpack 'H32', $sum;
    substr($hex, 12, 1) = '8';
    substr($hex, 16, 1) = sprintf '%x', hex(substr $hex, 16, 1) & 3 | 8;
    is $shown =~ tr/-//dr, $hex, 'which is made of session, type and bytes';
    ask('and now?', $id);
    is $up->chats->[-1]{json}{messages}[-3]{content}[1]{image_url}{url}, url(), 'the model sees it in later turns too';
    is history()->[2]{images}[0]{file_id}, $shown, 'the same picture is there once';
    my $e = $api->get("/api/agents/$ada/sessions/$s/export", 200);
    is $e->{messages}[0]{content}[1]{data}, encode_base64($PNG, ''), 'an export holds it';
    my $new = $api->post("/api/agents/$ada/sessions/import", { version => 1, messages => $e->{messages} }, 200)->{session_id};
    my $im = history($new)->[0]{images}[0]{file_id};
    isnt $im, $shown, 'an import keeps one of its own';
    ok $api->raw(GET => "/api/uploads/$im")->{content} eq $PNG, 'with the same bytes';
    $api->del("/api/sessions/$s", 204);
    is $api->raw(GET => "/api/uploads/$shown")->{status}, 404, 'it goes with its conversation';
    is $api->raw(GET => "/api/uploads/$im")->{status}, 200, 'and stays with another';
};

subtest 'a model that cannot see' => sub {
    fresh();
    $api->put("/api/agents/$ada/model", { model => 'gpt-5-nano', provider => 'openai' }, 200);
    my $id = upload($PNG, 'image/png', 'dot.png');
    ask('look', $id);
    my $all = ref seen() ? join "\n", map { $_->{text} // $_->{type} } @{ seen() } : seen();
    unlike $all, qr/image_url/, 'gets no picture';
    like $all, qr/A picture, which this model cannot see/, 'but a word in its place';
    is scalar @{ history()->[0]{images} }, 1, 'the conversation shows it all the same';
    my $ws = LF::WS->open($api, "/api/agents/$ada/ws");
    $ws->say({ type => 'message', content => 'look', attachments => [ { file_id => $id } ] });
    my ($warn) = grep { $_->{type} eq 'command_result' } $ws->until('response');
    like $warn->{message}, qr/cannot see/, 'a socket is told so';
    $ws->close;
    $api->put("/api/agents/$ada/model", { model => 'default', provider => 'default' }, 200);
};

subtest 'a text' => sub {
    fresh();
    my $text = "alpha,beta\n1,2\n";
    ask('Read it', upload($text, 'text/csv', 't.csv'));
    is seen()->[1]{text}, "[Attached file: t.csv (15 bytes)]\n\n$text", 'goes along' if ref seen();
    like ref seen() ? join('', map { $_->{text} } @{ seen() }) : seen(), qr/\[Attached file: t\.csv \(15 bytes\)\]\n\nalpha,beta/, 'the model reads it';
    like history()->[0]{content}, qr/^Read it\n\[Attached file: t\.csv/, 'and so does who looks back';
    my $long = "\xc3\xa4" x 200001;
    ask('Read this', upload($long, 'text/plain', 'long.txt'));
    my ($all) = map { ref $_ ? $_->[1]{text} : $_ } seen();
    like substr($all, 0, 80), qr/long\.txt \(400002 bytes, truncated\)/, 'a long one is cut';
    is length($all =~ s/.*?\n\n//sr), 200000, 'after so many characters';
    fresh();
    ask('And this', upload("\xff\xfe\x00x", 'text/plain', 'odd.txt'));
    like ref seen() ? seen()->[1]{text} : seen(), qr/\[File: odd\.txt\] saved to uploads/, 'one that is no text is a file';
    ask('Nothing', '00000000-0000-4000-8000-000000000000', 'no-id');
    is seen(), 'Nothing', 'files that are not there are passed over';
};

subtest 'a PDF' => sub {
    fresh();
    my $said = sub { ask('Read', upload($_[0], 'application/pdf', 'x.pdf')); return join "\n", map { $_->{text} } @{ seen() } };
    like $said->("%PDF-1.4\nthe words\n"), qr{\[Attached PDF: x\.pdf \(19 bytes\)\]\n\nthe words from /dev/fd/0}, 'its text goes along';
    like $said->("%PDF-1.4\nFAIL\n"), qr{No text could be extracted from it\.\n\[File: x\.pdf\] saved to uploads/}, 'one that cannot be read is a file';
};

subtest 'over a stream, over a socket, over /v1' => sub {
    my $s = fresh();
    my $id = upload($PNG, 'image/png', 'dot.png');
    my $st = $api->stream("/api/agents/$ada/message/stream", { message => 'stream it', attachments => [ { file_id => $id } ] });
    $st->all;
    is seen()->[1]{image_url}{url}, url(), 'a stream';
    my $ws = LF::WS->open($api, "/api/agents/$ada/ws");
    $ws->say({ type => 'message', content => 'over the socket', attachments => [ { file_id => $id, filename => 'x', content_type => 'y' } ] });
    $ws->until('response');
    $ws->close;
    is seen()->[1]{image_url}{url}, url(), 'a socket';
    $api->post('/v1/chat/completions', { model => 'ada', messages => [ { role => 'user', content => [ { type => 'text', text => 'and so' }, { type => 'image_url', image_url => { url => url() } } ] } ] }, 200);
    is seen()->[1]{image_url}{url}, url(), "OpenAI's way";
    is scalar(grep { $_->{images} } @{ history() }), 3, 'all of them are shown';
    is_deeply [ sort keys %{ { map { ($_->{file_id} => 1) } map { @{ $_->{images} // [] } } @{ history() } } } ], [ history()->[0]{images}[0]{file_id} ], 'as one picture';
    my $raw = $api->get("/api/sessions/$s", 200);
    unlike $LF::JSON->encode($raw), qr/iVBORw0KGgo/, 'the store keeps its bytes once';
    unlike $LF::JSON->encode($raw), qr/\Q@{[ $api->home ]}/, "and says nothing of the server's own paths";
};

subtest 'whoever may talk to an agent may show it a file' => sub {
    my %as = map { $_ => { Authorization => "Bearer key-of-$_" } } qw(zoe yan);
    my $hers = $api->post('/api/agents', { manifest_toml => "name = \"hers\"\nauthor = \"zoe\"\n" }, 201)->{agent_id};
    my %file = ('Content-Type' => 'image/png', 'X-Filename' => 'dot.png');
    my $f = $api->call(POST => "/api/agents/$hers/upload", $PNG, 201, { %file, %{ $as{zoe} } })->{file_id};
    $api->post("/api/agents/$hers/message", { message => 'what is it?', attachments => [ { file_id => $f } ] }, 200, $as{zoe});
    is seen()->[1]{image_url}{url}, url(), 'her own, with her own role';
    $api->call(POST => "/api/agents/$hers/upload", $PNG, 404, { %file, %{ $as{yan} } });
    my $his = $api->post('/api/agents', { manifest_toml => "name = \"his\"\nauthor = \"yan\"\n" }, 201)->{agent_id};
    my $e = $api->post("/api/agents/$his/message", { message => 'and this?', attachments => [ { file_id => $f } ] }, 403, $as{yan});
    is $e->{code}, 'upload_access_denied', "nobody shows somebody else's file";
    my $ws = LF::WS->open($api, "/api/agents/$his/ws", headers => $as{yan});
    $ws->say({ type => 'message', content => 'and this?', message_id => 'm', attachments => [ { file_id => $f } ] });
    is_deeply +($ws->until('error'))[-1], { type => 'error', content => 'You are not authorized to access this upload', code => 'upload_access_denied', message_id => 'm' }, 'on a socket neither';
    $ws->close;
    $api->get("/api/uploads/$f", 403, $as{yan});
};

subtest 'nobody names files of the machine' => sub {
    my $new = $api->post("/api/agents/$ada/sessions/import", { version => 1, messages => [ { role => 'user', content => [ { type => 'image_file', media_type => 'image/png', path => '/etc/passwd' }, { type => 'text', text => 'look' } ] } ] }, 200)->{session_id};
    like history($new)->[0]{content}, qr/not there any more/, 'an import cannot';
    $api->post("/api/agents/$ada/message", { message => 'go on', session_id => $new }, 200);
    unlike $up->chats->[-1]{body}, qr/root:|cm9vd/, 'and the model sees none';
};

subtest 'a side question and an unkept one' => sub {
    fresh();
    my $id = upload($PNG, 'image/png', 'dot.png');
    my $files = sub { opendir my $d, $api->home . '/data/uploads' or die; return scalar grep { !/^\./ } readdir $d };
    my $before = $files->();
    $api->post("/api/agents/$ada/message", { message => 'look', attachments => [ { file_id => $id } ], $_ => JSON::PP::true() }, 200) for qw(ephemeral incognito);
    is seen()->[1]{image_url}{url}, url(), 'see the picture';
    is $files->(), $before, 'and keep none';
};

subtest 'a question that waits when the daemon is killed' => sub {
    my $s = fresh();
    my $id = upload($PNG, 'image/png', 'dot.png');
    my $n = @{ $up->chats };
    my $first = $api->later("/api/agents/$ada/message", { message => 'SLOW-ONE', session_id => $s });
    $up->wait_chats($n + 1);
    my $second = $api->later("/api/agents/$ada/message", { message => 'and this?', session_id => $s, attachments => [ { file_id => $id } ] });
    ok $api->wait_for(sub { my @f = glob $api->home . '/workspaces/agents/ada/uploads/' . substr($id, 0, 8) . '-*'; @f > 0 }), 'it has been read';
    ok $api->wait_for(sub { grep { LF::slurp($_) =~ /and this\?/ } glob $api->home . '/data/*.db*' }), '  and its turn is in the line, which nothing shows but the store';
    kill 'KILL', @{ $api->processes->{librefangd} };
    $up->let('slow');
    ok $api->wait_for(sub { my ($c) = grep { $_->{body} =~ /and this\?/ } @{ $up->chats }; $c && $c->{body} =~ /image_url/ }), 'is asked afterwards, with its picture';
    ok $api->wait_for(sub { my $h = history($s); @$h == 4 && $h->[2]{images} }), 'and shows it';
    $_->close for $first, $second;
};

# The last one: the mock has long bodies from here on, which nobody wants to read again.
subtest 'how much of a PDF is read' => sub {
    my $kept = sub {
        my ($pdf) = @_;
        fresh();
        ask('Read', upload($pdf, 'application/pdf', 'x.pdf'));
        my (undef, undef, $body) = $api->wire("GET /api/agents/$ada/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " . $api->key . "\r\nConnection: close\r\n\r\n");
        return $body;
    };
    for my $ch ('x', "\xc3\xa4", "\xf0\x9f\x98\x80") {
        my $n = length $ch;
        my $chars = sub { my ($run) = $kept->("%PDF-1.4\nLONG\n" . $ch x $_[0]) =~ /bytes\)\]\\n\\n((?:\Q$ch\E)+)/; return length($run // '') / $n };
        is $chars->(200_000), 200_000, "200,000 characters of $n bytes are read";
        is $chars->(200_001), 200_000, '  and no more';
    }
    my $size = sub { my ($n) = @_; my $head = "%PDF-1.4\nthe words\n"; return $kept->($head . "\0" x ($n - length $head)) };
    like $size->(20 << 20), qr/the words from/, 'a file of 20 MiB is read';
    like $size->((20 << 20) + 1), qr{\(20971521 bytes\)\]\\n\\nNo text could be extracted from it\.\\n\[File: x\.pdf\] saved to uploads/}, 'a larger one is kept as a file';
};

$api->finish;
done_testing;
