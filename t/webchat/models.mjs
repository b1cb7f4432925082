// Providers, models and short names of models.
import { accessible, check, everyWay, on, picture, steps } from './lib.mjs';

const { LF_UPSTREAM: upstream, LF_CLOSED: closed } = process.env;
const line = (page, name) => page.locator('.line', { has: page.locator(`strong:text-is("${name}")`) });
const rows = (page) => page.locator('.table tbody tr').count();
const until = (page, n) => page.waitForFunction((k) => document.querySelectorAll('.table tbody tr').length === k, n);

const gone = (page) => page.waitForFunction(() => !document.querySelector('dialog'));

await steps({
	'providers': async () => {
		const b = await on({ at: '/#/models' }), { page } = b;
		await line(page, 'OpenAI').waitFor();
		check((await line(page, 'OpenAI').textContent()).includes('default'), 'the default provider is marked');
		check((await page.textContent('.part')).includes('Offline (built in)'), 'those that can be used come first');
		check(await page.locator('.part').nth(1).locator('strong').first().textContent() === 'Anthropic', 'of those to connect the usual ones');
		await everyWay(page, 'providers');
		await page.fill('[aria-label="Search providers"]', 'anthro');
		await page.waitForFunction(() => document.querySelectorAll('.line').length === 1);
		check(await line(page, 'Anthropic').count() === 1, 'they can be searched');
		await page.click('[aria-label="Connect Anthropic"]');
		await page.waitForFunction(() => document.activeElement.type === 'password');
		check(await page.locator('dialog button[type=submit]').isDisabled(), 'without a key there is nothing to test');
		await accessible(page, 'connecting');
		await page.keyboard.press('Escape');
		await page.waitForFunction(() => !document.querySelector('dialog'));
		check(await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === 'Connect Anthropic', 'Escape closes it and goes back');
		await b.over('providers');
	},

	'a provider in three steps': async () => {
		const b = await on({ at: '/#/models', expected: [/status of 4/] }), { page } = b;
		await page.fill('[aria-label="Search providers"]', 'mistral');
		await page.click('[aria-label^="Connect Mistral"]');
		await page.getByLabel('Address').fill('http://169.254.169.254/v1');
		await page.getByLabel('Key', { exact: true }).fill('sk-of-the-test');
		await page.click('text=Save and test');
		await page.waitForSelector('dialog .problem');
		check((await page.textContent('dialog .problem')).length > 10, 'an address that leads nowhere good is refused in words');
		await page.getByLabel('Address').fill(upstream);
		await page.click('text=Save and test');
		await page.waitForFunction(() => /It works/.test(document.querySelector('dialog [role=status]')?.textContent));
		check(true, 'chosen, its key pasted, tested');
		await page.waitForSelector('text=Remove the key');
		check(await page.locator('dialog input[type=password]').inputValue() === '' && !(await page.content()).includes('sk-of-the-test'), 'the key is not shown again');
		await accessible(page, 'a provider that is connected');
		await page.click('text=Make it the default');
		await page.waitForFunction(() => document.querySelector('dialog .badge')?.textContent === 'the default');
		check(true, 'it can be the default');
		await page.click('text=Remove the key');
		await page.waitForSelector('dialog >> text=Take it back');
		check(true, 'and lose its key');
		await picture(page, 'provider');
		await page.keyboard.press('Escape');
		await gone(page);
		check(await page.locator('[aria-label^="Connect Mistral"]').count() === 1, 'then it is one to connect again');
		await page.click('[aria-label^="Connect Mistral"]');
		await page.getByLabel('Key', { exact: true }).fill('sk-of-the-test');
		await page.getByLabel('Address').fill(`http://127.0.0.1:${closed}`);
		await page.click('text=Save and test');
		await page.waitForSelector('dialog .problem');
		check((await page.textContent('dialog .problem')).length > 10, 'one that does not answer is said to');
		await b.over('a provider');
	},

	'the catalog': async () => {
		const b = await on({ at: '/#/models/catalog', expected: [/status of 409/] }), { page } = b;
		await page.waitForSelector('.table tbody tr');
		const usable = await rows(page);
		await everyWay(page, 'catalog');
		await page.check('text=Also those without a key');
		await until(page, 100);
		check(usable < 100, 'models without a key are shown when asked for');
		await page.click('text=Show more');
		await page.waitForFunction(() => document.querySelectorAll('.table tbody tr').length > 100);
		check(true, 'a long list comes in parts');
		await page.fill('[aria-label="Search models"]', 'no such model at all');
		await until(page, 0);
		check((await page.textContent('.sheet [role=status]')).includes('0 models found'), 'nothing is said to be nothing');
		await page.click('text=Add a model');
		await page.waitForFunction(() => document.activeElement.closest('dialog') && document.activeElement.tagName === 'INPUT');
		await accessible(page, 'a model of one\'s own');
		await page.getByLabel('Model', { exact: true }).fill('own/model-1');
		await page.getByLabel('Provider', { exact: true }).fill('openai');
		await page.locator('dialog button[type=submit]').click();
		await gone(page);
		await page.fill('[aria-label="Search models"]', 'own/model');
		await until(page, 1);
		check((await page.textContent('.table tbody')).includes('own/model-1'), 'a model can be added');
		await page.click('text=Add a model');
		await page.getByLabel('Model', { exact: true }).fill('own/model-1');
		await page.getByLabel('Provider', { exact: true }).fill('openai');
		await page.locator('dialog button[type=submit]').click();
		await page.waitForSelector('dialog .problem');
		check(true, 'but not twice');
		await page.keyboard.press('Escape');
		await gone(page);
		await page.click('[aria-label="Remove own/model-1"]');
		await until(page, 0);
		check(true, 'and removed');
		await b.over('the catalog');
	},

	'aliases': async () => {
		const b = await on({ at: '/#/models/aliases', expected: [/status of 409/] }), { page } = b;
		await page.waitForSelector('.table tbody tr');
		await page.fill('[aria-label="Search aliases"]', 'sonnet');
		await page.waitForFunction(() => [...document.querySelectorAll('.table tbody tr')].every((r) => r.textContent.includes('sonnet')));
		check(await rows(page) > 0, 'short names can be searched');
		await accessible(page, 'aliases');
		await page.click('text=New alias');
		await page.getByLabel('Alias', { exact: true }).fill('sonnet');
		await page.getByLabel('Stands for the model').fill('gpt-4o');
		await page.locator('dialog button[type=submit]').click();
		await page.waitForSelector('dialog .problem');
		check(true, 'a short name in use is refused in words');
		await page.getByLabel('Alias', { exact: true }).fill('the/quick one');
		await page.locator('dialog button[type=submit]').click();
		await gone(page);
		await page.fill('[aria-label="Search aliases"]', 'quick');
		await until(page, 1);
		check((await page.textContent('.table tbody')).includes('gpt-4o'), 'another one is kept');
		await page.click('[aria-label="Remove the/quick one"]');
		await until(page, 0);
		check(true, 'and removed');
		await b.over('aliases');
	},
});
