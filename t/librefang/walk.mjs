// LibreFang's own page, unchanged, against our server: a person walks through it and does what people
// do there. What the page asks for and we have must be answered well; what we do not have yet is written down.
import { readFileSync } from 'node:fs';
import { base, check, key, on, picture, soon, steps } from '../webchat/lib.mjs';

const pages = process.env.LF_PAGES.split(' ');
const rows = readFileSync(process.env.LF_ROWS, 'utf8').trim().split('\n').map((line) => line.split('\t'))
	.map(([verb, path]) => [verb, new RegExp(`^${path.replace(/[.]/g, '\\.').replace(/\{\w+\*\}/g, '.+').replace(/\{\w+\}/g, '[^/]+')}$`)]);
const ours = (verb, path) => rows.some(([v, p]) => v === verb && p.test(path));

// Things that the page does wherever it is served from.
const expected = [/Failed to load resource/, /inline script violates/, /Loading the font/];

let b, page, under = 0, refused = [], lost = [], said = [], socket = '';
const absent = {};

// Nothing is under way, and nothing follows at once.
async function quiet() {
	for (let still = 0; still < 3;) {
		await page.waitForTimeout(20);
		still = under === 0 ? still + 1 : 0;
	}
}

// What went wrong since the last look; `may`: the answers that were meant to be refusals.
function well(name, may = [], whole = true) {
	const bad = refused.splice(0).filter((r) => !may.some((m) => m.test(r)));
	check(bad.length === 0, `${name}: what it asks of us is answered`, bad);
	absent[name] = [...new Set(lost.splice(0))];
	const loud = said.splice(0).filter((s) => !may.some((m) => m.test(s)));
	if (whole) check(loud.length === 0, `${name}: nothing is told to have failed`, loud);
}

async function signedIn() {
	await page.goto(`${base}/dashboard/`);
	await page.locator('input[type=password]').fill(key);
	await page.keyboard.press('Enter');
	await page.waitForSelector('a[href="/dashboard/agents"]');
}

const to = async (name) => {
	await page.locator(`a[href="/dashboard/${name}"]`).first().click();
	await page.waitForURL((url) => url.pathname.startsWith(`/dashboard/${name}`));
	await quiet();
};
const main = () => page.locator('#main-content');
const button = (name, where = page) => where.getByRole('button', { name, exact: typeof name === 'string' });
const agent = (name) => main().locator('button').filter({ hasText: name }).first();
const words = () => page.locator('body').innerText();
const shows = async (text, name) => await soon(async () => (await words()).includes(text), name) || console.log(`# ${(await words()).slice(-1500)}\n${page.lastFrames.slice(-12).join('\n')}`.replace(/\n/g, '\n# '));
const gone = (text, name) => soon(async () => !(await main().innerText()).includes(text), name);

