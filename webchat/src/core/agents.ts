// Which agents there are, which one is looked at, and the address that says so.
import { computed, signal } from '@preact/signals';
import { get, post } from './api';
import * as chat from './chat';
import { keep } from './keep';
import { CHAT, go, page, read } from './route';
import * as sessions from './sessions';
import type { Agent, AgentDetail } from './types';

export const agents = signal<Agent[]>([]);
export const loaded = signal(false);
export const agent = computed(() => agents.value.find((a) => a.id === chat.agentId.value));

const LAST = 'lf-last-agent';

// An address that only led here is not one to go back to.
const put = (a: string, s: string) => {
	const whole = page.value !== 'chat' || CHAT.exec(location.hash)?.[2];
	go(`#/${a}/${s}`, whole ? 'pushState' : 'replaceState');
};

export async function load() {
	agents.value = (await get<{ items: Agent[] }>('/api/agents?limit=500&sort=last_active&order=desc')).items;
	loaded.value = true;
}

// An agent that the list does not hold: of very many, or of a moment ago.
async function known(id: string): Promise<boolean> {
	if (agents.value.some((a) => a.id === id)) return true;
	try {
		const d = await get<AgentDetail>(`/api/agents/${id}`);
		if (!agents.value.some((a) => a.id === id)) agents.value = [...agents.value, { ...d, model_provider: d.model.provider, model_name: d.model.model }];
		return true;
	} catch {
		return false;
	}
}

const current = async (id: string) => (await get<Agent>(`/api/agents/${id}`)).session_id!;

// A conversation of an agent, its current one when none is named or the named one is gone.
// aside: behind another page, which keeps the address.
export async function show(id: string, session?: string, aside = false) {
	const a = agents.value.find((x) => x.id === id);
	if (!a) return;
	const to = session ?? a.session_id ?? await current(id);
	keep.set(LAST, id, true);
	if (!aside) put(id, to);
	if (await chat.open(id, to)) return;
	const now = await current(id);
	if (now === to || chat.sessionId.value !== to) return;
	if (!aside) put(id, now);
	await chat.open(id, now);
}

export async function follow() {
	const m = CHAT.exec(location.hash), aside = page.value !== 'chat';
	if (m && m[1] === chat.agentId.value && m[2] === chat.sessionId.value) return;
	if (m && await known(m[1]!)) return show(m[1]!, m[2]);
	if (!m && agent.value) return aside ? undefined : put(chat.agentId.value, chat.sessionId.value);
	const last = keep.get(LAST), first = agents.value.find((a) => a.id === last) ?? agents.value[0];
	if (first) await show(first.id, undefined, aside);
	else chat.close();
}

// A conversation of its own. One that is still empty is good enough.
export async function newChat() {
	const id = chat.agentId.value;
	if (!id) return;
	if (!chat.items.value.length && !chat.loading.value && !chat.trouble.value) return put(id, chat.sessionId.value);
	try {
		const s = await post<{ session_id: string }>(`/api/agents/${id}/sessions`);
		await show(id, s.session_id);
	} catch (e) {
		chat.trouble.value = e instanceof Error ? e.message : String(e);
	}
}

// From a template, or from a manifest of one's own.
export async function make(from: { template: string } | { manifest_toml: string }, name: string): Promise<void> {
	const made = await post<{ agent_id: string }>('/api/agents', { ...from, name });
	await load();
	await show(made.agent_id);
}

// After something was changed on another page: the list, and whom one talks with.
export async function changed() {
	await load();
	if (!agent.value) await follow();
}

chat.onMoved(async (session) => {
	const id = chat.agentId.value;
	if (!session) await load();
	sessions.seek('', '');
	await show(id, session);
});

chat.onAgents((list) => {
	const known = new Map(agents.value.map((a) => [a.id, a]));
	const gone = agents.value.some((a) => !list.some((b) => b.id === a.id));
	if (gone || list.some((b) => !known.has(b.id))) void load().then(() => {
		if (chat.agentId.value && !agent.value) void follow();
	}).catch(() => {});
	else agents.value = agents.value.map((a) => {
		const b = list.find((x) => x.id === a.id)!;
		return { ...a, name: b.name, state: b.state };
	});
});

addEventListener('popstate', () => {
	read();
	if (page.value === 'chat' && location.hash.startsWith('#/') && loaded.value) void follow();
});
