// Files with a message: chosen, dropped, pasted; refused ones; what the conversation shows of them later.
import { accessible, answer, ask, check, everyWay, fresh, on, steps, talk } from './lib.mjs';

const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FAAhKDveksOjmAAAAAElFTkSuQmCC', 'base64');
const there = (page, n) => page.waitForFunction((k) => document.querySelectorAll('.upload.is-there').length === k, n);

// As if it came from another program.
const bring = (page, how, name, type, base64) => page.evaluate(([h, n, t, b]) => {
	const data = new DataTransfer(), box = document.querySelector('#box');
	data.items.add(new File([Uint8Array.from(atob(b), (c) => c.charCodeAt(0))], n, { type: t }));
	if (h === 'paste') return box.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
	for (const e of ['dragenter', 'dragover', 'drop']) box.dispatchEvent(new DragEvent(e, { dataTransfer: data, bubbles: true, cancelable: true }));
}, [how, name, type, base64]);

await steps({
	'files go along': async () => {
		const b = await fresh(), { page } = b;
		await page.setInputFiles('.composer input[type=file]', [
			{ name: 'Grün.png', mimeType: 'image/png', buffer: PNG }, { name: 'notes.md', mimeType: '', buffer: Buffer.from('# Notes\n<b>tea</b> is green\n') },
		]);
		await there(page, 2);
		check((await page.textContent('.uploads')).includes('notes.md'), 'files are chosen');
		await everyWay(page, 'files');
		await bring(page, 'paste', 'pasted.png', 'image/png', PNG.toString('base64'));
		await there(page, 3);
		check(true, 'or pasted');
		await bring(page, 'drop', 'dropped.txt', 'text/plain', Buffer.from('dropped words').toString('base64'));
		await there(page, 4);
		check(true, 'or dropped');
		await page.click('[aria-label="Take pasted.png away"]');
		await there(page, 3);
		check(await page.evaluate(() => document.activeElement.id) === 'box', 'one can be taken away');
		await ask(page, 'QUICKLY look at these');
		await answer(page);
		check(await page.locator('.uploads').count() === 0, 'they leave with the message');
		await page.waitForSelector('.question .attachments img');
		check(await page.locator('.question .attachments img').getAttribute('alt') === 'Grün.png', 'a picture is shown with it');
		check((await page.locator('.question .attachments').textContent()).includes('notes.md'), 'and other files by name');
		await page.reload();
		await page.waitForSelector('.question .attachments img');
		check((await page.textContent('.bubble')) === 'QUICKLY look at these', 'after a reload the question is what was said');
		await page.click('.given summary >> text=notes.md');
		check((await page.locator('.given', { hasText: 'notes.md' }).locator('pre').textContent()).includes('<b>tea</b> is green'), 'and a text can be opened, as text');
		await accessible(page, 'a question with files');
		await b.over('files');
	},

	'a picture alone': async () => {
		const b = await fresh(), { page } = b;
		await page.setInputFiles('.composer input[type=file]', { name: 'alone.png', mimeType: 'image/png', buffer: PNG });
		await there(page, 1);
		await page.press('#box', 'Enter');
		await answer(page);
		check((await page.textContent('.bubble')).includes('alone.png'), 'needs no words');
		await b.over('a picture alone');
	},

	'what is refused': async () => {
		const b = await fresh({ expected: [/status of 4/] }), { page } = b;
		await page.setInputFiles('.composer input[type=file]', [
			{ name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) }, { name: 'program', mimeType: 'application/x-executable', buffer: Buffer.from('x') },
			{ name: 'large.txt', mimeType: 'text/plain', buffer: Buffer.alloc(10 * 1048576 + 1, 'x') },
		]);
		await page.waitForFunction(() => document.querySelectorAll('.upload.is-failed').length === 3);
		const said = await page.locator('.upload .soft').allTextContents();
		check(said.every((s) => s.length > 10 && !/^The server answered/.test(s)), 'is refused in words', said);
		check(await page.locator('.send').isDisabled(), 'and is nothing to send');
		await accessible(page, 'refused files');
		await ask(page, 'QUICKLY without them');
		await answer(page);
		check(await page.locator('.attachments').count() === 0, 'the message goes without it');
		await b.over('refused files');
	},
});
