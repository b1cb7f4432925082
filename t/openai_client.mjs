// OpenAI's own client against a server of ours: says "ok NAME" or "not ok NAME" for each thing.
import OpenAI from './npm/node_modules/openai/index.mjs';

const client = new OpenAI({ baseURL: process.env.LF_BASE + '/v1', apiKey: process.env.LF_KEY, maxRetries: 0 });
const check = (good, name) => console.log((good ? 'ok ' : 'not ok ') + name);
const ask = (content, more) => ({ model: 'npm-agent', messages: [{ role: 'user', content }], ...more });
const tools = [{ type: 'function', function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];

const models = [];
for await (const m of client.models.list()) models.push(m.id);
check(models.includes('librefang:npm-agent'), 'it lists the agents');

const plain = await client.chat.completions.create(ask('hello'));
check(plain.choices[0].message.content === 'Hello from the mock.', 'it has an answer');
check(plain.usage.total_tokens === 19, 'and what it took');

let text = '', usage = null, finish = null;
for await (const c of await client.chat.completions.create(ask('hello', { stream: true, stream_options: { include_usage: true } }))) {
	text += c.choices[0]?.delta.content ?? '';
	finish = c.choices[0]?.finish_reason ?? finish;
	usage = c.usage ?? usage;
}
check(text === 'Hello from the mock.' && finish === 'stop', 'it reads a stream');
check(usage?.total_tokens === 19, 'with its usage');

const first = await client.chat.completions.create(ask('WEATHER please', { tools }));
const call = first.choices[0].message.tool_calls[0];
check(call.function.name === 'get_weather' && JSON.parse(call.function.arguments).city === 'Bern', 'it is asked to run its tool');
const second = await client.chat.completions.create({ model: 'npm-agent', tools, messages: [
	{ role: 'user', content: 'WEATHER please' }, first.choices[0].message,
	{ role: 'tool', tool_call_id: call.id, content: 'sunny in Bern' } ] });
check(second.choices[0].message.content === 'The sun shines.', 'and the answer follows from what it says');

const gateway = await client.chat.completions.create({ model: 'openai/gpt-4o-mini', messages: [{ role: 'user', content: 'hello' }] });
check(gateway.choices[0].message.content === 'Hello from the mock.', 'it reaches a provider through the gateway');

try {
	await client.chat.completions.create({ ...ask('hello'), model: 'nobody' });
	check(false, 'an unknown model is refused');
} catch (e) {
	check(e instanceof OpenAI.NotFoundError && e.code === 'model_not_found', 'an unknown model is its NotFoundError');
}
try {
	await new OpenAI({ baseURL: process.env.LF_BASE + '/v1', apiKey: 'wrong', maxRetries: 0 }).models.list();
	check(false, 'a wrong key is refused');
} catch (e) {
	check(e instanceof OpenAI.AuthenticationError, 'a wrong key is its AuthenticationError');
}

const pieces = client.chat.completions.stream({ model: 'openai/gpt-4o-mini', tools, messages: [{ role: 'user', content: 'BOTH-CALLS' }] });
const whole = await pieces.finalChatCompletion();
check(whole.choices[0].finish_reason === 'tool_calls' && whole.choices[0].message.tool_calls.map((c) => JSON.parse(c.function.arguments).city).join() === 'Bern,Rome',
	'it puts two streamed calls together');
const raw = await client.chat.completions.create(ask('hello')).withResponse();
check(/^[0-9a-f-]{36}$/.test(raw.request_id), 'it finds the id of its request');
const gone = new AbortController();
const stopped = await client.chat.completions.create(ask('hello', { stream: true }), { signal: gone.signal });
gone.abort();
let after = 0;
try { for await (const _ of stopped) after++; } catch { /* the client says so itself */ }
check((await client.chat.completions.create(ask('hello again'))).choices[0].finish_reason === 'stop', 'one that is given up harms no other');
