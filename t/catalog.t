#!/usr/bin/perl
# What people add to the catalog: other names, models of their own, settings; and a newer
# catalog, fetched. Every worker says the same at once, and a restart forgets nothing.
use strict;
use warnings;
use utf8;
use Digest::SHA qw(sha256_hex);
use Encode qw(encode_utf8);
use LF;
use MIME::Base64 ();
use LF::Refuse;
use POSIX ();
use Test::More;

LF::needed();
my $api = LF->start;
my $total = $api->get('/api/models', 200)->{total};

# Every worker of the pool: many requests, new connections.
sub everywhere { my ($what) = @_; for (1 .. 12) { $api->{http} = HTTP::Tiny->new(timeout => 20); return 0 if !$what->() } return 1 }

subtest 'aliases' => sub {
    is_deeply $api->post('/api/models/aliases', { alias => 'My-Best', model_id => 'gpt-5' }, 201),
        { alias => 'my-best', model_id => 'gpt-5', status => 'created' }, 'one is made';
    ok everywhere(sub { $api->get('/api/models/MY-best', 200)->{id} eq 'gpt-5' }), 'and known to every worker';
    $api->post('/api/models/aliases', { alias => 'MY-BEST', model_id => 'gpt-5-mini' }, 409);
    my $shipped = $api->get('/api/models/aliases', 200)->{aliases}[0];
    $api->post('/api/models/aliases', { alias => uc $shipped->{alias}, model_id => 'gpt-5' }, 409);
    $api->del("/api/models/aliases/$shipped->{alias}", 204);
    ok !(grep { $_->{alias} eq $shipped->{alias} } @{ $api->get('/api/models/aliases', 200)->{aliases} }), 'a shipped one can be taken away';
    $api->del("/api/models/aliases/$shipped->{alias}", 404);
    $api->post('/api/models/aliases', { alias => $shipped->{alias}, model_id => 'gpt-5-mini' }, 201);
    is $api->get("/api/models/$shipped->{alias}", 200)->{id}, 'gpt-5-mini', 'and given to another';
    $api->post('/api/models/aliases', { alias => 'ÄRGER/x', model_id => 'gpt-5' }, 201);
    is $api->get('/api/models/%C3%A4rger%2Fx', 200)->{id}, 'gpt-5', 'letters of every alphabet, a slash';
    $api->post('/api/models/aliases', { alias => 'gpt-5-mini', model_id => 'gpt-5' }, 201);
    is $api->get('/api/models/gpt-5-mini', 200)->{id}, 'gpt-5-mini', 'an id counts over an alias';
    $api->post('/api/models/aliases', { alias => 'second', model_id => 'my-best' }, 201);
    $api->get('/api/models/second', 404);
    $api->restart;
    is $api->get('/api/models/my-best', 200)->{id}, 'gpt-5', 'it outlives a restart';
    like LF::slurp($api->home . '/aliases.toml'), qr/"my-best" = "gpt-5"/, 'and stands in aliases.toml';
    open my $fh, '>>', $api->home . '/aliases.toml' or die;
    print $fh qq("by-hand" = "gpt-5-mini"\n);
    close $fh;
    kill 'HUP', $api->supervisor;
    ok $api->wait_for(sub { $api->raw('GET', '/api/models/by-hand')->{status} == 200 }), 'which may be edited';
    my $whole = LF::slurp($api->home . '/aliases.toml');
    my $put = sub { open my $fh, '>', $api->home . '/aliases.toml' or die; print $fh $_[0]; close $fh; return };
    $put->("$whole\nbroken = \n");
    my $e = $api->post('/api/models/aliases', { alias => 'meanwhile', model_id => 'gpt-5' }, 409);
    is $e->{code}, 'aliases_broken', 'one that cannot be read is not written over';
    like $e->{error}, qr/aliases\.toml, line \d+/, '  and where it is wrong is told';
    $api->del('/api/models/aliases/second', 409);
    is LF::slurp($api->home . '/aliases.toml'), "$whole\nbroken = \n", '  it stays as it is';
    is $api->get('/api/models/by-hand', 200)->{id}, 'gpt-5-mini', '  and so do the names';
    $api->get('/api/models/meanwhile', 404);
    SKIP: {
        my ($closed) = grep { -e } '/proc/sys/vm/compact_memory', '/proc/sys/net/ipv4/route/flush';     # not even root may read these
        skip 'nothing here is closed to root', 3 if !$closed || open my $no, '<', $closed;
        my $file = $api->home . '/aliases.toml';
        rename $file, "$file.aside" or die $!;
        symlink $closed, $file or die $!;
        is $api->post('/api/models/aliases', { alias => 'meanwhile', model_id => 'gpt-5' }, 500)->{code}, 'internal_error', 'one that may not be read is our trouble';
        $api->del('/api/models/aliases/second', 500);
        is readlink $file, $closed, '  it stays as it is';
        is $api->get('/api/models/by-hand', 200)->{id}, 'gpt-5-mini', '  and so do the names';
        rename "$file.aside", $file or die $!;
        $api->get('/api/models/meanwhile', 404);
    }
    $put->($whole);
    $api->del('/api/models/aliases/%C3%84rger%2Fx', 204);
    $api->post('/api/models/aliases', $_, 400) for {}, { alias => 'x' }, { alias => ' ', model_id => 'y' }, { alias => 5, model_id => 'y' }, { alias => 'x', model_id => '' };
};

