package LF::Front;
# A front server that is not ours, before the sockets of a running server: the machine's
# nginx, lighttpd or Apache with the site that the command prints, or cgi-fcgi.
#
#   my $f = LF::Front->nginx($api, tls => 1);      # undef: not installed here
#   my $r = $f->ask('GET', '/api/health');         # {status, h => {lower case}, body, json}
#   LF::WS->open($f, $path);  $f->stream($path, $body);  $f->stop;
use strict;
use warnings;
use IO::Socket::UNIX;
use LF;
use LF::Stream;
use POSIX ();
use Time::HiRes ();

sub program {
    my ($name) = @_;
    my ($p) = grep { -x } map {"$_/$name"} split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin';
    return $p;
}

sub write_file {
    my ($path, $text) = @_;
    open my $fh, '>', $path or die "$path: $!";
    print $fh $text;
    close $fh or die "$path: $!";
    return $path;
}

sub new {
    my ($class, $api, %o) = @_;
    my $self = bless { api => $api, live => 1, ws => 1, port => LF::free_port(), pid => 0, owner => $$, %o }, $class;
    ($self->{short} = "f-$self->{port}") =~ tr/a-z0-9-//cd;
    $self->{dir} = $api->{dir} . "/$self->{short}";
    mkdir $self->{dir} or die "$self->{dir}: $!";
    chmod 0777, $self->{dir} if $> == 0;
    chmod 0711, $api->{dir} if $> == 0;             # servers of root become another user
    return $self;
}

# What the command prints.
sub site {
    my ($self, @words) = @_;
    my ($rc, $out) = $self->{api}->command(@words);
    die "librefang @words: exit $rc\n$out" if $rc != 0;
    return $out;
}

sub run {
    my ($self, @words) = @_;
    my $log = "$self->{dir}/said";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        POSIX::setpgid(0, 0);
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        open STDOUT, '>', $log or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        exec { $words[0] } @words or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    my $up = $self->{api}->wait_for(sub {
        return 1 if waitpid($pid, POSIX::WNOHANG()) > 0;
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 1);
        return $s ? 2 : 0;
    }) // 0;
    return $self if $up == 2;
    Test::More::diag(LF::slurp($log), LF::slurp("$self->{dir}/error.log"));
    die "$words[0] did not start\n";
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    return if $self->{owner} != $$;
    local $?;
    kill 'TERM', $pid;
    my $end = time + 5;
    while (waitpid($pid, POSIX::WNOHANG()) == 0) {
        kill 'KILL', -$pid if time > $end;
        Time::HiRes::sleep(0.02);
    }
    kill 'KILL', -$pid;             # workers that wait for a client
    return;
}

sub DESTROY { my ($self) = @_; local ($@, $!); $self->stop; return }

sub certificate {
    my ($self) = @_;
    my $openssl = program('openssl') or return;
    my ($key, $cert) = ("$self->{dir}/key.pem", "$self->{dir}/cert.pem");
    system "'$openssl' req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        . " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout '$key' -out '$cert' 2>/dev/null";
    return -s $cert ? ($cert, $key) : ();
}

# --- the servers ---------------------------------------------------------------

sub nginx {
    my ($class, $api, %o) = @_;
    my $bin = program('nginx') or return;
    my $self = $class->new($api, name => $o{tls} ? 'nginx with TLS' : 'nginx', %o);
    my ($cert, $key) = $o{tls} ? $self->certificate : ();
    return if $o{tls} && !$cert;
    my $d = $self->{dir};
    write_file("$d/site.conf", $self->site('nginx-conf', '--server-name', 'localhost', $cert ? ('--cert', $cert, '--key', $key) : '--plain',
        '--listen', "127.0.0.1:$self->{port}", '--access-log', "$d/access.log"));
    my $temp = join '', map {"$_ $d/$_;\n"} qw(client_body_temp_path fastcgi_temp_path proxy_temp_path uwsgi_temp_path scgi_temp_path);
    my $user = $> == 0 ? "user www-data;\n" : '';
    write_file("$d/nginx.conf", "${user}daemon off;\nworker_processes 1;\npid $d/pid;\nerror_log $d/error.log;\nevents { }\n"
        . "http {\n${temp}include $d/site.conf;\n}\n");
    return $self->run($bin, '-c', "$d/nginx.conf", '-p', "$d/", '-e', "$d/error.log");
}

