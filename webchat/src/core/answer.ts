// An answer as it grows: each event of its turn makes the next item of the last one.
import type { Item, ToolPart, TurnEvent } from './types';

function addText(i: Item, text: string): Item {
	const last = i.parts.at(-1);
	if (last?.kind === 'text') return { ...i, parts: [...i.parts.slice(0, -1), { kind: 'text', text: last.text + text }] };
	return { ...i, parts: [...i.parts, { kind: 'text', text }] };
}

function changeTool(i: Item, which: (t: ToolPart) => boolean, put: Partial<ToolPart>): Item {
	const at = i.parts.findLastIndex((p) => p.kind === 'tool' && p.state === 'running' && which(p));
	return at < 0 ? i : { ...i, parts: i.parts.map((p, k) => (k === at ? { ...p, ...put } as typeof p : p)) };
}

function finalText(i: Item, text: string | undefined): Item {
	const last = i.parts.at(-1);
	if (text === undefined || (last?.kind === 'text' && last.text === text)) return i;
	if (last?.kind === 'text') return { ...i, parts: [...i.parts.slice(0, -1), { kind: 'text', text }] };
	return text ? addText(i, text) : i;
}

export function grow(i: Item, e: TurnEvent): Item {
	switch (e.type) {
	case 'text': return addText(i, e.text);
	case 'thinking': return { ...i, thinking: (i.thinking ?? '') + e.text };
	case 'tool_start': return { ...i, parts: [...i.parts, { kind: 'tool', id: e.id, name: e.name, state: 'running' }] };
	case 'tool_input': return changeTool(i, (t) => t.id === e.id && t.name === e.name, { input: e.input });
	case 'tool_result': return changeTool(i, (t) => t.name === e.name, { result: e.result, state: e.failed ? 'failed' : 'done' });
	case 'answer': return { ...finalText(i, e.text), thinking: e.thinking ?? i.thinking, usage: e.usage };
	default: return i;
	}
}

// Nothing of it runs any more.
export function ended(i: Item): Item {
	const parts = i.parts.map((p) => (p.kind === 'tool' && p.state === 'running' ? { ...p, state: 'unknown' as const } : p));
	return { ...i, parts, time: i.time ?? new Date().toISOString() };
}

// Frames show only the beginning of long arguments and results.
export function cutShort(i: Item): boolean {
	return i.parts.some((p) => p.kind === 'tool' && ((p.result?.length ?? 0) >= 200 || p.result === undefined || typeof p.input === 'string'));
}
