// What was said, found by the server's full text.
import { get } from './api';

export interface Hit { session_id: string; agent_id: string; snippet: string; active: boolean }

// Words as people type them, for an engine that has a language of its own: each must be there, the
// last one may be only begun.
function asked(text: string): string {
	const words = text.match(/[\p{L}\p{N}]+/gu) ?? [];
	return words.map((w) => `"${w}"`).join(' ') + (words.length && /[\p{L}\p{N}]$/u.test(text) ? '*' : '');
}

export function searchPath(text: string, agentId?: string): string | null {
	const q = asked(text.trim());
	return q && `/api/sessions/search?limit=200&q=${encodeURIComponent(q)}${agentId ? `&agent_id=${agentId}` : ''}`;
}

export async function search(text: string, agentId: string): Promise<Hit[]> {
	const path = searchPath(text, agentId);
	return path ? (await get<{ items: Hit[] }>(path)).items : [];
}
