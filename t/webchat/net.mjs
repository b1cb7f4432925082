// Connections that break or are not to be had, and turns that one does not watch to their end.
import { agent, answer, ask, base, check, fresh, gate, key, on, picture, soon, steps, talk } from './lib.mjs';

const coming = (page) => page.waitForSelector('.answer.is-coming .prose');
const last = (page) => page.locator('.answer').last();
const later = gate('later'), slowly = gate('slowly');
// Who reloads before the server has the question finds it when it is answered.
const had = (text) => soon(async () => (await (await fetch(`${base}/api/agents/${agent}/session`,
	{ headers: { Authorization: `Bearer ${key}` } })).text()).includes(text), 'the server has the question');
const failedSocket = /WebSocket connection|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION|Failed to load resource/;

await steps({
	'a reload during a turn': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, 'LATER please');
		await page.waitForSelector('.answer.is-coming');
		await had('LATER please');
		await page.reload();
		await page.waitForSelector('.bubble');
		check(await page.locator('.bubble').textContent() === 'LATER please', 'the question is there');
		await page.waitForSelector('.answer.is-coming');
		check(true, 'its answer is awaited');
		later.open();
		const a = await answer(page);
		check((await a.textContent()).includes('The answer that came later.'), 'and comes');
		check(await page.locator('.item').count() === 2, 'once');
		await b.over('a reload');
	},

	'a reload while it speaks': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, 'SLOWLY now');
		await coming(page);
		await page.reload();
		await page.waitForSelector('.bubble');
		await coming(page);
		const early = await page.textContent('.answer.is-coming .prose');
		check(early.includes('word1 ') && !early.includes('word120'), 'the words that were said before, and those that still come, are shown as they come');
		slowly.open();
		const a = await answer(page);
		check((await a.textContent()).includes('word1 ') && (await a.textContent()).includes('word120'), 'and at its end the whole answer');
		check(await page.locator('.item').count() === 2, 'once');
		await b.over('a reload while it speaks');
	},

	'another conversation meanwhile': async () => {
		const b = await fresh(), { page } = b;
		later.shut();
		await ask(page, 'LATER again');
		await page.waitForSelector('.answer.is-coming');
		await page.click('.row.new');
		await page.waitForSelector('.empty h2');
		await page.waitForSelector('.session .pulse');
		check(true, 'the list shows where an agent works');
		await page.click('.session >> text=LATER again');
		later.open();
		const a = await answer(page);
		check((await a.textContent()).includes('The answer that came later.'), 'whose answer is there when one comes back');
		await b.over('meanwhile');
	},

	'offline and online': async () => {
		const b = await fresh({ expected: [failedSocket] }), { page, context } = b;
		later.shut();
		await ask(page, 'LATER still');
		await soon(() => page.lastFrames.some((f) => f.includes('"typing"')), 'a question has arrived');
		await context.setOffline(true);
		await page.waitForSelector('.is-offline');
		check((await page.textContent('.notices')).includes('Offline'), 'a connection that is gone is told');
		await picture(page, 'offline');
		await page.waitForTimeout(300);
		await context.setOffline(false);
		await page.waitForSelector('.is-online');
		check(true, 'it comes back by itself');
		later.open();
		const a = await answer(page);
		check((await a.textContent()).includes('The answer that came later.'), 'and with it the answer of the turn that ran');
		check(await page.locator('.item').count() === 2, 'once');
		await ask(page, 'QUICKLY more');
		check((await (await answer(page)).textContent()).includes('Hello from the mock.'), 'the conversation goes on');
		await context.setOffline(true);
		await page.waitForSelector('.is-offline');
		await ask(page, 'QUICKLY into the void');
		const lost = await answer(page);
		check(await lost.evaluate((x) => x.matches('.is-failed')), 'what is said offline is not lost silently');
		await context.setOffline(false);
		await page.waitForSelector('.is-online');
		await last(page).locator('text=Try again').click();
		check((await (await answer(page)).textContent()).includes('Hello from the mock.'), 'and can be sent when the connection is back');
		await b.over('offline');
	},

	'without WebSocket': async () => {
		const b = await on({ at: '/', signed: false, expected: [/./] }), { page } = b;
		await page.addInitScript(() => { window.WebSocket = class { static OPEN = 1; readyState = 3; constructor() { setTimeout(() => this.onclose?.(), 5); } close() {} send() {} }; });
		await page.addInitScript((k) => localStorage.setItem('lf-token', k), key);     // before the page looks: one that was refused forgets its key
		await page.goto(page.url() + talk().slice(1));
		await page.reload();
		await page.waitForSelector('#box:not([disabled])');
		await page.click('.row.new');
		await page.waitForSelector('.empty h2');
		await ask(page, 'hello there');
		const a = await answer(page);
		check((await a.textContent()).includes('Hello from the mock.'), 'the answer comes as a stream of events');
		check(/\d in/.test(await a.locator('.spent').textContent()), 'with what it took');
		slowly.shut();
		await ask(page, 'SLOWLY now');
		await coming(page);
		await page.click('.send.stop');
		check(await (await answer(page)).evaluate((x) => x.matches('.is-stopped')), 'and can be stopped');
		await b.over('without WebSocket');
	},
});
