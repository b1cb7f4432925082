// What turns took, as this tab saw it: the stored history does not tell.
import { textOf } from './history';
import { keep } from './keep';
import type { Item, Usage } from './types';

const PLACE = 'lf-spent', MOST = 200;

function all(): [string, Usage][] {
	try {
		return JSON.parse(keep.get(PLACE) ?? '[]');
	} catch {
		return [];
	}
}

function nameOf(sessionId: string, item: Item): string {
	let h = 5381;
	for (const ch of textOf(item)) h = (h * 33 + ch.codePointAt(0)!) >>> 0;
	return `${sessionId}.${h}`;
}

export function note(sessionId: string, item: Item) {
	if (item.usage) keep.set(PLACE, JSON.stringify([...all(), [nameOf(sessionId, item), item.usage]].slice(-MOST)), false);
}

export function recall(sessionId: string, items: Item[]): Item[] {
	const known = new Map(all());
	return items.map((i) => (i.role === 'assistant' && !i.usage ? { ...i, usage: known.get(nameOf(sessionId, i)) } : i));
}