sub apache {
    my ($class, $api, %o) = @_;
    my $bin = program('apache2') or return;
    my ($mods) = grep { -e "$_/mod_proxy_fcgi.so" } '/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/lib/httpd/modules';
    return if !$mods;
    my $self = $class->new($api, name => 'Apache', %o);
    my $d = $self->{dir};
    write_file("$d/site.conf", $self->site('apache-conf', '--plain', '--listen', "127.0.0.1:$self->{port}", '--access-log', "$d/access.log"));
    my $load = join '', map {"LoadModule ${_}_module $mods/mod_$_.so\n"}
        qw(mpm_event authz_core headers rewrite unique_id proxy proxy_fcgi proxy_http proxy_wstunnel);
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    write_file("$d/apache.conf", "$load${user}ServerRoot $d\nServerName localhost\nListen 127.0.0.1:$self->{port}\nPidFile $d/pid\n"
        . "ErrorLog $d/error.log\nDefaultRuntimeDir $d\nStartServers 1\nMinSpareThreads 25\nThreadsPerChild 25\nInclude $d/site.conf\n");
    return $self->run($bin, '-DFOREGROUND', '-f', "$d/apache.conf");
}

sub lighttpd {
    my ($class, $api, %o) = @_;
    my $bin = program('lighttpd') or return;
    return if !grep { -e "$_/mod_magnet.so" } glob '/usr/lib/lighttpd /usr/lib64/lighttpd /usr/lib/*/lighttpd';
    my $self = $class->new($api, name => $o{cgi} ? 'CGI under lighttpd' : 'lighttpd', $o{cgi} ? (ws => 0) : (), %o);
    my $d = $self->{dir};
    write_file("$d/lf.lua", $self->site('lighttpd-conf', '--script'));
    my $site = $self->site('lighttpd-conf', '--plain', '--script-file', "$d/lf.lua", $o{cgi} ? '--cgi' : ());
    my $user = $> == 0 && !$o{cgi} ? qq(server.username = "www-data"\nserver.groupname = "www-data"\n) : '';
    write_file("$d/lighttpd.conf", qq(server.port = $self->{port}\nserver.bind = "127.0.0.1"\nserver.errorlog = "$d/error.log"\n)
        . qq($user$site));
    return $self->run($bin, '-D', '-f', "$d/lighttpd.conf");
}

# The private nginx of the server itself.
sub own {
    my ($class, $api) = @_;
    my $self = $class->new($api, name => 'the private nginx');
    $self->{port} = $api->port;
    return $self;
}

# The bridge of libfcgi: CGI's variables to the FastCGI socket. It knows no daemon.
sub bridge {
    my ($class, $api) = @_;
    my $bin = program('cgi-fcgi') or return;
    my ($socket) = $class->new($api)->site('nginx-conf', '--plain') =~ m{unix:(\S+/fcgi\.sock)};
    return $class->new($api, name => 'cgi-fcgi', bridge => $bin, live => 0, ws => 0, socket => $socket);
}

# --- asking -----------------------------------------------------------------------

sub name { return $_[0]{name} }
sub port { return $_[0]{port} }
sub key  { return $_[0]{api}->key }
sub base { return ($_[0]{tls} ? 'https' : 'http') . "://127.0.0.1:$_[0]{port}" }

# TLS is spoken by openssl at the other end of a pair of sockets.
sub connect {
    my ($self) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp', Timeout => 10) // die "connect: $!\n";
    return $s if !$self->{tls};
    close $s;
    my ($ours, $theirs) = IO::Socket::UNIX->socketpair(AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<&', $theirs or POSIX::_exit(126);
        open STDOUT, '>&', $theirs or POSIX::_exit(126);
        open STDERR, '>', '/dev/null' or POSIX::_exit(126);
        close $ours;
        exec 'openssl', 's_client', '-quiet', '-no_ign_eof', '-verify_return_error', '-CAfile', "$self->{dir}/cert.pem",
            '-connect', "127.0.0.1:$self->{port}", '-servername', 'localhost' or POSIX::_exit(127);
    }
    close $theirs;
    push @{ $self->{helpers} }, $pid;
    return $ours;
}

