// The agents' page: the list, making, copying, deleting.
import { accessible, agent, base, check, everyWay, on, ready, steps, talk } from './lib.mjs';

const { LF_SLOW: slow } = process.env;
const line = (page, name) => page.locator('.line', { has: page.locator(`strong:text-is("${name}")`) });
const title = (page, text) => page.waitForFunction((t) => document.querySelector('h1')?.textContent === t, text);

await steps({
	'the list': async () => {
		const b = await on({ at: talk() }), { page } = b;
		await ready(page);
		check(await page.evaluate(() => !performance.getEntriesByType('resource').some((e) => /agents-/.test(e.name))), 'the page of agents is not part of the first load');
		await page.click('.pages >> text=Agents');
		await title(page, 'Agents');
		await line(page, 'offline-one').waitFor();
		check(await page.evaluate(() => document.activeElement.tagName) === 'H1', 'a page begins at its heading');
		check((await page.title()).startsWith('Agents'), 'and names the tab');
		check(await page.locator('.pages [aria-current=page]').textContent() === 'Agents', 'and its link');
		await everyWay(page, 'agents');
		await page.fill('[aria-label="Search agents"]', 'slow-o');
		await page.waitForFunction(() => document.querySelectorAll('.line').length === 1);
		check(await line(page, 'slow-one').count() === 1, 'it can be searched');
		await page.fill('[aria-label="Search agents"]', '');
		await line(page, 'offline-one').waitFor();
		await page.goBack();
		await page.waitForSelector('#box');
		check(page.url().includes(agent), 'the way back leads to the conversation');
		await b.over('the list');
	},

	'a page that does not come': async () => {
		const b = await on({ at: talk(), expected: [/./] }), { page } = b;
		await ready(page);
		await page.route('**/assets/usage-*', (r) => r.abort());
		await page.click('.pages >> text=Usage');
		await page.waitForSelector('text=could not be loaded');
		await accessible(page, 'a page that does not come');
		await page.unroute('**/assets/usage-*');
		await page.click('text=Load again');
		await page.waitForSelector('.chart');
		check(true, 'can be loaded again');
		await b.over('a page that does not come');
	},

	'one of very many': async () => {
		const b = await on({ signed: true, at: '/#/agents' }), { page } = b;
		await page.route('**/api/agents?limit=500*', async (r) => {        // as if it were the five hundred and first
			const answer = await r.fetch(), body = await answer.json();
			await r.fulfill({ response: answer, json: { ...body, items: body.items.filter((a) => a.id !== slow) } });
		});
		await page.goto(base + talk(slow));
		await page.reload();
		await page.waitForFunction(() => document.querySelector('.empty h2')?.textContent === 'Talk with slow-one');
		check(page.url().includes(slow), 'an agent that the list does not hold can be talked with too');
		await b.over('one of very many');
	},

	'made from a manifest, copied, and deleted': async () => {
		const b = await on({ at: '/#/agents', expected: [/status of 4/] }), { page } = b;
		await page.click('text=New agent');
		await page.fill('#agent-name', 'from-text');
		await page.check('input[name=template][value=""]');
		await page.fill('#agent-manifest', 'description = "half a manifest');
		await page.click('text=Create agent');
		await page.waitForSelector('dialog .problem');
		check((await page.textContent('dialog .problem')).length > 10, 'a manifest that is none is refused in words');
		await accessible(page, 'a manifest');
		await page.fill('#agent-manifest', 'description = "Written out."\n[model]\nprovider = "offline"\nmodel = "offline"\n');
		await page.click('text=Create agent');
		await page.waitForFunction(() => document.querySelector('.empty h2')?.textContent === 'Talk with from-text');
		await page.goto(`${base}/#/agents`);
		await line(page, 'from-text').waitFor();
		check((await line(page, 'from-text').textContent()).includes('Written out.'), 'an agent is made from a manifest');
		await line(page, 'from-text').locator('[aria-label^="Copy"]').click();
		await page.waitForSelector('dialog');
		await accessible(page, 'a copy');
		await page.getByLabel('Name of the copy').fill('offline-one');
		await page.click('text=Make the copy');
		await page.waitForSelector('dialog .problem');
		check(await page.locator('dialog').count() === 1, 'a copy cannot take a name in use');
		await page.getByLabel('Name of the copy').fill('second-text');
		await page.click('text=Make the copy');
		await title(page, 'second-text');
		check(true, 'a copy is shown at once');
		await page.click('[aria-label="Delete second-text"]');
		await page.waitForSelector('dialog');
		check((await page.textContent('dialog')).includes('cannot be undone'), 'before it is deleted one is asked');
		await page.click('text=Cancel');
		await page.waitForFunction(() => !document.querySelector('dialog'));
		check((await page.evaluate(() => document.activeElement.getAttribute('aria-label'))) === 'Delete second-text', 'and may think better of it');
		await page.click('[aria-label="Delete second-text"]');
		await page.click('text=Delete for good');
		await title(page, 'Agents');
		await page.waitForFunction(() => document.querySelector('.line'));
		check(await line(page, 'second-text').count() === 0 && await line(page, 'from-text').count() === 1, 'then it is gone, and it alone');
		await b.over('made, copied, deleted');
	},
});
