// A browser for the tests of the page: `on(server, options)` opens one, `check` says
// "ok NAME" or "not ok NAME", and `over` looks at what the browser complained about.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { chromium } from '../npm/node_modules/playwright-core/index.mjs';

export const { LF_BASE: base, LF_KEY: key, LF_AGENT: agent, LF_CHROMIUM: program } = process.env;
const axe = readFileSync(new URL('../npm/node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

let failures = 0, current = null;
export function check(good, name, more) {
	console.log(`${good ? 'ok' : 'not ok'} ${name}`);
	if (!good) failures++;
	if (!good && more !== undefined) console.log(`# ${name}: ${typeof more === 'string' ? more : JSON.stringify(more)}`);
	return good;
}

const browser = await chromium.launch({ executablePath: program, args: process.getuid() === 0 ? ['--no-sandbox'] : [] });

// complaints: what the browser said; expected: patterns of what it may say in this test
export async function on({ expected = [], signed = true, at = '/', storage = {}, ...options } = {}) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 820 }, locale: 'en-GB', reducedMotion: 'reduce', ...options });
	const kept = { ...(signed && key ? { 'lf-token': key } : {}), ...storage };
	await context.addInitScript((pairs) => {
		if (sessionStorage.getItem('test-filled')) return;
		sessionStorage.setItem('test-filled', '1');
		for (const [k, v] of Object.entries(pairs)) localStorage.setItem(k, v);
	}, kept);
	const page = current = await context.newPage();
	page.lastFrames = [];
	page.on('websocket', (w) => {
		for (const e of ['framesent', 'framereceived']) w.on(e, (f) => page.lastFrames.push(`${e.slice(5)}: ${String(f.payload).slice(0, 160)}`));
		w.on('close', () => page.lastFrames.push('closed'));
	});
	page.setDefaultTimeout(60000);
	const complaints = [], foreign = [];
	page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') complaints.push(m.text()); });
	page.on('pageerror', (e) => complaints.push(String(e.stack)));
	page.on('request', (r) => { if (!r.url().startsWith(base) && !/^(blob|data):/.test(r.url())) foreign.push(r.url()); });
	await page.goto(base + at);
	return {
		context, page, complaints, foreign,
		async over(name) {
			const bad = complaints.filter((c) => !expected.some((e) => e.test(c)));
			check(bad.length === 0, `${name}: the browser has no complaints`, bad);
			check(foreign.length === 0, `${name}: nothing was asked of anybody else`, foreign);
			await context.close();
		},
	};
}

export const talk = (id = agent) => `/#/${id}`;
export const ready = (page) => page.waitForFunction(() => document.querySelector('.is-online') && !document.querySelector('[aria-busy="true"]'));

// A conversation of its own, still empty.
export async function fresh(o = {}) {
	const b = await on({ at: talk(), ...o });
	await ready(b.page);
	if (await b.page.locator('.item').count()) {
		await b.page.click('.row.new');
		await b.page.waitForSelector('.empty h2');
		await ready(b.page);
	}
	return b;
}

// The mock's answers that wait until somebody lets them (LF::Mock).
export const gate = (name) => ({
	open: () => writeFileSync(`${process.env.LF_GATES}/${name}`, ''),
	shut: () => rmSync(`${process.env.LF_GATES}/${name}`, { force: true }),
});

// What follows from an event a little later than we see it.
export async function soon(test, name, more) {
	let good = false;
	for (const end = Date.now() + 30000; !good && Date.now() < end;) {
		good = await test();
		if (!good) await new Promise((done) => setTimeout(done, 50));
	}
	return check(good, name, more);
}

export async function ask(page, text) {
	await page.fill('#box', text);
	await page.press('#box', 'Enter');
}

// The last answer, once it is whole.
export async function answer(page) {
	const last = page.locator('.answer').last();
	await page.waitForFunction(() => {
		const list = document.querySelectorAll('.answer');
		return list.length && list[list.length - 1].matches('.is-done, .is-failed, .is-stopped');
	});
	return last;
}

export async function accessible(page, name) {
	await page.waitForTimeout(50);
	const found = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ['violations'] })`);
	const bad = found.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical' || v.impact === 'moderate');
	check(bad.length === 0, `${name}: axe finds nothing to object to`, bad.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join('; ')}`));
}

// Light and dark, at a desk and on a phone.
export async function everyWay(page, name) {
	const was = page.viewportSize();
	for (const [colorScheme, size] of [['light', was], ['dark', was], ['dark', { width: 375, height: 720 }]]) {
		const way = `${name}, ${colorScheme}${size === was ? '' : ', phone'}`;
		await page.emulateMedia({ colorScheme });
		await page.setViewportSize(size);
		await accessible(page, way);
		if (size !== was) check(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${way}: nothing sticks out`);
		await picture(page, way.replace(/\W+/g, '-'));
	}
	await page.setViewportSize(was);
	await page.emulateMedia({ colorScheme: 'light' });
}

export async function picture(page, name) {
	if (process.env.LF_PICTURES) await page.screenshot({ path: `${process.env.LF_PICTURES}/${name}.png` });
}

// What a failure looked like: the page's words, and the last that went over its sockets.
async function explain() {
	const text = await current?.locator('body').innerText({ timeout: 1000 }).catch(() => '');
	for (const line of [...(text ?? '').split('\n').filter(Boolean).slice(-30), ...(current?.lastFrames ?? []).slice(-20)]) console.log(`#   | ${line}`);
}

// Steps one after the other; one that throws is a failure, not the end.
export async function steps(list) {
	for (const [name, fn] of Object.entries(list)) {
		try {
			await fn();
		} catch (e) {
			check(false, name, String(e.stack).slice(0, 1500));
			await explain();
		}
	}
	await browser.close();
	process.exit(failures ? 1 : 0);
}

if (!existsSync(program)) throw new Error('no browser');
