// The conversations of an agent, what they are called, and which of them are searched for.
import { computed, signal } from '@preact/signals';
import { get, words } from './api';
import { search } from './search';
import type { SessionItem } from './types';

export const sessions = signal<SessionItem[]>([]);
export const query = signal('');

const TITLE_MAX = 60, REST = 200;               // REST: ms
const heard = signal<Record<string, string>>({});       // what was asked here, before the list tells it
let round = 0;

export const UNTITLED = 'New chat';

export function titleOf(s: SessionItem | undefined): string {
	return s?.title || (s && heard.value[s.session_id]) || UNTITLED;
}

// --- search: names at once, what was said as soon as the server has found it ------------------

const hits = signal<Map<string, string>>(new Map());
export const problem = signal('');
export const around = (sessionId: string) => hits.value.get(sessionId);        // what stands around the words

export const found = computed(() => {
	const q = query.value.trim().toLowerCase();
	if (!q) return sessions.value;
	return sessions.value.filter((s) => hits.value.has(s.session_id) || titleOf(s).toLowerCase().includes(q));
});

let timer = 0;
export function seek(agentId: string, text: string) {
	query.value = text;
	clearTimeout(timer);
	problem.value = '';
	if (!text.trim()) {
		hits.value = new Map();
		return;
	}
	timer = window.setTimeout(async () => {
		try {
			const list = await search(text, agentId);
			if (query.value === text) hits.value = new Map(list.map((h) => [h.session_id, h.snippet]));
		} catch (e) {
			if (query.value === text) problem.value = words(e);
		}
	}, REST);
}

// --- the list ------------------------------------------------------------------------------------

// The first question names a conversation at once.
export function hear(sessionId: string, text: string) {
	const line = text.replace(/\s+/g, ' ').trim();
	heard.value = { [sessionId]: line.length > TITLE_MAX ? `${line.slice(0, TITLE_MAX)}…` : line, ...heard.value };
}

export async function refresh(agentId: string): Promise<SessionItem[]> {
	const mine = ++round;
	const list = (await get<{ sessions: SessionItem[] }>(`/api/agents/${agentId}/sessions`)).sessions;
	if (mine === round) sessions.value = list;
	return list;
}

export function clear() {
	round++;
	sessions.value = [];
	seek('', '');
}