subtest 'models of our own' => sub {
    is_deeply $api->post('/api/models/custom', { id => 'Own/Big-One' }, 201), { id => 'Own/Big-One', provider => 'offline', status => 'added' }, 'one is added';
    my $m = $api->get('/api/models/own/big-one', 200);
    is_deeply [ @$m{qw(tier context_window max_output_tokens supports_tools vision_support)} ], [ 'custom', 128000, 8192, JSON::PP::true, 'unknown' ], 'with what is usual';
    $api->post('/api/models/custom', { id => 'own/BIG-one' }, 409);
    $api->post('/api/models/custom', { id => 'gpt-5', provider => 'openai' }, 409);
    is $api->get('/api/models', 200)->{total}, $total + 1, 'it is in the list';
    my $p = $api->get('/api/providers/openai', 200)->{model_count};
    $api->post('/api/models/custom', { id => 'extra', provider => 'openai', input_cost_per_m => 2.5, supports_vision => JSON::PP::true }, 201);
    is $api->get('/api/providers/openai', 200)->{model_count}, $p + 1, 'and counted';
    $api->del('/api/models/custom/EXTRA', 204);
    is $api->get('/api/providers/openai', 200)->{model_count}, $p, 'no longer, when it is gone';
    $api->post('/api/models/custom', { id => 'gpt-5', provider => 'elsewhere' }, 201);
    is $api->get('/api/models/gpt-5', 200)->{provider}, 'elsewhere', "one of another provider's shadows a shipped one";
    $api->del('/api/models/custom/gpt-5', 204);
    is $api->get('/api/models/gpt-5', 200)->{provider}, 'openai', 'until it goes';
    $api->del("/api/models/custom/$_", 404) for 'gpt-5', 'nobody';
    my @bad = ({}, { id => '' }, { id => ' ' }, { id => 7 }, map { { id => 'bad', %$_ } } { context_window => 0 }, { max_output_tokens => -1 }, { context_window => 1.5 },
        { input_cost_per_m => -1 }, { modality => 'smell' }, { provider => '' }, { display_name => '' }, { supports_tools => 'yes' });
    $api->post('/api/models/custom', $_, 400) for @bad;
    $api->get('/api/models/bad', 404);
    my ($a) = @{ $api->get('/api/agents', 200)->{items} };
    is $api->put("/api/agents/$a->{id}/model", { model => 'own/big-one' }, 200)->{provider}, 'offline', 'an agent can have it';
};

subtest 'settings of a model' => sub {
    is_deeply $api->get('/api/models/overrides/openai:gpt-5', 200), {}, 'none at first';
    is_deeply $api->put('/api/models/overrides/openai:gpt-5', { supports_tools => JSON::PP::false, temperature => 0.5, more => 1 }, 200),
        { supports_tools => JSON::PP::false, temperature => 0.5 }, 'some are set';
    my $m = $api->get('/api/models/gpt-5', 200);
    ok !$m->{supports_tools} && $m->{capabilities_catalog}{supports_tools}, 'what it can is what they say; what the catalog says stands beside it';
    is_deeply $m->{overrides}, { supports_tools => JSON::PP::false, temperature => 0.5 }, 'they are shown with the model';
    $api->put('/api/models/overrides/openai:gpt-5', { max_tokens => 77 }, 200);
    $api->put('/api/models/overrides/openai:gpt-5', $_, 422) for { temperature => 'hot' }, { max_tokens => 0 }, { supports_tools => 1 };
    $api->put('/api/models/overrides/no-colon', { max_tokens => 1 }, 400);
    $api->put('/api/models/overrides/openai:gpt-5', {}, 200);
    is $api->get('/api/models/gpt-5', 200)->{overrides}, undef, 'none set takes them away';
    $api->del('/api/models/overrides/openai:gpt-5', 204);
    $api->put('/api/models/overrides/openrouter:a/b', { top_p => 0.1 }, 200);
    is_deeply $api->get('/api/models/overrides/openrouter:a/b', 200), { top_p => 0.1 }, 'of a model that nobody knows, with a slash';
    is_deeply $api->put('/api/models/overrides/GPT-5', { context_window => 131072 }, 200), { context_window => 131072 }, 'by the name of the model alone';
    is_deeply $api->get("/api/models/overrides/$_", 200), { context_window => 131072 }, "  they are those of $_" for qw(gpt-5 openai:gpt-5);
    is $api->get('/api/models/gpt-5', 200)->{context_window}, 131072, '  and count';
    $api->del('/api/models/overrides/gpt-5', 204);
    is_deeply $api->get('/api/models/overrides/openai:gpt-5', 200), {}, '  until they are taken away';
    $api->post('/api/models/custom', { id => 'small:latest', provider => 'ollama' }, 201);
    $api->put('/api/models/overrides/small:latest', { top_p => 0.2 }, 200);
    is_deeply $api->get('/api/models/small:latest', 200)->{overrides}, { top_p => 0.2 }, 'of one with a colon in its name';
};

