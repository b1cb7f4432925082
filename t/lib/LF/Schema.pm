package LF::Schema;
# Holds JSON against the API's own description (OpenAPI 3.1, so JSON Schema):
# type, properties, required, items, enum, const, $ref, additionalProperties, oneOf,
# anyOf, allOf, bounds of numbers, texts and arrays, and three formats. A word that it
# does not know is said aloud rather than passed over.
use strict;
use warnings;
use B ();
use JSON::PP ();

my %known = map { $_ => 1 } qw(type properties required items enum const $ref additionalProperties oneOf anyOf allOf
    minimum maximum minLength maxLength minItems maxItems format pattern description default writeOnly readOnly title
    examples example deprecated summary propertyNames);

sub new {
    my ($class, $doc) = @_;
    my $self = bless { doc => $doc, rows => [] }, $class;
    for my $path (keys %{ $doc->{paths} // {} }) {
        my $re = join '', map { /^\{/ ? '[^?]+' : quotemeta } split /(\{[^}]*\})/, $path;
        my $args = () = $path =~ /\{/g;
        my $one = join '', map { /^\{/ ? '[^/?]+' : quotemeta } split /(\{[^}]*\})/, $path;
        push @{ $self->{rows} }, { path => $path, re => qr/^$re$/, one => qr/^$one$/, args => $args };
    }
    # the fewer arguments, the nearer
    @{ $self->{rows} } = sort { $a->{args} <=> $b->{args} || $a->{path} cmp $b->{path} } @{ $self->{rows} };
    return $self;
}

sub doc { return $_[0]{doc} }

# The description of what a request of that verb and path runs, undef: none.
sub operation {
    my ($self, $method, $target) = @_;
    (my $path = $target) =~ s/[?#].*//s;
    my $verb = lc($method) eq 'head' ? 'get' : lc $method;
    for my $kind (qw(one re)) {
        for my $row (@{ $self->{rows} }) {
            next unless $path =~ $row->{$kind};
            my $op = $self->{doc}{paths}{ $row->{path} }{$verb} or next;
            return wantarray ? ($op, $row->{path}) : $op;
        }
    }
    return;
}

# What is wrong with an answer: {method, path, status, headers, json}.
sub check_reply {
    my ($self, $r) = @_;
    return unless $self->{doc};
    my ($op, $path) = $self->operation($r->{method}, $r->{path});
    return if !$op;                             # unknown rows have the error shape, seen elsewhere
    my $replies = $op->{responses};
    my $s = $r->{status};
    my $reply = $replies->{$s} // $replies->{ substr($s, 0, 1) . 'XX' } // $replies->{default};
    return "the description of $r->{method} $path has no status $s" if !$reply;
    my $content = $reply->{content};
    (my $type = $r->{headers}{'content-type'} // '') =~ s/;.*//s;
    if (!$content || !%$content) {
        return $type ne '' && $s != 101 ? "the description of $r->{method} $path $s has no body" : ();
    }
    my $media = $content->{$type} // $content->{'*/*'} // (grep { /^\Q$type\E;/ } keys %$content)[0];
    $media = $content->{$media} if defined $media && !ref $media;
    return "the description of $r->{method} $path $s has no media type '$type'" if !$media;
    return if $type ne 'application/json' || !$media->{schema};
    return map {"$r->{method} $path $s: $_"} $self->check($media->{schema}, $r->{json}, '');
}

sub deref {
    my ($self, $ref) = @_;
    my $at = $self->{doc};
    for my $part (split m{/}, $ref =~ s/^#\///r) {
        $part =~ s/~1/\//g;
        $part =~ s/~0/~/g;
        $at = ref $at eq 'HASH' ? $at->{$part} : undef;
        return if !defined $at;
    }
    return $at;
}

sub is_number {
    my ($v) = @_;
    return 0 if !defined $v || ref $v;
    return B::svref_2object(\$v)->FLAGS & (B::SVp_IOK | B::SVp_NOK) && !(B::svref_2object(\$v)->FLAGS & B::SVp_POK);
}

sub type_of {
    my ($v) = @_;
    return 'null' if !defined $v;
    return 'boolean' if JSON::PP::is_bool($v);
    return 'object' if ref $v eq 'HASH';
    return 'array' if ref $v eq 'ARRAY';
    return is_number($v) || ref($v) =~ /^Math::Big/ ? ($v == int $v ? 'integer' : 'number') : 'string';
}

sub check_type {
    my ($want, $v, $at) = @_;
    my @want = ref $want ? @$want : $want;
    my $got = type_of($v);
    return if grep { $_ eq $got || ($_ eq 'number' && $got eq 'integer') } @want;
    return "$at: " . join(' or ', @want) . " is expected, got $got";
}

sub same {
    my ($x, $y) = @_;
    return 0 if type_of($x) ne type_of($y);
    my $j = JSON::PP->new->canonical->allow_nonref;
    return $j->encode($x) eq $j->encode($y);
}

my %format = (
    uuid        => qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
    'date-time' => qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/,
    date        => qr/^\d{4}-\d\d-\d\d$/,
);

sub check_text {
    my ($s, $v, $at) = @_;
    my @f;
    push @f, "$at: is longer than $s->{maxLength}" if defined $s->{maxLength} && length $v > $s->{maxLength};
    push @f, "$at: is shorter than $s->{minLength}" if defined $s->{minLength} && length $v < $s->{minLength};
    my $re = $format{ $s->{format} // '' };
    push @f, "$at: is no $s->{format}" if $re && $v !~ $re;
    push @f, "$at: does not match $s->{pattern}" if defined $s->{pattern} && $v !~ /$s->{pattern}/;
    return @f;
}

sub check_number {
    my ($s, $v, $at) = @_;
    my @f;
    push @f, "$at: is above $s->{maximum}" if defined $s->{maximum} && $v > $s->{maximum};
    push @f, "$at: is below $s->{minimum}" if defined $s->{minimum} && $v < $s->{minimum};
    return @f;
}

sub check_object {
    my ($self, $s, $v, $at) = @_;
    my @f = map {"$at.$_: is missing"} grep { !exists $v->{$_} } @{ $s->{required} // [] };
    my $more = $s->{additionalProperties};
    for my $k (sort keys %$v) {
        my $p = $s->{properties}{$k};
        if ($p) { push @f, $self->check($p, $v->{$k}, "$at.$k") }
        elsif (ref $more eq 'HASH') { push @f, $self->check($more, $v->{$k}, "$at.$k") }
        elsif (defined $more && !$more) { push @f, "$at.$k: is not in the description" }
    }
    return @f;
}

sub check_array {
    my ($self, $s, $v, $at) = @_;
    my @f;
    push @f, "$at: has more than $s->{maxItems} elements" if defined $s->{maxItems} && @$v > $s->{maxItems};
    push @f, "$at: has fewer than $s->{minItems} elements" if defined $s->{minItems} && @$v < $s->{minItems};
    if ($s->{items}) {
        for my $i (0 .. $#$v) {
            push @f, $self->check($s->{items}, $v->[$i], "$at\[$i]");
            last if @f > 20;
        }
    }
    return @f;
}

sub check_choices {
    my ($self, $s, $v, $at) = @_;
    my @f = map { $self->check($_, $v, $at) } @{ $s->{allOf} // [] };
    for my $word (grep { $s->{$_} } qw(oneOf anyOf)) {
        my @tries = map { [ $self->check($_, $v, $at) ] } @{ $s->{$word} };
        my $fit = grep { !@$_ } @tries;
        my ($near) = sort { @$a <=> @$b } @tries;
        push @f, "$at: fits none of $word", @$near if !$fit;
        push @f, "$at: fits $fit of oneOf" if $word eq 'oneOf' && $fit > 1;
    }
    return @f;
}

# What is wrong with a value, as sentences.
sub check {
    my ($self, $s, $v, $at) = @_;
    if (!ref $s || JSON::PP::is_bool($s)) { return $s ? () : "$at: nothing is allowed here" }
    if ($s->{'$ref'}) {
        my $to = $self->deref($s->{'$ref'}) or return "$at: $s->{'$ref'} leads nowhere";
        return $self->check($to, $v, $at);
    }
    my @f = map {"$at: the description says '$_', which this check does not know"} grep { !$known{$_} } sort keys %$s;
    push @f, $self->check_choices($s, $v, $at);
    if ($s->{type}) {
        my $wrong = check_type($s->{type}, $v, $at);
        return (@f, $wrong) if $wrong;
    }
    push @f, "$at: is none of the words of its enum" if $s->{enum} && !grep { same($_, $v) } @{ $s->{enum} };
    push @f, "$at: is not what it must be" if exists $s->{const} && !same($s->{const}, $v);
    my $t = type_of($v);
    push @f, check_text($s, $v, $at) if $t eq 'string';
    push @f, check_number($s, $v, $at) if $t eq 'integer' || $t eq 'number';
    push @f, $self->check_object($s, $v, $at) if $t eq 'object';
    push @f, $self->check_array($s, $v, $at) if $t eq 'array';
    return @f;
}

1;
