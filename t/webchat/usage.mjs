// What was used and what it cost, as figures, drawings, tables and a file; budgets that hold.
import { accessible, answer, ask, base, check, everyWay, on, ready, steps, talk } from './lib.mjs';
import { readFileSync } from 'node:fs';

const { LF_TMP: tmp, LF_HERS: hers } = process.env;
const tile = (page, name) => page.locator('.tile', { has: page.locator(`dt:text-is("${name}")`) });
const saved = (page) => page.waitForFunction(() => [...document.querySelectorAll('.save [role=status]')].some((e) => e.textContent === 'Saved.'));

await steps({
	'usage': async () => {
		const b = await on({ at: talk() }), { page } = b;
		await ready(page);
		await ask(page, 'hello');
		const cost = (await (await answer(page)).locator('.spent').textContent()).match(/\$[\d.]+/)?.[0];
		check(!!cost, 'a turn tells what it cost');
		await page.goto(`${base}/#/usage`);
		await tile(page, 'Cost').waitFor();
		check((await tile(page, 'Cost').textContent()).includes(cost) || (await tile(page, 'Cost').textContent()).includes('< $0.0001'), 'which is part of the sum');
		check((await tile(page, 'Model calls').textContent()).includes('1'), 'as its call is');
		await page.waitForSelector('.chart svg');
		check(await page.locator('.chart rect[height]:not([height="0"])').count() === 1, 'the day is drawn as a column');
		check(/^Cost of the last seven days\. The most, \$/.test(await page.locator('.chart svg').getAttribute('aria-label')), 'which says in words what it shows');
		await everyWay(page, 'usage');
		await page.setViewportSize({ width: 390, height: 844 });
		check(await page.locator('.chart').evaluate((c) => [...c.querySelectorAll('.scale')].every((t) => t.getBoundingClientRect().left >= c.getBoundingClientRect().left)), 'on a phone the scale can be read');
		await page.setViewportSize({ width: 1280, height: 820 });
		await page.click('.choices >> text=Calls');
		await page.click('text=Show as a table');
		check(await page.locator('.chart tbody tr').count() === 7, 'the same is there as a table');
		check((await page.locator('.chart tbody tr').last().textContent()).includes('1'), 'with the same figures');
		await accessible(page, 'usage as a table');
		check((await page.locator('[aria-label="Table of models"]').textContent()).includes('mock-model'), 'each model has its line');
		check((await page.locator('[aria-label="Table of agents"]').textContent()).includes('spender'), 'and each agent');
		const [file] = await Promise.all([page.waitForEvent('download'), page.click('text=Export as CSV')]);
		await file.saveAs(`${tmp}/usage.csv`);
		const lines = readFileSync(`${tmp}/usage.csv`, 'utf8').trim().split(/\r?\n/);
		check(lines.length === 2 && lines[0].startsWith('timestamp,') && lines[1].includes('mock-model'), 'all of it is a file for a spreadsheet', lines);
		await b.over('usage');
	},

	'budgets': async () => {
		const b = await on({ at: '/#/usage/budgets', expected: [/status of 4/] }), { page } = b;
		await page.getByLabel('At most a day').waitFor();
		await page.getByLabel('At most a day').fill('2.5');
		await page.getByLabel('Warn at').fill('70');
		await page.locator('.settings >> text=Save').click();
		await saved(page);
		await page.waitForFunction(() => document.querySelector('meter'));
		check((await tile(page, 'Today').textContent()).includes('of $2.50'), 'a limit for all together can be set');
		await everyWay(page, 'budgets');
		await page.reload();
		await page.waitForFunction(() => [...document.querySelectorAll('input')].some((i) => i.value === '70'));
		check(await page.getByLabel('At most a day').inputValue() === '2.5', 'and stays');
		await page.getByLabel('At most a day').fill('-1');
		await page.locator('.settings >> text=Save').click();
		check(await page.getByLabel('At most a day').evaluate((e) => !e.validity.valid), 'less than nothing is no limit');

		for (const [table, who] of [['agents', 'assistant'], ['providers', 'offline'], ['users', 'ursula']]) {
			check(await page.locator(`[aria-label="Table of budgets of ${table}"] [aria-label="Budget of ${who}"]`).isVisible(), `who has spent nothing yet is there too: ${who}`);
		}
		await page.setViewportSize({ width: 390, height: 844 });
		const pencil = page.locator('[aria-label="Budget of spender"]'), box = await pencil.boundingBox();
		check(box.x + box.width <= 390, 'on a phone its button is in sight', box);
		await page.setViewportSize({ width: 1280, height: 820 });
		await page.click('[aria-label="Budget of spender"]');
		await page.waitForSelector('dialog');
		await accessible(page, 'a budget');
		await page.locator('dialog input').nth(1).fill('0.000001');
		await page.locator('dialog button[type=submit]').click();
		await page.waitForFunction(() => !document.querySelector('dialog'));
		await page.waitForFunction(() => document.querySelector('[aria-label="Table of budgets of agents"]').textContent.includes('< $0.0001'));
		check(true, 'an agent has a limit of its own');
		await page.goto(base + talk());
		await page.waitForSelector('.item');
		await ready(page);
		await ask(page, 'one more');
		const a = await answer(page);
		check(await a.evaluate((x) => x.matches('.is-failed')) && /budget|limit|quota/i.test(await a.locator('.problem').textContent()), 'which holds, and is told where one talks', await a.textContent());

		const spent = await fetch(`${base}/api/agents/${hers}/message`, { method: 'POST', headers: { Authorization: 'Bearer ursula-user-key', 'Content-Type': 'application/json' }, body: '{"message":"hello"}' });
		check(spent.status === 200, 'a user spends something');
		await page.goto(`${base}/#/usage/budgets`);
		await page.click('[aria-label="Budget of openai"]');
		await page.locator('dialog input').nth(2).fill('9');
		await page.locator('dialog button[type=submit]').click();
		await page.waitForFunction(() => document.querySelector('[aria-label="Table of budgets of providers"]').textContent.includes('of $9.00'));
		check(true, 'a provider too');
		await page.click('[aria-label="Budget of ursula"]');
		await page.locator('dialog input').nth(1).fill('0.75');
		await page.locator('dialog button[type=submit]').click();
		const users = page.locator('[aria-label="Table of budgets of users"]');
		await users.locator('text=of $0.75').waitFor();
		check(true, 'a user too');
		await page.click('[aria-label="Budget of ursula"]');
		await page.click('text=No budget');
		await page.waitForFunction(() => !document.querySelector('[aria-label="Table of budgets of users"]').textContent.includes('0.75'));
		check(true, 'until there is none');
		await b.over('budgets');
	},
});
