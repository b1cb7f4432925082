// One conversation: its items, the turn that runs, and how an answer that we did not
// see to its end is found again.
import { computed, signal } from '@preact/signals';
import { cutShort, ended, grow } from './answer';
import { ApiError, call, get, words } from './api';
import { ofFrame, type Frame } from './events';
import { itemsOf, spoken, textOf } from './history';
import { paced } from './pace';
import * as sessions from './sessions';
import * as socket from './socket';
import * as spent from './spent';
import { FIRST, streamTurn, watchTurn } from './stream';
import type { FileRef, History, Item, TurnEvent } from './types';

export const agentId = signal('');
export const sessionId = signal('');
export const items = signal<Item[]>([]);
export const loading = signal(false);
export const trouble = signal('');
export const heard = signal('');                // for who listens to the page: whole sentences
export const editing = signal(false);

// own: its events come to us; watched: we only look when it is over
export const turn = signal<{ id: string; own: boolean; accepted: boolean; stopping: boolean; question: string } | null>(null);
export const busy = computed(() => turn.value !== null);
export const lastQuestion = computed(() => items.value.findLast((i) => i.role === 'user'));

const SOCKET_MAX = 60000;               // bytes; the stream takes more
let n = 0;
const fresh = (p: string) => `${p}${Date.now().toString(36)}-${++n}`;
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

// --- items -----------------------------------------------------------------------

const add = (...more: Item[]) => { items.value = [...items.value, ...more]; };
const note = (text: string) => add({ key: fresh('n'), role: 'system', state: 'done', parts: [{ kind: 'text', text }] });

function change(fn: (i: Item) => Item) {
	const list = items.value, last = list.at(-1);
	if (last?.role === 'assistant') items.value = [...list.slice(0, -1), fn(last)];
}

const coming = paced((text) => change((i) => grow(i, { type: 'text', text })));

function put(e: TurnEvent) {
	if (e.type === 'text') return coming.add(e.text);
	coming.flush();
	change((i) => grow(i, e));
}

// --- a turn as it runs ---------------------------------------------------------------

function over(fn: (i: Item) => Item) {
	turn.value = null;
	change((i) => ended(fn(i)));
	void sessions.refresh(agentId.value).catch(() => {});
}

// Frames show the beginning of arguments and results; the history has them whole.
async function fillIn() {
	const session = sessionId.value, mine = items.value.at(-1);
	if (!mine || !cutShort(mine)) return;
	const h = await get<History>(`/api/agents/${agentId.value}/session?session_id=${session}`);
	const whole = itemsOf(h).at(-1);
	if (sessionId.value === session && !turn.value && whole?.role === 'assistant' && items.value.at(-1)?.key === mine.key)
		change((i) => ({ ...i, parts: whole.parts }));
}

function failed(text: string) {
	const stopped = turn.value?.stopping || text === 'Cancelled';
	over((i) => ({ ...i, state: stopped ? 'stopped' : 'failed', error: stopped ? undefined : text }));
	heard.value = stopped ? 'Stopped.' : `No answer: ${text}`;
}

function happen(e: TurnEvent) {
	const t = turn.value;
	if (!t) return;
	put(e);
	switch (e.type) {
	case 'accepted': turn.value = { ...t, accepted: true }; break;
	case 'tool_start': heard.value = `Using the tool ${e.name}.`; break;
	case 'note': heard.value = e.text; break;
	case 'answer':
		over((i) => ({ ...i, state: t.stopping ? 'stopped' : 'done' }));
		heard.value = spoken(textOf(items.value.at(-1)!)) || 'The answer is empty.';
		spent.note(sessionId.value, items.value.at(-1)!);
		void fillIn().catch(() => {});
		break;
	case 'silent':
		over((i) => ({ ...i, state: 'done' }));
		items.value = items.value.slice(0, -1);
		note('The agent chose not to answer.');
		break;
	case 'failed': failed(e.text); break;
	}
}

// --- looking for an answer that came while we were away --------------------------------

