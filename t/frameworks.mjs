// Vercel's ai and LangChain, through their OpenAI clients, against a server of ours: an agent and the
// gateway, each asked plainly, streamed, with tools, stopped, retried and refused. Says "ok NAME" or "not ok NAME".
import { generateText, streamText, tool, stepCountIs } from './npm/node_modules/ai/dist/index.js';
import { createOpenAICompatible } from './npm/node_modules/@ai-sdk/openai-compatible/dist/index.js';
import { ChatOpenAI } from './npm/node_modules/@langchain/openai/dist/index.js';
import { tool as lcTool } from './npm/node_modules/@langchain/core/dist/tools/index.js';
import { HumanMessage } from './npm/node_modules/@langchain/core/dist/messages/index.js';
import { z } from './npm/node_modules/zod/index.js';

const baseURL = process.env.LF_BASE + '/v1', apiKey = process.env.LF_KEY;
const check = (good, name) => console.log((good ? 'ok ' : 'not ok ') + name);
const attempt = async (name, f) => {
	try { check(await f(), name); } catch (e) { check(false, `${name}: ${String(e).slice(0, 300)}`); }
};
const hello = 'Hello from the mock.';
// An agent remembers what was said: each question has one of its own.
let n = 0;
const agent = () => `framework-${++n}`, gateway = () => 'openai/gpt-4o-mini';

// --- ai ---------------------------------------------------------------------------------
const vercel = createOpenAICompatible({ name: 'librefang', baseURL, apiKey, includeUsage: true });
const tools = { get_weather: tool({ description: 'The weather of a city', inputSchema: z.object({ city: z.string() }),
	execute: async ({ city }) => `sunny in ${city}` }) };

for (const [where, name] of [['an agent', agent], ['the gateway', gateway]]) {
	await attempt(`ai asks ${where}`, async () => {
		const r = await generateText({ model: vercel(name()), prompt: 'hello', maxRetries: 0 });
		return r.text === hello && r.usage.totalTokens === 19 && r.finishReason === 'stop';
	});
	await attempt(`ai reads a stream of ${where}`, async () => {
		const r = streamText({ model: vercel(name()), prompt: 'hello', maxRetries: 0 });
		let text = '', parts = 0;
		for await (const t of r.textStream) { text += t; parts++; }
		return text === hello && parts > 1 && (await r.usage).totalTokens === 19 && (await r.finishReason) === 'stop';
	});
	await attempt(`ai runs its tool for ${where}`, async () => {
		const r = await generateText({ model: vercel(name()), prompt: 'WEATHER please', tools, stopWhen: stepCountIs(3), maxRetries: 0 });
		return r.text === 'The sun shines.' && r.steps.length === 2 && r.steps[0].toolCalls[0].input.city === 'Bern';
	});
	await attempt(`ai runs its tool in a stream of ${where}`, async () => {
		const r = streamText({ model: vercel(name()), prompt: 'WEATHER please', tools, stopWhen: stepCountIs(3), maxRetries: 0 });
		let text = '';
		for await (const t of r.textStream) text += t;
		return text === 'The sun shines.' && (await r.steps).length === 2;
	});
	await attempt(`ai is told that ${where} failed, in a stream too`, async () => {
		let said = null;
		const r = streamText({ model: vercel(name()), prompt: 'CUT-HERE', maxRetries: 0, onError: ({ error }) => { said = error; } });
		let finished = false;
		for await (const p of r.fullStream) finished = finished || (p.type === 'finish' && p.finishReason === 'stop');
		return said !== null && !finished;
	});
	await attempt(`ai gives up on ${where}`, async () => {
		const gone = new AbortController();
		setTimeout(() => gone.abort(), 200);
		try {
			await generateText({ model: vercel(name()), prompt: 'NEVER-EVER', abortSignal: gone.signal, maxRetries: 0 });
			return false;
		} catch (e) { return /abort/i.test(String(e)); }
	});
}
await attempt('ai learns that a key is wrong', async () => {
	try {
		await generateText({ model: createOpenAICompatible({ name: 'x', baseURL, apiKey: 'wrong' })('framework-agent'), prompt: 'hello', maxRetries: 0 });
		return false;
	} catch (e) { return e.statusCode === 401 && !e.isRetryable; }
});
await attempt('ai tries again what it may', async () =>
	(await generateText({ model: vercel('openai/gpt-4o-mini'), prompt: 'ONCE-503', maxRetries: 2 })).text === 'at last');

// --- LangChain ----------------------------------------------------------------------------
const weather = lcTool(async ({ city }) => `sunny in ${city}`, { name: 'get_weather', description: 'The weather', schema: z.object({ city: z.string() }) });
for (const [where, name] of [['an agent', agent], ['the gateway', gateway]]) {
	const model = () => new ChatOpenAI({ model: name(), apiKey, maxRetries: 0, configuration: { baseURL }, streamUsage: true });
	await attempt(`LangChain asks ${where}`, async () => {
		const r = await model().invoke('hello');
		return r.content === hello && r.usage_metadata.total_tokens === 19;
	});
	await attempt(`LangChain reads a stream of ${where}`, async () => {
		let all = null;
		for await (const c of await model().stream('hello')) all = all ? all.concat(c) : c;
		return all.content === hello && all.usage_metadata?.total_tokens === 19;
	});
	await attempt(`LangChain runs its tool for ${where}`, async () => {
		const able = model().bindTools([weather]), said = [new HumanMessage('WEATHER please')];
		const first = await able.invoke(said);
		said.push(first, await weather.invoke(first.tool_calls[0]));
		return (await able.invoke(said)).content === 'The sun shines.';
	});
	await attempt(`LangChain gives up on ${where}`, async () => {
		try {
			await model().invoke('NEVER-EVER', { signal: AbortSignal.timeout(200) });
			return false;
		} catch { return true; }
	});
}
await attempt('LangChain learns that there is no such model', async () => {
	try {
		await new ChatOpenAI({ model: 'nobody', apiKey, maxRetries: 0, configuration: { baseURL } }).invoke('hello');
		return false;
	} catch (e) { return e.status === 404; }
});
await attempt('and after all that an agent answers', async () => (await generateText({ model: vercel(agent()), prompt: 'hello again' })).text === hello);
