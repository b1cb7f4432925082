#!/usr/bin/perl
# One value of config.toml over HTTP: it counts at once, the file keeps its remarks, and nothing that opens a door or
# would spoil the file gets in.
use strict;
use warnings;
use LF;
use Test::More;

my $up = LF->mock;
my $api = LF->start(model => $up, config => qq([provider_max_retries]\nopenai = 0\n\n# what it may cost\n[budget]\nmax_daily_usd = 5   # a day\n\n[[users]]\nname = "ada"\nrole = "admin"\n));
my $file = $api->home . '/config.toml';
sub set { my ($path, $value, $status) = @_; return $api->post('/api/config/set', { path => $path, value => $value }, $status // 200) }

subtest 'a value' => sub {
    is_deeply set('budget.max_daily_usd', 7.5), { status => 'applied', path => 'budget.max_daily_usd' }, 'is taken';
    is $api->get('/api/budget', 200)->{daily_limit}, 7.5, '  and counts';
    like LF::slurp($file), qr/^# what it may cost\n\[budget\]\nmax_daily_usd = 7\.5\s+# a day$/m, '  where it stood, beside its remark';
    is set('default_model.model', 'gpt-5')->{status}, 'applied', 'a model';
    is $api->get('/api/status', 200)->{default_model}, 'gpt-5', '  is the default';
    is $api->post('/api/config/set', { key => 'log_level', value => 'debug' }, 200)->{path}, 'log_level', 'its path may be called key';
    is $api->get('/api/status', 200)->{log_level}, 'debug', '  that counts, too';
    set('log_level', undef);
    unlike LF::slurp($file), qr/log_level/, 'null takes it out';
    set('log_level', undef);
    is set('provider_urls', { openai => 'http://127.0.0.1:1/v1' })->{status}, 'applied', 'a table';
    like LF::slurp($file), qr/^provider_urls = \{"?openai"? = "http:\/\/127\.0\.0\.1:1\/v1"\}$/m, '  is written in a line';
    set('privacy.redact_patterns', [ 'a "b"\\d', "tab\t" ]);
    like LF::slurp($file), qr/^redact_patterns = \["a \\"b\\"\\\\d", "tab\\t"\]$/m, 'a list of texts that need care';
    set('privacy.redact_patterns', []);
};

subtest 'what is refused' => sub {
    my $before = LF::slurp($file);
    my @bad = (
        [ { path => 'log_level' } => 400 ], [ { value => 1 } => 400 ], [ {} => 400 ], [ { path => 1, value => 1 } => 400 ], [ [] => 400 ], [ 'null' => 400 ],
        [ { path => "log_level\0x", value => 'info' } => 400 ],
        (map { [ { path => $_, value => 1 } => 400 ] } '', '.', 'a..b', 'budget.', '.budget', 'a b', "budget.\n", 'budget.x"y', "budget.\x{e9}"),
        (map { [ { path => $_, value => 'x' } => 403 ] } qw(api_key api_key_hash users nosuch.key budget web.brave.api_key a.b.c.d budget.a.b.c default_model.api_key_env
            channels.telegram channels.telegram.token vault.secret web.api_key cors_origin api_listen trusted_proxies external_auth_proxy include home_dir default_model)),
        [ { path => 'log_level', value => 'loud' } => 400 ], [ { path => 'max_cron_jobs', value => 'many' } => 400 ],
        [ { path => 'usage_footer', value => 'bogus' } => 400 ], [ { path => 'budget.max_daily_usd', value => { a => undef } } => 400 ],
        [ { path => 'budget.max_daily_usd', value => 'cheap' } => 400 ], [ { path => 'provider_max_retries', value => { openai => 1 } } => 400 ],
    );
    for (@bad) {
        my ($body, $status) = @$_;
        my $e = $api->post('/api/config/set', $body, $status);
        is $e->{status}, 'error', '  and said so: ' . (ref $body eq 'HASH' && defined $body->{path} ? $LF::JSON->encode($body->{path}) : 'no path');
    }
    $api->post('/api/config/set', undef, 415);
    is LF::slurp($file), $before, 'the file is what it was';
    my $key = $api->post('/api/users/ada/rotate-key', undef, 200)->{new_api_key};
    $api->post('/api/config/set', { path => 'log_level', value => 'info' }, 403, { Authorization => "Bearer $key" });
    open my $fh, '>>', $file or die;
    print $fh "this = is = broken\n";
    close $fh;
    is set('log_level', 'info', 409)->{status}, 'error', 'a file that is broken already is left alone';
};

subtest 'it is known who did it' => sub {
    my ($e) = grep { $_->{detail} =~ /budget\.max_daily_usd/ } @{ $api->get('/api/audit/recent?n=1000', 200)->{items} };
    is_deeply [ @$e{qw(action outcome)} ], [qw(ConfigChange ok)], 'in the audit log';
    unlike join(' ', map { $_->{detail} } @{ $api->get('/api/audit/recent', 200)->{items} }), qr/7\.5/, 'without what was set';
};
done_testing;
