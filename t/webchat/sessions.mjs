// The page of all conversations, what one's role may do, and slow readers.
import { accessible, agent, answer, ask, base, check, everyWay, fresh, key, on, ready, steps, talk } from './lib.mjs';
import { readFileSync, writeFileSync } from 'node:fs';

const { LF_SLOW: slow, LF_TMP: tmp, LF_USERS: users } = process.env;
const line = (page, title) => page.locator('.line', { has: page.locator(`strong:text-is("${title}")`) });
const closed = (page) => page.waitForFunction(() => !document.querySelector('dialog'));

await steps({
	'all conversations': async () => {
		const b = await on({ at: talk(), expected: [/status of 400/] }), { page } = b;
		await ready(page);
		await ask(page, 'tell me of herons');
		await answer(page);
		await page.goto(base + talk(slow));
		await page.waitForFunction((id) => location.hash.startsWith(`#/${id}/`), slow);
		await ready(page);
		await ask(page, 'SLOWLY now');
		await page.waitForSelector('.answer.is-coming .prose');
		await page.click('.pages >> text=Sessions');
		await line(page, 'tell me of herons').waitFor();
		check((await line(page, 'tell me of herons').textContent()).includes('offline-one'), 'conversations of all agents are listed');
		await everyWay(page, 'sessions');
		check(await page.locator('.badge >> text=working').count() === 1, 'the one that is at work says so');
		await page.click('[aria-label=Watch]');
		await page.waitForSelector('.answer.is-coming .prose');
		check(true, 'and can be watched');
		await page.goBack();
		await page.click('[aria-label=Stop]');
		await page.waitForFunction(() => !document.querySelector('.line .badge'));
		check(true, 'or stopped');

		await line(page, 'tell me of herons').locator('[aria-label=Name]').click();
		await page.locator('dialog input').fill('no / slash');
		await page.keyboard.press('Enter');
		await page.waitForSelector('dialog .problem');
		check(true, 'a name that is none is refused in words');
		await accessible(page, 'naming');
		await page.locator('dialog input').fill('Herons');
		await page.keyboard.press('Enter');
		await closed(page);
		await line(page, 'Herons').waitFor();
		check(true, 'a conversation can be named');

		await page.fill('[aria-label="Search all conversations"]', 'offline engine her');
		await page.waitForFunction(() => document.querySelectorAll('.line').length === 1);
		check((await line(page, 'Herons').textContent()).includes('herons'), 'the search finds what was said, in all of them');
		await accessible(page, 'a search');
		await page.route('**/api/sessions?*', async (r) => {        // as if there were five hundred newer ones
			const all = await r.fetch(), body = await all.json();
			await r.fulfill({ response: all, json: { ...body, items: body.items.filter((s) => s.label !== 'Herons') } });
		});
		await page.fill('[aria-label="Search all conversations"]', '');
		await line(page, 'Herons').waitFor({ state: 'detached' });
		await page.fill('[aria-label="Search all conversations"]', 'offline engine herons');
		await page.waitForFunction(() => document.querySelector('.line a')?.textContent.includes('herons'));
		check(true, 'old ones too');
		await page.unroute('**/api/sessions?*');
		await page.fill('[aria-label="Search all conversations"]', '"((zebra');
		await page.waitForFunction(() => !document.querySelector('.line'));
		check((await page.textContent('.sheet [role=status]')).includes('0 conversations found'), 'or nothing');
		await page.fill('[aria-label="Search all conversations"]', '');
		await line(page, 'Herons').waitFor();
		const [file] = await Promise.all([page.waitForEvent('download'), line(page, 'Herons').locator('[aria-label=Export]').click()]);
		await file.saveAs(`${tmp}/herons.json`);
		const kept = JSON.parse(readFileSync(`${tmp}/herons.json`, 'utf8'));
		check(kept.version === 1 && JSON.stringify(kept.messages).includes('herons'), 'and exported');
		await line(page, 'Herons').locator('[aria-label=Delete]').click();
		await page.waitForSelector('dialog');
		await accessible(page, 'deleting');
		await page.click('text=Delete for good');
		await closed(page);
		await page.waitForFunction(() => ![...document.querySelectorAll('.line strong')].some((e) => e.textContent === 'Herons'));
		check(true, 'and deleted');

		writeFileSync(`${tmp}/other.json`, 'no export');
		await page.click('text=Import');
		await page.setInputFiles('dialog input[type=file]', `${tmp}/other.json`);
		await page.locator('dialog button[type=submit]').click();
		await page.waitForSelector('dialog .problem');
		check(true, 'a file that is no export is refused in words');
		await page.setInputFiles('dialog input[type=file]', `${tmp}/herons.json`);
		await page.locator('dialog select').selectOption({ label: 'offline-one' });
		await page.locator('dialog button[type=submit]').click();
		await closed(page);
		await line(page, 'Herons').waitFor();
		await page.click('.lines >> text=Herons');
		await page.waitForSelector('.bubble');
		check(await page.locator('.bubble').textContent() === 'tell me of herons', 'an export is a conversation again');
		await b.over('sessions');
	},

	'who only reads': async () => {
		const b = await on({ signed: false, storage: { 'lf-token': users.split(' ')[0] } }), { page } = b;
		await page.waitForSelector('.reads');
		check(await page.locator('#box').count() === 0, 'a viewer has no box to write in');
		check(await page.locator('.row.new, [aria-label="New chat"]').count() === 0, 'nor a new conversation');
		await page.waitForSelector('.link >> text=Reading along');
		check(true, 'which is said');
		await accessible(page, 'a viewer');
		await page.goto(`${base}/#/agents`);
		await page.waitForSelector('.line');
		check(await page.locator('.line [aria-label^=Delete], .line [aria-label^=Copy], .line [aria-label^=Put], .head .solid').count() === 0, 'nothing is offered that a viewer may not do');
		await page.click('.lines a >> nth=0');
		await page.waitForSelector('.settings');
		check(await page.locator('.settings button').count() === 0 && await page.locator('.settings input').first().isDisabled(), 'settings are there to be read');
		await page.click('.tabs >> text=Files');
		await page.waitForSelector('.editor');
		check(await page.locator('.editor button').count() === 0, 'files too');
		await b.over('a viewer');
	},

	'who uses': async () => {
		const b = await on({ signed: false, storage: { 'lf-token': users.split(' ')[1] } }), { page } = b;
		await ready(page);
		await ask(page, 'hello');
		check((await (await answer(page)).textContent()).includes('offline engine'), 'a user talks with agents of her own');
		await page.goto(`${base}/#/agents`);
		await page.waitForSelector('.line');
		check(await page.locator('.line').count() === 1, 'sees those alone');
		check(await page.locator('.line [aria-label^=Copy]').count() === 1 && await page.locator('.line [aria-label^=Delete]').count() === 0, 'and is offered what she may do');
		await b.over('a user');
	},

	'a slow reader': async () => {
		const b = await fresh({ at: talk(slow), expected: [/WebSocket connection/] }), { page } = b;
		await ask(page, 'FLOOD please');
		await page.waitForSelector('.answer.is-coming');
		// the page hangs while megabytes come
		await page.evaluate(() => { const end = Date.now() + 2500; while (Date.now() < end); });
		await answer(page);
		await page.waitForFunction(() => document.querySelector('.answer:last-of-type')?.textContent.includes('word-the-last'));
		const text = await page.locator('.answer').last().textContent();
		check(text.includes('word-the-first') && (text.match(/word-the-last/g) ?? []).length === 1, 'has the whole answer at its end, once');
		check(text.length > 300000, 'though it was long', text.length);
		check(await page.locator('.item').count() === 2, 'below its question');
		await b.over('a slow reader');
	},
});