subtest 'nothing to fetch' => sub {
    is $api->get('/api/catalog/status', 200)->{last_sync}, undef, 'it was never fetched';
    my $r = $api->post('/api/catalog/update', undef, 200);
    is_deeply [ @$r{qw(status files_downloaded models_count)} ], [ 'ok', 0, 267 ], 'what is shipped counts';
    ok $api->get('/api/catalog/status', 200)->{last_sync}, 'and that is noted';
};
subtest 'several who change it at once' => sub {
    my @kids = map {
        my $me = $_;
        my $pid = open(my $out, '-|') // die "fork: $!";
        if (!$pid) {
            my @bad;
            for (1 .. 40) {
                my ($r) = $api->raw(POST => '/api/models/aliases', { headers => { 'Content-Type' => 'application/json' }, content => qq({"alias":"mine-$me","model_id":"gpt-5"}) });
                push @bad, $r->{status} if $r->{status} != 201;
                $r = $api->raw(DELETE => "/api/models/aliases/mine-$me");
                push @bad, $r->{status} if $r->{status} != 204;
            }
            print "@bad\n";
            close STDOUT;
            POSIX::_exit(0);
        }
        $out;
    } 1 .. 3;
    $api->put('/api/budget', { max_daily_usd => 1000 + $_ }, 200) for 1 .. 4;        # the configuration is read again meanwhile
    is join('', map { scalar <$_> } @kids), "\n" x 3, 'find each what they have just said';
};
refuses($api, POST => '/api/models/aliases', body => { alias => 'a', model_id => 'b' });
refuses($api, POST => '/api/models/custom', body => { id => 'a' });
refuses($api, DELETE => '/api/models/custom/x');
$api->finish;

# A server of files.
sub serve {
    my (%file) = @_;
    my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => '127.0.0.1', Proto => 'tcp') or die;
    my $pid = fork // die;
    if (!$pid) {
        $SIG{TERM} = sub { POSIX::_exit(0) };
        while (my $c = $s->accept) {
            my $in = '';
            sysread($c, $in, 8192, length $in) or last while $in !~ /\r\n\r\n/;
            my ($path) = $in =~ m{^GET /(\S+)};
            my $body = -e "$file{dir}/$path" ? LF::slurp("$file{dir}/$path") : undef;
            syswrite $c, defined $body ? "HTTP/1.0 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body" : "HTTP/1.0 404 No\r\nContent-Length: 0\r\n\r\n";
            close $c;
        }
        POSIX::_exit(0);
    }
    return ($s->sockport, $pid);
}

sub put_file { my ($path, $text) = @_; open my $fh, '>:raw', $path or die; print $fh $text; close $fh; return }

