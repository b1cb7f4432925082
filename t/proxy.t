#!/usr/bin/perl
# Calls of models through proxies, for one provider or for all, with a user and a password that nobody sees; and regions of
# providers, each with its own address and key.
use strict;
use warnings;
use File::Find ();
use IO::Select;
use IO::Socket::INET;
use LF;
use MIME::Base64 ();
use POSIX ();
use Test::More;

my $PASS = 'pr0xy-Pa55-9f2c';
my $up = LF->mock(default => { text => 'Hello from behind.' });

# A proxy: tunnels and absolute addresses, all of them led to the mock; who is not let in is told so. What was asked of it is noted.
my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', Proto => 'tcp') or die $!;
pipe my $log, my $note or die $!;
my $pid = fork // die $!;
if (!$pid) {
    $note->autoflush(1);
    local $SIG{CHLD} = 'IGNORE';
    while (my $c = $listen->accept) {
        if (fork) { close $c; next }
        my ($in, $need) = ('', undef);
        while (!defined $need || length $in < $need) {
            sysread $c, $in, 65536, length $in or last;
            $need = index($in, "\r\n\r\n") + 4 + ($in =~ /^content-length:\s*(\d+)/im ? $1 : 0) if $in =~ /\r\n\r\n/;
        }
        my ($verb, $where) = $in =~ /^(\S+) (\S+)/;
        my ($who) = $in =~ /^proxy-authorization: basic (\S+)/im;
        print $note join(' ', $verb, $where, $who ? MIME::Base64::decode_base64($who) : '-') . "\n";
        if (($who ? MIME::Base64::decode_base64($who) : '') ne "me:$PASS") {
            print $c "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            POSIX::_exit(0);
        }
        my $to = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $up->port, Proto => 'tcp') or POSIX::_exit(1);
        $in =~ s{^(\S+) http://[^/]+}{$1 };
        $in =~ s/^(?:proxy-[^\r\n]*|connection:[^\r\n]*)\r\n//img;
        $in =~ s/\r\n/\r\nConnection: close\r\n/;
        print $to $in;
        for (my $first = 1; sysread $to, my $out, 65536; $first = 0) {
            $out =~ s/\r\n/\r\nConnection: close\r\n/ if $first;
            syswrite $c, $out or last;
        }
        POSIX::_exit(0);
    }
    POSIX::_exit(0);
}
close $note;
END { if ($pid) { local $?; kill 'TERM', $pid; waitpid $pid, 0 } }
my $proxy = '127.0.0.1:' . $listen->sockport;
my $heard = '';
sub seen {
    while ($heard !~ /\n/) { IO::Select->new($log)->can_read(5) && sysread($log, $heard, 4096, length $heard) or return 'nothing' }
    return $heard =~ s/^(.*)\n// ? $1 : '';
}

my ($api, $n);
sub serve { $api = LF->start(model => { provider => 'offline', model => 'offline' }, env => { LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0,
    map { $_ => 'sk-proxied' } qw(OPENAI_API_KEY GROQ_API_KEY MISTRAL_API_KEY DASHSCOPE_API_KEY MINIMAX_API_KEY) }, config => $_[0]); return }
