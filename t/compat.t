#!/usr/bin/perl
# The recorded answers of LibreFang (t/compat) against a server of our own:
# every id of pass.list is a test. COMPAT_ALL=1 tries the others too and says which
# of them could join the list.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use LF;
use Test::More;

LF::needed();
plan skip_all => 'python3 is not installed' if system('python3 -c pass >/dev/null 2>&1') != 0;

my $dir = LF::srcdir() . '/t/compat';
my %must;
for (split /\n/, LF::slurp("$dir/pass.list")) {
    s/#.*//;
    $must{$1} = 1 if /(\S+)/;
}

my $up = LF->mock(default => { text => 'A fixed answer of the mock upstream.' });
my $api = LF->start(key => 'lfkey', model => $up, config => <<"TOML");
[provider_urls]
together = "@{[$up->url]}"
groq = "@{[$up->url]}"

[memory]
fts_only = true

[proactive_memory]
auto_memorize = true
auto_retrieve = true
TOML

my $tmp = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8->canonical;
my %seen;

# Run some cases of one file; {id => "" or what is wrong}.
sub try_cases {
    my ($name, @ids) = @_;
    my %want = map { $_ => 1 } @ids;
    (my $text = LF::slurp("$dir/cases/$name.json")) =~ s/127\.0\.0\.1:19001/"127.0.0.1:" . $up->port/ge;
    my @cases = grep { $want{ $_->{id} } } @{ $json->decode($text) };
    open my $fh, '>', "$tmp/$name.json" or die "$tmp: $!";
    print $fh $json->encode(\@cases);
    close $fh;
    my @out = qx(python3 '$dir/compat.py' check -v --base '@{[$api->base]}' --key '@{[$api->key]}' --golden '$dir/golden/$name.json' '$tmp/$name.json' 2>&1);
    my (%result, $id);
    for (@out) {
        if (/^ok - (\S+)/) { $result{$1} = ''; undef $id }
        elsif (/^not ok - ([^:\s]+)/) { $result{ $id = $1 } = ' ' }
        elsif (defined $id) { $result{$id} .= $_ }
        elsif (!/^\d+ passed/) { diag $_ }
    }
    return \%result;
}

for my $file (sort glob "$dir/cases/*.json") {
    my ($name) = $file =~ m{/([^/]+)\.json$};
    my @ids = map { $_->{id} } @{ $json->decode(LF::slurp($file)) };
    $seen{$_} = 1 for @ids;
    my @must = grep { $must{$_} } @ids;
    if (@must) {
        my $r = try_cases($name, @must);
        for my $id (@must) {
            is $r->{$id} // 'was not run', '', "LibreFang's clients get what they expect: $id"
                or diag $api->log_tail(5);
        }
    }
    next unless $ENV{COMPAT_ALL};
    my $r = try_cases($name, grep { !$must{$_} } @ids);
    for my $id (sort keys %$r) {
        diag $r->{$id} eq '' ? "could join pass.list: $id" : "not yet: $id\n$r->{$id}";
    }
}

my @unknown = grep { !$seen{$_} } sort keys %must;
is "@unknown", '', 'every id of pass.list is a case';
done_testing;
