#!/usr/bin/perl
# Talking and looking after agents from a terminal: librefang chat with its commands, history and
# the interrupt; librefang agent and librefang sessions, with what each refuses.
use strict;
use warnings;
use File::Temp ();
use JSON::PP ();
use LF;
use Test::More;

our $api = LF->start;
my $j = JSON::PP->new->utf8->canonical->allow_nonref;
my $uuid = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

sub says {
    my ($code, $like, @words) = @_;
    my ($rc, $out) = $api->command(@words);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $rc, $code, "librefang @words: exit $code" or diag $out;
    like $out, $like, '... and says so' if $like;
    return $out;
}

# What a terminal shows of a chat: steps are [what is waited for, what is typed then].
my @under;                      # a program that runs ours
sub person {
    my ($words, @steps) = @_;
    my $f = File::Temp->new;
    print $f $j->encode($_), "\n" for @steps;
    close $f;
    local %ENV = (%ENV, $api->environment);
    my $program = LF::builddir() . '/librefang';
    return scalar qx{python3 "@{[ LF::srcdir() ]}/t/lib/terminal.py" @under "$program" @$words < "$f"};
}

subtest 'an agent from a template, and all that can be done to it' => sub {
    says(0, qr/^ada\t$uuid$/, 'agent', 'new', 'coder', '--name', 'ada');
    says(0, qr/^name\tada$/m, 'agent', 'show', 'ada');
    like says(0, qr/^ada\t/m, 'agent', 'list', '--search', 'AD'), qr/\A[^\n]*\n\z/, 'a list of what was searched for';
    says(0, qr/^ok$/, 'agent', 'set', 'ada', 'temperature', '0.25');
    says(0, qr/^ok$/, 'agent', 'set', 'ada', 'description', 'Counts, "calmly".');
    my $d = $j->decode(says(0, undef, 'agent', 'show', 'ada', '--json'));
    is $d->{model}{temperature}, 0.25, 'a number is a number';
    is $d->{description}, 'Counts, "calmly".', 'a text is a text';
    says(0, qr/^updated$/, 'agent', 'set', 'ada', 'mode', 'observe');
    says(0, qr/^bea\t$uuid$/, 'agent', 'clone', 'ada', 'bea');
    says(0, qr/^suspended$/, 'agent', 'suspend', 'ada');
    says(0, qr/^ada\tSuspended\t/m, 'agent', 'list', '--state', 'suspended');
    says(0, qr/^running$/, 'agent', 'resume', 'ada');
    says(0, undef, 'agent', 'stop', 'ada');
    says(0, undef, 'agent', 'reload', 'ada');
    says(0, qr/^killed$/, 'agent', 'kill', 'bea');
};

subtest 'what is no agent, and no command' => sub {
    says(4, qr/no agent "nobody"/, 'agent', 'show', 'nobody');
    says(4, qr/not found/i, 'agent', 'new', 'no-such-template');
    says(4, undef, 'agent', 'set', 'ada', 'temperature', '9');
    says(4, undef, 'agent', 'set', 'ada', 'colour_of_eyes', 'green');
    says(4, undef, 'agent', 'set', 'ada', 'mode', 'sideways');
    says(4, undef, 'agent', 'clone', 'ada', 'ada');
    says(2, qr/list, show, new, .* or kill is expected/, 'agent');
    says(2, qr/"dance" is none of/, 'agent', 'dance');
    says(2, qr/a word is missing/, 'agent', 'show');
    says(2, qr/a word too many/, 'agent', 'kill', 'ada', 'bea');
    says(1, qr/not UTF-8/, 'agent', 'set', 'ada', 'description', "\xff\xfe");
};

subtest 'what its tools did' => sub {
    says(0, qr/\S/, 'message', 'remember that the sky is blue', '--agent', 'assistant');
    says(0, qr/\tmemory_store\t\d+\t/, 'agent', 'traces', 'assistant');
    says(0, qr/blue/, 'message', 'assistant', 'what do you know about the sky?');
    says(4, undef, 'message', 'nobody-here', 'hello');
    says(2, qr/one text is expected/, 'message', 'assistant', 'two', 'texts');
    says(2, qr/one text is expected/, 'message', 'assistant', 'text', '--agent', 'assistant');
};

