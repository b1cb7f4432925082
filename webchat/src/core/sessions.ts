// The conversations of an agent, and what to call those without a label: their first question.
import { computed, signal } from '@preact/signals';
import { get } from './api';
import { keep } from './keep';
import type { History, SessionItem } from './types';

export const sessions = signal<SessionItem[]>([]);
export const query = signal('');

interface Known { title: string; words: string }
const LOOK_MAX = 30, TITLE_MAX = 60, WORDS_MAX = 8000;
const seen = signal<Record<string, Known>>(kept());
let round = 0;

function kept(): Record<string, Known> {
	try {
		return JSON.parse(keep.get('lf-titles') ?? '{}');
	} catch {
		return {};
	}
}

export const UNTITLED = 'New chat';

export function titleOf(s: { session_id: string; label: string | null } | undefined): string {
	return s?.label || (s && seen.value[s.session_id]?.title) || UNTITLED;
}

export const found = computed(() => {
	const q = query.value.trim().toLowerCase();
	if (!q) return sessions.value;
	return sessions.value.filter((s) => `${titleOf(s)}\n${seen.value[s.session_id]?.words ?? ''}`.toLowerCase().includes(q));
});

function short(text: string): string {
	const line = text.replace(/\s+/g, ' ').trim();
	return line.length > TITLE_MAX ? `${line.slice(0, TITLE_MAX)}…` : line;
}

function put(sessionId: string, title: string, words: string) {
	seen.value = { ...seen.value, [sessionId]: { title, words: words.toLowerCase().slice(0, WORDS_MAX) } };
	keep.set('lf-titles', JSON.stringify(Object.fromEntries(Object.entries(seen.value).slice(-100))), false);
}

// What a conversation is about, from its history.
export function learn(h: History) {
	const first = h.messages.find((m) => m.role === 'User' && m.content.trim());
	put(h.session_id, short(first?.content ?? ''), h.messages.map((m) => m.content).join('\n'));
}

// What is said now belongs to it too; the first question names it at once.
export function hear(sessionId: string, text: string) {
	const old = seen.value[sessionId];
	put(sessionId, old?.title || short(text), `${old?.words ?? ''}\n${text}`);
}

async function lookInside(agentId: string, mine: number) {
	const todo = sessions.value.filter((s) => s.message_count > 0 && !seen.value[s.session_id]).slice(0, LOOK_MAX);
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
	query.value = '';
}
