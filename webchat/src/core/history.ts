// A stored conversation, as items to show. What an agent said in several steps of one
// turn (words, tools, words) is one item.
import type { History, HistoryMessage, Item, Part } from './types';

function parts(m: HistoryMessage, at: string): Part[] {
	const list: Part[] = [];
	if (m.content) list.push({ kind: 'text', text: m.content });
	m.tools?.forEach((t, i) => list.push({
		kind: 'tool', id: `${at}.${i}`, name: t.name, input: t.input, result: t.result,
		state: t.result === undefined ? 'unknown' : t.is_error ? 'failed' : 'done',
	}));
	return list;
}

export function itemsOf(h: History): Item[] {
	const items: Item[] = [];
	if (h.compacted_summary)
		items.push({ key: 'summary', role: 'system', state: 'done', parts: [{ kind: 'text', text: `**Earlier, in short**\n\n${h.compacted_summary}` }] });
	h.messages.forEach((m, i) => {
		const role = m.role === 'User' ? 'user' : m.role === 'Assistant' ? 'assistant' : 'system';
		const last = items.at(-1);
		if (role === 'assistant' && last?.role === 'assistant') {
			last.parts.push(...parts(m, `${i}`));
			last.time = m.timestamp ?? last.time;
			if (m.thinking) last.thinking = [last.thinking, m.thinking].filter(Boolean).join('\n\n');
			if (m.images) last.images = [...(last.images ?? []), ...m.images];
			return;
		}
		items.push({ key: `${h.session_id}.${i}`, role, state: 'done', parts: parts(m, `${i}`), time: m.timestamp, thinking: m.thinking, images: m.images });
	});
	return items;
}

export const textOf = (item: Item) => item.parts.filter((p) => p.kind === 'text').map((p) => p.text).join('\n\n');