subtest 'a newer catalog' => sub {
    my $dir = File::Temp->newdir;
    my ($port, $pid) = serve(dir => "$dir");
    my $api = LF->start(config => qq([registry]\ncatalog_url = "http://127.0.0.1:$port/catalog.json"));
    my $json = JSON::PP->new->utf8->canonical;
    my %new = (providers => [ { id => 'newco', display_name => 'NewCo', base_url => 'http://127.0.0.1:9/v1', api_key_env => 'NEWCO_API_KEY', key_required => JSON::PP::true } ],
        models => [ { id => 'new-1', provider => 'newco', display_name => 'New 1', tier => 'smart', context_window => 1000, max_output_tokens => 100 } ], aliases => { newest => 'new-1' });
    my $try = sub { my ($text, $sum) = @_; put_file("$dir/catalog.json", $text); put_file("$dir/catalog.json.sha256", ($sum // sha256_hex($text)) . "  catalog.json\n"); return $api->post('/api/catalog/update', undef, 200) };
    my $r = $try->($json->encode(\%new));
    is_deeply [ @$r{qw(files_downloaded models_count)} ], [ 1, 1 ], 'is fetched' or diag explain $r;
    is $api->get('/api/models/newest', 200)->{id}, 'new-1', 'and counts';
    is $api->get('/api/models/offline', 200)->{available}, JSON::PP::true, 'what is built in stays';
    $api->get('/api/models/gpt-5', 404);
    my $some = sub { return { id => $_[0], provider => 'newco', context_window => 1000, max_output_tokens => 100, @_[ 1 .. $#_ ] } };
    $try->($json->encode({ %new, models => [ $new{models}[0], $some->('loud', tier => 'FAST'), $some->('odd', tier => 'genius'), $some->('picture', modality => 'image', max_output_tokens => 0) ] }));
    my %tier = map { $_->{id} => $_->{tier} } @{ $api->get('/api/models?provider=newco', 200)->{models} };
    is_deeply \%tier, { 'new-1' => 'smart', loud => 'fast', odd => 'custom', picture => 'custom' }, 'tiers are known ones, in small letters';
    $try->($json->encode(\%new));
    for my $bad ([ 'not json' ], [ $json->encode({ %new, models => [] }) ], [ $json->encode({ %new, models => [ { id => 'x' } ] }) ], [ $json->encode({ %new, models => [ $some->('endless', context_window => 0) ] }) ],
        (map { [ $json->encode({ %new, models => [ $some->('dear', @$_) ] }) ] } [ input_cost_per_m => 1e10 ], [ output_cost_per_m => -1 ], [ image_output_cost_per_m => 1000001 ], [ cache_hour_cost_per_m => -0.5 ], [ per_call_cost => 2e9 ]), [ $json->encode(\%new), '0' x 64 ],
        [ $json->encode({ %new, providers => [ { id => 'A B' } ] }) ]) {
        $r = $try->(@$bad);
        is $r->{files_downloaded}, 0, "one that cannot be used is not taken: $r->{note}";
        is $api->get('/api/models/newest', 200)->{id}, 'new-1', 'the last good one stays';
    }
    put_file($api->home . '/data/catalog.json', 'broken');
    $api->restart;
    $api->get('/api/models/offline', 200);
    unlink "$dir/catalog.json";
    like $api->post('/api/catalog/update', undef, 200)->{note}, qr/404/, 'one that is not there neither';
    kill 'TERM', $pid;
    waitpid $pid, 0;
};

subtest 'a signed catalog' => sub {
    plan skip_all => 'openssl is not installed' if system('openssl version >/dev/null 2>&1') != 0;
    my $dir = File::Temp->newdir;
    my ($port, $pid) = serve(dir => "$dir");
    for my $n (1, 2) { system("openssl genpkey -algorithm ed25519 -out '$dir/$n.pem' 2>/dev/null") == 0 or die }
    my $public = MIME::Base64::encode_base64(substr(qx(openssl pkey -in '$dir/1.pem' -pubout -outform DER), -32), '');
    my $api = LF->start(config => qq([registry]\ncatalog_url = "http://127.0.0.1:$port/catalog.json"\ncatalog_public = "$public"));
    my $text = JSON::PP->new->utf8->canonical->encode({ providers => [ { id => 'newco' } ], models => [ { id => 'new-1', provider => 'newco', context_window => 1000, max_output_tokens => 100 } ] });
    put_file("$dir/catalog.json", $text);
    put_file("$dir/catalog.json.sha256", sha256_hex($text));
    my $try = sub { my ($key) = @_; system("openssl pkeyutl -sign -rawin -inkey '$dir/$key.pem' -in '$dir/catalog.json' -out '$dir/raw' 2>/dev/null") == 0 or die; put_file("$dir/catalog.json.sig", MIME::Base64::encode_base64(LF::slurp("$dir/raw"))); return $api->post('/api/catalog/update', undef, 200) };
    like $api->post('/api/catalog/update', undef, 200)->{note}, qr/404/, 'without a signature it is not taken, whatever its digest';
    like $try->(2)->{note}, qr/signature/, 'nor with one of somebody else';
    is $try->(1)->{files_downloaded}, 1, 'with the right one it is';
    is $api->get('/api/models/new-1', 200)->{provider}, 'newco', 'and counts';
    put_file("$dir/catalog.json", "$text ");
    like $api->post('/api/catalog/update', undef, 200)->{note}, qr/signature/, 'a byte more, and it does not hold';
    kill 'TERM', $pid;
    waitpid $pid, 0;
};
done_testing;
