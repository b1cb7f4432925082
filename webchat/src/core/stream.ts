// Answers as event streams: the way around a network that lets no WebSocket through, and turns that others began.
import { call } from './api';
import { ofEvent } from './events';
import type { FileRef, TurnEvent } from './types';

async function* lines(body: ReadableStream<Uint8Array>) {
	const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
	let rest = '';
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		const all = (rest + value).split('\n');
		rest = all.pop() ?? '';
		yield* all;
	}
}

async function* events(r: Response, seen: (id: string) => void = () => {}): AsyncGenerator<TurnEvent> {
	let name = '';
	for await (const line of lines(r.body!)) {
		if (line.startsWith('id: ')) {
			seen(line.slice(4).trim());
		} else if (line.startsWith('event: ')) {
			name = line.slice(7).trim();
		} else if (line.startsWith('data: ')) {
			const e = ofEvent(name, JSON.parse(line.slice(6)));
			if (e) yield e;
		}
	}
}

export async function streamTurn(agentId: string, sessionId: string, message: string, files: FileRef[], say: (e: TurnEvent) => void) {
	const r = await call('POST', `/api/agents/${agentId}/message/stream`, { body: { message, session_id: sessionId, channel_type: 'web', ...(files.length ? { attachments: files } : {}) } });
	let ended = false;

	say({ type: 'accepted' });
	for await (const e of events(r)) {
		say(e);
		ended ||= e.type === 'answer' || e.type === 'failed';
	}
	return ended;
}

// From the beginning of the turn that runs.
export const FIRST = '0';

// What the turn of a session says after that event. Resolves when we are attached; over: when it has ended, with the
// event to read on from.
export async function watchTurn(agentId: string, sessionId: string, after: string, say: (e: TurnEvent) => void, signal: AbortSignal) {
	const r = await call('GET', `/api/agents/${agentId}/sessions/${sessionId}/stream`, { signal, headers: { 'Last-Event-ID': after } });
	let last = after;
	const over = (async () => {
		for await (const e of events(r, (id) => { last = id; })) {
			say(e);
			if (e.type === 'answer' || e.type === 'failed') last = FIRST;
		}
	})().catch(() => {}).then(() => last);
	return { over };
}
