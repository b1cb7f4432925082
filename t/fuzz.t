#!/usr/bin/perl
# Each fuzz target (t/fuzz/NAME.c) meets its kept corpus and then, with
# clang's fuzzer, FUZZ_SECONDS of what it makes of it; if nobody says how many, all share
# 50 seconds. FUZZ_ONLY="NAME ..." runs these alone. Without clang the corpus alone is replayed.
#
# A line "sources: lib/base/*.c ..." in a target's first comment says what it
# is linked with, "libs: NAME ..." which further packages of pkg-config, "link: -lNAME ..." what it has no word for.
# t/fuzz/dict/NAME, if it is there, holds words that the fuzzer may put in (libFuzzer's form).
# What the fuzzer finds is left as t/fuzz/crash-NAME-* in the build tree.
use strict;
use warnings;
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my $src     = $ENV{LF_SRCDIR}    // '.';
my $build   = $ENV{LF_BUILDDIR}  // '.';
my @targets = grep { !m{/replay\.c$} } sort glob("$src/t/fuzz/*.c");
my $seconds = $ENV{FUZZ_SECONDS} // (int(50 / @targets) || 1);
my %only    = map { $_ => 1 } split ' ', $ENV{FUZZ_ONLY} // '';
my $dir     = "$build/t/fuzz";
my $objects = "$dir/obj";

plan skip_all => "$dir cannot be made" unless eval { make_path($objects); 1 };

sub can_build {
    my ($cc, @flags) = @_;
    my $tmp = tempdir(CLEANUP => 1);
    open my $fh, '>', "$tmp/x.c" or return 0;
    print $fh "#include <stddef.h>\n#include <stdint.h>\n",
        'int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) { return p == NULL && n > 0; }', "\n",
        (grep {/fuzzer/} @flags) ? '' : "int main(void) { return LLVMFuzzerTestOneInput(NULL, 0); }\n";
    close $fh;
    return system("$cc @flags -o '$tmp/x' '$tmp/x.c' >/dev/null 2>&1") == 0;
}

my $clang = $ENV{CLANG} // 'clang';
my $fuzzer = can_build($clang, '-fsanitize=fuzzer,address,undefined');
my ($cc, $cxx, $san);
if ($fuzzer) {
    ($cc, $cxx) = ($clang, $clang =~ s/clang/clang++/r);
    $san = '-fsanitize=address,undefined -fno-sanitize-recover=undefined';
} else {
    ($cc, $cxx) = ($ENV{CC} // 'gcc', $ENV{CXX} // 'g++');
    $san = can_build($cc, '-fsanitize=address,undefined')
        ? '-fsanitize=address,undefined -fno-sanitize-recover=undefined' : '';
    plan skip_all => "neither clang nor $cc builds anything here" unless can_build($cc);
    diag 'no clang with libFuzzer: the corpus is replayed, nothing new is tried';
}
my $instrument = $fuzzer ? '-fsanitize=fuzzer-no-link' : '';
my $flags = "-D_GNU_SOURCE= -O1 -g1 -fno-omit-frame-pointer -I'$src' -I'$build' $san";

sub pkg { my $out = qx(pkg-config @_ 2>/dev/null); chomp $out; return $out }

sub newest_header {
    my $t = 0;
    for my $h (glob("$src/lib/*/*.h $src/lib/*/*.def $src/db/*.h $src/daemon/*.h $src/handlers/*.h $src/cli/*.h $src/t/*.h $src/t/fuzz/*.h")) {
        my $m = (stat $h)[9] // 0;
        $t = $m if $m > $t;
    }
    return $t;
}
my $headers = newest_header();
my $kind = $fuzzer ? 'fuzz' : 'replay';

sub compile {
    my ($file, $cflags) = @_;
    (my $o = substr($file, length("$src/"))) =~ tr{/.}{__};
    $o = "$objects/$kind-$o.o";
    my $t = (stat $o)[9] // 0;
    return $o if $t > (stat $file)[9] && $t > $headers;
    my $cmd = $file =~ /\.cc$/ ? "$cxx -std=c++17" : "$cc -std=gnu17 -Wall -Wextra";
    my $out = qx($cmd $flags $cflags $instrument -Wa,-I'$src' -Wa,-I'$build' -c -o '$o.$$' '$file' 2>&1);
    if ($?) { unlink "$o.$$"; diag "$file: $out"; return }
    rename "$o.$$", $o;
    return $o;
}

sub build_target {
    my ($name, $text) = @_;
    my ($sources) = $text =~ /^\s*\*?\s*sources:\s*(.+?)(?:\s*\*\/)?$/m;
    my ($libs) = $text =~ /^\s*\*?\s*libs:\s*(.+?)(?:\s*\*\/)?$/m;
    my ($link) = $text =~ /^\s*\*?\s*link:\s*(.+?)(?:\s*\*\/)?$/m;
    my @pkgs = (qw(json-c nettle hogweed libargon2 gnutls), split ' ', $libs // '');
    my $cflags = pkg('--cflags', @pkgs, 'sqlite3');
    my @files = ("$src/t/fuzz/$name.c", map { glob "$src/$_" } split ' ', $sources // 'lib/base/*.c');
    push @files, "$src/t/fuzz/replay.c" unless $fuzzer;
    my @o = map { compile($_, $cflags) // return } @files;
    my $ld = (grep {/\.cc$/} @files) ? $cxx : $cc;
    my $out = qx($ld $san @{[$fuzzer ? '-fsanitize=fuzzer' : '']} -pthread -o '$dir/$kind-$name' @o @{[pkg('--libs', @pkgs)]} @{[$link // '']} -lm 2>&1);
    if ($?) { diag "$name: $out"; return }
    return "$dir/$kind-$name";
}

$ENV{ASAN_OPTIONS}  = 'detect_leaks=1:allocator_may_return_null=1';
$ENV{UBSAN_OPTIONS} = 'print_stacktrace=1';

for my $file (@targets) {
    my ($name) = $file =~ m{/(\w+)\.c$};
    next if %only && !$only{$name};
    my $corpus = "$src/t/fuzz/corpus/$name";
    my $text = do { open my $fh, '<', $file or die "$file: $!"; local $/; <$fh> };
    subtest $name => sub {
        my @kept = grep { -f } glob("$corpus/*");
        cmp_ok scalar(@kept), '>', 0, "$name keeps a corpus";
        my $prog = build_target($name, $text);
        ok $prog, "$name is built" or return;
        my $new = tempdir(CLEANUP => 1);
        my $words = -f "$src/t/fuzz/dict/$name" ? " -dict='$src/t/fuzz/dict/$name'" : '';
        my $cmd = $fuzzer
            ? "'$prog' -max_total_time=$seconds -max_len=8192 -timeout=60$words -rss_limit_mb=1024 -verbosity=0"
              . " -print_final_stats=1 -artifact_prefix='$dir/crash-$name-' '$new' '$corpus'"
            : "'$prog' '$corpus'";
        my $out = qx($cmd 2>&1);
        my $bad = $?;
        is $bad, 0, "$name withstands what it is given"
            or diag substr($out, -4000);
        note "$1 executions" if $out =~ /number_of_executed_units:\s*(\d+)/;
    };
}
done_testing;
