// The npm client ws against the chat socket: says "ok NAME" or "not ok NAME" for each thing.
import WebSocket from './npm/node_modules/ws/wrapper.mjs';

const { LF_WS: address, LF_KEY: key } = process.env;
const check = (good, name) => console.log((good ? 'ok ' : 'not ok ') + name);
const until = (ws, type) => new Promise((done, fail) => {
	const seen = [];
	ws.on('error', fail);
	ws.on('close', () => fail(new Error('closed before ' + type)));
	ws.on('message', (m) => {
		seen.push(JSON.parse(m));
		if (seen.at(-1).type === type) done(seen);
	});
});

const ws = new WebSocket(address, ['bearer.' + key]);
const hello = await until(ws, 'agents_updated');
check(ws.protocol === 'bearer.' + key, 'it gets its sub-protocol back');
check(hello[0].type === 'connected', 'and is connected');
ws.send(JSON.stringify({ type: 'message', content: 'hello' }));
const turn = await until(ws, 'response');
check(turn.at(-1).content === 'Hello from the mock.', 'it has an answer');
check(turn.filter((m) => m.type === 'text_delta').map((m) => m.content).join('') === 'Hello from the mock.', 'which came in parts');
ws.ping('x');
check(String(await new Promise((done) => ws.once('pong', done))) === 'x', 'its ping is answered');
ws.removeAllListeners('close');
ws.close(1000);
check(await new Promise((done) => ws.once('close', done)) === 1000, 'it closes cleanly');

const refused = new WebSocket(address, ['bearer.wrong']);
refused.on('error', () => {});
check(await new Promise((done) => refused.once('unexpected-response', (_, r) => { done(r.statusCode); r.destroy(); })) === 401, 'a wrong key is a 401');
process.exit(0);
