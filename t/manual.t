#!/usr/bin/perl
# The manual: every page is well formed, and librefang(1) names every command.
use strict;
use warnings;
use LF;
use Test::More;

my $src = LF::srcdir();
my @pages = do { my %seen; grep { !$seen{$_}++ } map { glob "$_/doc/*.[158]" } $src, LF::builddir() };
cmp_ok scalar(@pages), '>=', 24, 'there are pages';

SKIP: {
    my ($man) = grep { -x } map {"$_/man"} split /:/, $ENV{PATH};
    skip 'no man here', scalar @pages if !$man;
    for my $page (@pages) {
        local $ENV{LC_ALL} = 'C.UTF-8';
        local $ENV{MANWIDTH} = 100;
        my $said = qx{$man --warnings -l "$page" 2>&1 >/dev/null};
        is $said, '', "$page has no faults";
    }
}

SKIP: {
    my $program = LF::builddir() . '/librefang';
    skip 'librefang is not built here', 1 if !-x $program;
    my $text = LF::slurp("$src/doc/librefang.1");
    my @commands = qx{$program --help} =~ /^  ([a-z][a-z-]+) /mg;
    cmp_ok scalar(@commands), '>', 10, 'the command has commands';
    is join(' ', grep { $text !~ /^\.It Cm \Q$_\E\b/m } @commands), '', 'librefang(1) has each of them';
}

# Links between the guides lead somewhere.
for my $guide (glob("$src/doc/*.md"), glob "$src/*.md") {
    my ($at) = $guide =~ m{^(.*)/};
    my @lost = grep { !/^https?:|^#/ && !-e "$at/" . s/#.*//r } LF::slurp($guide) =~ /\]\(([^)\s]+)\)/g;
    is "@lost", '', "$guide: its links";
}

# Of every key that a reader goes by there is a word.
my $config = LF::slurp(LF::builddir() . '/doc/librefang-config.5');
my @keys = LF::slurp("$src/lib/svc/config_keys.def") =~ /^K\("([^"]+)"/mg;
cmp_ok scalar(@keys), '>', 500, 'config.toml has keys';
is join(' ', grep { $config !~ /^\.It Va .*\Q$_\E( |$)/m } @keys), '', 'librefang-config(5) has each of them';
my $agent = LF::slurp("$src/doc/librefang-agent.5");
@keys = LF::slurp("$src/lib/agent/manifest_keys.c") =~ /(?:\b[A-Z_]+\(|\.name = )"(\w+)"/g;
cmp_ok scalar(@keys), '>', 100, 'agent.toml has keys';
is join(' ', grep { $agent !~ /^\.It Va .*\b\Q$_\E\b/m } @keys), '', 'librefang-agent(5) has each of them';
my @shells = map { LF::slurp("$src/completions/$_") } qw(bash/librefang _librefang librefang.fish);
{
    my $program = LF::builddir() . '/librefang';
    my @commands = qx{$program --help} =~ /^  ([a-z][a-z-]+) /mg;
    for my $shell (@shells) { is join(' ', grep { $shell !~ /(?<![\w-])\Q$_\E(?![\w-])/ } @commands), '', 'a shell completes each command' }
}
is system('bash', '-n', "$src/completions/bash/librefang"), 0, 'what bash reads is bash';
{
    my @got = split /\n/, qx{bash -c 'source "$src/completions/bash/librefang"; COMP_WORDS=(librefang ba); COMP_CWORD=1; _librefang; printf "%s\n" "\${COMPREPLY[\@]}"'};
    is "@got", 'backup', 'bash completes a command';
    @got = split /\n/, qx{bash -c 'source "$src/completions/bash/librefang"; COMP_WORDS=(librefang logs --e); COMP_CWORD=2; _librefang; printf "%s\n" "\${COMPREPLY[\@]}"'};
    is "@got", '--errors', 'and its options';
}

done_testing;
