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

// Files that went along stand behind the question, as the model reads them.
const FILES = /^\[(?:Image\]$|File: |Attached (?:file|PDF): )/m;
const EACH = /^(?=\[(?:Image\]$|File: |Attached (?:file|PDF): ))/m;

function question(m: HistoryMessage): { said: HistoryMessage; files?: Item['files'] } {
	const at = m.content.search(FILES);
	if (at < 0) return { said: m };
	const shown = m.images ?? [], files = m.content.slice(at).split(EACH).flatMap((text) => {
		const name = /^\[(?:File|Attached \w+): (.*?)(?: \(\d+ bytes.*\))?\]/.exec(text)?.[1];
		const seen = shown.length > 0 && (!name || shown.some((i) => i.filename === name));
		return seen ? [] : [{ name: name ?? 'Image', text: text.trim() }];
	});
	return { said: { ...m, content: m.content.slice(0, at).trimEnd() }, files: files.length ? files : undefined };
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
		const { said, files } = role === 'user' ? question(m) : { said: m, files: undefined };
		items.push({ key: `${h.session_id}.${i}`, role, state: 'done', parts: parts(said, `${i}`), files, time: m.timestamp, thinking: m.thinking, images: m.images });
	});
	return items;
}

export const textOf = (item: Item) => item.parts.filter((p) => p.kind === 'text').map((p) => p.text).join('\n\n');

// The same for who listens: without the signs that only make it look well.
export function spoken(text: string): string {
	return text.replace(/^```.*$/gm, '').replace(/^\|?[\s|:-]+\|?$/gm, '').replace(/\|/g, ', ').replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
		.replace(/^\s{0,3}(?:#{1,6}|>)\s+/gm, '').replace(/(\*{1,3}|`+|~~)(\S[^*`~]*?)\1/g, '$2').replace(/\s+/g, ' ').trim();
}