sub head {
    my ($self, $method, $target, %o) = @_;
    my %h = (Host => "localhost:$self->{port}", Authorization => 'Bearer ' . $self->key, Connection => 'close', %{ $o{headers} // {} });
    if (ref $o{body}) { $o{body} = $LF::JSON->encode($o{body}) }
    if (defined $o{body}) { $h{'Content-Type'} //= 'application/json'; $h{'Content-Length'} //= length $o{body} if !$o{chunks} }
    $h{'Transfer-Encoding'} = 'chunked' if $o{chunks};
    return ("$method $target HTTP/1.1\r\n" . join('', map {"$_: $h{$_}\r\n"} grep { defined $h{$_} } sort keys %h) . "\r\n", \%h, $o{body});
}

sub ask {
    my ($self, $method, $target, %o) = @_;
    return $self->ask_bridge($method, $target, %o) if $self->{bridge};
    my ($head, undef, $body) = $self->head($method, $target, %o);
    my $s = LF::Stream->new($self->connect, $o{seconds} // 15);
    $s->send_bytes($head);
    if ($o{chunks}) {
        my @parts = unpack '(a5)*', $body;
        $s->send_bytes(sprintf "%x\r\n%s\r\n", length, $_) for @parts;
        $s->send_bytes("0\r\n\r\n");
    }
    elsif (defined $body) { $s->send_bytes($body) }
    my %r = (status => 0, h => {}, body => '');
    if ($s->read_head) {
        $s->{whole} = 1 if $method eq 'HEAD';
        %r = (status => $s->status, h => $s->headers, body => $s->rest);
        $r{body} .= $s->{in} if $method eq 'HEAD';
    }
    $s->close;
    return decoded(\%r);
}

sub decoded {
    my ($r) = @_;
    $r->{json} = eval { $LF::JSON->decode($r->{body}) } if ($r->{h}{'content-type'} // '') =~ m{^application/json};
    return $r;
}

sub ask_bridge {
    my ($self, $method, $target, %o) = @_;
    my (undef, $h, $body) = $self->head($method, $target, %o, chunks => 0);
    my ($path, $query) = split /\?/, $target, 2;
    my ($in, $out) = ("$self->{dir}/in", "$self->{dir}/out");
    write_file($in, $body // '');
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        %ENV = (PATH => $ENV{PATH}, GATEWAY_INTERFACE => 'CGI/1.1', SERVER_PROTOCOL => 'HTTP/1.1', REQUEST_METHOD => $method, REQUEST_URI => $target,
            SCRIPT_NAME => $path, QUERY_STRING => $query // '', REMOTE_ADDR => '192.0.2.9',
            map { my $n = uc; $n =~ tr/-/_/; (($n =~ /^CONTENT_/ ? '' : 'HTTP_') . $n, $h->{$_}) } grep { defined $h->{$_} } keys %$h);
        open STDIN, '<', $in or POSIX::_exit(126);
        open STDOUT, '>', $out or POSIX::_exit(126);
        exec $self->{bridge}, '-bind', '-connect', $self->{socket} or POSIX::_exit(127);
    }
    local $?;
    waitpid $pid, 0;
    my ($top, $text) = split /\r\n\r\n/, LF::slurp($out), 2;
    my %h;
    for (split /\r\n/, $top // '') {
        my ($k, $v) = /^([^:]+):\s*(.*)$/ or next;
        $h{ lc $k } = exists $h{ lc $k } ? $h{ lc $k } . ", $v" : $v;
    }
    return decoded({ status => (split ' ', $h{status} // '0')[0], h => \%h, body => $text // '' });
}

# An event stream, its head read.
sub stream {
    my ($self, $target, $body) = @_;
    my ($head, undef, $text) = $self->head('POST', $target, body => $body, headers => { Accept => 'text/event-stream' });
    my $s = LF::Stream->new($self->connect, 20);
    $s->send_bytes($head . $text);
    $s->read_head;
    return $s;
}

1;
