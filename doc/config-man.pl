#!/usr/bin/perl
# librefang-config(5): what has an effect, from the tables of configuration.md; and every other key that the
# reader of the file knows, with its type, from config_keys.def.
use strict;
use warnings;

my ($guide, $defs) = @ARGV;
my %types = (STR => 'text', INT => 'whole number', NUM => 'number', BOOL => 'true or false', STRS => 'list of texts',
    MAP => 'table', ANY => 'anything', LIST => 'list');
my (@keys, %type);

sub slurp { my ($f) = @_; open my $fh, '<', $f or die "$f: $!\n"; local $/; return <$fh> }
sub clean { my ($s) = @_; $s =~ s/`//g; $s =~ s/\\/\\e/g; $s =~ s/^([.'])/\\&$1/; return $s }

for (split /\n/, slurp($defs)) {
    my ($key, $kind, $more) = /^K\("([^"]+)",\s*([\w|]+)(.*)\)/ or next;
    my @say = join ' or ', map { $types{$_} // lc } split /\|/, $kind;
    push @say, 'one of ' . join ', ', split ' ', $1 if $more =~ /\.words = "([^"]*)"/;
    push @say, "from $1" if $more =~ /\.lo = (\d+)/;
    push @say, "to $1" if $more =~ /\.hi = (\d+)\s*[,)]/;
    push @keys, $key;
    $type{$key} = join ', ', @say;
}

print <<'END';
.Dd November 24, 2026
.Dt LIBREFANG-CONFIG 5
.Os
.Sh NAME
.Nm librefang-config
.Nd config.toml of LibreFang
.Sh DESCRIPTION
.Pa config.toml
in the home says what LibreFang does; see
.Xr librefang 1
for where the home is.
It is TOML 1.0.
A wrong type or a value out of range refuses the file with its line and key; an unknown key is a warning, or an
error with
.Va strict_config .
.Pp
.Ql librefang config set
changes a key and keeps comments.
In the names below
.Ql *
stands for any name, and
.Ql []
for each table of an array.
END

# tables of the part about config.toml
my ($part) = slurp($guide) =~ /^## config\.toml\n(.*?)^## /ms or die "$guide: no part about config.toml\n";
my (%said, $open);
for (split /\n/, $part) {
    if (/^### (.*)/) {
        print ".El\n" if $open;
        $open = 0;
        print '.Sh ' . uc($1) . "\n";
    } elsif (/^\| `(.*)\|\s*$/) {
        my ($names, $default, $meaning) = split / *\| */, "`$1", 3;
        my @names = map { s/"?<\w+>"?/*/r } $names =~ /`([^`]+)`/g;
        my ($head) = $names[0] =~ /^\[\[(\w+)\]\]$/;
        if ($head) { shift @names; $_ = "${head}[].$_" for @names }
        elsif ($names[0] =~ /^((?:\w+\.)+)\w+$/) { my $at = $1; for (@names[ 1 .. $#names ]) { $_ = "$at$_" if !/\./ && exists $type{"$at$_"} } }
        print ".Bl -tag -width Ds\n" if !$open;
        $open = 1;
        print ".It Va @names\n";
        print clean(join '; ', map { $type{$_} ? "$_: $type{$_}" : () } @names), ".\n" if @names > 1;
        print ucfirst clean($type{ $names[0] } // 'text'), ".\n" if @names == 1;
        print 'Default: ', clean($default), ".\n" if length $default;
        $meaning =~ s/\s+$//;
        print $meaning =~ /^`/ ? clean($meaning) : ucfirst(clean($meaning)), ".\n";
        $said{$_} = 1 for @names;
    } elsif (/^[^|]/ && !/^#/) {
        print ".El\n" if $open;
        print ".Pp\n" if $open;
        $open = 0;
        s/\s+$//;
        print clean($_), "\n";
    }
}
print ".El\n" if $open;
print <<'END';
.Sh KEYS WITHOUT EFFECT
LibreFang's own file is accepted as it is.
These keys are checked and kept, and do nothing in this version:
.Bl -tag -width Ds
END
for (grep { !$said{$_} } @keys) { print ".It Va $_\n", ucfirst $type{$_}, ".\n" }
print <<'END';
.El
.Sh SEE ALSO
.Xr librefang 1 ,
.Xr librefang-agent 5 ,
.Xr librefang.ini 5
END
