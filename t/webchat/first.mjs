// The first minutes: signing in, an agent, an answer, a tool, another conversation, another agent.
import { accessible, agent, answer, ask, base, check, key, on, picture, ready, steps, talk } from './lib.mjs';

const refused = /status of 401/;

await steps({
	'a key lets one in': async () => {
		const b = await on({ signed: false, expected: [refused] }), { page } = b;
		await page.waitForSelector('#key');
		check(await page.evaluate(() => document.activeElement.id) === 'key', 'without a key one is asked for it');
		await accessible(page, 'sign-in');
		await picture(page, 'signin');
		await page.fill('#key', 'wrong-key');
		await page.keyboard.press('Enter');
		await page.waitForSelector('#signin-problem .problem');
		check((await page.textContent('#signin-problem')).includes('does not know this key'), 'a wrong key is refused in words');
		check(await page.getAttribute('#key', 'aria-invalid') === 'true', 'and the field says so');
		await page.fill('#key', key);
		await page.keyboard.press('Enter');
		await page.waitForSelector('#box');
		check(await page.evaluate(() => localStorage.getItem('lf-token')) === null, 'the right one is kept for this tab only');
		await page.reload();
		await page.waitForSelector('#box');
		check(true, 'which knows it after a reload');
		await page.click('[aria-label="Sign out"]');
		await page.waitForSelector('#key');
		check(await page.evaluate(() => sessionStorage.getItem('lf-token')) === null, 'signing out forgets it');
		await page.fill('#key', key);
		await page.check('input[type=checkbox]');
		await page.keyboard.press('Enter');
		await page.waitForSelector('#box');
		check(await page.evaluate(() => localStorage.getItem('lf-token')) === key, 'or it is kept for longer, if asked to');
		await b.over('signing in');
	},

	'a link lets one in': async () => {
		const link = process.env.LF_LINK || 'ab'.repeat(32);
		const b = await on({ signed: false, expected: [/status of 40[0139]/] }), { page } = b;
		if (!process.env.LF_LINK)       // a server that makes no links: its part is played
			await page.route('**/api/auth/link', (r) => (r.request().postDataJSON().token === link ? r.fulfill({ json: { token: key } }) : r.fulfill({ status: 401, json: { error: 'x' } })));
		await page.waitForSelector('#key');
		await page.evaluate((l) => { location.hash = `link=${l}`; }, link);
		await page.waitForSelector('#box');
		check(true, 'a one-time link signs in');
		check(!page.url().includes(link) && !await page.evaluate((l) => history.state === l, link), 'and is gone from the address');
		await page.reload();
		await page.waitForSelector('#box');
		check(true, 'which lasts over a reload');
		await page.click('[aria-label="Sign out"]');
		await page.waitForSelector('#key');
		await page.evaluate(() => { location.hash = `link=${'0'.repeat(64)}`; });
		await page.waitForSelector('#signin-problem .problem');
		check((await page.textContent('#signin-problem')).includes('used already or is too old'), 'a link that is no longer good is refused in words');
		await b.over('a link');
	},

	'an answer comes': async () => {
		const b = await on({ at: talk() }), { page } = b;
		await ready(page);
		check((await page.textContent('.empty h2')).includes('Talk with'), 'an empty conversation says whom one talks with');
		await accessible(page, 'empty conversation');
		await picture(page, 'empty');
		await ask(page, 'hello');
		const a = await answer(page);
		check((await a.textContent()).includes('offline engine'), 'the offline engine answers');
		check(/\d in.*\d out.*free/.test(await a.locator('.spent').textContent()), 'with what it took');
		check(await page.locator('.bubble').textContent() === 'hello', 'below the question');
		check(await page.evaluate(() => document.activeElement.id) === 'box', 'and one can go on writing');
		check((await page.textContent('p[role=status][aria-live=polite]')).includes('offline engine'), 'a screen reader hears the answer as a whole');
		check((await page.textContent('.session[aria-current]')).startsWith('hello'), 'the question names the conversation');
		check((await page.title()).startsWith('hello'), 'and the tab');

		await ask(page, 'remember tea = green, no sugar');
		const t = await answer(page);
		check((await t.locator('.tool summary').textContent()).includes('memory_store'), 'a tool is named');
		check(await t.locator('.tool.is-done').count() === 1, 'and done');
		check(!await t.locator('.piece').first().isVisible(), 'folded away at first');
		await t.locator('.tool summary').click();
		const pieces = await t.locator('.piece').allTextContents();
		check(pieces[0].includes('green, no sugar'), 'its arguments can be read');
		check(pieces[1].includes("Stored under 'tea'"), 'and its result');
		check((await t.locator('.kept').textContent()).includes('tea'), 'what was remembered is said');
		await ask(page, 'what do you know about coffee');
		check(await (await answer(page)).locator('.tool.is-failed').count() === 1, 'a tool that fails is shown as failed');
		await page.waitForTimeout(100);
		await accessible(page, 'conversation');
		await picture(page, 'chat');

		await page.reload();
		await ready(page);
		check(await page.locator('.item').count() === 6, 'after a reload it is all there');
		check(await page.locator('.tool').count() === 2, 'with the tools');
		check(await page.locator('.spent').count() === 3, 'and what it took');
		await b.over('an answer');
	},

	'several conversations': async () => {
		const b = await on({ at: talk(), expected: [/status of 40[04]/, /WebSocket connection/] }), { page } = b;
		await ready(page);
		const before = page.url();
		await page.click('.row.new');
		await page.waitForSelector('.empty h2');
		check(page.url() !== before, 'a new chat has an address of its own');
		await ready(page);
		await ask(page, 'what time is it');
		await answer(page);
		await page.waitForFunction(() => document.querySelectorAll('.session').length === 2);
		check(true, 'it joins the list');
		await page.fill('#search', 'sugar');
		await page.waitForFunction(() => document.querySelectorAll('.session').length === 1);
		check((await page.textContent('.session')).startsWith('hello') && (await page.textContent('.session')).includes('sugar'), 'the search finds words that were said, and shows what stands around them');
		await page.fill('#search', 'zebra');
		await page.waitForFunction(() => document.querySelector('.sessions').textContent.includes('Nothing found'));
		check(true, 'or nothing');
		await page.fill('#search', '');
		await page.click('.session >> text=hello');
		await page.waitForFunction(() => document.querySelectorAll('.item').length === 6);
		check(true, 'an old one can be read again');
		await page.goBack();
		await page.waitForFunction(() => document.querySelectorAll('.item').length === 2);
		check(true, "the browser's way back works");
		await page.goto(`${base}${talk()}/00000000-0000-4000-8000-000000000000`);
		await ready(page);
		check(!page.url().includes('0000-4000'), 'an address of a conversation that is gone leads to the current one');
		await b.over('conversations');
	},

	'a new agent': async () => {
		const b = await on({ at: talk(), expected: [/status of 409/] }), { page } = b;
		await ready(page);
		await page.click('#agent-button');
		await page.click('text=New agent');
		await page.waitForFunction(() => document.activeElement.id === 'agent-name');
		await accessible(page, 'new agent');
		await picture(page, 'newagent');
		await page.fill('#agent-name', 'assistant');
		await page.click('text=Create agent');
		await page.waitForSelector('dialog .problem');
		check(/exist|use/i.test(await page.textContent('dialog .problem')), 'a name in use is refused in words');
		await page.fill('#agent-name', 'quill');
		await page.click('.card >> text=writer');
		await page.click('text=Create agent');
		await page.waitForFunction(() => document.querySelector('.empty h2')?.textContent === 'Talk with quill');
		check(true, 'a new agent is there to talk with');
		await page.click('#agent-button');
		check(await page.locator('.agent-list li').count() >= 3, 'among the others');
		await page.keyboard.press('Escape');
		await page.waitForFunction(() => document.activeElement.id === 'agent-button' && !document.querySelector('.agent-list'));
		check(true, 'Escape closes the list and goes back');
		await page.goto(base + talk(agent));
		await page.waitForFunction(() => document.querySelectorAll('.item').length > 0);
		await b.over('agents');
	},
});
