#!/usr/bin/perl
# Providers that fail at random, at every rate and in every wire format: each question ends soon, either with the whole answer or
# with an error that says of what kind; the history holds the answers and nothing else, and nobody sees a key. aimock, from npm, plays them.
use strict;
use warnings;
use LF;
use LF::Aimock;
use Test::More;
use Time::HiRes ();

LF::Aimock::needed();
my @RATES = (0.1, 0.4, 0.8);
my @KINDS = qw(dropRate malformedRate disconnectRate rateLimitRate);
my $EACH = 6;
my $SAY = 'All of it, from the first word to the last one.';

sub name_of { my ($rate) = @_; return sprintf 'CHAOS-%02d.', 100 * $rate }
# Of four kinds, so that one question in so many has a fault.
my $up = LF::Aimock->start([ map { my $r = $_; { match => { userMessage => name_of($r) }, response => { content => $SAY }, chunkSize => 5,
    chaos => { map { $_ => 1 - (1 - $r)**(1 / @KINDS) } @KINDS } } } @RATES ]);
my $a = $up->url;
my %formats = (openai => "$a/v1", anthropic => $a, gemini => $a, ollama => "$a/v1", cohere => "$a/v2", bedrock => $a, 'azure-openai' => $a, chatgpt => "$a/backend");
my $api = LF->start(timeout => 40, model => { provider => 'offline', model => 'offline' },
    env => { LF_LLM_RETRY_MS => 5, LF_REST_SECOND_MS => 0, AWS_REGION => '', map { $_ => $up->key } qw(OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY OLLAMA_API_KEY
        COHERE_API_KEY AWS_BEARER_TOKEN_BEDROCK AZURE_OPENAI_API_KEY CHATGPT_SESSION_TOKEN) },
    config => "[provider_max_retries]\n" . join('', map {qq("$_" = 0\n)} sort keys %formats) . "[provider_urls]\n" . join '', map {qq("$_" = "$formats{$_}"\n)} sort keys %formats);
my $n = 0;

sub agent { my ($p) = @_; return $api->post('/api/agents', { manifest_toml => 'name = "c-' . ++$n . qq("\n[model]\nprovider = "$p"\nmodel = "m-1"\n) }, 201)->{agent_id} }

# [whole or not, the kind of error, all that came]
sub ask {
    my ($way, $id, $text) = @_;
    if ($way == 0) {
        my $r = $api->raw(POST => "/api/agents/$id/message", { headers => { 'Content-Type' => 'application/json' }, content => $LF::JSON->encode({ message => $text }) });
        my $j = $r->{json} // {};
        return [ $r->{status} == 200 && ($j->{response} // '') eq $SAY ? 1 : 0, $j->{code} // "status $r->{status}", $r->{content} ];
    }
    my $s = $api->stream("/api/agents/$id/message/stream", { message => $text });
    return [ 0, ($LF::JSON->decode($s->rest)->{code}) // 'none', '' ] if $s->status != 200;
    my @e = $s->all;
    my $said = join '', map { $_->{json}{content} // '' } grep { $_->{event} eq 'chunk' } @e;
    my ($bad) = grep { ($_->{json}{phase} // '') eq 'error' } @e;
    my $ended = grep { $_->{event} eq 'done' } @e;
    return [ 1, '', '' ] if $said eq $SAY && $ended && !$bad;
    return [ 0, $bad && !$ended && index($SAY, $said) == 0 ? 'llm_error' : 'a lie: ' . join(' ', map { $_->{data} } @e), join ' ', map { $_->{data} } @e ];
}

my $known = qr/^(?:llm_error|broken_stream|rate_limited|overloaded|timeout|format_error)$/;
my ($good, $bad) = (0, 0);
for my $rate (@RATES) {
    subtest 'one in ' . sprintf('%.2g', 1 / $rate) => sub {
        for my $p (sort keys %formats) {
            my (@lies, @secret, $slow, $kept);
            $slow = $kept = 0;
            for my $i (1 .. $EACH) {
                my ($id, $since) = (agent($p), Time::HiRes::time());
                my $r = ask($i % 2, $id, name_of($rate));
                my $took = Time::HiRes::time() - $since;
                $slow = $took if $took > $slow;
                $r->[0] ? $good++ : $bad++;
                push @lies, $r->[1] if !$r->[0] && $r->[1] !~ $known;
                push @secret, $r->[2] if $r->[2] =~ /\Q@{[$up->key]}\E/;
                my @said = grep { $_->{role} eq 'Assistant' } @{ $api->get("/api/agents/$id/session", 200)->{messages} };
                $kept++ if @said == $r->[0] && (!$r->[0] || $said[0]{content} eq $SAY);
            }
            is_deeply \@lies, [], "$p: the whole answer, or an error with its kind";
            is $kept, $EACH, '  the history has the answers, and no half ones';
            cmp_ok $slow, '<', 35, '  none hangs';
            is scalar(@secret), 0, '  and none shows a key';
        }
    };
}
cmp_ok $good, '>', 0, 'some were answered';
cmp_ok $bad, '>', 0, 'and some were not';
unlike $api->log_text, qr/\Q@{[$up->key]}\E/, 'the log has no key';
$api->finish;
done_testing;
