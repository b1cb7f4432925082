// The conversations of an agent, and what to call those without a label: their first question.
import { computed, signal } from '@preact/signals';
import { get, words } from './api';
import { FILES } from './history';
import { keep } from './keep';
import { search } from './search';
import type { History, SessionItem } from './types';

export const sessions = signal<SessionItem[]>([]);
export const query = signal('');

const LOOK_MAX = 30, TITLE_MAX = 60, REST = 200;        // REST: ms
const titles = signal<Record<string, string>>(kept());
let round = 0;

function kept(): Record<string, string> {
	try {
		return JSON.parse(keep.get('lf-names') ?? '{}');
	} catch {
		return {};
	}
}

export const UNTITLED = 'New chat';

export function titleOf(s: { session_id: string; label: string | null } | undefined): string {
	return s?.label || (s && titles.value[s.session_id]) || UNTITLED;
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

// --- names -------------------------------------------------------------------------------------

function short(text: string): string {
	const line = text.replace(/\s+/g, ' ').trim();
	return line.length > TITLE_MAX ? `${line.slice(0, TITLE_MAX)}…` : line;
}

function name(sessionId: string, title: string) {
	titles.value = { ...titles.value, [sessionId]: short(title) };
	keep.set('lf-names', JSON.stringify(Object.fromEntries(Object.entries(titles.value).slice(-100))), false);
}

// What a conversation is about: its first question.
export const learn = (h: History) => name(h.session_id, h.messages.find((m) => m.role === 'User' && m.content.trim())?.content.split(FILES)[0] ?? '');

// The first question names it at once.
export function hear(sessionId: string, text: string) {
	if (!titles.value[sessionId]) name(sessionId, text);
}

async function lookInside(agentId: string, mine: number) {
	const todo = sessions.value.filter((s) => s.message_count > 0 && titles.value[s.session_id] === undefined).slice(0, LOOK_MAX);
	for (const s of todo) {
		if (mine !== round) return;
		try {
			learn(await get<History>(`/api/agents/${agentId}/session?session_id=${s.session_id}`));
		} catch {
			return;                 // a title is not worth a second try
		}
	}
}

export async function refresh(agentId: string): Promise<SessionItem[]> {
	const mine = ++round;
	const list = (await get<{ sessions: SessionItem[] }>(`/api/agents/${agentId}/sessions`)).sessions;
	if (mine === round) {
		sessions.value = list;
		void lookInside(agentId, mine);
	}
	return list;
}

export function clear() {
	round++;
	sessions.value = [];
	seek('', '');
}