function settle(h: History) {
	const t = turn.value, asked = t?.question ?? '';
	coming.drop();
	items.value = spent.recall(h.session_id, itemsOf(h));
	turn.value = null;
	const last = items.value.at(-1), arrived = !asked || textOf(lastQuestion.value ?? { parts: [] } as unknown as Item).includes(asked);
	if (asked && !arrived) {
		add({ key: fresh('u'), role: 'user', state: 'done', parts: [{ kind: 'text', text: asked }] },
			{ key: fresh('a'), role: 'assistant', state: 'failed', parts: [], error: 'The connection broke before the message arrived.' });
	} else if (last?.role === 'user') {
		add({ key: fresh('a'), role: 'assistant', state: t?.stopping ? 'stopped' : 'failed', parts: [], error: t?.stopping ? undefined : 'There is no answer to this: the turn ended before it.' });
	} else if (t && last) {
		heard.value = spoken(textOf(last));
	}
}

function forget() {
	coming.drop();
	change((i) => (i.state === 'coming' ? { ...i, parts: [], thinking: undefined } : i));
}

// What is told of it; results of tools are in the history at its end.
function glimpse(e: TurnEvent) {
	if (e.type === 'answer' || e.type === 'failed' || e.type === 'silent') return;
	put(e);
	if (e.type === 'tool_start') heard.value = `Using the tool ${e.name}.`;
}

async function watch() {
	const agent = agentId.value, session = sessionId.value;
	const here = () => agentId.value === agent && sessionId.value === session && turn.value && !turn.value.own;
	let after = FIRST;
	for (let pause = 700; here(); pause = Math.min(pause * 1.4, 4000)) {
		const leave = new AbortController();
		let anew = after === FIRST;             // all of it is told: what we have of it goes
		const say = (e: TurnEvent) => {
			if (!here()) return leave.abort();
			if (anew || e.type === 'restart') forget();
			anew = false;
			glimpse(e);
		};
		try {
			// first attached, then asked: so its end cannot be missed
			const joined = await watchTurn(agent, session, after, say, leave.signal).catch(() => null);
			const list = await sessions.refresh(agent);
			if (!here()) return;
			if (!list.find((s) => s.session_id === session)?.active) {
				const h = await get<History>(`/api/agents/${agent}/session?session_id=${session}`);
				if (here()) settle(h);
				return;
			}
			if (joined) {
				after = await joined.over;
				pause = 50;
			}
		} catch (e) {
			if (e instanceof ApiError && e.status >= 400 && e.status < 500 && e.status !== 429) {
				if (here()) failed(words(e));
				return;
			}
		} finally {
			leave.abort();
		}
		await wait(pause);
	}
}

function lookAfter() {
	const t = turn.value;
	if (!t?.own) return;
	turn.value = { ...t, own: false };
	void watch();
}

// --- what one can do --------------------------------------------------------------------

const COMMANDS = /^\/(new|reset|reboot|compact|stop|model|usage|context|verbose|queue|budget|peers|a2a|think|models|providers)(?:\s+([\s\S]*))?$/;

async function command(name: string, args: string) {
	if (await socket.ready(2500) && socket.say({ type: 'command', command: name, args })) return;
	note('Commands need the live connection, which is not there now.');
}

async function byStream(text: string, files: FileRef[]) {
	const mine = turn.value?.id;
	const still = () => turn.value?.id === mine && turn.value?.own;
	try {
		const ended = await streamTurn(agentId.value, sessionId.value, text, files, (e) => { if (still()) happen(e); });
		if (!ended && still()) lookAfter();
	} catch (e) {
		if (!still()) return;
		if (turn.value!.accepted) lookAfter();
		else failed(words(e));
	}
}

// The reference alone: what else is known of a file stays here.
const refs = (files: FileRef[]): FileRef[] => files.map(({ file_id, filename, content_type }) => ({ file_id, filename, ...(content_type ? { content_type } : {}) }));

export async function ask(raw: string, with_: FileRef[] = []) {
	const files = refs(with_), text = raw.trim() || (files.length ? `Attached: ${files.map((f) => f.filename).join(', ')}` : '');
	const c = files.length ? null : COMMANDS.exec(text);
	if (!text || turn.value || !sessionId.value) return;
	editing.value = false;
	if (c) return command(c[1]!, c[2] ?? '');
	const id = fresh('m');
	turn.value = { id, own: true, accepted: false, stopping: false, question: text };
	add({ key: `u${id}`, role: 'user', state: 'done', parts: [{ kind: 'text', text }], images: files.length ? files : undefined, time: new Date().toISOString() },
		{ key: `a${id}`, role: 'assistant', state: 'coming', parts: [] });
	sessions.hear(sessionId.value, text);
	heard.value = 'Sent. The agent is working.';
	// an object with a "content" would be opened as an envelope: put it into one
	const content = text.startsWith('{') ? JSON.stringify({ content: text }) : text;
	const small = new TextEncoder().encode(content).length < SOCKET_MAX;
	if (small && await socket.ready(2500) && turn.value?.id === id && socket.say({ type: 'message', content, message_id: id, ...(files.length ? { attachments: files } : {}) })) return;
	if (turn.value?.id === id) await byStream(text, files);
}

