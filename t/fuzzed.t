#!/usr/bin/perl
# Who takes texts to pieces is met by a fuzz target, or t/fuzz/README.md says why not. A file counts as
# one when it uses one of the usual means and is linked with a target; that the target reaches it is its author's affair.
# And each target names all that it needs: what our own objects lack is looked for, without building it.
use strict;
use warnings;
use File::Find;
use Test::More;

my $src   = $ENV{LF_SRCDIR} // '.';
my @rooms = qw(lib db handlers fcgi daemon cli backup);
my $means = join '|', qw(sscanf strto(?:u?ll?|d) ato(?:i|ll?) strtok_r strsep strptime hex_to pct_decode base64_decode_update
    json_read json_parse json_build json_tokener_parse\w* toml_parse time_parse iniparser_load archive_read_next_header pcre2_compile
    iconv inet_pton inet_aton memmem);

sub text_of { my ($file) = @_; open my $fh, '<', $file or die "$file: $!"; local $/; return <$fh> }

# --- what the page says
my (%said, %excused, $second);
for (split /\n/, text_of("$src/t/fuzz/README.md")) {
    $second = 1 if /^## Files that read/;
    next unless /^\| /;
    my @cell = split /\s*\|\s*/;
    if ($second) { $excused{$1} = 1 if $cell[1] =~ /^`(\S+)`$/ }
    elsif (@cell > 3) { $said{$_} = 1 for $cell[3] =~ /`(\w+)`/g }
}

# --- what there is
my (%target, %linked, @without);
for my $file (glob "$src/t/fuzz/*.c") {
    my ($name) = $file =~ m{/(\w+)\.c$};
    next if $name eq 'replay';
    $target{$name} = 1;
    my ($sources) = text_of($file) =~ /sources:\s*(.+)/;
    $linked{$_} = 1 for map { glob "$src/$_" } split ' ', $sources // 'lib/base/*.c';
    push @without, $name unless grep { -f } glob "$src/t/fuzz/corpus/$name/*";
}
is join(' ', sort grep { !$said{$_} } keys %target), '', 'each target has its row in t/fuzz/README.md';
is join(' ', sort grep { !$target{$_} } keys %said), '', 'and each row its target';
is "@without", '', 'each keeps a corpus';

my (@unmet, %met);
find({ no_chdir => 1, wanted => sub {
    return unless -f && /\.(?:c|cc)$/;
    my $name = substr $_, length "$src/";
    return if $linked{$_} || text_of($_) !~ /\b(?:$means)\s*\(/;
    push @unmet, $name unless $excused{$name};
    $met{$name} = 1;
} }, map {"$src/$_"} grep { -d "$src/$_" } @rooms);
is join(' ', sort @unmet), '', 'what takes texts to pieces is linked with a target, or excused there';
is join(' ', sort grep { !$met{$_} } keys %excused), '', 'nothing is excused in vain';

# --- would it link?
my $build = $ENV{LF_BUILDDIR} // '.';
my (%defines, %lacks, %object);         # names by object, object by source
find({ no_chdir => 1, wanted => sub {
    my ($dir, $o) = m{^\Q$build\E/(.+)/(?:\w+-)?(\w+)\.o$} or return;
    $object{"$dir/$o"} //= $_;
} }, grep { -d } map {"$build/$_"} @rooms);
my %source = map { $object{$_} => $_ } keys %object;
if (%source && open my $nm, '-|', 'nm', '-A', '-P', '-g', sort keys %source) {
    while (<$nm>) {
        my ($o, $name, $type) = /^(.*?): (\S+) (\S)/ or next;
        if ($type eq 'U') { push @{ $lacks{ $source{$o} } }, $name }
        elsif ($type ne 'w') { push @{ $defines{$name} }, $source{$o} }
    }
    close $nm;
}
# What a target defines itself begins at the left: a function, perhaps with its type before it, or data.
sub own { my ($file) = @_; my $t = text_of($file); return ($t =~ /^(?:\w[\w *]*[ *])?(\w+)(?:\(|\[| =)/mg, map { -f "$src/$_" ? own("$src/$_") : () } $t =~ /^#include "(t\/[^"]+)"/mg) }
SKIP: {
    skip 'the objects are not here, or no nm', 1 if !%defines;
    my @broken;
    for my $file (map {"$src/t/fuzz/$_.c"} sort keys %target) {
        my ($name) = $file =~ m{/(\w+)\.c$};
        my ($sources) = text_of($file) =~ /sources:\s*(.+)/;
        my %in = map { substr($_, length "$src/") =~ s/\.\w+$//r => 1 } map { glob "$src/$_" } split ' ', $sources // 'lib/base/*.c';
        my %own = map { $_ => 1 } own($file);
        my %want = map { $_ => 1 } grep { !$own{$_} && $defines{$_} && !grep { $in{$_} } @{ $defines{$_} } } map { @{ $lacks{$_} // [] } } keys %in;
        push @broken, map {"$name: $_ of @{ $defines{$_} }"} sort keys %want;
    }
    is join(', ', @broken), '', 'each names all the sources that it needs';
}
done_testing;
