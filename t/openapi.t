#!/usr/bin/perl
# The OpenAPI document in the eyes of a linter that others wrote (Redocly, from
# npm), and of a validator of JSON Schema (Ajv): both optional.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;
use LF;
use Test::More;

my $gen = LF::builddir() . '/lf-gen';
plan skip_all => 'lf-gen is not built here' unless -x $gen;

my $tmp = tempdir(CLEANUP => 1);
my $file = "$tmp/openapi.json";
is system("'$gen' openapi > '$file'"), 0, 'the document is made';
my $doc = eval { decode_json(LF::slurp($file)) };
ok $doc, 'it is JSON' or BAIL_OUT('no document');
like $doc->{openapi}, qr/^3\.1\.\d+$/, 'it says that it is OpenAPI 3.1';
ok $doc->{info}{title} && $doc->{info}{version} && $doc->{info}{license}, 'it says what it describes';

my $npm = LF::srcdir() . '/t/npm/node_modules';
my ($node) = grep { -x } "$npm/.bin/node", map {"$_/node"} split /:/, $ENV{PATH};

SKIP: {
    skip 'Redocly is not installed (npm ci in t/npm)', 1 unless -e "$npm/.bin/redocly" && $node;
    open my $fh, '>', "$tmp/redocly.yaml" or die "$tmp: $!";
    print $fh "extends:\n  - spec\n  - minimal\nrules:\n  operation-4xx-response: error\n  no-unused-components: error\n"
        . "  operation-operationId-unique: error\n  operation-summary: error\n  path-parameters-defined: error\n"
        . "  security-defined: error\n  no-ambiguous-paths: off\n  no-identical-paths: error\n"
        . "telemetry: off\n";
    close $fh;
    my $out = qx(cd '$tmp' && REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_TELEMETRY=off CI=1 '$node' '$npm/.bin/redocly' lint --config redocly.yaml --format=stylish openapi.json 2>&1);
    is $?, 0, 'a linter of OpenAPI has nothing to say against it' or diag substr $out, 0, 6000;
}

SKIP: {
    skip 'Ajv is not installed (npm ci in t/npm)', 1 unless -d "$npm/ajv" && -d "$npm/ajv-formats" && $node;
    open my $fh, '>', "$tmp/check.js" or die "$tmp: $!";
    print $fh <<"JS";
const Ajv = require("$npm/ajv/dist/2020").default;
const ajv = new Ajv({ strict: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
require("$npm/ajv-formats").default(ajv);
const doc = require("$file");
ajv.addSchema({ \$id: "doc", components: doc.components }, undefined, undefined, false);
ajv.addVocabulary(["components", "example"]);
let bad = 0;
for (const name of Object.keys(doc.components.schemas)) {
	try { ajv.compile({ \$ref: "doc#/components/schemas/" + name }); }
	catch (e) { console.log(name + ": " + e.message); bad = 1; }
}
process.exit(bad);
JS
    close $fh;
    my $out = qx('$node' '$tmp/check.js' 2>&1);
    is $?, 0, 'every schema in it is JSON Schema 2020-12' or diag substr $out, 0, 4000;
}
done_testing;