await steps({
	'a key lets one in': async () => {
		b = await on({ signed: false, at: '/api/health', expected });
		page = b.page;
		await b.context.addInitScript(() => {
			new MutationObserver((list) => {
				for (const node of list.flatMap((m) => [...m.addedNodes]).filter((n) => n.nodeType === 1))
					for (const e of [node, ...node.querySelectorAll('[role=alert]')])
						if (e.matches('[role=alert][class*=error]')) console.debug(`told: ${e.innerText}`);
			}).observe(document, { childList: true, subtree: true });
		});
		page.on('console', (m) => { if (m.text().startsWith('told: ')) said.push(m.text().slice(6)); });
		page.on('websocket', (w) => {
			w.on('framereceived', (f) => { if (/^\{"type":"connected"/.test(f.payload)) socket = w.url(); });
			w.on('close', () => { if (socket === w.url()) socket = ''; });
		});
		const api = (r) => /^\/(?:api|v1)\//.test(new URL(r.url()).pathname);
		page.on('request', (r) => { if (api(r)) under++; });
		// an answer is there with its head: the page leaves some bodies unread
		page.on('response', (r) => { if (api(r)) under--; });
		page.on('requestfailed', async (r) => { if (api(r) && !await r.response()) under--; });
		page.on('response', (r) => {
			const { pathname, search } = new URL(r.url()), line = `${r.status()} ${r.request().method()} ${pathname}`;
			if (r.status() < 400 || !api(r)) return;
			if (r.status() === 404 && !ours(r.request().method(), pathname)) lost.push(line.slice(4));
			else refused.push(line + search);
		});
		await page.goto(`${base}/dashboard/`);
		await page.locator('input[type=password]').fill('no-such-key');
		await page.keyboard.press('Enter');
		await page.getByText(/Invalid API key/).waitFor();
		check(true, 'a wrong one does not');
		await signedIn();
		await quiet();
		await shows('1 agents online', 'the right one does, and the overview is there');
		await picture(page, 'overview');
		well('signing in', [/^401 /]);
	},

	'an agent from a template': async () => {
		await to('agents');
		await button(/Create Agent/).click();
		await button('From Template').click();
		await page.locator('select:has(option[value=coder])').selectOption('coder');
		await button(/Create Agent/).last().click();
		await agent(/coder/i).click();
		await main().getByText('From coder').waitFor();
		check(true, 'is made and shown');
		await button('Configure').last().click();
		await button('Clone').waitFor();
		await page.locator('textarea:visible').last().fill('Be kind and brief.');
		await button('Save').last().click();
		await shows('System prompt saved', 'gets another prompt');
		await button('Clone').click();
		await page.getByPlaceholder('my-agent-copy').fill('assistant');
		await button('Clone').first().click();
		await soon(() => said.some((s) => /already exists/.test(s)), 'is no copy of a name in use, which is told');
		await page.getByPlaceholder('my-agent-copy').fill('coder-two');
		await button('Clone').first().click();
		await agent(/coder-two/).waitFor();
		check(true, 'is copied under another');
		well('agents', [/^409 POST .*clone$/, /already exists/]);
	},

	'suspended, awake, gone': async () => {
		await page.goto(`${base}/dashboard/agents`);
		await agent(/coder-two/).click();
		await button('Suspend').first().click();
		await soon(async () => /SUSPENDED/.test(await agent(/coder-two/).innerText()), 'suspended');
		await page.reload();
		await agent(/coder-two/).click();
		await button('Resume').first().click();
		await soon(async () => /RUNNING/.test(await agent(/coder-two/).innerText()), 'awake again');
		for (const tab of ['Memory', 'Skills', 'Tools', 'Schedule', 'Logs']) {
			await main().getByText(tab, { exact: true }).last().click();
			await quiet();
		}
		await button('Configure').last().click();
		await button('Delete').click();
		await button('Confirm').click();
		await gone('coder-two', 'gone');
		await picture(page, 'agents');
		await quiet();
		well('agents at rest');
	},

	'a chat': async () => {
		await page.goto(`${base}/dashboard/chat`);
		const box = page.locator('textarea').last();
		const ask = async (text) => { await page.waitForFunction(() => !document.querySelector('textarea').disabled); await box.fill(text); await box.press('Enter'); };
		await button(/Assistant/).first().click();
		await page.getByText('WS', { exact: true }).waitFor();
		await ask('hello there');
		await shows('Hello from the mock.', 'a question is answered');
		// what is said between two sockets the page asks for without one, and shows no part of the answer
		await soon(() => socket.includes('session_id='), 'the socket is one of the session then');
		await box.fill('/');
		await shows('/compact', 'a slash shows the commands');
		check(!(await page.locator('body').innerText()).includes('/goal'), 'but none that nobody runs');
		await ask('/usage');
		await soon(async () => /session usage: ~\d+ in/i.test(await main().innerText()), 'one of them answers');
		await ask('answer SLOWLY please');
		await shows('word5 ', 'an answer comes while it is made');
		await button('Stop generating').click();
		await soon(async () => !(await box.isDisabled()), 'and is stopped');
		await ask('please USE-TOOL');
		await shows('It is a quiet place.', 'a tool runs for an answer');
		await page.locator('input[type=file]').first().setInputFiles({ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('remember the milk') });
		await shows('note.txt', 'a file is sent');
		await quiet();
		await ask('READ this');
		await shows('I have read it.', 'with a question');
		await picture(page, 'chat');
		await page.reload();
		await shows('I have read it.', 'all of it is there after a reload');
		check((await main().innerText()).includes('hello there'), 'from the beginning');
		await button(/^[0-9a-f]{8}$/).click();
		await button('New session').or(page.getByText('New session')).first().click();
		await gone('hello there', 'a new session is empty');
		await ask('something else');
		await shows('Hello from the mock.', 'and answers');
		await quiet();
		well('chat');
	},

	'what was said': async () => {
		await to('sessions');
		await shows('3 TOTAL', 'sessions are listed');
		await main().getByText('add label').first().click();
		await main().getByPlaceholder('Label...').fill('a fine label');
		await page.keyboard.press('Enter');
		await shows('a fine label', 'one is named');
		await main().locator('input').first().fill('assistant');
		await shows('2 TOTAL', 'some are found by their agent');
		await main().locator('button').last().click();
		await button('Confirm').click();
		await shows('1 TOTAL', 'and one is deleted');
		await picture(page, 'sessions');
		await quiet();
		well('what was said');
	},

	'limits, people, memory': async () => {
		await to('analytics');
		await shows('mock-model', 'analytics count what the model was asked');
		await main().getByPlaceholder('0', { exact: true }).first().fill('5');
		await button('Save').click();
		await quiet();
		const set = await page.request.get(`${base}/api/budget`, { headers: { Authorization: `Bearer ${key}` } });
		check((await set.json()).hourly_limit === 5, 'a budget is set there');
		await to('users');
		await button(/New user/).click();
		await page.getByPlaceholder('alice').fill('bea');
		await button('Create').click();
		await soon(async () => /bea/.test(await main().innerText()), 'a user is made');
		await to('memory');
		await main().locator('button, [role=tab]').filter({ hasText: /^KV/ }).first().click();
		await shows('teal', 'a value of an agent is shown');
		await picture(page, 'memory');
		await quiet();
		well('limits, people, memory');
	},

	'every page': async () => {
		await page.goto(`${base}/dashboard/${pages[0].split(':')[0]}`);
		await main().waitFor();
		lost = [];
		for (const [name, kind] of pages.map((p) => p.split(':'))) {
			await to(name);
			await soon(async () => (await main().innerText()).trim() !== '', `${name}: it opens`);
			await picture(page, name);
			well(name, [], kind === 'whole');
		}
	},

	'the browser': async () => {
		for (const [name, list] of Object.entries(absent)) console.log(`told ${name}: ${list.join(', ')}`);
		await b.over('all the way');
	},
});