sub say_by {
    my ($provider, $status, $more) = @_;
    my $id = $api->post('/api/agents', { manifest_toml => 'name = "p-' . ++$n . qq("\n[model]\nprovider = "$provider"\nmodel = "m"\n) . ($more // '') }, 201)->{agent_id};
    return $api->post("/api/agents/$id/message", { message => 'hello' }, $status // 200);
}
my %where = map { $_ => "http://$_.invalid/v1" } qw(openai groq mistral);

subtest 'a proxy of its own' => sub {
    serve("[provider_urls]\n" . join('', map {qq($_ = "$where{$_}"\n)} sort keys %where)
        . "[provider_proxy_urls]\nopenai = \"http://me:$PASS\@$proxy\"\ngroq = \"http://me:wrong-one\@$proxy\"\nmistral = \"http://$proxy\"\n");
    is say_by('openai')->{response}, 'Hello from behind.', 'is gone through';
    is seen(), "POST http://openai.invalid/v1/chat/completions me:$PASS", 'with the user and the password that it wants';
    my $h = $up->chats->[-1]{headers};
    is $h->{authorization}, 'Bearer sk-proxied', 'the provider has its key';
    is scalar(grep { $_ =~ /^proxy-/ } keys %$h), 0, 'and nothing of the proxy';
    for my $p (qw(groq mistral)) {
        my $r = say_by($p, 500);
        like $r->{error}, qr/^provider $p cannot be reached: the proxy refused the user or the password/, "$p: who is not let in is told so" or diag explain $r;
        seen();
    }
    like $api->get('/api/providers/openai', 200)->{proxy_url}, qr{^http://\Q$proxy\E/?$}, 'the list shows where, not who';
    my $all = '';
    File::Find::find({ no_chdir => 1, wanted => sub { $all .= LF::slurp($_) if -f && !/config\.toml/ } }, $api->{dir}, $api->home);
    is scalar(() = $all =~ /\Q$PASS\E|wrong-one/g), 0, 'no log and no store has it';
    unlike join('', map { LF::slurp($_) // '' } grep { -r } map {("/proc/$_/cmdline", "/proc/$_/environ")} map {@$_} values %{ $api->processes }), qr/\Q$PASS\E/, 'no argument';
    my $r = $api->post('/api/providers/openai/test', {}, 200);
    is $r->{status}, 'ok', 'a test goes through it too' or diag explain $r;
    like seen(), qr{^GET http://openai\.invalid/v1/models me:\Q$PASS\E$}, '  as it must';
    my $put = $api->put('/api/providers/openai/url', { base_url => $where{openai}, proxy_url => "http://me:wrong-two\@$proxy" }, 200);
    is $put->{reachable} ? 1 : 0, 0, 'another password is used at once';
    like seen(), qr/me:wrong-two$/, '  as it came';
    $api->finish;
};

subtest 'one for all' => sub {
    serve("[proxy]\nhttp_proxy = \"http://me:$PASS\@$proxy\"\nhttps_proxy = \"http://me:wrong-one\@$proxy\"\nno_proxy = \"spared.invalid, .inner.invalid\"\n[provider_proxy_urls]\nmistral = \"\"\n"
        . "[provider_urls]\nopenai = \"$where{openai}\"\ngroq = \"https://groq.invalid/v1\"\nmistral = \"$where{mistral}\"\none = \"http://spared.invalid/v1\"\n"
        . "two = \"http://x.inner.invalid/v1\"\nnear = \"" . $up->url . "\"\n");
    is say_by('openai')->{response}, 'Hello from behind.', 'calls go through it';
    is seen(), "POST http://openai.invalid/v1/chat/completions me:$PASS", '  as they must';
    is say_by('near')->{response}, 'Hello from behind.', 'this machine is asked straight';
    my $r = say_by('groq', 500);
    like $r->{error}, qr/the proxy refused the user or the password/, 'https has its own, which is told from the provider' or diag explain $r;
    is seen(), 'CONNECT groq.invalid:443 me:wrong-one', '  and makes a tunnel';
    like say_by($_, 500)->{error}, qr/no such host name/, "$_ is not led through it" for qw(mistral one two);
    $api->finish;
};

subtest 'regions' => sub {
    my $china = LF->mock(default => { text => 'From China.' });
    serve("[provider_regions]\nminimax = \"china\"\nqwen = \"nowhere\"\n[provider_urls]\ndeepseek = \"" . $up->url . "\"\n");
    my $p = $api->get('/api/providers/minimax', 200);
    is_deeply [ @$p{qw(active_region base_url api_key_env)} ], [ 'china', 'https://api.minimaxi.com/v1', 'MINIMAX_CN_API_KEY' ], 'an address and a key of their own';
    is $p->{auth_status}, 'missing', 'which is not the usual one';
    is say_by('minimax', 412)->{code}, 'provider_auth_missing', 'nor is that sent there';
    $p = $api->get('/api/providers/qwen', 200);
    is_deeply [ $p->{active_region}, $p->{base_url} ], [ undef, 'https://dashscope.aliyuncs.com/compatible-mode/v1' ], 'a region that there is not is none';
    $api->finish;
};
done_testing;