export async function stop() {
	const t = turn.value;
	if (!t || t.stopping) return;
	turn.value = { ...t, stopping: true };
	try {
		await call('POST', `/api/agents/${agentId.value}/sessions/${sessionId.value}/stop`);
	} catch (e) {
		if (turn.value) turn.value = { ...turn.value, stopping: false };
		trouble.value = words(e);
	}
}

// Ask the last question again. What failed makes room for it; what was answered stays.
export function retry() {
	const q = lastQuestion.value;
	if (!q || turn.value) return;
	const last = items.value.at(-1)!;
	if (last.state === 'failed' || last.state === 'stopped')
		items.value = items.value.slice(0, items.value.indexOf(q));
	void ask(textOf(q), q.images);
}

// What is stored of a conversation; the turn that runs in it, if one does, is waited for.
async function load(agent: string, session: string) {
	const [h, list] = await Promise.all([
		get<History>(`/api/agents/${agent}/session?session_id=${session}`), sessions.refresh(agent)]);
	if (sessionId.value !== session || turn.value) return;
	items.value = spent.recall(session, itemsOf(h));
	if (list.find((s) => s.session_id === session)?.active) {
		turn.value = { id: fresh('w'), own: false, accepted: true, stopping: false, question: '' };
		if (items.value.at(-1)?.role !== 'assistant') add({ key: fresh('a'), role: 'assistant', state: 'coming', parts: [] });
		else change((i) => ({ ...i, state: 'coming' }));
		void watch();
	} else if (items.value.at(-1)?.role === 'user') {
		settle(h);
	}
}

// False: there is no such conversation (any more).
export async function open(agent: string, session: string): Promise<boolean> {
	coming.drop();
	if (agentId.value !== agent) sessions.clear();
	agentId.value = agent;
	sessionId.value = session;
	items.value = [];
	turn.value = null;
	trouble.value = '';
	editing.value = false;
	loading.value = true;
	socket.attach(agent, session);
	try {
		await load(agent, session);
	} catch (e) {
		if (sessionId.value === session) trouble.value = words(e);
		return !(e instanceof ApiError && e.status === 404);
	} finally {
		if (sessionId.value === session) loading.value = false;
	}
	return true;
}

export function close() {
	coming.drop();
	socket.detach();
	agentId.value = sessionId.value = '';
	items.value = [];
	turn.value = null;
}

// --- the socket ----------------------------------------------------------------------------

let moved: (sessionId: string | undefined) => void = () => {};
export function onMoved(fn: typeof moved) {
	moved = fn;
}
let agentsSeen: (list: Frame[]) => void = () => {};
export function onAgents(fn: typeof agentsSeen) {
	agentsSeen = fn;
}

function commandResult(f: Frame) {
	if (f.command === 'stop') return;
	if (f.command === 'new' || f.command === 'reset' || f.command === 'reboot') return moved(f.session_id);
	note(f.message ?? f.content ?? '');
}

socket.onSocket({
	frame(f) {
		const t = turn.value;
		if (f.type === 'agents_updated') return agentsSeen(f.agents);
		if (f.type === 'command_result' || String(f.type).startsWith('compaction:')) return commandResult(f);
		if (t?.own && (!f.message_id || f.message_id === t.id)) {
			const e = ofFrame(f);
			if (e) happen(e);
		} else if (f.type === 'error' && !f.message_id) {
			trouble.value = f.content;
		}
	},
	lost: lookAfter,
	back() {
		// something may have been said meanwhile, here or elsewhere
		trouble.value = '';
		if (!turn.value && agentId.value && items.value.at(-1)?.state !== 'failed') void load(agentId.value, sessionId.value).catch(() => {});
	},
});
