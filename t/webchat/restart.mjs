// A daemon that dies while an answer comes; the page that asked, and one that looks on.
import { answer, ask, check, fresh, gate, on, steps } from './lib.mjs';

const lost = /WebSocket connection|ERR_|Failed to load resource/;
const coming = (page) => page.waitForFunction(() => document.querySelector('.answer.is-coming .prose')?.textContent.includes('These words'));

await steps({
	'a crash': async () => {
		const asker = await fresh({ expected: [lost] });
		await ask(asker.page, 'tell me');
		await coming(asker.page);
		const other = await on({ at: asker.page.url().replace(/^[^#]*/, '/'), expected: [lost] });
		await coming(other.page);
		check(true, 'what is said is shown to both');
		process.kill(Number(process.env.LF_DAEMON), 'SIGKILL');
		await other.page.waitForFunction(() => document.querySelector('.answer.is-coming') && !document.querySelector('.answer').textContent.includes('These words'));
		check(true, 'who had read on is told that it begins anew: the words go, and the answer is awaited');
		await asker.page.waitForSelector('.answer.is-coming');
		check(true, 'so it is by who asked');
		gate('again').open();
		for (const [b, who] of [[other, 'who looks on'], [asker, 'who asked']]) {
			const text = await (await answer(b.page)).textContent();
			check(text.includes('This was said after it.') && !text.includes('These words'), `${who} sees the answer`, text);
			check(await b.page.locator('.item').count() === 2, '  once');
			await b.over(who);
		}
	},
});
