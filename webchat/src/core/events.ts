// Frames of the socket and events of the stream, as what they mean for a turn.
import type { TurnEvent } from './types';

export type Frame = Record<string, any>;

function parsed(text: unknown): unknown {
	if (typeof text !== 'string') return text;
	try {
		return JSON.parse(text);
	} catch {
		return text;
	}
}

function usage(f: Frame) {
	return {
		input: f.input_tokens ?? 0, output: f.output_tokens ?? 0, steps: f.iterations,
		cost: f.cost_usd ?? null, memories: f.memories_saved,
	};
}

export function ofFrame(f: Frame): TurnEvent | null {
	switch (f.type) {
	case 'typing': return f.state === 'start' ? { type: 'accepted' } : null;
	case 'text_delta': return { type: 'text', text: f.content };
	case 'thinking_delta': return { type: 'thinking', text: f.content };
	case 'tool_start': return { type: 'tool_start', id: f.id, name: f.tool };
	case 'tool_end': return { type: 'tool_input', id: f.id, name: f.tool, input: parsed(f.input) };
	case 'tool_result': return { type: 'tool_result', name: f.tool, result: f.result, failed: !!f.is_error };
	case 'phase': return (f.phase === 'long_running' || f.phase === 'context_warning') && f.detail ? { type: 'note', text: f.detail } : null;
	case 'response': return { type: 'answer', text: f.content, thinking: f.thinking, usage: usage(f) };
	case 'silent_complete': return { type: 'silent' };
	case 'error': return { type: 'failed', text: f.content };
	default: return null;
	}
}

// Server-sent events have other names, and no results of tools: those are in the history.
export function ofEvent(name: string, d: Frame): TurnEvent | null {
	switch (name) {
	case 'chunk': return { type: 'text', text: d.content };
	case 'tool_use': return { type: 'tool_start', id: '', name: d.tool };
	case 'tool_result': return { type: 'tool_input', id: '', name: d.tool, input: d.input };
	case 'phase':
		if (d.phase === 'error') return { type: 'failed', text: 'The turn failed.' };
		if (d.phase === 'restart') return { type: 'restart' };
		return (d.phase === 'long_running' || d.phase === 'context_warning') && d.detail ? { type: 'note', text: d.detail } : null;
	case 'done': return { type: 'answer', usage: usage(d.usage ?? {}) };
	default: return null;
	}
}
