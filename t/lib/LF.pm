package LF;
# A private LibreFang for a test: its own home in a temporary directory, a
# free port on loopback, an api_key; gone when the object goes.
#
#   my $api = LF->start;                        # or LF->start(config => '...')
#   my $id  = $api->post('/api/agents', { template => 'coder' }, 201)->{agent_id};
#   my $e   = $api->get("/api/agents/nobody", 400);
#
# get, head, del (path, status?, headers?) and post, put, patch (path, body,
# status?, headers?) send JSON with the key, expect that status (any 2xx
# when none is said), hold the answer against the API's own description, and return it
# decoded. A body that is a string is sent as it is. What is not as
# it must be fails the test. The last whole answer is $api->last.
#
# raw(method, path, {headers, content}) expects nothing; wire(bytes) sends
# bytes and returns (status, headers, body); stream(path, body) opens
# an event stream (LF::Stream), later(path, body) does not even wait for its head. LF->mock(...) is an upstream (LF::Mock).
use strict;
use warnings;
use feature 'state';
use Digest::SHA ();
use File::Path ();
use File::Temp ();
use HTTP::Tiny;
use IO::Socket::INET;
use IPC::Open2 ();
use JSON::PP ();
use POSIX ();
use Scalar::Util ();
use Storable ();
use LF::Mock;
use LF::Schema;
use LF::Stream;
use Test::More ();
use Time::HiRes ();

our $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
our $Level = 0;
our %Alive;

