#!/usr/bin/perl
# Includes go one way. Each room may include itself and the rooms named here;
# the programs' link lines hold nothing that they do not need at rest.
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

# What each program is linked with, and so carries even when it rests.
my %never = (
    'librefang-fcgi' => [ qr/^lib(?:curl|gnutls|lua|websockets)/, 'no HTTP client, no Lua and no C++' ],
    librefangd => [ qr/^lib(?:curl|gnutls|hogweed|lua)/, 'no HTTP client before it is needed, and no C++' ],
    librefang => [ qr/^lib(?:curl|gnutls|hogweed|lua|websockets|edit|archive)/, 'none of what others do, and no C++' ],
);
for my $name (sort keys %never) {
    SKIP: {
        my $program = "$build/$name";
        skip "$name is not built here", 2 unless -x $program;
        my $dyn = qx(readelf -dW '$program' 2>/dev/null);
        skip 'no readelf', 2 if $dyn eq '';
        my @needed = $dyn =~ /\(NEEDED\).*\[([^\]]+)\]/g;
        cmp_ok scalar(@needed), '>', 0, "$name names its libraries";
        my ($what, $words) = @{ $never{$name} };
        # the sanitizers bring libraries of their own, and so does a machine without a static one
        my $cxx = (grep {/asan/} @needed) || ($name ne 'librefang-fcgi' && !-e (qx(cc -print-file-name=libstdc++.a) =~ s/\s+\z//r));
        is join(' ', grep { $_ =~ $what || (!$cxx && /^libstdc\+\+/) } @needed), '', "$name links $words";
    }
}
done_testing;