subtest 'sessions' => sub {
    my ($id) = says(0, qr/^$uuid$/, 'sessions', 'new', 'ada', '--label', 'A trip') =~ /($uuid)/;
    says(0, qr/^$id\t.*\tcurrent\tA trip$/m, 'sessions', '--agent', 'ada');
    says(0, qr/./, 'message', 'a word about whales', '--agent', 'ada');
    says(0, qr/^user: a word about whales$/m, 'sessions', 'show', $id);
    says(0, qr/^$id\t/m, 'sessions');
    like says(0, qr/^$id\t.*whales/m, 'sessions', '--search', 'whales'), qr/\A[^\n]*\n\z/, '... one of which has the word';
    says(0, qr/\A\z/, 'sessions', '--search', 'nobodysaidthis');
    says(0, qr/^$id\t/m, 'sessions', 'list', '-n', '5');
    says(0, qr/^updated$/, 'sessions', 'label', $id, 'Whales');
    my $f = File::Temp->new;
    print $f says(0, undef, 'sessions', 'export', $id);
    close $f;
    my ($copy) = says(0, qr/^$uuid$/, 'sessions', 'import', 'ada', "$f") =~ /($uuid)/;
    isnt $copy, $id, 'an import is a new session';
    says(0, qr/switched/, 'sessions', 'switch', $copy);
    says(0, qr/^Nothing runs there$/, 'sessions', 'stop', $copy);
    says(0, qr/\A\z/, 'sessions', 'delete', $id);
    says(4, undef, 'sessions', 'show', $id);
    says(4, undef, 'sessions', 'delete', $id);
    says(4, qr/no id of a session/, 'sessions', 'show', 'monday');
    says(4, qr/no such file/, 'sessions', 'import', 'ada', '/nowhere/x.json');
    says(4, undef, 'sessions', 'label', $copy, 'what?!');
    says(2, qr/is none of/, 'sessions', 'dance');
    says(2, undef, 'sessions', '--agent', 'ada', '--search', 'x');
};

SKIP: {
    skip 'no python3 to play a terminal', 1 if system('python3 -c "import pty" 2>/dev/null') != 0;

    subtest 'a chat at a terminal' => sub {
        my $out = person([ 'chat', 'ada' ], [ '> ', "hello\n" ], [ 'You said', '' ], [ '> ', "/mod\t\n" ],
            [ 'offline/offline', '' ], [ '> ', "/new At the terminal\n" ], [ 'New session', '' ], [ '> ', "two \\\n" ],
            [ '  ', "lines\n" ], [ 'You said', '' ], [ '> ', "/usage\n" ], [ ' tokens', '' ], [ '> ', "/context\n" ],
            [ 'pressure', '' ], [ '> ', "/sessions\n" ], [ 'LABEL', '' ], [ '> ', "/switch nowhere\n" ], [ 'expected', '' ],
            [ '> ', "/agent assistant\n" ], [ 'You talk to assistant', '' ], [ '> ', "/help\n" ],
            [ 'is said to the agent', '' ], [ '> ', "/exit\n" ]);
        like $out, qr{^offline/offline\r?$}m, 'the Tab key completed a command, and it told the model' or diag $out;
        like $out, qr/^New session $uuid\.\r?$/m, 'a new session';
        like $out, qr/^2 messages, \d+ tokens, \$0\.0000\r?$/m, 'what it cost';
        like $out, qr/^exit \d+$/m, '... and it ended';
        my $session = $api->get('/api/agents/' . agent('ada') . '/session');
        is $session->{messages}[0]{content}, "two \nlines", 'two lines were one message';
        my $h = $api->home . '/chat_history';
        is((stat $h)[2] & 0777, 0600, 'the history is the owner\'s');
        like LF::slurp($h), qr/hello/, '... and has what was typed';
        $out = person([ 'chat', 'ada' ], [ '> ', "\e[A\n" ], [ '/exit', '' ]);
        like $out, qr{/exit}, 'an arrow brings back what was typed in another chat' or diag $out;
        like $out, qr/^exit \d+$/m, '... which left';
    };
}

sub agent {
    my ($name) = @_;
    my ($g) = grep { $_->{name} eq $name } @{ $api->get('/api/agents')->{items} };
    return $g->{id};
}

SKIP: {
    skip 'no python3 to play a terminal', 1 if system('python3 -c "import pty" 2>/dev/null') != 0;

    subtest 'an interrupt cancels the turn and not the chat' => sub {
        my $mock = LF->mock(default => { text => 'slowly said', chunks => 4, stall => 2 });
        local $api = LF->start(model => $mock);
        my $out = person([ 'chat' ], [ '> ', "how are you?\n" ], [ 'slo', "\cC" ], [ '> ', "/exit\n" ]);
        like $out, qr/^exit \d+$/m, 'the chat went on, and ended as it was told' or diag $out;
        unlike $out, qr/exit 1(?:30|37)/, '... not by the signal';
        my ($strace) = grep { -x } map {"$_/strace"} split /:/, $ENV{PATH};
        return note "strace may not watch here" if !$strace || system("$strace -qq -o /dev/null -e trace=write true 2>/dev/null") != 0;
        @under = ($strace, qw(-qq -o /dev/null -e trace=write -e inject=write:delay_exit=150000));
        $out = person([ 'chat' ], [ '> ', "how?\n" ], [ 'slo', "\cC" ], [ '> ', "/exit\n" ]);
        like $out, qr/^exit 0$/m, 'so it does when it has shown the words, and not begun to wait for the next' or diag $out;
    };
}

done_testing;
