#!/usr/bin/perl
# A provider that reads files itself: what of attachments it gets, how its model is told of them, how often they are sent.
use strict;
use warnings;
use LF;
use Test::More;

LF::needed();
my $kimi = LF->mock(other => [
    [ qr{/refusing/files$} => { status => 400, body => { error => { message => 'unsupported file type' } } } ],
    [ qr{/failing/files$} => { status => 500, body => {} } ],
    [ qr{/odd/files$} => { body => { id => '../x' } } ],
    [ qr{/files$} => { body => { id => 'file-kimi-1', status => 'ok' } } ],
]);
my $bin = File::Temp->newdir('lf-bin-XXXXXXXX', TMPDIR => 1);        # a pdftotext that finds no words
open my $fh, '>', "$bin/pdftotext" or die;
print $fh "#!/bin/sh\nexit 1\n";
close $fh;
chmod 0755, "$bin/pdftotext";

my ($api, $ada);
sub start_at {
    $api = LF->start(env => { MOONSHOT_API_KEY => 'sk-kimi', PATH => "$bin:$ENV{PATH}", LF_LLM_RETRY_MS => 5 }, model => { provider => $_[1] // 'moonshot', model => 'kimi-k2.5' },
        config => qq([provider_urls]\nmoonshot = "$_[0]"\nother = "$_[0]"\n));
    $ada = $api->post('/api/agents', { manifest_toml => "name = \"ada\"\n" }, 201)->{agent_id};
    return;
}
sub upload { my ($body, $type, $name) = @_; return $api->call(POST => "/api/agents/$ada/upload", $body, 201, { 'Content-Type' => $type, 'X-Filename' => $name })->{file_id} }
sub ask { my ($text, @ids) = @_; return $api->post("/api/agents/$ada/message", { message => $text, attachments => [ map { { file_id => $_ } } @ids ] }, 200) }
sub posts { return [ grep { $_->{path} =~ m{/files$} } @{ $kimi->requests } ] }
sub told { return $kimi->chats->[-1]{json}{messages}[-1]{content} }

start_at($kimi->url);
ask('what is it?', upload("RIFF a sound", 'audio/wav', 'a b.wav'));
my ($p) = @{ posts() };
is "$p->{method} $p->{path} $p->{headers}{authorization}", 'POST /v1/files Bearer sk-kimi', 'it gets what is no text';
like $p->{body}, qr/name="purpose"\r\n\r\nfile-extract\r\n.*name="file"; filename="a b\.wav"\r\nContent-Type: audio\/wav\r\n\r\nRIFF a sound\r\n--/s, 'as a form';
is_deeply [ map { $_->{type} eq 'file' ? $_ : $_->{type} } @{ told() } ], [ 'text', 'text', { type => 'file', file_url => { url => 'fileid://file-kimi-1' } } ], 'and its model is told which';
ask('and this?', upload("RIFF a sound", 'audio/wav', 'again.wav'), upload("%PDF\nscanned\n", 'application/pdf', 'scan.pdf'), upload('words', 'text/plain', 'words.txt'));
is scalar(@{ posts() }), 2, 'the same one is sent once, a text not at all';
like posts()->[1]{body}, qr/scan\.pdf.*%PDF\nscanned/s, 'a PDF without words is';
is_deeply [ map { ref $_->{content} ? scalar grep { $_->{type} eq 'file' } @{ $_->{content} } : 0 } grep { $_->{role} eq 'user' } @{ $kimi->chats->[-1]{json}{messages} } ], [ 1, 2 ],
    'later turns know them';
like $api->get("/api/agents/$ada/session", 200)->{messages}[0]{content}, qr/^what is it\?\n\[File: a b\.wav\]/, 'the conversation shows its note';
$api->finish;

for my $case ([ refusing => qr/unsupported file type/ ], [ failing => qr/failed \(HTTP 500\)/ ], [ odd => qr/cannot be read/ ]) {
    my ($how, $why) = @$case;
    start_at($kimi->base . "/$how");
    my $id = upload("RIFF of $how", 'audio/wav', 'x.wav');
    $api->post("/api/agents/$ada/message", { message => 'and this?', attachments => [ { file_id => $id } ] }, 200);
    like told()->[-1]{text}, qr/^\[The file could not be given to you: .*$why/, "$how: the model is told why it has none";
    $api->finish;
}

start_at($kimi->url, 'other');
my $was = @{ posts() };
ask('and to another?', upload("RIFF for others", 'audio/wav', 'y.wav'));
is_deeply [ map { $_->{type} } @{ told() } ], [ 'text', 'text' ], 'another provider gets the note alone';
is scalar(@{ posts() }), $was, 'and no file';
$api->finish;
done_testing;
