// Turns that do not go straight: text that tries things, stopped, asked again, commands.
import { accessible, answer, ask, check, fresh, picture, steps } from './lib.mjs';

const coming = (page) => page.waitForSelector('.answer.is-coming .prose');
const last = (page) => page.locator('.answer').last();

await steps({
	'text of a model': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, 'MARKDOWN please');
		const a = await answer(page);
		check(await a.locator('h3').first().textContent() === 'A heading', 'headings are headings');
		check(await a.locator('strong').first().textContent() === 'bold' && await a.locator('em').first().textContent() === 'slanted', 'stress is stress');
		check(await a.locator('table td').count() === 4 && await a.locator('blockquote').count() === 1 && await a.locator('ol > li').count() === 2, 'tables, quotes and lists too');
		check((await a.textContent()).includes('5 < 6 & 7'), 'entities are read');
		check(await a.locator('script, img, iframe').count() === 0, 'HTML stays text');
		check((await a.textContent()).includes('<script>'), 'which one can see');
		check(!(await page.title()).includes('broken'), 'and which does nothing');
		const links = await a.locator('a').evaluateAll((l) => l.map((x) => x.href));
		check(links.every((h) => h.startsWith('https://')), 'a link leads to the web or nowhere', links);
		check(await a.locator('a').first().getAttribute('rel') === 'noopener noreferrer nofollow', 'and tells nothing about us');
		await page.waitForSelector('.hljs-keyword');
		check(await a.locator('.code pre').count() === 2, 'code is coloured');
		check(await a.locator('.code pre').last().innerText() === 'plain <b>text</b>', 'or plain');
		const heard = await page.textContent('p[role=status][aria-live=polite]');
		check(heard.includes('bold') && !/[*`|]/.test(heard), 'who listens hears words, not signs', heard);
		await ask(page, 'MARKDOWN once more');
		await answer(page);
		await accessible(page, 'Markdown, twice');
		await picture(page, 'markdown');
		await b.over('Markdown');
	},

	'stopping': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, 'SLOWLY please');
		await coming(page);
		check(await page.locator('.send.stop').count() === 1, 'while an answer comes it can be stopped');
		await page.click('.send.stop');
		const a = await answer(page);
		check(await a.evaluate((x) => x.matches('.is-stopped')), 'it ends at once');
		const text = await a.textContent();
		check(text.includes('word1') && !text.includes('word120'), 'what had come stays');
		check(text.includes('This answer was stopped'), 'and it is said why it ends');
		await accessible(page, 'stopped answer');
		await ask(page, 'and QUICKLY now');
		check((await (await answer(page)).textContent()).includes('Hello from the mock.'), 'then one can go on');
		await b.over('stopping');
	},

	'again': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, 'first words');
		await answer(page);
		await last(page).locator('[aria-label="Ask again"]').click();
		await page.waitForFunction(() => document.querySelectorAll('.answer.is-done').length === 2);
		check((await page.locator('.bubble').allTextContents()).join() === 'first words,first words', 'a question can be asked again');
		await page.locator('.question').last().hover();
		await page.locator('[aria-label="Edit this question"]').click();
		await page.waitForFunction(() => document.querySelector('#box').value === 'first words');
		check(true, 'or changed');
		check((await page.textContent('.editing')).includes('Editing'), 'which is said');
		await page.fill('#box', 'better words');
		await page.press('#box', 'Enter');
		await page.waitForFunction(() => document.querySelectorAll('.answer.is-done').length === 3);
		check(await page.locator('.bubble').last().textContent() === 'better words', 'and asked');
		await ask(page, 'BROKEN please');
		const a = await answer(page);
		check(await a.evaluate((x) => x.matches('.is-failed')), 'a turn that fails says so');
		check((await a.locator('.problem').textContent()).length > 10, 'in words');
		await picture(page, 'failed');
		await accessible(page, 'failed answer');
		await a.locator('text=Try again').click();
		await page.waitForFunction(() => document.querySelector('.answer.is-coming') || document.querySelector('.answer.is-failed'));
		await answer(page);
		check(await page.locator('.bubble >> text=BROKEN').count() === 1, 'and can be tried again in its place');
		await b.over('again');
	},

	'commands': async () => {
		const b = await fresh(), { page } = b;
		await ask(page, '/model');
		await page.waitForSelector('.aside');
		check((await page.textContent('.aside')).includes('Current model'), 'a command is answered beside the conversation');
		const was = page.url();
		await ask(page, 'some words');
		await answer(page);
		await ask(page, '/new');
		await page.waitForSelector('.empty h2');
		check(page.url() !== was, '/new begins a new conversation');
		await b.over('commands');
	},
});
