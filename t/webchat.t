#!/usr/bin/perl
# The WebChat: how it is served, and the first minutes with it in a real browser.
use strict;
use warnings;
use File::Copy ();
use File::Find ();
use File::Path ();
use File::Temp ();
use LF;
use LF::Page;
use Test::More;

my $api = LF::Page->start;
my $types = LF::Page::types();
SKIP: {
    skip 'typescript is not installed (npm ci in webchat)', 1 unless defined $types;
    is $types, '', 'the types of the page hold';
}

subtest 'how it is served' => sub {
    my $r = $api->raw('GET', '/');
    is $r->{status}, 200, 'the page is at /';
    like $r->{headers}{'content-type'}, qr{^text/html}, 'as HTML';
    is $r->{headers}{'cache-control'}, 'no-cache', 'which is asked for anew each time';
    my $csp = $r->{headers}{'content-security-policy'};
    like $csp, qr/default-src 'self'/, 'its policy allows what is ours';
    unlike $csp, qr/unsafe|https?:|\*/, 'nothing inline, nobody else';
    is $r->{headers}{'x-content-type-options'}, 'nosniff', 'with the headers of every answer';
    my @files = $r->{content} =~ m{"(/assets/[^"]+)"}g;
    my $bytes = 0;
    for my $f (@files) {
        my $a = $api->raw('GET', $f, { headers => { 'Accept-Encoding' => 'gzip' } });
        is $a->{status}, 200, "$f is there";
        like $a->{headers}{'cache-control'}, qr/immutable/, 'for ever';
        next if $f =~ /licences/;
        $bytes += length $a->{content};
        is $a->{headers}{'content-encoding'} // '', 'gzip', 'compressed' if $f =~ /\.(?:js|css)$/ && length $a->{content} > 1024;
    }
    cmp_ok $bytes, '<', 150 * 1024, "the first load is small ($bytes bytes)";
    unlike $r->{content}, qr/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/, 'no script and no style stands in the page itself';
    is $api->raw('GET', '/', { headers => { 'If-None-Match' => $r->{headers}{etag} } })->{status}, 304, 'a page that did not change is not sent again';
    for my $old ('/dashboard', '/dashboard/', '/dashboard/agents/x') {
        my $d = $api->raw('GET', $old);
        is "$d->{status} $d->{headers}{location}", '302 /', "$old leads to it";
    }
    is $api->get('/assets/nothing.js', 404)->{code}, 'not_found', 'a file that is not there is an error like all others';
    is +($api->wire("GET /%2e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[0], 400, 'no other spelling of / is the page';
    isnt +($api->wire("GET /assets/..%2findex.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))[0], 200, 'nothing beside the assets is served';
    is $api->raw('POST', '/', { content => 'x' })->{status}, 405, 'it can only be read';
};

subtest 'what is shown is never parsed as HTML' => sub {
    my @files;
    File::Find::find({ no_chdir => 1, wanted => sub { push @files, $_ if /\.(?:tsx?|js)$/ } }, LF::srcdir() . '/webchat/src');
    cmp_ok scalar(@files), '>', 40, 'all sources are looked at';
    is_deeply [ grep { LF::slurp($_) =~ /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function\(|style=/i } @files ], [], 'none makes elements of text, or styles in place';
};

sub put_page {
    my ($dir) = @_;
    File::Path::make_path($dir);
    open my $fh, '>', "$dir/index.html" or die "$dir: $!";
    print $fh "<!doctype html><title>here</title>\n";
    return close $fh;
}

subtest 'where it is found' => sub {
    # copies of the programs, laid out as in a build tree and as installed
    for my $place ([ 'build', 'build/webchat/dist', 'a build tree' ], [ 'bin', 'share/librefang/webchat', 'an installation' ]) {
        my ($programs, $dir, $name) = @$place;
        my $tmp = File::Temp->newdir(TMPDIR => 1);
        File::Path::make_path("$tmp/$programs");
        for my $p (qw(librefang librefangd librefang-fcgi)) {
            File::Copy::copy(LF::builddir() . "/$p", "$tmp/$programs/$p") or die "$p: $!";
            chmod 0755, "$tmp/$programs/$p";
        }
        put_page("$tmp/$dir") if $programs eq 'bin';
        local $ENV{LF_BUILDDIR} = "$tmp/$programs";
        my $there = LF->start;
        if ($programs ne 'bin') {
            my $r = $there->raw('GET', '/');
            is $r->{status}, 200, 'without a page there is still something at /';
            like $r->{content}, qr/make webchat/, 'which says how to build it';
            like $r->{headers}{'content-type'}, qr{^text/html}, 'for people';
            put_page("$tmp/$dir");
        }
        like $there->raw('GET', '/')->{content}, qr/<title>here/, "in $name it is found";
    }
};

my ($link) = ($api->{said} // '') =~ /#link=([0-9a-f]{64})/;
LF::Page::browse($api, 'first.mjs', LF_LINK => $link // '', LF_AGENT => LF::Page::agent($api, 'offline-one', 'offline'));
done_testing;
