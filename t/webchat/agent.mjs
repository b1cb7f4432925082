// One agent: its settings, tools, files, and what it does.
import { accessible, agent, answer, ask, base, check, everyWay, on, picture, ready, soon, steps, talk } from './lib.mjs';

const { LF_SLOW: slow, LF_CHANGING: changing } = process.env;
const line = (page, name) => page.locator('.line', { has: page.locator(`strong:text-is("${name}")`) });
const title = (page, text) => page.waitForFunction((t) => document.querySelector('h1')?.textContent === t, text);
const said = (page, re) => page.waitForFunction((r) => [...document.querySelectorAll('.main [role=status]')].some((e) => new RegExp(r).test(e.textContent)), re);

await steps({
	'its settings': async () => {
		const b = await on({ at: `/#/agents/${changing}`, expected: [/status of 4/] }), { page } = b;
		await title(page, 'changing');
		await page.getByLabel('Description').waitFor();
		await everyWay(page, 'settings');
		check(await page.getByRole('button', { name: 'Save' }).isDisabled(), 'what was not changed is not saved');
		await page.getByLabel('Name', { exact: true }).fill('offline-one');
		await page.getByRole('button', { name: 'Save' }).click();
		await page.waitForSelector('.save .problem');
		check(true, 'a name in use is refused in words');
		await page.getByLabel('Name', { exact: true }).fill('renamed');
		await page.getByLabel('Instructions').fill('Be brief.');
		await page.getByLabel('Temperature').fill('0.2');
		await page.getByLabel('Mode', { exact: true }).selectOption('assist');
		await page.getByLabel('It works', { exact: true }).selectOption('periodic');
		await page.getByLabel('Timetable').fill('5 4 * * *');
		await page.getByRole('button', { name: 'Save' }).click();
		await said(page, 'Saved');
		await title(page, 'renamed');
		await page.reload();
		await page.waitForFunction(() => document.querySelector('textarea')?.value === 'Be brief.');
		const values = await page.evaluate(() => [...document.querySelectorAll('.settings input, .settings select')].map((e) => e.value));
		check(['renamed', '0.2', 'assist', 'periodic', '5 4 * * *'].every((v) => values.includes(v)), 'all of it lasts', values);
		await b.over('settings');
	},

	'its tools and files': async () => {
		const b = await on({ at: `/#/agents/${changing}` }), { page } = b;
		await page.click('.tabs >> text=Tools');
		await page.click('text=Some tools');
		await everyWay(page, 'tools');
		for (const box of await page.locator('.checks input').all()) await box.uncheck();
		await page.click('text=Save');
		await page.waitForSelector('.save .problem');
		check(true, 'some tools are at least one');
		await page.locator('.check', { hasText: 'file_read' }).locator('input').check();
		await page.click('text=Save');
		await said(page, 'Saved');
		await page.reload();
		await page.waitForSelector('.checks');
		check(await page.locator('.checks input:checked').count() === 1, 'what it may use lasts');

		await page.click('.tabs >> text=Files');
		await page.waitForFunction(() => document.querySelector('.editor textarea')?.value.includes('Soul'));
		await everyWay(page, 'files');
		await page.fill('.editor textarea', 'x'.repeat(32769));
		check(await page.locator('.editor >> text=Save').isDisabled(), 'a file that is too long is not sent');
		await page.fill('.editor textarea', 'Curious, <b>plain</b>.');
		await page.locator('.editor >> text=Save').click();
		await said(page, 'Saved');
		await page.locator('.files .row', { hasText: 'USER.md' }).click();
		await page.waitForFunction(() => document.querySelector('.editor textarea')?.value.includes('User'));
		await page.locator('.files .row', { hasText: 'SOUL.md' }).click();
		await page.waitForFunction(() => document.querySelector('.editor textarea')?.value === 'Curious, <b>plain</b>.');
		check(true, 'a file is written and read again');
		await page.locator('.editor >> text=Delete').click();
		await page.locator('dialog button[type=submit]').click();
		await page.waitForFunction(() => document.querySelector('.files .row').textContent.includes('not there'));
		check(await page.inputValue('.editor textarea') === '', 'and deleted');
		await b.over('tools and files');
	},

	'what it does': async () => {
		const b = await on({ at: talk(slow) }), { page } = b;
		await ready(page);
		await ask(page, 'SLOWLY please');
		await page.waitForSelector('.answer.is-coming .prose');
		await page.goto(`${base}/#/agents/${slow}/activity`);
		await page.waitForSelector('.line >> text=Watch');
		check(true, 'a turn that runs is listed');
		await everyWay(page, 'activity');
		await page.click('text=Watch');
		await page.waitForSelector('.answer.is-coming .prose');
		check(true, 'and can be watched as it comes');
		await page.goto(`${base}/#/agents`);
		await line(page, 'slow-one').locator('[aria-label^="Stop"]').click();
		await said(page, 'run cancelled');
		check(true, 'or stopped');
		await line(page, 'slow-one').locator('[aria-label^="Put"]').click();
		await said(page, 'at rest');
		await soon(async () => (await line(page, 'slow-one').locator('.badge').textContent()) === 'at rest', 'an agent is put to rest');
		await page.goto(base + talk(slow));
		await page.waitForSelector('.notice >> text=at rest');
		await accessible(page, 'at rest');
		await page.click('text=Wake it');
		await page.waitForFunction(() => !document.querySelector('.notice'));
		check(true, 'which is told where one talks, and can be ended there');
		await page.goto(`${base}/#/agents`);
		await line(page, 'slow-one').locator('[aria-label^="Put"]').click();
		await said(page, 'at rest');
		await line(page, 'slow-one').locator('[aria-label^="Wake"]').click();
		await said(page, 'awake');
		await soon(async () => (await line(page, 'slow-one').locator('.badge').textContent()) === 'ready', 'and awakened');

		await page.goto(base + talk());
		await page.waitForSelector('.empty h2, .item');
		await ready(page);
		await ask(page, 'what do you know about coffee');
		await answer(page);
		await page.goto(`${base}/#/agents/${agent}/activity`);
		await page.waitForSelector('.tool.is-failed');
		await page.click('.tool summary');
		check((await page.textContent('.tool .fold-body')).includes('"coffee"'), 'tool calls can be looked into');
		check(await page.locator('table tbody tr').count() > 0, 'and calls of the model');
		check((await page.locator('[aria-label="Table of the log"]').textContent()).includes('AgentMessage'), 'and its log');
		await accessible(page, 'traces');
		await picture(page, 'activity');
		await b.over('what it does');
	},
});
