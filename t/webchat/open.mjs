// A server in open mode: nothing to sign in to.
import { answer, ask, check, on, ready, steps } from './lib.mjs';

await steps({
	'no sign-in': async () => {
		const b = await on({ signed: false }), { page } = b;
		await ready(page);
		check(await page.locator('#key').count() === 0, 'without a key to be asked for, nobody asks');
		check(await page.locator('[aria-label="Sign out"]').count() === 0, 'nor is there anything to leave');
		await ask(page, 'hello');
		check((await (await answer(page)).textContent()).includes('offline engine'), 'one can talk at once');
		await b.over('open mode');
	},
});
