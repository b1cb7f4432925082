// Providers, models and short names of models.
import { accessible, check, everyWay, on, steps } from './lib.mjs';

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
