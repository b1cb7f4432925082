// Builds the page: node build.mjs [--out DIR]. Same input, same bytes.
// Names in assets/ carry a hash of what is in the file, so they may be cached for ever;
// index.html, which names them, never is.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const at = process.argv.indexOf('--out');
const out = resolve(at > 0 ? process.argv[at + 1] : join(here, 'dist'));
const fresh = out + '.new';

// The licences of what is in the bundle travel with it.
function licences(meta) {
	const names = new Set();
	for (const file of Object.keys(meta.inputs)) {
		const m = file.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/);
		if (m) names.add(m[1]);
	}
	return [...names].sort().map((name) => {
		const dir = join(here, 'node_modules', name);
		const p = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
		const file = readdirSync(dir).find((f) => /^licen[cs]e/i.test(f));
		return `== ${name} ${p.version} (${p.license})\n\n${file ? readFileSync(join(dir, file), 'utf8').trim() : ''}\n`;
	}).join('\n');
}

function hashed(name, text) {
	const hash = createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
	const file = name.replace(/(\.\w+)$/, `-${hash}$1`);
	writeFileSync(join(fresh, 'assets', file), text);
	return `/assets/${file}`;
}

rmSync(fresh, { recursive: true, force: true });
mkdirSync(join(fresh, 'assets'), { recursive: true });

const { metafile } = await build({
	absWorkingDir: here,
	entryPoints: { app: 'src/main.tsx' },
	outdir: join(fresh, 'assets'),
	publicPath: '/assets',
	entryNames: '[name]-[hash]', chunkNames: '[name]-[hash]', assetNames: '[name]-[hash]',
	bundle: true, minify: true, splitting: true, format: 'esm', target: 'es2022',
	jsx: 'automatic', jsxImportSource: 'preact',
	loader: { '.woff2': 'file' },
	legalComments: 'none', metafile: true, logLevel: 'warning',
});

const made = Object.keys(metafile.outputs).map((f) => basename(f));
const one = (pattern) => '/assets/' + made.find((f) => pattern.test(f));

// What the first script asks for at once need not wait until that has been read.
function preloads() {
	const [, app] = Object.entries(metafile.outputs).find(([f]) => /\/app-\w+\.js$/.test(f));
	const first = app.imports.filter((i) => i.kind === 'import-statement').map((i) => basename(i.path)).sort();
	return first.map((f) => `<link rel="modulepreload" href="/assets/${f}">`).join('\n');
}

const page = readFileSync(join(here, 'src', 'index.html'), 'utf8')
	.replace('@SCRIPT@', one(/^app-\w+\.js$/))
	.replace('@PRELOADS@', preloads())
	.replace('@STYLE@', one(/^app-\w+\.css$/))
	.replace('@FONT@', one(/^inter-latin-wght-normal-\w+\.woff2$/))
	.replace('@THEME@', hashed('theme.js', readFileSync(join(here, 'src', 'theme.js'), 'utf8')))
	.replace('@ICON@', hashed('icon.svg', readFileSync(join(here, 'src', 'icon.svg'), 'utf8')))
	.replace('@LICENCES@', hashed('licences.txt', licences(metafile)));
writeFileSync(join(fresh, 'index.html'), page);

rmSync(out, { recursive: true, force: true });
renameSync(fresh, out);
