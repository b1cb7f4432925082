#!/usr/bin/perl
# Includes go one way. Each room may include itself and the rooms named here;
# the pool's link line holds neither HTTP client, nor Lua, nor C++.
use strict;
use warnings;
use File::Find;
use Test::More;

my $src   = $ENV{LF_SRCDIR}   // '.';
my $build = $ENV{LF_BUILDDIR} // '.';

my %may;
$may{'lib/base'}    = [];
$may{'lib/toml'}    = ['lib/base'];
$may{'db'}          = ['lib/base'];
$may{'lib/svc'}     = [ qw(lib/base db lib/toml) ];
$may{'lib/api'}     = [ qw(lib/base db lib/svc) ];
$may{'lib/net'}     = [ qw(lib/base db lib/svc) ];
$may{'lib/lua'}     = [ qw(lib/base db lib/svc) ];
$may{'lib/llm'}     = [ qw(lib/base db lib/svc lib/net lib/lua) ];
$may{'lib/agent'}   = [ qw(lib/base db lib/svc lib/net lib/lua lib/llm lib/toml) ];
$may{'handlers'}    = [ qw(lib/base db lib/svc lib/api) ];
$may{'fcgi'}        = [ qw(lib/base db lib/svc lib/api handlers) ];
$may{'daemon'}      = [ qw(lib/base db lib/svc lib/api lib/net lib/lua lib/llm lib/agent lib/toml) ];
$may{'backup'}      = [ qw(lib/base db) ];
$may{'cli'}         = [ qw(lib/base lib/svc lib/api lib/toml) ];

# Only these files of libsvc may know the configuration file's language.
my $toml_in_svc = qr{^lib/svc/config_file\w*\.[ch]$};

sub room_of {
    my $path = shift;
    return $1 if $path =~ m{^(lib/\w+)/};
    return $1 if $path =~ m{^(\w+)/};
    return '';
}

my @files;
find({ no_chdir => 1, wanted => sub {
    push @files, substr($_, length("$src/")) if -f && /\.(?:c|cc|h|inc|def)$/;
} }, grep { -d } map {"$src/$_"} qw(lib db handlers fcgi daemon cli backup));

my %wrong;
for my $file (sort @files) {
    my $room = room_of($file);
    open my $fh, '<', "$src/$file" or die "$file: $!";
    while (my $line = <$fh>) {
        next unless $line =~ /^\s*#\s*include\s+"([^"]+)"/;
        my $inc = $1;
        next if $inc eq 'version.h' || $inc eq 'config.h';
        my $to = room_of($inc);
        my $ok = $to eq $room || grep { $_ eq $to } @{ $may{$room} // [] };
        $ok = 0 if $room eq 'lib/svc' && $to eq 'lib/toml' && $file !~ $toml_in_svc;
        push @{ $wrong{$room} }, "$file:$.: $inc" unless $ok;
    }
}
for my $room (sort keys %may) {
    my @w = @{ $wrong{$room} // [] };
    ok !@w, "$room includes only itself" . join '', map {", $_"} @{ $may{$room} };
    diag "  $_" for @w;
    delete $wrong{$room};
}
is join(' ', sort keys %wrong), '', 'every room is on this list';

SKIP: {
    my $worker = "$build/librefang-fcgi";
    skip 'librefang-fcgi is not built here', 2 unless -x $worker;
    my $dyn = qx(readelf -dW '$worker' 2>/dev/null);
    skip 'no readelf', 2 if $dyn eq '';
    my @needed = $dyn =~ /\(NEEDED\).*\[([^\]]+)\]/g;
    cmp_ok scalar(@needed), '>', 0, 'the worker names its libraries';
    # the sanitizers bring libraries of their own
    my @bad = grep { /^lib(?:curl|lua|stdc\+\+|websockets)/ } @needed;
    @bad = grep { !/stdc\+\+/ } @bad if grep {/asan/} @needed;
    is "@bad", '', 'the worker links no HTTP client, no Lua and no C++';
}
done_testing;