sub builddir { $ENV{LF_BUILDDIR} // '.' }
sub srcdir   { $ENV{LF_SRCDIR}   // '.' }

sub slurp {
    my ($path) = @_;
    open my $fh, '<:raw', $path or return '';
    local $/;
    return scalar(<$fh>) // '';
}

# Is there something to test? Else the whole file is skipped.
sub needed {
    for my $p (qw(librefang librefangd librefang-fcgi)) {
        Test::More::plan(skip_all => "$p is not built here") unless -x builddir() . "/$p";
    }
    Test::More::plan(skip_all => 'nginx is not installed')
        unless grep { -x "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
    return;
}

sub free_port {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no free port: $!";
    return $s->sockport;
}

sub mock { my ($class, @script) = @_; return LF::Mock->start(@script) }

# --- a server -------------------------------------------------------------------

# config: further TOML, after the parts made here; top: TOML before the first
# table. key => '': none (open mode). model: {provider, model, base_url, api_key_env} or an LF::Mock.
# rate: requests a minute. limits: further lines of [rate_limit]. env: more environment. home: a directory to use again.
# args: more words for `librefang start`. files: {name in home => text}.
sub start {
    my ($class, %o) = @_;
    needed();
    for my $sig (qw(INT TERM HUP)) { $SIG{$sig} = sub { exit 1 } if !$SIG{$sig} || $SIG{$sig} eq 'DEFAULT' }
    my $dir = File::Temp->newdir('lf-XXXXXXXX', TMPDIR => 1);
    my $home = $o{home} // "$dir/home";
    my $self = bless { tmp => $dir, dir => "$dir", home => $home, key => $o{key} // random_key(), opt => \%o, pid => $$ }, $class;
    File::Path::make_path($home, "$dir/run");
    chmod 0700, $home, "$dir/run";
    $self->write_config unless $o{home} && -e "$home/config.toml";
    if ($o{home}) { ($self->{key}) = slurp("$home/config.toml") =~ /^api_key\s*=\s*"([^"]*)"/m }
    for my $name (keys %{ $o{files} // {} }) {
        my ($d) = "$home/$name" =~ m{^(.*)/};
        File::Path::make_path($d);
        open my $fh, '>:raw', "$home/$name" or die "$home/$name: $!";
        print $fh $o{files}{$name};
        close $fh or die "$home/$name: $!";
    }
    $self->up;
    Scalar::Util::weaken($Alive{ 0 + $self } = $self);
    return $self;
}

# A server in a variable of the whole file is stopped here, while everything still stands.
END {
    local ($@, $?, $!);
    for my $self (grep { defined && $_->{pid} == $$ } values %Alive) { $self->finish }
}

sub random_key { return join '', map { sprintf '%02x', rand 256 } 1 .. 24 }

sub write_config {
    my ($self) = @_;
    my %o = %{ $self->{opt} };
    my $m = $o{model} // { provider => 'offline', model => 'offline' };
    if (ref $m eq 'LF::Mock') {
        $m = { provider => 'openai', model => 'mock-model', base_url => $m->url, api_key_env => 'LF_MOCK_KEY' };
    }
    my $text = defined $self->{key} && length $self->{key} ? qq(api_key = "$self->{key}"\n) : qq(api_key = ""\n);
    $text .= "$o{top}\n" if defined $o{top};
    $text .= "\n[rate_limit]\napi_requests_per_minute = " . ($o{rate} // 4000000000) . "\n" . ($o{limits} // '') . (($o{limits} // '') =~ /^auth_rate/m ? '' : "auth_rate_limit_per_ip = 0\n");
    $text .= "\n[default_model]\n" . join '', map { qq($_ = "$m->{$_}"\n) } sort keys %$m;
    $text .= "\n$o{config}\n" if defined $o{config};
    open my $fh, '>', "$self->{home}/config.toml" or die "config.toml: $!";
    chmod 0600, "$self->{home}/config.toml";
    print $fh $text;
    close $fh or die "config.toml: $!";
    return;
}

# The environment of our programs: nothing of the tester's providers in it.
sub environment {
    my ($self) = @_;
    my %e = map { $_ => $ENV{$_} } grep { exists $ENV{$_} }
        qw(PATH LANG LC_ALL TZ TMPDIR ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS LD_LIBRARY_PATH LD_PRELOAD);
    return (%e, HOME => "$self->{dir}", LIBREFANG_HOME => $self->{home}, XDG_RUNTIME_DIR => "$self->{dir}/run",
        LF_MOCK_KEY => 'sk-mock-upstream', %{ $self->{opt}{env} // {} });
}

# Run `librefang WORDS...`; returns (exit code, standard output and errors). A first word \'text' is its standard input.
sub command {
    my ($self, @words) = @_;
    my $in = ref $words[0] ? ${ shift @words } : undef;
    my $out = "$self->{dir}/command.out";
    my $program = builddir() . '/librefang';
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        %ENV = $self->environment;
        open STDIN, '<', '/dev/null' or POSIX::_exit(126);
        if (defined $in) {
            pipe my $from, my $to or POSIX::_exit(126);
            syswrite $to, $in;
            close $to;
            open STDIN, '<&', $from or POSIX::_exit(126);
        }
        open STDOUT, '>', $out or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(126);
        exec { $program } $program, @words or POSIX::_exit(127);
    }
    local $?;
    waitpid $pid, 0;
    return ($? >> 8 || $? & 127, slurp($out));
}

sub up {
    my ($self) = @_;
    my ($rc, $out, $port);
    for (1 .. 3) {              # another test may take the port in between
        $port = free_port();
        ($rc, $out) = $self->command('start', '--listen', "127.0.0.1:$port", @{ $self->{opt}{args} // [] });
        last if $rc == 0 || $out !~ /in use/i;
    }
    if ($rc != 0) {
        Test::More::diag("librefang start: exit $rc\n$out\n" . $self->log_tail);
        die "the server did not come up\n";
    }
    $self->{said} = $out;                       # what `librefang start` printed
    $self->{port} = $port;
    $self->{base} = "http://127.0.0.1:$port";
    $self->{running} = 1;
    $self->{http} = HTTP::Tiny->new(timeout => $self->{opt}{timeout} // 30, keep_alive => 1, max_redirect => 0);
    return $self;
}

sub down {
    my ($self) = @_;
    return unless delete $self->{running};
    delete $self->{http};
    my $pid = $self->supervisor;
    my ($rc, $out) = $self->command('stop');
    return if $rc == 0;
    Test::More::diag("librefang stop: exit $rc\n$out");
    kill 'KILL', $pid if $pid;
    return;
}

sub restart { my ($self) = @_; $self->down; return $self->up }

sub finish {
    my ($self) = @_;
    return if !$self->{running};
    eval { $self->down; 1 } or Test::More::diag("stopping: $@");
    # what the sanitizers saw is nobody's success
    if ($self->log_text =~ /(?:ERROR: (?:Address|Leak)Sanitizer|runtime error:)/) {
        Test::More::fail('no program of the server was faulted by the sanitizers');
        Test::More::diag($self->log_tail(200));
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    return if $self->{pid} != $$;               # a forked child owns nothing
    local ($@, $?, $!);
    delete $Alive{ 0 + $self };
    $self->finish;
    return;
}

# The supervisor's pid, 0: none.
sub supervisor {
    my ($self) = @_;
    for my $f (glob("$self->{dir}/run/*/*lock* $self->{dir}/run/*/*.pid $self->{home}/*lock* $self->{home}/*.pid")) {
        next if $f =~ /nginx/;
        my ($pid) = slurp($f) =~ /^\s*(\d+)\s*$/;
        return $pid if $pid && kill 0, $pid;
    }
    return 0;
}

# Pids of the server's programs by name: {librefangd => [..], 'librefang-fcgi' => [..], nginx => [..]}.
sub processes {
    my ($self) = @_;
    my (%kids, %found);
    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $name, $parent) = slurp($stat) =~ /^(\d+) \((.*)\) \S (\d+)/ or next;
        push @{ $kids{$parent} }, [ $pid, $name ];
    }
    my @todo = ($self->supervisor || return {});
    while (defined(my $p = shift @todo)) {
        for my $k (@{ $kids{$p} // [] }) {
            push @{ $found{ $k->[1] } }, $k->[0];
            push @todo, $k->[0];
        }
    }
    return \%found;
}

# Does somebody (strace) watch each thread of these processes?
sub traced {
    for my $pid (@_) {
        for my $status (glob "/proc/$pid/task/*/status") {
            my $text = slurp($status);
            return 0 if length $text && $text !~ /^TracerPid:\s*[1-9]/m;
        }
    }
    return 1;
}

sub log_text { my ($self) = @_; return slurp("$self->{home}/logs/librefang.log") }

sub log_tail {
    my ($self, $n) = @_;
    my @lines = split /\n/, $self->log_text;
    splice @lines, 0, @lines - ($n // 40) if @lines > ($n // 40);
    return join "\n", '--- log:', @lines;
}

# Call until it gives something true; false after that many seconds.
sub wait_for {
    my ($self, $what, $seconds) = @_;
    my $end = Time::HiRes::time() + ($seconds // 30);
    while (1) {
        my $v = $what->();
        return $v if $v;
        return $v if Time::HiRes::time() > $end;
        Time::HiRes::sleep(0.02);
    }
}

# --- requests --------------------------------------------------------------------

sub key  { return $_[0]{key} }
sub base { return $_[0]{base} }
sub port { return $_[0]{port} }
sub home { return $_[0]{home} }
sub last { return $_[0]{last} }

# Send it, expect nothing. {status, headers, content, json}
sub raw {
    my ($self, $method, $path, $o) = @_;
    my %h = %{ $o->{headers} // {} };
    $h{Authorization} = "Bearer $self->{key}" if !exists $h{Authorization} && length($self->{key} // '');
    delete $h{$_} for grep { !defined $h{$_} } keys %h;
    my %arg = (headers => \%h);
    $arg{content} = $o->{content} if defined $o->{content};
    my $http = $self->{http} // die "the server does not run\n";
    my $r = $http->request($method, $self->{base} . $path, \%arg);
    $r->{content} //= '';
    $r->{json} = eval { $JSON->decode($r->{content}) } if ($r->{headers}{'content-type'} // '') =~ m{^application/json};
    $r->{method} = $method;
    $r->{path} = $path;
    $self->{last} = $r;
    return $r;
}

sub call {
    my ($self, $method, $path, $body, $status, $headers) = @_;
    my %h = %{ $headers // {} };
    my $content = ref $body ? $JSON->encode($body) : $body;
    $h{'Content-Type'} = 'application/json' if defined $content && !exists $h{'Content-Type'};
    my $r = $self->raw($method, $path, { headers => \%h, content => $content });
    my @faults = $self->faults($r, $status);
    return $r->{json} unless @faults;
    local $Test::Builder::Level = $Test::Builder::Level + 3 + $Level;
    Test::More::fail("$method $path answers as it must");
    Test::More::diag($_) for @faults;
    Test::More::diag('got ' . $r->{status} . ' ' . substr $r->{content}, 0, 1000);
    Test::More::diag($self->log_tail(8)) if $r->{status} >= 500;
    return $r->{json};
}

# What is wrong with an answer.
sub faults {
    my ($self, $r, $status) = @_;
    my @f;
    if (defined $status) { push @f, "status $status is expected, got $r->{status}" if $r->{status} != $status }
    elsif ($r->{status} !~ /^2/) { push @f, "a success is expected, got $r->{status}" }
    my $id = $r->{headers}{'x-request-id'} // '';
    push @f, 'no X-Request-Id of a UUID' if $id !~ /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    push @f, 'no nosniff' if ($r->{headers}{'x-content-type-options'} // '') ne 'nosniff';
    return @f if $r->{method} eq 'HEAD';
    if ($r->{status} >= 400) { push @f, error_faults($r, $id) }
    elsif ($r->{status} == 204) { push @f, '204 has no body' if length $r->{content} }
    push @f, $self->schema->check_reply($r) if !$self->{no_schema};
    return @f;
}

sub error_faults {
    my ($r, $id) = @_;
    my ($j, @f) = ($r->{json});
    return 'an error is a JSON object' if ref $j ne 'HASH';
    push @f, 'request_id is that of the header' if ($j->{request_id} // '') ne $id;
    if ($r->{path} =~ m{^/v1/}) {
        push @f, "an error of /v1 has OpenAI's shape" if ref $j->{error} ne 'HASH' || !defined $j->{error}{message}
            || !defined $j->{error}{type};
        return @f;
    }
    for my $k (qw(error message code type)) {
        push @f, "$k is a text" if !defined $j->{$k} || ref $j->{$k};
    }
    return @f if @f;
    push @f, 'error and message are the same' if $j->{error} ne $j->{message};
    push @f, 'code and type are the same' if $j->{code} ne $j->{type};
    push @f, 'code is a word in small letters' if $j->{code} !~ /^[a-z][a-z0-9_]*$/;
    push @f, 'a fault of ours says no more than that' if $r->{status} == 500 && $j->{code} eq 'internal_error'
        && $j->{error} ne 'Internal server error';
    return @f;
}

# The API's description, fetched once.
sub schema {
    my ($self) = @_;
    return $self->{schema} if $self->{schema};
    my %h = length($self->{key} // '') ? (Authorization => "Bearer $self->{key}") : ();
    my $r = $self->{http}->request('GET', "$self->{base}/api/openapi.json", { headers => \%h });
    return $self->{schema} = $r->{status} == 200 ? described($r->{content}) : LF::Schema->new(undef);
}

# To decode it takes a sixth of a second, so it is kept decoded for the next test.
sub described {
    my ($text) = @_;
    state %known;
    my ($sum, $file) = (Digest::SHA::sha256_hex($text), builddir() . '/t/openapi.kept');
    return $known{$sum} //= do {
        my $kept = eval { Storable::retrieve($file) };
        if (!$kept || $kept->{sum} ne $sum) {
            $kept = { sum => $sum, doc => $JSON->decode($text) };
            eval { Storable::store($kept, "$file.$$") && rename "$file.$$", $file };
        }
        LF::Schema->new($kept->{doc});
    };
}

# A body may be left out by verbs that seldom have one.
sub bare {
    my ($self, $method, $path, @rest) = @_;
    my $body = @rest && (!defined $rest[0] || (ref $rest[0] eq 'HASH' && @rest > 1 && defined $rest[1] && !ref $rest[1]))
        ? shift @rest : undef;
    return $self->call($method, $path, $body, @rest);
}

sub get   { my ($s, @a) = @_; return $s->bare('GET', @a) }
sub head  { my ($s, @a) = @_; return $s->bare('HEAD', @a) }
sub del   { my ($s, @a) = @_; return $s->bare('DELETE', @a) }
sub post  { my ($s, $path, @a) = @_; local $Level = -1; return $s->call('POST', $path, @a) }
sub put   { my ($s, $path, @a) = @_; local $Level = -1; return $s->call('PUT', $path, @a) }
sub patch { my ($s, $path, @a) = @_; local $Level = -1; return $s->call('PATCH', $path, @a) }

# --- a stranger at the store ------------------------------------------------------

# A program that takes the write lock of the store and lets go at the end of its input.
sub lock_program {
    my ($self, $db) = @_;
    return ('sqlite3', $db) if grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};
    my $src = "$self->{dir}/hold.c";
    open my $fh, '>', $src or die "$src: $!";
    print $fh <<'C';
#include <sqlite3.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	sqlite3 *db;
	char in[256];
	if (argc != 2 || sqlite3_open(argv[1], &db) != SQLITE_OK)
		return 1;
	if (sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0) != SQLITE_OK)
		return 1;
	puts("held");
	fflush(stdout);
	while (fgets(in, sizeof(in), stdin) != NULL)
		;
	sqlite3_exec(db, "ROLLBACK", 0, 0, 0);
	return sqlite3_close(db) != SQLITE_OK;
}
C
    close $fh;
    my $rc = system $ENV{CC} // 'cc', '-o', "$self->{dir}/hold", $src, '-lsqlite3';
    return $rc == 0 ? ("$self->{dir}/hold", $db) : ();
}

# Somebody else holds the write lock from now on: a sub that ends it; undef: no tool for it.
sub lock_store {
    my ($self) = @_;
    my ($db) = glob "$self->{home}/data/*.db";
    my @program = $self->lock_program($db) or return;
    my $pid = IPC::Open2::open2(my $from, my $to, @program);
    print $to ".timeout 5000\nBEGIN IMMEDIATE;\nSELECT 'held';\n";
    $to->flush;
    my $said = <$from> // '';
    die "the store cannot be locked: $said\n" if $said !~ /held/;
    return sub { close $to; waitpid $pid, 0; return };
}

# --- bytes and streams ------------------------------------------------------------

sub connect {
    my ($self) = @_;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp', Timeout => 10)
        // die "connect: $!\n";
}

# Bytes as they are; the answer's (status, {headers in small letters}, body). The
# connection is closed afterwards, so send "Connection: close".
sub wire {
    my ($self, $bytes, $seconds) = @_;
    my $s = LF::Stream->new($self->connect, $seconds // 30);
    $s->send_bytes($bytes);
    $s->read_head or return (0, {}, '');
    return ($s->status, $s->headers, $s->rest);
}

# Send a POST (or another method) and do not wait: an LF::Stream whose head is not read.
sub later {
    my ($self, $path, $body, %o) = @_;
    my $content = ref $body ? $JSON->encode($body) : $body // '';
    my %h = (Host => "127.0.0.1:$self->{port}", Authorization => "Bearer $self->{key}", Accept => 'text/event-stream',
        'Content-Type' => 'application/json', 'Content-Length' => length $content, Connection => 'close',
        %{ $o{headers} // {} });
    my $s = LF::Stream->new($self->connect, $o{timeout} // 60);
    $s->send_bytes(($o{method} // 'POST') . " $path HTTP/1.1\r\n"
        . join('', map {"$_: $h{$_}\r\n"} grep { defined $h{$_} } sort keys %h) . "\r\n$content");
    return $s;
}

# The same, and watch events: see LF::Stream.
sub stream {
    my ($self, @ask) = @_;
    my $s = $self->later(@ask);
    $s->read_head;
    return $s;
}

1;
